/* dispatch.c: chooses the CPU backend's instruction set: the best that the processor has, or the one that $EXPCONV_ISA
 * names. The environment is read at every call, so that tests can go through all sets.
 */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

typedef struct cpu_set {
    const char *word;
    const xc_backend *table;
    bool supported;
} cpu_set;

xc_status xc_backend_cpu(const xc_backend **backend, xc_error *error) {
    const char *wanted = getenv("EXPCONV_ISA");
    *backend = NULL;
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
#define SET(set, condition) {#set, &xc_cpu_table_##set, condition},
    const cpu_set sets[] = {CPU_SETS(SET)};
#undef SET
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const bool named = wanted && strcmp(wanted, sets[i].word) == 0;
        if (named && !sets[i].supported)
            return xc_fail(error, XC_DEVICE, "EXPCONV_ISA=%s: this processor has no such instruction set; unset it",
                           wanted);
        if (named || (!wanted && sets[i].supported)) {
            *backend = sets[i].table;
            return XC_OK;
        }
    }
    return xc_fail(error, XC_DEVICE, "EXPCONV_ISA=%s: no such instruction set; known are %s", wanted, CPU_SET_WORDS);
}

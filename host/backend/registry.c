/* registry.c: finds, checks and opens a backend by the name that --device gives. The CPU backend and the reference are
 * linked in. A backend for NVIDIA GPUs would be opened here at run time; this build has none, and says so.
 */
#include <string.h>

#include "expconv/backend.h"

static const char no_cuda[] = "this build has no CUDA backend";

xc_status xc_backend_open(const char *device, const xc_backend **backend, xc_error *error) {
    static const char *const names[] = {"auto", "cpu", "cuda", "ref", NULL};
    *backend = NULL;
    if (strcmp(device, "ref") == 0) {
        *backend = xc_backend_reference();
        return XC_OK;
    }
    if (strcmp(device, "cuda") == 0)
        return xc_fail(error, XC_DEVICE, "--device cuda: %s; use --device cpu, or auto to take what is there", no_cuda);
    const bool any = strcmp(device, "auto") == 0;
    if (!any && strcmp(device, "cpu") != 0)
        return xc_fail(error, XC_USAGE, "--device %s: unknown device; did you mean %s? (auto, cpu, cuda)", device,
                       xc_nearest(device, names));
    const xc_status status = xc_backend_cpu(backend, error);
    if (status == XC_OK && any) xc_log(XC_LOG_INFO, "device: the CPU (%s); %s", (*backend)->description, no_cuda);
    return status;
}

void xc_backend_list(FILE *stream) {
    const xc_backend *cpu;
    xc_error error = {0};
    if (xc_backend_cpu(&cpu, &error) == XC_OK)
        fprintf(stream, "cpu\tusable\t%d cores; %s\n", xc_core_count(), cpu->description);
    else
        fprintf(stream, "cpu\tnot usable\t%s\n", error.text);
    fprintf(stream, "cuda\tnot usable\t%s\n", no_cuda);
    fprintf(stream, "ref\tusable\t%s\n", xc_backend_reference()->description);
}

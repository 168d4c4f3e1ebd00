/* activation.c: activations and their slopes on arrays: one loop for each kind, made from activation.h.
 */
#include "activation.h"

/* One loop for each kind, so that no inner loop asks which it is. */
void xc_cpu_activate(const xc_activation *activation, float *values, size_t count) {
    const xc_activation a = *activation;
    switch (a.kind) {
#define CASE(kind, word)                                                                                            \
    case kind:                                                                                                      \
        for (size_t i = 0; i < count; i += LANES) v_store(values + i, cpu_activated(kind, &a, v_load(values + i))); \
        break;
        XC_ACTIVATIONS(CASE)
#undef CASE
    case XC_ACTIVATION_COUNT: break;
    }
}

void xc_cpu_multiply_slope(const xc_activation *activation, const float *u, float *g, size_t count) {
    const xc_activation a = *activation;
    switch (a.kind) {
#define CASE(kind, word)                                                                                              \
    case kind:                                                                                                        \
        for (size_t i = 0; i < count; i += LANES) v_store(g + i, v_load(g + i) * cpu_slope(kind, &a, v_load(u + i))); \
        break;
        XC_ACTIVATIONS(CASE)
#undef CASE
    case XC_ACTIVATION_COUNT: break;
    }
}

bool xc_cpu_is_monotone(const xc_activation *activation) {
    switch (activation->kind) {
    case XC_LOG:
    case XC_LOG_RELU: return false;
    case XC_EXPONENTIAL: return activation->scale > 0;
    default: return true;
    }
}

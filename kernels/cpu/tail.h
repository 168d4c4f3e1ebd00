/* tail.h: what the files of the tail (batch norm, activation, dropout, pool) share: which of their loops a trial takes.
 *
 * Relu and the exponential are done on the way from z to y, and their slopes are found in y: both are 0 where y is.
 * Every other activation works on strips, in passes.
 */
#ifndef EXPCONV_CPU_TAIL_H
#define EXPCONV_CPU_TAIL_H

#include "activation.h"

typedef enum cpu_fused { FUSED_NOT, FUSED_LINEAR, FUSED_RELU, FUSED_EXPONENTIAL } cpu_fused;

INLINE cpu_fused cpu_fused_of(const cpu_trial *b) {
    switch (b->activation.kind) {
        case XC_LINEAR: return FUSED_LINEAR;
        case XC_RELU: return FUSED_RELU;
        case XC_EXPONENTIAL: return FUSED_EXPONENTIAL;
        default: return FUSED_NOT;
    }
}

INLINE vfloat cpu_fused_value(const cpu_trial *b, const cpu_fused as, vfloat u) {
    return as == FUSED_LINEAR ? u : cpu_activated(as == FUSED_RELU ? XC_RELU : XC_EXPONENTIAL, &b->activation, u);
}

/* Whether there is dropout, and whether a vector's bits begin with a byte. */
typedef enum cpu_drop { DROP_NONE, DROP_ANY, DROP_BYTES } cpu_drop;

INLINE cpu_drop cpu_drop_of(const cpu_trial *b) {
    return !b->dropped ? DROP_NONE : LANES % 8 || b->filters % 8 ? DROP_ANY : DROP_BYTES;
}

INLINE vint cpu_kept_as(const cpu_drop drop, const uint8_t *dropped, size_t e) {
    return drop == DROP_BYTES ? cpu_kept_bytes(dropped, e) : cpu_kept(dropped, e);
}

/* Whether the clip of an exponential is to be counted. */
INLINE bool cpu_counts(const cpu_trial *b) { return b->clipped && b->activation.kind == XC_EXPONENTIAL; }

/* tail_forward.c: u of `rows` rows of z; and how many of them the clip will meet, added to *b->clipped. */
#define xc_cpu_normalise XC_ISA_NAME(xc_cpu_normalise)
#define xc_cpu_count_clipped XC_ISA_NAME(xc_cpu_count_clipped)
void xc_cpu_normalise(const cpu_trial *b, const float *z, size_t rows, float *u);
void xc_cpu_count_clipped(cpu_trial *b, const float *z, size_t rows);

/* tail_pool.c: the windows of some sequences, when their bits are there. */
#define xc_cpu_pool XC_ISA_NAME(xc_cpu_pool)
void xc_cpu_pool(cpu_trial *b, size_t first_sequence, size_t sequences);

#endif

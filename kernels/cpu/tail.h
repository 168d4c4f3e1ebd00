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
        case XC_LINEAR:
            return FUSED_LINEAR;
        case XC_RELU:
            return FUSED_RELU;
        case XC_EXPONENTIAL:
            return FUSED_EXPONENTIAL;
        default:
            return FUSED_NOT;
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

INLINE vint cpu_kept_as(const cpu_drop drop, const uint8_t *dropped, size_t e, size_t left) {
    return drop == DROP_BYTES ? cpu_kept_bytes(dropped, e, left) : cpu_kept(dropped, e, left);
}

/* What the slope of an exponential is made of. */
typedef struct cpu_exponential_slopes {
    vfloat times, clip, beyond; /* the slope beyond the clip, with dropout's factor */
} cpu_exponential_slopes;

INLINE cpu_exponential_slopes cpu_slopes_of(const cpu_trial *b) {
    const vfloat times = v_set(b->activation.scale), clip = v_set(b->activation.clip);
    const bool hard = b->activation.beyond == XC_BEYOND_HARD;
    return (cpu_exponential_slopes){times, clip, hard ? v_set(0) : times * v_exp(clip) * cpu_keep_factor(b)};
}

/* du of relu and of the exponential, whose slopes y tells; y holds dropout's factor. */
INLINE vfloat cpu_fused_gradient(const cpu_exponential_slopes *s, const cpu_normaliser *by, const cpu_fused as,
                                 vfloat z, vfloat y, vfloat dy, vfloat keep) {
    if (as == FUSED_RELU) return v_where(y > 0.0f, dy * keep);
    const vint beyond = s->times * cpu_normalised(by, z) > s->clip;
    return v_where(y != 0.0f, dy * v_select(beyond, s->beyond, s->times * y));
}

/* du of element `e` on of row `z` of a block without pool. Relu's mask costs less to find again than y to read. */
INLINE vfloat cpu_plain_gradient(const cpu_trial *b, const cpu_exponential_slopes *s, const cpu_normaliser *by,
                                 const cpu_fused as, const cpu_drop drop, vfloat z, size_t e, size_t left,
                                 vfloat keep) {
    const vfloat dy = v_load_part(b->dy + e, left);
    if (as == FUSED_EXPONENTIAL) return cpu_fused_gradient(s, by, as, z, v_load_part(b->y + e, left), dy, keep);
    vfloat d = drop == DROP_NONE ? dy : v_where(cpu_kept_as(drop, b->dropped, e, left), dy * keep);
    return as == FUSED_LINEAR ? d : v_where(cpu_normalised(by, z) > 0.0f, d);
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

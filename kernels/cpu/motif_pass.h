/* motif_pass.h: what the two files of the first layer's pass forward share: motif_forward.c and, for blocks with a
 * pool, motif_pool.c.
 */
#ifndef EXPCONV_CPU_MOTIF_PASS_H
#define EXPCONV_CPU_MOTIF_PASS_H

#include "motif.h"
#include "tail.h"
#include "vmath.h"

/* What is left to do for an activation when a strip is stored: nothing, or relu or the exponential of bounded values.
 */
typedef enum finish { FINISHED, FINISH_RELU, FINISH_EXPONENTIAL } finish;

INLINE vfloat finished(const finish as, vfloat u, vfloat scale) {
    if (as == FINISH_RELU) return v_select(u <= 0.0f, v_set(0), u);
    return as == FINISH_EXPONENTIAL ? v_exp_near(u * scale) : u;
}

/* What the whole pass knows. */
typedef struct forward_pass {
    cpu_trial *b;
    size_t c; /* the panel's first column */
    int vectors;
    bool counts;     /* of elements that the clip meets */
    bool monotone;   /* the pool may choose before the activation */
    bool simple;     /* and needs no regard to NaN, nor to dropout's zeros, which lose */
    bool keeps_peak; /* u at the winner */
    cpu_drop drop;
    finish as;
} forward_pass;

#define xc_cpu_motif_count_clipped XC_ISA_NAME(xc_cpu_motif_count_clipped)
#define xc_cpu_motif_pool XC_ISA_NAME(xc_cpu_motif_pool)

/* How many of `rows` rows of u (rows,panel) the clip will meet, added to *b->clipped. */
void xc_cpu_motif_count_clipped(const forward_pass *p, const float *u, size_t rows);

/* u to y of one panel of sequence n, through the pool. */
void xc_cpu_motif_pool(const forward_pass *p, size_t n);

#endif

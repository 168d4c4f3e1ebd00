/* add_block.c: the end of a residual unit, z = x + x_skip (or x alone); the gradient of both is dz.
 * Source: He et al. 2016 (arXiv 1512.03385), equation 1.
 */
#include "reference.h"

#include <string.h>

static size_t element_count(int32_t batch, const xc_block *block) {
    return (size_t)batch * (size_t)block->conv_length * (size_t)block->filters;
}

static void add_load(const xc_block_args *args, int32_t trial, xc_ref_block *b) {
    const size_t count = element_count(args->batch, args->block);
    const float *x = args->x + (size_t)trial * count;                                 /* (N,Lc,F) */
    const float *x_skip = args->x_skip ? args->x_skip + (size_t)trial * count : NULL; /* (N,Lc,F) */
    for (size_t i = 0; i < count; i++) {
        b->x[i] = x[i];
        b->x_skip[i] = x_skip ? x_skip[i] : 0;
    }
}

static void add_forward(xc_ref_block *b) {
    const size_t count = element_count(b->batch, b->block);
    for (size_t i = 0; i < count; i++) b->z[i] = b->x[i] + b->x_skip[i];
}

static void add_backward(xc_ref_block *b) {
    const size_t bytes = element_count(b->batch, b->block) * sizeof(double);
    memcpy(b->dx, b->dz, bytes);
    memcpy(b->dx_skip, b->dz, bytes);
}

const xc_ref_linear xc_ref_add = {add_load, add_forward, add_backward};

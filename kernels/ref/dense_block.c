/* dense_block.c: the matrix product z[n,f] = sum_c x[n,c] kernel[c,f] and its two gradients. The bias is added in
 * block.c.
 */
#include "reference.h"

static void dense_load(const xc_block_args *args, int32_t trial, xc_ref_block *b) {
    const size_t count = (size_t)args->batch * (size_t)args->block->channels;
    const float *x = args->x + (size_t)trial * count; /* (N,In) */
    for (size_t i = 0; i < count; i++) b->x[i] = x[i];
}

static void dense_forward(xc_ref_block *b) {
    const size_t batch = (size_t)b->batch, inputs = (size_t)b->block->channels, filters = (size_t)b->block->filters;
    for (size_t n = 0; n < batch; n++)
        for (size_t f = 0; f < filters; f++) {
            double sum = 0;
            for (size_t c = 0; c < inputs; c++) sum += b->x[n * inputs + c] * b->kernel[c * filters + f];
            b->z[n * filters + f] = sum;
        }
}

static void dense_backward(xc_ref_block *b) {
    const size_t batch = (size_t)b->batch, inputs = (size_t)b->block->channels, filters = (size_t)b->block->filters;
    for (size_t c = 0; c < inputs; c++)
        for (size_t f = 0; f < filters; f++) {
            double sum = 0;
            for (size_t n = 0; n < batch; n++) sum += b->x[n * inputs + c] * b->dz[n * filters + f];
            b->dkernel[c * filters + f] = sum;
        }
    for (size_t n = 0; n < batch; n++)
        for (size_t c = 0; c < inputs; c++) {
            double sum = 0;
            for (size_t f = 0; f < filters; f++) sum += b->dz[n * filters + f] * b->kernel[c * filters + f];
            b->dx[n * inputs + c] = sum;
        }
}

const xc_ref_linear xc_ref_dense = {dense_load, dense_forward, dense_backward};

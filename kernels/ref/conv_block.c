/* conv_block.c: the convolution, as deep learning means it (a correlation), over positions, stride 1:
 *
 *   z[n,l,f] = sum_{k,c} kernel[k,c,f] x[n, l + k - pad_left, c]      x outside 0..L-1 is 0
 *
 * and its two gradients. The motif block uses it too, on one-hot DNA. The bias is added in block.c.
 */
#include "reference.h"

#include <string.h>

/* Position of x that tap k of output l reads; -1 outside. */
static int32_t read_position(const xc_block *block, int32_t l, int32_t k) {
    const int32_t position = l + k - block->pad_left;
    return position >= 0 && position < block->length ? position : -1;
}

static void conv_forward(xc_ref_block *b) {
    const xc_block *block = b->block;
    const size_t channels = (size_t)block->channels, filters = (size_t)block->filters;
    for (int32_t n = 0; n < b->batch; n++)
        for (int32_t l = 0; l < block->conv_length; l++) {
            double *z = b->z + ((size_t)n * (size_t)block->conv_length + (size_t)l) * filters; /* (F) */
            memset(z, 0, filters * sizeof(double));
            for (int32_t k = 0; k < block->width; k++) {
                const int32_t position = read_position(block, l, k);
                if (position < 0) continue;
                const double *x = b->x + ((size_t)n * (size_t)block->length + (size_t)position) * channels; /* (C) */
                const double *kernel = b->kernel + (size_t)k * channels * filters;                          /* (C,F) */
                for (size_t c = 0; c < channels; c++)
                    for (size_t f = 0; f < filters; f++) z[f] += kernel[c * filters + f] * x[c];
            }
        }
}

/* dkernel[k,c,f] = sum_{n,l} dz[n,l,f] x[n, l + k - pad_left, c]; dx is the same sum with kernel in place of x. */
static void conv_backward(xc_ref_block *b) {
    const xc_block *block = b->block;
    const size_t channels = (size_t)block->channels, filters = (size_t)block->filters;
    memset(b->dkernel, 0, (size_t)block->width * channels * filters * sizeof(double));
    memset(b->dx, 0, (size_t)b->batch * (size_t)block->length * channels * sizeof(double));
    for (int32_t n = 0; n < b->batch; n++)
        for (int32_t l = 0; l < block->conv_length; l++) {
            const double *dz = b->dz + ((size_t)n * (size_t)block->conv_length + (size_t)l) * filters; /* (F) */
            for (int32_t k = 0; k < block->width; k++) {
                const int32_t position = read_position(block, l, k);
                if (position < 0) continue;
                const size_t input = ((size_t)n * (size_t)block->length + (size_t)position) * channels;
                const size_t tap = (size_t)k * channels * filters;
                for (size_t c = 0; c < channels; c++)
                    for (size_t f = 0; f < filters; f++) {
                        b->dkernel[tap + c * filters + f] += dz[f] * b->x[input + c];
                        b->dx[input + c] += dz[f] * b->kernel[tap + c * filters + f];
                    }
            }
        }
}

static void conv_load(const xc_block_args *args, int32_t trial, xc_ref_block *b) {
    const size_t count = (size_t)args->batch * (size_t)args->block->length * (size_t)args->block->channels;
    const float *x = args->x + (size_t)trial * count; /* (N,L,C) */
    for (size_t i = 0; i < count; i++) b->x[i] = x[i];
}

const xc_ref_linear xc_ref_conv = {conv_load, conv_forward, conv_backward};

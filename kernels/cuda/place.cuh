/* place.cuh: where a trial's arrays are, for kernels; and the few lines that all of them share.
 */
#ifndef EXPCONV_CUDA_PLACE_CUH
#define EXPCONV_CUDA_PLACE_CUH

#include "call.h"
#include "kernel.h"

#define DEVICE static __device__ __forceinline__

DEVICE unsigned char *saved_of(const cuda_call *c, int t) { return c->saved + (size_t)t * c->saved_stride; }

/* Shapes are beside the members of cuda_layout. */
DEVICE float *z_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.z); }
DEVICE int32_t *winner_of(const cuda_call *c, int t) { return (int32_t *)(saved_of(c, t) + c->at.winner); }
DEVICE float *mean_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.mean); }
DEVICE float *inverse_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.inverse); }
DEVICE float *centre_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.centre); }
DEVICE double *partial_of(const cuda_call *c, int t) { return (double *)(saved_of(c, t) + c->at.partial); }

DEVICE const float *parameters_of(const cuda_call *c, int t) { return c->parameters + (size_t)t * c->parameter_stride; }
DEVICE float *gradients_of(const cuda_call *c, int t) { return c->gradients + (size_t)t * c->parameter_stride; }
DEVICE bool has_norm(const cuda_call *c) { return c->block.gamma != XC_ABSENT; }

/* max(x, 0) that keeps a NaN. */
DEVICE float positive(float x) { return x <= 0 ? 0 : x; }

/* What is stored as z, from the sum of the linear part of filter f. */
DEVICE float finish_linear(const cuda_call *c, int t, float sum, int f) {
    if (c->block.bias != XC_ABSENT) sum += parameters_of(c, t)[c->block.bias + f];
    return c->block.before_norm == XC_RELU ? positive(sum) : sum;
}

static inline unsigned blocks_for(size_t count, size_t each) { return (unsigned)((count + each - 1) / each); }

#endif

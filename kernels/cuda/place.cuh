/* place.cuh: where a trial's arrays are, for kernels; and the few lines that all of them share.
 */
#ifndef EXPCONV_CUDA_PLACE_CUH
#define EXPCONV_CUDA_PLACE_CUH

#include "call.h"
#include "kernel.h"

#define DEVICE static __device__ __forceinline__
#define ALL_LANES 0xffffffffu

DEVICE unsigned char *saved_of(const cuda_call *c, int t) { return c->saved + (size_t)t * c->saved_stride; }
DEVICE unsigned char *scratch_of(const cuda_call *c, int t) { return c->scratch + (size_t)t * c->scratch_stride; }

/* Shapes are beside the members of cuda_layout. */
DEVICE float *z_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.z); }
DEVICE uint16_t *winner_of(const cuda_call *c, int t) { return (uint16_t *)(saved_of(c, t) + c->at.winner); }
DEVICE float *mean_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.mean); }
DEVICE float *inverse_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.inverse); }
DEVICE float *centre_of(const cuda_call *c, int t) { return (float *)(saved_of(c, t) + c->at.centre); }
DEVICE double *partial_of(const cuda_call *c, int t) { return (double *)(saved_of(c, t) + c->at.partial); }

DEVICE const float *parameters_of(const cuda_call *c, int t) { return c->parameters + (size_t)t * c->parameter_stride; }
DEVICE float *gradients_of(const cuda_call *c, int t) { return c->gradients + (size_t)t * c->parameter_stride; }
DEVICE float *running_of(const cuda_call *c, int t) {
    return c->running + (size_t)t * c->running_stride + c->block.running; /* (2,F) mean, variance */
}
DEVICE bool has_norm(const cuda_call *c) { return c->block.gamma != XC_ABSENT; }
DEVICE bool has_bias(const cuda_call *c) { return c->block.bias != XC_ABSENT; }

/* max(x, 0) that keeps a NaN. */
DEVICE float positive(float x) { return x <= 0 ? 0 : x; }

/* Whether a value takes the place of a window's best: the first of the largest wins; a NaN is larger than all. */
DEVICE bool is_better(float value, float best, bool first) {
    return first || value > best || (value != value && best == best);
}

/* Bias of filter f and the activation before the norm, applied to the bare linear part. */
DEVICE float bias_of(const cuda_call *c, int t, int f) {
    return has_bias(c) ? parameters_of(c, t)[c->block.bias + f] : 0;
}
DEVICE float before_norm(const cuda_call *c, float z, float bias) {
    return c->block.before_norm == XC_RELU ? positive(z + bias) : z + bias;
}

/* The running statistics of filter f go on by a batch's; mean and variance are what the batch is normalised by. */
DEVICE void finish_statistics(const cuda_call *c, int t, int f, double mean, double variance) {
    const double momentum = c->block.norm_momentum;
    float *running = running_of(c, t);
    running[f] = (float)(momentum * running[f] + (1 - momentum) * mean);
    running[c->block.filters + f] = (float)(momentum * running[c->block.filters + f] + (1 - momentum) * variance);
    mean_of(c, t)[f] = (float)mean;
    inverse_of(c, t)[f] = (float)(1 / sqrt(variance + (double)c->block.norm_epsilon));
}

/* Sum over the lanes of a warp, in every lane. */
DEVICE unsigned add_lanes(unsigned value) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(ALL_LANES, value, step);
    return value;
}

/* Lets a kernel have more dynamic shared memory than every device gives. */
static inline void allow_shared(const void *kernel, size_t bytes) {
    if (bytes > (48u << 10)) cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
}

static inline unsigned blocks_for(size_t count, size_t each) { return (unsigned)((count + each - 1) / each); }

#endif

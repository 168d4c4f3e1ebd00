/* call.h: what the host part of the CUDA backend (C) and its kernels (.cu) both know: the arguments of a block's
 * kernels, by value, where a trial's arrays lie in `saved`, and the launchers. Every launcher works on all trials of
 * the call at once, so their number changes no number of launches; trial t is blockIdx.z or, where a trial is one
 * block, blockIdx.x.
 */
#ifndef EXPCONV_CUDA_CALL_H
#define EXPCONV_CUDA_CALL_H

#include <cuda_runtime_api.h>

#include "expconv/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUDA_MOST_TRIALS = 1024, /* of one call: scratch has room for so many, since block_memory is not told */
    CUDA_MOST_L2 = 256,      /* parts of a model with an L2 factor of their own */
    CUDA_CHUNK = 256         /* rows of (N,Lc,F) that one block sums; part of the results, like any order of a sum */
};

/* What is each trial's own in a call; the host's arrays, brought over. */
typedef struct cuda_trial {
    uint64_t seed, step;
    unsigned long long clipped; /* counted by forward */
    xc_activation activation;
} cuda_trial;

/* Bytes from the start of a trial's `saved`. Backward writes dz over z, element by element. */
typedef struct cuda_layout {
    size_t z;       /* (N,Lc,F) float: linear part, bias and activation before the norm; later dz */
    size_t winner;  /* (N,Lp,F) int32: position in 0..Lc-1 that each pool window took; none when pool is 1 */
    size_t mean;    /* (F) float, of batch norm, as all below */
    size_t inverse; /* (F) float: 1 / sqrt(variance + epsilon) */
    size_t centre;  /* (2,F) float: mean of du, mean of du h over the batch; 0 in inference */
    size_t partial; /* (chunks,2,F) double */
    size_t bytes;
} cuda_layout;

typedef struct cuda_call {
    xc_block block;
    int32_t trials, batch, training, add_to_dx;
    int32_t rows;            /* N Lc */
    int32_t chunks;          /* of CUDA_CHUNK rows */
    cuda_trial *trial;       /* (T) */
    xc_dna_view dna;         /* of a motif block */
    const uint32_t *index;   /* (T,N) */
    const float *x;          /* (T,N,L,C) */
    const float *x_skip;     /* (T,N,Lc,F) */
    const float *parameters; /* (T,stride) */
    float *gradients;        /* (T,stride) */
    float *running;          /* (T,stride) */
    size_t parameter_stride, running_stride;
    float *y;        /* (T,N,Lp,F) */
    const float *dy; /* (T,N,Lp,F) */
    float *dx;       /* (T,N,L,C) or NULL */
    float *dx_skip;  /* (T,N,Lc,F) or NULL */
    unsigned char *saved;
    size_t saved_stride;
    cuda_layout at;
} cuda_call;

/* z from the input; dkernel and dx from dz. The host looks at the launch's status afterwards. */
void cuda_motif_forward(const cuda_call *call, cudaStream_t stream);
void cuda_motif_kernel_gradient(const cuda_call *call, cudaStream_t stream);
void cuda_conv_forward(const cuda_call *call, cudaStream_t stream); /* dense blocks too: width 1, one position */
void cuda_conv_kernel_gradient(const cuda_call *call, cudaStream_t stream);
void cuda_conv_input_gradient(const cuda_call *call, cudaStream_t stream); /* of a motif block: at its one-hot input */
void cuda_add_forward(const cuda_call *call, cudaStream_t stream);
void cuda_add_input_gradient(const cuda_call *call, cudaStream_t stream);

/* Mean and inverse deviation that batch norm uses, of the batch or the running ones; no launch without batch norm. */
void cuda_norm_forward(const cuda_call *call, cudaStream_t stream);
/* z to y: normalise, activation, dropout, pool; counts what the clip met. */
void cuda_tail_forward(const cuda_call *call, cudaStream_t stream);
/* dy to dz, over z; gradients of gamma, beta and bias. */
void cuda_tail_backward(const cuda_call *call, cudaStream_t stream);

void cuda_loss(const xc_loss_args *args, cudaStream_t stream);

/* What the optimizer reads on the device besides tensors. */
typedef struct cuda_step_area {
    float rate[CUDA_MOST_TRIALS]; /* learning rate, with Adam's correction for the step's number */
    xc_l2 l2[CUDA_MOST_L2];
} cuda_step_area;
void cuda_step(const xc_step_args *args, const cuda_step_area *area, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif

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
    CUDA_MOST_TRIALS = 1024,    /* of one call */
    CUDA_COUNTERS = 1 << 20,    /* of a context: see last_block.cuh */
    CUDA_CHUNK = 256,           /* rows that one block sums; part of the results, like any order of a sum */
    CUDA_TILE = 64,             /* rows and columns of a product's tile, whose rows are summed likewise */
    CUDA_SPLIT_ROWS = 1024,     /* of (N,Lc), that one part of a kernel's gradient sums */
    CUDA_MOTIF_MOST_WIDTH = 32, /* of a motif block that is done in one pass; others go by z */
    CUDA_MOTIF_MOST_LENGTH = 16384,
    CUDA_STATIC_SHARED = 1024, /* at most, of a kernel that has dynamic shared memory too */
    CUDA_WORKSPACE_ALIGNMENT = 256,
    CUDA_MOST_POOL = 32767 /* an offset in a window has 15 bits */
};

/* Bytes from the start of a trial's `saved`. */
typedef struct cuda_layout {
    /* Of every block. */
    size_t mean;    /* (F) float, of batch norm: of the linear part with bias and the activation before the norm */
    size_t inverse; /* (F) float: 1 / sqrt(variance + epsilon) */

    /* Of a block that goes by z. */
    size_t z;       /* (N,Lc,F) float: the bare linear part; backward writes dz over it */
    size_t winner;  /* (N,Lp,F) uint16_t: offset in the window << 1 | kept by dropout; none where neither matters */
    size_t centre;  /* (2,F) float: mean of du, mean of du h over the batch; in training only */
    size_t partial; /* (chunks,2,F) double */

    /* Of a motif block in one pass. */
    size_t record; /* (N,Lp,ceil(F/32),planes) uint32_t: the winners, see motif_pairs.cuh */
    size_t slope;  /* (K,4,F) float: sum over the batch of x (z - mean of z) / n */
    size_t input;  /* (K,4) float: mean of x over the batch */
    size_t bytes;
} cuda_layout;

/* Whether backward must be told which value of a window won: where something is pooled or dropped. */
XC_DEVICE_INLINE bool cuda_has_winners(const xc_block *block) {
    return block->pool > 1 || xc_dropout_threshold(block->dropout) > 0;
}

/* Positions beside each other that the record of a motif block in one pass does not tell apart: one; in wide pools so
 * many that a window is 15 such parts at most, which with a number for what was dropped takes 4 bits a filter. */
XC_DEVICE_INLINE int32_t cuda_motif_grain(const xc_block *block) {
    return block->pool > 31 ? (block->pool + 14) / 15 : 1;
}

typedef struct cuda_call {
    xc_block block;
    int32_t trials, batch, training, add_to_dx;
    int32_t references;              /* of the rescale rule; 0: gradients */
    int32_t rows;                    /* N Lc */
    const xc_activation *activation; /* (T) */
    const uint64_t *seed, *step;     /* (T) */
    unsigned long long *clipped;     /* (T) or NULL */
    xc_dna_view dna;                 /* of a motif block */
    const uint32_t *index;           /* (T,N) */
    const float *x;                  /* (T,N,L,C) */
    const float *x_skip;             /* (T,N,Lc,F) or NULL */
    const float *parameters;         /* (T,stride) */
    float *gradients;                /* (T,stride) or NULL */
    float *running;                  /* (T,stride) */
    size_t parameter_stride, running_stride;
    float *y;        /* (T,N,Lp,F) */
    const float *dy; /* (T,N,Lp,F) */
    float *dx;       /* (T,N,L,C) or NULL */
    float *dx_skip;  /* (T,N,Lc,F) or NULL */
    unsigned char *saved;
    size_t saved_stride;
    void *workspace; /* a library's, of this call */
    size_t workspace_bytes;
    unsigned char *scratch; /* trial t's at t * scratch_stride bytes: partial sums of the kernel's gradient */
    size_t scratch_stride;
    unsigned *counters; /* (CUDA_COUNTERS), 0 between launches */
    cuda_layout at;
} cuda_call;

/* ---- a motif block in one pass ----------------------------------------------------------------------------------- */

/* Bytes of shared memory that a block of each kernel wants. */
size_t cuda_motif_statistics_shared(const xc_block *block);
size_t cuda_motif_forward_shared(const xc_block *block, int32_t batch);
size_t cuda_motif_backward_shared(const xc_block *block);
size_t cuda_motif_record_words(const xc_block *block);           /* 32-bit words that record a window */
size_t cuda_motif_scratch(const xc_block *block, int32_t batch); /* bytes a trial */

/* Batch statistics from counts of bases and of pairs of bases; then packed DNA to y; then dy to the gradients. */
void cuda_motif_statistics(const cuda_call *call, cudaStream_t stream);
void cuda_motif_forward(const cuda_call *call, cudaStream_t stream);
void cuda_motif_backward(const cuda_call *call, cudaStream_t stream);

/* ---- linear parts that go by z ----------------------------------------------------------------------------------- */

void cuda_motif_linear(const cuda_call *call, cudaStream_t stream);
void cuda_motif_kernel_gradient(const cuda_call *call, cudaStream_t stream);

/* Convolution. Forward sums the statistics of batch norm as well. */
void cuda_conv_forward(const cuda_call *call, cudaStream_t stream);
void cuda_conv_kernel_gradient(const cuda_call *call, cudaStream_t stream);
void cuda_conv_input_gradient(const cuda_call *call, cudaStream_t stream); /* of a motif block: at its one-hot input */
size_t cuda_conv_scratch(const xc_block *block, int32_t batch);            /* bytes a trial */
size_t cuda_conv_counters(const xc_block *block); /* of a trial, that the kernel's gradient uses */

void cuda_add_forward(const cuda_call *call, cudaStream_t stream);
void cuda_add_input_gradient(const cuda_call *call, cudaStream_t stream);

/* ---- what follows z ---------------------------------------------------------------------------------------------- */

/* Mean and inverse deviation that batch norm uses: the running ones in inference, those of z in training. */
void cuda_norm_running(const cuda_call *call, cudaStream_t stream);
void cuda_norm_batch(const cuda_call *call, cudaStream_t stream);
/* z to y: bias, normalise, activation, dropout, pool; counts what the clip met. */
void cuda_tail_forward(const cuda_call *call, cudaStream_t stream);
/* dy to dz, over z, by the slopes or by the rescale rule; gradients of gamma, beta and bias where they are wanted. */
void cuda_tail_backward(const cuda_call *call, cudaStream_t stream);

/* ---- the rest of a step ------------------------------------------------------------------------------------------ */

void cuda_take_batch(const uint32_t *order, size_t stride, uint32_t *cursor, int32_t trials, int32_t batch,
                     uint32_t *index, unsigned *counters, cudaStream_t stream);
void cuda_loss(const xc_loss_args *args, cudaStream_t stream);
void cuda_step(const xc_step_args *args, unsigned *counters, cudaStream_t stream);

/* ---- attribution ------------------------------------------------------------------------------------------------- */

void cuda_path_points(const xc_path_args *args, cudaStream_t stream);
void cuda_path_sum(const xc_path_args *args, cudaStream_t stream);
void cuda_splice(const xc_splice_args *args, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif

/* backend.h: the only door between host/ and kernels/. A backend is a table of functions and a version: memory, and
 * thirteen ops, of which ten work on a whole pack of trials and three serve attribution. The CPU backend and the
 * reference are linked in; others are opened at run time by the registry (host/backend).
 *
 * Letters: T trials, N batch, L length, C input channels, F filters, K kernel width, P pool width. Tensors are float32,
 * channels last. Activations (T,N,L,C); convolution kernels (T,K,C,F); dense kernels (T,In,Out).
 *
 * A block is: linear (motif convolution | convolution | dense | sum of two inputs) -> [bias] -> [activation before the
 * norm] -> [batch norm] -> activation -> dropout -> max pool. Source: the order of Koo & Ploenzke 2021; the activation
 * before the norm occurs in their residual block alone.
 *
 * Contract of every op: outputs are written with `=`, gradients of parameters are added with `+=`; the result for trial
 * t depends on trial t's arguments alone and is the same to the byte for any T and any thread; no op allocates. A NaN
 * passes through every activation and every pool, so that it reaches the loss, where it is looked for. All that changes
 * from one step to the next is in the backend's memory, so that a step's ops can be recorded once and done again.
 */
#ifndef EXPCONV_BACKEND_H
#define EXPCONV_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "expconv/base.h"
#include "expconv/philox.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_BACKEND_VERSION 4u

/* ---- activations ----------------------------------------------------------------------------------------------- */

/* X(ENUM, "name in configs"). Formulas in the reference (kernels/ref/activation.c). Source: MODELS of the paper. */
#define XC_ACTIVATIONS(X)                                                                             \
    X(XC_LINEAR, "linear")                           /* x */                                          \
    X(XC_RELU, "relu")                               /* max(x, 0) */                                  \
    X(XC_EXPONENTIAL, "exponential")                 /* exp(min(scale x, clip)), see xc_activation */ \
    X(XC_SIGMOID, "sigmoid")                         /* s(x) = 1 / (1 + exp(-x)) */                   \
    X(XC_TANH, "tanh")                               /* tanh(x) */                                    \
    X(XC_SOFTPLUS, "softplus")                       /* log(1 + exp(x)) */                            \
    X(XC_ELU, "elu")                                 /* x for x > 0, exp(x) - 1 otherwise */          \
    X(XC_SHIFT_RELU, "shift_relu")                   /* max(x - 0.2, 0) */                            \
    X(XC_SCALE_RELU, "scale_relu")                   /* max(x^3, 0) */                                \
    X(XC_SHIFT_SCALE_RELU, "shift_scale_relu")       /* max((x - 0.2)^3, 0) */                        \
    X(XC_SHIFT_SIGMOID, "shift_sigmoid")             /* s(x - 8) */                                   \
    X(XC_SCALE_SIGMOID, "scale_sigmoid")             /* 4000 s(x) */                                  \
    X(XC_SHIFT_SCALE_SIGMOID, "shift_scale_sigmoid") /* 4000 s(x - 8) */                              \
    X(XC_SHIFT_TANH, "shift_tanh")                   /* tanh(x - 6) */                                \
    X(XC_SCALE_TANH, "scale_tanh")                   /* 500 tanh(x) + 500 */                          \
    X(XC_SHIFT_SCALE_TANH, "shift_scale_tanh")       /* 500 tanh(x - 6) + 500 */                      \
    X(XC_EXP_RELU, "exp_relu")                       /* max(exp(0.1 x) - 1, 0) */                     \
    X(XC_LOG, "log")                                 /* log(|x| + 1e-10) */                           \
    X(XC_LOG_RELU, "log_relu")                       /* max(log(|x| + 1e-10), 0) */

#define XC_ACTIVATION_ENUM(name, word) name,
typedef enum xc_activation_kind { XC_ACTIVATIONS(XC_ACTIVATION_ENUM) XC_ACTIVATION_COUNT } xc_activation_kind;
#undef XC_ACTIVATION_ENUM

/* What the exponential does where scale x > clip. Hard: the value stays at exp(clip), the gradient is zero. Linear: the
 * value goes on as exp(clip) (1 + scale x - clip), with the slope it has at the clip, so no unit dies. */
typedef enum xc_beyond { XC_BEYOND_HARD, XC_BEYOND_LINEAR } xc_beyond;

typedef struct xc_activation {
    xc_activation_kind kind;
    xc_beyond beyond; /* this and the next two: of XC_EXPONENTIAL alone */
    float scale;
    float clip;
} xc_activation;

/* ---- DNA ------------------------------------------------------------------------------------------------------- */

/* A run of N is one word: its first position << XC_RUN_SHIFT | its length, which is 1 to XC_RUN_LONGEST. */
#define XC_RUN_SHIFT 12
#define XC_RUN_LONGEST ((1u << XC_RUN_SHIFT) - 1)

/* Packed sequences, all of one length, in the backend's memory. A C G T = 0 1 2 3; base l of a sequence stands in bits
 * 2 (l mod 4) and above of byte l / 4 of its row. N (a one-hot column of zeros) is stored as 0 and listed in runs. */
typedef struct xc_dna_view {
    const uint8_t *bases;      /* (sequences, row_bytes) */
    const uint32_t *run_start; /* (sequences + 1): runs of sequence i are run_start[i] .. run_start[i+1]; NULL: no N */
    const uint32_t *runs;      /* (run_start[sequences]): as above */
    uint32_t sequences;
    uint32_t length;
    uint32_t row_bytes; /* ceil(length / 4) */
} xc_dna_view;

/* An index into a data set: the sequence's number, and this bit when its reverse complement is meant. */
#define XC_REVERSE_COMPLEMENT 0x80000000u

/* The code that an unpacked N has; one-hot row of zeros. */
#define XC_BASE_N 4

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

typedef enum xc_block_kind { XC_BLOCK_MOTIF, XC_BLOCK_CONV, XC_BLOCK_DENSE, XC_BLOCK_ADD } xc_block_kind;

/* X(ENUM, "name in configs"). What the products of convolutions and dense layers are made of, where the backend has a
 * choice; sums are float32 always. The CPU backend and the reference compute in float32 whatever is asked for. */
#define XC_PRECISIONS(X)                                            \
    X(XC_FP32, "fp32") /* float32 */                                \
    X(XC_TF32, "tf32") /* factors rounded to 10 bits of mantissa */ \
    X(XC_BF16, "bf16") /* factors rounded to 7 bits */

#define XC_PRECISION_ENUM(name, word) name,
typedef enum xc_precision { XC_PRECISIONS(XC_PRECISION_ENUM) XC_PRECISION_COUNT } xc_precision;
#undef XC_PRECISION_ENUM

/* Where a tensor that does not exist is. */
#define XC_ABSENT ((size_t)-1)

/* One block: everything about it that the trials of a pack share. A dense block has length = conv_length = out_length =
 * width = pool = 1 and channels = In. An add block has no kernel, channels = filters and width = 1. */
typedef struct xc_block {
    xc_block_kind kind;
    int32_t length;                 /* L, of the input */
    int32_t channels;               /* C; 4 for a motif block */
    int32_t width;                  /* K */
    int32_t pad_left;               /* zeros before position 0 */
    int32_t conv_length;            /* Lc, positions after the linear part */
    int32_t filters;                /* F */
    int32_t pool;                   /* P, width and stride of the max pool; 1: none */
    int32_t pool_pad_left;          /* window j covers positions j P - pool_pad_left + [0, P), those that exist */
    int32_t out_length;             /* Lp */
    xc_activation_kind before_norm; /* XC_LINEAR or XC_RELU, between linear part (and bias) and batch norm */
    float norm_momentum; /* running = momentum running + (1 - momentum) batch; variances are biased, as in Keras */
    float norm_epsilon;
    float dropout;           /* rate in [0, 1); kept values are divided by 1 - rate, see xc_dropout_threshold */
    uint32_t dropout_stream; /* substream of XC_STREAM_DROPOUT: the block's number in the model */
    xc_precision precision;
    bool input_gradient; /* of a motif block: backward may be asked for dx; others always may */

    /* Offsets in floats within one trial's parameters (and gradients), XC_ABSENT when there is none. */
    size_t kernel; /* (K,C,F) */
    size_t bias;   /* (F) */
    size_t gamma;  /* (F); present together with beta exactly when the block has batch norm */
    size_t beta;   /* (F) */
    /* Offset in floats within one trial's running statistics: mean (F), then variance (F). */
    size_t running;
} xc_block;

/* Memory that a backend wants for one block. All are whole multiples of 64. */
typedef struct xc_block_memory {
    size_t saved;          /* bytes a trial: what forward keeps for backward; the backend's own business */
    size_t scratch;        /* bytes a call: contents are nobody's after the call; may be shared between blocks */
    size_t trial_scratch;  /* bytes a trial of the call: follow `scratch`, and are nobody's likewise */
    size_t thread_scratch; /* bytes a thread of the call's team, likewise */
} xc_block_memory;

/* Dropout keeps element e of the activation (position in (N,Lc,F)) of a trial when its 16-bit number is at least the
 * threshold. Eight elements share one Philox block: number e mod 8 (low half of word 0 first) of
 * xc_random(seed, XC_STREAM_DROPOUT, dropout_stream, step << 32 | e / 8). The rate is thereby rounded to 1/65536, and
 * kept values are multiplied by 65536 / (65536 - threshold). */
XC_DEVICE_INLINE uint32_t xc_dropout_threshold(float rate) { return (uint32_t)(rate * 65536.0f + 0.5f); }

/* The arguments of a block's forward and backward op. Pointers are in the backend's memory unless said otherwise;
 * (host) marks those that are read by the host part of the op. */
typedef struct xc_block_args {
    const xc_block *block; /* (host) */
    int32_t trials;        /* T */
    int32_t batch;         /* N of this call, at most the `batch` given to block_memory */
    int32_t training;      /* 1: batch statistics, dropout, running statistics updated; 0: running statistics */
    xc_team *team;         /* (host) threads that may share the work, whose number changes no result; NULL: alone */

    /* Input: a motif block reads dna and index; others x; an add block x and x_skip, both (T,N,Lc,F). */
    const xc_dna_view *dna; /* (host) struct whose pointers are in the backend's memory */
    const uint32_t *index;  /* (T,N) sequence numbers, with XC_REVERSE_COMPLEMENT */
    const float *x;         /* (T,N,L,C) */
    const float *x_skip;    /* (T,N,Lc,F), or NULL: nothing is added to x */

    /* Parameters and their gradients, trial t's at t * parameter_stride floats. */
    const float *parameters;
    float *gradients; /* NULL: those of the parameters are not wanted */
    size_t parameter_stride;
    float *running; /* batch norm's running mean and variance, trial t's at t * running_stride floats */
    size_t running_stride;

    const xc_activation *activation; /* (T) */
    const uint64_t *seed;            /* (T) dropout key */
    const uint64_t *step;            /* (T) number of this training step, from 0, below 2^32 */

    float *y;          /* (T,N,Lp,F) output of forward, `=`; read by backward */
    uint64_t *clipped; /* (T) how many activations the clip met, `+=` when training; may be NULL */

    /* Backward. */
    const float *dy;   /* (T,N,Lp,F) gradient of the loss at y */
    float *dx;         /* (T,N,L,C) gradient at x, or NULL; of a motif block: at its one-hot input (T,N,L,4) */
    float *dx_skip;    /* (T,N,Lc,F) of an add block */
    int32_t add_to_dx; /* 0: dx is written with `=`; 1: with `+=` (an input that two blocks read); dx_skip always `=` */
    /* R. 0: dy and dx are gradients. Otherwise (when not training, of a block without an activation before the norm)
     * the batch is groups of R + 1 rows, a sequence and its R references, and those of references are multipliers by
     * DeepLIFT's rescale rule, see below; a sequence's own dx is 0, its dy is not read, and `gradients` is NULL. */
    int32_t references;

    void *saved; /* trial t's at t * saved_stride bytes; from forward to backward of the same step */
    size_t saved_stride;
    void *scratch;        /* `scratch` bytes, then `trial_scratch` bytes for each trial */
    size_t scratch_bytes; /* `scratch`, as block_memory gave it */
    void *thread_scratch; /* thread i's at i * thread_scratch_stride bytes */
    size_t thread_scratch_stride;
} xc_block_args;

/* The rescale rule in backward, with v the activation's input of the sequence and u that of a reference, both after
 * batch norm, and a the activation: dv = dy (a(v) - a(u)) / (v - u), which is the slope where they are near. Through a
 * max pool the difference of the outputs is one position's: the sequence's winner where the sequence's output is the
 * larger, otherwise the reference's; so that the sum of dv (v - u) is the sum of dy times the difference of outputs.
 * Linear parts and batch norm have gradients for multipliers.
 * Sources: Shrikumar, Greenside, Kundaje 2017 (arXiv 1704.02685), section 3.5.2; pools: Lundberg & Lee's shap. */

/* Differences of v and u that are too small to divide by, in float: the slope half way between is taken instead. It is
 * right to the square of the distance where the function is smooth and the outputs' difference is its own, which it is
 * not when a pool has different winners in sequence and reference (`same` false). */
#define XC_RESCALE_LEAST 1e-6f
XC_DEVICE_INLINE float xc_rescale_near(xc_activation_kind kind, bool same) {
    if (!same) return XC_RESCALE_LEAST;
    switch (kind) {
        case XC_EXPONENTIAL:
        case XC_SIGMOID:
        case XC_TANH:
        case XC_SOFTPLUS:
        case XC_SHIFT_SIGMOID:
        case XC_SCALE_SIGMOID:
        case XC_SHIFT_SCALE_SIGMOID:
        case XC_SHIFT_TANH:
        case XC_SCALE_TANH:
        case XC_SHIFT_SCALE_TANH:
            return 1e-3f;
        default:
            return XC_RESCALE_LEAST;
    }
}

/* ---- paths between rows, for integrated gradients -------------------------------------------------------------- */

/* Rows stand in groups of R + 1, the sequence's and its references'. A pair is a reference with its sequence, counted
 * over all groups; a call does some of them. */
typedef struct xc_path_args {
    int32_t references;    /* R */
    int32_t first, pairs;  /* the pairs first .. first + pairs - 1 */
    int32_t steps;         /* S */
    size_t width;          /* E, floats of a row */
    const float *place;    /* (S) of each point: 0 at the reference, 1 at the sequence */
    const float *share;    /* (S) of each gradient in the sum */
    const float *ends;     /* (groups,R+1,E) */
    float *points;         /* (pairs,S,E) path_points: reference + place (sequence - reference), `=` */
    const float *gradient; /* (pairs,S,E) path_sum reads it */
    float *sum;            /* (groups,R+1,E) path_sum: sum of share times gradient, `=`, at the pairs' references */
} xc_path_args;

/* ---- windows of changed rows, for mutagenesis ------------------------------------------------------------------- */

/* Part of a tensor, after a max pool or without one, when some positions before the pool were computed anew: out = the
 * largest of each pooled window, in which changed positions stand for those that were, and zeros before the pooled
 * tensor's beginning and behind its end. */
typedef struct xc_splice_args {
    int32_t rows;                 /* V: one a change */
    int32_t length, channels;     /* L, C */
    const float *base;            /* (tensors,L,C) as it was, before the pool */
    const int32_t *which;         /* (V) tensor that each row is a change of */
    int32_t changed_length;       /* A */
    const float *changed;         /* (V,A,C) */
    const int32_t *changed_start; /* (V) position of the first changed; all A are within the tensor */
    int32_t pool, pool_pad_left;  /* as in xc_block; 1 and 0: none */
    int32_t pooled_length;        /* Lp */
    const float *pooled;          /* (tensors,Lp,C) as it was, after the pool; without one `base` again */
    int32_t out_length;           /* B */
    float *out;                   /* (V,B,C) `=` */
    const int32_t *out_start;     /* (V) position of the first after the pool, which may be before 0 */
} xc_splice_args;

/* ---- loss and step --------------------------------------------------------------------------------------------- */

/* X(ENUM, "name in configs"). All are means over batch and classes (softmax: over the batch). */
#define XC_LOSSES(X)                                                                                      \
    X(XC_LOSS_BINARY, "binary_crossentropy")   /* on logits: w_c (max(z,0) - z y + log(1 + exp(-|z|))) */ \
    X(XC_LOSS_SOFTMAX, "softmax_crossentropy") /* on logits: -sum_c w_c y_c log softmax(z)_c */           \
    X(XC_LOSS_SQUARED, "mean_squared_error")   /* w_c (z - y)^2 */

#define XC_LOSS_ENUM(name, word) name,
typedef enum xc_loss_kind { XC_LOSSES(XC_LOSS_ENUM) XC_LOSS_COUNT } xc_loss_kind;
#undef XC_LOSS_ENUM

typedef struct xc_loss_args {
    xc_loss_kind kind;
    int32_t trials, batch, classes;
    const float *logits;        /* (T,N,classes) */
    const float *labels;        /* (sequences,classes) of the data set */
    const uint32_t *index;      /* (T,N); the reverse complement bit is ignored */
    const float *class_weights; /* (classes) or NULL: all 1 */
    float *dlogits;             /* (T,N,classes) gradient of the mean loss, `=`; or NULL */
    double *loss;               /* (T) mean loss of the batch, `=` */
} xc_loss_args;

/* X(ENUM, "name in configs"). */
#define XC_OPTIMIZERS(X)                                                                                        \
    X(XC_ADAM, "adam") /* Keras' form: w -= lr sqrt(1 - b2^s) / (1 - b1^s) m / (sqrt(v) + epsilon), s from 1 */ \
    X(XC_SGD, "sgd")   /* m = momentum m - lr g; w += m */

#define XC_OPTIMIZER_ENUM(name, word) name,
typedef enum xc_optimizer_kind { XC_OPTIMIZERS(XC_OPTIMIZER_ENUM) XC_OPTIMIZER_COUNT } xc_optimizer_kind;
#undef XC_OPTIMIZER_ENUM

/* Part of the parameters with one L2 factor: the gradient of factor * sum w^2 is added. */
typedef struct xc_l2 {
    size_t offset, count;
    float factor;
} xc_l2;

/* One optimizer step for all trials; zeroes the gradients when it has used them, and counts the step. */
typedef struct xc_step_args {
    xc_optimizer_kind kind;
    int32_t trials;
    size_t parameter_count; /* of one trial */
    size_t parameter_stride;
    float *parameters;          /* (T,stride) */
    float *gradients;           /* (T,stride), zero afterwards */
    float *first_moment;        /* (T,stride) */
    float *second_moment;       /* (T,stride); unused by SGD */
    const float *learning_rate; /* (T) */
    uint64_t *step;             /* (T) number of this step, from 0; one more afterwards */
    float beta1, beta2, epsilon, momentum;
    const xc_l2 *l2; /* (l2_count), ascending, not overlapping */
    int32_t l2_count;
    xc_team *team; /* (host) as in xc_block_args */
} xc_step_args;

/* ---- the table ------------------------------------------------------------------------------------------------- */

typedef struct xc_backend xc_backend;
typedef struct xc_recording xc_recording;
typedef xc_status (*xc_block_op)(const xc_backend *backend, const xc_block_args *args, xc_error *error);

struct xc_backend {
    uint32_t version;        /* XC_BACKEND_VERSION */
    const char *name;        /* "cpu", "ref" */
    const char *description; /* for `expconv devices`: "AVX2 and FMA, chosen from baseline avx2 avx512" */
    void *context;
    bool host_memory; /* the backend's memory is the host's: pointers may be used on both sides, uploads avoided */

    /* Memory, zeroed, 64-byte aligned; NULL when there is none. */
    void *(*allocate)(const xc_backend *backend, size_t bytes);
    void (*release)(const xc_backend *backend, void *memory);
    void (*upload)(const xc_backend *backend, void *to, const void *from_host, size_t bytes);
    void (*download)(const xc_backend *backend, void *to_host, const void *from, size_t bytes);
    void (*copy)(const xc_backend *backend, void *to, const void *from, size_t bytes);
    void (*zero)(const xc_backend *backend, void *memory, size_t bytes);

    /* Bytes that could be allocated now; NULL where that is the host's business, which it is not with `send`. */
    size_t (*free_memory)(const xc_backend *backend);

    /* The next batch of every trial, without the host: index (T,N) = order[t * stride + *cursor + n], then *cursor +=
     * N; all in the backend's memory. */
    void (*take_batch)(const xc_backend *backend, const uint32_t *order, size_t stride, uint32_t *cursor,
                       int32_t trials, int32_t batch, uint32_t *index);

    /* Recordings; NULL where there are none. What this thread asks for between record and keep, ops, take_batch, copy
     * and zero, is kept instead of done; replay does it, as often as wanted, while what it points to is there. The same
     * ops, of the same shapes, must have been done once before. keep ends the recording also when it fails. */
    xc_status (*record)(const xc_backend *backend, xc_error *error);
    xc_status (*keep)(const xc_backend *backend, xc_recording **recording, xc_error *error);
    xc_status (*replay)(const xc_backend *backend, const xc_recording *recording, xc_error *error);
    void (*forget)(const xc_backend *backend, xc_recording *recording);

    /* Sends, which go on beside what is computed; NULL where memory is the host's. Staging is memory of the host that
     * is read while the host goes on (NULL: there is none); its contents stay until something that was asked for after
     * await_sent has been waited for. What a thread sends comes in its order, and waits for none of its ops.
     * await_sent, outside of recordings: what this thread asks for from now on comes after all that it has sent. */
    void *(*allocate_staging)(const xc_backend *backend, size_t bytes);
    void (*release_staging)(const xc_backend *backend, void *staging);
    void (*send)(const xc_backend *backend, void *to, const void *staging, size_t bytes);
    void (*await_sent)(const xc_backend *backend);

    void (*block_memory)(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory);

    /* The ops, in the order of kernels/ops.def. Thread safe: calls on different arguments may run at the same time. */
    xc_block_op motif_block_forward, motif_block_backward;
    xc_block_op conv_block_forward, conv_block_backward;
    xc_block_op dense_block_forward, dense_block_backward;
    xc_block_op add_block_forward, add_block_backward;
    xc_status (*loss)(const xc_backend *backend, const xc_loss_args *args, xc_error *error);
    xc_status (*step)(const xc_backend *backend, const xc_step_args *args, xc_error *error);
    xc_status (*path_points)(const xc_backend *backend, const xc_path_args *args, xc_error *error);
    xc_status (*path_sum)(const xc_backend *backend, const xc_path_args *args, xc_error *error);
    xc_status (*splice)(const xc_backend *backend, const xc_splice_args *args, xc_error *error);
};

/* The reference: plain C with double accumulators. Static; never fails. Defined in kernels/ref/backend.c. */
const xc_backend *xc_backend_reference(void);

/* The fast CPU backend: the best instruction set of this machine, or the one that $EXPCONV_ISA names (baseline, avx2,
 * avx512, or zen4, which mixes the last two); an unknown or unsupported one is an error. Static. Defined in
 * kernels/cpu/dispatch.c. */
xc_status xc_backend_cpu(const xc_backend **backend, xc_error *error);

/* ---- registry (host/backend) ----------------------------------------------------------------------------------- */

/* Opens the backend that `device` names: "auto", "cpu", "cuda" or "ref". "auto" takes the CPU, as long as the CUDA
 * backend has not been tried on hardware, and logs what it left aside and why. `devices` lists one line for everything
 * that could be used here, and why not. */
xc_status xc_backend_open(const char *device, const xc_backend **backend, xc_error *error);
void xc_backend_list(FILE *stream);

#ifdef __cplusplus
}
#endif
#endif

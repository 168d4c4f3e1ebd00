/* trial.h: one trial of one block, as the files of this folder hand it to each other: sizes, the caller's tensors, and
 * the pieces of saved and scratch memory. Also what those files offer each other.
 *
 * Rows of z are padded: to `columns` floats, a multiple of LANES, and by `gap` rows of zeros before and after each
 * sequence, so that no inner loop has a remainder and the input gradient may read beyond both ends.
 */
#ifndef EXPCONV_CPU_TRIAL_H
#define EXPCONV_CPU_TRIAL_H

#include "expconv/backend.h"
#include "spectral.h"
#include "vector.h"

/* What `route` holds where dropout's zero was the largest of a window. */
#define ROUTE_DROPPED 0xFFFFu

/* Rows that the tail works on at once, so that what one pass wrote the next finds in the first cache. */
#define STRIP_BYTES 8192
#define STRIP_ROWS 64

/* The motif block's own (motif.h). Rows of taps: (K,5), a tap's letters A C G T N. */
typedef struct cpu_motif {
    bool fused;  /* goes in one pass each way; z does not exist */
    bool paired; /* takes its statistics from pair counts: one pass, training, batch norm */

    /* Saved. */
    double *taps;    /* (K 5,Fs) kernel rows less the mean of their tap over the batch; N: less the mean */
    double *pull;    /* (K 5 up to 4,Fs) sum of z - mean over the positions where the tap reads the letter */
    double *counts;  /* (K,5) number of those positions */
    double *inverse; /* (Fs) 1 / sqrt(variance + epsilon); 1 without batch norm */

    /* Scratch. */
    double *factor; /* (Fs) and offset (Fs): u = factor (sum of taps) + offset */
    double *offset;
    float *reach;     /* (Fs) no |u| is larger */
    double *pairs;    /* (K 5,K 5 up to 4) number of positions where two taps read two letters */
    uint64_t *masks;  /* (2,4,words) a bit a position of all sequences, see motif_counts.c */
    uint64_t *edges;  /* (2,K,4,words) a bit a sequence, at either end */
    float *sums;      /* gradients of the tables' rows */
    double *response; /* (K 5,Fs) sum of the gradient over the positions where the tap reads the letter */
    double *dbeta;    /* (Fs) and dgamma (Fs) */
    double *dgamma;

    /* Scratch of one thread. */
    uint8_t *letters;  /* one sequence with what lies beyond its ends */
    uint64_t *shifted; /* (4,words) of masks */
    float *rows;       /* (Lc,Fs) dz of one sequence */
    float *turned;     /* (F,K 4) the kernel, and packed; with input_gradient alone */
    float *turned_panels;
    float *products; /* (Lc,K 4 up to a multiple of LANES) */
} cpu_motif;

/* The input gradient from winners alone (winners.c). A slice: some vectors of channels. */
typedef struct cpu_winners {
    float *kernel; /* (slices,F,K,slice) of all threads; NULL: not done this way */

    /* Scratch of one thread. */
    float *sums;    /* (rows,slice) of dx, with what lies beyond its ends */
    uint64_t *bits; /* (Lc,words) of a sequence: bit f of a position, whether the winner of filter f stands there */
} cpu_winners;

typedef struct cpu_trial {
    const xc_block *block;
    size_t batch, length, channels, width, conv_length, filters, out_length; /* N L C K Lc F Lp */
    size_t columns; /* F, up to a multiple of LANES; written Fs in shapes */
    size_t gap;     /* rows of zeros around each sequence of z */
    bool training, norm;
    bool add_to_dx;
    size_t references; /* of the rescale rule; 0: gradients */
    xc_activation activation;
    uint64_t seed, step;
    xc_team *team; /* NULL: alone */

    const xc_dna_view *dna;
    const uint32_t *index; /* (N) */
    const float *x;        /* (N,L,C) */
    const float *x_skip;   /* (N,Lc,F) or NULL */
    const float *kernel;   /* (K,C,F) */
    const float *bias;     /* (F); this and below: NULL is what the block has not */
    const float *gamma;    /* (F) */
    const float *beta;     /* (F) */
    float *running;        /* (2,F) */
    float *dkernel;        /* (K,C,F); NULL where parameters' gradients are not wanted, and so the others */
    float *dbias;          /* (F) */
    float *dgamma, *dbeta; /* (F) */
    float *y;              /* (N,Lp,F) */
    const float *dy;       /* (N,Lp,F) */
    float *dx;             /* (N,L,C) */
    float *dx_skip;        /* (N,Lc,F) */
    uint64_t *clipped;     /* (1) */
    cpu_spectral spectral; /* of a convolution, with pieces of scratch */
    cpu_winners winners;
    cpu_motif motif;

    /* Saved. */
    float *z;         /* (gap + N (Lc + gap), Fs) input of batch norm; backward puts dz in its place */
    float *mean;      /* (Fs) that batch norm used; 0 without */
    float *inverse;   /* (Fs) 1 / sqrt(variance + epsilon); 1 without */
    float *peak;      /* (N,Lp,Fs) z at the winner; pool > 1 only */
    uint16_t *route;  /* (N,Lp,Fs) place of the winner from the window's first position; pool > 1 only */
    uint16_t *codes;  /* (N, code count) the motif block's table rows, see motif_codes.c */
    uint8_t *dropped; /* (N Lc F / 8) bit e: element e is dropped; in scratch when pool > 1; NULL: no dropout */

    /* Scratch. */
    float *scale; /* (Fs) gamma inverse: u = (z - mean) scale + shift */
    float *shift; /* (Fs) beta */
    float *start; /* (Fs) bias, what sums begin with */
    float *slope; /* (Fs) and level (Fs), of the gradient: see tail_rows.c */
    float *level;
    double *sums;         /* (2,Fs) */
    double *partial_sums; /* (ranges,2,Fs) what `sums` is made of */
    double *bias_sums;    /* (N,Fs) sums of dz over each sequence; NULL without bias */
    size_t strip_rows;    /* rows of Fs floats that a strip holds */
    float *panels;        /* packed kernel, see gemm.h; the motif block's tables */
    float *padded;        /* a chunk of x with its zeros, see conv.c */
    float *gathered;      /* (rows of a gradient chunk, OUTER_COLUMNS), see gemm.h */
    float *du;            /* (N,Lp,Fs) gradient at the winners' inputs of the activation */

    /* Scratch of one thread, see xc_cpu_each_range. */
    unsigned char *thread_scratch; /* (threads, thread_stride) of all */
    size_t thread_stride;
    float *strip; /* (5, STRIP floats) */
    float *keys;  /* (P,Fs) activations of one window where they are not monotone */
} cpu_trial;

/* Batch norm of one vector of columns. Centred first: where the variance is nearly 0, z - mean is exact and a product
 * with the mean would not be. */
typedef struct cpu_normaliser {
    vfloat mean, scale, shift;
} cpu_normaliser;

INLINE cpu_normaliser cpu_normaliser_of(const cpu_trial *b, size_t f) {
    return (cpu_normaliser){v_load(b->mean + f), v_load(b->scale + f), v_load(b->shift + f)};
}

INLINE vfloat cpu_normalised(const cpu_normaliser *by, vfloat z) { return (z - by->mean) * by->scale + by->shift; }

/* Row l of sequence n of z. */
INLINE float *cpu_z_row(const cpu_trial *b, size_t n, size_t l) {
    return b->z + (b->gap + n * (b->conv_length + b->gap) + l) * b->columns;
}

/* What dropout multiplies kept values by. */
INLINE float cpu_keep_factor(const cpu_trial *b) {
    return b->dropped ? 65536.0f / (65536.0f - (float)xc_dropout_threshold(b->block->dropout)) : 1;
}

/* ---- chunks: as many sequences as the second cache holds --------------------------------------------------------- */

/* Sequences of `rows` rows of `row_floats` floats; at least 1. */
INLINE size_t cpu_chunk(const cpu_trial *b, size_t rows, size_t row_floats) {
    const size_t fit = ((size_t)160 << 10) / (rows * row_floats * sizeof(float));
    return fit < 1 ? 1 : fit < b->batch ? fit : b->batch;
}

/* The fewest sequences whose bits of dropout are whole bytes: what threads share is a multiple of it. */
INLINE size_t cpu_byte_unit(const cpu_trial *b) {
    size_t unit = 1;
    while (unit * b->conv_length * b->filters % 8 != 0) unit *= 2;
    return unit;
}

/* What the threads of a team take one after another, and what partial sums are over: as many sequences as make
 * RANGE_ROWS rows. */
#define RANGE_ROWS 128
INLINE size_t cpu_range(const cpu_trial *b) {
    return round_up((RANGE_ROWS + b->conv_length - 1) / b->conv_length, cpu_byte_unit(b));
}
INLINE size_t cpu_ranges(const cpu_trial *b) { return (b->batch + cpu_range(b) - 1) / cpu_range(b); }

/* Whether a convolution reads beyond the ends of a sequence. */
INLINE bool cpu_needs_zeros(const cpu_trial *b) {
    return b->block->pad_left > 0 || b->conv_length + b->gap - (size_t)b->block->pad_left > b->length;
}

/* A dense layer needs no borders and no chunks: its rows are one sequence of N. */
INLINE bool cpu_is_flat(const cpu_trial *b) {
    return b->gap == 0 && !cpu_needs_zeros(b) && b->length == b->conv_length;
}

INLINE size_t cpu_conv_chunk(const cpu_trial *b) {
    return cpu_is_flat(b) ? b->batch : cpu_chunk(b, b->conv_length + b->gap, b->channels);
}

/* Backward wants both x and dz of a chunk there, and the columns of dz that a tile reads in half of the first cache. */
INLINE size_t cpu_gradient_chunk(const cpu_trial *b) {
    const size_t fit = 16384 / (2 * VECTOR_BYTES) / b->conv_length, most = cpu_conv_chunk(b);
    if (cpu_is_flat(b)) return b->batch;
    return fit < 1 ? 1 : fit < most ? fit : most;
}

/* ---- what the files offer each other ----------------------------------------------------------------------------- */

/* layout.c: sizes, and a trial's pointers. */
#define xc_cpu_block_memory XC_ISA_NAME(xc_cpu_block_memory)
#define xc_cpu_load XC_ISA_NAME(xc_cpu_load)
#define xc_cpu_take_thread XC_ISA_NAME(xc_cpu_take_thread)
void xc_cpu_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory);
void xc_cpu_load(const xc_block_args *args, size_t trial, cpu_trial *b);
/* Gives this copy of a trial a thread's scratch; as loaded it has thread 0's. */
void xc_cpu_take_thread(cpu_trial *b, int thread);

/* motif.c: a whole block. conv.c, ops.c: the linear parts. Backward calls xc_cpu_tail_rows for the rows it is about to
 * read. */
#define xc_cpu_motif_forward XC_ISA_NAME(xc_cpu_motif_forward)
#define xc_cpu_motif_backward XC_ISA_NAME(xc_cpu_motif_backward)
#define xc_cpu_conv_forward XC_ISA_NAME(xc_cpu_conv_forward)
#define xc_cpu_conv_backward XC_ISA_NAME(xc_cpu_conv_backward)
void xc_cpu_motif_forward(cpu_trial *b);
void xc_cpu_motif_backward(cpu_trial *b);
void xc_cpu_conv_forward(cpu_trial *b);
void xc_cpu_conv_backward(cpu_trial *b);

/* winners.c: whether its way costs less by the block's shape, what it then wants, whether it is enough of what is asked
 * for, and dx, in the place of xc_cpu_conv_backward; xc_cpu_tail_rows is not called. */
#define xc_cpu_winners_pay XC_ISA_NAME(xc_cpu_winners_pay)
#define xc_cpu_winners_kernel_floats XC_ISA_NAME(xc_cpu_winners_kernel_floats)
#define xc_cpu_winners_sum_floats XC_ISA_NAME(xc_cpu_winners_sum_floats)
#define xc_cpu_winners_word_count XC_ISA_NAME(xc_cpu_winners_word_count)
#define xc_cpu_winners_suffice XC_ISA_NAME(xc_cpu_winners_suffice)
#define xc_cpu_winners_backward XC_ISA_NAME(xc_cpu_winners_backward)
bool xc_cpu_winners_pay(const cpu_trial *b);
size_t xc_cpu_winners_kernel_floats(const cpu_trial *b);
size_t xc_cpu_winners_sum_floats(const cpu_trial *b);
size_t xc_cpu_winners_word_count(const cpu_trial *b);
bool xc_cpu_winners_suffice(const cpu_trial *b);
void xc_cpu_winners_backward(cpu_trial *b);

/* ranges.c: work(b, first sequence, sequences, partial sums) of every range of the batch by the threads of the team,
 * each with its own strip and keys. */
typedef void cpu_range_work(cpu_trial *b, size_t first_sequence, size_t sequences, double *partial_sums);
#define xc_cpu_each_range XC_ISA_NAME(xc_cpu_each_range)
void xc_cpu_each_range(cpu_trial *b, cpu_range_work *work);

/* norm.c: batch statistics, then the constants of the normalisation. */
#define xc_cpu_norm_begin XC_ISA_NAME(xc_cpu_norm_begin)
#define xc_cpu_norm_range XC_ISA_NAME(xc_cpu_norm_range)
#define xc_cpu_norm_end XC_ISA_NAME(xc_cpu_norm_end)
#define xc_cpu_norm_constants XC_ISA_NAME(xc_cpu_norm_constants)
void xc_cpu_norm_begin(cpu_trial *b); /* what sums begin with */
/* When z of a range is there, once each, best while it is warm: activates it where that comes before the norm, and
 * takes its statistics. A cpu_range_work. */
void xc_cpu_norm_range(cpu_trial *b, size_t first_sequence, size_t sequences, double *partial_sums);
void xc_cpu_norm_end(cpu_trial *b); /* when all ranges are done */
void xc_cpu_norm_constants(cpu_trial *b);

/* tail_forward.c, tail_backward.c, tail_rows.c: batch norm, activation, dropout, pool. */
#define xc_cpu_tail_forward XC_ISA_NAME(xc_cpu_tail_forward)
#define xc_cpu_tail_begin XC_ISA_NAME(xc_cpu_tail_begin)
#define xc_cpu_tail_rows XC_ISA_NAME(xc_cpu_tail_rows)
#define xc_cpu_tail_end XC_ISA_NAME(xc_cpu_tail_end)
void xc_cpu_tail_forward(cpu_trial *b);
void xc_cpu_tail_begin(cpu_trial *b); /* dy to du, gradients of batch norm */
/* z to dz, each sequence once; threads may do so with some sequences each. */
void xc_cpu_tail_rows(const cpu_trial *b, size_t first_sequence, size_t sequences);
void xc_cpu_tail_end(cpu_trial *b); /* gradient of the bias */

/* rescale.c: in the place of tail_begin's work, of a range: dy to du. A cpu_range_work; the sums are 0. */
#define xc_cpu_rescale_range XC_ISA_NAME(xc_cpu_rescale_range)
void xc_cpu_rescale_range(cpu_trial *b, size_t first_sequence, size_t sequences, double *partial_sums);

/* activation.c: in place on `count` floats, a multiple of LANES. */
#define xc_cpu_activate XC_ISA_NAME(xc_cpu_activate)
#define xc_cpu_multiply_slope XC_ISA_NAME(xc_cpu_multiply_slope)
#define xc_cpu_is_monotone XC_ISA_NAME(xc_cpu_is_monotone)
void xc_cpu_activate(const xc_activation *activation, float *values, size_t count);
void xc_cpu_multiply_slope(const xc_activation *activation, const float *u, float *g, size_t count);
bool xc_cpu_is_monotone(const xc_activation *activation); /* never decreases, so the pool may choose before it */

/* dropout.c */
#define xc_cpu_dropout XC_ISA_NAME(xc_cpu_dropout)
/* Sets bit e of `dropped` where element first + e is dropped and clears it where that is kept, e < count; up to 7 bits
 * more, to whole bytes. `first` is a multiple of 8, the threshold above 0. */
void xc_cpu_dropout(uint8_t *dropped, size_t first, size_t count, uint32_t threshold, uint64_t seed, uint32_t stream,
                    uint64_t step);
INLINE size_t cpu_dropout_bytes(size_t count) { return (count + 7) / 8; }

/* Lanes whose bit of `word`, from bit 0 on, is not set. */
INLINE vint cpu_clear_bits(uint32_t word) {
    vint bit;
    for (int i = 0; i < LANES; i++) bit[i] = 1 << i;
    return (v_set_int((int32_t)word) & bit) == 0;
}

/* Of lanes e .. e + LANES - 1 of a row that has `left` elements from e on, those that are kept; beyond `left`,
 * anything. No byte is read that the row has no element in: the next row may be another thread's, which is writing it.
 */
INLINE vint cpu_kept(const uint8_t *dropped, size_t e, size_t left) {
    const uint8_t *at = dropped + e / 8;
    const size_t bits = e % 8 + (left < LANES ? left : LANES);
    uint32_t word = at[0];
    if (LANES == 8 && left > LANES) { /* the row goes on in the second byte: no branch in what is done most */
        word |= (uint32_t)at[1] << 8;
    } else {
        if (bits > 8) word |= (uint32_t)at[1] << 8;
        if (bits > 16) word |= (uint32_t)at[2] << 16;
    }
    return cpu_clear_bits(word >> e % 8);
}

/* The same where e is a multiple of 8 and so is the row's length. */
INLINE vint cpu_kept_bytes(const uint8_t *dropped, size_t e, size_t left) {
    uint32_t word = dropped[e / 8];
    if (LANES > 8 && left > 8) word |= (uint32_t)dropped[e / 8 + 1] << 8;
    return cpu_clear_bits(word);
}

/* loss.c, step.c, path.c, splice.c */
#define xc_cpu_loss XC_ISA_NAME(xc_cpu_loss)
#define xc_cpu_step XC_ISA_NAME(xc_cpu_step)
xc_status xc_cpu_loss(const xc_backend *backend, const xc_loss_args *args, xc_error *error);
xc_status xc_cpu_step(const xc_backend *backend, const xc_step_args *args, xc_error *error);
#define xc_cpu_path_points XC_ISA_NAME(xc_cpu_path_points)
#define xc_cpu_path_sum XC_ISA_NAME(xc_cpu_path_sum)
xc_status xc_cpu_path_points(const xc_backend *backend, const xc_path_args *args, xc_error *error);
xc_status xc_cpu_path_sum(const xc_backend *backend, const xc_path_args *args, xc_error *error);
#define xc_cpu_splice XC_ISA_NAME(xc_cpu_splice)
xc_status xc_cpu_splice(const xc_backend *backend, const xc_splice_args *args, xc_error *error);

#endif

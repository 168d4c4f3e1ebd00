/* motif_pairs.cuh: the first layer by pairs of taps, as its kernels in one pass share it. Two taps read two bases, each
 * of A C G T or nothing (N, or beyond the sequence's ends): 25 sums of two rows of the kernel, in a table in shared
 * memory, make one addition of two. A block has 32 filters, a lane each, so that a row of the table is read by a warp
 * without conflicts.
 */
#ifndef EXPCONV_CUDA_MOTIF_PAIRS_CUH
#define EXPCONV_CUDA_MOTIF_PAIRS_CUH

#include "activation.cuh"
#include "bases.cuh"
#include "dropout.cuh"

#define FILTERS 32
#define LETTERS 5                     /* A C G T, nothing */
#define PAIR_ROWS (LETTERS * LETTERS) /* of a table, for each pair of taps */
#define PAIR_FLOATS (PAIR_ROWS * FILTERS)

static __host__ __device__ inline int pair_count(const xc_block *block) { return (block->width + 1) / 2; }
static __host__ __device__ inline size_t table_floats(const xc_block *block) {
    return (size_t)pair_count(block) * PAIR_FLOATS;
}

/* Codes of a sequence: the offset, in floats, of the row that the pair of bases at each position has in a table; the
 * first is at position -pad_left. Even in number, so that two can be read at once wherever a sequence's begin. */
static __host__ __device__ inline int code_count(const xc_block *block) {
    return (block->conv_length + 2 * pair_count(block) + 8 + 7) / 8 * 8;
}

/* Fills in the codes of `sequences` sequences, from number `first` of the batch on. */
DEVICE void load_codes(const cuda_call *c, int t, int first, int sequences, uint16_t *codes) {
    const int count = code_count(&c->block), threads = (int)(blockDim.x * blockDim.y);
    const uint32_t *index = c->index + (size_t)t * (size_t)c->batch + (size_t)first; /* (N) */
    for (int i = (int)(threadIdx.y * blockDim.x + threadIdx.x); i < sequences * count; i += threads) {
        const int n = i / count, position = i - n * count - c->block.pad_left;
        const int one = base_at(&c->dna, index[n], position), two = base_at(&c->dna, index[n], position + 1);
        codes[i] = (uint16_t)((one * LETTERS + two) * FILTERS);
    }
}

/* Row (tap,base) of the kernel (K,4,F) for this lane's filter; nothing is 0, and so is what is beyond the last tap. */
DEVICE float kernel_row(const cuda_call *c, const float *kernel, int tap, int base, int f) {
    const bool exists = tap < c->block.width && base < XC_BASE_N && f < c->block.filters;
    return exists ? kernel[((size_t)tap * 4 + (size_t)base) * (size_t)c->block.filters + (size_t)f] : 0;
}

/* A filter's batch norm as factor and shift of the bare linear part: u = factor z + shift. */
typedef struct affine {
    float factor, shift;
} affine;

DEVICE affine affine_of(const cuda_call *c, int t, int f) {
    affine a = {1, 0};
    if (f >= c->block.filters) return a;
    a.shift = bias_of(c, t, f);
    if (!has_norm(c)) return a;
    const float *parameters = parameters_of(c, t);
    a.factor = parameters[c->block.gamma + f] * inverse_of(c, t)[f];
    a.shift = parameters[c->block.beta + f] + (a.shift - mean_of(c, t)[f]) * a.factor;
    return a;
}

/* The table (pairs,25,FILTERS) of this block's filters, times the norm's factor. */
DEVICE void load_table(const cuda_call *c, int t, float factor, float *table) {
    const float *kernel = parameters_of(c, t) + c->block.kernel; /* (K,4,F) */
    const int f = (int)(blockIdx.y * FILTERS + threadIdx.x), rows = pair_count(&c->block) * PAIR_ROWS;
    for (int row = (int)threadIdx.y; row < rows; row += (int)blockDim.y) {
        const int pair = row / PAIR_ROWS, letters = row - pair * PAIR_ROWS;
        const float one = kernel_row(c, kernel, 2 * pair, letters / LETTERS, f);
        const float two = kernel_row(c, kernel, 2 * pair + 1, letters % LETTERS, f);
        table[row * FILTERS + (int)threadIdx.x] = (one + two) * factor;
    }
}

/* What the pool sees of an element that dropout keeps; of others it sees 0. */
DEVICE float kept_value(const dropout *drop, const xc_activation *activation, float u) {
    return drop->factor * activation_value(activation, u);
}

/* What backward must know of a window is one number for each filter: in which part of the window the winner is, or, if
 * it was dropped, the number of parts. A part is cuda_motif_grain positions, counted from where the window begins, be
 * that before position 0: one position, but in wide pools, where backward looks for the winner within the part. The
 * number is recorded in (planes) words for 32 filters, plane p of which holds bit p of each filter's number. Kernels
 * are given what follows from the block's pool, for which they have no registers.
 */
typedef struct recording {
    int grain, parts, planes;
    unsigned dropped;   /* grain * parts: in the place of an offset */
    uint32_t per_grain; /* 2^31 / grain, rounded up: exact for offsets of a pool that is at most CUDA_MOST_POOL */
} recording;

static inline recording recording_of(const xc_block *block) {
    const int grain = cuda_motif_grain(block), parts = (block->pool + grain - 1) / grain;
    const uint32_t one = 1u << 31, each = (uint32_t)grain;
    recording r = {grain, parts, 0, (unsigned)(parts * grain), (one + each - 1) / each};
    while ((1 << r.planes) < parts + (xc_dropout_threshold(block->dropout) > 0)) r.planes++;
    return r;
}

/* The record of window number `window` of (N Lp), for this block's filters. */
DEVICE uint32_t *record_of(const cuda_call *c, const recording *r, int t, size_t window) {
    uint32_t *records = (uint32_t *)(saved_of(c, t) + c->at.record); /* (N,Lp,ceil(F/32),planes) */
    return records + (window * gridDim.y + blockIdx.y) * (size_t)r->planes;
}

static inline int group_count(const xc_block *block) { return (block->filters + FILTERS - 1) / FILTERS; }

/* Sequences of the batch that one block does, so that it has about `positions` of them, at most the batch. */
static inline int sequences_each(int32_t batch, int32_t length, int positions) {
    const int each = positions / length < 1 ? 1 : positions / length;
    return each < batch ? each : batch;
}

#endif

/* motif_statistics.cu: mean and variance of the first layer over the batch without computing the layer, from counts of
 * bases and of pairs of bases. With x the one-hot input of all taps, s = sum x and G = sum x x^T over all positions of
 * the batch, mean = w s / n and variance = w (G / n - s s^T / n^2) w. A block does one trial: it counts, by popcounts
 * of a mask for each base, as whole numbers, then centres and multiplies in double.
 *
 * G of taps k and k + d is the count of pairs of bases at distance d over the positions that tap k reads: those of tap
 * 0, and one position less at one end and more at the other with each tap. So one pass of popcounts serves all k.
 *
 * Backward needs slope = (G w - s (s w) / n) / n, which the variance is made from, and s / n: they are kept.
 */
#include "bases.cuh"

#define THREADS 512
#define WARPS (THREADS / 32)
#define FILTERS 32
#define TOGETHER 4 /* filters of a thread */

/* Places of the counts: (d,k) in a triangle, (16) pairs of bases each. */
static __host__ __device__ inline int pair_places(int width) { return width * (width + 1) / 2; }
DEVICE int place_of(int width, int distance, int tap) { return distance * width - distance * (distance - 1) / 2 + tap; }

/* Words of a mask, with one more so that a shifted read stays within. */
static __host__ __device__ inline int mask_words(const xc_block *block) { return (block->length + 31) / 32 + 1; }

static size_t shared_bytes(const xc_block *block) {
    const size_t rows = (size_t)block->width * 4;
    return rows * 2 * FILTERS * sizeof(double) + (size_t)pair_places(block->width) * 16 * sizeof(int) +
           (size_t)WARPS * 4 * (size_t)mask_words(block) * sizeof(uint32_t);
}

size_t cuda_motif_statistics_shared(const xc_block *block) { return shared_bytes(block); }

/* ---- counting ---------------------------------------------------------------------------------------------------- */

/* Masks (4,words) of a sequence: bit i of base b's is whether it stands at position i. All lanes of a warp call it. */
DEVICE void make_masks(const cuda_call *c, uint32_t index, int words, uint32_t *masks) {
    const int lane = (int)threadIdx.x % 32;
    __syncwarp();
    for (int word = 0; word < words; word++) {
        const int base = base_at(&c->dna, index, word * 32 + lane);
#pragma unroll
        for (int b = 0; b < 4; b++) {
            const uint32_t mask = __ballot_sync(ALL_LANES, base == b);
            if (lane == b) masks[b * words + word] = mask;
        }
    }
    __syncwarp();
}

/* Bits first .. last - 1 of word number `word` of a mask. */
DEVICE uint32_t bits_within(int word, int first, int last) {
    const int from = first - word * 32, to = last - word * 32;
    if (to <= 0 || from >= 32) return 0;
    const uint32_t above = from > 0 ? ~0u << from : ~0u, below = to < 32 ? (1u << to) - 1 : ~0u;
    return above & below;
}

/* A mask from bit 32 `word` + `shift` on; what is beyond its last word is 0. */
DEVICE uint32_t shifted_word(const uint32_t *mask, int words, int word, int shift) {
    const int at = word + shift / 32, by = shift % 32;
    const uint32_t low = at < words ? mask[at] : 0, high = at + 1 < words ? mask[at + 1] : 0;
    return by == 0 ? low : low >> by | high << (32 - by);
}

/* Counts the pairs at `distance` whose first base stands at positions first .. last - 1. */
DEVICE void count_pairs(const uint32_t *masks, int words, int distance, int first, int last, int *counts) {
    int sums[16] = {};
    for (int word = 0; word < words; word++) {
        const uint32_t within = bits_within(word, first, last);
        if (within == 0) continue;
#pragma unroll
        for (int two = 0; two < 4; two++) {
            const uint32_t second = shifted_word(masks + two * words, words, word, distance) & within;
#pragma unroll
            for (int one = 0; one < 4; one++) sums[one * 4 + two] += __popc(masks[one * words + word] & second);
        }
    }
#pragma unroll
    for (int i = 0; i < 16; i++)
        if (sums[i] > 0) atomicAdd(&counts[i], sums[i]);
}

DEVICE int letter_at(const uint32_t *masks, int words, int position) {
    if (position < 0 || position >= words * 32) return XC_BASE_N;
    for (int b = 0; b < 4; b++)
        if (masks[b * words + position / 32] >> (position % 32) & 1) return b;
    return XC_BASE_N;
}

/* Adds `sign` for the pair at `position`, if both bases are there. */
DEVICE void count_edge(const uint32_t *masks, int words, int distance, int position, int sign, int *counts) {
    const int one = letter_at(masks, words, position), two = letter_at(masks, words, position + distance);
    if (one < XC_BASE_N && two < XC_BASE_N) atomicAdd(&counts[one * 4 + two], sign);
}

/* Adds one sequence to the counts: tap 0's, and of each further tap what changes from the one before it. A lane has a
 * distance. Whole numbers: in which order they are added does not matter. */
DEVICE void count_sequence(const cuda_call *c, const uint32_t *masks, int words, int *counts) {
    const xc_block *block = &c->block;
    const int width = block->width, distance = (int)threadIdx.x % 32, begin = -block->pad_left;
    if (distance >= width) return;
    count_pairs(masks, words, distance, begin, begin + block->conv_length, counts + place_of(width, distance, 0) * 16);
    for (int tap = 1; tap < width - distance; tap++) {
        int *change = counts + place_of(width, distance, tap) * 16;
        count_edge(masks, words, distance, begin + tap - 1, -1, change);
        count_edge(masks, words, distance, begin + tap - 1 + block->conv_length, 1, change);
    }
}

DEVICE void count_batch(const cuda_call *c, int t, uint32_t *masks, int *counts) {
    const int warp = (int)threadIdx.x / 32, words = mask_words(&c->block), width = c->block.width;
    for (int i = (int)threadIdx.x; i < pair_places(width) * 16; i += THREADS) counts[i] = 0;
    __syncthreads();
    for (int n = warp; n < c->batch; n += WARPS) {
        uint32_t *own = masks + warp * 4 * words;
        make_masks(c, c->index[(size_t)t * (size_t)c->batch + (size_t)n], words, own);
        count_sequence(c, own, words, counts);
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < width * 16; i += THREADS) { /* a distance and a pair of bases: sums over taps */
        const int distance = i / 16;
        for (int tap = 1; tap < width - distance; tap++)
            counts[place_of(width, distance, tap) * 16 + i % 16] +=
                counts[place_of(width, distance, tap - 1) * 16 + i % 16];
    }
    __syncthreads();
}

/* G of rows a = 4 k + b and a', from the counts. */
DEVICE int pair_sum(const int *counts, int width, int a, int other) {
    const int k = a / 4, m = other / 4;
    return k <= m ? counts[place_of(width, m - k, k) * 16 + a % 4 * 4 + other % 4]
                  : counts[place_of(width, k - m, m) * 16 + other % 4 * 4 + a % 4];
}
DEVICE int base_sum(const int *counts, int width, int a) { return pair_sum(counts, width, a, a); }

/* ---- mean and variance ------------------------------------------------------------------------------------------- */

/* (G w - s (s w) / n) / n of one row and TOGETHER filters. */
DEVICE void centred_product(const cuda_call *c, const int *counts, const double *kernel, int a, double *product) {
    const int width = c->block.width;
    const double n = c->rows, mine = base_sum(counts, width, a) / n;
#pragma unroll
    for (int i = 0; i < TOGETHER; i++) product[i] = 0;
    for (int other = 0; other < width * 4; other++) {
        const double centred = pair_sum(counts, width, a, other) / n - mine * (base_sum(counts, width, other) / n);
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) product[i] += centred * kernel[other * FILTERS + i];
    }
}

/* Filters from `first` on: kernel and products (4K,FILTERS) in shared memory, statistics out. */
DEVICE void finish_filters(const cuda_call *c, int t, int first, const int *counts, double *kernel, double *products) {
    const int rows = c->block.width * 4, filters = c->block.filters;
    const float *from = parameters_of(c, t) + c->block.kernel; /* (K,4,F) */
    float *slope = (float *)(saved_of(c, t) + c->at.slope);    /* (K,4,F) */
    for (int i = (int)threadIdx.x; i < rows * FILTERS; i += THREADS) {
        const int f = first + i % FILTERS;
        kernel[i] = f < filters ? from[(size_t)(i / FILTERS) * (size_t)filters + (size_t)f] : 0;
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < rows * (FILTERS / TOGETHER); i += THREADS) {
        const int a = i / (FILTERS / TOGETHER), column = i % (FILTERS / TOGETHER) * TOGETHER;
        double product[TOGETHER];
        centred_product(c, counts, kernel + column, a, product);
        for (int k = 0; k < TOGETHER; k++) {
            products[a * FILTERS + column + k] = product[k];
            if (first + column + k < filters)
                slope[(size_t)a * (size_t)filters + (size_t)(first + column + k)] = (float)product[k];
        }
    }
    __syncthreads();
    const int f = first + (int)threadIdx.x;
    if (threadIdx.x < FILTERS && f < filters) {
        double mean = bias_of(c, t, f), variance = 0;
        for (int a = 0; a < rows; a++) {
            mean += kernel[a * FILTERS + (int)threadIdx.x] * (base_sum(counts, c->block.width, a) / (double)c->rows);
            variance += kernel[a * FILTERS + (int)threadIdx.x] * products[a * FILTERS + (int)threadIdx.x];
        }
        finish_statistics(c, t, f, mean, variance < 0 ? 0 : variance); /* rounding; a NaN stays */
    }
    __syncthreads();
}

static __global__ void __launch_bounds__(THREADS) k_motif_statistics(cuda_call c) {
    XC_DYNAMIC_SHARED(double, kernel); /* (4K,FILTERS) */
    const int rows = c.block.width * 4, t = (int)blockIdx.x;
    double *products = kernel + rows * FILTERS;                               /* (4K,FILTERS) */
    int *counts = (int *)(products + rows * FILTERS);                         /* (pair_places,16) */
    uint32_t *masks = (uint32_t *)(counts + pair_places(c.block.width) * 16); /* (WARPS,4,words) */
    float *input = (float *)(saved_of(&c, t) + c.at.input);                   /* (K,4) */
    count_batch(&c, t, masks, counts);
    for (int a = (int)threadIdx.x; a < rows; a += THREADS)
        input[a] = (float)(base_sum(counts, c.block.width, a) / (double)c.rows);
    for (int first = 0; first < c.block.filters; first += FILTERS)
        finish_filters(&c, t, first, counts, kernel, products);
}

void cuda_motif_statistics(const cuda_call *call, cudaStream_t stream) {
    const size_t shared = shared_bytes(&call->block);
    allow_shared((const void *)k_motif_statistics, shared);
    XC_LAUNCH(k_motif_statistics, (unsigned)call->trials, THREADS, shared, stream, *call);
}

/* columns.cuh: sums over the rows of (N,Lc,F), in two levels and always in the same order, so that neither the run nor
 * the number of trials changes a bit: a block of 32 filters by 8 groups of rows sums one chunk; one thread a filter
 * then adds the chunks (partial_of). In double: squares beside a large mean lose nothing that z, a float, has.
 */
#ifndef EXPCONV_CUDA_COLUMNS_CUH
#define EXPCONV_CUDA_COLUMNS_CUH

#include "place.cuh"

#define COLUMNS 32
#define GROUPS 8

static inline dim3 chunk_grid(const cuda_call *call) {
    return dim3((unsigned)call->chunks, blocks_for((size_t)call->block.filters, COLUMNS), (unsigned)call->trials);
}
static inline dim3 filter_grid(const cuda_call *call) {
    return dim3(blocks_for((size_t)call->block.filters, COLUMNS), 1, (unsigned)call->trials);
}

/* The filter and the trial of this thread, and its first row and where its chunk ends. */
DEVICE int chunk_filter(void) { return (int)(blockIdx.y * COLUMNS + threadIdx.x); }
DEVICE int chunk_begin(void) { return (int)(blockIdx.x * CUDA_CHUNK + threadIdx.y); }
DEVICE int chunk_end(const cuda_call *c) {
    const int end = (int)(blockIdx.x + 1) * CUDA_CHUNK;
    return end < c->rows ? end : c->rows;
}

/* Adds what the groups give and stores the chunk's two sums. All threads of the block call it. */
DEVICE void store_chunk(const cuda_call *c, int t, double first, double second) {
    XC_SHARED(double, sums, [2][GROUPS][COLUMNS]);
    const int f = chunk_filter();
    sums[0][threadIdx.y][threadIdx.x] = first;
    sums[1][threadIdx.y][threadIdx.x] = second;
    __syncthreads();
    if (threadIdx.y < 2 && f < c->block.filters) {
        double sum = 0;
        for (int g = 0; g < GROUPS; g++) sum += sums[threadIdx.y][g][threadIdx.x];
        partial_of(c, t)[((size_t)blockIdx.x * 2 + threadIdx.y) * (size_t)c->block.filters + f] = sum;
    }
}

/* Sum number `which` of all chunks, of filter f. */
DEVICE double add_chunks(const cuda_call *c, int t, int which, int f) {
    const double *partial = partial_of(c, t); /* (chunks,2,F) */
    double sum = 0;
    for (int chunk = 0; chunk < c->chunks; chunk++)
        sum += partial[((size_t)chunk * 2 + (size_t)which) * (size_t)c->block.filters + f];
    return sum;
}

#endif

/* columns.cuh: two sums for every filter over rows of (rows,F), in two levels and always in the same order: a block of
 * 32 filters by 8 groups of rows sums one chunk; the block that comes last adds the chunks. In double: squares beside a
 * large mean lose nothing that a float has.
 */
#ifndef EXPCONV_CUDA_COLUMNS_CUH
#define EXPCONV_CUDA_COLUMNS_CUH

#include "last_block.cuh"

#define COLUMNS 32
#define GROUPS 8

static inline dim3 chunk_grid(const cuda_call *call, size_t rows) {
    return dim3(blocks_for(rows, CUDA_CHUNK), blocks_for((size_t)call->block.filters, COLUMNS), (unsigned)call->trials);
}

/* This thread's filter, its first row, and where its chunk ends. */
DEVICE int chunk_filter(void) { return (int)(blockIdx.y * COLUMNS + threadIdx.x); }
DEVICE int chunk_begin(void) { return (int)(blockIdx.x * CUDA_CHUNK + threadIdx.y); }
DEVICE int chunk_end(int rows) {
    const int end = (int)(blockIdx.x + 1) * CUDA_CHUNK;
    return end < rows ? end : rows;
}

/* Where chunk `chunk`'s sum number `which` of filter f stands. */
DEVICE double *part_of(const cuda_call *c, int t, int chunk, int which, int f) {
    return partial_of(c, t) + ((size_t)chunk * 2 + (size_t)which) * (size_t)c->block.filters + (size_t)f;
}

/* Adds up what all threads give. True in the threads of one row of the block that comes last, with the filter's sums
 * over all chunks. All threads of the block call it, of a grid as chunk_grid makes it. */
DEVICE bool add_columns(const cuda_call *c, int t, double *first, double *second) {
    XC_SHARED(double, sums, [2][GROUPS][COLUMNS]);
    const int f = chunk_filter(), chunks = (int)gridDim.x;
    sums[0][threadIdx.y][threadIdx.x] = *first;
    sums[1][threadIdx.y][threadIdx.x] = *second;
    __syncthreads();
    if (threadIdx.y < 2 && f < c->block.filters) {
        double sum = 0;
        for (int g = 0; g < GROUPS; g++) sum += sums[threadIdx.y][g][threadIdx.x];
        *part_of(c, t, (int)blockIdx.x, (int)threadIdx.y, f) = sum;
    }
    if (!is_last_block(&c->counters[(size_t)t * gridDim.y + blockIdx.y], gridDim.x)) return false;
    if (threadIdx.y > 0 || f >= c->block.filters) return false;
    *first = *second = 0;
    for (int chunk = 0; chunk < chunks; chunk++) {
        *first += load_part(part_of(c, t, chunk, 0, f));
        *second += load_part(part_of(c, t, chunk, 1, f));
    }
    return true;
}

#endif

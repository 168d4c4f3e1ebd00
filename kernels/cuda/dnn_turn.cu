/* dnn_turn.cu: turns a kernel (K,C,F) to (F,K,C) and its gradient back, as matrices of K C rows and F columns: a block
 * takes a tile through shared memory, so that it is read and written along rows. The tile's odd width keeps its columns
 * in different banks.
 */
#include "dnn_turn.h"

#include "place.cuh"

enum { TILE = 32, LINES = 8 }; /* a block: TILE threads in each of LINES rows, which go over the tile */

/* to (columns,rows) = from (rows,columns), turned. */
static __global__ void __launch_bounds__(TILE *LINES) k_dnn_turn(const float *from, float *to, int rows, int columns) {
    XC_SHARED(float, tile, [TILE][TILE + 1]);
    const int row = (int)blockIdx.y * TILE, column = (int)blockIdx.x * TILE, x = (int)threadIdx.x;
    for (int y = (int)threadIdx.y; y < TILE; y += LINES)
        if (row + y < rows && column + x < columns) tile[y][x] = from[(size_t)(row + y) * columns + column + x];
    __syncthreads();
    for (int y = (int)threadIdx.y; y < TILE; y += LINES)
        if (row + x < rows && column + y < columns) to[(size_t)(column + y) * rows + row + x] = tile[x][y];
}

/* to (rows,columns) += from (columns,rows), turned. */
static __global__ void __launch_bounds__(TILE *LINES)
    k_dnn_turn_and_add(const float *from, float *to, int rows, int columns) {
    XC_SHARED(float, tile, [TILE][TILE + 1]);
    const int row = (int)blockIdx.y * TILE, column = (int)blockIdx.x * TILE, x = (int)threadIdx.x;
    for (int y = (int)threadIdx.y; y < TILE; y += LINES)
        if (row + x < rows && column + y < columns) tile[x][y] = from[(size_t)(column + y) * rows + row + x];
    __syncthreads();
    for (int y = (int)threadIdx.y; y < TILE; y += LINES)
        if (row + y < rows && column + x < columns) to[(size_t)(row + y) * columns + column + x] += tile[y][x];
}

static int row_count(const cuda_convolution *shape) { return shape->width * shape->channels; }

static dim3 tile_grid(const cuda_convolution *shape) {
    return dim3(blocks_for((size_t)shape->filters, TILE), blocks_for((size_t)row_count(shape), TILE));
}

void cuda_dnn_turn(const cuda_convolution *shape, const float *kernel, float *turned, cudaStream_t stream) {
    XC_LAUNCH(k_dnn_turn, tile_grid(shape), dim3(TILE, LINES), 0, stream, kernel, turned, row_count(shape),
              shape->filters);
}

void cuda_dnn_turn_and_add(const cuda_convolution *shape, const float *turned, float *dkernel, cudaStream_t stream) {
    XC_LAUNCH(k_dnn_turn_and_add, tile_grid(shape), dim3(TILE, LINES), 0, stream, turned, dkernel, row_count(shape),
              shape->filters);
}

/* conv_forward.cu: z[n,l,f] = sum_k,c x[n, l + k - pad_left, c] kernel[k,c,f], and the batch's mean and variance of
 * each filter, which the block that comes last adds up from those of all tiles.
 */
#include "gather.cuh"
#include "last_block.cuh"

/* A thread's part of a tile's sums (TILE,PADDED_SUMS): half of one column. */
DEVICE int own_column(void) { return (int)threadIdx.x % TILE; }
DEVICE int own_half(void) { return (int)threadIdx.x / TILE; }

DEVICE double *tile_part(const cuda_call *c, int t, int tile, int which, int f) {
    return partial_of(c, t) + ((size_t)tile * 2 + (size_t)which) * (size_t)c->block.filters + (size_t)f;
}

/* Writes the tile to z; gives the sums of the thread's values and of their squares. */
DEVICE void write_z(const cuda_call *c, int t, const float *sums, double *sum, double *squares) {
    const int f = (int)blockIdx.y * TILE + own_column(), filters = c->block.filters;
    const float bias = f < filters ? bias_of(c, t, f) : 0;
    *sum = *squares = 0;
    for (int i = 0; f < filters && i < TILE / 2; i++) {
        const int in_tile = own_half() * (TILE / 2) + i, row = (int)blockIdx.x * TILE + in_tile;
        if (row >= c->rows) break;
        const float z = sums[in_tile * PADDED_SUMS + own_column()];
        const double value = before_norm(c, z, bias);
        z_of(c, t)[(size_t)row * (size_t)filters + (size_t)f] = z;
        *sum += value;
        *squares += value * value;
    }
}

/* A thread's sums to the statistics of its filter: both halves of the tile, then all tiles. */
DEVICE void add_statistics(const cuda_call *c, int t, double sum, double squares) {
    XC_SHARED(double, halves, [2][2][TILE]);
    const int column = own_column(), which = own_half(), f = (int)blockIdx.y * TILE + column;
    halves[0][own_half()][column] = sum;
    halves[1][own_half()][column] = squares;
    __syncthreads();
    const bool exists = f < c->block.filters;
    if (exists) *tile_part(c, t, (int)blockIdx.x, which, f) = halves[which][0][column] + halves[which][1][column];
    const bool last = is_last_block(&c->counters[(size_t)t * gridDim.y + blockIdx.y], gridDim.x);
    double total = 0;
    if (last && exists)
#pragma unroll 8
        for (int tile = 0; tile < (int)gridDim.x; tile++) total += load_part(tile_part(c, t, tile, which, f));
    halves[which][0][column] = total;
    __syncthreads();
    if (!last || !exists || which > 0) return;
    const double mean = halves[0][0][column] / c->rows, variance = halves[1][0][column] / c->rows - mean * mean;
    finish_statistics(c, t, f, mean, variance < 0 ? 0 : variance); /* rounding; a NaN stays */
}

template <xc_precision P, bool VECTOR>
static __global__ void __launch_bounds__(THREADS) k_conv_fwd(cuda_call c) {
    XC_SHARED_ALIGNED(float, shared, [PRODUCT_SHARED]);
    const int t = (int)blockIdx.z;
    const gathered input = input_of(&c, t);
    const float *kernel = parameters_of(&c, t) + c.block.kernel; /* (K,C,F) */
    span_rows<VECTOR> left(&input, (int)blockIdx.x * TILE);
    plain_columns<VECTOR> right(kernel, c.block.filters, (int)blockIdx.y * TILE);
    multiply_tiles<P>(left, right, 0, c.block.width * c.block.channels, shared);
    double sum, squares;
    write_z(&c, t, shared, &sum, &squares);
    if (has_norm(&c) && c.training) add_statistics(&c, t, sum, squares);
}

void cuda_conv_forward(const cuda_call *call, cudaStream_t stream) {
    const dim3 grid(blocks_for((size_t)call->rows, TILE), blocks_for((size_t)call->block.filters, TILE),
                    (unsigned)call->trials);
    LAUNCH_PRODUCT(k_conv_fwd, grid, stream, call);
}

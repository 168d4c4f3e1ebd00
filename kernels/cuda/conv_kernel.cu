/* conv_kernel.cu: dkernel[k,c,f] += sum_n,l x[n, l + k - pad_left, c] dz[n,l,f]. The sum over positions is long and the
 * result is small, so blocks share the positions of one tile, each a part; the one that comes last adds the parts.
 */
#include "gather.cuh"
#include "last_block.cuh"

static __host__ __device__ inline int kernel_rows(const xc_block *block) { return block->width * block->channels; }
static __host__ __device__ inline int part_count(const xc_block *block, int batch) {
    return (batch * block->conv_length + CUDA_SPLIT_ROWS - 1) / CUDA_SPLIT_ROWS;
}

size_t cuda_conv_scratch(const xc_block *block, int32_t batch) {
    const size_t parts = (size_t)part_count(block, batch);
    return parts > 1 ? parts * (size_t)kernel_rows(block) * (size_t)block->filters * sizeof(float) : 0;
}

size_t cuda_conv_counters(const xc_block *block) {
    return (size_t)blocks_for((size_t)kernel_rows(block), TILE) * (size_t)blocks_for((size_t)block->filters, TILE);
}

/* Element i of the block's tile: its place in (K C,F), or -1 beyond the last. */
DEVICE int tile_place(const cuda_call *c, int tile_row, int i) {
    const int row = tile_row * TILE + i / TILE, f = (int)blockIdx.y * TILE + i % TILE;
    return row < kernel_rows(&c->block) && f < c->block.filters ? row * c->block.filters + f : -1;
}

/* Grid x: parts, then tiles of rows. */
template <xc_precision P, bool VECTOR>
static __global__ void __launch_bounds__(THREADS) k_conv_bwd_kernel(cuda_call c) {
    XC_SHARED_ALIGNED(float, shared, [PRODUCT_SHARED]);
    const int t = (int)blockIdx.z, filters = c.block.filters, rows = kernel_rows(&c.block);
    const int parts = part_count(&c.block, c.batch), tile_row = (int)blockIdx.x / parts;
    const int part = (int)blockIdx.x - tile_row * parts, begin = part * CUDA_SPLIT_ROWS;
    const int end = begin + CUDA_SPLIT_ROWS < c.rows ? begin + CUDA_SPLIT_ROWS : c.rows;
    const size_t elements = (size_t)rows * (size_t)filters;
    const gathered input = input_of(&c, t);
    span_columns<VECTOR> left(&input, tile_row * TILE, rows);
    plain_columns<VECTOR> right(z_of(&c, t), filters, (int)blockIdx.y * TILE);
    multiply_tiles<P>(left, right, begin, end, shared);
    float *dkernel = gradients_of(&c, t) + c.block.kernel; /* (K,C,F) */
    float *partial = (float *)scratch_of(&c, t);           /* (parts,K,C,F) */
    for (int i = (int)threadIdx.x; i < TILE * TILE; i += THREADS) {
        const int place = tile_place(&c, tile_row, i);
        const float sum = shared[i / TILE * PADDED_SUMS + i % TILE];
        if (place < 0) continue;
        if (parts == 1)
            dkernel[place] += sum;
        else
            partial[(size_t)part * elements + (size_t)place] = sum;
    }
    if (parts == 1) return;
    const size_t tiles = (size_t)(gridDim.x / (unsigned)parts) * gridDim.y;
    const size_t tile = (size_t)tile_row * gridDim.y + blockIdx.y;
    if (!is_last_block(&c.counters[(size_t)t * tiles + tile], (unsigned)parts)) return;
    for (int i = (int)threadIdx.x; i < TILE * TILE; i += THREADS) {
        const int place = tile_place(&c, tile_row, i);
        float sum = 0;
        for (int p = 0; place >= 0 && p < parts; p++) sum += load_part(&partial[(size_t)p * elements + (size_t)place]);
        if (place >= 0) dkernel[place] += sum;
    }
}

void cuda_conv_kernel_gradient(const cuda_call *call, cudaStream_t stream) {
    const unsigned tiles = blocks_for((size_t)kernel_rows(&call->block), TILE);
    const dim3 grid(tiles * (unsigned)part_count(&call->block, call->batch),
                    blocks_for((size_t)call->block.filters, TILE), (unsigned)call->trials);
    LAUNCH_PRODUCT(k_conv_bwd_kernel, grid, stream, call);
}

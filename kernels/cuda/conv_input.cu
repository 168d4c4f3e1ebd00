/* conv_input.cu: dx[n,p,c] = sum_k,f dz[n, p + pad_left - k, f] kernel[k,c,f]: a convolution of dz with the kernel
 * turned round.
 */
#include "gather.cuh"

template <xc_precision P, bool VECTOR>
static __global__ void __launch_bounds__(THREADS) k_conv_bwd_input(cuda_call c) {
    XC_SHARED_ALIGNED(float, shared, [PRODUCT_SHARED]);
    const xc_block *b = &c.block;
    const int t = (int)blockIdx.z, rows = c.batch * b->length, first_column = (int)blockIdx.y * TILE;
    const gathered dz = {z_of(&c, t), c.batch, b->conv_length, b->filters, b->length, b->width - 1 - b->pad_left};
    span_rows<VECTOR> left(&dz, (int)blockIdx.x * TILE);
    turned_kernel<VECTOR> right(&c, parameters_of(&c, t) + b->kernel, first_column);
    multiply_tiles<P>(left, right, 0, b->width * b->filters, shared);
    float *dx = c.dx + (size_t)t * (size_t)rows * (size_t)b->channels; /* (N,L,C) */
    for (int i = (int)threadIdx.x; i < TILE * TILE; i += THREADS) {
        const int row = (int)blockIdx.x * TILE + i / TILE, channel = first_column + i % TILE;
        if (row >= rows || channel >= b->channels) continue;
        float *to = &dx[(size_t)row * (size_t)b->channels + (size_t)channel];
        const float sum = shared[i / TILE * PADDED_SUMS + i % TILE];
        *to = c.add_to_dx ? *to + sum : sum;
    }
}

void cuda_conv_input_gradient(const cuda_call *call, cudaStream_t stream) {
    const size_t rows = (size_t)call->batch * (size_t)call->block.length;
    const dim3 grid(blocks_for(rows, TILE), blocks_for((size_t)call->block.channels, TILE), (unsigned)call->trials);
    if (call->dx) LAUNCH_PRODUCT(k_conv_bwd_input, grid, stream, call);
}

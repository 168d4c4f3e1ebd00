/* norm.cu: the mean and deviation that batch norm uses, and its running ones. Formulas: kernels/ref/block.c.
 */
#include "columns.cuh"

/* The chunk's sums of z and of z^2. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS) k_norm_sums(cuda_call c) {
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = c.block.filters, end = chunk_end(&c);
    const float *z = z_of(&c, t); /* (N,Lc,F) */
    double sum = 0, squares = 0;
    for (int r = chunk_begin(); f < filters && r < end; r += GROUPS) {
        const double value = z[(size_t)r * filters + f];
        sum += value;
        squares += value * value;
    }
    store_chunk(&c, t, sum, squares);
}

/* A thread a filter: the chunks' sums, or the running statistics, to mean and inverse. */
static __global__ void k_norm_finish(cuda_call c) {
    const int t = (int)blockIdx.z, f = (int)(blockIdx.x * COLUMNS + threadIdx.x), filters = c.block.filters;
    if (f >= filters) return;
    float *running = c.running + (size_t)t * c.running_stride + c.block.running; /* (2,F) mean, variance */
    double mean = running[f], variance = running[filters + f];
    if (c.training) {
        const double momentum = c.block.norm_momentum, n = c.rows;
        mean = add_chunks(&c, t, 0, f) / n;
        variance = add_chunks(&c, t, 1, f) / n - mean * mean;
        if (variance < 0) variance = 0; /* rounding; a NaN stays */
        running[f] = (float)(momentum * running[f] + (1 - momentum) * mean);
        running[filters + f] = (float)(momentum * running[filters + f] + (1 - momentum) * variance);
    }
    mean_of(&c, t)[f] = (float)mean;
    inverse_of(&c, t)[f] = (float)(1 / sqrt(variance + (double)c.block.norm_epsilon));
}

void cuda_norm_forward(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(COLUMNS, GROUPS);
    if (call->block.gamma == XC_ABSENT) return;
    if (call->training) XC_LAUNCH(k_norm_sums, chunk_grid(call), block, 0, stream, *call);
    XC_LAUNCH(k_norm_finish, filter_grid(call), COLUMNS, 0, stream, *call);
}

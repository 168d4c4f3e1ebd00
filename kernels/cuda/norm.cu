/* norm.cu: the mean and deviation that batch norm uses, where no kernel before it has summed them. Formulas:
 * kernels/ref/block.c.
 */
#include "columns.cuh"

/* Sums of v and of v^2, where v is the linear part with bias and the activation before the norm. */
static __global__ void __launch_bounds__(COLUMNS *GROUPS, 4) k_norm_batch(cuda_call c) {
    const int t = (int)blockIdx.z, f = chunk_filter(), filters = c.block.filters, end = chunk_end(c.rows);
    const float *z = z_of(&c, t); /* (N,Lc,F) */
    const float bias = f < filters ? bias_of(&c, t, f) : 0;
    double sum = 0, squares = 0;
    for (int r = chunk_begin(); f < filters && r < end; r += GROUPS) {
        const double value = before_norm(&c, z[(size_t)r * (size_t)filters + (size_t)f], bias);
        sum += value;
        squares += value * value;
    }
    if (!add_columns(&c, t, &sum, &squares)) return;
    const double mean = sum / c.rows, variance = squares / c.rows - mean * mean;
    finish_statistics(&c, t, f, mean, variance < 0 ? 0 : variance); /* rounding; a NaN stays */
}

static __global__ void __launch_bounds__(COLUMNS) k_norm_running(cuda_call c) {
    const int t = (int)blockIdx.z, f = (int)(blockIdx.x * COLUMNS + threadIdx.x);
    if (f >= c.block.filters) return;
    const float *running = running_of(&c, t);
    mean_of(&c, t)[f] = running[f];
    inverse_of(&c, t)[f] = (float)(1 / sqrt((double)running[c.block.filters + f] + (double)c.block.norm_epsilon));
}

void cuda_norm_batch(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(COLUMNS, GROUPS);
    XC_LAUNCH(k_norm_batch, chunk_grid(call, (size_t)call->rows), block, 0, stream, *call);
}

void cuda_norm_running(const cuda_call *call, cudaStream_t stream) {
    const dim3 grid(blocks_for((size_t)call->block.filters, COLUMNS), 1, (unsigned)call->trials);
    XC_LAUNCH(k_norm_running, grid, COLUMNS, 0, stream, *call);
}

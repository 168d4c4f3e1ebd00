/* splice.cu: a window of a tensor some positions of which were computed anew. A thread has one float of the result.
 */
#include "place.cuh"

#define THREADS 256

/* Channel `channel` of row `row` at position `at` before the pool. */
static __device__ float value_at(const xc_splice_args &a, size_t row, int at, size_t channel) {
    const size_t channels = (size_t)a.channels;
    const int inside = at - a.changed_start[row];
    if (inside >= 0 && inside < a.changed_length)
        return a.changed[(row * (size_t)a.changed_length + (size_t)inside) * channels + channel];
    return a.base[((size_t)a.which[row] * (size_t)a.length + (size_t)at) * channels + channel];
}

static __global__ void __launch_bounds__(THREADS) k_splice(xc_splice_args a, size_t floats) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= floats) return;
    const size_t channels = (size_t)a.channels, window = (size_t)a.out_length * channels, row = i / window;
    const size_t channel = i % channels;
    const int j = a.out_start[row] + (int)(i % window / channels), start = j * a.pool - a.pool_pad_left;
    const int first = start < 0 ? 0 : start, end = start + a.pool < a.length ? start + a.pool : a.length;
    const int changed = a.changed_start[row];
    float value = 0;
    if (j >= 0 && j < a.pooled_length) {
        if (end <= changed || first >= changed + a.changed_length) {
            value = a.pooled[((size_t)a.which[row] * (size_t)a.pooled_length + (size_t)j) * channels + channel];
        } else {
            value = value_at(a, row, first, channel);
            for (int at = first + 1; at < end; at++) {
                const float other = value_at(a, row, at, channel);
                if (is_better(other, value, false)) value = other;
            }
        }
    }
    a.out[i] = value;
}

void cuda_splice(const xc_splice_args *args, cudaStream_t stream) {
    const size_t floats = (size_t)args->rows * (size_t)args->out_length * (size_t)args->channels;
    XC_LAUNCH(k_splice, blocks_for(floats, THREADS), THREADS, 0, stream, *args, floats);
}

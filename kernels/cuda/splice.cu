/* splice.cu: a window of a tensor some positions of which were computed anew. A thread has one float of the result.
 */
#include "place.cuh"

#define THREADS 256

static __global__ void __launch_bounds__(THREADS) k_splice(xc_splice_args a, size_t floats) {
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= floats) return;
    const size_t channels = (size_t)a.channels, window = (size_t)a.out_length * channels, row = i / window;
    const size_t channel = i % channels;
    const int at = a.out_start[row] + (int)(i % window / channels), inside = at - a.changed_start[row];
    float value = 0;
    if (at >= 0 && at < a.length && inside >= 0 && inside < a.changed_length)
        value = a.changed[(row * (size_t)a.changed_length + (size_t)inside) * channels + channel];
    else if (at >= 0 && at < a.length)
        value = a.base[((size_t)a.which[row] * (size_t)a.length + (size_t)at) * channels + channel];
    a.out[i] = value;
}

void cuda_splice(const xc_splice_args *args, cudaStream_t stream) {
    const size_t floats = (size_t)args->rows * (size_t)args->out_length * (size_t)args->channels;
    XC_LAUNCH(k_splice, blocks_for(floats, THREADS), THREADS, 0, stream, *args, floats);
}

/* batch.cu: the next batch of every trial, out of orders that lie in device memory: see take_batch in
 * expconv/backend.h.
 */
#include "last_block.cuh"

#define THREADS 128

static __global__ void __launch_bounds__(THREADS) k_take_batch(const uint32_t *order, size_t stride, uint32_t *cursor,
                                                               int32_t batch, uint32_t *index, unsigned *counters) {
    const size_t t = blockIdx.x;
    const uint32_t first = *cursor;
    for (int n = (int)threadIdx.x; n < batch; n += THREADS)
        index[t * (size_t)batch + n] = order[t * stride + first + n];
    if (is_last_block(counters, gridDim.x) && threadIdx.x == 0) *cursor = first + (uint32_t)batch;
}

void cuda_take_batch(const uint32_t *order, size_t stride, uint32_t *cursor, int32_t trials, int32_t batch,
                     uint32_t *index, unsigned *counters, cudaStream_t stream) {
    XC_LAUNCH(k_take_batch, (unsigned)trials, THREADS, 0, stream, order, stride, cursor, batch, index, counters);
}

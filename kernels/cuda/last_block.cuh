/* last_block.cuh: sums over blocks within one launch. Every block writes its part to device memory; the one that comes
 * last adds all parts, always in the same order. Which block that is does not matter, so neither the run nor the number
 * of trials changes a bit, and no launch is spent on the second level. Source: the threadFenceReduction sample of the
 * CUDA toolkit.
 */
#ifndef EXPCONV_CUDA_LAST_BLOCK_CUH
#define EXPCONV_CUDA_LAST_BLOCK_CUH

#include "place.cuh"

/* Whether this block is the last of `blocks` that come to `counter`, which is 0 before the launch and afterwards. What
 * the others wrote before they came can then be read, by load_part. All threads of the block call it. */
DEVICE bool is_last_block(unsigned *counter, unsigned blocks) {
    XC_SHARED(unsigned, number, [1]);
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        __threadfence();
        number[0] = atomicAdd(counter, 1u);
        if (number[0] == blocks - 1) *counter = 0;
        __threadfence();
    }
    __syncthreads();
    return number[0] == blocks - 1;
}

/* From the second level of cache: the first one of this multiprocessor may not know what other blocks wrote. */
template <typename T>
DEVICE T load_part(const T *at) {
    return __ldcg(at);
}

#endif

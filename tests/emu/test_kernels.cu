/* test_kernels.cu: see test_kernels.h. */
#include "test_kernels.h"

#include "../../kernels/cuda/kernel.h"

static __global__ void k_sums(test_fault fault, const float *in, float *out) {
    XC_SHARED(float, sum, [64]);
    const int i = threadIdx.x, at = blockIdx.x * 64 + i;
    sum[i + (fault == BEYOND_SHARED)] = in[at + (fault == BEYOND_DEVICE)];
    if (fault == OTHER_BARRIER && i < 32)
        __syncthreads();
    else if (fault != NO_BARRIER)
        __syncthreads();
    if (fault == HALF_AT_BARRIER && i >= 32) return;
    for (int half = 32; half > 0; half /= 2) {
        if (i < half) sum[i] += sum[i + half];
        __syncthreads();
    }
    if (i == 0) out[blockIdx.x] = fault == NOT_WRITTEN ? out[blockIdx.x] + sum[0] : sum[0];
    if (at == 0 && fault == BEYOND_PIECE) out[gridDim.x] = 1;
    if (at == 0 && fault == BEFORE_DEVICE) out[-1] = 1;
}

void test_sums(test_fault fault, const float *in, float *out, int blocks, cudaStream_t stream) {
    XC_LAUNCH(k_sums, blocks, 64, 0, stream, fault, in, out);
}

static __global__ void k_warps(test_fault fault, const int *in, int *out) {
    const int i = blockIdx.x * 64 + threadIdx.x, lane = threadIdx.x % 32;
    const unsigned mask = fault == OUTSIDE_MASK && lane == 5 ? 0xffffffdfu
                          : fault == SOURCE_OUTSIDE          ? 0x0000ffffu
                                                             : 0xffffffffu;
    int sum = in[i];
    if (fault == ENDED_LANE && lane == 7) return;
    if (fault == SOURCE_OUTSIDE && lane >= 16) return;
    if (fault != INACTIVE_LANE || lane < 16)
        for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
    __syncwarp();
    out[i] = sum;
}

void test_warps(test_fault fault, const int *in, int *out, int blocks, cudaStream_t stream) {
    XC_LAUNCH(k_warps, blocks, 64, 0, stream, fault, in, out);
}

static __global__ void k_warp_operations(unsigned *out) {
    const unsigned lane = threadIdx.x, all = 0xffffffffu;
    unsigned *own = out + lane * 16;
    own[0] = __shfl_sync(all, lane * 10, 3);
    own[1] = __shfl_sync(all, lane * 10, 3, 8);
    own[2] = __shfl_up_sync(all, lane, 1);
    own[3] = __shfl_down_sync(all, lane, 1);
    own[4] = __shfl_down_sync(all, lane, 2, 4);
    own[5] = __shfl_xor_sync(all, lane, 1);
    own[6] = __ballot_sync(all, lane % 3 == 0);
    own[7] = __any_sync(all, lane == 31);
    own[8] = __all_sync(all, lane < 31);
    own[9] = __reduce_add_sync(all, lane);
    own[10] = __reduce_max_sync(all, lane ^ 5);
    own[11] = __reduce_min_sync(all, lane + 7);
    own[12] = lane < 8 ? __shfl_xor_sync(0xffu, lane, 7) : 99;
    own[13] = (unsigned)__shfl_sync(all, lane * 1.5, 2);
    own[14] = (unsigned)__syncthreads_count(lane < 20);
    own[15] = (unsigned)__syncthreads_or(lane == 40);
}

void test_warp_operations(unsigned *out, cudaStream_t stream) { XC_LAUNCH(k_warp_operations, 1, 32, 0, stream, out); }

static __global__ void k_counts(int *counts) {
    const unsigned i = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    atomicAdd(&counts[0], 1);
    if (blockIdx.x == 1) atomicAdd(&counts[1], 1);
    if (i % 2 == 0) atomicAdd(&counts[2], 1);
}

void test_counts(int *counts, int blocks, int threads, cudaStream_t stream) {
    const dim3 block(threads / 4, 2, 2);
    XC_LAUNCH(k_counts, blocks, block, 0, stream, counts);
}

static __global__ void k_twice_and_one(int *values) { values[threadIdx.x] = values[threadIdx.x] * 2 + 1; }

void test_twice_and_one(int *values, cudaStream_t stream) { XC_LAUNCH(k_twice_and_one, 1, 256, 0, stream, values); }

static __global__ void k_dynamic(int *out, int bytes) {
    XC_DYNAMIC_SHARED(unsigned char, memory);
    for (int i = threadIdx.x; i < bytes; i += blockDim.x) memory[i] = (unsigned char)(i % 251);
    __syncthreads();
    if (threadIdx.x == 0) out[0] = memory[bytes - 1];
}

cudaError_t test_dynamic_opt_in(int bytes) {
    return cudaFuncSetAttribute((const void *)k_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}
void test_dynamic(int *out, int bytes, cudaStream_t stream) { XC_LAUNCH(k_dynamic, 1, 64, bytes, stream, out, bytes); }

static __device__ __noinline__ int deep(int *out, int depth) {
    volatile char frame[1024];
    frame[depth % 1024] = (char)depth;
    return depth == out[0] ? 0 : deep(out, depth + 1) + frame[depth % 1024];
}

static __global__ void k_deep(int *out) { out[1] = deep(out, 0); }

void test_deep(int *out, cudaStream_t stream) { XC_LAUNCH(k_deep, 1, 1, 0, stream, out); }

static __global__ void k_exchange(test_fault fault, const int *in, int *out) {
    XC_SHARED(int, values, [64]);
    const int i = threadIdx.x, at = blockIdx.x * 64 + i;
    values[i] = in[at];
    if (fault == SHUFFLE_FOR_SYNC)
        out[at] = __shfl_xor_sync(0xffffffffu, in[at], 1);
    else
        __syncwarp();
    out[at] = values[i ^ 1];
}

void test_exchange(test_fault fault, const int *in, int *out, int blocks, cudaStream_t stream) {
    XC_LAUNCH(k_exchange, blocks, 64, 0, stream, fault, in, out);
}

static __global__ void k_additions(test_fault fault, float *out) {
    if (threadIdx.x != 0) return;
    if (fault == PLAIN_ADDITION)
        out[0] += 1;
    else
        atomicAdd(&out[0], 1.0f);
}

void test_additions(test_fault fault, float *out, int blocks, cudaStream_t stream) {
    XC_LAUNCH(k_additions, blocks, 64, 0, stream, fault, out);
}

/* Whether this block is the last to come, for all its threads. */
static __device__ bool comes_last(test_fault fault, float sum, float *partial, unsigned *counter) {
    XC_SHARED(bool, last, [1]);
    if (threadIdx.x == 0) {
        unsigned before;
        *partial = sum;
        if (fault != NO_FENCE) __threadfence();
        if (fault == EARLY_FENCE) *partial = sum;
        if (fault == PLAIN_COUNT)
            before = (*counter)++;
        else
            before = atomicAdd(counter, 1u);
        last[0] = before == gridDim.x - 1;
    }
    __syncthreads();
    return last[0];
}

static __global__ void k_last(test_fault fault, const float *in, float *partial, unsigned *counter, float *out) {
    XC_SHARED(float, sum, [64]);
    const int i = threadIdx.x;
    sum[i] = in[blockIdx.x * 64 + i];
    __syncthreads();
    float own = 0;
    for (int j = 0; j < 64; j++) own += sum[j];
    if (!comes_last(fault, own, &partial[blockIdx.x], counter)) return;
    sum[i] = i < (int)gridDim.x ? partial[i] : 0;
    __syncthreads();
    if (i != 0) return;
    float all = 0;
    for (int j = 0; j < 64; j++) all += sum[j];
    out[0] = all;
    *counter = 0;
}

void test_last(test_fault fault, const float *in, float *partial, unsigned *counter, float *out, int blocks,
               cudaStream_t stream) {
    XC_LAUNCH(k_last, blocks, 64, 0, stream, fault, in, partial, counter, out);
}

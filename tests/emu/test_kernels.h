/* test_kernels.h: kernels that do right, and the same with a fault each, for test_emu.c and test_emu_faults.c.
 * What the faults are: faults.def. */
#ifndef EMU_TEST_KERNELS_H
#define EMU_TEST_KERNELS_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAULT(name, code, what, plain, address, thread) name,
typedef enum test_fault {
    RIGHT,
#include "faults.def"
    FAULT_COUNT
} test_fault;

/* out[block] = sum of the block's 64 inputs, by a tree in shared memory. in (blocks,64), out (blocks). */
void test_sums(test_fault fault, const float *in, float *out, int blocks, cudaStream_t stream);

/* out[i] = sum of the inputs of its warp, by shuffles. in, out (blocks,64). */
void test_warps(test_fault fault, const int *in, int *out, int blocks, cudaStream_t stream);

/* out[i] = what every warp operation makes of lanes 0 .. 31, 16 numbers a lane. out (32,16). */
void test_warp_operations(unsigned *out, cudaStream_t stream);

/* Each of `threads` threads in each block counts itself. counts (3): threads, of block number 1, of lanes of even
 * number. */
void test_counts(int *counts, int blocks, int threads, cudaStream_t stream);

/* values[i] = values[i] * 2 + 1. values (256). */
void test_twice_and_one(int *values, cudaStream_t stream);

/* Fills `bytes` of dynamic shared memory; out[0]: the last of them. */
cudaError_t test_dynamic_opt_in(int bytes); /* to more of it than 48 KB */
void test_dynamic(int *out, int bytes, cudaStream_t stream);

/* out[1] = 0, by a function that calls itself until it is as deep as out[0] says; negative: until its stack is full. */
void test_deep(int *out, cudaStream_t stream);

/* out[i] = in of the neighbouring lane, through shared memory. in, out (blocks,64). */
void test_exchange(test_fault fault, const int *in, int *out, int blocks, cudaStream_t stream);

/* out[0] += 1 for each block. */
void test_additions(test_fault fault, float *out, int blocks, cudaStream_t stream);

/* out[0] = sum of all inputs: blocks write their sums to partial, the last one adds them. in (blocks,64), partial
 * (blocks), counter (1), which is 0 before and after. */
void test_last(test_fault fault, const float *in, float *partial, unsigned *counter, float *out, int blocks,
               cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif

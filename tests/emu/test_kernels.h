/* test_kernels.h: kernels that do right, and the same with a fault each, for test_emu.c. */
#ifndef EMU_TEST_KERNELS_H
#define EMU_TEST_KERNELS_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum test_fault {
    RIGHT,
    NO_BARRIER,      /* sums: a thread reads what another has not written yet */
    BEYOND_SHARED,   /* sums: the last thread writes one element beyond */
    BEYOND_DEVICE,   /* sums: reads one element beyond the input */
    NOT_WRITTEN,     /* sums: adds to an output that nobody set */
    HALF_AT_BARRIER, /* sums: half of the threads end before it */
    OTHER_BARRIER,   /* sums: two halves at two lines */
    INACTIVE_LANE,   /* warps: a lane takes part whose neighbours do not */
    OUTSIDE_MASK,    /* warps: a lane that its own mask leaves out */
    SOURCE_OUTSIDE,  /* warps: a lane reads one that the mask leaves out */
    ENDED_LANE       /* warps: lanes wait for one that has ended */
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

/* Calls itself until its stack is full. */
void test_deep(int *out, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif

/* kernel.h: how .cu files launch kernels and declare shared memory, so that the same source is compiled by nvcc for a
 * GPU and by the C++ compiler for the emulated one (XC_EMULATED; tests/emu). Kernels keep to a few rules, which the
 * emulator proves: all threads of a block reach each barrier, at the same line; warp operations name all lanes that
 * take part; nothing returns before the last barrier.
 */
#ifndef EXPCONV_CUDA_KERNEL_H
#define EXPCONV_CUDA_KERNEL_H

#ifdef XC_EMULATED
#include "device.h"
#else
#include <cuda_runtime.h>

/* kernel over grid and block (dim3 or int), with `shared` bytes of dynamic shared memory a block, in a stream. */
#define XC_LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<grid, block, shared, stream>>>(__VA_ARGS__)

/* XC_SHARED(float, tile, [16][17]); declares float tile[16][17] for the block. One a line. */
#define XC_SHARED(type, name, dimensions) __shared__ type name dimensions
/* The same, aligned as matrices are that tensor cores load. */
#define XC_SHARED_ALIGNED(type, name, dimensions) __shared__ __align__(128) type name dimensions

/* The launch's dynamic shared memory as an array, aligned to 16 bytes. */
#define XC_DYNAMIC_SHARED(type, name)                                  \
    extern __shared__ __align__(16) unsigned char xc_dynamic_shared[]; \
    type *const name = (type *)xc_dynamic_shared
#endif

#endif

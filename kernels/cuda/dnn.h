/* dnn.h: the linear part of a convolution block by NVIDIA's cuDNN 9, for one trial a call; for large models, whose
 * convolutions fill the GPU on their own. In the engine's layouts, all float32:
 *
 *     z[n,l,f] = sum over k, c of x[n, l + k - pad_left, c] kernel[k,c,f]
 *     x (N,L,C), kernel (K,C,F), z (N,Lc,F); x is 0 outside of its L positions
 *
 * cuDNN is wanted neither by the program nor by the backend: where it is missing, or refuses a shape, the call that
 * opens or plans says so, and the engine's own kernels (conv_*.cu) do the same sums.
 */
#ifndef EXPCONV_CUDA_DNN_H
#define EXPCONV_CUDA_DNN_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expconv/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A convolution's shape: N, L, C, K, pad_left, Lc, F; and what it is computed in. */
typedef struct cuda_convolution {
    int32_t batch, length, channels, width, pad_left, conv_length, filters;
    xc_precision precision;
} cuda_convolution;

/* A handle to cuDNN for the device that was current when it was opened, and the plans made so far. Belongs to one
 * thread: nothing here is thread safe, but each thread may have its own. */
typedef struct cuda_dnn cuda_dnn;

/* Whether cuDNN can be asked at all: it pads both ends by the same number of positions, wants fewer than 2^31 elements
 * a tensor (its own limit), and bf16 products would need bf16 tensors. */
bool cuda_dnn_can(const cuda_convolution *shape);

/* *dnn is NULL on failure: XC_DEVICE where cuDNN or a GPU is missing, with a line that says which; XC_MEMORY. */
xc_status cuda_dnn_open(cuda_dnn **dnn, xc_error *error);

/* NULL is let pass. Waits for nothing: synchronize the streams first. */
void cuda_dnn_close(cuda_dnn *dnn);

/* Chooses how each of the three calls is done, once a shape, and gives the bytes of device memory that any of them
 * wants as workspace. The choice is among cuDNN's deterministic algorithms, so results are the same in each run on one
 * GPU and one version of cuDNN; XC_FP32 keeps to float32 products, XC_TF32 allows products of TF32. XC_DEVICE where
 * cuda_dnn_can says no, or where cuDNN has no such algorithm for the shape. */
xc_status cuda_dnn_plan(cuda_dnn *dnn, const cuda_convolution *shape, size_t *workspace_bytes, xc_error *error);

/* The three calls. All pointers are to device memory; tensors overlap neither each other nor the workspace, which is
 * aligned to 256 bytes. Work is put into `stream` and not waited for; the workspace may be used again by what comes
 * later in that stream. A shape that was not planned is planned first. Once planned, nothing is allocated and a capture
 * of the stream into a graph is legal (cuDNN loads its kernels when they are first wanted: run each call once before
 * the capture). XC_DEVICE where the workspace is too small, or where cuDNN or the launch fails. */

/* z (N,Lc,F) = from x (N,L,C), kernel (K,C,F). */
xc_status cuda_dnn_forward(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *kernel, float *z,
                           void *workspace, size_t bytes, cudaStream_t stream, xc_error *error);

/* dx (N,L,C) = or, with `add`, += from dz (N,Lc,F), kernel (K,C,F). */
xc_status cuda_dnn_input_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *dz, const float *kernel,
                                  float *dx, bool add, void *workspace, size_t bytes, cudaStream_t stream,
                                  xc_error *error);

/* dkernel (K,C,F) += from x (N,L,C), dz (N,Lc,F). */
xc_status cuda_dnn_kernel_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *dz,
                                   float *dkernel, void *workspace, size_t bytes, cudaStream_t stream, xc_error *error);

#ifdef __cplusplus
}
#endif
#endif

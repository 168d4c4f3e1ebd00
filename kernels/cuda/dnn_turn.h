/* dnn_turn.h: kernels between the engine's layout (K,C,F) and cuDNN's (F,K,C). The caller looks at the launch's status.
 */
#ifndef EXPCONV_CUDA_DNN_TURN_H
#define EXPCONV_CUDA_DNN_TURN_H

#include <cuda_runtime_api.h>

#include "dnn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* turned (F,K,C) = kernel (K,C,F). */
void cuda_dnn_turn(const cuda_convolution *shape, const float *kernel, float *turned, cudaStream_t stream);

/* dkernel (K,C,F) += turned (F,K,C). */
void cuda_dnn_turn_and_add(const cuda_convolution *shape, const float *turned, float *dkernel, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif

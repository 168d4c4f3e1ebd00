/* backend.h: what the host part of the CUDA backend shares: the device, its stream, and how a status becomes an error.
 */
#ifndef EXPCONV_CUDA_BACKEND_H
#define EXPCONV_CUDA_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>

#include "call.h"

/* The backend's one device. All work goes through one stream, so it is done in the order in which it is asked for. */
typedef struct cuda_device {
    char description[256];
    cudaStream_t stream;
    pthread_mutex_t step_lock; /* step_area, from its upload to the launch that reads it */
    cuda_step_area *step_area; /* on the device */
    atomic_int failed; /* cudaError_t of a memory function, which has no error to fill in; told by the next op */
} cuda_device;

static inline cuda_device *cuda_device_of(const xc_backend *backend) { return backend->context; }

/* XC_OK, or XC_DEVICE with a line that names the call, the code and what to do. */
xc_status cuda_check(cudaError_t code, const char *call, xc_error *error);
#define CUDA_CHECK(call) cuda_check(call, #call, error)

/* What the launches of this thread since the last look, or a memory function, left. */
xc_status cuda_check_launches(cuda_device *device, const char *op, xc_error *error);

void *cuda_allocate(const xc_backend *backend, size_t bytes);
void cuda_release(const xc_backend *backend, void *memory);
void cuda_upload(const xc_backend *backend, void *to, const void *from_host, size_t bytes);
void cuda_download(const xc_backend *backend, void *to_host, const void *from, size_t bytes);
void cuda_copy(const xc_backend *backend, void *to, const void *from, size_t bytes);
void cuda_zero(const xc_backend *backend, void *memory, size_t bytes);

void cuda_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory);
xc_status cuda_block_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error);
xc_status cuda_block_backward(const xc_backend *backend, const xc_block_args *args, xc_error *error);
xc_status cuda_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error);
xc_status cuda_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error);

/* The one function that the shared object exports; `version` is the caller's XC_BACKEND_VERSION. *backend is static.
 * Fails with XC_DEVICE where there is no GPU that can be used, and says why. Thread safe. */
__attribute__((visibility("default"))) xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend,
                                                                 xc_error *error);

#endif

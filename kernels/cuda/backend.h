/* backend.h: what the host part of the CUDA backend shares: the device, what each thread has on it, and how a status
 * becomes an error.
 */
#ifndef EXPCONV_CUDA_BACKEND_H
#define EXPCONV_CUDA_BACKEND_H

#include <stdatomic.h>

#include "blas.h"
#include "call.h"
#include "dnn.h"

/* The backend's one device. */
typedef struct cuda_device {
    char description[256];
    size_t shared_bytes; /* that a block may have when it asks for it */
    atomic_int failed;   /* cudaError_t of a memory function, which has no error to fill in; told by the next op */
    bool opened;
} cuda_device;

static inline cuda_device *cuda_device_of(const xc_backend *backend) { return backend->context; }

/* What a thread of the host has of the device: all that it asks for is done in the order in which it asks, but for what
 * it sends. */
typedef struct cuda_context {
    cudaStream_t stream;
    cudaStream_t sends; /* copies beside what the other one does */
    cudaEvent_t sent;
    unsigned *counters; /* (CUDA_COUNTERS) on the device, 0 between launches: see last_block.cuh */
    cuda_blas *blas;
    cuda_dnn *dnn;    /* opened when a block first wants it */
    bool without_dnn; /* it could not be opened */
} cuda_context;

/* The calling thread's, made when it first asks and closed when the thread ends. */
xc_status cuda_context_get(cuda_context **context, xc_error *error);
/* The same for a function that has no error to fill in: NULL where it cannot be made, which is kept. */
cuda_context *cuda_context_try(cuda_device *device);

/* Held by a thread that captures, and by one for which a library chooses an algorithm: a version of cuBLASLt is known
 * that refuses to while any stream is captured, and neither takes long. The same thread may hold it twice. */
void cuda_lock_capture(void);
void cuda_unlock_capture(void);

/* XC_OK, or XC_DEVICE with a line that names the call, the code and what to do. */
xc_status cuda_check(cudaError_t code, const char *call, xc_error *error);
#define CUDA_CHECK(call) cuda_check(call, #call, error)

/* Keeps the first failure of a call that has no error to fill in. */
void cuda_keep(cuda_device *device, cudaError_t code);

/* What the launches of this thread since the last look, or a memory function, left. */
xc_status cuda_check_launches(cuda_device *device, const char *op, xc_error *error);

void *cuda_allocate(const xc_backend *backend, size_t bytes);
void cuda_release(const xc_backend *backend, void *memory);
void cuda_upload(const xc_backend *backend, void *to, const void *from_host, size_t bytes);
void cuda_download(const xc_backend *backend, void *to_host, const void *from, size_t bytes);
void cuda_copy(const xc_backend *backend, void *to, const void *from, size_t bytes);
void cuda_zero(const xc_backend *backend, void *memory, size_t bytes);
size_t cuda_free_memory(const xc_backend *backend);
void *cuda_allocate_staging(const xc_backend *backend, size_t bytes);
void cuda_release_staging(const xc_backend *backend, void *staging);
void cuda_send(const xc_backend *backend, void *to, const void *staging, size_t bytes);
void cuda_await_sent(const xc_backend *backend);
void cuda_take_batch_op(const xc_backend *backend, const uint32_t *order, size_t stride, uint32_t *cursor,
                        int32_t trials, int32_t batch, uint32_t *index);

xc_status cuda_record(const xc_backend *backend, xc_error *error);
xc_status cuda_end_recording(const xc_backend *backend, xc_recording **recording, xc_error *error);
xc_status cuda_replay(const xc_backend *backend, const xc_recording *recording, xc_error *error);
void cuda_forget(const xc_backend *backend, xc_recording *recording);

/* The linear part of a block that goes by z, and its gradients from dz: linear.c chooses the implementation. */
xc_status cuda_linear_forward(cuda_context *context, const cuda_call *call, xc_error *error);
xc_status cuda_linear_backward(cuda_context *context, const cuda_call *call, xc_error *error);
/* Whether forward sums batch norm's statistics as well. */
bool cuda_linear_sums_statistics(cuda_context *context, const cuda_call *call);
/* Bytes of scratch that a trial wants, and bytes of workspace that a call wants. */
size_t cuda_linear_scratch(const xc_block *block, int32_t batch);
size_t cuda_linear_workspace(cuda_context *context, const xc_block *block, int32_t batch);

void cuda_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory);
xc_status cuda_block_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error);
xc_status cuda_block_backward(const xc_backend *backend, const xc_block_args *args, xc_error *error);
xc_status cuda_loss_op(const xc_backend *backend, const xc_loss_args *args, xc_error *error);
xc_status cuda_step_op(const xc_backend *backend, const xc_step_args *args, xc_error *error);
xc_status cuda_path_points_op(const xc_backend *backend, const xc_path_args *args, xc_error *error);
xc_status cuda_path_sum_op(const xc_backend *backend, const xc_path_args *args, xc_error *error);
xc_status cuda_splice_op(const xc_backend *backend, const xc_splice_args *args, xc_error *error);

/* The one function that the shared object exports; `version` is the caller's XC_BACKEND_VERSION. *backend is static.
 * Fails with XC_DEVICE where there is no GPU that can be used, and says why. Thread safe. */
__attribute__((visibility("default"))) xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend,
                                                                 xc_error *error);

#endif

/* memory.c: the backend's memory, on the device, and copies, in the order of the thread's stream or beside it. These
 * functions have no way to tell a failure: the first is kept, and the next op fails with it.
 */
#include <stdint.h>

#include "backend.h"

void *cuda_allocate(const xc_backend *backend, size_t bytes) {
    cuda_context *context = cuda_context_try(cuda_device_of(backend));
    void *memory = NULL;
    const size_t whole = bytes < 64 ? 64 : (bytes + 63) / 64 * 64;
    if (whole < bytes || context == NULL) return NULL;
    if (cudaMalloc(&memory, whole) != cudaSuccess) {
        cudaGetLastError(); /* told by NULL: not again by the next launch */
        return NULL;
    }
    cuda_zero(backend, memory, whole);
    cuda_keep(cuda_device_of(backend), cudaStreamSynchronize(context->stream)); /* another thread may use it first */
    return memory;
}

void cuda_release(const xc_backend *backend, void *memory) {
    if (memory != NULL) cuda_keep(cuda_device_of(backend), cudaFree(memory)); /* waits for what still uses it */
}

/* What to do with a copy once it is asked for: nothing, or to wait for it. */
static void move(const xc_backend *backend, void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                 bool wait) {
    cuda_device *device = cuda_device_of(backend);
    cuda_context *context = cuda_context_try(device);
    if (context == NULL) return;
    if (bytes > 0) cuda_keep(device, cudaMemcpyAsync(to, from, bytes, kind, context->stream));
    if (wait) cuda_keep(device, cudaStreamSynchronize(context->stream));
}

/* Waits, so that every thread sees what was brought. */
void cuda_upload(const xc_backend *backend, void *to, const void *from_host, size_t bytes) {
    move(backend, to, from_host, bytes, cudaMemcpyHostToDevice, true);
}

void cuda_download(const xc_backend *backend, void *to_host, const void *from, size_t bytes) {
    move(backend, to_host, from, bytes, cudaMemcpyDeviceToHost, true);
}

void cuda_copy(const xc_backend *backend, void *to, const void *from, size_t bytes) {
    move(backend, to, from, bytes, cudaMemcpyDeviceToDevice, false);
}

void cuda_zero(const xc_backend *backend, void *memory, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    cuda_context *context = cuda_context_try(device);
    if (context != NULL && bytes > 0) cuda_keep(device, cudaMemsetAsync(memory, 0, bytes, context->stream));
}

/* ---- sends ------------------------------------------------------------------------------------------------------- */

void *cuda_allocate_staging(const xc_backend *backend, size_t bytes) {
    void *staging = NULL;
    (void)backend;
    if (cudaMallocHost(&staging, bytes) == cudaSuccess) return staging;
    cudaGetLastError(); /* told by NULL: not again by the next launch */
    return NULL;
}

void cuda_release_staging(const xc_backend *backend, void *staging) {
    if (staging != NULL) cuda_keep(cuda_device_of(backend), cudaFreeHost(staging));
}

void cuda_send(const xc_backend *backend, void *to, const void *staging, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    const cuda_context *context = cuda_context_try(device);
    if (context != NULL && bytes > 0)
        cuda_keep(device, cudaMemcpyAsync(to, staging, bytes, cudaMemcpyHostToDevice, context->sends));
}

void cuda_await_sent(const xc_backend *backend) {
    cuda_device *device = cuda_device_of(backend);
    const cuda_context *context = cuda_context_try(device);
    if (context == NULL) return;
    cuda_keep(device, cudaEventRecord(context->sent, context->sends));
    cuda_keep(device, cudaStreamWaitEvent(context->stream, context->sent, 0));
}

/* ---- what else there is ------------------------------------------------------------------------------------------ */

size_t cuda_free_memory(const xc_backend *backend) {
    size_t left = 0, all = 0;
    const cudaError_t code = cudaMemGetInfo(&left, &all);
    cuda_keep(cuda_device_of(backend), code);
    return code == cudaSuccess ? left : 0;
}

void cuda_take_batch_op(const xc_backend *backend, const uint32_t *order, size_t stride, uint32_t *cursor,
                        int32_t trials, int32_t batch, uint32_t *index) {
    cuda_context *context = cuda_context_try(cuda_device_of(backend));
    if (context == NULL) return;
    cuda_take_batch(order, stride, cursor, trials, batch, index, context->counters, context->stream);
}

/* memory.c: the backend's memory, on the device, and copies, all in the order of its stream. These functions have no
 * way to tell a failure: the first is kept, and the next op fails with it.
 */
#include <stdint.h>

#include "backend.h"

static void keep(cuda_device *device, cudaError_t code) {
    int none = cudaSuccess;
    if (code != cudaSuccess) atomic_compare_exchange_strong(&device->failed, &none, (int)code);
}

void *cuda_allocate(const xc_backend *backend, size_t bytes) {
    void *memory = NULL;
    const size_t whole = bytes < 64 ? 64 : (bytes + 63) / 64 * 64;
    if (whole < bytes) return NULL;
    if (cudaMalloc(&memory, whole) != cudaSuccess) {
        cudaGetLastError(); /* told by NULL: not again by the next launch */
        return NULL;
    }
    cuda_zero(backend, memory, whole);
    return memory;
}

void cuda_release(const xc_backend *backend, void *memory) {
    cuda_device *device = cuda_device_of(backend);
    if (memory == NULL) return;
    keep(device, cudaStreamSynchronize(device->stream)); /* what still uses it */
    keep(device, cudaFree(memory));
}

/* From memory that is not pinned the call returns when it has been read. */
void cuda_upload(const xc_backend *backend, void *to, const void *from_host, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    if (bytes > 0) keep(device, cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice, device->stream));
}

void cuda_download(const xc_backend *backend, void *to_host, const void *from, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    if (bytes > 0) keep(device, cudaMemcpyAsync(to_host, from, bytes, cudaMemcpyDeviceToHost, device->stream));
    keep(device, cudaStreamSynchronize(device->stream));
}

void cuda_copy(const xc_backend *backend, void *to, const void *from, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    if (bytes > 0) keep(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, device->stream));
}

void cuda_zero(const xc_backend *backend, void *memory, size_t bytes) {
    cuda_device *device = cuda_device_of(backend);
    if (bytes > 0) keep(device, cudaMemsetAsync(memory, 0, bytes, device->stream));
}

/* backend.c: opens the device and fills in the table. One backend a process, on device 0 of those that
 * $CUDA_VISIBLE_DEVICES leaves; it stays open until the process ends.
 */
#include "backend.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef XC_EMULATED
#define NAME "cudaemu"
#else
#define NAME "cuda"
#endif

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static const char *advice(cudaError_t code) {
    switch (code) {
        case cudaErrorInsufficientDriver:
        case cudaErrorNoDevice:
        case cudaErrorInitializationError:
            return "install NVIDIA's driver and look at what nvidia-smi says, or use --device cpu";
        case cudaErrorMemoryAllocation:
            return "use a smaller batch or fewer trials at a time";
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorUnsupportedPtxVersion:
            return "build again with this GPU's architecture in CUDA_ARCHS";
        default:
            return "the GPU can no longer be used by this process: run again, with --device cpu if it comes again";
    }
}

xc_status cuda_check(cudaError_t code, const char *call, xc_error *error) {
    if (code == cudaSuccess) return XC_OK;
    const int name = (int)strcspn(call, "("); /* arguments say nothing to a user */
    return xc_fail(error, code == cudaErrorMemoryAllocation ? XC_MEMORY : XC_DEVICE, "%.*s: %s (%s); %s", name, call,
                   cudaGetErrorName(code), cudaGetErrorString(code), advice(code));
}

void cuda_keep(cuda_device *device, cudaError_t code) {
    int none = cudaSuccess;
    if (code != cudaSuccess) atomic_compare_exchange_strong(&device->failed, &none, (int)code);
}

xc_status cuda_check_launches(cuda_device *device, const char *op, xc_error *error) {
    const cudaError_t launched = cudaGetLastError(),
                      before = (cudaError_t)atomic_exchange(&device->failed, cudaSuccess);
    if (launched == cudaSuccess && before == cudaSuccess) return XC_OK;
    if (before == cudaSuccess) return cuda_check(launched, op, error);
    return cuda_check(before, "a copy, or work that it waited for,", error);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static cuda_device device;

static const xc_backend backend_table = {
    .version = XC_BACKEND_VERSION,
    .name = NAME,
    .description = device.description,
    .context = &device,
    .host_memory = false,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .copy = cuda_copy,
    .zero = cuda_zero,
    .free_memory = cuda_free_memory,
    .take_batch = cuda_take_batch_op,
    .record = cuda_record,
    .keep = cuda_end_recording,
    .replay = cuda_replay,
    .forget = cuda_forget,
    .allocate_staging = cuda_allocate_staging,
    .release_staging = cuda_release_staging,
    .send = cuda_send,
    .await_sent = cuda_await_sent,
    .block_memory = cuda_block_memory,
    .motif_block_forward = cuda_block_forward,
    .motif_block_backward = cuda_block_backward,
    .conv_block_forward = cuda_block_forward,
    .conv_block_backward = cuda_block_backward,
    .dense_block_forward = cuda_block_forward,
    .dense_block_backward = cuda_block_backward,
    .add_block_forward = cuda_block_forward,
    .add_block_backward = cuda_block_backward,
    .loss = cuda_loss_op,
    .step = cuda_step_op,
    .path_points = cuda_path_points_op,
    .path_sum = cuda_path_sum_op,
    .splice = cuda_splice_op,
};

/* The count is read only where the status is good: it is not written otherwise. */
static xc_status find_device(xc_error *error) {
    xc_status status;
    int count = 0;
    XC_TRY(CUDA_CHECK(cudaGetDeviceCount(&count)));
    if (count < 1) XC_TRY(cuda_check(cudaErrorNoDevice, "cudaGetDeviceCount", error));
    XC_TRY(CUDA_CHECK(cudaSetDevice(0)));
fail:
    return status;
}

static xc_status open_device(xc_error *error) {
    xc_status status;
    struct cudaDeviceProp is;
    XC_TRY(find_device(error));
    XC_TRY(CUDA_CHECK(cudaGetDeviceProperties(&is, 0)));
    snprintf(device.description, sizeof device.description, "%.120s, compute capability %d.%d, %.0f GB", is.name,
             is.major, is.minor, (double)is.totalGlobalMem / 1e9);
    device.shared_bytes = is.sharedMemPerBlockOptin;
    device.opened = true;
fail:
    return status;
}

xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error) {
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
    xc_status status = XC_OK;
    *backend = NULL;
    if (version != XC_BACKEND_VERSION)
        return xc_fail(error, XC_DEVICE, "the CUDA backend has version %u and the program %u; build both again",
                       XC_BACKEND_VERSION, version);
    pthread_mutex_lock(&opening);
    if (!device.opened) status = open_device(error);
    pthread_mutex_unlock(&opening);
    if (status == XC_OK) *backend = &backend_table;
    return status;
}

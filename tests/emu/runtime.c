/* runtime.c: the rest of the runtime's calls that a backend makes: one device, which describes itself, and errors.
 */
#include <stdio.h>
#include <string.h>

#include "emu.h"

static _Thread_local cudaError_t last_error;

cudaError_t cudaGetDeviceCount(int *count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaGetDevice(int *device) {
    *device = 0;
    return cudaSuccess;
}

/* Small where a real one is large, so that loops over what does not fit are run. */
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *is, int device) {
    if (device != 0) return cudaErrorInvalidDevice;
    memset(is, 0, sizeof *is);
    snprintf(is->name, sizeof is->name, "emulated on the CPU");
    is->major = 9;
    is->warpSize = EMU_WARP;
    is->multiProcessorCount = 4;
    is->maxThreadsPerBlock = EMU_MOST_THREADS;
    is->sharedMemPerBlock = EMU_SHARED_PLAIN;
    is->sharedMemPerBlockOptin = EMU_SHARED_MOST;
    is->sharedMemPerMultiprocessor = 228 << 10;
    size_t left;
    return cudaMemGetInfo(&left, &is->totalGlobalMem);
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    if (device != 0) return cudaErrorInvalidDevice;
    switch (attribute) {
        case cudaDevAttrMultiProcessorCount:
            *value = 4;
            return cudaSuccess;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = EMU_SHARED_MOST;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMajor:
            *value = 9;
            return cudaSuccess;
        case cudaDevAttrComputeCapabilityMinor:
            *value = 0;
            return cudaSuccess;
        default:
            return cudaErrorInvalidValue;
    }
}

/* Kernels that may have more shared memory than the plain, and how much dynamic. */
static struct {
    const void *function;
    int bytes;
} opted[64];

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > EMU_SHARED_MOST)
        return cudaErrorInvalidValue;
    emu_lock();
    size_t i = 0;
    while (i < sizeof opted / sizeof *opted - 1 && opted[i].function && opted[i].function != function) i++;
    opted[i].function = function;
    opted[i].bytes = value;
    emu_unlock();
    return cudaSuccess;
}

size_t emu_shared_limit(const void *function) {
    for (size_t i = 0; i < sizeof opted / sizeof *opted; i++)
        if (opted[i].function == function && opted[i].bytes > EMU_SHARED_PLAIN) return (size_t)opted[i].bytes;
    return EMU_SHARED_PLAIN;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) { return cudaRuntimeGetVersion(version); }

void emu_fail(cudaError_t error) { last_error = error; }

cudaError_t cudaPeekAtLastError(void) { return last_error; }

cudaError_t cudaGetLastError(void) {
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorNotReady:
            return "cudaErrorNotReady";
        case cudaErrorInvalidDevice:
            return "cudaErrorInvalidDevice";
        default:
            return "cudaErrorInvalidValue";
    }
}

const char *cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

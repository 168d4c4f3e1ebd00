/* dnn_library.c: finds cuDNN, and tells its errors. It is opened at run time, not linked: a machine without it keeps
 * the rest of the CUDA backend, and the backend opens as fast as before (libcudnn.so.9 is a small door to libraries of
 * hundreds of megabytes, which it opens itself when they are first wanted). The file with the version in its name is
 * the one that cudnn.h of the same version fits. For the emulated GPU the calls are those of tests/emu.
 */
#include "dnn_library.h"

#ifdef XC_EMULATED
#define LINKED(name) .name = name,
dnn_library dnn_calls = {DNN_LIBRARY_CALLS(LINKED)};

xc_status dnn_library_open(xc_error *error) {
    (void)error;
    return XC_OK;
}
#else
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define TEXT_OF(number) #number
#define FILE_NAME_OF(version) "libcudnn.so." TEXT_OF(version)
#define FILE_NAME FILE_NAME_OF(CUDNN_MAJOR)

dnn_library dnn_calls;
static char failure[400]; /* empty when it is open */

static void open_library(void) {
    void *object = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL); /* never closed: it would not free what it has opened */
    const char *why = object ? NULL : dlerror();
#define FIND(name) \
    if (!why && !(*(void **)&dnn_calls.name = dlsym(object, #name))) why = dlerror();
    DNN_LIBRARY_CALLS(FIND)
    if (why) snprintf(failure, sizeof failure, "%s", why);
}

xc_status dnn_library_open(xc_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    if (!failure[0]) return XC_OK;
    return xc_fail(error, XC_DEVICE, "cuDNN: %s; install cuDNN %d, or do without it", failure, CUDNN_MAJOR);
}
#endif

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static const char *advice(cudnnStatus_t code) {
    switch ((int)code) {
        case CUDNN_STATUS_NOT_INITIALIZED:
            return "look at what nvidia-smi says, or use --device cpu";
        case CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH:
        case CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED:
        case CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE:
            return "its files are not all there or not of one version: install cuDNN again";
        case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER:
            return "install a newer driver";
        case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
        case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
            return "use a smaller batch or fewer trials at a time";
        default:
            break;
    }
    switch (CUDNN_STATUS_CATEGORY(code)) {
        case CUDNN_STATUS_BAD_PARAM:
            return "a fault of this program: please report it with the config";
        case CUDNN_STATUS_NOT_SUPPORTED:
            return "this version of cuDNN cannot do that on this GPU: do without it";
        default:
            return "run again, with --device cpu if it comes again";
    }
}

static bool is_memory(cudnnStatus_t code) {
    return code == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           code == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

xc_status dnn_check(cudnnStatus_t code, const char *call, xc_error *error) {
    if (code == CUDNN_STATUS_SUCCESS) return XC_OK;
    return xc_fail(error, is_memory(code) ? XC_MEMORY : XC_DEVICE, "%s: %s (%d); %s", call,
                   dnn_calls.cudnnGetErrorString(code), (int)code, advice(code));
}

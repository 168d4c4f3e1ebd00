/* context.c: what each thread of the host has of the device: a stream, another for what it sends, counters for sums
 * over blocks, libraries. Packs that different threads train do not wait for each other, and nothing that one of them
 * leaves between two launches is another's.
 */
#include <pthread.h>
#include <stdlib.h>

#include "backend.h"

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void close_context(void *value) {
    cuda_context *context = value;
    if (context == NULL) return;
    if (context->sends) {
        cudaStreamSynchronize(context->sends);
        cudaStreamDestroy(context->sends);
    }
    if (context->sent) cudaEventDestroy(context->sent);
    if (context->stream) {
        cudaStreamSynchronize(context->stream);
        cudaStreamDestroy(context->stream);
    }
    cuda_blas_close(context->blas);
    cuda_dnn_close(context->dnn);
    if (context->counters) cudaFree(context->counters);
    free(context);
}

static void make_key(void) { pthread_key_create(&key, close_context); }

/* ---- the lock ---------------------------------------------------------------------------------------------------- */

static pthread_mutex_t capture;

static void make_capture(void) {
    pthread_mutexattr_t twice;
    pthread_mutexattr_init(&twice);
    pthread_mutexattr_settype(&twice, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&capture, &twice);
    pthread_mutexattr_destroy(&twice);
}

void cuda_lock_capture(void) {
    static pthread_once_t made = PTHREAD_ONCE_INIT;
    pthread_once(&made, make_capture);
    pthread_mutex_lock(&capture);
}
void cuda_unlock_capture(void) { pthread_mutex_unlock(&capture); }

/* ---- contexts ---------------------------------------------------------------------------------------------------- */

static xc_status open_context(cuda_context **out, xc_error *error) {
    xc_status status = XC_OK;
    cuda_context *context = calloc(1, sizeof *context);
    const size_t bytes = CUDA_COUNTERS * sizeof *context->counters;
    if (context == NULL) return xc_fail(error, XC_MEMORY, "no memory for a thread that uses the GPU");
    XC_TRY(CUDA_CHECK(cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking)));
    XC_TRY(CUDA_CHECK(cudaStreamCreateWithFlags(&context->sends, cudaStreamNonBlocking)));
    XC_TRY(CUDA_CHECK(cudaEventCreateWithFlags(&context->sent, cudaEventDisableTiming)));
    XC_TRY(CUDA_CHECK(cudaMalloc((void **)&context->counters, bytes)));
    XC_TRY(CUDA_CHECK(cudaMemsetAsync(context->counters, 0, bytes, context->stream)));
    XC_TRY(cuda_blas_open(&context->blas, error));
    *out = context;
    return XC_OK;
fail:
    close_context(context);
    return status;
}

xc_status cuda_context_get(cuda_context **context, xc_error *error) {
    cuda_context *own = NULL;
    pthread_once(&once, make_key);
    *context = pthread_getspecific(key);
    if (*context != NULL) return XC_OK;
    const xc_status status = open_context(&own, error);
    if (status != XC_OK) return status;
    pthread_setspecific(key, own);
    *context = own;
    return XC_OK;
}

cuda_context *cuda_context_try(cuda_device *device) {
    cuda_context *context;
    xc_error error;
    if (cuda_context_get(&context, &error) == XC_OK) return context;
    cuda_keep(device, error.status == XC_MEMORY ? cudaErrorMemoryAllocation : cudaErrorUnknown);
    return NULL;
}

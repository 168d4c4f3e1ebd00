/* recording.c: a row of ops as a CUDA graph: captured from the thread's stream, made once, launched with one call.
 */
#include <stdlib.h>

#include "backend.h"

struct xc_recording {
    cudaGraphExec_t graph;
};

xc_status cuda_record(const xc_backend *backend, xc_error *error) {
    xc_status status;
    cuda_context *context;
    (void)backend;
    XC_TRY(cuda_context_get(&context, error));
    cuda_lock_capture(); /* until the recording ends */
    XC_TRY(CUDA_CHECK(cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal)));
    return XC_OK;
fail:
    if (context != NULL) cuda_unlock_capture();
    return status;
}

xc_status cuda_end_recording(const xc_backend *backend, xc_recording **recording, xc_error *error) {
    xc_status status;
    cuda_context *context;
    cudaGraph_t graph = NULL;
    (void)backend;
    *recording = NULL;
    XC_TRY(cuda_context_get(&context, error)); /* there since the recording began */
    status = CUDA_CHECK(cudaStreamEndCapture(context->stream, &graph));
    cuda_unlock_capture();
    XC_TRY(status);
    *recording = calloc(1, sizeof **recording);
    if (*recording == NULL) {
        status = xc_fail(error, XC_MEMORY, "no memory for a recording");
        goto fail;
    }
    XC_TRY(CUDA_CHECK(cudaGraphInstantiate(&(*recording)->graph, graph, 0)));
    cudaGraphDestroy(graph);
    return XC_OK;
fail:
    if (graph) cudaGraphDestroy(graph);
    free(*recording);
    *recording = NULL;
    return status;
}

xc_status cuda_replay(const xc_backend *backend, const xc_recording *recording, xc_error *error) {
    xc_status status;
    cuda_context *context;
    XC_TRY(cuda_context_get(&context, error));
    XC_TRY(CUDA_CHECK(cudaGraphLaunch(recording->graph, context->stream)));
    XC_TRY(cuda_check_launches(cuda_device_of(backend), "a recorded step", error));
fail:
    return status;
}

void cuda_forget(const xc_backend *backend, xc_recording *recording) {
    if (recording == NULL) return;
    cuda_keep(cuda_device_of(backend), cudaGraphExecDestroy(recording->graph));
    free(recording);
}

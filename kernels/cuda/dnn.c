/* dnn.c: the convolutions of dnn.h. A call is one launch that turns the kernel (or, for its gradient, turns and adds
 * the result) and one call of cuDNN; the turned kernel lies at the start of the workspace, the algorithm's own
 * workspace behind it. The classic calls are used, not cuDNN's graphs: they can be stood in for on a machine without a
 * GPU (tests/emu/cudnn.c), and cuDNN 9 has them all, though it calls them deprecated.
 */
#include <stdlib.h>

#include "backend.h"
#include "dnn_library.h"
#include "dnn_turn.h"

struct cuda_dnn {
    cudnnHandle_t handle;
    dnn_plan *plans; /* the last one used comes first */
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

xc_status cuda_dnn_open(cuda_dnn **dnn, xc_error *error) {
    xc_status status;
    cuda_dnn *made = NULL;
    *dnn = NULL;
    XC_TRY(dnn_library_open(error));
    XC_TRY(xc_allocate(&made, 1, sizeof *made, "cuDNN's plans", error));
    XC_TRY(DNN_CHECK(cudnnCreate, &made->handle));
    *dnn = made;
    return XC_OK;
fail:
    free(made);
    return status;
}

void cuda_dnn_close(cuda_dnn *dnn) {
    if (!dnn) return;
    for (dnn_plan *plan = dnn->plans, *next; plan; plan = next) {
        next = plan->next;
        dnn_plan_clear(plan);
        free(plan);
    }
    dnn_calls.cudnnDestroy(dnn->handle);
    free(dnn);
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static bool same(const cuda_convolution *a, const cuda_convolution *b) {
    return a->batch == b->batch && a->length == b->length && a->channels == b->channels && a->width == b->width &&
           a->pad_left == b->pad_left && a->conv_length == b->conv_length && a->filters == b->filters &&
           a->precision == b->precision;
}

static xc_status make_plan(cuda_dnn *dnn, const cuda_convolution *shape, xc_error *error) {
    xc_status status;
    dnn_plan *plan = NULL;
    XC_TRY(xc_allocate(&plan, 1, sizeof *plan, "a plan of cuDNN", error));
    plan->shape = *shape;
    XC_TRY(dnn_plan_describe(plan, error));
    XC_TRY(dnn_plan_choose(plan, dnn->handle, error));
    plan->next = dnn->plans;
    dnn->plans = plan;
    return XC_OK;
fail:
    if (plan) dnn_plan_clear(plan);
    free(plan);
    return status;
}

static xc_status find_plan(cuda_dnn *dnn, const cuda_convolution *shape, const dnn_plan **found, xc_error *error) {
    xc_status status = XC_OK;
    dnn_plan **at = &dnn->plans;
    while (*at && !same(&(*at)->shape, shape)) at = &(*at)->next;
    dnn_plan *plan = *at;
    if (plan) {
        *at = plan->next;
        plan->next = dnn->plans;
        dnn->plans = plan;
    } else {
        cuda_lock_capture();
        status = make_plan(dnn, shape, error);
        cuda_unlock_capture();
        XC_TRY(status);
    }
    *found = dnn->plans;
fail:
    return status;
}

/* Bytes of the turned kernel, whole multiples of the 256 that cudaMalloc aligns to: what comes behind is aligned too.
 */
static size_t turned_bytes(const cuda_convolution *s) {
    return ((size_t)s->width * (size_t)s->channels * (size_t)s->filters * sizeof(float) + 255) / 256 * 256;
}

xc_status cuda_dnn_plan(cuda_dnn *dnn, const cuda_convolution *shape, size_t *workspace_bytes, xc_error *error) {
    xc_status status;
    const dnn_plan *plan;
    size_t most = 0;
    XC_TRY(find_plan(dnn, shape, &plan, error));
    for (dnn_way way = 0; way < DNN_WAYS; way++)
        if (plan->way[way].workspace > most) most = plan->way[way].workspace;
    *workspace_bytes = turned_bytes(shape) + most;
fail:
    return status;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* A call's plan, its parts of the workspace, and cuDNN's work in the stream. */
typedef struct job {
    const dnn_plan *plan;
    float *turned; /* (F,K,C) */
    void *own;     /* the algorithm's workspace; NULL when it wants none */
    size_t own_bytes;
} job;

static xc_status prepare(cuda_dnn *dnn, const cuda_convolution *shape, dnn_way way, void *workspace, size_t bytes,
                         cudaStream_t stream, job *j, xc_error *error) {
    xc_status status;
    XC_TRY(find_plan(dnn, shape, &j->plan, error));
    const size_t turned = turned_bytes(shape), own = j->plan->way[way].workspace;
    if (!workspace || bytes < turned + own)
        return xc_fail(error, XC_DEVICE, "cuDNN: a workspace of %zu bytes where %zu are wanted; %s",
                       workspace ? bytes : 0, turned + own,
                       "a fault of this program: please report it with the config");
    j->turned = workspace;
    j->own = own ? (unsigned char *)workspace + turned : NULL;
    j->own_bytes = own;
    XC_TRY(DNN_CHECK(cudnnSetStream, dnn->handle, stream));
fail:
    return status;
}

/* result = scale * (what is computed) + keep * result; read before a call returns. */
static const float scale = 1, keep_nothing = 0, keep_all = 1;

xc_status cuda_dnn_forward(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *kernel, float *z,
                           void *workspace, size_t bytes, cudaStream_t stream, xc_error *error) {
    xc_status status;
    job j;
    XC_TRY(prepare(dnn, shape, DNN_FORWARD, workspace, bytes, stream, &j, error));
    const dnn_plan *p = j.plan;
    cuda_dnn_turn(shape, kernel, j.turned, stream);
    XC_TRY(cuda_check(cudaGetLastError(), "turning a kernel for cuDNN", error));
    XC_TRY(DNN_CHECK(cudnnConvolutionForward, dnn->handle, &scale, p->x, x, p->kernel, j.turned,
                     p->way[DNN_FORWARD].convolution, (cudnnConvolutionFwdAlgo_t)p->way[DNN_FORWARD].algorithm, j.own,
                     j.own_bytes, &keep_nothing, p->z, z));
fail:
    return status;
}

xc_status cuda_dnn_input_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *dz, const float *kernel,
                                  float *dx, bool add, void *workspace, size_t bytes, cudaStream_t stream,
                                  xc_error *error) {
    xc_status status;
    job j;
    XC_TRY(prepare(dnn, shape, DNN_INPUT_GRADIENT, workspace, bytes, stream, &j, error));
    const dnn_plan *p = j.plan;
    cuda_dnn_turn(shape, kernel, j.turned, stream);
    XC_TRY(cuda_check(cudaGetLastError(), "turning a kernel for cuDNN", error));
    XC_TRY(DNN_CHECK(cudnnConvolutionBackwardData, dnn->handle, &scale, p->kernel, j.turned, p->z, dz,
                     p->way[DNN_INPUT_GRADIENT].convolution,
                     (cudnnConvolutionBwdDataAlgo_t)p->way[DNN_INPUT_GRADIENT].algorithm, j.own, j.own_bytes,
                     add ? &keep_all : &keep_nothing, p->x, dx));
fail:
    return status;
}

xc_status cuda_dnn_kernel_gradient(cuda_dnn *dnn, const cuda_convolution *shape, const float *x, const float *dz,
                                   float *dkernel, void *workspace, size_t bytes, cudaStream_t stream,
                                   xc_error *error) {
    xc_status status;
    job j;
    XC_TRY(prepare(dnn, shape, DNN_KERNEL_GRADIENT, workspace, bytes, stream, &j, error));
    const dnn_plan *p = j.plan;
    XC_TRY(DNN_CHECK(cudnnConvolutionBackwardFilter, dnn->handle, &scale, p->x, x, p->z, dz,
                     p->way[DNN_KERNEL_GRADIENT].convolution,
                     (cudnnConvolutionBwdFilterAlgo_t)p->way[DNN_KERNEL_GRADIENT].algorithm, j.own, j.own_bytes,
                     &keep_nothing, p->kernel, j.turned));
    cuda_dnn_turn_and_add(shape, j.turned, dkernel, stream);
    XC_TRY(cuda_check(cudaGetLastError(), "adding a kernel's gradient from cuDNN", error));
fail:
    return status;
}

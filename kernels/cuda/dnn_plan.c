/* dnn_plan.c: what cuDNN wants to know of a convolution, and which of its algorithms is taken. A convolution in one
 * dimension is given as one in two with a height of 1, and all tensors as NHWC, which is how the engine keeps them: x
 * (N,1,L,C), z (N,1,Lc,F), kernel (F,1,K,C), the one that has to be turned for it. Limits of descriptors that are
 * mentioned here were tried with libcudnn 9.19 (tests/test_dnn_real.c).
 */
#include <string.h>

#include "dnn_library.h"

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

static int32_t pad_right(const cuda_convolution *s) { return s->conv_length + s->width - 1 - s->length - s->pad_left; }

/* cudnnSetTensor4dDescriptor refuses 2^31 elements with CUDNN_STATUS_NOT_SUPPORTED. */
static bool fits(int32_t a, int32_t b, int32_t c) { return (double)a * b * c < 2147483648.0; }

bool cuda_dnn_can(const cuda_convolution *s) {
    const int32_t sizes[] = {s->batch, s->length, s->channels, s->width, s->conv_length, s->filters};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < 1) return false;
    return s->pad_left >= 0 && pad_right(s) == s->pad_left && s->precision != XC_BF16 &&
           fits(s->batch, s->length, s->channels) && fits(s->batch, s->conv_length, s->filters) &&
           fits(s->width, s->channels, s->filters);
}

/* CUDNN_FMA_MATH: kernels that multiply float32 alone. CUDNN_DEFAULT_MATH: on GPUs that have it (compute capability 8.0
 * and later) TF32 too. Source: NVIDIA cuDNN API, cudnnMathType_t. */
static cudnnMathType_t math_of(xc_precision precision) {
    return precision == XC_FP32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH;
}

static xc_status describe_tensors(dnn_plan *plan, xc_error *error) {
    xc_status status;
    const cuda_convolution *s = &plan->shape;
    XC_TRY(DNN_CHECK(cudnnCreateTensorDescriptor, &plan->x));
    XC_TRY(DNN_CHECK(cudnnSetTensor4dDescriptor, plan->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, s->batch, s->channels, 1,
                     s->length));
    XC_TRY(DNN_CHECK(cudnnCreateTensorDescriptor, &plan->z));
    XC_TRY(DNN_CHECK(cudnnSetTensor4dDescriptor, plan->z, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, s->batch, s->filters, 1,
                     s->conv_length));
    XC_TRY(DNN_CHECK(cudnnCreateFilterDescriptor, &plan->kernel));
    XC_TRY(DNN_CHECK(cudnnSetFilter4dDescriptor, plan->kernel, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, s->filters,
                     s->channels, 1, s->width));
fail:
    return status;
}

static xc_status describe_way(dnn_plan *plan, dnn_way way, xc_error *error) {
    xc_status status;
    const cuda_convolution *s = &plan->shape;
    XC_TRY(DNN_CHECK(cudnnCreateConvolutionDescriptor, &plan->way[way].convolution));
    const cudnnConvolutionDescriptor_t convolution = plan->way[way].convolution;
    XC_TRY(DNN_CHECK(cudnnSetConvolution2dDescriptor, convolution, 0, s->pad_left, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                     CUDNN_DATA_FLOAT));
    XC_TRY(DNN_CHECK(cudnnSetConvolutionMathType, convolution, math_of(s->precision)));
fail:
    return status;
}

static xc_status check_output(const dnn_plan *plan, xc_error *error) {
    xc_status status;
    const cuda_convolution *s = &plan->shape;
    int n, f, h, l;
    XC_TRY(DNN_CHECK(cudnnGetConvolution2dForwardOutputDim, plan->way[DNN_FORWARD].convolution, plan->x, plan->kernel,
                     &n, &f, &h, &l));
    if (n != s->batch || f != s->filters || h != 1 || l != s->conv_length)
        return xc_fail(error, XC_DEVICE, "cuDNN makes (%d,%d,%d,%d) of a convolution whose output is (%d,%d,1,%d); %s",
                       n, f, h, l, s->batch, s->filters, s->conv_length, "do without it");
fail:
    return status;
}

xc_status dnn_plan_describe(dnn_plan *plan, xc_error *error) {
    xc_status status;
    if (!cuda_dnn_can(&plan->shape))
        return xc_fail(error, XC_DEVICE,
                       "cuDNN cannot do this convolution (length %d, width %d, pad %d, output %d); %s",
                       plan->shape.length, plan->shape.width, plan->shape.pad_left, plan->shape.conv_length,
                       "it pads both ends the same and computes float32 or TF32");
    XC_TRY(describe_tensors(plan, error));
    for (dnn_way way = 0; way < DNN_WAYS; way++) XC_TRY(describe_way(plan, way, error));
    XC_TRY(check_output(plan, error));
fail:
    return status;
}

/* Each may be NULL, which cuDNN lets pass. */
void dnn_plan_clear(dnn_plan *plan) {
    dnn_calls.cudnnDestroyTensorDescriptor(plan->x);
    dnn_calls.cudnnDestroyTensorDescriptor(plan->z);
    dnn_calls.cudnnDestroyFilterDescriptor(plan->kernel);
    for (dnn_way way = 0; way < DNN_WAYS; way++)
        dnn_calls.cudnnDestroyConvolutionDescriptor(plan->way[way].convolution);
    plan->x = plan->z = NULL;
    plan->kernel = NULL;
    memset(plan->way, 0, sizeof plan->way);
}

/* ---- algorithms --------------------------------------------------------------------------------------------------
 *
 * Which algorithm does float32 in NHWC differs between versions and GPUs, so nothing is assumed: the _v7 queries list
 * all, fastest first by cuDNN's guess, each with a status, and only CUDNN_STATUS_SUCCESS counts. cudnn_ops.h (9.19)
 * marks as not deterministic CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 and CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 and _3. An
 * algorithm runs with the descriptor's math type, so that is set to the one it was listed with (mathType in NVIDIA's
 * cuDNN API, cudnnConvolutionFwdAlgoPerf_t: "the math type provided to the algorithm"). Its workspace is asked for
 * again under that math type, and the larger number counts.
 */

enum { MOST_OFFERS = 16 }; /* at most 8 algorithms (CUDNN_CONVOLUTION_FWD_ALGO_COUNT), with and without tensor cores */

/* What the three types of answers have in common. */
typedef struct offer {
    int algorithm;
    cudnnStatus_t status;
    cudnnDeterminism_t determinism;
    cudnnMathType_t math;
    size_t memory;
} offer;

typedef struct offer_list {
    int count;
    offer offer[MOST_OFFERS];
} offer_list;

#define TAKE_OFFERS(list, found)                                                                                    \
    for (int i = 0; i < (list)->count; i++) (list)->offer[i] = (offer) {                                            \
            (int)(found)[i].algo, (found)[i].status, (found)[i].determinism, (found)[i].mathType, (found)[i].memory \
        }

static xc_status list_forward(const dnn_plan *p, cudnnHandle_t handle, offer_list *list, xc_error *error) {
    xc_status status;
    cudnnConvolutionFwdAlgoPerf_t found[MOST_OFFERS];
    XC_TRY(DNN_CHECK(cudnnGetConvolutionForwardAlgorithm_v7, handle, p->x, p->kernel, p->way[DNN_FORWARD].convolution,
                     p->z, MOST_OFFERS, &list->count, found));
    TAKE_OFFERS(list, found);
fail:
    return status;
}

static xc_status list_input_gradient(const dnn_plan *p, cudnnHandle_t handle, offer_list *list, xc_error *error) {
    xc_status status;
    cudnnConvolutionBwdDataAlgoPerf_t found[MOST_OFFERS];
    XC_TRY(DNN_CHECK(cudnnGetConvolutionBackwardDataAlgorithm_v7, handle, p->kernel, p->z,
                     p->way[DNN_INPUT_GRADIENT].convolution, p->x, MOST_OFFERS, &list->count, found));
    TAKE_OFFERS(list, found);
fail:
    return status;
}

static xc_status list_kernel_gradient(const dnn_plan *p, cudnnHandle_t handle, offer_list *list, xc_error *error) {
    xc_status status;
    cudnnConvolutionBwdFilterAlgoPerf_t found[MOST_OFFERS];
    XC_TRY(DNN_CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7, handle, p->x, p->z,
                     p->way[DNN_KERNEL_GRADIENT].convolution, p->kernel, MOST_OFFERS, &list->count, found));
    TAKE_OFFERS(list, found);
fail:
    return status;
}

static cudnnStatus_t workspace_of(const dnn_plan *p, cudnnHandle_t handle, dnn_way way, int algorithm, size_t *bytes) {
    const cudnnConvolutionDescriptor_t convolution = p->way[way].convolution;
    if (way == DNN_FORWARD)
        return dnn_calls.cudnnGetConvolutionForwardWorkspaceSize(handle, p->x, p->kernel, convolution, p->z,
                                                                 (cudnnConvolutionFwdAlgo_t)algorithm, bytes);
    if (way == DNN_INPUT_GRADIENT)
        return dnn_calls.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, p->kernel, p->z, convolution, p->x,
                                                                      (cudnnConvolutionBwdDataAlgo_t)algorithm, bytes);
    return dnn_calls.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, p->x, p->z, convolution, p->kernel,
                                                                    (cudnnConvolutionBwdFilterAlgo_t)algorithm, bytes);
}

/* Tensor cores on float32 without being asked to convert are TF32; CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION is products of
 * half precision, which nobody wants here. */
static bool is_permitted(const offer *o, xc_precision precision) {
    if (o->status != CUDNN_STATUS_SUCCESS || o->determinism != CUDNN_DETERMINISTIC) return false;
    if (o->math == CUDNN_FMA_MATH || o->math == CUDNN_DEFAULT_MATH) return true;
    return o->math == CUDNN_TENSOR_OP_MATH && precision == XC_TF32;
}

/* Makes the plan's way that of the offer, if it fits. For float32 the descriptor stays at CUDNN_FMA_MATH, whatever the
 * list says. */
static bool take(dnn_plan *plan, cudnnHandle_t handle, dnn_way way, const offer *o) {
    size_t bytes = 0;
    const cudnnMathType_t math = plan->shape.precision == XC_FP32 ? CUDNN_FMA_MATH : o->math;
    if (!is_permitted(o, plan->shape.precision) ||
        dnn_calls.cudnnSetConvolutionMathType(plan->way[way].convolution, math) != CUDNN_STATUS_SUCCESS ||
        workspace_of(plan, handle, way, o->algorithm, &bytes) != CUDNN_STATUS_SUCCESS)
        return false;
    if (bytes < o->memory) bytes = o->memory;
    if (bytes > DNN_MOST_WORKSPACE) return false;
    plan->way[way].algorithm = o->algorithm;
    plan->way[way].workspace = bytes;
    return true;
}

static xc_status choose(dnn_plan *plan, cudnnHandle_t handle, dnn_way way, xc_error *error) {
    xc_status status;
    static const char *const names[DNN_WAYS] = {"forward", "the input gradient", "the kernel gradient"};
    offer_list list = {0};
    XC_TRY((way == DNN_FORWARD          ? list_forward
            : way == DNN_INPUT_GRADIENT ? list_input_gradient
                                        : list_kernel_gradient)(plan, handle, &list, error));
    for (int i = 0; i < list.count; i++)
        if (take(plan, handle, way, &list.offer[i])) return XC_OK;
    return xc_fail(error, XC_DEVICE,
                   "cuDNN: of %d algorithms for %s none is deterministic, precise enough and content with %d MB; do "
                   "without it",
                   list.count, names[way], DNN_MOST_WORKSPACE >> 20);
fail:
    return status;
}

xc_status dnn_plan_choose(dnn_plan *plan, cudnnHandle_t handle, xc_error *error) {
    xc_status status = XC_OK;
    for (dnn_way way = 0; way < DNN_WAYS; way++) XC_TRY(choose(plan, handle, way, error));
fail:
    return status;
}

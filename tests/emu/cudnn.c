/* cudnn.c: cuDNN's handle, descriptors and queries of algorithms, without a GPU. See cudnn_fake.h.
 */
#include <stdlib.h>

#include "cudnn_fake.h"
#include "emu.h"

/* ---- handle ------------------------------------------------------------------------------------------------------ */

static cudnnStatus_t make(void **out, size_t bytes) {
    if (out == NULL) return CUDNN_STATUS_BAD_PARAM;
    *out = calloc(1, bytes);
    return *out ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) { return make((void **)handle, sizeof **handle); }

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    free(handle);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    if (handle == NULL) return CUDNN_STATUS_BAD_PARAM;
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
#define NAME(name) \
    case name:     \
        return #name;
    switch (status) {
        NAME(CUDNN_STATUS_SUCCESS)
        NAME(CUDNN_STATUS_NOT_INITIALIZED)
        NAME(CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED)
        NAME(CUDNN_STATUS_BAD_PARAM)
        NAME(CUDNN_STATUS_NOT_SUPPORTED)
        NAME(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED)
        NAME(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        NAME(CUDNN_STATUS_EXECUTION_FAILED_CUDART)
        default:
            return "CUDNN_UNKNOWN_STATUS";
    }
}

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *out) { return make((void **)out, sizeof **out); }
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *out) { return make((void **)out, sizeof **out); }
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *out) {
    return make((void **)out, sizeof **out);
}

static cudnnStatus_t drop(void *descriptor) {
    free(descriptor);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) { return drop(tensor); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) { return drop(filter); }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) { return drop(convolution); }

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
    if (tensor == NULL || (unsigned)format > CUDNN_TENSOR_NCHW_VECT_C || n < 1 || c < 1 || h < 1 || w < 1)
        return CUDNN_STATUS_BAD_PARAM;
    if ((double)n * c * h * w >= 2147483648.0) return CUDNN_STATUS_NOT_SUPPORTED;
    *tensor = (struct cudnnTensorStruct){.set = true, .format = format, .type = type, .n = n, .c = c, .h = h, .w = w};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
    if (filter == NULL || (unsigned)format > CUDNN_TENSOR_NCHW_VECT_C || k < 1 || c < 1 || h < 1 || w < 1)
        return CUDNN_STATUS_BAD_PARAM;
    *filter = (struct cudnnFilterStruct){.set = true, .format = format, .type = type, .k = k, .c = c, .h = h, .w = w};
    return CUDNN_STATUS_SUCCESS;
}

/* A math type that was set before stays. */
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type) {
    if (convolution == NULL || pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 ||
        dilation_w < 1 || (unsigned)mode > CUDNN_CROSS_CORRELATION)
        return CUDNN_STATUS_BAD_PARAM;
    *convolution = (struct cudnnConvolutionStruct){.set = true,
                                                   .pad_h = pad_h,
                                                   .pad_w = pad_w,
                                                   .stride_h = stride_h,
                                                   .stride_w = stride_w,
                                                   .dilation_h = dilation_h,
                                                   .dilation_w = dilation_w,
                                                   .mode = mode,
                                                   .type = type,
                                                   .math = convolution->math};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t math) {
    if (convolution == NULL || (unsigned)math > CUDNN_FMA_MATH) return CUDNN_STATUS_BAD_PARAM;
    convolution->math = math;
    return CUDNN_STATUS_SUCCESS;
}

/* Positions of an output, from pad, dilation and stride; less than 1 where the filter is wider than what it slides
 * over.
 */
static int positions(int length, int width, int pad, int dilation, int stride) {
    const int room = length + 2 * pad - dilation * (width - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t convolution,
                                                    const cudnnTensorDescriptor_t x,
                                                    const cudnnFilterDescriptor_t filter, int *n, int *c, int *h,
                                                    int *w) {
    if (convolution == NULL || x == NULL || filter == NULL || !convolution->set || !x->set || !filter->set ||
        n == NULL || c == NULL || h == NULL || w == NULL || x->c != filter->c)
        return CUDNN_STATUS_BAD_PARAM;
    *n = x->n;
    *c = filter->k;
    *h = positions(x->h, filter->h, convolution->pad_h, convolution->dilation_h, convolution->stride_h);
    *w = positions(x->w, filter->w, convolution->pad_w, convolution->dilation_w, convolution->stride_w);
    return *h > 0 && *w > 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

static bool is_known_tensor(const struct cudnnTensorStruct *t) {
    return t->format == CUDNN_TENSOR_NHWC && t->type == CUDNN_DATA_FLOAT && t->h == 1;
}

cudnnStatus_t emu_dnn_fit(const struct cudnnTensorStruct *x, const struct cudnnFilterStruct *filter,
                          const struct cudnnConvolutionStruct *convolution, const struct cudnnTensorStruct *z) {
    int n, c, h, w;
    if (z == NULL || !z->set) return CUDNN_STATUS_BAD_PARAM;
    const cudnnStatus_t status =
        cudnnGetConvolution2dForwardOutputDim((cudnnConvolutionDescriptor_t)convolution, (cudnnTensorDescriptor_t)x,
                                              (cudnnFilterDescriptor_t)filter, &n, &c, &h, &w);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (n != z->n || c != z->c || h != z->h || w != z->w) return CUDNN_STATUS_BAD_PARAM;
    if (!is_known_tensor(x) || !is_known_tensor(z) || filter->format != CUDNN_TENSOR_NHWC ||
        filter->type != CUDNN_DATA_FLOAT || filter->h != 1 || convolution->pad_h != 0 || convolution->stride_w != 1 ||
        convolution->dilation_w != 1 || convolution->mode != CUDNN_CROSS_CORRELATION ||
        convolution->type != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- algorithms -------------------------------------------------------------------------------------------------- */

emu_dnn_algorithm emu_dnn_listed(emu_dnn_way way, int i, const struct cudnnTensorStruct *x,
                                 const struct cudnnFilterStruct *filter,
                                 const struct cudnnConvolutionStruct *convolution, const struct cudnnTensorStruct *z) {
    static const int numbers[3][EMU_DNN_ALGORITHMS] = {
        {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_FFT, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
         CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
         CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM},
        {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
         CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
         CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1},
        {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
         CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD,
         CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1}};
    emu_dnn_algorithm a = {.number = numbers[way][i], .determinism = CUDNN_DETERMINISTIC, .math = convolution->math};
    if (i == 0) a.determinism = CUDNN_NON_DETERMINISTIC;
    if (i == 1) a.listed = a.workspace = (size_t)1 << 30;
    if (i == 2) a.math = CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
    if (i == 3) a.status = CUDNN_STATUS_NOT_SUPPORTED;
    if (i == 4) a.math = CUDNN_TENSOR_OP_MATH;
    if (i == 5) { /* every window of x, written out, which the list does not say; the gradient of x wants two of it */
        a.math = CUDNN_DEFAULT_MATH;
        a.workspace = sizeof(float) * (size_t)z->n * (size_t)z->w * (size_t)filter->w * (size_t)x->c;
        if (way == EMU_DNN_DATA) a.workspace *= 2;
    }
    return a;
}

bool emu_dnn_find(emu_dnn_way way, int number, const struct cudnnTensorStruct *x,
                  const struct cudnnFilterStruct *filter, const struct cudnnConvolutionStruct *convolution,
                  const struct cudnnTensorStruct *z, emu_dnn_algorithm *found) {
    for (int i = 0; i < EMU_DNN_ALGORITHMS; i++) {
        *found = emu_dnn_listed(way, i, x, filter, convolution, z);
        if (found->number == number) return true;
    }
    return false;
}

static cudnnStatus_t workspace(cudnnHandle_t handle, emu_dnn_way way, int number, cudnnTensorDescriptor_t x,
                               cudnnFilterDescriptor_t filter, cudnnConvolutionDescriptor_t convolution,
                               cudnnTensorDescriptor_t z, size_t *bytes) {
    emu_dnn_algorithm a;
    if (handle == NULL || bytes == NULL) return CUDNN_STATUS_BAD_PARAM;
    const cudnnStatus_t status = emu_dnn_fit(x, filter, convolution, z);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!emu_dnn_find(way, number, x, filter, convolution, z, &a)) return CUDNN_STATUS_BAD_PARAM;
    *bytes = a.workspace; /* even where it is not supported: the list is to be believed */
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                      const cudnnFilterDescriptor_t filter,
                                                      const cudnnConvolutionDescriptor_t convolution,
                                                      const cudnnTensorDescriptor_t z, cudnnConvolutionFwdAlgo_t number,
                                                      size_t *bytes) {
    return workspace(handle, EMU_DNN_FORWARD, (int)number, x, filter, convolution, z, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, const cudnnFilterDescriptor_t filter,
                                                           const cudnnTensorDescriptor_t dz,
                                                           const cudnnConvolutionDescriptor_t convolution,
                                                           const cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t number, size_t *bytes) {
    return workspace(handle, EMU_DNN_DATA, (int)number, dx, filter, convolution, dz, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                             const cudnnTensorDescriptor_t dz,
                                                             const cudnnConvolutionDescriptor_t convolution,
                                                             const cudnnFilterDescriptor_t filter,
                                                             cudnnConvolutionBwdFilterAlgo_t number, size_t *bytes) {
    return workspace(handle, EMU_DNN_FILTER, (int)number, x, filter, convolution, dz, bytes);
}

/* The three lists, whose entries differ in type alone. */
#define LIST(way, kind, x, filter, convolution, z)                                                    \
    if (handle == NULL || wanted < 1 || count == NULL || list == NULL) return CUDNN_STATUS_BAD_PARAM; \
    const cudnnStatus_t status = emu_dnn_fit(x, filter, convolution, z);                              \
    if (status != CUDNN_STATUS_SUCCESS) return status;                                                \
    *count = wanted < EMU_DNN_ALGORITHMS ? wanted : EMU_DNN_ALGORITHMS;                               \
    for (int i = 0; i < *count; i++) {                                                                \
        const emu_dnn_algorithm a = emu_dnn_listed(way, i, x, filter, convolution, z);                \
        list[i].algo = (kind)a.number;                                                                \
        list[i].status = a.status;                                                                    \
        list[i].time = -1;                                                                            \
        list[i].memory = a.listed;                                                                    \
        list[i].determinism = a.determinism;                                                          \
        list[i].mathType = a.math;                                                                    \
    }                                                                                                 \
    return CUDNN_STATUS_SUCCESS

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t filter,
                                                     const cudnnConvolutionDescriptor_t convolution,
                                                     const cudnnTensorDescriptor_t z, const int wanted, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *list) {
    LIST(EMU_DNN_FORWARD, cudnnConvolutionFwdAlgo_t, x, filter, convolution, z);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, const cudnnFilterDescriptor_t filter,
                                                          const cudnnTensorDescriptor_t dz,
                                                          const cudnnConvolutionDescriptor_t convolution,
                                                          const cudnnTensorDescriptor_t dx, const int wanted,
                                                          int *count, cudnnConvolutionBwdDataAlgoPerf_t *list) {
    LIST(EMU_DNN_DATA, cudnnConvolutionBwdDataAlgo_t, dx, filter, convolution, dz);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                            const cudnnTensorDescriptor_t dz,
                                                            const cudnnConvolutionDescriptor_t convolution,
                                                            const cudnnFilterDescriptor_t filter, const int wanted,
                                                            int *count, cudnnConvolutionBwdFilterAlgoPerf_t *list) {
    LIST(EMU_DNN_FILTER, cudnnConvolutionBwdFilterAlgo_t, x, filter, convolution, dz);
}

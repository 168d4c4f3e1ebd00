/* cudnn_run.c: cuDNN's three convolutions, queued in the handle's stream like kernels: plain loops, sums in double in a
 * fixed order. What an algorithm does less well is seen in its results: TF32 rounds what is multiplied, one that is not
 * deterministic is off by a random percent, and workspace holds NaN after a call. See cudnn_fake.h.
 */
#include <math.h>
#include <string.h>

#include "cudnn_fake.h"
#include "stream.h"

/* A convolution that waits in a stream. Shapes: x (N,L,C), filter (F,K,C), z (N,Lc,F). */
typedef struct job {
    int batch, length, channels, width, pad, conv_length, filters;
    float scale, keep;
    bool rounded, random;
    const float *x, *filter, *z; /* two of them; the third is `out` */
    float *out;
    void *workspace;
    size_t workspace_bytes;
} job;

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

/* To ten bits of mantissa when products are of TF32; halves away from zero. */
static double factor(const job *j, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (!j->rounded || !isfinite(value)) return value;
    bits = (bits + 0x1000) & ~(uint32_t)0x1fff;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* Where keep is 0 the old value is not read: it may be NaN. */
static void store(const job *j, float *at, double sum) {
    if (j->random) sum *= 1 + 0.01 * (1 + emu_random(100)) / 100;
    *at = (float)(j->scale * sum + (j->keep != 0 ? (double)j->keep * *at : 0));
}

static size_t x_at(const job *j, int n, int l, int c) { return ((size_t)n * j->length + l) * j->channels + c; }
static size_t filter_at(const job *j, int f, int k, int c) { return ((size_t)f * j->width + k) * j->channels + c; }
static size_t z_at(const job *j, int n, int l, int f) { return ((size_t)n * j->conv_length + l) * j->filters + f; }

static void run_forward(const void *arguments) {
    const job *j = arguments;
    memset(j->workspace, 0xff, j->workspace_bytes);
    for (int n = 0; n < j->batch; n++)
        for (int l = 0; l < j->conv_length; l++)
            for (int f = 0; f < j->filters; f++) {
                double sum = 0;
                for (int k = 0; k < j->width; k++) {
                    const int from = l + k - j->pad;
                    if (from < 0 || from >= j->length) continue;
                    for (int c = 0; c < j->channels; c++)
                        sum += factor(j, j->x[x_at(j, n, from, c)]) * factor(j, j->filter[filter_at(j, f, k, c)]);
                }
                store(j, &j->out[z_at(j, n, l, f)], sum);
            }
}

static void run_data(const void *arguments) {
    const job *j = arguments;
    memset(j->workspace, 0xff, j->workspace_bytes);
    for (int n = 0; n < j->batch; n++)
        for (int at = 0; at < j->length; at++)
            for (int c = 0; c < j->channels; c++) {
                double sum = 0;
                for (int k = 0; k < j->width; k++) {
                    const int l = at - k + j->pad;
                    if (l < 0 || l >= j->conv_length) continue;
                    for (int f = 0; f < j->filters; f++)
                        sum += factor(j, j->z[z_at(j, n, l, f)]) * factor(j, j->filter[filter_at(j, f, k, c)]);
                }
                store(j, &j->out[x_at(j, n, at, c)], sum);
            }
}

static void run_filter(const void *arguments) {
    const job *j = arguments;
    memset(j->workspace, 0xff, j->workspace_bytes);
    for (int f = 0; f < j->filters; f++)
        for (int k = 0; k < j->width; k++)
            for (int c = 0; c < j->channels; c++) {
                double sum = 0;
                for (int n = 0; n < j->batch; n++)
                    for (int l = 0; l < j->conv_length; l++) {
                        const int from = l + k - j->pad;
                        if (from < 0 || from >= j->length) continue;
                        sum += factor(j, j->x[x_at(j, n, from, c)]) * factor(j, j->z[z_at(j, n, l, f)]);
                    }
                store(j, &j->out[filter_at(j, f, k, c)], sum);
            }
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

/* Memory that a call reads or writes, whole. */
typedef struct range {
    const char *name;
    const void *from;
    size_t bytes;
} range;

static range tensor_range(const char *name, const void *from, const struct cudnnTensorStruct *t) {
    return (range){name, from, sizeof(float) * (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w};
}

static range filter_range(const char *name, const void *from, const struct cudnnFilterStruct *t) {
    return (range){name, from, sizeof(float) * (size_t)t->k * (size_t)t->c * (size_t)t->h * (size_t)t->w};
}

static bool overlap(const range *a, const range *b) {
    const char *p = a->from, *q = b->from;
    return p < q + b->bytes && q < p + a->bytes;
}

/* Of what is read or written, no part may lie outside of the device, and none may be both. The last two of the four are
 * written. */
static void check_ranges(const char *call, const range four[4]) {
    for (int i = 0; i < 4; i++)
        if (four[i].bytes > 0 && !emu_is_device(four[i].from, four[i].bytes))
            emu_stop(NULL, 0, "%s: %s, %zu bytes, is not in one allocation of the device", call, four[i].name,
                     four[i].bytes);
    for (int i = 2; i < 4; i++)
        for (int k = 0; k < i; k++)
            if (four[i].bytes > 0 && four[k].bytes > 0 && overlap(&four[i], &four[k]))
                emu_stop(NULL, 0, "%s: %s overlaps %s", call, four[i].name, four[k].name);
}

static void check_factors(const char *call, const void *alpha, const void *beta) {
    if (emu_is_device(alpha, sizeof(float)) || emu_is_device(beta, sizeof(float)))
        emu_stop(NULL, 0, "%s: alpha and beta are read by the host, and are in the device's memory", call);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* What the three calls have in common. */
typedef struct request {
    const char *name;
    void (*run)(const void *arguments);
    emu_dnn_way way;
    int number;
    cudnnTensorDescriptor_t x, z;
    cudnnFilterDescriptor_t filter;
    cudnnConvolutionDescriptor_t convolution;
    const float *alpha, *beta;
    void *workspace;
    size_t workspace_bytes;
} request;

static cudnnStatus_t check_request(cudnnHandle_t handle, const request *r, emu_dnn_algorithm *algorithm) {
    if (handle == NULL || r->alpha == NULL || r->beta == NULL) return CUDNN_STATUS_BAD_PARAM;
    const cudnnStatus_t status = emu_dnn_fit(r->x, r->filter, r->convolution, r->z);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!emu_dnn_find(r->way, r->number, r->x, r->filter, r->convolution, r->z, algorithm))
        return CUDNN_STATUS_BAD_PARAM;
    if (algorithm->status != CUDNN_STATUS_SUCCESS) return algorithm->status;
    if (algorithm->workspace > 0 && (r->workspace == NULL || r->workspace_bytes < algorithm->workspace))
        return CUDNN_STATUS_BAD_PARAM;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t queue(cudnnHandle_t handle, const request *r, const float *x, const float *filter, const float *z,
                           float *out) {
    emu_dnn_algorithm algorithm;
    cudnnStatus_t status = check_request(handle, r, &algorithm);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (out == NULL || (x == NULL) + (filter == NULL) + (z == NULL) != 1) return CUDNN_STATUS_BAD_PARAM;
    const range x_range = tensor_range(r->way == EMU_DNN_DATA ? "dx" : "x", x ? x : out, r->x);
    const range filter_range_of = filter_range(r->way == EMU_DNN_FILTER ? "dw" : "w", filter ? filter : out, r->filter);
    const range z_range = tensor_range(r->way == EMU_DNN_FORWARD ? "y" : "dy", z ? z : out, r->z);
    const range own = {"workspace", r->workspace, algorithm.workspace};
    emu_lock();
    check_factors(r->name, r->alpha, r->beta);
    check_ranges(r->name, (const range[4]){x ? x_range : z_range, filter ? filter_range_of : z_range,
                                           !x ? x_range : (!filter ? filter_range_of : z_range), own});
    const job j = {.batch = r->x->n,
                   .length = r->x->w,
                   .channels = r->x->c,
                   .width = r->filter->w,
                   .pad = r->convolution->pad_w,
                   .conv_length = r->z->w,
                   .filters = r->filter->k,
                   .scale = *r->alpha,
                   .keep = *r->beta,
                   .rounded = r->convolution->math != CUDNN_FMA_MATH,
                   .random = algorithm.determinism == CUDNN_NON_DETERMINISTIC,
                   .x = x,
                   .filter = filter,
                   .z = z,
                   .out = out,
                   .workspace = algorithm.workspace ? r->workspace : out,
                   .workspace_bytes = algorithm.workspace};
    if (emu_queue_call(r->name, r->run, &j, sizeof j, emu_stream_of(handle->stream)) != cudaSuccess)
        status = CUDNN_STATUS_EXECUTION_FAILED_CUDART;
    emu_unlock();
    return status;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_is,
                                      const void *x, const cudnnFilterDescriptor_t filter_is, const void *filter,
                                      const cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t number,
                                      void *workspace, size_t bytes, const void *beta,
                                      const cudnnTensorDescriptor_t z_is, void *z) {
    const request r = {"cudnnConvolutionForward",
                       run_forward,
                       EMU_DNN_FORWARD,
                       (int)number,
                       x_is,
                       z_is,
                       filter_is,
                       convolution,
                       alpha,
                       beta,
                       workspace,
                       bytes};
    return queue(handle, &r, x, filter, NULL, z);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha,
                                           const cudnnFilterDescriptor_t filter_is, const void *filter,
                                           const cudnnTensorDescriptor_t dz_is, const void *dz,
                                           const cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t number, void *workspace, size_t bytes,
                                           const void *beta, const cudnnTensorDescriptor_t dx_is, void *dx) {
    const request r = {"cudnnConvolutionBackwardData",
                       run_data,
                       EMU_DNN_DATA,
                       (int)number,
                       dx_is,
                       dz_is,
                       filter_is,
                       convolution,
                       alpha,
                       beta,
                       workspace,
                       bytes};
    return queue(handle, &r, NULL, filter, dz, dx);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha,
                                             const cudnnTensorDescriptor_t x_is, const void *x,
                                             const cudnnTensorDescriptor_t dz_is, const void *dz,
                                             const cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t number, void *workspace, size_t bytes,
                                             const void *beta, const cudnnFilterDescriptor_t dfilter_is,
                                             void *dfilter) {
    const request r = {"cudnnConvolutionBackwardFilter",
                       run_filter,
                       EMU_DNN_FILTER,
                       (int)number,
                       x_is,
                       dz_is,
                       dfilter_is,
                       convolution,
                       alpha,
                       beta,
                       workspace,
                       bytes};
    return queue(handle, &r, x, NULL, dz, dfilter);
}

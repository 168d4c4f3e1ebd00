/* test_dnn.c: the convolutions of kernels/cuda/dnn.h on the emulated GPU, whose cuDNN is tests/emu/cudnn.c: against
 * plain loops over the formula, in a captured graph, the choice of algorithms, errors, and that faults are caught.
 */
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dnn_fixture.h"
#include "emu/cudnn_fake.h"
#include "emu/stopped.h"

#define GOOD(call) assert_int_equal(call, cudaSuccess)
#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

static const emu_order ORDERS[] = {EMU_FORWARD, EMU_REVERSE, EMU_SHUFFLED};

/* ---- the formula ------------------------------------------------------------------------------------------------- */

/* Tensors of a convolution on the host, and what is expected, each with the sum of absolute products, which bounds how
 * far rounding may move it. */
typedef struct example {
    cuda_convolution is;
    size_t x_count, kernel_count, z_count;
    float *x, *kernel, *dz;                  /* (N,L,C) (K,C,F) (N,Lc,F) */
    double *z, *dx, *dkernel;                /* likewise */
    double *z_size, *dx_size, *dkernel_size; /* likewise */
} example;

/* Between -1 and 1, all 24 bits of it. */
static void draw(float *values, size_t count, uint64_t seed) {
    xc_random_sequence draws = {.seed = seed, .stream = XC_STREAM_SIMULATE, .substream = 7};
    for (size_t i = 0; i < count; i++) values[i] = (float)xc_random_below(&draws, 1 << 24) / (1 << 23) - 1;
}

static void sum_up(example *e) {
    const cuda_convolution *is = &e->is;
    for (int n = 0; n < is->batch; n++)
        for (int l = 0; l < is->conv_length; l++)
            for (int k = 0; k < is->width; k++) {
                const int from = l + k - is->pad_left;
                if (from < 0 || from >= is->length) continue;
                for (int c = 0; c < is->channels; c++)
                    for (int f = 0; f < is->filters; f++) {
                        const size_t x = ((size_t)n * is->length + from) * is->channels + c;
                        const size_t w = ((size_t)k * is->channels + c) * is->filters + f;
                        const size_t z = ((size_t)n * is->conv_length + l) * is->filters + f;
                        const double to_z = (double)e->x[x] * e->kernel[w], to_x = (double)e->dz[z] * e->kernel[w],
                                     to_kernel = (double)e->dz[z] * e->x[x];
                        e->z[z] += to_z, e->z_size[z] += fabs(to_z);
                        e->dx[x] += to_x, e->dx_size[x] += fabs(to_x);
                        e->dkernel[w] += to_kernel, e->dkernel_size[w] += fabs(to_kernel);
                    }
            }
}

static example make_example(const cuda_convolution *is, uint64_t seed) {
    example e = {.is = *is,
                 .x_count = (size_t)is->batch * is->length * is->channels,
                 .kernel_count = (size_t)is->width * is->channels * is->filters,
                 .z_count = (size_t)is->batch * is->conv_length * is->filters};
    e.x = calloc(e.x_count, sizeof(float));
    e.kernel = calloc(e.kernel_count, sizeof(float));
    e.dz = calloc(e.z_count, sizeof(float));
    e.z = calloc(e.z_count, sizeof(double));
    e.dx = calloc(e.x_count, sizeof(double));
    e.dkernel = calloc(e.kernel_count, sizeof(double));
    e.z_size = calloc(e.z_count, sizeof(double));
    e.dx_size = calloc(e.x_count, sizeof(double));
    e.dkernel_size = calloc(e.kernel_count, sizeof(double));
    draw(e.x, e.x_count, seed);
    draw(e.kernel, e.kernel_count, seed + 1000);
    draw(e.dz, e.z_count, seed + 2000);
    sum_up(&e);
    return e;
}

static void free_example(example *e) {
    void *all[] = {e->x, e->kernel, e->dz, e->z, e->dx, e->dkernel, e->z_size, e->dx_size, e->dkernel_size};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* ---- the device -------------------------------------------------------------------------------------------------- */

static cuda_dnn *dnn;
static cudaStream_t stream;

static int open_dnn(void **state) {
    MUST(cuda_dnn_open(&dnn, error));
    GOOD(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return make_config_folder(state);
}

static int close_dnn(void **state) {
    (void)state;
    cuda_dnn_close(dnn);
    cuda_dnn_close(NULL);
    GOOD(cudaStreamDestroy(stream));
    return 0;
}

static float *device(size_t bytes) {
    void *memory;
    GOOD(cudaMalloc(&memory, bytes));
    return memory;
}

static float *device_copy(const float *values, size_t count) {
    float *memory = device(count * sizeof *values);
    GOOD(cudaMemcpy(memory, values, count * sizeof *values, cudaMemcpyHostToDevice));
    return memory;
}

/* The tensors on the device; results begin as NaN, but for dkernel, which begins as the kernel. */
typedef struct tensors {
    float *x, *kernel, *dz, *z, *dx, *dkernel;
    void *workspace;
    size_t bytes;
} tensors;

static tensors make_tensors(const example *e) {
    tensors t = {.x = device_copy(e->x, e->x_count),
                 .kernel = device_copy(e->kernel, e->kernel_count),
                 .dz = device_copy(e->dz, e->z_count),
                 .z = device(e->z_count * sizeof(float)),
                 .dx = device(e->x_count * sizeof(float)),
                 .dkernel = device_copy(e->kernel, e->kernel_count)};
    MUST(cuda_dnn_plan(dnn, &e->is, &t.bytes, error));
    t.workspace = device(t.bytes);
    return t;
}

static void free_tensors(tensors *t) {
    float *all[] = {t->x, t->kernel, t->dz, t->z, t->dx, t->dkernel, t->workspace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) GOOD(cudaFree(all[i]));
}

static void forward(const example *e, tensors *t) {
    MUST(cuda_dnn_forward(dnn, &e->is, t->x, t->kernel, t->z, t->workspace, t->bytes, stream, error));
}
static void input_gradient(const example *e, tensors *t, bool add) {
    MUST(cuda_dnn_input_gradient(dnn, &e->is, t->dz, t->kernel, t->dx, add, t->workspace, t->bytes, stream, error));
}
static void kernel_gradient(const example *e, tensors *t) {
    MUST(cuda_dnn_kernel_gradient(dnn, &e->is, t->x, t->dz, t->dkernel, t->workspace, t->bytes, stream, error));
}

/* The largest error of `count` results, in parts of the sum of absolute products, where `times` the sum was added to
 * `begin` (or NULL). */
static double error_of(const float *on_device, const float *begin, int times, const double *sum, const double *size,
                       size_t count) {
    double worst = 0;
    float *values = calloc(count, sizeof *values);
    GOOD(cudaMemcpy(values, on_device, count * sizeof *values, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < count; i++) {
        const double before = begin ? begin[i] : 0;
        const double off = fabs(values[i] - (before + times * sum[i])) / (times * size[i] + fabs(before) + 1e-30);
        if (!(off <= worst)) worst = off; /* a NaN stays */
        if (isnan(off)) break;
    }
    free(values);
    return worst;
}

/* After `times` calls each, of which the input gradient's first does not add. */
static void assert_right(const example *e, const tensors *t, int times, double least, double most) {
    const double z = error_of(t->z, NULL, 1, e->z, e->z_size, e->z_count),
                 dx = error_of(t->dx, NULL, times, e->dx, e->dx_size, e->x_count),
                 dkernel = error_of(t->dkernel, e->kernel, times, e->dkernel, e->dkernel_size, e->kernel_count);
    if (!(z <= most && dx <= most && dkernel <= most) || z < least || dx < least || dkernel < least)
        fail_msg("x (%d,%d,%d), %d filters of width %d, pad %d: off by %g %g %g", e->is.batch, e->is.length,
                 e->is.channels, e->is.filters, e->is.width, e->is.pad_left, z, dx, dkernel);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

#define ROUNDING 2e-7 /* a few roundings of sums that are exact but for these */

static void all_three_at(const cuda_convolution *is, uint64_t seed) {
    example e = make_example(is, seed);
    tensors t = make_tensors(&e);
    forward(&e, &t);
    input_gradient(&e, &t, false);
    kernel_gradient(&e, &t);
    GOOD(cudaStreamSynchronize(stream));
    assert_right(&e, &t, 1, 0, ROUNDING);
    kernel_gradient(&e, &t); /* all in the stream at once, with one workspace */
    input_gradient(&e, &t, true);
    forward(&e, &t);
    GOOD(cudaStreamSynchronize(stream));
    assert_right(&e, &t, 2, 0, ROUNDING);
    free_tensors(&t);
    free_example(&e);
}

static void sums_are_right(void **state) {
    (void)state;
    static const int widths[] = {1, 3, 7, 11}, counts[] = {1, 3, 4, 33}, lengths[] = {1, 5, 14};
    int tried = 0;
    for (int w = 0; w < 4; w++)
        for (int c = 0; c < 4; c++)
            for (int f = 0; f < 4; f++)
                for (int same = 0; same < 2; same++, tried++) {
                    const int length = same ? lengths[tried / 2 % 3] : widths[w] + tried % 7;
                    const cuda_convolution is =
                        convolution_of(1 + tried % 5, length, counts[c], widths[w], same, counts[f]);
                    emu_set_order(ORDERS[tried % 3], (uint64_t)tried);
                    all_three_at(&is, (uint64_t)tried);
                }
    emu_set_order(EMU_FORWARD, 1);
}

/* Any symmetric padding will do, even one that makes the output longer. */
static void other_paddings_are_right(void **state) {
    (void)state;
    for (int pad = 0; pad < 6; pad++) {
        cuda_convolution is = convolution_of(3, 9, 5, 4, false, 6);
        is.pad_left = pad;
        is.conv_length = is.length + 2 * pad - is.width + 1;
        all_three_at(&is, (uint64_t)pad);
    }
}

/* TF32 has 11 bits of precision, float32 has 24. */
static void precision_is_what_was_asked_for(void **state) {
    (void)state;
    cuda_convolution is = convolution_of(2, 12, 33, 7, true, 4);
    for (is.precision = XC_FP32; is.precision <= XC_TF32; is.precision++) {
        example e = make_example(&is, 5);
        tensors t = make_tensors(&e);
        forward(&e, &t);
        input_gradient(&e, &t, false);
        kernel_gradient(&e, &t);
        GOOD(cudaStreamSynchronize(stream));
        assert_right(&e, &t, 1, is.precision == XC_FP32 ? 0 : 1e-5, is.precision == XC_FP32 ? ROUNDING : 1e-3);
        free_tensors(&t);
        free_example(&e);
    }
}

/* Captured once, replayed for other values: nothing is computed at the capture, and each launch computes all. */
static void graphs_replay_it(void **state) {
    (void)state;
    const cuda_convolution is = convolution_of(2, 10, 4, 3, true, 33);
    example e = make_example(&is, 1), other = make_example(&is, 99);
    tensors t = make_tensors(&e);
    cudaGraph_t graph;
    cudaGraphExec_t made;
    size_t nodes;
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    forward(&e, &t);
    input_gradient(&e, &t, false);
    input_gradient(&e, &t, true);
    kernel_gradient(&e, &t);
    kernel_gradient(&e, &t);
    GOOD(cudaStreamEndCapture(stream, &graph));
    GOOD(cudaGraphGetNodes(graph, NULL, &nodes));
    assert_int_equal(nodes, 10);
    GOOD(cudaGraphInstantiate(&made, graph, 0));
    GOOD(cudaGraphDestroy(graph));
    GOOD(cudaStreamSynchronize(stream));
    assert_true(isnan(error_of(t.z, NULL, 1, e.z, e.z_size, e.z_count)));
    GOOD(cudaGraphLaunch(made, stream));
    GOOD(cudaStreamSynchronize(stream));
    assert_right(&e, &t, 2, 0, ROUNDING);
    GOOD(cudaMemcpy(t.x, other.x, e.x_count * sizeof(float), cudaMemcpyHostToDevice));
    GOOD(cudaMemcpy(t.kernel, other.kernel, e.kernel_count * sizeof(float), cudaMemcpyHostToDevice));
    GOOD(cudaMemcpy(t.dz, other.dz, e.z_count * sizeof(float), cudaMemcpyHostToDevice));
    GOOD(cudaMemcpy(t.dkernel, other.kernel, e.kernel_count * sizeof(float), cudaMemcpyHostToDevice));
    GOOD(cudaGraphLaunch(made, stream));
    GOOD(cudaStreamSynchronize(stream));
    assert_right(&other, &t, 2, 0, ROUNDING);
    GOOD(cudaGraphExecDestroy(made));
    free_tensors(&t);
    free_example(&e);
    free_example(&other);
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static void shapes_that_it_can(void **state) {
    (void)state;
    cuda_convolution is = convolution_of(4, 20, 8, 5, true, 8), good = is;
    assert_true(cuda_dnn_can(&is));
    is.width = 6; /* same, of even width: 2 before, 3 after */
    assert_false(cuda_dnn_can(&is));
    is = good, is.pad_left = 1;
    assert_false(cuda_dnn_can(&is));
    is = good, is.pad_left = -1, is.conv_length = 14;
    assert_false(cuda_dnn_can(&is));
    is = good, is.precision = XC_BF16;
    assert_false(cuda_dnn_can(&is));
    is = good, is.precision = XC_TF32;
    assert_true(cuda_dnn_can(&is));
    is = good, is.batch = 0;
    assert_false(cuda_dnn_can(&is));
    is = convolution_of(4, 5, 8, 6, false, 8); /* no output at all */
    assert_false(cuda_dnn_can(&is));
    is = convolution_of(1 << 20, 1 << 10, 2, 1, true, 1); /* 2^31 elements of x */
    assert_false(cuda_dnn_can(&is));
    is.batch--;
    assert_true(cuda_dnn_can(&is));
    is = convolution_of(1 << 20, 1 << 10, 1, 1, true, 2); /* of z */
    assert_false(cuda_dnn_can(&is));
}

static void the_zoo_is_described(void **state) {
    (void)state;
    assert_true(visit_zoo(assert_described) > 30);
}

static void descriptors_are_refused(void **state) {
    (void)state;
    assert_descriptors_refused();
}

/* The list begins with what may not be taken: see tests/emu/cudnn_fake.h. */
static void the_right_algorithm_is_chosen(void **state) {
    (void)state;
    cudnnHandle_t handle;
    const cuda_convolution is = convolution_of(2, 9, 4, 3, true, 5);
    GIVES(SUCCESS, cudnnCreate, &handle);
    dnn_plan plan = {.shape = is};
    MUST(dnn_plan_describe(&plan, error));
    for (dnn_way way = 0; way < DNN_WAYS; way++) /* what the lists are made for */
        assert_int_equal(plan.way[way].convolution->math, CUDNN_FMA_MATH);
    MUST(dnn_plan_choose(&plan, handle, error));
    assert_int_equal(plan.way[DNN_FORWARD].algorithm, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
    assert_int_equal(plan.way[DNN_INPUT_GRADIENT].algorithm, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
    assert_int_equal(plan.way[DNN_KERNEL_GRADIENT].algorithm, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
    assert_int_equal(plan.way[DNN_FORWARD].workspace, 2 * 9 * 3 * 4 * sizeof(float)); /* 0 in the list */
    assert_int_equal(plan.way[DNN_INPUT_GRADIENT].workspace, 2 * 2 * 9 * 3 * 4 * sizeof(float));
    dnn_plan_clear(&plan);
    plan.shape.precision = XC_TF32;
    MUST(dnn_plan_describe(&plan, error));
    MUST(dnn_plan_choose(&plan, handle, error));
    assert_int_equal(plan.way[DNN_FORWARD].algorithm, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
    assert_int_equal(plan.way[DNN_INPUT_GRADIENT].algorithm, CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING);
    assert_int_equal(plan.way[DNN_KERNEL_GRADIENT].algorithm, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING);
    dnn_plan_clear(&plan);
    GIVES(SUCCESS, cudnnDestroy, handle);
}

/* Other shapes between do not change what a shape was given. */
static void plans_are_kept(void **state) {
    (void)state;
    const cuda_convolution is = convolution_of(2, 9, 4, 3, true, 5);
    size_t bytes = 0, again = 0;
    MUST(cuda_dnn_plan(dnn, &is, &bytes, error));
    assert_int_equal(bytes, 256 + 2 * 2 * 9 * 3 * 4 * sizeof(float)); /* 60 floats turned, and the largest */
    for (int length = 10; length < 14; length++) {
        const cuda_convolution longer = convolution_of(2, length, 4, 3, true, 5);
        MUST(cuda_dnn_plan(dnn, &longer, &again, error));
        assert_true(again > bytes);
    }
    MUST(cuda_dnn_plan(dnn, &is, &again, error));
    assert_int_equal(again, bytes);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void errors_are_lines(void **state) {
    (void)state;
    static const struct {
        int code;
        xc_status status;
        const char *text;
    } errors[] = {
        {1001, XC_DEVICE,
         "cudnnX: CUDNN_STATUS_NOT_INITIALIZED (1001); look at what nvidia-smi says, or use --device cpu"},
        {1008, XC_DEVICE,
         "cudnnX: CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED (1008); its files are not all there or not of one version: "
         "install cuDNN again"},
        {2000, XC_DEVICE,
         "cudnnX: CUDNN_STATUS_BAD_PARAM (2000); a fault of this program: please report it with the config"},
        {3000, XC_DEVICE,
         "cudnnX: CUDNN_STATUS_NOT_SUPPORTED (3000); this version of cuDNN cannot do that on this GPU: do without it"},
        {4003, XC_MEMORY,
         "cudnnX: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED (4003); use a smaller batch or fewer trials at a "
         "time"},
        {4004, XC_MEMORY,
         "cudnnX: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED (4004); use a smaller batch or fewer trials at "
         "a "
         "time"},
        {5003, XC_DEVICE,
         "cudnnX: CUDNN_STATUS_EXECUTION_FAILED_CUDART (5003); run again, with --device cpu if it comes again"},
        {9999, XC_DEVICE, "cudnnX: CUDNN_UNKNOWN_STATUS (9999); run again, with --device cpu if it comes again"}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        xc_error error = {0};
        assert_int_equal(dnn_check((cudnnStatus_t)errors[i].code, "cudnnX", &error), errors[i].status);
        assert_string_equal(error.text, errors[i].text);
    }
    assert_int_equal(dnn_check(CUDNN_STATUS_SUCCESS, "cudnnX", NULL), XC_OK);
}

static void assert_not_planned(const cuda_convolution *is, const char *text) {
    xc_error error = {0};
    size_t bytes = 7;
    assert_int_equal(cuda_dnn_plan(dnn, is, &bytes, &error), XC_DEVICE);
    assert_string_equal(error.text, text);
    assert_int_equal(bytes, 7);
}

static void what_cannot_be_planned_is_told(void **state) {
    (void)state;
    cuda_convolution is = convolution_of(4, 20, 8, 6, true, 8);
    assert_not_planned(&is,
                       "cuDNN cannot do this convolution (length 20, width 6, pad 2, output 20); it pads both ends "
                       "the same and computes float32 or TF32");
    is = convolution_of(5000, 200, 33, 11, true, 4); /* too much workspace for the last algorithm too */
    assert_not_planned(&is,
                       "cuDNN: of 6 algorithms for forward none is deterministic, precise enough and content with "
                       "256 MB; do without it");
    is.precision = XC_TF32;
    size_t bytes;
    MUST(cuda_dnn_plan(dnn, &is, &bytes, error));
}

static void small_workspace_is_told(void **state) {
    (void)state;
    const cuda_convolution is = convolution_of(2, 9, 4, 3, true, 5);
    example e = make_example(&is, 1);
    tensors t = make_tensors(&e);
    xc_error told = {0};
    /* The input gradient wants all that was planned, the others less. */
    const size_t least = t.bytes - 2 * 9 * 3 * 4 * sizeof(float);
    assert_int_equal(
        cuda_dnn_input_gradient(dnn, &is, t.dz, t.kernel, t.dx, true, t.workspace, t.bytes - 1, stream, &told),
        XC_DEVICE);
    assert_string_equal(told.text,
                        "cuDNN: a workspace of 1983 bytes where 1984 are wanted; a fault of this program: "
                        "please report it with the config");
    assert_int_equal(cuda_dnn_forward(dnn, &is, t.x, t.kernel, t.z, t.workspace, least - 1, stream, &told), XC_DEVICE);
    assert_int_equal(cuda_dnn_kernel_gradient(dnn, &is, t.x, t.dz, t.dkernel, t.workspace, least - 1, stream, &told),
                     XC_DEVICE);
    MUST(cuda_dnn_forward(dnn, &is, t.x, t.kernel, t.z, t.workspace, least, stream, error));
    MUST(cuda_dnn_kernel_gradient(dnn, &is, t.x, t.dz, t.dkernel, t.workspace, least, stream, error));
    assert_int_equal(cuda_dnn_forward(dnn, &is, t.x, t.kernel, t.z, NULL, t.bytes, stream, &told), XC_DEVICE);
    assert_int_equal(cuda_dnn_forward(dnn, &is, NULL, t.kernel, t.z, t.workspace, t.bytes, stream, &told), XC_DEVICE);
    assert_string_equal(told.text,
                        "cudnnConvolutionForward: CUDNN_STATUS_BAD_PARAM (2000); a fault of this program: "
                        "please report it with the config");
    GOOD(cudaStreamSynchronize(stream));
    free_tensors(&t);
    free_example(&e);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* The calls themselves, with one thing wrong each. */
static void calls_refuse_what_does_not_fit(void **state) {
    (void)state;
    const cuda_convolution is = convolution_of(2, 9, 4, 3, true, 5), longer = convolution_of(2, 10, 4, 3, true, 5);
    example e = make_example(&is, 1);
    tensors t = make_tensors(&e);
    xc_error error = {0};
    cudnnHandle_t handle;
    dnn_plan plan = {.shape = is}, other = {.shape = longer};
    const float one = 1, zero = 0;
    const size_t bytes = 2 * 9 * 3 * 4 * sizeof(float);
    const cudnnConvolutionFwdAlgo_t algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    GIVES(SUCCESS, cudnnCreate, &handle);
    assert_int_equal(dnn_plan_describe(&plan, &error), XC_OK);
    assert_int_equal(dnn_plan_describe(&other, &error), XC_OK);
    const cudnnConvolutionDescriptor_t c = plan.way[DNN_FORWARD].convolution;
#define FORWARD(status, alpha, c, algorithm, own, bytes, z_is)                                                   \
    GIVES(status, cudnnConvolutionForward, handle, alpha, plan.x, t.x, plan.kernel, t.kernel, c, algorithm, own, \
          bytes, &zero, z_is, t.z)
    FORWARD(SUCCESS, &one, c, algorithm, t.workspace, bytes, plan.z);
    FORWARD(BAD_PARAM, NULL, c, algorithm, t.workspace, bytes, plan.z);
    FORWARD(BAD_PARAM, &one, NULL, algorithm, t.workspace, bytes, plan.z);
    FORWARD(BAD_PARAM, &one, c, algorithm, t.workspace, bytes - 1, plan.z);
    FORWARD(BAD_PARAM, &one, c, algorithm, NULL, bytes, plan.z);
    FORWARD(BAD_PARAM, &one, c, algorithm, t.workspace, bytes, other.z); /* wrong output */
    FORWARD(BAD_PARAM, &one, c, algorithm, t.workspace, bytes, NULL);
    FORWARD(BAD_PARAM, &one, c, CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, t.workspace, bytes, plan.z);
    FORWARD(NOT_SUPPORTED, &one, c, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, t.workspace, bytes, plan.z);
    GIVES(SUCCESS, cudnnSetTensor4dDescriptor, other.z, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 5, 1, 9);
    FORWARD(NOT_SUPPORTED, &one, c, algorithm, t.workspace, bytes, other.z);
    GIVES(SUCCESS, cudnnSetTensor4dDescriptor, other.z, CUDNN_TENSOR_NHWC, CUDNN_DATA_HALF, 2, 5, 1, 9);
    FORWARD(NOT_SUPPORTED, &one, c, algorithm, t.workspace, bytes, other.z);
    dnn_plan_clear(&plan);
    dnn_plan_clear(&other);
    GOOD(cudaDeviceSynchronize());
    GIVES(SUCCESS, cudnnDestroy, handle);
    free_tensors(&t);
    free_example(&e);
}

typedef enum fault {
    SHORT_X,
    SHORT_Z,
    HOST_DX,
    SHORT_WORKSPACE,
    X_IS_Z,
    X_IN_WORKSPACE,
    SHORT_KERNEL,
    SHORT_DKERNEL,
    DEVICE_ALPHA
} fault;

static void alpha_on_the_device(const tensors *t, const cuda_convolution *is) {
    cudnnHandle_t handle;
    dnn_plan plan = {.shape = *is};
    const float zero = 0;
    MUST(dnn_plan_describe(&plan, error));
    GIVES(SUCCESS, cudnnCreate, &handle);
    dnn_calls.cudnnConvolutionForward(handle, t->x, plan.x, t->x, plan.kernel, t->kernel,
                                      plan.way[DNN_FORWARD].convolution, CUDNN_CONVOLUTION_FWD_ALGO_GEMM, NULL, 0,
                                      &zero, plan.z, t->z);
}

static void do_wrong(int what) {
    const cuda_convolution is = convolution_of(2, 9, 5, 3, true, 5);
    example e = make_example(&is, 1);
    tensors t = make_tensors(&e);
    float *host = calloc(e.x_count, sizeof *host);
    if (what == SHORT_X) t.x++;
    if (what == SHORT_Z) t.z = device((e.z_count - 1) * sizeof(float));
    if (what == HOST_DX) t.dx = host;
    if (what == SHORT_WORKSPACE) t.workspace = device(t.bytes - sizeof(float));
    if (what == X_IS_Z) t.x = t.z;
    if (what == X_IN_WORKSPACE) t.x = (float *)((char *)t.workspace + 512);
    if (what == SHORT_KERNEL) t.kernel = device(256);
    if (what == SHORT_DKERNEL) t.dkernel = device(256);
    if (what == DEVICE_ALPHA) alpha_on_the_device(&t, &is);
    if (what == SHORT_DKERNEL) kernel_gradient(&e, &t);
    if (what == HOST_DX || what == SHORT_WORKSPACE) input_gradient(&e, &t, false);
    forward(&e, &t);
    cudaStreamSynchronize(stream);
}

static void faults_are_stopped(void **state) {
    (void)state;
    assert_stopped(do_wrong, SHORT_X, "cudnnConvolutionForward: x, 360 bytes, is not in one allocation of the device");
    assert_stopped(do_wrong, SHORT_Z, "cudnnConvolutionForward: y, 360 bytes, is not in one allocation of the device");
    assert_stopped(do_wrong, HOST_DX,
                   "cudnnConvolutionBackwardData: dx, 360 bytes, is not in one allocation of the device");
    assert_stopped(do_wrong, SHORT_WORKSPACE,
                   "cudnnConvolutionBackwardData: workspace, 2160 bytes, is not in one allocation");
    assert_stopped(do_wrong, X_IS_Z, "cudnnConvolutionForward: y overlaps x");
    assert_stopped(do_wrong, X_IN_WORKSPACE, "cudnnConvolutionForward: workspace overlaps x");
#if !defined(__SANITIZE_THREAD__) /* which is confused by kernels in the child of a fork */
    assert_stopped(do_wrong, SHORT_KERNEL, "reads or writes 256 bytes from the start of an allocation of 256");
    assert_stopped(do_wrong, SHORT_DKERNEL, "reads or writes 256 bytes from the start of an allocation of 256");
#endif
    assert_stopped(do_wrong, DEVICE_ALPHA, "alpha and beta are read by the host, and are in the device's memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_right),
        cmocka_unit_test(other_paddings_are_right),
        cmocka_unit_test(precision_is_what_was_asked_for),
        cmocka_unit_test(graphs_replay_it),
        cmocka_unit_test(shapes_that_it_can),
        cmocka_unit_test(the_zoo_is_described),
        cmocka_unit_test(descriptors_are_refused),
        cmocka_unit_test(the_right_algorithm_is_chosen),
        cmocka_unit_test(plans_are_kept),
        cmocka_unit_test(errors_are_lines),
        cmocka_unit_test(what_cannot_be_planned_is_told),
        cmocka_unit_test(small_workspace_is_told),
        cmocka_unit_test(calls_refuse_what_does_not_fit),
        cmocka_unit_test(faults_are_stopped),
    };
    return cmocka_run_group_tests_name("dnn", tests, open_dnn, close_dnn);
}

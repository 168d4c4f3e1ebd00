/* test_blas.c: matrix products of the CUDA backend (kernels/cuda/blas.c) on the emulated GPU: against a plain loop, the
 * same to the byte for any number of trials, in graphs, at each precision, and what is said when they fail. The
 * emulated cuBLASLt (tests/emu/cublaslt.h) is shown to catch what a program may do wrong with the real one.
 */
#include <math.h>
#include <stdlib.h>

#include "emu/cublaslt.h"
#include "emu/stopped.h"
#include "../kernels/cuda/blas.h"

#define GOOD(call) assert_int_equal(call, cudaSuccess)
#define LT(call) assert_int_equal(call, CUBLAS_STATUS_SUCCESS)

static cuda_blas *blas;
static cudaStream_t stream;

static void assert_ok(xc_status status, const xc_error *error) {
    if (status != XC_OK) fail_msg("%s", error->text);
}
#define OK(call) assert_ok(call, &error)

static int open_all(void **state) {
    xc_error error = {0};
    (void)state;
    OK(cuda_blas_open(&blas, &error));
    GOOD(cudaStreamCreate(&stream));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    GOOD(cudaStreamDestroy(stream));
    cuda_blas_close(blas);
    return 0;
}

/* ---- a product and what it must be ------------------------------------------------------------------------------- */

/* The three arrays of a product, on the host and on the device, and their sizes in floats. */
typedef struct arrays {
    cuda_product product; /* of the device's */
    float *a, *b, *c;
    size_t a_count, b_count, c_count;
} arrays;

static float value_of(size_t i) { return (float)((i * 2654435761u) % 2003) / 1000 - 1; }

static float *filled(size_t count, size_t seed) {
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = value_of(i + seed);
    return values;
}

static float *uploaded(const float *values, size_t count) {
    void *memory;
    GOOD(cudaMalloc(&memory, count * sizeof *values));
    if (values) GOOD(cudaMemcpy(memory, values, count * sizeof *values, cudaMemcpyHostToDevice));
    return memory;
}

/* Trials are `gap` floats apart, and the last ends where its matrix does. With beta 0 c is what memory is before it is
 * written: no number. */
static arrays make(int32_t rows, int32_t columns, int32_t depth, int32_t trials, size_t gap, float beta) {
    arrays x = {.product = {.rows = rows, .columns = columns, .depth = depth, .trials = trials, .beta = beta}};
    cuda_product *p = &x.product;
    const size_t a = (size_t)rows * (size_t)depth, b = (size_t)depth * (size_t)columns;
    const size_t c = (size_t)rows * (size_t)columns, others = (size_t)trials - 1;
    p->a_stride = a + gap;
    p->b_stride = b + gap;
    p->c_stride = c + gap;
    x.a = filled(x.a_count = others * p->a_stride + a, 1);
    x.b = filled(x.b_count = others * p->b_stride + b, 77);
    x.c = filled(x.c_count = others * p->c_stride + c, 1234);
    p->a = uploaded(x.a, x.a_count);
    p->b = uploaded(x.b, x.b_count);
    p->c = uploaded(beta == 0 ? NULL : x.c, x.c_count);
    return x;
}

static void drop(arrays *x) {
    GOOD(cudaFree((void *)x->product.a));
    GOOD(cudaFree((void *)x->product.b));
    GOOD(cudaFree(x->product.c));
    free(x->a);
    free(x->b);
    free(x->c);
}

static float *downloaded(const arrays *x) {
    float *values = malloc(x->c_count * sizeof *values);
    assert_non_null(values);
    GOOD(cudaMemcpyAsync(values, x->product.c, x->c_count * sizeof *values, cudaMemcpyDeviceToHost, stream));
    GOOD(cudaStreamSynchronize(stream));
    return values;
}

static double factor(const float *x, bool turn, int32_t row, int32_t column, int32_t rows, int32_t columns) {
    return turn ? x[(size_t)column * (size_t)rows + (size_t)row] : x[(size_t)row * (size_t)columns + (size_t)column];
}

/* Element (i,j) of trial t, times `times` that the product was asked for. */
static double expected(const arrays *x, int32_t t, int32_t i, int32_t j, int times) {
    const cuda_product *p = &x->product;
    const float *a = x->a + (size_t)t * p->a_stride, *b = x->b + (size_t)t * p->b_stride;
    double sum = 0;
    for (int32_t k = 0; k < p->depth; k++)
        sum += factor(a, p->turn_a, i, k, p->rows, p->depth) * factor(b, p->turn_b, k, j, p->depth, p->columns);
    if (p->beta == 0) return sum;
    return times * sum + x->c[(size_t)t * p->c_stride + (size_t)i * (size_t)p->columns + (size_t)j];
}

/* The largest error in units of what the sum of |a b| could be. */
static double largest_error(const arrays *x, int times) {
    const cuda_product *p = &x->product;
    float *got = downloaded(x);
    double largest = 0;
    for (int32_t t = 0; t < p->trials; t++)
        for (int32_t i = 0; i < p->rows; i++)
            for (int32_t j = 0; j < p->columns; j++) {
                const float is = got[(size_t)t * p->c_stride + (size_t)i * (size_t)p->columns + (size_t)j];
                const double error = fabs(is - expected(x, t, i, j, times)) / (p->depth + 1);
                largest = error <= largest ? largest : isnan(error) ? INFINITY : error;
            }
    free(got);
    return largest;
}

/* ---- right ------------------------------------------------------------------------------------------------------- */

static void test_products(void **state) {
    static const int32_t sizes[][3] = {{1, 1, 1},    {1, 64, 17},  {13, 1, 64},  {7, 31, 1},  {64, 64, 64},
                                       {63, 65, 64}, {65, 63, 63}, {3, 127, 65}, {5, 2, 257}, {1, 1, 1009}};
    xc_error error = {0};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int variant = 0; variant < 8; variant++)
            for (int32_t trials = 1; trials <= 5; trials++) {
                const size_t gap = (size_t)(trials * variant) % 5;
                arrays x = make(sizes[s][0], sizes[s][1], sizes[s][2], trials, gap, variant & 4 ? 1 : 0);
                x.product.turn_a = variant & 1;
                x.product.turn_b = variant & 2;
                OK(cuda_blas_multiply(blas, &x.product, stream, &error));
                assert_true(largest_error(&x, 1) < 1e-7);
                drop(&x);
            }
}

/* What lies between the trials' results is not touched. */
static void test_gaps_are_kept(void **state) {
    xc_error error = {0};
    (void)state;
    arrays x = make(9, 7, 5, 4, 6, 1);
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    float *got = downloaded(&x);
    for (size_t i = 0; i < x.c_count; i++)
        if (i % x.product.c_stride >= 63) assert_memory_equal(&got[i], &x.c[i], sizeof *got);
    free(got);
    drop(&x);
}

/* A stride of 0: every trial's. */
static void test_shared_matrix(void **state) {
    xc_error error = {0};
    (void)state;
    arrays x = make(6, 10, 21, 3, 0, 0);
    x.product.a_stride = 0;
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    assert_true(largest_error(&x, 1) < 1e-7);
    drop(&x);
}

/* ---- the same to the byte ---------------------------------------------------------------------------------------- */

/* Every trial alone, by a handle that plans for it first, gives what all together give. */
static void assert_same_alone(int32_t rows, int32_t columns, int32_t depth, size_t gap, xc_precision precision) {
    xc_error error = {0};
    cuda_blas *fresh;
    arrays together = make(rows, columns, depth, 5, gap, 0), alone = make(rows, columns, depth, 5, gap, 0);
    together.product.precision = alone.product.precision = precision;
    OK(cuda_blas_multiply(blas, &together.product, stream, &error));
    OK(cuda_blas_open(&fresh, &error));
    for (int32_t t = 0; t < 5; t++) {
        cuda_product one = alone.product;
        one.trials = 1;
        one.a += (size_t)t * one.a_stride;
        one.b += (size_t)t * one.b_stride;
        one.c += (size_t)t * one.c_stride;
        OK(cuda_blas_multiply(fresh, &one, stream, &error));
    }
    float *a = downloaded(&together), *b = downloaded(&alone);
    assert_memory_equal(a, b, together.c_count * sizeof *a);
    cuda_blas_close(fresh);
    free(a);
    free(b);
    drop(&together);
    drop(&alone);
}

static void test_trials_change_nothing(void **state) {
    (void)state;
    for (int precision = XC_FP32; precision <= XC_BF16; precision++)
        for (size_t gap = 0; gap < 5; gap++) {
            assert_same_alone(33, 20, 300, gap, (xc_precision)precision);
            assert_same_alone(31, 17, 129, gap, (xc_precision)precision);
            assert_same_alone(1, 1, 1000, gap, (xc_precision)precision);
        }
}

/* The test above sees a choice by the number of trials: in the emulated library that has a part in the bytes. */
static void test_the_choice_is_visible(void **state) {
    xc_error error = {0};
    (void)state;
    arrays x = make(33, 20, 300, 1, 0, 0), y = make(33, 20, 300, 1, 0, 0);
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    y.product.a_stride += 1; /* less aligned: another algorithm */
    OK(cuda_blas_multiply(blas, &y.product, stream, &error));
    float *a = downloaded(&x), *b = downloaded(&y);
    assert_memory_not_equal(a, b, x.c_count * sizeof *a);
    free(a);
    free(b);
    drop(&x);
    drop(&y);
}

static void test_planned_once(void **state) {
    xc_error error = {0};
    size_t before, after, all;
    (void)state;
    arrays x = make(19, 23, 29, 4, 4, 1);
    const int choices = emu_cublaslt_choices;
    OK(cuda_blas_plan(blas, &x.product, &error));
    assert_int_equal(emu_cublaslt_choices, choices + 1);
    GOOD(cudaMemGetInfo(&before, &all));
    for (x.product.trials = 1; x.product.trials <= 4; x.product.trials++) {
        OK(cuda_blas_multiply(blas, &x.product, stream, &error));
        const int checks = emu_cublaslt_checks;
        OK(cuda_blas_multiply(blas, &x.product, stream, &error));
        assert_int_equal(emu_cublaslt_checks, checks);
    }
    x.product.trials = 2;
    x.product.beta = 0;
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    assert_int_equal(emu_cublaslt_choices, choices + 1);
    GOOD(cudaMemGetInfo(&after, &all));
    assert_int_equal(before, after);
    x.product.turn_b = true;
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    assert_int_equal(emu_cublaslt_choices, choices + 2);
    GOOD(cudaStreamSynchronize(stream));
    drop(&x);
}

/* ---- graphs ------------------------------------------------------------------------------------------------------ */

static void test_graph(void **state) {
    xc_error error = {0};
    cudaGraph_t graph;
    cudaGraphExec_t made;
    (void)state;
    arrays x = make(12, 34, 56, 3, 8, 1);
    OK(cuda_blas_plan(blas, &x.product, &error));
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cuda_product gone = x.product; /* the graph keeps what it says */
    OK(cuda_blas_multiply(blas, &gone, stream, &error));
    gone = (cuda_product){.rows = 1, .beta = -1};
    GOOD(cudaStreamEndCapture(stream, &graph));
    float *before = downloaded(&x);
    assert_memory_equal(before, x.c, x.c_count * sizeof *before); /* a capture does nothing */
    free(before);
    GOOD(cudaGraphInstantiate(&made, graph, 0));
    GOOD(cudaGraphDestroy(graph));
    for (int launch = 0; launch < 4; launch++) GOOD(cudaGraphLaunch(made, stream));
    assert_true(largest_error(&x, 4) < 1e-6);
    GOOD(cudaGraphExecDestroy(made));
    drop(&x);
}

/* What was planned before is multiplied within a capture, also where the same shape came with other trials and strides
 * in between; what was not is refused. */
static void test_capture_plans_nothing(void **state) {
    xc_error error = {0};
    cudaGraph_t graph;
    (void)state;
    arrays x = make(14, 15, 16, 3, 4, 0);
    cuda_product other = x.product, new = x.product;
    other.trials = 2;
    other.a_stride += 4;
    new.trials = 1;
    OK(cuda_blas_plan(blas, &x.product, &error));
    OK(cuda_blas_plan(blas, &other, &error));
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    OK(cuda_blas_multiply(blas, &other, stream, &error));
    assert_int_equal(cuda_blas_multiply(blas, &new, stream, &error), XC_DEVICE);
    assert_non_null(strstr(error.text, "CUBLAS_STATUS_INTERNAL_ERROR (14)"));
    GOOD(cudaStreamEndCapture(stream, &graph));
    GOOD(cudaGraphDestroy(graph));
    OK(cuda_blas_multiply(blas, &new, stream, &error));
    GOOD(cudaStreamSynchronize(stream));
    drop(&x);
}

/* Nothing is there before the stream is waited for. */
static void test_waits_in_the_stream(void **state) {
    xc_error error = {0};
    float *pinned;
    (void)state;
    arrays x = make(4, 4, 4, 1, 0, 0);
    GOOD(cudaMallocHost((void **)&pinned, 16 * sizeof *pinned));
    for (int i = 0; i < 16; i++) pinned[i] = 99;
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    GOOD(cudaMemcpyAsync(pinned, x.product.c, 16 * sizeof *pinned, cudaMemcpyDeviceToHost, stream));
    assert_true(pinned[5] == 99);
    GOOD(cudaStreamSynchronize(stream));
    assert_true(pinned[5] != 99);
    GOOD(cudaFreeHost(pinned));
    drop(&x);
}

/* ---- precision --------------------------------------------------------------------------------------------------- */

static void test_precision(void **state) {
    double errors[3];
    xc_error error = {0};
    (void)state;
    for (int precision = XC_FP32; precision <= XC_BF16; precision++) {
        arrays x = make(40, 50, 60, 2, 0, 0);
        x.product.precision = (xc_precision)precision;
        OK(cuda_blas_multiply(blas, &x.product, stream, &error));
        errors[precision] = largest_error(&x, 1);
        drop(&x);
    }
    assert_true(errors[XC_FP32] < 1e-7);
    assert_true(errors[XC_TF32] > 1e-6 && errors[XC_TF32] < 1e-3);
    assert_true(errors[XC_BF16] > 2 * errors[XC_TF32] && errors[XC_BF16] < 1e-2);
}

/* One product of one number: the rounding itself. */
static void test_rounding(void **state) {
    static const struct {
        xc_precision precision;
        float is, read;
    } cases[] = {{XC_TF32, 1 + 0x1p-11f, 1 + 0x1p-10f}, {XC_TF32, 1 + 0x1.fcp-12f, 1},
                 {XC_TF32, -3 - 0x1p-9f, -3 - 0x1p-9f}, {XC_BF16, 1 + 0x1p-8f, 1},
                 {XC_BF16, 1 + 0x3p-8f, 1 + 0x1p-6f},   {XC_BF16, -1 - 0x1.02p-8f, -1 - 0x1p-7f},
                 {XC_FP32, 1 + 0x1p-23f, 1 + 0x1p-23f}, {XC_BF16, INFINITY, INFINITY}};
    xc_error error = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float one = 1;
        arrays x = make(1, 1, 1, 1, 0, 0);
        GOOD(cudaMemcpy((void *)x.product.a, &cases[i].is, sizeof(float), cudaMemcpyHostToDevice));
        GOOD(cudaMemcpy((void *)x.product.b, &one, sizeof(float), cudaMemcpyHostToDevice));
        x.product.precision = cases[i].precision;
        OK(cuda_blas_multiply(blas, &x.product, stream, &error));
        float *got = downloaded(&x);
        assert_true(*got == cases[i].read);
        free(got);
        drop(&x);
    }
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void assert_says(xc_status status, xc_status wanted, const xc_error *error, const char *start) {
    assert_int_equal(status, wanted);
    if (strncmp(error->text, start, strlen(start)) != 0) fail_msg("\"%s\" instead of \"%s\"", error->text, start);
    assert_null(strchr(error->text, '\n'));
}

static void test_opening_fails(void **state) {
    xc_error error = {0};
    cuda_blas *none = blas;
    (void)state;
    emu_cublaslt_fails = CUBLAS_STATUS_NOT_INITIALIZED;
    assert_says(cuda_blas_open(&none, &error), XC_DEVICE, &error,
                "cublasLtCreate: CUBLAS_STATUS_NOT_INITIALIZED (1); look at what nvidia-smi says");
    assert_null(none);
    emu_cublaslt_fails = CUBLAS_STATUS_ALLOC_FAILED;
    assert_says(cuda_blas_open(&none, &error), XC_MEMORY, &error,
                "cublasLtCreate: CUBLAS_STATUS_ALLOC_FAILED (3); use a smaller batch or fewer trials at a time");
    setenv("EMU_MEMORY", "1000", 1);
    assert_says(cuda_blas_open(&none, &error), XC_MEMORY, &error, "cudaMalloc: cudaErrorMemoryAllocation");
    unsetenv("EMU_MEMORY");
    assert_null(none);
    cuda_blas_close(NULL);
}

static void test_products_fail(void **state) {
    xc_error error = {0};
    (void)state;
    arrays x = make(11, 12, 13, 2, 3, 0);
    emu_cublaslt_fails = CUBLAS_STATUS_NOT_SUPPORTED;
    assert_says(cuda_blas_plan(blas, &x.product, &error), XC_DEVICE, &error,
                "cublasLtMatmulAlgoGetHeuristic, (11,13) by (13,12), trials 2: CUBLAS_STATUS_NOT_SUPPORTED (15); this "
                "GPU and cuBLASLt do not do it together");
    OK(cuda_blas_plan(blas, &x.product, &error)); /* a failure leaves nothing behind */
    x.product.trials = 1;
    emu_cublaslt_fails = CUBLAS_STATUS_ARCH_MISMATCH;
    assert_says(cuda_blas_plan(blas, &x.product, &error), XC_DEVICE, &error,
                "cublasLtMatmulAlgoCheck, (11,13) by (13,12), trials 1: CUBLAS_STATUS_ARCH_MISMATCH (8); ");
    OK(cuda_blas_plan(blas, &x.product, &error));
    emu_cublaslt_fails = CUBLAS_STATUS_EXECUTION_FAILED;
    assert_says(cuda_blas_multiply(blas, &x.product, stream, &error), XC_DEVICE, &error,
                "cublasLtMatmul, (11,13) by (13,12), trials 1: CUBLAS_STATUS_EXECUTION_FAILED (13); the GPU can no ");
    OK(cuda_blas_multiply(blas, &x.product, stream, &error));
    GOOD(cudaStreamSynchronize(stream));
    x.product.rows = 0;
    assert_says(cuda_blas_plan(blas, &x.product, &error), XC_DEVICE, &error,
                "cublasLtMatmulAlgoGetHeuristic, (0,13) by (13,12), trials 1: CUBLAS_STATUS_INVALID_VALUE (7); ");
    x.product.rows = 11;
    x.product.trials = 2;
    x.product.c_stride = 11 * 12 - 1; /* less than a matrix */
    assert_says(cuda_blas_plan(blas, &x.product, &error), XC_DEVICE, &error,
                "cublasLtMatmulAlgoCheck, (11,13) by (13,12), trials 2: CUBLAS_STATUS_INVALID_VALUE (7); ");
    drop(&x);
}

static void test_workspace_is_too_small_for_so_many(void **state) {
    xc_error error = {0};
    (void)state;
    arrays x = make(2, 2, 40, 5000, 0, 0);
    assert_says(cuda_blas_plan(blas, &x.product, &error), XC_MEMORY, &error,
                "cuBLASLt wants 1280000 bytes of workspace for (2,40) by (40,2), trials 5000, and has 1048576; use ");
    x.product.trials = 4000;
    OK(cuda_blas_plan(blas, &x.product, &error));
    drop(&x);
}

/* ---- what the emulated library catches --------------------------------------------------------------------------- */

/* A call of cublasLtMatmul by hand: a fault is planted in it. */
typedef struct raw_call {
    cublasLtHandle_t handle;
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a, b, d;
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasLtMatmulHeuristicResult_t found;
    float *a_start, *b_start, *d_start, *workspace;
    size_t workspace_bytes;
} raw_call;

enum { M = 6, N = 10, K = 40, RAW_BATCH = 3 };

static void set_batch(cublasLtMatrixLayout_t layout, int32_t count, int64_t stride) {
    LT(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    LT(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride));
}

static void set_leading(cublasLtMatrixLayout_t layout, int64_t leading) {
    LT(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_LD, &leading, sizeof leading));
}

/* Which algorithm, of those for memory aligned to 4 bytes. */
static cublasStatus_t choose(raw_call *call) {
    int count;
    return cublasLtMatmulAlgoGetHeuristic(call->handle, &call->operation, &call->a, &call->b, &call->d, &call->d,
                                          &call->preference, 1, &call->found, &count);
}

static raw_call make_raw(void) {
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    raw_call call = {.workspace_bytes = 256 * RAW_BATCH};
    const uint32_t four = 4, none = CUBLASLT_REDUCTION_SCHEME_NONE;
    const uint64_t workspace = call.workspace_bytes;
    LT(cublasLtCreate(&call.handle));
    LT(cublasLtMatmulDescInit(&call.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    LT(cublasLtMatrixLayoutInit(&call.a, CUDA_R_32F, M, K, M));
    LT(cublasLtMatrixLayoutInit(&call.b, CUDA_R_32F, K, N, K));
    LT(cublasLtMatrixLayoutInit(&call.d, CUDA_R_32F, M, N, M));
    set_batch(&call.a, RAW_BATCH, M * K);
    set_batch(&call.b, RAW_BATCH, K * N);
    set_batch(&call.d, RAW_BATCH, M * N);
    LT(cublasLtMatmulPreferenceInit(&call.preference));
    for (int i = 0; i < 4; i++)
        LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, alignments[i], &four, sizeof four));
    LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &none,
                                            sizeof none));
    LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                            sizeof workspace));
    LT(choose(&call));
    call.a_start = uploaded(NULL, RAW_BATCH * M * K);
    call.b_start = uploaded(NULL, RAW_BATCH * K * N);
    call.d_start = uploaded(NULL, RAW_BATCH * M * N);
    call.workspace = uploaded(NULL, call.workspace_bytes / sizeof(float));
    return call;
}

static void drop_raw(raw_call *call) {
    GOOD(cudaFree(call->a_start));
    GOOD(cudaFree(call->b_start));
    GOOD(cudaFree(call->d_start));
    GOOD(cudaFree(call->workspace));
    LT(cublasLtDestroy(call->handle));
}

static cublasStatus_t multiply_raw(raw_call *call) {
    static const float one = 1, zero = 0;
    return cublasLtMatmul(call->handle, &call->operation, &one, call->a_start, &call->a, call->b_start, &call->b, &zero,
                          call->d_start, &call->d, call->d_start, &call->d, &call->found.algo, call->workspace,
                          call->workspace_bytes, stream);
}

/* Faults with a status, and those that end the process. */
enum {
    SMALL_LEADING,
    OTHER_BATCH,
    OVERLAPPING_BATCH,
    OTHER_DEPTH,
    OTHER_SHAPE,
    SMALL_WORKSPACE,
    UNALIGNED,
    NO_POINTER,
    NO_HANDLE,
    STATUS_FAULTS
};

static cublasStatus_t fault_status(raw_call *call, int fault) {
    const int32_t turn = CUBLAS_OP_T;
    float *const a = call->a_start;
    switch (fault) {
        case SMALL_LEADING:
            set_leading(&call->a, M - 1);
            break;
        case OTHER_BATCH:
            set_batch(&call->b, RAW_BATCH - 1, K * N);
            break;
        case OVERLAPPING_BATCH:
            set_batch(&call->d, RAW_BATCH, M * N - 1);
            break;
        case OTHER_DEPTH:
            LT(cublasLtMatmulDescSetAttribute(&call->operation, CUBLASLT_MATMUL_DESC_TRANSA, &turn, sizeof turn));
            break;
        case OTHER_SHAPE:
            LT(cublasLtMatrixLayoutInit(&call->a, CUDA_R_32F, M, K - 1, M));
            LT(cublasLtMatrixLayoutInit(&call->b, CUDA_R_32F, K - 1, N, K));
            set_batch(&call->a, RAW_BATCH, M * K);
            set_batch(&call->b, RAW_BATCH, K * N);
            break;
        case SMALL_WORKSPACE:
            call->workspace_bytes--;
            break;
        case UNALIGNED:
            call->a_start = (float *)((char *)a + 2);
            break;
        case NO_POINTER:
            call->a_start = NULL;
            break;
        default:
            call->handle = NULL;
    }
    const cublasStatus_t status = multiply_raw(call);
    call->a_start = a;
    return status;
}

static void test_faults_with_a_status(void **state) {
    (void)state;
    for (int fault = 0; fault < STATUS_FAULTS; fault++) {
        raw_call call = make_raw();
        const cublasLtHandle_t handle = call.handle;
        LT(multiply_raw(&call));
        const cublasStatus_t status = fault_status(&call, fault);
        if (status != (fault == NO_HANDLE ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_INVALID_VALUE))
            fail_msg("fault %d: status %d", fault, (int)status);
        call.handle = handle;
        drop_raw(&call);
    }
}

/* More alignment was promised to the choice than there is; parts of the depth are refused where they are forbidden. */
static void test_promises(void **state) {
    const uint32_t promised = 16, all = CUBLASLT_REDUCTION_SCHEME_MASK;
    int32_t parts = 0, short_of = 0;
    size_t written;
    (void)state;
    raw_call call = make_raw();
    LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &promised,
                                            sizeof promised));
    LT(choose(&call));
    LT(multiply_raw(&call));
    set_batch(&call.a, RAW_BATCH, M * K - 1);
    assert_int_equal(multiply_raw(&call), CUBLAS_STATUS_INVALID_VALUE);
    LT(cublasLtMatmulAlgoConfigGetAttribute(&call.found.algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts,
                                            &written));
    assert_int_equal(parts, 1);
    LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &all,
                                            sizeof all));
    set_batch(&call.a, RAW_BATCH, M * K);
    LT(choose(&call)); /* the workspace has no room for parts */
    LT(cublasLtMatmulAlgoConfigGetAttribute(&call.found.algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts,
                                            &written));
    assert_int_equal(parts, 1);
    const uint64_t workspace = 1 << 20;
    LT(cublasLtMatmulPreferenceSetAttribute(&call.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                            sizeof workspace));
    LT(choose(&call));
    LT(cublasLtMatmulAlgoConfigGetAttribute(&call.found.algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts,
                                            &written));
    assert_int_equal(parts, 2);
    assert_int_equal(cublasLtMatrixLayoutSetAttribute(&call.a, CUBLASLT_MATRIX_LAYOUT_LD, &short_of, sizeof short_of),
                     CUBLAS_STATUS_INVALID_VALUE); /* int64_t is wanted */
    GOOD(cudaStreamSynchronize(stream));
    drop_raw(&call);
}

enum {
    LARGE_LEADING,
    LARGE_BATCH,
    HOST_MEMORY,
    HOST_WORKSPACE,
    DEVICE_SCALAR,
    RESULT_OVER_FACTOR,
    NO_ALGORITHM,
    FREED_BEFORE_REPLAY
};

static void replay_after_free(raw_call *call) {
    cudaGraph_t graph;
    cudaGraphExec_t made;
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    LT(multiply_raw(call));
    GOOD(cudaStreamEndCapture(stream, &graph));
    GOOD(cudaGraphInstantiate(&made, graph, 0));
    GOOD(cudaFree(call->b_start));
    GOOD(cudaGraphLaunch(made, stream));
    GOOD(cudaStreamSynchronize(stream));
}

static void run_fault(int fault) {
    static float host[RAW_BATCH * M * K];
    const float one = 1, zero = 0;
    raw_call call = make_raw();
    switch (fault) {
        case LARGE_LEADING: /* each status is good: the algorithm is chosen for it */
            set_leading(&call.b, K + 1);
            choose(&call);
            break;
        case LARGE_BATCH:
            set_batch(&call.a, RAW_BATCH, M * K + 1);
            break;
        case HOST_MEMORY:
            call.a_start = host;
            break;
        case HOST_WORKSPACE:
            call.workspace = host;
            break;
        case RESULT_OVER_FACTOR:
            call.d_start = call.b_start + K;
            break;
        case DEVICE_SCALAR:
        case NO_ALGORITHM:
            cublasLtMatmul(call.handle, &call.operation, fault == DEVICE_SCALAR ? call.b_start : &one, call.a_start,
                           &call.a, call.b_start, &call.b, &zero, call.d_start, &call.d, call.d_start, &call.d,
                           fault == NO_ALGORITHM ? NULL : &call.found.algo, call.workspace, call.workspace_bytes,
                           stream);
            break;
        default:
            replay_after_free(&call);
    }
    multiply_raw(&call);
    cudaStreamSynchronize(stream);
}

static void test_faults_are_stopped(void **state) {
    static const char *const says[] = {
        [LARGE_LEADING] = "cublasLtMatmul: B of entry 2 of 3, 1636 bytes, is not within an allocation of the device",
        [LARGE_BATCH] = "cublasLtMatmul: A of entry 2 of 3, 960 bytes, is not within an allocation of the device",
        [HOST_MEMORY] = "cublasLtMatmul: A of entry 0 of 3, 960 bytes, is not within an allocation of the device",
        [HOST_WORKSPACE] = "cublasLtMatmul: the workspace, 768 bytes, is not within an allocation of the device",
        [DEVICE_SCALAR] = "cublasLtMatmul: alpha or beta lies on the device",
        [RESULT_OVER_FACTOR] = "cublasLtMatmul: the result of entry 0 overlaps B of entry 0",
        [NO_ALGORITHM] = "cublasLtMatmul: without an algorithm it is chosen by the batch count",
        [FREED_BEFORE_REPLAY] = "cublasLtMatmul: B of entry 0 of 3, 1600 bytes, is not within an allocation"};
    (void)state;
    for (size_t fault = 0; fault < sizeof says / sizeof *says; fault++)
        assert_stopped(run_fault, (int)fault, says[fault]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products),
                                       cmocka_unit_test(test_gaps_are_kept),
                                       cmocka_unit_test(test_shared_matrix),
                                       cmocka_unit_test(test_trials_change_nothing),
                                       cmocka_unit_test(test_the_choice_is_visible),
                                       cmocka_unit_test(test_planned_once),
                                       cmocka_unit_test(test_graph),
                                       cmocka_unit_test(test_capture_plans_nothing),
                                       cmocka_unit_test(test_waits_in_the_stream),
                                       cmocka_unit_test(test_precision),
                                       cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_opening_fails),
                                       cmocka_unit_test(test_products_fail),
                                       cmocka_unit_test(test_workspace_is_too_small_for_so_many),
                                       cmocka_unit_test(test_faults_with_a_status),
                                       cmocka_unit_test(test_promises),
                                       cmocka_unit_test(test_faults_are_stopped)};
    return cmocka_run_group_tests_name("blas", tests, open_all, close_all);
}

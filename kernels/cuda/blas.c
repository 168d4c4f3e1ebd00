/* blas.c: matrix products through cuBLASLt. See blas.h.
 *
 * cuBLASLt's own order is column after column. A matrix that lies row after row is, read so, its transpose; and
 * transpose(A B) = transpose(B) transpose(A). So what is asked for is the swapped product, with B first, and no matrix
 * is moved. That leaves the layouts in the library's default order, for which all of its algorithms are made.
 */
#include "blas.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

/* The emulated GPU's memory is filled when it is allocated. */
#ifdef XC_EMULATED
enum { WORKSPACE = 1 << 20 };
#else
enum { WORKSPACE = 32 << 20 };
#endif
enum {
    NOMINAL_TRIALS = 32, /* that the algorithm is chosen for */
    WIDEST = 16,         /* bytes; no algorithm reads more at once */
    ASKED = 8            /* algorithms, best first, of which the first that may be used is */
};

/* Matrices in the library's order: b is its first, a its second. */
enum { FIRST, SECOND, RESULT, MATRICES };

/* What an algorithm is chosen by; int32_t all, so without gaps. Neither the trials nor the strides, and not beta, which
 * the library is not told when it chooses. */
typedef struct plan_key {
    int32_t rows, columns, depth, turn_a, turn_b, precision;
    int32_t alignment[MATRICES]; /* bytes */
} plan_key;

/* A number of trials and strides that a plan's algorithm has been found to take. */
typedef struct blas_fit {
    struct blas_fit *next;
    int32_t trials;
    size_t strides[MATRICES];
    cublasLtMatrixLayoutOpaque_t layouts[MATRICES];
} blas_fit;

typedef struct blas_plan {
    struct blas_plan *next;
    plan_key key;
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatmulAlgo_t algorithm;
    blas_fit *fits;
} blas_plan;

struct cuda_blas {
    cublasLtHandle_t handle;
    void *workspace; /* WORKSPACE bytes of the device */
    blas_plan *plans;
};

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static const char *advice(cublasStatus_t code) {
    switch (code) {
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return "look at what nvidia-smi says about the driver and free memory, or use --device cpu";
        case CUBLAS_STATUS_ALLOC_FAILED:
            return "use a smaller batch or fewer trials at a time";
        case CUBLAS_STATUS_ARCH_MISMATCH:
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "this GPU and cuBLASLt do not do it together; use CUDA 12 or later, or --device cpu";
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return "the GPU can no longer be used by this process: run again, with --device cpu if it comes again";
        default:
            return "use --device cpu, and report it with this line";
    }
}

static xc_status check(cublasStatus_t code, const char *call, xc_error *error) {
    if (code == CUBLAS_STATUS_SUCCESS) return XC_OK;
    const int name = (int)strcspn(call, "("); /* arguments say nothing to a user */
    return xc_fail(error, code == CUBLAS_STATUS_ALLOC_FAILED ? XC_MEMORY : XC_DEVICE, "%.*s: %s (%d); %s", name, call,
                   cublasLtGetStatusName(code), (int)code, advice(code));
}
#define CHECK(call) check(call, #call, error)

/* A failure that is about one product names it. */
static xc_status check_product(cublasStatus_t code, const char *call, const cuda_product *p, xc_error *error) {
    if (code == CUBLAS_STATUS_SUCCESS) return XC_OK;
    return xc_fail(error, code == CUBLAS_STATUS_ALLOC_FAILED ? XC_MEMORY : XC_DEVICE,
                   "%s, (%d,%d) by (%d,%d), trials %d: %s (%d); %s", call, p->rows, p->depth, p->depth, p->columns,
                   p->trials, cublasLtGetStatusName(code), (int)code, advice(code));
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

xc_status cuda_blas_open(cuda_blas **out, xc_error *error) {
    xc_status status;
    cuda_blas *blas;
    *out = NULL;
    XC_TRY(xc_allocate(&blas, 1, sizeof *blas, "matrix products", error));
    XC_TRY(CUDA_CHECK(cudaMalloc(&blas->workspace, WORKSPACE)));
    XC_TRY(CHECK(cublasLtCreate(&blas->handle)));
    *out = blas;
    return XC_OK;
fail:
    cudaGetLastError(); /* told here: not again by the next launch */
    cuda_blas_close(blas);
    return status;
}

static void drop_plan(blas_plan *plan) {
    for (blas_fit *fit = plan->fits, *next; fit; fit = next) {
        next = fit->next;
        free(fit);
    }
    free(plan);
}

void cuda_blas_close(cuda_blas *blas) {
    if (!blas) return;
    for (blas_plan *plan = blas->plans, *next; plan; plan = next) {
        next = plan->next;
        drop_plan(plan);
    }
    if (blas->handle) cublasLtDestroy(blas->handle);
    if (blas->workspace) cudaFree(blas->workspace);
    free(blas);
}

/* ---- what cuBLASLt is told --------------------------------------------------------------------------------------- */

/* The largest power of two, of at most WIDEST bytes, that each trial's matrix starts at a multiple of. The same for any
 * of the trials alone, as the stride has its part whatever their number. */
static int32_t alignment_of(const float *start, size_t stride) {
    const uint64_t bits = (uintptr_t)start | (uint64_t)stride * sizeof *start | WIDEST;
    return (int32_t)(bits & (~bits + 1));
}

static plan_key key_of(const cuda_product *p) {
    return (plan_key){.rows = p->rows,
                      .columns = p->columns,
                      .depth = p->depth,
                      .turn_a = p->turn_a,
                      .turn_b = p->turn_b,
                      .precision = (int32_t)p->precision,
                      .alignment = {[FIRST] = alignment_of(p->b, p->b_stride),
                                    [SECOND] = alignment_of(p->a, p->a_stride),
                                    [RESULT] = alignment_of(p->c, p->c_stride)}};
}

static xc_status describe_operation(cublasLtMatmulDesc_t operation, const plan_key *key, xc_error *error) {
    static const cublasComputeType_t computes[] = {[XC_FP32] = CUBLAS_COMPUTE_32F,
                                                   [XC_TF32] = CUBLAS_COMPUTE_32F_FAST_TF32,
                                                   [XC_BF16] = CUBLAS_COMPUTE_32F_FAST_16BF};
    const int32_t first = key->turn_b ? CUBLAS_OP_T : CUBLAS_OP_N, second = key->turn_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    xc_status status;
    XC_TRY(CHECK(cublasLtMatmulDescInit(operation, computes[key->precision], CUDA_R_32F)));
    XC_TRY(CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first)));
    XC_TRY(CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second)));
fail:
    return status;
}

/* A matrix that lies row after row, as the library is to read it: its rows are columns there. */
static xc_status describe_matrix(cublasLtMatrixLayout_t layout, int32_t rows, int32_t columns, int32_t trials,
                                 size_t stride, xc_error *error) {
    const int64_t step = (int64_t)stride;
    xc_status status;
    XC_TRY(CHECK(cublasLtMatrixLayoutInit(layout, CUDA_R_32F, (uint64_t)columns, (uint64_t)rows, columns)));
    XC_TRY(CHECK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &trials, sizeof trials)));
    XC_TRY(CHECK(
        cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step)));
fail:
    return status;
}

static xc_status describe_matrices(cublasLtMatrixLayoutOpaque_t layouts[MATRICES], const plan_key *key, int32_t trials,
                                   const size_t strides[MATRICES], xc_error *error) {
    const int32_t rows = key->rows, columns = key->columns, depth = key->depth;
    const int32_t sizes[MATRICES][2] = {
        [FIRST] = {key->turn_b ? columns : depth, key->turn_b ? depth : columns},
        [SECOND] = {key->turn_a ? depth : rows, key->turn_a ? rows : depth},
        [RESULT] = {rows, columns},
    };
    xc_status status = XC_OK;
    for (int i = 0; i < MATRICES; i++)
        XC_TRY(describe_matrix(&layouts[i], sizes[i][0], sizes[i][1], trials, strides[i], error));
fail:
    return status;
}

/* ---- the choice of an algorithm ---------------------------------------------------------------------------------- */

/* Those which sum a product in one sequence, in our workspace, from memory that is aligned as ours is. */
static xc_status describe_preference(cublasLtMatmulPreference_t preference, const plan_key *key, xc_error *error) {
    static const cublasLtMatmulPreferenceAttributes_t attributes[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    static const int of_matrix[] = {FIRST, SECOND, RESULT, RESULT};
    const uint64_t workspace = WORKSPACE;
    const uint32_t scheme = CUBLASLT_REDUCTION_SCHEME_NONE;
    xc_status status;
    XC_TRY(CHECK(cublasLtMatmulPreferenceInit(preference)));
    XC_TRY(CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                                      sizeof workspace)));
    XC_TRY(CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &scheme,
                                                      sizeof scheme)));
    for (int i = 0; i < 4; i++) {
        const uint32_t bytes = (uint32_t)key->alignment[of_matrix[i]];
        XC_TRY(CHECK(cublasLtMatmulPreferenceSetAttribute(preference, attributes[i], &bytes, sizeof bytes)));
    }
fail:
    return status;
}

/* Strides that are the key's alone: matrices that follow each other as closely as they may with this alignment, and no
 * better one. */
static void nominal_strides(const plan_key *key, size_t strides[MATRICES]) {
    const size_t rows = (size_t)key->rows, columns = (size_t)key->columns, depth = (size_t)key->depth;
    const size_t sizes[MATRICES] = {[FIRST] = depth * columns, [SECOND] = rows * depth, [RESULT] = rows * columns};
    const size_t widest = WIDEST / sizeof(float);
    for (int i = 0; i < MATRICES; i++) {
        strides[i] = (sizes[i] + widest - 1) / widest * widest;
        if (key->alignment[i] < WIDEST) strides[i] += (size_t)key->alignment[i] / sizeof(float);
    }
}

/* Whether it does sum in one sequence: what was asked for is looked at again. */
static bool is_sequential(const cublasLtMatmulAlgo_t *algorithm) {
    int32_t parts = 0;
    uint32_t scheme = 0;
    size_t written;
    return cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts,
                                                &written) == CUBLAS_STATUS_SUCCESS &&
           cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme,
                                                sizeof scheme, &written) == CUBLAS_STATUS_SUCCESS &&
           parts <= 1 && scheme == CUBLASLT_REDUCTION_SCHEME_NONE;
}

static xc_status choose_algorithm(const cuda_blas *blas, blas_plan *plan, const cuda_product *product,
                                  xc_error *error) {
    xc_status status;
    cublasLtMatmulPreferenceOpaque_t preference;
    cublasLtMatmulHeuristicResult_t found[ASKED];
    cublasLtMatrixLayoutOpaque_t layouts[MATRICES];
    size_t strides[MATRICES];
    int count = 0;
    nominal_strides(&plan->key, strides);
    XC_TRY(describe_operation(&plan->operation, &plan->key, error));
    XC_TRY(describe_matrices(layouts, &plan->key, NOMINAL_TRIALS, strides, error));
    XC_TRY(describe_preference(&preference, &plan->key, error));
    XC_TRY(check_product(
        cublasLtMatmulAlgoGetHeuristic(blas->handle, &plan->operation, &layouts[FIRST], &layouts[SECOND],
                                       &layouts[RESULT], &layouts[RESULT], &preference, ASKED, found, &count),
        "cublasLtMatmulAlgoGetHeuristic", product, error));
    for (int i = 0; i < count; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS && is_sequential(&found[i].algo)) {
            plan->algorithm = found[i].algo;
            return XC_OK;
        }
    return check_product(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic", product, error);
fail:
    return status;
}

/* The plan of this product's shape, made where there is none. It is found again by plan_key, without the library. */
static xc_status find_plan(cuda_blas *blas, const cuda_product *product, blas_plan **out, xc_error *error) {
    xc_status status;
    const plan_key key = key_of(product);
    blas_plan *made;
    for (blas_plan *p = blas->plans; p; p = p->next)
        if (memcmp(&p->key, &key, sizeof key) == 0) {
            *out = p;
            return XC_OK;
        }
    XC_TRY(xc_allocate(&made, 1, sizeof *made, "the plan of a matrix product", error));
    made->key = key;
    cuda_lock_capture();
    status = choose_algorithm(blas, made, product, error);
    cuda_unlock_capture();
    XC_TRY(status);
    made->next = blas->plans;
    blas->plans = *out = made;
    return XC_OK;
fail:
    free(made);
    return status;
}

/* Asks whether the plan's algorithm takes the call's trials and strides. */
static xc_status check_fit(const cuda_blas *blas, blas_plan *plan, blas_fit *fit, const cuda_product *product,
                           xc_error *error) {
    xc_status status;
    cublasLtMatmulHeuristicResult_t needs = {.workspaceSize = 0};
    XC_TRY(describe_matrices(fit->layouts, &plan->key, fit->trials, fit->strides, error));
    XC_TRY(check_product(
        cublasLtMatmulAlgoCheck(blas->handle, &plan->operation, &fit->layouts[FIRST], &fit->layouts[SECOND],
                                &fit->layouts[RESULT], &fit->layouts[RESULT], &plan->algorithm, &needs),
        "cublasLtMatmulAlgoCheck", product, error));
    if (needs.workspaceSize > WORKSPACE)
        return xc_fail(error, XC_MEMORY,
                       "cuBLASLt wants %zu bytes of workspace for (%d,%d) by (%d,%d), trials %d, and has %d; use fewer "
                       "trials at a time",
                       needs.workspaceSize, product->rows, product->depth, product->depth, product->columns,
                       product->trials, (int)WORKSPACE);
fail:
    return status;
}

/* The plan's fit for the call, made where there is none. All are kept: within a capture the library may refuse to be
 * asked. */
static xc_status find_fit(const cuda_blas *blas, blas_plan *plan, const cuda_product *product, blas_fit **out,
                          xc_error *error) {
    xc_status status;
    const size_t strides[MATRICES] = {
        [FIRST] = product->b_stride, [SECOND] = product->a_stride, [RESULT] = product->c_stride};
    blas_fit *made;
    for (blas_fit *fit = plan->fits; fit; fit = fit->next)
        if (fit->trials == product->trials && memcmp(fit->strides, strides, sizeof strides) == 0) {
            *out = fit;
            return XC_OK;
        }
    XC_TRY(xc_allocate(&made, 1, sizeof *made, "the plan of a matrix product", error));
    made->trials = product->trials;
    memcpy(made->strides, strides, sizeof strides);
    cuda_lock_capture();
    status = check_fit(blas, plan, made, product, error);
    cuda_unlock_capture();
    XC_TRY(status);
    made->next = plan->fits;
    plan->fits = *out = made;
    return XC_OK;
fail:
    free(made);
    return status;
}

xc_status cuda_blas_plan(cuda_blas *blas, const cuda_product *product, xc_error *error) {
    xc_status status;
    blas_plan *plan;
    blas_fit *fit;
    XC_TRY(find_plan(blas, product, &plan, error));
    XC_TRY(find_fit(blas, plan, product, &fit, error));
fail:
    return status;
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

xc_status cuda_blas_multiply(cuda_blas *blas, const cuda_product *product, cudaStream_t stream, xc_error *error) {
    static const float one = 1;
    xc_status status;
    blas_plan *plan;
    blas_fit *fit;
    XC_TRY(find_plan(blas, product, &plan, error));
    XC_TRY(find_fit(blas, plan, product, &fit, error));
    XC_TRY(check_product(
        cublasLtMatmul(blas->handle, &plan->operation, &one, product->b, &fit->layouts[FIRST], product->a,
                       &fit->layouts[SECOND], &product->beta, product->c, &fit->layouts[RESULT], product->c,
                       &fit->layouts[RESULT], &plan->algorithm, blas->workspace, WORKSPACE, stream),
        "cublasLtMatmul", product, error));
fail:
    return status;
}

/* cublaslt.c: cuBLASLt's descriptions and its choice of algorithms, for the emulated GPU; the product itself is
 * cublaslt_product.c. Only what kernels/cuda/blas.c calls. Column order alone.
 *
 * As on a device, which algorithm is chosen depends on the batch count and on the alignment, and has a part in the
 * result: a program that chooses anew for each batch count gets other bytes. Algorithms that split the depth come first
 * unless they are forbidden. An algorithm serves the shape that it was chosen for and no other. While a stream is
 * captured none is chosen or checked, since versions of the library fail there.
 */
#include "cublaslt.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

cublasStatus_t emu_cublaslt_fails;
int emu_cublaslt_choices, emu_cublaslt_checks;

cublasStatus_t emu_cublaslt_failure(void) {
    const cublasStatus_t failure = emu_cublaslt_fails;
    emu_cublaslt_fails = CUBLAS_STATUS_SUCCESS;
    return failure;
}

static const char *const STATUS_NAMES[] = {[CUBLAS_STATUS_SUCCESS] = "CUBLAS_STATUS_SUCCESS",
                                           [CUBLAS_STATUS_NOT_INITIALIZED] = "CUBLAS_STATUS_NOT_INITIALIZED",
                                           [CUBLAS_STATUS_ALLOC_FAILED] = "CUBLAS_STATUS_ALLOC_FAILED",
                                           [CUBLAS_STATUS_INVALID_VALUE] = "CUBLAS_STATUS_INVALID_VALUE",
                                           [CUBLAS_STATUS_ARCH_MISMATCH] = "CUBLAS_STATUS_ARCH_MISMATCH",
                                           [CUBLAS_STATUS_EXECUTION_FAILED] = "CUBLAS_STATUS_EXECUTION_FAILED",
                                           [CUBLAS_STATUS_INTERNAL_ERROR] = "CUBLAS_STATUS_INTERNAL_ERROR",
                                           [CUBLAS_STATUS_NOT_SUPPORTED] = "CUBLAS_STATUS_NOT_SUPPORTED"};

const char *cublasLtGetStatusName(cublasStatus_t status) {
    const size_t known = sizeof STATUS_NAMES / sizeof *STATUS_NAMES;
    return (size_t)status < known && STATUS_NAMES[status] ? STATUS_NAMES[status] : "unknown";
}

/* ---- the handle -------------------------------------------------------------------------------------------------- */

struct cublasLtContext {
    int mark;
};

bool emu_is_handle(cublasLtHandle_t handle) { return handle != NULL && handle->mark == EMU_HANDLE; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    const cublasStatus_t failure = emu_cublaslt_failure();
    if (failure != CUBLAS_STATUS_SUCCESS) return failure;
    if (handle == NULL) return CUBLAS_STATUS_INVALID_VALUE;
    *handle = malloc(sizeof **handle);
    if (*handle == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
    (*handle)->mark = EMU_HANDLE;
    openblas_set_num_threads(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    if (!emu_is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->mark = 0;
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- descriptions ------------------------------------------------------------------------------------------------ */

_Static_assert(sizeof(emu_layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "a layout has no room");
_Static_assert(sizeof(emu_operation) <= sizeof(cublasLtMatmulDescOpaque_t), "an operation has no room");
_Static_assert(sizeof(emu_preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t), "a preference has no room");
_Static_assert(sizeof(emu_algorithm) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm has no room");

/* Sets a part of an object, whose type the caller must know to the byte. */
static cublasStatus_t set(void *part, size_t size, const void *value, size_t given) {
    if (value == NULL || given != size) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(part, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
#define SET(part) set(&(part), sizeof(part), value, bytes)

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size, cudaDataType type,
                                                 uint64_t rows, uint64_t columns, int64_t leading) {
    const emu_layout l = {.mark = EMU_LAYOUT,
                          .type = (int32_t)type,
                          .rows = rows,
                          .columns = columns,
                          .leading = leading,
                          .batch = 1,
                          .order = CUBLASLT_ORDER_COL};
    if (layout == NULL) return CUBLAS_STATUS_INVALID_VALUE;
    if (size < sizeof *layout) return CUBLAS_STATUS_ALLOC_FAILED;
    memset(layout, 0xff, sizeof *layout);
    memcpy(layout, &l, sizeof l);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t which,
                                                const void *value, size_t bytes) {
    emu_layout *l = (emu_layout *)layout;
    if (l == NULL || l->mark != EMU_LAYOUT) return CUBLAS_STATUS_INVALID_VALUE;
    switch (which) {
        case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
            return SET(l->batch);
        case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
            return SET(l->stride);
        case CUBLASLT_MATRIX_LAYOUT_ORDER:
            return SET(l->order);
        case CUBLASLT_MATRIX_LAYOUT_LD:
            return SET(l->leading);
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t operation, size_t size, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
    const emu_operation o = {EMU_OPERATION, (int32_t)compute, (int32_t)scale, CUBLAS_OP_N, CUBLAS_OP_N};
    if (operation == NULL) return CUBLAS_STATUS_INVALID_VALUE;
    if (size < sizeof *operation) return CUBLAS_STATUS_ALLOC_FAILED;
    memset(operation, 0xff, sizeof *operation);
    memcpy(operation, &o, sizeof o);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t which,
                                              const void *value, size_t bytes) {
    emu_operation *o = (emu_operation *)operation;
    if (o == NULL || o->mark != EMU_OPERATION) return CUBLAS_STATUS_INVALID_VALUE;
    switch (which) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return SET(o->turn_a);
        case CUBLASLT_MATMUL_DESC_TRANSB:
            return SET(o->turn_b);
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference, size_t size) {
    const emu_preference p = {EMU_PREFERENCE, 0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}};
    if (preference == NULL) return CUBLAS_STATUS_INVALID_VALUE;
    if (size < sizeof *preference) return CUBLAS_STATUS_ALLOC_FAILED;
    memset(preference, 0xff, sizeof *preference);
    memcpy(preference, &p, sizeof p);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t which, const void *value,
                                                    size_t bytes) {
    emu_preference *p = (emu_preference *)preference;
    if (p == NULL || p->mark != EMU_PREFERENCE) return CUBLAS_STATUS_INVALID_VALUE;
    switch (which) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            return SET(p->workspace);
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
            return SET(p->schemes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
            return SET(p->alignment[0]);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
            return SET(p->alignment[1]);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
            return SET(p->alignment[2]);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
            return SET(p->alignment[3]);
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

/* ---- the shape --------------------------------------------------------------------------------------------------- */

/* What must hold of each matrix by itself. */
static cublasStatus_t check_layout(const emu_layout *l) {
    if (l == NULL || l->mark != EMU_LAYOUT) return CUBLAS_STATUS_INVALID_VALUE;
    if (l->type != CUDA_R_32F || l->order != CUBLASLT_ORDER_COL) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (l->rows < 1 || l->columns < 1 || l->rows > INT32_MAX || l->columns > INT32_MAX || l->batch < 1 ||
        l->stride < 0 || l->leading < (int64_t)l->rows)
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t check_operation(const emu_operation *o) {
    if (o == NULL || o->mark != EMU_OPERATION) return CUBLAS_STATUS_INVALID_VALUE;
    if (o->scale != CUDA_R_32F ||
        (o->compute != CUBLAS_COMPUTE_32F && o->compute != CUBLAS_COMPUTE_32F_FAST_TF32 &&
         o->compute != CUBLAS_COMPUTE_32F_FAST_16BF) ||
        (o->turn_a != CUBLAS_OP_N && o->turn_a != CUBLAS_OP_T) ||
        (o->turn_b != CUBLAS_OP_N && o->turn_b != CUBLAS_OP_T))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return CUBLAS_STATUS_SUCCESS;
}

static uint64_t hash_of(const uint64_t *values, int count) {
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < count; i++) hash = (hash ^ values[i]) * 1099511628211u;
    return hash;
}

cublasStatus_t emu_shape_of(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t first, cublasLtMatrixLayout_t second,
                            cublasLtMatrixLayout_t third, cublasLtMatrixLayout_t fourth, emu_shape *shape) {
    const emu_operation *o = (const emu_operation *)operation;
    const emu_layout *a = (const emu_layout *)first, *b = (const emu_layout *)second, *c = (const emu_layout *)third,
                     *d = (const emu_layout *)fourth, *all[] = {a, b, c, d};
    cublasStatus_t status = check_operation(o);
    for (int i = 0; i < 4 && status == CUBLAS_STATUS_SUCCESS; i++) status = check_layout(all[i]);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const bool turn_a = o->turn_a == CUBLAS_OP_T, turn_b = o->turn_b == CUBLAS_OP_T;
    const uint64_t m = turn_a ? a->columns : a->rows, k = turn_a ? a->rows : a->columns;
    const uint64_t n = turn_b ? b->rows : b->columns;
    const bool fit = (turn_b ? b->columns : b->rows) == k && c->rows == m && c->columns == n && d->rows == m &&
                     d->columns == n && a->batch == b->batch && a->batch == c->batch && a->batch == d->batch;
    /* Results of a batch that overlap would be whichever comes last. */
    const bool apart = d->batch == 1 || (uint64_t)d->stride >= (n - 1) * (uint64_t)d->leading + m;
    if (!fit || !apart) return CUBLAS_STATUS_INVALID_VALUE;
    const uint64_t values[] = {m,
                               n,
                               k,
                               turn_a,
                               turn_b,
                               (uint64_t)o->compute,
                               (uint64_t)a->leading,
                               (uint64_t)b->leading,
                               (uint64_t)c->leading,
                               (uint64_t)d->leading};
    *shape = (emu_shape){(int32_t)m, (int32_t)n, (int32_t)k, a->batch, hash_of(values, 10)};
    return CUBLAS_STATUS_SUCCESS;
}

/* Whether any stream is captured. */
static bool is_capturing(void) {
    bool captured = false;
    emu_lock();
    for (const struct CUstream_st *s = emu_first_stream(); s != NULL; s = s->next) captured |= s->captured != NULL;
    emu_unlock();
    return captured;
}

/* ---- algorithms -------------------------------------------------------------------------------------------------- */

size_t emu_workspace_of(const emu_algorithm *algorithm, const emu_shape *shape) {
    const size_t batch = (size_t)shape->batch;
    if (algorithm->parts > 1)
        return (size_t)algorithm->parts * (size_t)shape->m * (size_t)shape->n * batch * sizeof(float);
    return shape->k > 32 ? 256 * batch : 0;
}

/* One that takes the depth in one sequence, or one in two parts. */
static emu_algorithm make_algorithm(const emu_shape *shape, const emu_preference *preference, bool in_parts) {
    bool aligned = true;
    emu_algorithm made = {.mark = EMU_ALGORITHM, .shape = shape->hash, .parts = in_parts ? 2 : 1};
    memcpy(made.alignment, preference->alignment, sizeof made.alignment);
    for (int i = 0; i < 4; i++) aligned &= made.alignment[i] >= 16;
    made.scheme = in_parts ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : CUBLASLT_REDUCTION_SCHEME_NONE;
    made.chunk = in_parts ? (shape->k + 1) / 2 : 16 + (shape->batch >= 4 ? 16 : 0) + (aligned ? 0 : 8);
    return made;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int asked,
                                              cublasLtMatmulHeuristicResult_t found[], int *count) {
    const emu_preference *p = (const emu_preference *)preference;
    emu_shape shape;
    const cublasStatus_t failure = emu_cublaslt_failure();
    if (failure != CUBLAS_STATUS_SUCCESS) return failure;
    if (!emu_is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (is_capturing()) return CUBLAS_STATUS_INTERNAL_ERROR;
    if (p == NULL || p->mark != EMU_PREFERENCE || found == NULL || count == NULL || asked < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    const cublasStatus_t status = emu_shape_of(operation, a, b, c, d, &shape);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    emu_cublaslt_choices++;
    *count = 0;
    for (int parts = 2; parts >= 1 && *count < asked; parts--) {
        const emu_algorithm made = make_algorithm(&shape, p, parts > 1);
        const size_t workspace = emu_workspace_of(&made, &shape);
        if (workspace > p->workspace || (parts > 1 && !(p->schemes & made.scheme))) continue;
        cublasLtMatmulHeuristicResult_t *result = &found[(*count)++];
        memset(result, 0, sizeof *result);
        memcpy(&result->algo, &made, sizeof made);
        result->workspaceSize = workspace;
        result->state = CUBLAS_STATUS_SUCCESS;
        result->wavesCount = 1;
    }
    return *count > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t which, void *value,
                                                    size_t bytes, size_t *written) {
    const emu_algorithm *made = (const emu_algorithm *)algorithm;
    if (made == NULL || made->mark != EMU_ALGORITHM || value == NULL || bytes != sizeof(int32_t))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (which != CUBLASLT_ALGO_CONFIG_SPLITK_NUM && which != CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (which == CUBLASLT_ALGO_CONFIG_SPLITK_NUM)
        memcpy(value, &made->parts, bytes);
    else
        memcpy(value, &made->scheme, bytes);
    if (written) *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                       cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm,
                                       cublasLtMatmulHeuristicResult_t *result) {
    const emu_algorithm *made = (const emu_algorithm *)algorithm;
    emu_shape shape;
    const cublasStatus_t failure = emu_cublaslt_failure();
    if (failure != CUBLAS_STATUS_SUCCESS) return failure;
    if (!emu_is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (is_capturing()) return CUBLAS_STATUS_INTERNAL_ERROR;
    const cublasStatus_t status = emu_shape_of(operation, a, b, c, d, &shape);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (made == NULL || made->mark != EMU_ALGORITHM || made->shape != shape.hash || result == NULL)
        return CUBLAS_STATUS_INVALID_VALUE;
    emu_cublaslt_checks++;
    result->workspaceSize = emu_workspace_of(made, &shape);
    result->state = CUBLAS_STATUS_SUCCESS;
    result->wavesCount = 1;
    return CUBLAS_STATUS_SUCCESS;
}

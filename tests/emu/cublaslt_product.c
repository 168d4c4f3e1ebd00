/* cublaslt_product.c: cublasLtMatmul for the emulated GPU: checks all that a device would refuse, and what it would let
 * pass and read or write elsewhere; then the product waits in the stream, and is OpenBLAS's, matrix by matrix.
 *
 * Where the compute type allows it, factors are rounded to TF32 (nearest, ties away from zero) or bfloat16 (nearest,
 * ties to even), and sums are float32. A device's tensor cores may cut TF32 instead, and sum in another order.
 */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "cublaslt.h"
#include "stream.h"

/* The matrices of a batch. */
typedef struct batch {
    const float *start;
    uint64_t rows, columns;
    int64_t leading, stride;
} batch;

/* What waits in the stream; a copy of all that was said. */
typedef struct product {
    batch a, b, d; /* C is D */
    int32_t m, n, k, trials, compute, turn_a, turn_b, chunk;
    float alpha, beta;
    void *workspace;
    size_t workspace_bytes;
} product;

static batch batch_of(const void *start, cublasLtMatrixLayout_t layout) {
    const emu_layout *l = (const emu_layout *)layout;
    return (batch){start, l->rows, l->columns, l->leading, l->stride};
}

static const float *matrix_of(const batch *x, int32_t trial) { return x->start + (int64_t)trial * x->stride; }
static size_t matrix_bytes(const batch *x) { return ((x->columns - 1) * (size_t)x->leading + x->rows) * sizeof(float); }

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void check_batch(const batch *x, int32_t trials, const char *name) {
    for (int32_t t = 0; t < trials; t++)
        if (!emu_is_device(matrix_of(x, t), matrix_bytes(x)))
            emu_stop(NULL, 0,
                     "cublasLtMatmul: %s of entry %d of %d, %zu bytes, is not within an allocation of the device", name,
                     t, trials, matrix_bytes(x));
}

/* Matrix by matrix, as the matrices of two batches may lie between each other. */
static void check_apart(const batch *d, const batch *x, int32_t trials, const char *name) {
    for (int32_t i = 0; i < trials; i++)
        for (int32_t j = 0; j < trials; j++) {
            const char *at = (const char *)matrix_of(d, i), *other = (const char *)matrix_of(x, j);
            if (at < other + matrix_bytes(x) && other < at + matrix_bytes(d))
                emu_stop(NULL, 0, "cublasLtMatmul: the result of entry %d overlaps %s of entry %d", i, name, j);
        }
}

/* When the product is asked for, and again when it is computed: a graph may outlive its memory. */
static void check_memory(const product *p) {
    check_batch(&p->a, p->trials, "A");
    check_batch(&p->b, p->trials, "B");
    check_batch(&p->d, p->trials, "D");
    check_apart(&p->d, &p->a, p->trials, "A");
    check_apart(&p->d, &p->b, p->trials, "B");
    if (p->workspace_bytes > 0 && !emu_is_device(p->workspace, p->workspace_bytes))
        emu_stop(NULL, 0, "cublasLtMatmul: the workspace, %zu bytes, is not within an allocation of the device",
                 p->workspace_bytes);
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

static float rounded(float value, int32_t compute) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u) return value; /* infinite, or no number */
    if (compute == CUBLAS_COMPUTE_32F_FAST_TF32)
        bits = (bits + 0x1000u) & ~0x1fffu;
    else
        bits = (bits + 0x7fffu + (bits >> 16 & 1)) & ~0xffffu;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* The matrix of a trial, or a rounded copy in `copy`, which lies as it does. */
static const float *factor_of(const product *p, const batch *x, int32_t trial, float *copy) {
    const float *matrix = matrix_of(x, trial);
    if (p->compute == CUBLAS_COMPUTE_32F) return matrix;
    for (uint64_t c = 0; c < x->columns; c++)
        for (uint64_t r = 0; r < x->rows; r++) {
            const uint64_t i = c * (uint64_t)x->leading + r;
            copy[i] = rounded(matrix[i], p->compute);
        }
    return copy;
}

/* Chunk by chunk of the depth, as the algorithm says. */
static void multiply(const product *p, const float *a, const float *b, float *d) {
    const bool turn_a = p->turn_a == CUBLAS_OP_T, turn_b = p->turn_b == CUBLAS_OP_T;
    for (int32_t k = 0; k < p->k; k += p->chunk) {
        const int32_t depth = p->k - k < p->chunk ? p->k - k : p->chunk;
        cblas_sgemm(CblasColMajor, turn_a ? CblasTrans : CblasNoTrans, turn_b ? CblasTrans : CblasNoTrans, p->m, p->n,
                    depth, p->alpha, a + (turn_a ? k : k * p->a.leading), (int)p->a.leading,
                    b + (turn_b ? k * p->b.leading : k), (int)p->b.leading, k == 0 ? p->beta : 1, d, (int)p->d.leading);
    }
}

static void run(const void *arguments) {
    const product *p = arguments;
    const bool rounds = p->compute != CUBLAS_COMPUTE_32F;
    float *copy_a = malloc(rounds ? matrix_bytes(&p->a) : 1), *copy_b = malloc(rounds ? matrix_bytes(&p->b) : 1);
    if (copy_a == NULL || copy_b == NULL) emu_stop(NULL, 0, "cublasLtMatmul: the host has no memory left");
    check_memory(p);
    for (int32_t t = 0; t < p->trials; t++)
        multiply(p, factor_of(p, &p->a, t, copy_a), factor_of(p, &p->b, t, copy_b), (float *)matrix_of(&p->d, t));
    if (p->workspace_bytes > 0) memset(p->workspace, 0xff, p->workspace_bytes); /* nobody else may keep values there */
    free(copy_a);
    free(copy_b);
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static bool is_aligned(const batch *x, uint32_t bytes) {
    return (uintptr_t)x->start % bytes == 0 && (uint64_t)x->stride * sizeof(float) % bytes == 0;
}

/* The algorithm takes this shape, memory so aligned, and the workspace. */
static cublasStatus_t check_algorithm(const emu_algorithm *made, const emu_shape *shape, const product *p) {
    if (made == NULL) emu_stop(NULL, 0, "cublasLtMatmul: without an algorithm it is chosen by the batch count");
    if (made->mark != EMU_ALGORITHM || made->shape != shape->hash || p->workspace_bytes < emu_workspace_of(made, shape))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!is_aligned(&p->a, made->alignment[0]) || !is_aligned(&p->b, made->alignment[1]) ||
        !is_aligned(&p->d, made->alignment[2]) || !is_aligned(&p->d, made->alignment[3]))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

/* One number behind each, of the host. */
static cublasStatus_t check_scalars(const void *alpha, const void *beta) {
    if (alpha == NULL || beta == NULL) return CUBLAS_STATUS_INVALID_VALUE;
    if (emu_is_device(alpha, 1) || emu_is_device(beta, 1))
        emu_stop(NULL, 0, "cublasLtMatmul: alpha or beta lies on the device, and the host reads it");
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t queue(const product *p, cudaStream_t stream) {
    switch (emu_queue_call("cublasLtMatmul", run, p, sizeof *p, emu_stream_of(stream))) {
        case cudaSuccess:
            return CUBLAS_STATUS_SUCCESS;
        case cudaErrorMemoryAllocation:
            return CUBLAS_STATUS_ALLOC_FAILED;
        default:
            return CUBLAS_STATUS_EXECUTION_FAILED;
    }
}

static cublasStatus_t check_and_queue(product *p, const emu_algorithm *algorithm, const emu_shape *shape,
                                      cudaStream_t stream) {
    const cublasStatus_t status = check_algorithm(algorithm, shape, p);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    check_memory(p);
    p->chunk = algorithm->chunk;
    p->workspace_bytes = emu_workspace_of(algorithm, shape);
    return queue(p, stream);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
    const emu_operation *o = (const emu_operation *)operation;
    emu_shape shape;
    cublasStatus_t status = emu_cublaslt_failure();
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (!emu_is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    status = emu_shape_of(operation, a_layout, b_layout, c_layout, d_layout, &shape);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (a == NULL || b == NULL || c == NULL || d == NULL || (workspace == NULL && workspace_bytes > 0))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (c != d || memcmp(c_layout, d_layout, sizeof(emu_layout)) != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    emu_lock();
    status = check_scalars(alpha, beta);
    if (status == CUBLAS_STATUS_SUCCESS) {
        product p = {.a = batch_of(a, a_layout),
                     .b = batch_of(b, b_layout),
                     .d = batch_of(d, d_layout),
                     .m = shape.m,
                     .n = shape.n,
                     .k = shape.k,
                     .trials = shape.batch,
                     .compute = o->compute,
                     .turn_a = o->turn_a,
                     .turn_b = o->turn_b,
                     .alpha = *(const float *)alpha,
                     .beta = *(const float *)beta,
                     .workspace = workspace,
                     .workspace_bytes = workspace_bytes};
        status = check_and_queue(&p, (const emu_algorithm *)algorithm, &shape, stream);
    }
    emu_unlock();
    return status;
}

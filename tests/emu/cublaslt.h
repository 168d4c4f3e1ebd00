/* cublaslt.h: what cublaslt.c and cublaslt_product.c share, and what a test may ask of them: matrix products as
 * cuBLASLt offers them, for the emulated GPU.
 */
#ifndef EMU_CUBLASLT_H
#define EMU_CUBLASLT_H

#include <cublasLt.h>

#include "emu.h"

/* For tests: the next call that may fail on a device gives this status, then it is CUBLAS_STATUS_SUCCESS again. */
extern cublasStatus_t emu_cublaslt_fails;
cublasStatus_t emu_cublaslt_failure(void); /* takes it */
/* For tests: how often an algorithm was chosen, and how often one was checked. */
extern int emu_cublaslt_choices, emu_cublaslt_checks;

/* The library's opaque objects, as they lie in its `data`. The first word says which it is. */
enum { EMU_HANDLE = 0x48414e44, EMU_LAYOUT = 0x4c41594f, EMU_OPERATION, EMU_PREFERENCE, EMU_ALGORITHM };

typedef struct emu_layout {
    int32_t mark, type;
    uint64_t rows, columns;
    int64_t leading, stride;
    int32_t batch, order;
} emu_layout;

typedef struct emu_operation {
    int32_t mark, compute, scale, turn_a, turn_b;
} emu_operation;

typedef struct emu_preference {
    uint64_t mark, workspace;
    uint32_t schemes, alignment[4]; /* of A, B, C, D */
} emu_preference;

typedef struct emu_algorithm {
    int32_t mark;
    int32_t chunk; /* of the depth, that is summed by itself: part of the result */
    int32_t parts; /* split-K */
    uint32_t scheme;
    uint64_t shape; /* that it was chosen for */
    uint32_t alignment[4];
} emu_algorithm;

/* A product as layouts and operation say it: (m,n) of depth k. False: they do not fit each other. */
typedef struct emu_shape {
    int32_t m, n, k, batch;
    uint64_t hash; /* of all but the batch and the strides */
} emu_shape;
cublasStatus_t emu_shape_of(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                            cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, emu_shape *shape);
bool emu_is_handle(cublasLtHandle_t handle);
size_t emu_workspace_of(const emu_algorithm *algorithm, const emu_shape *shape);

#endif

/* gemm.h: the two matrix kernels that convolutions and dense layers are made of; gemm.c.
 *
 * A packed matrix of `depth` rows is cut into panels of 2 vectors of columns, the last of 3 or 1 where the number is
 * odd; in a panel the rows follow each other. Its floats: depth times columns rounded up to LANES.
 */
#ifndef EXPCONV_CPU_GEMM_H
#define EXPCONV_CPU_GEMM_H

#include "expconv/base.h"
#include "vector.h"

/* Rows of a matrix that need not exist as one: `samples` times `rows`, at these distances in floats. Rows may overlap:
 * the windows of a convolution over channels-last data do. */
typedef struct cpu_rows {
    const float *first;
    size_t sample_stride, row_stride;
} cpu_rows;

#define xc_cpu_panels XC_ISA_NAME(xc_cpu_panels)
#define xc_cpu_pack XC_ISA_NAME(xc_cpu_pack)
#define xc_cpu_pack_flipped XC_ISA_NAME(xc_cpu_pack_flipped)
#define xc_cpu_packed_place XC_ISA_NAME(xc_cpu_packed_place)
#define xc_cpu_transpose XC_ISA_NAME(xc_cpu_transpose)
#define xc_cpu_gemm XC_ISA_NAME(xc_cpu_gemm)
#define xc_cpu_outer XC_ISA_NAME(xc_cpu_outer)

/* Panels of a matrix with so many columns. The functions below do some panels of it, `which`, so that threads can share
 * one product; no result depends on who does which. */
size_t xc_cpu_panels(size_t columns);
INLINE xc_range cpu_all_panels(size_t columns) { return (xc_range){0, xc_cpu_panels(columns)}; }

/* Packs a matrix (depth,columns). */
void xc_cpu_pack(float *panels, const float *matrix, size_t depth, size_t columns, xc_range which);

/* Packs a kernel (K,C,F) for the input gradient: a matrix of K * padded rows and C columns, whose row (k,f) holds
 * kernel[K-1-k][.][f], and zeros for f >= F. */
void xc_cpu_pack_flipped(float *panels, const float *kernel, size_t width, size_t channels, size_t filters,
                         size_t padded, xc_range which);

/* Where element (row,column) of a packed matrix (depth,columns) is. */
size_t xc_cpu_packed_place(size_t depth, size_t columns, size_t row, size_t column);

/* to[f][i] = from[i][f] for f < padded and i < wide, with zeros beyond the `rows` rows and `columns` columns of `from`.
 */
void xc_cpu_transpose(float *to, const float *from, size_t rows, size_t columns, size_t wide, size_t padded);

/* out = start + in * panels, or out += in * panels where `add`; start (columns, up to a multiple of LANES) or NULL for
 * zeros. Where out's row_stride is not a multiple of LANES only `columns` floats of a row are touched. */
void xc_cpu_gemm(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panels,
                 size_t depth, size_t columns, const float *start, bool add, xc_range which);

/* sum[i][j] = or += over all rows: left[row][i] * right[row][j], for i < depth, j < columns; `sum` is (depth,columns).
 * Rows of `right` are readable up to a multiple of LANES. `panel` is scratch for OUTER_COLUMNS floats a row, where
 * columns of `right` are gathered so that they lie in few lines and pages; or NULL where they do. */
void xc_cpu_outer(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows, float *sum, size_t depth,
                  size_t columns, bool add, float *panel, xc_range which);
#define OUTER_COLUMNS (3 * LANES)

#endif

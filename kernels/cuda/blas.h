/* blas.h: matrix products on the device, through cuBLASLt (blas.c alone knows it).
 *
 * A trial's result is the same to the byte whatever the number of trials in the call: which algorithm multiplies is
 * chosen once for a shape, for a number of trials that is always the same, among those that take each sum in one
 * sequence; and it is kept for every number. So it depends on the shape, the precision, the alignment, the GPU and the
 * version of cuBLASLt, and on nothing else.
 */
#ifndef EXPCONV_CUDA_BLAS_H
#define EXPCONV_CUDA_BLAS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

#include "expconv/base.h"
#include "expconv/backend.h"

/* C = op(A) op(B) + beta C, for each of the trials; matrices lie row after row, without gaps between rows. All sizes
 * and `trials` are at least 1.
 *
 * Strides are counted in floats from trial to trial. Those of a and b may be 0: the trials share the matrix. That of c
 * is at least rows * columns. How pointers and strides are aligned (to 4, 8 or 16 bytes) has a part in the choice of
 * the algorithm: give a matrix that is a trial's the same alignment in a call of one trial and of many. Where strides,
 * and the starts of arrays, are multiples of 4 floats it always is. */
typedef struct cuda_product {
    int32_t rows, columns, depth;
    bool turn_a, turn_b;
    const float *a; /* (trials,rows,depth), or where turn_a (trials,depth,rows); device */
    const float *b; /* (trials,depth,columns), or where turn_b (trials,columns,depth); device */
    float *c;       /* (trials,rows,columns); device; shares no memory with a and b */
    size_t a_stride, b_stride, c_stride;
    float beta; /* 0: c is not read; or 1 */
    int32_t trials;
    xc_precision precision;
} cuda_product;

/* The library, a workspace on the device, and the algorithms chosen so far. For one thread and one stream at a time:
 * the products share the workspace. */
typedef struct cuda_blas cuda_blas;

/* On the current device. Fails with XC_MEMORY or XC_DEVICE; *blas is NULL then. Close it with cuda_blas_close. */
xc_status cuda_blas_open(cuda_blas **blas, xc_error *error);

/* The streams that were given to it must have been waited for. NULL is nothing. */
void cuda_blas_close(cuda_blas *blas);

/* Chooses the algorithm of this product where it has not been chosen yet, and checks that it takes these trials and
 * strides. Launches nothing; reads of the pointers only how they are aligned. Not within a capture, of whatever stream:
 * the library may refuse to choose then. Fails with XC_MEMORY or XC_DEVICE, and leaves nothing behind then. */
xc_status cuda_blas_plan(cuda_blas *blas, const cuda_product *product, xc_error *error);

/* Asks the stream for the product, and does not wait. Plans what has not been planned. Once this shape has been, with
 * these trials, strides and this alignment, it allocates nothing and may be captured into a graph; a real device may
 * still have to load the algorithm's kernel, so multiply once before the first capture. Fails with XC_MEMORY or
 * XC_DEVICE. */
xc_status cuda_blas_multiply(cuda_blas *blas, const cuda_product *product, cudaStream_t stream, xc_error *error);

#endif

/* product.cuh: the product of two matrices in tiles of shared memory, 64 by 64 by 16 a block, that the three passes of
 * a convolution share. What differs between them is how a tile is gathered: each gives two loaders, which keep a
 * thread's part of the next tiles in registers while the present ones are multiplied.
 *
 * Precision: float32 by fused multiply-adds; TF32 and bfloat16, with float32 sums, on the tensor cores. Where those do
 * not exist (the emulated GPU) the same rounded factors are multiplied plainly. Sums of one output are over all of a
 * block's depth, in its order.
 */
#ifndef EXPCONV_CUDA_PRODUCT_CUH
#define EXPCONV_CUDA_PRODUCT_CUH

#include "place.cuh"

#define TILE CUDA_TILE
#define DEPTH 16
#define THREADS 128
#define OWN_ROWS 8
#define OWN_COLUMNS 4
#define PADDED (TILE + 4) /* floats from one depth to the next: aligned for vectors, and few meet in one bank */
#define PADDED_SUMS (TILE + 4)
#define PADDED_HALVES (TILE + 8)

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#include <mma.h>
#define TENSOR_CORES 1
#else
#define TENSOR_CORES 0
#endif

/* ---- precision --------------------------------------------------------------------------------------------------- */

/* A factor with 10 bits of mantissa, to nearest, ties to even. */
DEVICE float to_tf32(float x) {
    const unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x; /* infinite or NaN */
    return __uint_as_float((bits + 0xfffu + (bits >> 13 & 1)) & ~0x1fffu);
}

/* The upper half of a factor with 7 bits of mantissa, likewise. */
DEVICE uint16_t to_bf16(float x) {
    const unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return (uint16_t)(bits >> 16 | ((bits & 0xffffu) != 0));
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
DEVICE float from_bf16(uint16_t half) { return __uint_as_float((unsigned)half << 16); }

/* A tile of factors (DEPTH,TILE) as each precision keeps it. */
template <xc_precision P>
struct factor {
    typedef float type;
    static const int padded = PADDED;
    DEVICE type of(float x) { return P == XC_TF32 ? to_tf32(x) : x; }
    DEVICE float value(type x) { return x; }
};
template <>
struct factor<XC_BF16> {
    typedef uint16_t type;
    static const int padded = PADDED_HALVES;
    DEVICE type of(float x) { return to_bf16(x); }
    DEVICE float value(type x) { return from_bf16(x); }
};

/* ---- multiplying ------------------------------------------------------------------------------------------------- */

/* A thread's sums: plainly OWN_ROWS by OWN_COLUMNS of the tile; on tensor cores a warp has 32 by 32 of it. */
#if TENSOR_CORES
template <xc_precision P>
struct fragments;
template <>
struct fragments<XC_TF32> {
    typedef nvcuda::wmma::precision::tf32 type;
    static const int depth = 8;
};
template <>
struct fragments<XC_BF16> {
    typedef __nv_bfloat16 type;
    static const int depth = 16;
};
#endif

template <xc_precision P, bool TENSOR>
struct tile_sums {
    float sum[OWN_ROWS][OWN_COLUMNS];

    __device__ __forceinline__ int row(void) { return (int)(threadIdx.x / (TILE / OWN_COLUMNS)) * OWN_ROWS; }
    __device__ __forceinline__ int column(void) { return (int)(threadIdx.x % (TILE / OWN_COLUMNS)) * OWN_COLUMNS; }
    __device__ __forceinline__ void clear(void) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++)
#pragma unroll
            for (int j = 0; j < OWN_COLUMNS; j++) sum[i][j] = 0;
    }
    /* sums += left^T right, both (DEPTH,TILE). */
    __device__ __forceinline__ void multiply(const typename factor<P>::type *left,
                                             const typename factor<P>::type *right) {
        const int r = row(), c = column(), padded = factor<P>::padded;
#pragma unroll
        for (int d = 0; d < DEPTH; d++) {
            float a[OWN_ROWS], b[OWN_COLUMNS];
#pragma unroll
            for (int i = 0; i < OWN_ROWS; i++) a[i] = factor<P>::value(left[d * padded + r + i]);
#pragma unroll
            for (int j = 0; j < OWN_COLUMNS; j++) b[j] = factor<P>::value(right[d * padded + c + j]);
#pragma unroll
            for (int i = 0; i < OWN_ROWS; i++)
#pragma unroll
                for (int j = 0; j < OWN_COLUMNS; j++) sum[i][j] += a[i] * b[j];
        }
    }
    /* To (TILE,PADDED_SUMS). */
    __device__ __forceinline__ void store(float *to) {
#pragma unroll
        for (int i = 0; i < OWN_ROWS; i++)
#pragma unroll
            for (int j = 0; j < OWN_COLUMNS; j++) to[(row() + i) * PADDED_SUMS + column() + j] = sum[i][j];
    }
};

#if TENSOR_CORES
template <xc_precision P>
struct tile_sums<P, true> {
    typedef typename fragments<P>::type type;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, fragments<P>::depth, float> sum[2][2];

    __device__ __forceinline__ int row(void) { return (int)(threadIdx.x / 64) * 32; }
    __device__ __forceinline__ int column(void) { return (int)(threadIdx.x / 32 % 2) * 32; }
    __device__ __forceinline__ void clear(void) {
#pragma unroll
        for (int i = 0; i < 4; i++) nvcuda::wmma::fill_fragment(sum[i / 2][i % 2], 0.0f);
    }
    __device__ __forceinline__ void multiply(const typename factor<P>::type *left,
                                             const typename factor<P>::type *right) {
        const int padded = factor<P>::padded, deep = fragments<P>::depth;
#pragma unroll
        for (int d = 0; d < DEPTH; d += deep) {
            nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, deep, type, nvcuda::wmma::col_major> a[2];
            nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, deep, type, nvcuda::wmma::row_major> b[2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                nvcuda::wmma::load_matrix_sync(a[i], stored(left + d * padded + row() + 16 * i), padded);
                nvcuda::wmma::load_matrix_sync(b[i], stored(right + d * padded + column() + 16 * i), padded);
            }
#pragma unroll
            for (int i = 0; i < 4; i++)
                nvcuda::wmma::mma_sync(sum[i / 2][i % 2], a[i / 2], b[i % 2], sum[i / 2][i % 2]);
        }
    }
    __device__ __forceinline__ void store(float *to) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            nvcuda::wmma::store_matrix_sync(to + (row() + i / 2 * 16) * PADDED_SUMS + column() + i % 2 * 16,
                                            sum[i / 2][i % 2], PADDED_SUMS, nvcuda::wmma::mem_row_major);
    }
    static __device__ __forceinline__ const float *stored(const float *at) { return at; }
    static __device__ __forceinline__ const __nv_bfloat16 *stored(const uint16_t *at) {
        return (const __nv_bfloat16 *)at;
    }
};
#endif

/* ---- a whole product --------------------------------------------------------------------------------------------- */

/* The block's shared memory: two tiles while it multiplies, the sums afterwards. */
#define PRODUCT_SHARED (TILE * PADDED_SUMS)

/* Sums (TILE,PADDED_SUMS) of left^T right over depth `begin` to `end`, into `shared`, for all threads to read. A loader
 * fetches a thread's part of the tile at a depth, then puts it: void fetch(int depth, int end); void put(type *tile).
 */
template <xc_precision P, typename L, typename R>
DEVICE void multiply_tiles(L &left, R &right, int begin, int end, float *shared) {
    typedef typename factor<P>::type type;
    type *left_tile = (type *)shared, *right_tile = left_tile + DEPTH * factor<P>::padded;
    tile_sums<P, (TENSOR_CORES && P != XC_FP32)> sums;
    sums.clear();
    left.fetch(begin, end);
    right.fetch(begin, end);
    for (int depth = begin; depth < end; depth += DEPTH) {
        left.template put<P>(left_tile);
        right.template put<P>(right_tile);
        __syncthreads();
        if (depth + DEPTH < end) {
            left.fetch(depth + DEPTH, end);
            right.fetch(depth + DEPTH, end);
        }
        sums.multiply(left_tile, right_tile);
        __syncthreads();
    }
    sums.store(shared);
    __syncthreads();
}

#endif

/* gather.cuh: the loaders of the convolution's products. Channels lie last, so what all taps of one output read is one
 * span of memory: element k C + c of the span of position l stands at (l - pad_left) C + k C + c of its sequence, and
 * is 0 outside of it. VECTOR: channels and filters are multiples of four, so that four floats are loaded at once.
 */
#ifndef EXPCONV_CUDA_GATHER_CUH
#define EXPCONV_CUDA_GATHER_CUH

#include "product.cuh"

#define FETCHED (DEPTH * TILE / THREADS) /* floats of a tile that a thread has */

/* Four floats from `at` on of `count` that exist, zeros elsewhere. */
template <bool VECTOR>
DEVICE void fetch_four(const float *from, int at, int begin, int end, float *to) {
    if (VECTOR) {
        float4 four = make_float4(0, 0, 0, 0);
        if (from && at >= begin && at < end) four = *(const float4 *)(from + at);
        to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) to[i] = from && at + i >= begin && at + i < end ? from[at + i] : 0;
    }
}

/* The rows of a gathered matrix: row n positions + l is the span of sequence n that begins at (l - shift) channels. */
typedef struct gathered {
    const float *values; /* (N,length,channels), of this trial */
    int32_t sequences, length, channels, positions, shift;
} gathered;

/* Where a row's sequence begins, and the row's span in it. */
typedef struct span {
    const float *sequence; /* (length,channels); NULL beyond the last row */
    int32_t begin;
} span;

DEVICE span span_of(const gathered *g, int row) {
    const int n = row / g->positions, l = row - n * g->positions;
    const bool exists = n < g->sequences;
    const span s = {exists ? g->values + (size_t)n * (size_t)g->length * (size_t)g->channels : NULL,
                    (l - g->shift) * g->channels};
    return s;
}

/* The input of trial t, as forward reads it. */
DEVICE gathered input_of(const cuda_call *c, int t) {
    const xc_block *b = &c->block;
    const size_t count = (size_t)c->batch * (size_t)b->length * (size_t)b->channels;
    const gathered g = {c->x + (size_t)t * count, c->batch, b->length, b->channels, b->conv_length, b->pad_left};
    return g;
}

/* ---- tiles whose depth follows in memory ------------------------------------------------------------------------- */

/* A thread has one row of the tile, and eight of its depths. */
DEVICE int deep_row(void) { return (int)threadIdx.x % TILE; }
DEVICE int deep_first(void) { return (int)threadIdx.x / TILE * FETCHED; }

template <xc_precision P>
DEVICE void put_deep(const float *values, typename factor<P>::type *tile) {
#pragma unroll
    for (int i = 0; i < FETCHED; i++)
        tile[(deep_first() + i) * factor<P>::padded + deep_row()] = factor<P>::of(values[i]);
}

/* Spans as rows. */
template <bool VECTOR>
struct span_rows {
    span own;
    int limit; /* of a sequence, floats */
    float values[FETCHED];

    __device__ __forceinline__ span_rows(const gathered *g, int first_row)
        : own(span_of(g, first_row + deep_row())), limit(g->length * g->channels) {}
    __device__ __forceinline__ void fetch(int depth, int end) {
        const int at = own.begin + depth + deep_first(), stop = own.begin + end;
#pragma unroll
        for (int i = 0; i < FETCHED; i += 4)
            fetch_four<VECTOR>(own.sequence, at + i, 0, stop < limit ? stop : limit, values + i);
    }
    template <xc_precision P>
    __device__ __forceinline__ void put(typename factor<P>::type *tile) {
        put_deep<P>(values, tile);
    }
};

/* The kernel (K,C,F) turned for the gradient at the input: column c, depth k' F + f with k' = K - 1 - k, because a span
 * of dz runs forward in l, so backward in k. */
template <bool VECTOR>
struct turned_kernel {
    const float *kernel; /* (K,C,F) */
    int width, channels, filters, channel;
    float values[FETCHED];

    __device__ __forceinline__ turned_kernel(const cuda_call *c, const float *from, int first_column)
        : kernel(from),
          width(c->block.width),
          channels(c->block.channels),
          filters(c->block.filters),
          channel(first_column + deep_row()) {}
    __device__ __forceinline__ void fetch_one(int depth, int end, float *to) {
        const int turned = depth / filters, f = depth - turned * filters;
        const size_t row = (size_t)(width - 1 - turned) * (size_t)channels + (size_t)channel;
        const bool exists = channel < channels && depth < end;
        fetch_four<VECTOR>(exists ? kernel + row * (size_t)filters : NULL, f, 0, filters, to);
    }
    __device__ __forceinline__ void fetch(int depth, int end) {
        const int first = depth + deep_first();
        if (VECTOR) {
#pragma unroll
            for (int i = 0; i < FETCHED; i += 4) fetch_one(first + i, end, values + i);
        } else {
#pragma unroll
            for (int i = 0; i < FETCHED; i++) {
                const int d = first + i, turned = d / filters, f = d - turned * filters;
                const size_t row = (size_t)(width - 1 - turned) * (size_t)channels + (size_t)channel;
                values[i] = channel < channels && d < end ? kernel[row * (size_t)filters + (size_t)f] : 0;
            }
        }
    }
    template <xc_precision P>
    __device__ __forceinline__ void put(typename factor<P>::type *tile) {
        put_deep<P>(values, tile);
    }
};

/* ---- tiles whose rows follow in memory --------------------------------------------------------------------------- */

/* A thread has four rows of the tile at each of two depths. */
DEVICE int flat_row(void) { return (int)threadIdx.x % (TILE / 4) * 4; }
DEVICE int flat_depth(int half) { return (int)threadIdx.x / (TILE / 4) + half * (DEPTH / 2); }

template <xc_precision P>
DEVICE void put_flat(const float *values, typename factor<P>::type *tile) {
#pragma unroll
    for (int i = 0; i < FETCHED; i++)
        tile[flat_depth(i / 4) * factor<P>::padded + flat_row() + i % 4] = factor<P>::of(values[i]);
}

/* A plain matrix (depth,columns). */
template <bool VECTOR>
struct plain_columns {
    const float *matrix; /* (depth,columns) */
    int columns, first;
    float values[FETCHED];

    __device__ __forceinline__ plain_columns(const float *from, int count, int first_column)
        : matrix(from), columns(count), first(first_column + flat_row()) {}
    __device__ __forceinline__ void fetch(int depth, int end) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int d = depth + flat_depth(half);
            const float *row = d < end ? matrix + (size_t)d * (size_t)columns : NULL;
            fetch_four<VECTOR>(row, first, 0, columns, values + 4 * half);
        }
    }
    template <xc_precision P>
    __device__ __forceinline__ void put(typename factor<P>::type *tile) {
        put_flat<P>(values, tile);
    }
};

/* Spans lying down: a depth is a position, rows are k C + c. */
template <bool VECTOR>
struct span_columns {
    gathered g;
    int first, rows;
    float values[FETCHED];

    __device__ __forceinline__ span_columns(const gathered *from, int first_row, int row_count)
        : g(*from), first(first_row + flat_row()), rows(row_count) {}
    __device__ __forceinline__ void fetch(int depth, int end) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int d = depth + flat_depth(half), limit = g.length * g.channels;
            const span s = span_of(&g, d);
            const int stop = s.begin + rows;
            fetch_four<VECTOR>(d < end ? s.sequence : NULL, s.begin + first, 0, stop < limit ? stop : limit,
                               values + 4 * half);
        }
    }
    template <xc_precision P>
    __device__ __forceinline__ void put(typename factor<P>::type *tile) {
        put_flat<P>(values, tile);
    }
};

/* ---- launching --------------------------------------------------------------------------------------------------- */

/* Whether all rows of all that is loaded, of every trial, begin at multiples of four floats. The sums are the same. */
static inline bool has_vectors(const cuda_call *call) {
    const xc_block *block = &call->block;
    const size_t steps = call->parameter_stride | block->kernel | (size_t)block->channels | (size_t)block->filters;
    const size_t starts = (size_t)call->x | (size_t)call->parameters | (size_t)call->saved | call->saved_stride;
    return steps % 4 == 0 && starts % 16 == 0;
}

/* The kernel for a block's precision and shape. */
#define LAUNCH_PRODUCT(kernel, grid, stream, call)                                  \
    do {                                                                            \
        const bool vectors = has_vectors(call);                                     \
        if ((call)->block.precision == XC_TF32 && vectors)                          \
            XC_LAUNCH((kernel<XC_TF32, true>), grid, THREADS, 0, stream, *(call));  \
        else if ((call)->block.precision == XC_TF32)                                \
            XC_LAUNCH((kernel<XC_TF32, false>), grid, THREADS, 0, stream, *(call)); \
        else if ((call)->block.precision == XC_BF16 && vectors)                     \
            XC_LAUNCH((kernel<XC_BF16, true>), grid, THREADS, 0, stream, *(call));  \
        else if ((call)->block.precision == XC_BF16)                                \
            XC_LAUNCH((kernel<XC_BF16, false>), grid, THREADS, 0, stream, *(call)); \
        else if (vectors)                                                           \
            XC_LAUNCH((kernel<XC_FP32, true>), grid, THREADS, 0, stream, *(call));  \
        else                                                                        \
            XC_LAUNCH((kernel<XC_FP32, false>), grid, THREADS, 0, stream, *(call)); \
    } while (0)

#endif

/* conv.cu: convolution and dense layers as matrix products that gather their left matrix, in tiles of shared memory: 64
 * rows by 32 columns a block, 4 by 4 a thread. Channels lie last, so what all taps of one output read is one span of
 * memory: element k C + c of that span stands at (l - pad_left) C + k C + c of its sequence, and is 0 outside of it. A
 * dense layer is the case of one position. Sums are of 16 products, added up: always in the same order.
 */
#include "place.cuh"

#define TILE_ROWS 64
#define TILE_COLUMNS 32
#define TILE_DEPTH 16
#define EACH 4 /* rows and columns of a thread */
#define THREADS (TILE_ROWS / EACH * TILE_COLUMNS / EACH)
#define PADDED_ROWS (TILE_ROWS + 1) /* so that threads that store a column do not meet in one bank */

typedef float left_tile[TILE_DEPTH][PADDED_ROWS];
typedef float right_tile[TILE_DEPTH][TILE_COLUMNS];

/* A thread's sums (4,4) and where in the tile they stand. */
DEVICE int own_row(void) { return (int)(threadIdx.x / (TILE_COLUMNS / EACH)) * EACH; }
DEVICE int own_column(void) { return (int)(threadIdx.x % (TILE_COLUMNS / EACH)) * EACH; }

/* sums += left^T right over the tile's depth. */
DEVICE void multiply_tiles(const left_tile &left, const right_tile &right, float (&sums)[EACH][EACH]) {
    float part[EACH][EACH] = {};
    const int row = own_row(), column = own_column();
#pragma unroll
    for (int d = 0; d < TILE_DEPTH; d++)
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++) part[i][j] += left[d][row + i] * right[d][column + j];
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) sums[i][j] += part[i][j];
}

/* The rows of a left matrix: row r = n positions + l is the span of sequence n that begins at (l - shift) channels. */
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

DEVICE float span_value(const gathered *g, const span *s, int k) {
    const int at = s->begin + k;
    return s->sequence != NULL && at >= 0 && at < g->length * g->channels ? s->sequence[at] : 0;
}

/* A tile of the left matrix: rows from blockIdx.x on, depth from `depth` to `most`. */
DEVICE void load_spans(const gathered *g, const span *spans, int depth, int most, left_tile &left) {
    for (int i = (int)threadIdx.x; i < TILE_ROWS * TILE_DEPTH; i += THREADS) {
        const int d = i % TILE_DEPTH, row = i / TILE_DEPTH;
        left[d][row] = depth + d < most ? span_value(g, &spans[row], depth + d) : 0;
    }
}

/* The same of a plain matrix (most,columns), with columns from `first` on. */
DEVICE void load_matrix(const float *matrix, int columns, int first, int depth, int most, right_tile &right) {
    for (int i = (int)threadIdx.x; i < TILE_COLUMNS * TILE_DEPTH; i += THREADS) {
        const int d = i / TILE_COLUMNS, column = i % TILE_COLUMNS;
        const bool exists = depth + d < most && first + column < columns;
        right[d][column] = exists ? matrix[(size_t)(depth + d) * (size_t)columns + (size_t)(first + column)] : 0;
    }
}

static dim3 tile_grid(size_t rows, int32_t columns, int32_t trials) {
    return dim3(blocks_for(rows, TILE_ROWS), blocks_for((size_t)columns, TILE_COLUMNS), (unsigned)trials);
}

DEVICE int first_row(void) { return (int)blockIdx.x * TILE_ROWS; }
DEVICE int first_column(void) { return (int)blockIdx.y * TILE_COLUMNS; }

/* The input of trial t, as forward reads it. */
DEVICE gathered input_of(const cuda_call *c, int t) {
    const xc_block *b = &c->block;
    const size_t count = (size_t)c->batch * (size_t)b->length * (size_t)b->channels;
    const gathered g = {c->x + (size_t)t * count, c->batch, b->length, b->channels, b->conv_length, b->pad_left};
    return g;
}

/* ---- z[n,l,f] = sum_k,c x[n, l + k - pad_left, c] kernel[k,c,f] ----------------------------------------------------
 */

static __global__ void __launch_bounds__(THREADS) k_conv_fwd(cuda_call c) {
    XC_SHARED(float, left, [TILE_DEPTH][PADDED_ROWS]);
    XC_SHARED(float, right, [TILE_DEPTH][TILE_COLUMNS]);
    XC_SHARED(span, spans, [TILE_ROWS]);
    const int t = (int)blockIdx.z, filters = c.block.filters, most = c.block.width * c.block.channels;
    const float *kernel = parameters_of(&c, t) + c.block.kernel; /* (K,C,F) */
    const gathered input = input_of(&c, t);
    float sums[EACH][EACH] = {};
    if (threadIdx.x < TILE_ROWS) spans[threadIdx.x] = span_of(&input, first_row() + (int)threadIdx.x);
    __syncthreads();
    for (int depth = 0; depth < most; depth += TILE_DEPTH) {
        load_spans(&input, spans, depth, most, left);
        load_matrix(kernel, filters, first_column(), depth, most, right);
        __syncthreads();
        multiply_tiles(left, right, sums);
        __syncthreads();
    }
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            const int row = first_row() + own_row() + i, f = first_column() + own_column() + j;
            if (row < c.rows && f < filters)
                z_of(&c, t)[(size_t)row * (size_t)filters + f] = finish_linear(&c, t, sums[i][j], f);
        }
}

void cuda_conv_forward(const cuda_call *call, cudaStream_t stream) {
    const dim3 grid = tile_grid((size_t)call->rows, call->block.filters, call->trials);
    XC_LAUNCH(k_conv_fwd, grid, THREADS, 0, stream, *call);
}

/* ---- dx[n,p,c] = sum_k,f dz[n, p + pad_left - k, f] kernel[k,c,f] --------------------------------------------------
 */

/* The span of dz that reads position p runs forward in l, so backward in k: tap K - 1 comes first. */
DEVICE void load_turned_kernel(const cuda_call *c, const float *kernel, int depth, int most, right_tile &right) {
    const xc_block *b = &c->block;
    for (int i = (int)threadIdx.x; i < TILE_COLUMNS * TILE_DEPTH; i += THREADS) {
        const int d = depth + i % TILE_DEPTH, column = i / TILE_DEPTH, channel = first_column() + column;
        const int turned = d / b->filters, f = d - turned * b->filters, k = b->width - 1 - turned;
        const bool exists = d < most && channel < b->channels;
        const size_t at = ((size_t)k * (size_t)b->channels + (size_t)channel) * (size_t)b->filters + (size_t)f;
        right[i % TILE_DEPTH][column] = exists ? kernel[at] : 0;
    }
}

static __global__ void __launch_bounds__(THREADS) k_conv_bwd_input(cuda_call c) {
    XC_SHARED(float, left, [TILE_DEPTH][PADDED_ROWS]);
    XC_SHARED(float, right, [TILE_DEPTH][TILE_COLUMNS]);
    XC_SHARED(span, spans, [TILE_ROWS]);
    const xc_block *b = &c.block;
    const int t = (int)blockIdx.z, rows = c.batch * b->length, most = b->width * b->filters;
    const float *kernel = parameters_of(&c, t) + b->kernel; /* (K,C,F) */
    const gathered dz = {z_of(&c, t), c.batch, b->conv_length, b->filters, b->length, b->width - 1 - b->pad_left};
    float sums[EACH][EACH] = {};
    if (threadIdx.x < TILE_ROWS) spans[threadIdx.x] = span_of(&dz, first_row() + (int)threadIdx.x);
    __syncthreads();
    for (int depth = 0; depth < most; depth += TILE_DEPTH) {
        load_spans(&dz, spans, depth, most, left);
        load_turned_kernel(&c, kernel, depth, most, right);
        __syncthreads();
        multiply_tiles(left, right, sums);
        __syncthreads();
    }
    float *dx = c.dx + (size_t)t * (size_t)rows * (size_t)b->channels; /* (N,L,C) */
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            const int row = first_row() + own_row() + i, channel = first_column() + own_column() + j;
            if (row >= rows || channel >= b->channels) continue;
            float *to = &dx[(size_t)row * (size_t)b->channels + channel];
            *to = c.add_to_dx ? *to + sums[i][j] : sums[i][j];
        }
}

void cuda_conv_input_gradient(const cuda_call *call, cudaStream_t stream) {
    const size_t rows = (size_t)call->batch * (size_t)call->block.length;
    if (!call->dx) return;
    XC_LAUNCH(k_conv_bwd_input, tile_grid(rows, call->block.channels, call->trials), THREADS, 0, stream, *call);
}

/* ---- dkernel[k,c,f] += sum_n,l x[n, l + k - pad_left, c] dz[n,l,f] -------------------------------------------------
 */

/* A tile of the left matrix lying down: rows are k C + c from blockIdx.x on, depth are the positions. */
DEVICE void load_spans_turned(const gathered *g, const span *spans, int rows, left_tile &left) {
    for (int i = (int)threadIdx.x; i < TILE_ROWS * TILE_DEPTH; i += THREADS) {
        const int row = i % TILE_ROWS, d = i / TILE_ROWS;
        left[d][row] = first_row() + row < rows ? span_value(g, &spans[d], first_row() + row) : 0;
    }
}

static __global__ void __launch_bounds__(THREADS) k_conv_bwd_kernel(cuda_call c) {
    XC_SHARED(float, left, [TILE_DEPTH][PADDED_ROWS]);
    XC_SHARED(float, right, [TILE_DEPTH][TILE_COLUMNS]);
    XC_SHARED(span, spans, [TILE_DEPTH]);
    const int t = (int)blockIdx.z, filters = c.block.filters, rows = c.block.width * c.block.channels;
    const gathered input = input_of(&c, t);
    const float *dz = z_of(&c, t); /* (N,Lc,F) */
    float sums[EACH][EACH] = {};
    for (int depth = 0; depth < c.rows; depth += TILE_DEPTH) {
        if (threadIdx.x < TILE_DEPTH) spans[threadIdx.x] = span_of(&input, depth + (int)threadIdx.x);
        __syncthreads();
        load_spans_turned(&input, spans, rows, left);
        load_matrix(dz, filters, first_column(), depth, c.rows, right);
        __syncthreads();
        multiply_tiles(left, right, sums);
        __syncthreads();
    }
    float *dkernel = gradients_of(&c, t) + c.block.kernel; /* (K,C,F) */
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            const int row = first_row() + own_row() + i, f = first_column() + own_column() + j;
            if (row < rows && f < filters) dkernel[(size_t)row * (size_t)filters + f] += sums[i][j];
        }
}

void cuda_conv_kernel_gradient(const cuda_call *call, cudaStream_t stream) {
    const size_t rows = (size_t)call->block.width * (size_t)call->block.channels;
    XC_LAUNCH(k_conv_bwd_kernel, tile_grid(rows, call->block.filters, call->trials), THREADS, 0, stream, *call);
}

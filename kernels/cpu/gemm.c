/* gemm.c: matrix products by register tiles: TILE_ROWS rows and 2 vectors of columns, or WIDE_ROWS and 3.
 *
 * The product of a convolution is that of a matrix whose rows overlap, so nothing is unfolded. Rows are shared out
 * evenly among tiles, as a tile of one or two rows would wait for its own sums. Depth is cut so that a panel's part
 * stays in the first cache; sums then rest in `out` in between. The order of additions depends on sizes alone.
 */
#include "gemm.h"

/* Floats of depth whose 2 vectors a column panel keep to half of a first cache. */
#define DEPTH_BLOCK (16384 / (2 * VECTOR_BYTES))

/* Vectors of the panel that begins where `columns` are left. */
INLINE size_t panel_vectors(size_t columns) {
    const size_t vectors = (columns + LANES - 1) / LANES;
    return vectors <= 3 ? vectors : 2;
}

/* Panel number `panel` of a matrix: its first column, and its vectors. */
INLINE size_t panel_column(size_t panel) { return panel * 2 * LANES; }

size_t xc_cpu_panels(size_t columns) {
    const size_t vectors = (columns + LANES - 1) / LANES;
    return vectors <= 3 ? 1 : vectors / 2;
}

INLINE size_t tile_rows(size_t vectors) { return vectors == 3 ? WIDE_ROWS : TILE_ROWS; }

void xc_cpu_pack(float *panels, const float *matrix, size_t depth, size_t columns, xc_range which) {
    for (size_t i = which.begin; i < which.end; i++) {
        const size_t c = panel_column(i), left = columns - c, wide = panel_vectors(left) * LANES;
        float *panel = panels + depth * c;
        for (size_t k = 0; k < depth; k++)
            for (size_t v = 0; v < wide; v += LANES)
                v_store(panel + k * wide + v,
                        left > v ? v_load_part(matrix + k * columns + c + v, left - v) : v_set(0));
    }
}

/* Transposes a square of LANES vectors, by exchanging halves, quarters and so on. */
INLINE void transpose_square(vfloat *row) {
#pragma GCC unroll 4
    for (int half = 1; half < LANES; half *= 2)
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            if (i & half) continue;
            vint low, high;
            for (int j = 0; j < LANES; j++) {
                low[j] = j & half ? LANES + j - half : j;
                high[j] = j & half ? LANES + j : j + half;
            }
            const vfloat a = row[i], b = row[i + half];
            row[i] = __builtin_shuffle(a, b, low);
            row[i + half] = __builtin_shuffle(a, b, high);
        }
}

void xc_cpu_transpose(float *to, const float *from, size_t rows, size_t columns, size_t wide, size_t padded) {
    for (size_t f = 0; f < padded; f += LANES)
        for (size_t i = 0; i < wide; i += LANES) {
            vfloat square[LANES];
            const size_t there = columns > f ? columns - f : 0;
            for (size_t j = 0; j < LANES; j++)
                square[j] = i + j < rows && there > 0 ? v_load_part(from + (i + j) * columns + f, there) : v_set(0);
            transpose_square(square);
            for (size_t j = 0; j < LANES && f + j < padded; j++)
                v_store_part(to + (f + j) * wide + i, square[j], wide - i);
        }
}

size_t xc_cpu_packed_place(size_t depth, size_t columns, size_t row, size_t column) {
    const size_t vectors = (columns + LANES - 1) / LANES, at = column / LANES;
    const size_t last = vectors <= 3 ? 0 : (vectors - 2) / 2 * 2; /* vector at which the last panel begins */
    const size_t first = at < last ? at / 2 * 2 : last, wide = panel_vectors(columns - first * LANES);
    return (depth * first + row * wide + at - first) * LANES + column % LANES;
}

void xc_cpu_pack_flipped(float *panels, const float *kernel, size_t width, size_t channels, size_t filters,
                         size_t padded, xc_range which) {
    for (size_t i = which.begin; i < which.end; i++) {
        const size_t c = panel_column(i), left = channels - c, wide = panel_vectors(left) * LANES;
        float *panel = panels + width * padded * c;
        for (size_t k = 0; k < width; k++, panel += padded * wide)
            xc_cpu_transpose(panel, kernel + ((width - 1 - k) * channels + c) * filters, left, filters, wide, padded);
    }
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

/* Runs `tile(count)` with a constant count of 1 to TILE_ROWS. */
#if TILE_ROWS == 8
#define MORE_TILE_CASES(tile) \
    case 7:                   \
        tile(7);              \
        break;                \
    case 8:                   \
        tile(8);              \
        break;
#else
#define MORE_TILE_CASES(tile)
#endif
#define TILE_CASES(count, tile)   \
    switch (count) {              \
        case 1:                   \
            tile(1);              \
            break;                \
        case 2:                   \
            tile(2);              \
            break;                \
        case 3:                   \
            tile(3);              \
            break;                \
        case 4:                   \
            tile(4);              \
            break;                \
        case 5:                   \
            tile(5);              \
            break;                \
        case 6:                   \
            tile(6);              \
            break;                \
            MORE_TILE_CASES(tile) \
    }

/* How `rows` rows are cut into tiles of `most` or fewer: `more` tiles of `size` + 1 rows, then tiles of `size`. */
typedef struct even_cut {
    size_t tiles, size, more;
} even_cut;

static even_cut cut_evenly(size_t rows, size_t most) {
    const size_t tiles = (rows + most - 1) / most;
    return tiles == 0 ? (even_cut){0, 0, 0} : (even_cut){tiles, rows / tiles, rows % tiles};
}

/* ---- product ----------------------------------------------------------------------------------------------------- */

/* Equidistant rows against one panel: out = from + in * panel; `from` may be `out`, or NULL: zeros. Columns beyond
 * `valid` are neither read nor written. */
typedef struct product {
    const float *in, *panel, *from;
    float *out;
    size_t in_stride, from_stride, out_stride, depth, valid;
} product;

INLINE void multiply_tile(const int rows, const int vectors, const product *p) {
    vfloat sum[TILE_ROWS][3];
    const float *panel = p->panel;
    const bool whole = p->valid >= (size_t)vectors * LANES;
    const size_t in_stride = p->in_stride, left = whole ? LANES : p->valid - (size_t)(vectors - 1) * LANES;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const float *from = p->from + (size_t)r * p->from_stride + v * LANES;
            sum[r][v] = !p->from ? v_set(0) : v < vectors - 1 ? v_load(from) : v_load_part(from, left);
        }
    const float *a = p->in;
#pragma GCC unroll 4
    for (size_t k = 0; k < p->depth; k++, panel += vectors * LANES) {
        vfloat w[3];
        for (int v = 0; v < vectors; v++) w[v] = v_load(panel + v * LANES);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] += a[(size_t)r * in_stride + k] * w[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *out = p->out + (size_t)r * p->out_stride + v * LANES;
            if (v < vectors - 1)
                v_store(out, sum[r][v]);
            else
                v_store_part(out, sum[r][v], left);
        }
}

INLINE void multiply_rows(const int vectors, product p, size_t rows) {
    const even_cut cut = cut_evenly(rows, tile_rows((size_t)vectors));
    for (size_t i = 0; i < cut.tiles; i++) {
        const size_t count = cut.size + (i < cut.more);
#define MULTIPLY(rows) multiply_tile(rows, vectors, &p)
        TILE_CASES(count, MULTIPLY)
#undef MULTIPLY
        p.in += count * p.in_stride;
        p.out += count * p.out_stride;
        if (p.from) p.from += count * p.from_stride;
    }
}

static void multiply_rows_1(product p, size_t rows) { multiply_rows(1, p, rows); }
static void multiply_rows_2(product p, size_t rows) { multiply_rows(2, p, rows); }
static void multiply_rows_3(product p, size_t rows) { multiply_rows(3, p, rows); }

typedef void multiply_function(product p, size_t rows);

void xc_cpu_gemm(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panels,
                 size_t depth, size_t columns, const float *start, bool add, xc_range which) {
    static multiply_function *const by_vectors[4] = {NULL, multiply_rows_1, multiply_rows_2, multiply_rows_3};
    const bool single = rows == 1, padded = out->row_stride % LANES == 0 && out->row_stride >= columns;
    const size_t spans = single ? 1 : samples, span_rows = single ? samples : rows;
    const size_t blocks = (depth + DEPTH_BLOCK - 1) / DEPTH_BLOCK, even = (depth + blocks - 1) / blocks;
    for (size_t k = 0; k < depth; k += even)
        for (size_t i = which.begin; i < which.end; i++) {
            const size_t c = panel_column(i), left = columns - c, vectors = panel_vectors(left), wide = vectors * LANES;
            product p = {.panel = panels + depth * c + k * wide,
                         .in_stride = single ? in->sample_stride : in->row_stride,
                         .out_stride = single ? out->sample_stride : out->row_stride,
                         .depth = depth - k < even ? depth - k : even,
                         .valid = padded || left > wide ? wide : left};
            const bool go_on = add || k > 0;
            if (go_on) p.from_stride = p.out_stride;
            for (size_t n = 0; n < spans; n++) {
                p.in = in->first + n * in->sample_stride + k;
                p.out = (float *)out->first + n * out->sample_stride + c;
                p.from = go_on ? p.out : start ? start + c : NULL;
                by_vectors[vectors](p, span_rows);
            }
        }
}

/* ---- outer product ----------------------------------------------------------------------------------------------- */

/* Rows of left and right, which lie equidistant in each of the samples. */
typedef struct row_pairs {
    cpu_rows left, right;
    size_t samples, rows;
    bool add;
} row_pairs;

/* `depth` columns of left with `vectors` of right, of which `valid` columns are the sum's. */
INLINE void outer_tile(const int depth, const int vectors, const row_pairs *pairs, float *sum, size_t sum_stride,
                       size_t valid) {
    vfloat s[TILE_ROWS][3];
    const size_t left_stride = pairs->left.row_stride, right_stride = pairs->right.row_stride;
    for (int i = 0; i < depth; i++) { /* sum may be far away by now */
        __builtin_prefetch(sum + (size_t)i * sum_stride, 1);
        __builtin_prefetch(sum + (size_t)i * sum_stride + vectors * LANES - 1, 1);
        for (int v = 0; v < vectors; v++) s[i][v] = v_set(0);
    }
    for (size_t n = 0; n < pairs->samples; n++) {
        const float *a = pairs->left.first + n * pairs->left.sample_stride;
        const float *w = pairs->right.first + n * pairs->right.sample_stride;
#pragma GCC unroll 4
        for (size_t l = 0; l < pairs->rows; l++, a += left_stride, w += right_stride) {
            vfloat u[3];
            for (int v = 0; v < vectors; v++) u[v] = v_load(w + v * LANES);
            for (int i = 0; i < depth; i++)
                for (int v = 0; v < vectors; v++) s[i][v] += a[i] * u[v];
        }
    }
    for (int i = 0; i < depth; i++)
        for (int v = 0; v < vectors; v++) {
            if (valid <= (size_t)v * LANES) continue;
            float *to = sum + (size_t)i * sum_stride + v * LANES;
            const size_t count = valid - (size_t)v * LANES;
            v_store_part(to, pairs->add ? v_load_part(to, count) + s[i][v] : s[i][v], count);
        }
}

INLINE void outer_columns(const int vectors, row_pairs pairs, float *sum, size_t depth, size_t sum_stride,
                          size_t valid) {
    const even_cut cut = cut_evenly(depth, tile_rows((size_t)vectors));
    for (size_t i = 0; i < cut.tiles; i++) {
        const size_t count = cut.size + (i < cut.more);
#define OUTER(depth) outer_tile(depth, vectors, &pairs, sum, sum_stride, valid)
        TILE_CASES(count, OUTER)
#undef OUTER
        pairs.left.first += count;
        sum += count * sum_stride;
    }
}

static void outer_columns_1(row_pairs pairs, float *sum, size_t depth, size_t sum_stride, size_t valid) {
    outer_columns(1, pairs, sum, depth, sum_stride, valid);
}
static void outer_columns_2(row_pairs pairs, float *sum, size_t depth, size_t sum_stride, size_t valid) {
    outer_columns(2, pairs, sum, depth, sum_stride, valid);
}
static void outer_columns_3(row_pairs pairs, float *sum, size_t depth, size_t sum_stride, size_t valid) {
    outer_columns(3, pairs, sum, depth, sum_stride, valid);
}

typedef void outer_function(row_pairs pairs, float *sum, size_t depth, size_t sum_stride, size_t valid);

/* `wide` columns from number c on, one row after another. */
static void pack_rows(float *panel, const cpu_rows *from, size_t samples, size_t rows, size_t c, size_t wide) {
    for (size_t n = 0; n < samples; n++) {
        const float *row = from->first + n * from->sample_stride + c;
        for (size_t l = 0; l < rows; l++, row += from->row_stride, panel += wide)
            for (size_t v = 0; v < wide; v += LANES) v_store(panel + v, v_load(row + v));
    }
}

void xc_cpu_outer(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows, float *sum, size_t depth,
                  size_t columns, bool add, float *panel, xc_range which) {
    static outer_function *const by_vectors[4] = {NULL, outer_columns_1, outer_columns_2, outer_columns_3};
    for (size_t i = which.begin; i < which.end; i++) {
        const size_t c = panel_column(i), valid = columns - c, vectors = panel_vectors(valid), wide = vectors * LANES;
        row_pairs pairs = {*left, {right->first + c, right->sample_stride, right->row_stride}, samples, rows, add};
        if (panel) {
            pack_rows(panel, right, samples, rows, c, wide);
            pairs.right = (cpu_rows){panel, rows * wide, wide};
        }
        by_vectors[vectors](pairs, sum + c, depth, columns, valid);
    }
}

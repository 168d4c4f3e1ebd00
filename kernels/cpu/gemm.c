/* gemm.c: matrix products by register tiles: TILE_ROWS rows and 2 vectors of columns, or WIDE_ROWS and 3.
 *
 * The product of a convolution is that of a matrix whose rows overlap, so nothing is unfolded: each row of a tile has
 * its own pointer. Depth is cut so that a panel's part stays in the first cache; sums then rest in `out` in between.
 * The order of additions depends on sizes alone.
 */
#include "gemm.h"

/* Floats of depth whose 2 vectors a column panel keep to half of a first cache. */
#define DEPTH_BLOCK (16384 / (2 * VECTOR_BYTES))

/* Vectors of the panel that begins where `columns` are left. */
INLINE size_t panel_vectors(size_t columns) {
    const size_t vectors = (columns + LANES - 1) / LANES;
    return vectors <= 3 ? vectors : 2;
}

INLINE size_t tile_rows(size_t vectors) { return vectors == 3 ? WIDE_ROWS : TILE_ROWS; }

void xc_cpu_pack(float *panels, const float *matrix, size_t depth, size_t columns) {
    for (size_t c = 0, wide; c < columns; c += wide) {
        const size_t left = columns - c;
        float *panel = panels + depth * c;
        wide = panel_vectors(left) * LANES;
        for (size_t k = 0; k < depth; k++)
            for (size_t v = 0; v < wide; v += LANES)
                v_store(panel + k * wide + v,
                        left > v ? v_load_part(matrix + k * columns + c + v, left - v) : v_set(0));
    }
}

/* Done in blocks of LANES rows of `to`, whose lines stay near. */
void xc_cpu_transpose(float *to, const float *from, size_t rows, size_t columns, size_t wide, size_t padded) {
    for (size_t f = 0; f < padded; f += LANES)
        for (size_t i = 0; i < wide; i++)
            for (size_t j = f; j < f + LANES && j < padded; j++)
                to[j * wide + i] = i < rows && j < columns ? from[i * columns + j] : 0;
}

size_t xc_cpu_packed_place(size_t depth, size_t columns, size_t row, size_t column) {
    const size_t vectors = (columns + LANES - 1) / LANES, at = column / LANES;
    const size_t last = vectors <= 3 ? 0 : (vectors - 2) / 2 * 2; /* vector at which the last panel begins */
    const size_t first = at < last ? at / 2 * 2 : last, wide = panel_vectors(columns - first * LANES);
    return (depth * first + row * wide + at - first) * LANES + column % LANES;
}

void xc_cpu_pack_flipped(float *panels, const float *kernel, size_t width, size_t channels, size_t filters,
                         size_t padded) {
    for (size_t c = 0, wide; c < channels; c += wide) {
        const size_t left = channels - c;
        float *panel = panels + width * padded * c;
        wide = panel_vectors(left) * LANES;
        for (size_t k = 0; k < width; k++, panel += padded * wide)
            xc_cpu_transpose(panel, kernel + ((width - 1 - k) * channels + c) * filters, left, filters, wide, padded);
    }
}

/* ---- product --------------------------------------------------------------------------------------------------- */

/* out[r] = from[r] + in[r] * panel, for each row r. `from` may be `out`. */
INLINE void multiply_tile(const int rows, const int vectors, const float *const *in, const float *panel, size_t depth,
                          const float *const *from, float *const *out) {
    vfloat sum[TILE_ROWS][3];
    const float *a[TILE_ROWS];
    for (int r = 0; r < rows; r++) {
        a[r] = in[r];
        for (int v = 0; v < vectors; v++) sum[r][v] = v_load(from[r] + v * LANES);
    }
    for (size_t k = 0; k < depth; k++, panel += vectors * LANES) {
        vfloat w[3];
        for (int v = 0; v < vectors; v++) w[v] = v_load(panel + v * LANES);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] += a[r][k] * w[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) v_store(out[r] + v * LANES, sum[r][v]);
}

typedef void tile_function(const float *const *in, const float *panel, size_t depth, const float *const *from,
                           float *const *out);

#define TILE(rows, vectors)                                                                                            \
    static void tile_##rows##_##vectors(const float *const *in, const float *panel, size_t depth,                      \
                                        const float *const *from, float *const *out) {                                 \
        multiply_tile(rows, vectors, in, panel, depth, from, out);                                                     \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
/* clang-format off */
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if TILE_ROWS == 8
TILES(7) TILES(8)
#endif

#define TILE_SET(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3}
static tile_function *const tiles[TILE_ROWS + 1][3] = {
    {0, 0, 0}, TILE_SET(1), TILE_SET(2), TILE_SET(3), TILE_SET(4), TILE_SET(5), TILE_SET(6),
#if TILE_ROWS == 8
    TILE_SET(7), TILE_SET(8),
#endif
};
/* clang-format on */

/* The rows of one tile. */
typedef struct tile_pointers {
    const float *in[TILE_ROWS], *from[TILE_ROWS];
    float *out[TILE_ROWS];
} tile_pointers;

/* Where the next rows are. */
typedef struct row_cursor {
    size_t sample, row;
} row_cursor;

/* `start` NULL: sums go on from out. */
static void next_rows(row_cursor *at, size_t rows, int count, const cpu_rows *in, const cpu_rows *out,
                      const float *start, tile_pointers *to) {
    for (int r = 0; r < count; r++) {
        to->in[r] = in->first + at->sample * in->sample_stride + at->row * in->row_stride;
        to->out[r] = (float *)out->first + at->sample * out->sample_stride + at->row * out->row_stride;
        to->from[r] = start ? start : to->out[r];
        if (++at->row == rows) {
            at->row = 0;
            at->sample++;
        }
    }
}

/* A tile of whose `wide` columns only `valid` are out's: through memory of its own. */
static void multiply_ragged(tile_function *tile, tile_pointers *at, int count, const float *panel, size_t depth,
                            size_t wide, size_t valid) {
    float detour[TILE_ROWS * 3 * LANES] __attribute__((aligned(VECTOR_BYTES))) = {0};
    float *rows[TILE_ROWS];
    for (int r = 0; r < count; r++) {
        rows[r] = detour + (size_t)r * wide;
        if (at->from[r] == at->out[r]) at->from[r] = memcpy(rows[r], at->out[r], valid * sizeof(float));
    }
    tile(at->in, panel, depth, at->from, rows);
    for (int r = 0; r < count; r++) memcpy(at->out[r], rows[r], valid * sizeof(float));
}

/* One panel, `depth` of it, against all rows. */
static void multiply_panel(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panel,
                           size_t depth, size_t wide, size_t valid, const float *start) {
    const size_t most = tile_rows(wide / LANES);
    row_cursor at = {0, 0};
    tile_pointers pointers;
    for (size_t left = samples * rows; left > 0;) {
        const int count = (int)(left < most ? left : most);
        tile_function *const tile = tiles[count][wide / LANES - 1];
        next_rows(&at, rows, count, in, out, start, &pointers);
        left -= (size_t)count;
        if (valid >= wide)
            tile(pointers.in, panel, depth, pointers.from, pointers.out);
        else
            multiply_ragged(tile, &pointers, count, panel, depth, wide, valid);
    }
}

void xc_cpu_gemm(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panels,
                 size_t depth, size_t columns, const float *start, bool add) {
    static const float zeros[3 * LANES];
    const bool padded = out->row_stride % LANES == 0 && out->row_stride >= columns;
    const size_t blocks = (depth + DEPTH_BLOCK - 1) / DEPTH_BLOCK, even = (depth + blocks - 1) / blocks;
    for (size_t k = 0; k < depth; k += even) {
        const size_t part = depth - k < even ? depth - k : even;
        const cpu_rows shifted = {in->first + k, in->sample_stride, in->row_stride};
        for (size_t c = 0, wide; c < columns; c += wide) {
            const size_t left = columns - c;
            wide = panel_vectors(left) * LANES;
            const cpu_rows target = {out->first + c, out->sample_stride, out->row_stride};
            const float *first = start ? start + c : zeros;
            multiply_panel(&shifted, &target, samples, rows, panels + depth * c + k * wide, part, wide,
                           padded ? wide : left, add || k > 0 ? NULL : first);
        }
    }
}

/* ---- outer product --------------------------------------------------------------------------------------------- */

INLINE void outer_tile(const int depth, const int vectors, const cpu_rows *left, const cpu_rows *right, size_t samples,
                       size_t rows, float *sum, size_t sum_stride, size_t valid) {
    vfloat s[TILE_ROWS][3];
    for (int i = 0; i < depth; i++) { /* sum may be far away by now */
        __builtin_prefetch(sum + (size_t)i * sum_stride, 1);
        __builtin_prefetch(sum + (size_t)i * sum_stride + vectors * LANES - 1, 1);
        for (int v = 0; v < vectors; v++) s[i][v] = v_set(0);
    }
    for (size_t n = 0; n < samples; n++) {
        const float *a = left->first + n * left->sample_stride, *w = right->first + n * right->sample_stride;
        for (size_t l = 0; l < rows; l++, a += left->row_stride, w += right->row_stride) {
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
            v_store_part(to, v_load_part(to, count) + s[i][v], count);
        }
}

typedef void outer_function(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows, float *sum,
                            size_t sum_stride, size_t valid);

#define OUTER(depth, vectors)                                                                                          \
    static void outer_##depth##_##vectors(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows,    \
                                          float *sum, size_t sum_stride, size_t valid) {                               \
        outer_tile(depth, vectors, left, right, samples, rows, sum, sum_stride, valid);                                \
    }
#define OUTERS(depth) OUTER(depth, 1) OUTER(depth, 2) OUTER(depth, 3)
/* clang-format off */
OUTERS(1) OUTERS(2) OUTERS(3) OUTERS(4) OUTERS(5) OUTERS(6)
#if TILE_ROWS == 8
OUTERS(7) OUTERS(8)
#endif

#define OUTER_SET(rows) {outer_##rows##_1, outer_##rows##_2, outer_##rows##_3}
static outer_function *const outers[TILE_ROWS + 1][3] = {
    {0, 0, 0}, OUTER_SET(1), OUTER_SET(2), OUTER_SET(3), OUTER_SET(4), OUTER_SET(5), OUTER_SET(6),
#if TILE_ROWS == 8
    OUTER_SET(7), OUTER_SET(8),
#endif
};
/* clang-format on */

/* `wide` columns from number c on, one row after another. */
static void pack_rows(float *panel, const cpu_rows *from, size_t samples, size_t rows, size_t c, size_t wide) {
    for (size_t n = 0; n < samples; n++) {
        const float *row = from->first + n * from->sample_stride + c;
        for (size_t l = 0; l < rows; l++, row += from->row_stride, panel += wide)
            for (size_t v = 0; v < wide; v += LANES) v_store(panel + v, v_load(row + v));
    }
}

void xc_cpu_outer(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows, float *sum, size_t depth,
                  size_t columns, float *panel) {
    for (size_t c = 0, wide; c < columns; c += wide) {
        const size_t valid = columns - c, vectors = panel_vectors(valid), most = tile_rows(vectors);
        wide = vectors * LANES;
        pack_rows(panel, right, samples, rows, c, wide);
        const cpu_rows packed = {panel, rows * wide, wide};
        for (size_t k = 0; k < depth; k += most) {
            const size_t count = depth - k < most ? depth - k : most;
            const cpu_rows window = {left->first + k, left->sample_stride, left->row_stride};
            outers[count][vectors - 1](&window, &packed, samples, rows, sum + k * columns + c, columns, valid);
        }
    }
}

/* gemm.c: matrix products by register tiles of TILE_ROWS rows and 2 vectors of columns.
 *
 * The product of a convolution is that of a matrix whose rows overlap, so nothing is unfolded: each row of a tile has its
 * own pointer. Depth is cut so that a panel's part stays in the first cache; sums then rest in `out` in between. The
 * order of additions depends on sizes alone.
 */
#include "gemm.h"

/* Floats of depth whose 2 vectors a column panel keep to half of a first cache. */
#define DEPTH_BLOCK (16384 / (2 * VECTOR_BYTES))

void xc_cpu_pack(float *panels, const float *matrix, size_t depth, size_t columns) {
    for (size_t c = 0; c < columns; c += 2 * LANES) {
        const size_t left = columns - c, wide = left > LANES ? 2 * LANES : LANES;
        float *panel = panels + depth * c;
        for (size_t k = 0; k < depth; k++)
            for (size_t v = 0; v < wide; v += LANES)
                v_store(panel + k * wide + v, left > v ? v_load_part(matrix + k * columns + c + v, left - v) : v_set(0));
    }
}

void xc_cpu_pack_flipped(float *panels, const float *kernel, size_t width, size_t channels, size_t filters,
                         size_t padded) {
    for (size_t c = 0; c < channels; c += 2 * LANES) {
        const size_t left = channels - c, wide = left > LANES ? 2 * LANES : LANES;
        float *panel = panels + width * padded * c;
        for (size_t k = 0; k < width; k++, panel += padded * wide) {
            const float *from = kernel + ((width - 1 - k) * channels + c) * filters; /* (left,F) */
            for (size_t f = 0; f < padded; f++)
                for (size_t i = 0; i < wide; i++)
                    panel[f * wide + i] = i < left && f < filters ? from[i * filters + f] : 0;
        }
    }
}

/* ---- product --------------------------------------------------------------------------------------------------- */

typedef enum tile_mode { TILE_ZERO, TILE_START, TILE_ADD } tile_mode;

INLINE void multiply_tile(const int rows, const int vectors, const float *const *in, const float *panel, size_t depth,
                          float *const *out, const float *start, tile_mode mode) {
    vfloat sum[TILE_ROWS][2];
    const float *a[TILE_ROWS];
    for (int r = 0; r < rows; r++) {
        a[r] = in[r];
        for (int v = 0; v < vectors; v++)
            sum[r][v] = mode == TILE_ADD ? v_load(out[r] + v * LANES)
                        : mode == TILE_START ? v_load(start + v * LANES) : v_set(0);
    }
    for (size_t k = 0; k < depth; k++, panel += vectors * LANES) {
        vfloat w[2];
        for (int v = 0; v < vectors; v++) w[v] = v_load(panel + v * LANES);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] += a[r][k] * w[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) v_store(out[r] + v * LANES, sum[r][v]);
}

typedef void tile_function(const float *const *in, const float *panel, size_t depth, float *const *out,
                           const float *start, tile_mode mode);

#define TILE(rows, vectors)                                                                                            \
    static void tile_##rows##_##vectors(const float *const *in, const float *panel, size_t depth, float *const *out,   \
                                        const float *start, tile_mode mode) {                                          \
        multiply_tile(rows, vectors, in, panel, depth, out, start, mode);                                              \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#if TILE_ROWS == 8
TILES(7) TILES(8)
#endif

#define TILE_PAIR(rows) {tile_##rows##_1, tile_##rows##_2}
static tile_function *const tiles[TILE_ROWS + 1][2] = {
    {0, 0}, TILE_PAIR(1), TILE_PAIR(2), TILE_PAIR(3), TILE_PAIR(4), TILE_PAIR(5), TILE_PAIR(6),
#if TILE_ROWS == 8
    TILE_PAIR(7), TILE_PAIR(8),
#endif
};

/* Where the next rows are. */
typedef struct row_cursor {
    size_t sample, row;
} row_cursor;

static void next_rows(row_cursor *at, size_t rows, int count, const cpu_rows *in, const cpu_rows *out,
                      const float **a, float **c) {
    for (int r = 0; r < count; r++) {
        a[r] = in->first + at->sample * in->sample_stride + at->row * in->row_stride;
        c[r] = (float *)out->first + at->sample * out->sample_stride + at->row * out->row_stride;
        if (++at->row == rows) {
            at->row = 0;
            at->sample++;
        }
    }
}

/* One panel, `depth` of it, against all rows. Columns beyond `valid` are not out's: such tiles take a detour. */
static void multiply_panel(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panel,
                           size_t depth, size_t wide, size_t valid, const float *start, tile_mode mode) {
    float detour[TILE_ROWS * 2 * LANES] __attribute__((aligned(VECTOR_BYTES)));
    const float *a[TILE_ROWS];
    float *c[TILE_ROWS], *d[TILE_ROWS];
    row_cursor at = {0, 0};
    for (size_t left = samples * rows; left > 0;) {
        const int count = left < TILE_ROWS ? (int)left : TILE_ROWS;
        tile_function *const tile = tiles[count][wide > LANES];
        next_rows(&at, rows, count, in, out, a, c);
        left -= (size_t)count;
        if (valid >= wide) {
            tile(a, panel, depth, c, start, mode);
            continue;
        }
        for (int r = 0; r < count; r++) {
            d[r] = detour + (size_t)r * wide;
            if (mode == TILE_ADD) memcpy(d[r], c[r], valid * sizeof(float));
        }
        tile(a, panel, depth, d, start, mode);
        for (int r = 0; r < count; r++) memcpy(c[r], d[r], valid * sizeof(float));
    }
}

void xc_cpu_gemm(const cpu_rows *in, const cpu_rows *out, size_t samples, size_t rows, const float *panels, size_t depth,
                 size_t columns, const float *start, bool add) {
    const bool padded = out->row_stride % LANES == 0 && out->row_stride >= columns;
    const size_t blocks = (depth + DEPTH_BLOCK - 1) / DEPTH_BLOCK, even = (depth + blocks - 1) / blocks;
    for (size_t k = 0; k < depth; k += even) {
        const size_t part = depth - k < even ? depth - k : even;
        const cpu_rows shifted = {in->first + k, in->sample_stride, in->row_stride};
        for (size_t c = 0; c < columns; c += 2 * LANES) {
            const size_t left = columns - c, wide = left > LANES ? 2 * LANES : LANES;
            const cpu_rows target = {out->first + c, out->sample_stride, out->row_stride};
            multiply_panel(&shifted, &target, samples, rows, panels + depth * c + k * wide, part, wide,
                           padded ? wide : left, start ? start + c : NULL,
                           add || k > 0 ? TILE_ADD : start ? TILE_START : TILE_ZERO);
        }
    }
}

/* ---- outer product --------------------------------------------------------------------------------------------- */

INLINE void outer_tile(const int depth, const int vectors, const cpu_rows *left, const cpu_rows *right, size_t samples,
                       size_t rows, float *sum, size_t sum_stride, size_t valid) {
    vfloat s[TILE_ROWS][2];
    for (int i = 0; i < depth; i++)
        for (int v = 0; v < vectors; v++) s[i][v] = v_set(0);
    for (size_t n = 0; n < samples; n++) {
        const float *a = left->first + n * left->sample_stride, *w = right->first + n * right->sample_stride;
        for (size_t l = 0; l < rows; l++, a += left->row_stride, w += right->row_stride) {
            vfloat u[2];
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
#define OUTERS(depth) OUTER(depth, 1) OUTER(depth, 2)
OUTERS(1) OUTERS(2) OUTERS(3) OUTERS(4) OUTERS(5) OUTERS(6)
#if TILE_ROWS == 8
OUTERS(7) OUTERS(8)
#endif

#define OUTER_PAIR(depth) {outer_##depth##_1, outer_##depth##_2}
static outer_function *const outers[TILE_ROWS + 1][2] = {
    {0, 0}, OUTER_PAIR(1), OUTER_PAIR(2), OUTER_PAIR(3), OUTER_PAIR(4), OUTER_PAIR(5), OUTER_PAIR(6),
#if TILE_ROWS == 8
    OUTER_PAIR(7), OUTER_PAIR(8),
#endif
};

void xc_cpu_outer(const cpu_rows *left, const cpu_rows *right, size_t samples, size_t rows, float *sum, size_t depth,
                  size_t columns) {
    for (size_t c = 0; c < columns; c += 2 * LANES) {
        const size_t valid = columns - c;
        const cpu_rows shifted = {right->first + c, right->sample_stride, right->row_stride};
        for (size_t k = 0; k < depth; k += TILE_ROWS) {
            const size_t count = depth - k < TILE_ROWS ? depth - k : TILE_ROWS;
            const cpu_rows window = {left->first + k, left->sample_stride, left->row_stride};
            outers[count][valid > LANES](&window, &shifted, samples, rows, sum + k * columns + c, columns, valid);
        }
    }
}

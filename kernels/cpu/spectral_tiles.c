/* spectral_tiles.c: tiles of x, z and dz to the points of spectral.h and back, one vector of columns at a time.
 */
#include "spectral_points.h"
#include "trial.h"

/* Rows that exist of the `size` rows from `first` on. */
typedef struct span {
    size_t begin, end; /* of the tile */
} span;

static span existing(int64_t first, size_t size, size_t length) {
    const int64_t begin = first < 0 ? -first : 0, end = (int64_t)length - first;
    const size_t last = end < 0 ? 0 : (size_t)end < size ? (size_t)end : size;
    return (span){(size_t)begin < last ? (size_t)begin : last, last};
}

/* A tile of n rows at `rows` in memory of its own, zeros where nothing exists; `left` columns are there. */
INLINE void bring(const float *rows, size_t stride, span there, size_t size, size_t left, vfloat *own) {
    for (size_t r = 0; r < there.begin; r++) own[r] = v_set(0);
    if (left >= LANES)
        for (size_t r = there.begin; r < there.end; r++) own[r] = v_load(rows + r * stride);
    else
        for (size_t r = there.begin; r < there.end; r++) own[r] = v_load_part(rows + r * stride, left);
    for (size_t r = there.end; r < size; r++) own[r] = v_set(0);
}

/* Asks for `floats` floats that the next tile will want. A transform reads its rows in an order that no prefetcher of
 * the processor guesses. */
INLINE void prefetch(const float *from, size_t floats) {
    for (size_t i = 0; i < floats; i += 16) __builtin_prefetch(from + i, 0, 2);
}
/* The same of what it will write. */
INLINE void prefetch_to_write(const float *to, size_t floats) {
    for (size_t i = 0; i < floats; i += 16) __builtin_prefetch(to + i, 1);
}

/* One tile's vector to points: of x, or of dz. The points lie in as many lines, none of them in the first cache: they
 * are asked for before the transform, as stores would wait for one after another. */
INLINE void tile_in(const int n, const bool x, const float *rows, size_t stride, span there, size_t left, float *points,
                    size_t plane) {
    vfloat own[DFT_LARGEST], h[DFT_LARGEST];
    if ((uintptr_t)points % 64 == 0) { /* a line's first vector */
#pragma GCC unroll 8
        for (int p = 0; p < 3 * n / 2 - 1; p++) __builtin_prefetch(points + (size_t)p * plane, 1);
    }
    if (there.begin > 0 || there.end < (size_t)n || left < LANES) {
        bring(rows, stride, there, (size_t)n, left, own);
        rows = (const float *)own;
        stride = LANES;
    }
    spectral_analyse(n, rows, stride, h);
    if (x)
        spectral_split_x(n, h, points, plane);
    else
        spectral_unjoin(n, h, points, plane);
}

/* Tile number `tile` of the chunk that begins at sequence `first`. */
typedef struct place {
    size_t sequence;
    int64_t x_begin;       /* its first input within the sequence; may lie before it or beyond */
    span x_there, z_there; /* rows of the tile that are inputs, outputs */
    size_t z_begin;        /* its first output */
} place;

static place place_of(const cpu_trial *b, size_t first, size_t tile) {
    const cpu_spectral *s = &b->spectral;
    const size_t begin = tile % s->tiles * s->step, left = b->conv_length - begin;
    const int64_t x_begin = (int64_t)begin - b->block->pad_left;
    return (place){.sequence = first + tile / s->tiles,
                   .x_begin = x_begin,
                   .x_there = existing(x_begin, s->size, b->length),
                   .z_there = {0, left < s->step ? left : s->step},
                   .z_begin = begin};
}

/* Where a tile's first input would be, in a tensor (N,L,C). */
INLINE int64_t x_offset(const cpu_trial *b, const place *at) {
    return ((int64_t)(at->sequence * b->length) + at->x_begin) * (int64_t)b->channels;
}

void xc_cpu_spectral_x_in(cpu_trial *b, size_t first, xc_range tiles) {
    const cpu_spectral *s = &b->spectral;
    for (size_t t = tiles.begin; t < tiles.end; t++) {
        const place at = place_of(b, first, t);
        const float *rows = b->x + x_offset(b, &at); /* (N,C) */
        float *points = s->x + t * s->channels;
        prefetch(rows + s->size * b->channels, s->step * b->channels);
        for (size_t c = 0; c < s->channels; c += LANES) {
            switch (s->size) {
#define CASE(n)                                                                                       \
    case n:                                                                                           \
        tile_in(n, true, rows + c, b->channels, at.x_there, b->channels - c, points + c, s->x_plane); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
    }
}

void xc_cpu_spectral_z_in(cpu_trial *b, size_t first, xc_range tiles) {
    const cpu_spectral *s = &b->spectral;
    for (size_t t = tiles.begin; t < tiles.end; t++) {
        const place at = place_of(b, first, t);
        const float *rows = cpu_z_row(b, at.sequence, at.z_begin); /* (step,Fs) */
        float *points = s->z + t * b->columns;
        for (size_t f = 0; f < b->columns; f += LANES) {
            switch (s->size) {
#define CASE(n)                                                                             \
    case n:                                                                                 \
        tile_in(n, false, rows + f, b->columns, at.z_there, LANES, points + f, s->z_plane); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
    }
}

INLINE void tile_z_out(const int n, const float *points, size_t plane, vfloat start, float *z, size_t stride,
                       size_t rows) {
    vfloat h[DFT_LARGEST], own[DFT_LARGEST];
    spectral_join(n, points, plane, h);
    spectral_synthesise(n, h, (float *)own, LANES);
    for (size_t r = 0; r < rows; r++) v_store(z + r * stride, own[r] + start);
}

void xc_cpu_spectral_z_out(cpu_trial *b, size_t first, xc_range tiles) {
    const cpu_spectral *s = &b->spectral;
    for (size_t t = tiles.begin; t < tiles.end; t++) {
        const place at = place_of(b, first, t);
        float *z = cpu_z_row(b, at.sequence, at.z_begin); /* (rows,Fs) */
        const float *points = s->z + t * b->columns;
        prefetch_to_write(z + s->step * b->columns, s->step * b->columns);
        for (size_t f = 0; f < b->columns; f += LANES) {
            switch (s->size) {
#define CASE(n)                                                                                         \
    case n:                                                                                             \
        tile_z_out(n, points + f, s->z_plane, v_load(b->start + f), z + f, b->columns, at.z_there.end); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
    }
}

/* A tile's rows to dx: adds those before row `fresh` to what is there, and stores the others. */
INLINE void tile_x_out(const int n, const float *points, size_t plane, float *dx, size_t stride, span there,
                       size_t fresh, size_t left) {
    vfloat h[DFT_LARGEST], own[DFT_LARGEST];
    size_t r = there.begin;
    spectral_unsplit_x(n, points, plane, h);
    spectral_synthesise(n, h, (float *)own, LANES);
    for (; r < there.end && r < fresh; r++)
        v_store_part(dx + r * stride, v_load_part(dx + r * stride, left) + own[r], left);
    for (; r < there.end; r++) v_store_part(dx + r * stride, own[r], left);
}

void xc_cpu_spectral_x_out(cpu_trial *b, size_t first, xc_range sequences) {
    const cpu_spectral *s = &b->spectral;
    for (size_t t = sequences.begin * s->tiles; t < sequences.end * s->tiles; t++) {
        const place at = place_of(b, first, t);
        float *dx = b->dx + x_offset(b, &at); /* (N,C) */
        const float *points = s->x + t * s->channels;
        prefetch_to_write(dx + s->size * b->channels, s->step * b->channels);
        /* The tile before has written what both reach. */
        const size_t fresh = b->add_to_dx ? s->size : t % s->tiles == 0 ? 0 : b->width - 1;
        for (size_t c = 0; c < s->channels; c += LANES) {
            switch (s->size) {
#define CASE(n)                                                                                         \
    case n:                                                                                             \
        tile_x_out(n, points + c, s->x_plane, dx + c, b->channels, at.x_there, fresh, b->channels - c); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
    }
}

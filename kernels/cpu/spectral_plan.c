/* spectral_plan.c: whether a convolution goes through the Fourier domain, and in tiles of which size: by counting.
 */
#include "dft.h"
#include "trial.h"

/* What one real transform of n points costs a channel, in multiply-adds, with its loads and stores. Measured: beyond 32
 * a transform does not stay in the first cache's reach. */
#define TRANSFORM_COST(n) ((n) <= 32 ? 10 * (n) : 16 * (n))

/* Points of a chunk that should stay in the second cache, and the fewest rows that make a product worth its calls. */
#define CHUNK_BYTES ((size_t)384 << 10)
#define CHUNK_ROWS 48

/* Floats between points: an odd number of cache lines, as points at powers of two would meet in one set. */
static size_t plane(size_t floats) { return (round_up(floats, 16) / 16 | 1) * 16; }

/* Multiply-adds of a sequence by tiles of n. */
static size_t cost(const cpu_trial *b, size_t n) {
    const size_t step = n - b->width + 1, tiles = (b->conv_length + step - 1) / step;
    const size_t products = (3 * n / 2 - 1) * b->channels * b->filters;
    return tiles * (products + products / 4 + TRANSFORM_COST(n) * (b->channels + b->filters));
}

void xc_cpu_spectral_plan(cpu_trial *b) {
    cpu_spectral *s = &b->spectral;
    *s = (cpu_spectral){0};
    s->cost = b->conv_length * b->width * b->channels * b->filters;
    if (b->block->kind != XC_BLOCK_CONV || b->width < 3) return;
#define SIZE(n) n,
    static const size_t sizes[] = {DFT_SIZES(SIZE)};
#undef SIZE
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] > b->width && cost(b, sizes[i]) < s->cost) {
            s->cost = cost(b, sizes[i]);
            s->size = sizes[i];
        }
    if (s->size == 0) return;
    s->step = s->size - b->width + 1;
    s->tiles = (b->conv_length + s->step - 1) / s->step;
    s->points = 3 * s->size / 2 - 1;
    s->channels = round_up(b->channels, LANES);
    const size_t row_bytes = s->points * (s->channels + b->columns) * sizeof(float);
    size_t rows = CHUNK_BYTES / row_bytes;
    if (rows < CHUNK_ROWS) rows = CHUNK_ROWS;
    /* Even numbers of ranges, as threads share them. A smaller batch never has a larger chunk than there is room for.
     */
    const size_t range = cpu_range(b), fit = round_up(rows / s->tiles + (rows < s->tiles), 2 * range);
    const size_t most = fit < b->batch ? fit : b->batch, chunks = (b->batch + most - 1) / most;
    const size_t even = round_up((b->batch + chunks - 1) / chunks, range);
    s->chunk = even < most ? even : most;
    s->x_plane = plane(most * s->tiles * s->channels);
    s->z_plane = plane(most * s->tiles * b->columns);
    s->forward_plane = plane(b->channels * b->columns);
    s->backward_plane = plane(b->filters * s->channels);
    s->sum_plane = plane(b->channels * b->columns);
}

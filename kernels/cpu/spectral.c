/* spectral.c: forward, weight gradient and input gradient of a convolution in the Fourier domain, a chunk of sequences
 * at a time, so that what the tiles' transforms write the products find in the second cache. Chunks depend on the shape
 * alone, and every sum has one order, whoever computes it.
 */
#include "gemm.h"
#include "trial.h"

/* to[point] = from[point] times the packed kernel's point, for `rows` tiles. */
typedef struct point_products {
    const float *from, *kernel;
    float *to;
    size_t from_plane, from_stride, depth, kernel_plane, to_plane, to_stride;
} point_products;

static void multiply_point(const point_products *m, size_t rows, size_t p) {
    const cpu_rows in = {m->from + p * m->from_plane, 0, m->from_stride};
    const cpu_rows out = {m->to + p * m->to_plane, 0, m->to_stride};
    xc_cpu_gemm(&in, &out, 1, rows, m->kernel + p * m->kernel_plane, m->depth, m->to_stride, NULL, false,
                cpu_all_panels(m->to_stride));
}

static point_products forward_products(const cpu_trial *b) {
    const cpu_spectral *s = &b->spectral;
    return (point_products){.from = s->x,
                            .from_plane = s->x_plane,
                            .from_stride = s->channels,
                            .depth = b->channels,
                            .kernel = s->forward,
                            .kernel_plane = s->forward_plane,
                            .to = s->z,
                            .to_plane = s->z_plane,
                            .to_stride = b->columns};
}

static point_products backward_products(const cpu_trial *b) {
    const cpu_spectral *s = &b->spectral;
    return (point_products){.from = s->z,
                            .from_plane = s->z_plane,
                            .from_stride = b->columns,
                            .depth = b->filters,
                            .kernel = s->backward,
                            .kernel_plane = s->backward_plane,
                            .to = s->x,
                            .to_plane = s->x_plane,
                            .to_stride = s->channels};
}

/* Sums over the tiles of a chunk; those of the first chunk begin them. */
static void weight_gradient(const cpu_trial *b, size_t rows, bool first, size_t p) {
    const cpu_spectral *s = &b->spectral;
    const cpu_rows left = {s->x + p * s->x_plane, 0, s->channels}, right = {s->z + p * s->z_plane, 0, b->columns};
    xc_cpu_outer(&left, &right, 1, rows, s->sum + p * s->sum_plane, b->channels, b->columns, !first, NULL,
                 cpu_all_panels(b->columns));
}

/* A range of sequences, counted within the chunk that begins at n: z, and while it is warm its statistics. */
static void z_range(cpu_trial *b, size_t n, xc_range sequences) {
    const size_t tiles = b->spectral.tiles, first = n + sequences.begin;
    xc_cpu_spectral_z_out(b, n, (xc_range){sequences.begin * tiles, sequences.end * tiles});
    xc_cpu_norm_range(b, first, sequences.end - sequences.begin,
                      b->partial_sums + first / cpu_range(b) * 2 * b->columns);
}

static void forward(void *context, int thread, int threads) {
    cpu_trial own = *(cpu_trial *)context, *b = &own;
    const cpu_spectral *s = &b->spectral;
    const size_t range = cpu_range(b);
    const xc_range points = xc_share(s->points, thread, threads);
    xc_cpu_take_thread(b, thread);
    const point_products products = forward_products(b);
    xc_cpu_spectral_kernel(b, xc_share(b->channels, thread, threads));
    for (size_t n = 0; n < b->batch; n += s->chunk) {
        const size_t count = b->batch - n < s->chunk ? b->batch - n : s->chunk, tiles = count * s->tiles;
        xc_cpu_spectral_x_in(b, n, xc_share(tiles, thread, threads));
        xc_team_barrier(b->team);
        for (size_t p = points.begin; p < points.end; p++) multiply_point(&products, tiles, p);
        xc_team_barrier(b->team); /* the next chunk's products come after its x, thus after another */
        const xc_range ranges = xc_share((count + range - 1) / range, thread, threads);
        for (size_t i = ranges.begin * range; i < ranges.end * range && i < count; i += range)
            z_range(b, n, (xc_range){i, count - i < range ? count : i + range});
    }
}

void xc_cpu_spectral_forward(cpu_trial *b) {
    xc_cpu_norm_begin(b);
    xc_team_run(b->team, forward, b);
    xc_cpu_norm_end(b);
}

static void backward(void *context, int thread, int threads) {
    cpu_trial *b = context;
    const cpu_spectral *s = &b->spectral;
    const point_products products = backward_products(b);
    const xc_range points = xc_share(s->points, thread, threads);
    if (b->dx) {
        xc_cpu_spectral_turn(b, xc_share(b->width, thread, threads));
        xc_team_barrier(b->team);
        xc_cpu_spectral_turned(b, xc_share(b->filters, thread, threads));
    }
    for (size_t n = 0; n < b->batch; n += s->chunk) {
        const size_t count = b->batch - n < s->chunk ? b->batch - n : s->chunk, tiles = count * s->tiles;
        const xc_range sequences = xc_share(count, thread, threads);
        xc_cpu_tail_rows(b, n + sequences.begin, sequences.end - sequences.begin);
        xc_cpu_spectral_z_in(b, n, (xc_range){sequences.begin * s->tiles, sequences.end * s->tiles});
        if (b->dkernel) xc_cpu_spectral_x_in(b, n, xc_share(tiles, thread, threads));
        xc_team_barrier(b->team);
        for (size_t p = points.begin; p < points.end; p++) { /* both while the point is near */
            if (b->dkernel) weight_gradient(b, tiles, n == 0, p);
            if (b->dx) multiply_point(&products, tiles, p); /* over its x, which nobody wants any more */
        }
        xc_team_barrier(b->team);
        if (!b->dx) continue;
        xc_cpu_spectral_x_out(b, n, sequences);
        xc_team_barrier(b->team);
    }
    if (b->dkernel) xc_cpu_spectral_gradient(b, xc_share(b->channels, thread, threads));
}

void xc_cpu_spectral_backward(cpu_trial *b) { xc_team_run(b->team, backward, b); }

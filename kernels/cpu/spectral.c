/* spectral.c: forward, weight gradient and input gradient of a convolution in the Fourier domain, a chunk of sequences
 * at a time, so that what the tiles' transforms write the products find in the second cache.
 */
#include "gemm.h"
#include "trial.h"

/* to[point] = from[point] times the packed kernel's point, for `rows` tiles. */
static void multiply_points(const cpu_trial *b, const float *from, size_t from_plane, size_t depth, size_t from_stride,
                            const float *kernel, size_t kernel_plane, float *to, size_t to_plane, size_t to_stride,
                            size_t rows) {
    for (size_t p = 0; p < b->spectral.points; p++) {
        const cpu_rows in = {from + p * from_plane, 0, from_stride}, out = {to + p * to_plane, 0, to_stride};
        xc_cpu_gemm(&in, &out, 1, rows, kernel + p * kernel_plane, depth, to_stride, NULL, false);
    }
}

void xc_cpu_spectral_forward(cpu_trial *b) {
    const cpu_spectral *s = &b->spectral;
    xc_cpu_norm_begin(b);
    xc_cpu_spectral_kernel(b);
    for (size_t n = 0; n < b->batch; n += s->chunk) {
        const size_t count = b->batch - n < s->chunk ? b->batch - n : s->chunk;
        xc_cpu_spectral_x_in(b, n, count);
        multiply_points(b, s->x, s->x_plane, b->channels, s->channels, s->forward, s->forward_plane, s->z, s->z_plane,
                        b->columns, count * s->tiles);
        xc_cpu_spectral_z_out(b, n, count);
        xc_cpu_norm_rows(b, n, count);
    }
    xc_cpu_norm_end(b);
}

static void weight_gradient(cpu_trial *b, size_t rows) {
    const cpu_spectral *s = &b->spectral;
    for (size_t p = 0; p < s->points; p++) {
        const cpu_rows left = {s->x + p * s->x_plane, 0, s->channels}, right = {s->z + p * s->z_plane, 0, b->columns};
        xc_cpu_outer(&left, &right, 1, rows, s->sum + p * s->sum_plane, b->channels, b->columns, NULL);
    }
}

void xc_cpu_spectral_backward(cpu_trial *b) {
    const cpu_spectral *s = &b->spectral;
    if (b->dx) xc_cpu_spectral_turned(b);
    memset(s->sum, 0, s->points * s->sum_plane * sizeof(float));
    for (size_t n = 0; n < b->batch; n += s->chunk) {
        const size_t count = b->batch - n < s->chunk ? b->batch - n : s->chunk, rows = count * s->tiles;
        xc_cpu_tail_rows(b, n, count);
        xc_cpu_spectral_z_in(b, n, count);
        xc_cpu_spectral_x_in(b, n, count);
        weight_gradient(b, rows);
        if (!b->dx) continue;
        multiply_points(b, s->z, s->z_plane, b->filters, b->columns, s->backward, s->backward_plane, s->x, s->x_plane,
                        s->channels, rows);
        xc_cpu_spectral_x_out(b, n, count);
    }
    xc_cpu_spectral_gradient(b);
}

/* spectral_kernel.c: a convolution's kernel to packed points (spectral.h, gemm.h), forward and transposed, and the sums
 * of the weight gradient back to taps.
 */
#include "gemm.h"
#include "spectral_points.h"
#include "trial.h"

/* K rows of LANES columns, `stride` floats apart, with zeros after them, to points. */
INLINE void kernel_in(const int n, const float *taps, size_t stride, size_t width, size_t left, float *points,
                      size_t plane) {
    vfloat own[DFT_LARGEST], h[DFT_LARGEST];
    for (size_t k = 0; k < (size_t)n; k++) own[k] = k < width ? v_load_part(taps + k * stride, left) : v_set(0);
    spectral_analyse(n, (const float *)own, LANES, h);
    spectral_split_w(n, h, points, plane);
}

/* Taps (K,rows,columns), rows `row_stride` apart, to packed points (rows,columns) at `plane` each. */
static void pack_points(const cpu_trial *b, const float *taps, size_t rows, size_t columns, size_t row_stride,
                        float *points, size_t plane, xc_range of) {
    for (size_t c = 0; c < columns; c += LANES)
        for (size_t r = of.begin; r < of.end; r++) {
            float *to = points + xc_cpu_packed_place(rows, columns, r, c);
            switch (b->spectral.size) {
#define CASE(n)                                                                                       \
    case n:                                                                                           \
        kernel_in(n, taps + r * row_stride + c, rows * row_stride, b->width, columns - c, to, plane); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
}

void xc_cpu_spectral_kernel(cpu_trial *b, xc_range channels) {
    const cpu_spectral *s = &b->spectral;
    pack_points(b, b->kernel, b->channels, b->filters, b->filters, s->forward, s->forward_plane, channels);
}

void xc_cpu_spectral_turn(cpu_trial *b, xc_range taps) {
    const cpu_spectral *s = &b->spectral;
    for (size_t k = taps.begin; k < taps.end; k++)
        xc_cpu_transpose(s->turned + k * b->filters * s->channels, b->kernel + k * b->channels * b->filters,
                         b->channels, b->filters, s->channels, b->filters);
}

void xc_cpu_spectral_turned(cpu_trial *b, xc_range filters) {
    const cpu_spectral *s = &b->spectral;
    pack_points(b, s->turned, b->filters, b->channels, s->channels, s->backward, s->backward_plane, filters);
}

INLINE void gradient_out(const int n, const float *points, size_t plane, float *taps, size_t stride, size_t width,
                         size_t left) {
    vfloat h[DFT_LARGEST], own[DFT_LARGEST];
    spectral_unsplit_w(n, points, plane, h);
    spectral_synthesise(n, h, (float *)own, LANES);
    for (size_t k = 0; k < width; k++) {
        float *to = taps + k * stride;
        v_store_part(to, v_load_part(to, left) + own[k], left);
    }
}

void xc_cpu_spectral_gradient(cpu_trial *b, xc_range channels) {
    const cpu_spectral *s = &b->spectral;
    for (size_t c = channels.begin; c < channels.end; c++)
        for (size_t f = 0; f < b->filters; f += LANES) {
            const float *points = s->sum + c * b->columns + f;
            float *taps = b->dkernel + c * b->filters + f;
            switch (s->size) {
#define CASE(n)                                                                                          \
    case n:                                                                                              \
        gradient_out(n, points, s->sum_plane, taps, b->channels * b->filters, b->width, b->filters - f); \
        break;
                DFT_SIZES(CASE)
#undef CASE
            }
        }
}

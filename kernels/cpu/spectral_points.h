/* spectral_points.h: half spectra of one vector of columns to the points that are multiplied, and back; see spectral.h.
 *
 * With x = a + i b, w = u + i v and z = x conj(w), the three products of a frequency are
 *     a (u + v),  (a - b) (-v),  (a + b) u,     and     z = (first + second) + i (third - first).
 * Frequencies 0 and N/2 are real and have one. Below, `plane` is the distance between points in floats.
 */
#ifndef EXPCONV_CPU_SPECTRAL_POINTS_H
#define EXPCONV_CPU_SPECTRAL_POINTS_H

#include "dft.h"

INLINE void spectral_ends_store(const vfloat *h, float *points, size_t plane) {
    v_store(points, h[0]);
    v_store(points + plane, h[1]);
}

INLINE void spectral_split_x(const int n, const vfloat *h, float *points, size_t plane) {
    spectral_ends_store(h, points, plane);
    float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        const vfloat a = h[2 * k], b = h[2 * k + 1];
        v_store(p, a);
        v_store(p + plane, a - b);
        v_store(p + 2 * plane, a + b);
    }
}

INLINE void spectral_unsplit_x(const int n, const float *points, size_t plane, vfloat *h) {
    h[0] = v_load(points);
    h[1] = v_load(points + plane);
    const float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        const vfloat first = v_load(p), second = v_load(p + plane), third = v_load(p + 2 * plane);
        h[2 * k] = first + (second + third);
        h[2 * k + 1] = third - second;
    }
}

/* The factors that make synthesis the inverse of analysis are the kernel's. */
INLINE void spectral_split_w(const int n, const vfloat *h, float *points, size_t plane) {
    const float ends = 1.0f / (float)n, rest = 2.0f / (float)n;
    v_store(points, h[0] * ends);
    v_store(points + plane, h[1] * ends);
    float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        const vfloat u = h[2 * k] * rest, v = h[2 * k + 1] * rest;
        v_store(p, u + v);
        v_store(p + plane, -v);
        v_store(p + 2 * plane, u);
    }
}

INLINE void spectral_unsplit_w(const int n, const float *points, size_t plane, vfloat *h) {
    const float ends = 1.0f / (float)n, rest = 2.0f / (float)n;
    h[0] = v_load(points) * ends;
    h[1] = v_load(points + plane) * ends;
    const float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        const vfloat first = v_load(p), second = v_load(p + plane), third = v_load(p + 2 * plane);
        h[2 * k] = (first + third) * rest;
        h[2 * k + 1] = (first - second) * rest;
    }
}

INLINE void spectral_join(const int n, const float *points, size_t plane, vfloat *h) {
    h[0] = v_load(points);
    h[1] = v_load(points + plane);
    const float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        const vfloat first = v_load(p), second = v_load(p + plane), third = v_load(p + 2 * plane);
        h[2 * k] = first + second;
        h[2 * k + 1] = third - first;
    }
}

INLINE void spectral_unjoin(const int n, const vfloat *h, float *points, size_t plane) {
    spectral_ends_store(h, points, plane);
    float *p = points + 2 * plane;
#pragma GCC unroll 24
    for (int k = 1; k < n / 2; k++, p += 3 * plane) {
        v_store(p, h[2 * k] - h[2 * k + 1]);
        v_store(p + plane, h[2 * k]);
        v_store(p + 2 * plane, h[2 * k + 1]);
    }
}

/* The transforms of a size that the compiler knows. */
INLINE void spectral_analyse(const int n, const float *x, size_t stride, vfloat *h) {
    switch (n) {
#define CASE(size)                         \
    case size:                             \
        dft_analysis_##size(x, stride, h); \
        break;
        DFT_SIZES(CASE)
#undef CASE
    }
}

INLINE void spectral_synthesise(const int n, const vfloat *h, float *y, size_t stride) {
    switch (n) {
#define CASE(size)                          \
    case size:                              \
        dft_synthesis_##size(h, y, stride); \
        break;
        DFT_SIZES(CASE)
#undef CASE
    }
}

#endif

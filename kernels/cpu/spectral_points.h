/* spectral_points.h: half spectra of one vector of columns to the points that are multiplied, and back; see spectral.h.
 *
 * With x = a + i b, w = u + i v and z = x conj(w), the three products of a frequency are
 *     a (u + v),  (a - b) (-v),  (a + b) u,     and     z = (first + second) + i (third - first).
 * Frequencies 0 and N/2 are real and have one. Below, `plane` is the distance between points in floats.
 */
#ifndef EXPCONV_CPU_SPECTRAL_POINTS_H
#define EXPCONV_CPU_SPECTRAL_POINTS_H

#include "dft.h"

/* Runs `call(size)` for the transform's size, a constant within it. */
#define SPECTRAL_SIZES(size, call) \
    switch (size) {                \
        case 8:                    \
            call(8);               \
            break;                 \
        case 12:                   \
            call(12);              \
            break;                 \
        case 16:                   \
            call(16);              \
            break;                 \
        case 24:                   \
            call(24);              \
            break;                 \
        case 32:                   \
            call(32);              \
            break;                 \
        case 48:                   \
            call(48);              \
            break;                 \
    }

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
#define SPECTRAL_CASE(direction, size, ...)    \
    case size:                                 \
        dft_##direction##_##size(__VA_ARGS__); \
        break;
#define SPECTRAL_BY_SIZE(direction, n, ...)       \
    switch (n) {                                  \
        SPECTRAL_CASE(direction, 8, __VA_ARGS__)  \
        SPECTRAL_CASE(direction, 12, __VA_ARGS__) \
        SPECTRAL_CASE(direction, 16, __VA_ARGS__) \
        SPECTRAL_CASE(direction, 24, __VA_ARGS__) \
        SPECTRAL_CASE(direction, 32, __VA_ARGS__) \
        SPECTRAL_CASE(direction, 48, __VA_ARGS__) \
    }
INLINE void spectral_analyse(const int n, const float *x, size_t stride,
                             vfloat *h){SPECTRAL_BY_SIZE(analysis, n, x, stride, h)} INLINE
    void spectral_synthesise(const int n, const vfloat *h, float *y, size_t stride) {
    SPECTRAL_BY_SIZE(synthesis, n, h, y, stride)
}

#endif

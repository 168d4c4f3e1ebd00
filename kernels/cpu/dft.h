/* dft.h: the discrete Fourier transform of 8, 12, 16, 24, 32 or 48 real vectors, each lane for itself, and its
 * transpose.
 *
 *   analysis    X_k = sum_n x_n e^(+2 pi i k n / N),                     k = 0 .. N/2
 *   synthesis   y_n = sum_k Re X_k cos(2 pi k n / N) + Im X_k sin(2 pi k n / N),     k = 0 .. N/2
 *
 * A half spectrum of N floats is X_0, X_(N/2), then real and imaginary part of X_1, X_2 and so on. Synthesis is the
 * exact transpose of analysis, step by step, and also its inverse when X_0 and X_(N/2) have been divided by N and the
 * rest by N/2. Decimation in time: Cooley and Tukey 1965, on real data (Sorensen et al. 1987).
 */
#ifndef EXPCONV_CPU_DFT_H
#define EXPCONV_CPU_DFT_H

#include "vector.h"

/* X(n): every size. */
#define DFT_SIZES(X) X(8) X(12) X(16) X(24) X(32) X(48)
#define DFT_LARGEST 48

/* cos and sin of 2 pi k / 32 for k = 0 .. 7, and of 2 pi k / 48 for k = 0 .. 11. */
static const float dft_cosine_32[8] = {1,           0.98078528f, 0.92387953f, 0.83146961f,
                                       0.70710678f, 0.55557023f, 0.38268343f, 0.19509032f};
static const float dft_sine_32[8] = {0,           0.19509032f, 0.38268343f, 0.55557023f,
                                     0.70710678f, 0.83146961f, 0.92387953f, 0.98078528f};
static const float dft_cosine_48[12] = {1,           0.99144486f, 0.96592583f, 0.92387953f, 0.86602540f, 0.79335334f,
                                        0.70710678f, 0.60876143f, 0.5f,        0.38268343f, 0.25881905f, 0.13052619f};
static const float dft_sine_48[12] = {0,           0.13052619f, 0.25881905f, 0.38268343f, 0.5f,        0.60876143f,
                                      0.70710678f, 0.79335334f, 0.86602540f, 0.92387953f, 0.96592583f, 0.99144486f};
#define DFT_COSINE(n, k) ((n) % 3 ? dft_cosine_32[(k)*32 / (n)] : dft_cosine_48[(k)*48 / (n)])
#define DFT_SINE(n, k) ((n) % 3 ? dft_sine_32[(k)*32 / (n)] : dft_sine_48[(k)*48 / (n)])

/* Half spectra of the even and the odd elements to that of all n. */
INLINE void dft_join(const int n, const vfloat *even, const vfloat *odd, vfloat *to) {
    to[0] = even[0] + odd[0];
    to[1] = even[0] - odd[0];
#pragma GCC unroll 12
    for (int k = 1; k < n / 4; k++) {
        const float c = DFT_COSINE(n, k), s = DFT_SINE(n, k);
        const vfloat re = odd[2 * k] * c - odd[2 * k + 1] * s, im = odd[2 * k] * s + odd[2 * k + 1] * c;
        to[2 * k] = even[2 * k] + re;
        to[2 * k + 1] = even[2 * k + 1] + im;
        to[n - 2 * k] = even[2 * k] - re;
        to[n - 2 * k + 1] = im - even[2 * k + 1];
    }
    to[n / 2] = even[1];
    to[n / 2 + 1] = odd[1];
}

/* The transpose of dft_join. */
INLINE void dft_part(const int n, const vfloat *from, vfloat *even, vfloat *odd) {
    even[0] = from[0] + from[1];
    odd[0] = from[0] - from[1];
#pragma GCC unroll 12
    for (int k = 1; k < n / 4; k++) {
        const float c = DFT_COSINE(n, k), s = DFT_SINE(n, k);
        const vfloat re = from[2 * k] - from[n - 2 * k], im = from[2 * k + 1] + from[n - 2 * k + 1];
        even[2 * k] = from[2 * k] + from[n - 2 * k];
        even[2 * k + 1] = from[2 * k + 1] - from[n - 2 * k + 1];
        odd[2 * k] = re * c + im * s;
        odd[2 * k + 1] = im * c - re * s;
    }
    even[1] = from[n / 2];
    odd[1] = from[n / 2 + 1];
}

/* Rows of LANES floats at x, `stride` floats apart, to a half spectrum; and back. */
INLINE void dft_analysis_4(const float *x, size_t stride, vfloat *to) {
    const vfloat a = v_load(x), b = v_load(x + stride), c = v_load(x + 2 * stride), d = v_load(x + 3 * stride);
    to[0] = (a + c) + (b + d);
    to[1] = (a + c) - (b + d);
    to[2] = a - c;
    to[3] = b - d;
}
INLINE void dft_synthesis_4(const vfloat *from, float *y, size_t stride) {
    const vfloat even = from[0] + from[1], odd = from[0] - from[1];
    v_store(y, even + from[2]);
    v_store(y + stride, odd + from[3]);
    v_store(y + 2 * stride, even - from[2]);
    v_store(y + 3 * stride, odd - from[3]);
}

/* Three: X_0, then real and imaginary part of X_1. */
#define DFT_HALF_ROOT_3 0.86602540f
INLINE void dft_analysis_3(const float *x, size_t stride, vfloat *to) {
    const vfloat a = v_load(x), b = v_load(x + stride), c = v_load(x + 2 * stride);
    to[0] = a + (b + c);
    to[1] = a - 0.5f * (b + c);
    to[2] = DFT_HALF_ROOT_3 * (b - c);
}
INLINE void dft_synthesis_3(const vfloat *from, float *y, size_t stride) {
    const vfloat middle = from[0] - 0.5f * from[1], side = DFT_HALF_ROOT_3 * from[2];
    v_store(y, from[0] + from[1]);
    v_store(y + stride, middle + side);
    v_store(y + 2 * stride, middle - side);
}

/* Six: the odd half of length leaves no middle frequency, which dft_join and dft_part have. */
INLINE void dft_analysis_6(const float *x, size_t stride, vfloat *to) {
    vfloat even[3], odd[3];
    dft_analysis_3(x, 2 * stride, even);
    dft_analysis_3(x + stride, 2 * stride, odd);
    const vfloat re = 0.5f * odd[1] - DFT_HALF_ROOT_3 * odd[2], im = DFT_HALF_ROOT_3 * odd[1] + 0.5f * odd[2];
    to[0] = even[0] + odd[0];
    to[1] = even[0] - odd[0];
    to[2] = even[1] + re;
    to[3] = even[2] + im;
    to[4] = even[1] - re;
    to[5] = im - even[2];
}
INLINE void dft_synthesis_6(const vfloat *from, float *y, size_t stride) {
    const vfloat re = from[2] - from[4], im = from[3] + from[5];
    const vfloat even[3] = {from[0] + from[1], from[2] + from[4], from[3] - from[5]};
    const vfloat odd[3] = {from[0] - from[1], 0.5f * re + DFT_HALF_ROOT_3 * im, 0.5f * im - DFT_HALF_ROOT_3 * re};
    dft_synthesis_3(even, y, 2 * stride);
    dft_synthesis_3(odd, y + stride, 2 * stride);
}

#define DFT_DOUBLE(n, half)                                                      \
    INLINE void dft_analysis_##n(const float *x, size_t stride, vfloat *to) {    \
        vfloat even[half], odd[half];                                            \
        dft_analysis_##half(x, 2 * stride, even);                                \
        dft_analysis_##half(x + stride, 2 * stride, odd);                        \
        dft_join(n, even, odd, to);                                              \
    }                                                                            \
    INLINE void dft_synthesis_##n(const vfloat *from, float *y, size_t stride) { \
        vfloat even[half], odd[half];                                            \
        dft_part(n, from, even, odd);                                            \
        dft_synthesis_##half(even, y, 2 * stride);                               \
        dft_synthesis_##half(odd, y + stride, 2 * stride);                       \
    }
DFT_DOUBLE(8, 4)
DFT_DOUBLE(16, 8)
DFT_DOUBLE(32, 16)
DFT_DOUBLE(12, 6)
DFT_DOUBLE(24, 12)
DFT_DOUBLE(48, 24)

#endif

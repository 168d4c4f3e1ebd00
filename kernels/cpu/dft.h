/* dft.h: the discrete Fourier transform of 8, 16 or 32 real vectors, each lane for itself, and its transpose.
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

#define DFT_LARGEST 32

/* cos and sin of 2 pi k / 32, k = 0 .. 8. */
#define COS_1 0.98078528040323044913f
#define COS_2 0.92387953251128675613f
#define COS_3 0.83146961230254523708f
#define COS_4 0.70710678118654752440f
#define COS_5 0.55557023301960222474f
#define COS_6 0.38268343236508977173f
#define COS_7 0.19509032201612826785f
static const float dft_cosine[8] = {1, COS_1, COS_2, COS_3, COS_4, COS_5, COS_6, COS_7};
static const float dft_sine[8] = {0, COS_7, COS_6, COS_5, COS_4, COS_3, COS_2, COS_1};

/* Half spectra of the even and the odd elements to that of all n. */
INLINE void dft_join(const int n, const vfloat *even, const vfloat *odd, vfloat *to) {
    to[0] = even[0] + odd[0];
    to[1] = even[0] - odd[0];
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; k++) {
        const float c = dft_cosine[k * (32 / n)], s = dft_sine[k * (32 / n)];
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
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; k++) {
        const float c = dft_cosine[k * (32 / n)], s = dft_sine[k * (32 / n)];
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

#endif

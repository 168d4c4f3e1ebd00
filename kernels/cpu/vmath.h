/* vmath.h: exponential, logarithm and their kin on vectors of floats, by polynomials.
 *
 * Ranges are reduced after Cody and Waite; polynomials are those of Cephes (expf, logf, tanhf; S. Moshier). Stated
 * errors, in units in the last place, are the largest of 42 million arguments spread over all floats, against double
 * precision, with and without fused multiply-add. Infinities, NaN and denormal results come out as libm's do.
 */
#ifndef EXPCONV_CPU_VMATH_H
#define EXPCONV_CPU_VMATH_H

#include "vector.h"

/* 2^n for n in [-126, 127]. */
INLINE vfloat v_power_of_two(vint n) { return (vfloat)((n + 127) << 23); }

/* Splits x = n ln 2 + r with |r| <= ln 2 / 2; x within [-104, 89] or NaN (then r is NaN, and n any number). */
INLINE vint v_split_ln2(vfloat x, vfloat *r) {
    const float magic = 12582912.0f; /* 1.5 2^23: adding it rounds to an integer, found in the low bits */
    const vfloat shifted = x * 1.44269504088896341f + magic;
    const vfloat n = shifted - magic;
    *r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    return (vint)shifted - 0x4b400000;
}

/* exp(r) - 1 for |r| <= ln 2 / 2. */
INLINE vfloat v_expm1_reduced(vfloat r) {
    vfloat p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return p * (r * r) + r;
}

/* exp(x); 1.0 units, denormal results included. */
INLINE vfloat v_exp(vfloat x) {
    vfloat r;
    const vfloat bounded = v_at_most(v_at_least(x, v_set(-104.0f)), v_set(89.0f));
    const vint n = v_split_ln2(bounded, &r);
    const vint half = n >> 1; /* two factors, so that 2^128 and 2^-150 need not be floats */
    return (v_expm1_reduced(r) + 1.0f) * v_power_of_two(half) * v_power_of_two(n - half);
}

/* The same bits for |x| <= 87, where nothing is denormal, infinite or NaN. */
INLINE vfloat v_exp_near(vfloat x) {
    const float magic = 12582912.0f; /* see v_split_ln2; of its bits only n's stay when they are shifted */
    const vfloat shifted = x * 1.44269504088896341f + magic, n = shifted - magic;
    const vfloat r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    return (vfloat)((vint)(v_expm1_reduced(r) + 1.0f) + ((vint)shifted << 23));
}

/* exp(x) - 1; 1.6 units. */
INLINE vfloat v_expm1(vfloat x) {
    vfloat r;
    const vfloat bounded = v_at_most(v_at_least(x, v_set(-40.0f)), v_set(89.0f));
    const vint n = v_split_ln2(bounded, &r);
    const vfloat half_power = v_power_of_two(n - 1); /* halves, so that 2^128 need not be a float */
    return 2.0f * (half_power * v_expm1_reduced(r) + (half_power - 0.5f));
}

/* log(x) for x that is 0, a normal positive number, infinite or NaN; 0.9 units. */
INLINE vfloat v_log(vfloat x) {
    const vint bits = (vint)x;
    vint exponent = (bits >> 23) - 126;
    vfloat m = (vfloat)((bits & 0x007fffff) | 0x3f000000); /* in [1/2, 1) */
    const vint small = m < 0.707106781186547524f;
    exponent += small;
    m = m + v_where(small, m) - 1.0f;
    const vfloat e = __builtin_convertvector(exponent, vfloat);
    const vfloat square = m * m;
    vfloat p = m * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * square;
    p = p + e * -2.12194440e-4f - square * 0.5f;
    vfloat result = m + p + e * 0.693359375f;
    result = v_select(x == 0.0f, v_set(-__builtin_inff()), result);
    const vint special = ~(x < __builtin_inff()); /* infinity and NaN */
    return v_select(special, x, result);
}

/* log(1 + x) for x in [0, 1]; 1.2 units. */
INLINE vfloat v_log1p(vfloat x) {
    const vfloat u = x + 1.0f;
    return v_log(u) + (x - (u - 1.0f)) / u; /* what rounding 1 + x lost, to first order */
}

/* 1 / (1 + exp(-x)). Absolute error 1e-7; 0 below -88.7, where the value is denormal. */
INLINE vfloat v_sigmoid(vfloat x) { return 1.0f / (v_exp(-x) + 1.0f); }

/* The derivative of the sigmoid, without the cancellation of s (1 - s); 4 units. */
INLINE vfloat v_sigmoid_slope(vfloat x) {
    const vfloat e = v_exp(-v_abs(x));
    return e / ((e + 1.0f) * (e + 1.0f));
}

/* tanh(x); 1.3 units. */
INLINE vfloat v_tanh(vfloat x) {
    const vfloat magnitude = v_abs(x);
    const vfloat square = x * x;
    vfloat p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    const vfloat near = p * square * x + x;
    const vfloat far = 1.0f - 2.0f / (v_exp(magnitude + magnitude) + 1.0f);
    const vfloat signed_far = (vfloat)((vint)far | ((vint)x & (int32_t)0x80000000));
    return v_select(magnitude < 0.625f, near, signed_far);
}

#endif

/* activation.h: every activation and its slope, on vectors. Formulas and forms without cancellation are those of the
 * reference (kernels/ref/activation.c); the elementary functions are vmath.h's. `kind` is a constant where these are
 * used, so that one formula remains of each.
 */
#ifndef EXPCONV_CPU_ACTIVATION_H
#define EXPCONV_CPU_ACTIVATION_H

#include "trial.h"
#include "vmath.h"

#define SHIFT 0.2f /* of the relus */
#define SIGMOID_SHIFT 8.0f
#define TANH_SHIFT 6.0f
#define SIGMOID_SCALE 4000.0f
#define LOG_OFFSET 1e-10f

/* max(x, 0) that keeps a NaN. */
INLINE vfloat positive(vfloat x) { return v_select(x <= 0.0f, v_set(0), x); }

/* 500 tanh(x) + 500 = 1000 s(2x). */
INLINE vfloat raised_tanh(vfloat x) { return 1000.0f * v_sigmoid(2.0f * x); }
INLINE vfloat raised_tanh_slope(vfloat x) { return 2000.0f * v_sigmoid_slope(2.0f * x); }

INLINE vfloat log_magnitude(vfloat x) { return v_log(v_abs(x) + LOG_OFFSET); }
INLINE vfloat log_magnitude_slope(vfloat x) {
    const vfloat sign = v_where(x > 0.0f, v_set(1)) - v_where(x < 0.0f, v_set(1));
    return sign / (v_abs(x) + LOG_OFFSET);
}

INLINE vfloat exponential(const xc_activation *a, vfloat x) {
    const vfloat scaled = a->scale * x, clip = v_set(a->clip), value = v_exp(v_at_most(scaled, clip));
    if (a->beyond == XC_BEYOND_HARD) return value;
    return v_select(scaled > clip, value * (1.0f + (scaled - clip)), value);
}

INLINE vfloat exponential_slope(const xc_activation *a, vfloat x) {
    const vfloat scaled = a->scale * x, clip = v_set(a->clip), slope = a->scale * v_exp(v_at_most(scaled, clip));
    if (a->beyond == XC_BEYOND_LINEAR) return slope;
    return v_where(~(scaled > clip), slope);
}

INLINE vfloat cpu_activated(xc_activation_kind kind, const xc_activation *a, vfloat x) {
    switch (kind) {
    case XC_LINEAR: return x;
    case XC_RELU: return positive(x);
    case XC_EXPONENTIAL: return exponential(a, x);
    case XC_SIGMOID: return v_sigmoid(x);
    case XC_TANH: return v_tanh(x);
    case XC_SOFTPLUS: return positive(x) + v_log1p(v_exp(-v_abs(x)));
    case XC_ELU: return v_select(x > 0.0f, x, v_expm1(x));
    case XC_SHIFT_RELU: return positive(x - SHIFT);
    case XC_SCALE_RELU: return positive(x * x * x);
    case XC_SHIFT_SCALE_RELU: return positive((x - SHIFT) * (x - SHIFT) * (x - SHIFT));
    case XC_SHIFT_SIGMOID: return v_sigmoid(x - SIGMOID_SHIFT);
    case XC_SCALE_SIGMOID: return SIGMOID_SCALE * v_sigmoid(x);
    case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * v_sigmoid(x - SIGMOID_SHIFT);
    case XC_SHIFT_TANH: return v_tanh(x - TANH_SHIFT);
    case XC_SCALE_TANH: return raised_tanh(x);
    case XC_SHIFT_SCALE_TANH: return raised_tanh(x - TANH_SHIFT);
    case XC_EXP_RELU: return positive(v_expm1(0.1f * x));
    case XC_LOG: return log_magnitude(x);
    case XC_LOG_RELU: return positive(log_magnitude(x));
    case XC_ACTIVATION_COUNT: break;
    }
    return x;
}

INLINE vfloat cpu_slope(xc_activation_kind kind, const xc_activation *a, vfloat x) {
    const vfloat one = v_set(1);
    switch (kind) {
    case XC_LINEAR: return one;
    case XC_RELU: return v_where(x > 0.0f, one);
    case XC_EXPONENTIAL: return exponential_slope(a, x);
    case XC_SIGMOID: return v_sigmoid_slope(x);
    case XC_TANH: return 4.0f * v_sigmoid_slope(2.0f * x);
    case XC_SOFTPLUS: return v_sigmoid(x);
    case XC_ELU: return v_select(x > 0.0f, one, v_exp(x));
    case XC_SHIFT_RELU: return v_where(x > SHIFT, one);
    case XC_SCALE_RELU: return v_where(x > 0.0f, 3.0f * x * x);
    case XC_SHIFT_SCALE_RELU: return v_where(x > SHIFT, 3.0f * (x - SHIFT) * (x - SHIFT));
    case XC_SHIFT_SIGMOID: return v_sigmoid_slope(x - SIGMOID_SHIFT);
    case XC_SCALE_SIGMOID: return SIGMOID_SCALE * v_sigmoid_slope(x);
    case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * v_sigmoid_slope(x - SIGMOID_SHIFT);
    case XC_SHIFT_TANH: return 4.0f * v_sigmoid_slope(2.0f * (x - TANH_SHIFT));
    case XC_SCALE_TANH: return raised_tanh_slope(x);
    case XC_SHIFT_SCALE_TANH: return raised_tanh_slope(x - TANH_SHIFT);
    case XC_EXP_RELU: return v_where(x > 0.0f, 0.1f * v_exp(0.1f * x));
    case XC_LOG: return log_magnitude_slope(x);
    case XC_LOG_RELU: return v_where(log_magnitude(x) > 0.0f, log_magnitude_slope(x));
    case XC_ACTIVATION_COUNT: break;
    }
    return one;
}

#endif

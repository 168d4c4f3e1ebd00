/* activation.cuh: every activation and its slope, in float. Formulas and their sources: kernels/ref/activation.c.
 */
#ifndef EXPCONV_CUDA_ACTIVATION_CUH
#define EXPCONV_CUDA_ACTIVATION_CUH

#include "place.cuh"

#define RELU_SHIFT 0.2f
#define SIGMOID_SHIFT 8.0f
#define TANH_SHIFT 6.0f
#define SIGMOID_SCALE 4000.0f
#define LOG_OFFSET 1e-10f

DEVICE float sigmoid(float x) {
    const float e = expf(-fabsf(x)); /* in (0, 1], so that neither side overflows */
    return (x < 0 ? e : 1.0f) / (1.0f + e);
}

/* s'(x) = s(x) s(-x), exact in both tails. */
DEVICE float sigmoid_slope(float x) { return sigmoid(x) * sigmoid(-x); }

/* 500 tanh(x) + 500 = 1000 s(2x). */
DEVICE float raised_tanh(float x) { return 1000.0f * sigmoid(2.0f * x); }
DEVICE float raised_tanh_slope(float x) { return 2000.0f * sigmoid_slope(2.0f * x); }

/* 1 - tanh(x)^2 = 4 s(2x) s(-2x). */
DEVICE float tanh_slope(float x) { return 4.0f * sigmoid_slope(2.0f * x); }

DEVICE float softplus(float x) { return positive(x) + log1pf(expf(-fabsf(x))); }

DEVICE float log_magnitude(float x) { return logf(fabsf(x) + LOG_OFFSET); }
DEVICE float log_magnitude_slope(float x) {
    const float sign = (float)((x > 0) - (x < 0));
    return sign / (fabsf(x) + LOG_OFFSET);
}

DEVICE bool activation_clips(const xc_activation *activation, float x) {
    return activation->kind == XC_EXPONENTIAL && activation->scale * x > activation->clip;
}

DEVICE float exponential(const xc_activation *activation, float x) {
    const float scaled = activation->scale * x;
    if (!activation_clips(activation, x)) return expf(scaled);
    const float at_clip = expf(activation->clip);
    return activation->beyond == XC_BEYOND_HARD ? at_clip : at_clip * (1.0f + (scaled - activation->clip));
}

DEVICE float exponential_slope(const xc_activation *activation, float x) {
    const float scale = activation->scale;
    if (!activation_clips(activation, x)) return scale * expf(scale * x);
    return activation->beyond == XC_BEYOND_HARD ? 0.0f : scale * expf(activation->clip);
}

DEVICE float activation_value(const xc_activation *activation, float x) {
    const float shifted = x - RELU_SHIFT;
    switch (activation->kind) {
        case XC_LINEAR: return x;
        case XC_RELU: return positive(x);
        case XC_EXPONENTIAL: return exponential(activation, x);
        case XC_SIGMOID: return sigmoid(x);
        case XC_TANH: return tanhf(x);
        case XC_SOFTPLUS: return softplus(x);
        case XC_ELU: return x > 0 ? x : expm1f(x);
        case XC_SHIFT_RELU: return positive(shifted);
        case XC_SCALE_RELU: return positive(x * x * x);
        case XC_SHIFT_SCALE_RELU: return positive(shifted * shifted * shifted);
        case XC_SHIFT_SIGMOID: return sigmoid(x - SIGMOID_SHIFT);
        case XC_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid(x);
        case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid(x - SIGMOID_SHIFT);
        case XC_SHIFT_TANH: return tanhf(x - TANH_SHIFT);
        case XC_SCALE_TANH: return raised_tanh(x);
        case XC_SHIFT_SCALE_TANH: return raised_tanh(x - TANH_SHIFT);
        case XC_EXP_RELU: return positive(expm1f(0.1f * x));
        case XC_LOG: return log_magnitude(x);
        case XC_LOG_RELU: return positive(log_magnitude(x));
        case XC_ACTIVATION_COUNT: break;
    }
    return x;
}

DEVICE float activation_slope(const xc_activation *activation, float x) {
    const float shifted = x - RELU_SHIFT;
    switch (activation->kind) {
        case XC_LINEAR: return 1;
        case XC_RELU: return x > 0;
        case XC_EXPONENTIAL: return exponential_slope(activation, x);
        case XC_SIGMOID: return sigmoid_slope(x);
        case XC_TANH: return tanh_slope(x);
        case XC_SOFTPLUS: return sigmoid(x);
        case XC_ELU: return x > 0 ? 1.0f : expf(x);
        case XC_SHIFT_RELU: return x > RELU_SHIFT;
        case XC_SCALE_RELU: return x > 0 ? 3.0f * x * x : 0.0f;
        case XC_SHIFT_SCALE_RELU: return shifted > 0 ? 3.0f * shifted * shifted : 0.0f;
        case XC_SHIFT_SIGMOID: return sigmoid_slope(x - SIGMOID_SHIFT);
        case XC_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid_slope(x);
        case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid_slope(x - SIGMOID_SHIFT);
        case XC_SHIFT_TANH: return tanh_slope(x - TANH_SHIFT);
        case XC_SCALE_TANH: return raised_tanh_slope(x);
        case XC_SHIFT_SCALE_TANH: return raised_tanh_slope(x - TANH_SHIFT);
        case XC_EXP_RELU: return x > 0 ? 0.1f * expf(0.1f * x) : 0.0f;
        case XC_LOG: return log_magnitude_slope(x);
        case XC_LOG_RELU: return log_magnitude(x) > 0 ? log_magnitude_slope(x) : 0.0f;
        case XC_ACTIVATION_COUNT: break;
    }
    return x;
}

#endif

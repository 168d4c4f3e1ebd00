/* activation.c: every activation and its slope.
 *
 * Formulas: methods and published scripts of Koo & Ploenzke 2021 (doi 10.1038/s42256-020-00291-x); slopes by hand. The
 * exponential's clip and what is beyond it are ours. Where a formula loses digits by cancellation the equal form
 * without it stands here, with the original beside it.
 */
#include "activation.h"

#include <math.h>

static const double SHIFT = 0.2;      /* of the relus */
static const double SIGMOID_SHIFT = 8;
static const double TANH_SHIFT = 6;
static const double SIGMOID_SCALE = 4000;
static const double LOG_OFFSET = 1e-10;

/* max(x, 0) that keeps a NaN. */
static double positive(double x) { return x <= 0 ? 0 : x; }

static double sigmoid(double x) {
    if (x >= 0) return 1 / (1 + exp(-x));
    const double e = exp(x); /* so that neither side overflows */
    return e / (1 + e);
}

/* s'(x) = s(x) s(-x), exact in both tails. */
static double sigmoid_slope(double x) { return sigmoid(x) * sigmoid(-x); }

/* 500 tanh(x) + 500 = 1000 s(2x). */
static double raised_tanh(double x) { return 1000 * sigmoid(2 * x); }
static double raised_tanh_slope(double x) { return 2000 * sigmoid_slope(2 * x); }

/* 1 - tanh(x)^2 = 4 s(2x) s(-2x). */
static double tanh_slope(double x) { return 4 * sigmoid_slope(2 * x); }

static double softplus(double x) { return positive(x) + log1p(exp(-fabs(x))); }

static double log_magnitude(double x) { return log(fabs(x) + LOG_OFFSET); }

static double log_magnitude_slope(double x) {
    const double sign = (x > 0) - (x < 0);
    return sign / (fabs(x) + LOG_OFFSET);
}

static double exponential(const xc_activation *activation, double x) {
    const double scaled = (double)activation->scale * x;
    if (!xc_ref_activation_clips(activation, x)) return exp(scaled);
    const double at_clip = exp(activation->clip);
    return activation->beyond == XC_BEYOND_HARD ? at_clip : at_clip * (1 + scaled - activation->clip);
}

static double exponential_slope(const xc_activation *activation, double x) {
    const double scale = activation->scale;
    if (!xc_ref_activation_clips(activation, x)) return scale * exp(scale * x);
    return activation->beyond == XC_BEYOND_HARD ? 0 : scale * exp(activation->clip);
}

bool xc_ref_activation_clips(const xc_activation *activation, double x) {
    return activation->kind == XC_EXPONENTIAL && (double)activation->scale * x > activation->clip;
}

double xc_ref_activation(const xc_activation *activation, double x) {
    switch (activation->kind) {
    case XC_LINEAR: return x;
    case XC_RELU: return positive(x);
    case XC_EXPONENTIAL: return exponential(activation, x);
    case XC_SIGMOID: return sigmoid(x);
    case XC_TANH: return tanh(x);
    case XC_SOFTPLUS: return softplus(x);
    case XC_ELU: return x > 0 ? x : expm1(x);
    case XC_SHIFT_RELU: return positive(x - SHIFT);
    case XC_SCALE_RELU: return positive(x * x * x);
    case XC_SHIFT_SCALE_RELU: return positive((x - SHIFT) * (x - SHIFT) * (x - SHIFT));
    case XC_SHIFT_SIGMOID: return sigmoid(x - SIGMOID_SHIFT);
    case XC_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid(x);
    case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid(x - SIGMOID_SHIFT);
    case XC_SHIFT_TANH: return tanh(x - TANH_SHIFT);
    case XC_SCALE_TANH: return raised_tanh(x);
    case XC_SHIFT_SCALE_TANH: return raised_tanh(x - TANH_SHIFT);
    case XC_EXP_RELU: return positive(expm1(0.1 * x));
    case XC_LOG: return log_magnitude(x);
    case XC_LOG_RELU: return positive(log_magnitude(x));
    case XC_ACTIVATION_COUNT: break;
    }
    return NAN;
}

double xc_ref_activation_slope(const xc_activation *activation, double x) {
    switch (activation->kind) {
    case XC_LINEAR: return 1;
    case XC_RELU: return x > 0;
    case XC_EXPONENTIAL: return exponential_slope(activation, x);
    case XC_SIGMOID: return sigmoid_slope(x);
    case XC_TANH: return tanh_slope(x);
    case XC_SOFTPLUS: return sigmoid(x);
    case XC_ELU: return x > 0 ? 1 : exp(x);
    case XC_SHIFT_RELU: return x > SHIFT;
    case XC_SCALE_RELU: return x > 0 ? 3 * x * x : 0;
    case XC_SHIFT_SCALE_RELU: return x > SHIFT ? 3 * (x - SHIFT) * (x - SHIFT) : 0;
    case XC_SHIFT_SIGMOID: return sigmoid_slope(x - SIGMOID_SHIFT);
    case XC_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid_slope(x);
    case XC_SHIFT_SCALE_SIGMOID: return SIGMOID_SCALE * sigmoid_slope(x - SIGMOID_SHIFT);
    case XC_SHIFT_TANH: return tanh_slope(x - TANH_SHIFT);
    case XC_SCALE_TANH: return raised_tanh_slope(x);
    case XC_SHIFT_SCALE_TANH: return raised_tanh_slope(x - TANH_SHIFT);
    case XC_EXP_RELU: return x > 0 ? 0.1 * exp(0.1 * x) : 0;
    case XC_LOG: return log_magnitude_slope(x);
    case XC_LOG_RELU: return log_magnitude(x) > 0 ? log_magnitude_slope(x) : 0;
    case XC_ACTIVATION_COUNT: break;
    }
    return NAN;
}

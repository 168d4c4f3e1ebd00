/* welch.c: Welch's two-sided t-test of two samples whose variances may differ.
 *
 * The two-sided p of Student's t with v degrees is the regularised incomplete beta function I_x(v/2, 1/2) at
 * x = v / (v + t^2), computed by its continued fraction with Lentz's method, in long double so that twelve digits are
 * right down to the smallest p a double holds. Sources: Welch, Biometrika 34:28 (1947); Abramowitz & Stegun 26.5.8 and
 * 26.7.1; Lentz, Applied Optics 15:668 (1976).
 */
#include "expconv/sweep.h"

#include <math.h>

typedef struct sample {
    size_t count;               /* finite values */
    long double mean, variance; /* of the mean: s^2 / n */
} sample;

/* A constant sample has variance 0 exactly, whatever rounding does to its mean. */
static sample sample_of(const double *values, size_t count) {
    sample s = {0, 0, 0};
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        s.count++;
        s.mean += values[i];
        least = fmin(least, values[i]);
        most = fmax(most, values[i]);
    }
    if (s.count < 2) return s;
    s.mean = least < most ? s.mean / s.count : least;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) s.variance += (values[i] - s.mean) * (values[i] - s.mean);
    s.variance /= (long double)(s.count - 1) * s.count;
    return s;
}

/* The continued fraction 1 / (1 + d1 / (1 + d2 / (1 + ...))) of I_x(a, b), which converges fast for
 * x < (a + 1) / (a + b + 2): in about the square root of the larger of a and b terms. */
static long double beta_fraction(long double x, long double a, long double b) {
    enum { MOST_TERMS = 100000 };
    long double numerator = 1, denominator = 0, value = 1;
    for (int i = 1; i < MOST_TERMS; i++) {
        const long double m = i / 2;
        const long double d = i % 2 ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                                    : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        denominator = 1 / (1 + d * denominator);
        numerator = 1 + d / numerator;
        const long double change = numerator * denominator;
        value *= change;
        if (fabsl(change - 1) < 1e-18L) break;
    }
    return 1 / value;
}

/* x^a (1-x)^b / (a B(a,b)) times the fraction; the logarithms are given because x may be too near 0 or 1 for them. */
static long double beta_tail(long double x, long double log_x, long double log_rest, long double a, long double b) {
    const long double log_beta = lgammal(a) + lgammal(b) - lgammal(a + b);
    return expl(a * log_x + b * log_rest - log_beta) / a * beta_fraction(x, a, b);
}

/* P(|T| >= |t|) of Student's t. */
static long double two_sided(long double t, long double degrees) {
    const long double square = t * t, a = degrees / 2, b = 0.5L;
    if (square == 0) return 1;
    if (isinf(square)) return 0;
    const long double x = degrees / (degrees + square), rest = square / (degrees + square);
    const long double log_x = -log1pl(square / degrees), log_rest = -log1pl(degrees / square);
    if (x < (a + 1) / (a + b + 2)) return beta_tail(x, log_x, log_rest, a, b);
    return 1 - beta_tail(rest, log_rest, log_x, b, a);
}

xc_welch xc_welch_test(const double *first, size_t first_count, const double *second, size_t second_count) {
    const sample one = sample_of(first, first_count), other = sample_of(second, second_count);
    const long double variance = one.variance + other.variance;
    if (one.count < 2 || other.count < 2 || !(variance > 0)) return (xc_welch){NAN, NAN, NAN};
    const long double t = (one.mean - other.mean) / sqrtl(variance);
    /* Shares of the variance instead of its squares, which could underflow. */
    const long double share = one.variance / variance, rest = other.variance / variance;
    const long double degrees = 1 / (share * share / (one.count - 1) + rest * rest / (other.count - 1));
    return (xc_welch){(double)t, (double)degrees, (double)two_sided(t, degrees)};
}

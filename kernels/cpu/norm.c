/* norm.c: batch norm's statistics and constants. Each strip of rows is summed twice while it is warm, the second time
 * around its own mean; strips are merged in double (Chan, Golub, LeVeque 1979, equation 2.1), so a small variance
 * beside a large mean loses nothing. The activation before the norm is applied to z here, in place.
 */
#include <math.h>

#include "trial.h"

#define STATISTICS_ROWS 32

void xc_cpu_norm_begin(cpu_trial *b) {
    memset(b->sums, 0, 2 * b->columns * sizeof(double)); /* mean, sum of squares around it */
    for (size_t f = 0; f < b->columns; f++) b->start[f] = b->bias && f < b->filters ? b->bias[f] : 0;
}

static void rectify(float *z, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const vfloat value = v_load(z + i);
        v_store(z + i, v_select(value <= 0.0f, v_set(0), value));
    }
}

/* Sums of one vector of columns over `rows` rows: mean (rounded), rest of the mean, squares around the rounded mean. */
INLINE void strip_sums(const float *z, size_t rows, size_t columns, vfloat *mean, vfloat *rest, vfloat *squares) {
    vfloat sum[2] = {v_set(0), v_set(0)}, square[2] = {v_set(0), v_set(0)};
    size_t r = 0;
    for (; r + 2 <= rows; r += 2)
        for (size_t i = 0; i < 2; i++) sum[i] += v_load(z + (r + i) * columns);
    if (r < rows) sum[0] += v_load(z + r * columns);
    const vfloat m = (sum[0] + sum[1]) * (1.0f / (float)rows);
    sum[0] = sum[1] = v_set(0);
    for (r = 0; r + 2 <= rows; r += 2)
        for (size_t i = 0; i < 2; i++) {
            const vfloat d = v_load(z + (r + i) * columns) - m;
            sum[i] += d;
            square[i] += d * d;
        }
    if (r < rows) {
        const vfloat d = v_load(z + r * columns) - m;
        sum[0] += d;
        square[0] += d * d;
    }
    *mean = m;
    *rest = sum[0] + sum[1];
    *squares = square[0] + square[1];
}

/* Adds a strip of `rows` rows to the sums over the `before` rows seen so far. */
static void add_strip(cpu_trial *b, const float *z, size_t rows, size_t before) {
    const size_t columns = b->columns;
    float *strip_mean = b->strip, *strip_rest = strip_mean + columns, *strip_squares = strip_rest + columns;
    for (size_t f = 0; f < columns; f += LANES) {
        vfloat mean, rest, squares;
        strip_sums(z + f, rows, columns, &mean, &rest, &squares);
        v_store(strip_mean + f, mean);
        v_store(strip_rest + f, rest);
        v_store(strip_squares + f, squares);
    }
    double *restrict means = b->sums, *restrict squares = b->sums + columns;
    const double count = (double)rows, share = count / (double)(before + rows), both = (double)before * share;
    for (size_t f = 0; f < columns; f++) {
        const double rest = strip_rest[f] / count, delta = strip_mean[f] + rest - means[f];
        means[f] += delta * share;
        squares[f] += strip_squares[f] - rest * strip_rest[f] + delta * delta * both;
    }
}

void xc_cpu_norm_rows(cpu_trial *b, size_t first_sequence, size_t sequences) {
    const bool relu = b->block->before_norm == XC_RELU, statistics = b->norm && b->training;
    if (!relu && !statistics) return;
    const size_t spans = b->gap ? sequences : 1, rows = sequences * b->conv_length / spans;
    size_t before = first_sequence * b->conv_length;
    for (size_t s = 0; s < spans; s++) {
        float *z = cpu_z_row(b, first_sequence + s, 0); /* (rows,Fs) */
        if (relu) rectify(z, rows * b->columns);
        if (!statistics) continue;
        for (size_t r = 0; r < rows; r += STATISTICS_ROWS) {
            const size_t count = rows - r < STATISTICS_ROWS ? rows - r : STATISTICS_ROWS;
            add_strip(b, z + r * b->columns, count, before);
            before += count;
        }
    }
}

void xc_cpu_norm_end(cpu_trial *b) {
    const double n = (double)(b->batch * b->conv_length), momentum = b->block->norm_momentum;
    const double epsilon = b->block->norm_epsilon;
    for (size_t f = 0; f < b->columns; f++) {
        const bool real = b->norm && f < b->filters;
        double mean = 0, variance = 0;
        if (real && b->training) {
            float *running_mean = b->running + f, *running_variance = running_mean + b->filters;
            mean = b->sums[f];
            variance = b->sums[b->columns + f] / n;
            *running_mean = (float)(momentum * *running_mean + (1 - momentum) * mean);
            *running_variance = (float)(momentum * *running_variance + (1 - momentum) * variance);
        } else if (real) {
            mean = b->running[f];
            variance = b->running[b->filters + f];
        }
        b->mean[f] = (float)mean;
        b->inverse[f] = real ? (float)(1 / sqrt(variance + epsilon)) : 1;
    }
    xc_cpu_norm_constants(b);
}

void xc_cpu_norm_constants(cpu_trial *b) {
    for (size_t f = 0; f < b->columns; f++) {
        const bool real = f < b->filters;
        b->scale[f] = !real ? 0 : b->norm ? b->gamma[f] * b->inverse[f] : 1;
        b->shift[f] = real && b->norm ? b->beta[f] : 0;
    }
}

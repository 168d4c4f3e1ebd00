/* norm.c: batch norm's statistics and constants. Each strip of rows is summed twice while it is warm, the second time
 * around its own mean; strips, and then ranges of sequences, are merged in double (Chan, Golub, LeVeque 1979, equation
 * 2.1), so a small variance beside a large mean loses nothing. The activation before the norm is applied to z here, in
 * place.
 */
#include <math.h>

#include "trial.h"

#define STATISTICS_ROWS 32

void xc_cpu_norm_begin(cpu_trial *b) {
    for (size_t f = 0; f < b->columns; f++) b->start[f] = b->bias && f < b->filters ? b->bias[f] : 0;
}

static void rectify(float *z, size_t count) {
    for (size_t i = 0; i < count; i += LANES) {
        const vfloat value = v_load(z + i);
        v_store(z + i, v_select(value <= 0.0f, v_set(0), value));
    }
}

#define ROWS_AT_ONCE 8

/* Sum of `rows` (1 or 8) values, pairwise. */
INLINE vfloat total(const vfloat *value, const int rows) {
    if (rows == 1) return value[0];
    return ((value[0] + value[1]) + (value[2] + value[3])) + ((value[4] + value[5]) + (value[6] + value[7]));
}

/* Row by row, as memory lies: adds `rows` rows to the sums (Fs). */
INLINE void sum_rows(const float *z, size_t columns, const int rows, float *sums) {
    for (size_t f = 0; f < columns; f += LANES) {
        vfloat value[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) value[r] = v_load(z + (size_t)r * columns + f);
        v_store(sums + f, v_load(sums + f) + total(value, rows));
    }
}

/* The same of differences to `mean` (Fs) and their squares. */
INLINE void sum_squares(const float *z, size_t columns, const int rows, const float *mean, float *rests,
                        float *squares) {
    for (size_t f = 0; f < columns; f += LANES) {
        vfloat d[ROWS_AT_ONCE], even = v_load(squares + f), odd = v_set(0);
        for (int r = 0; r < rows; r++) {
            d[r] = v_load(z + (size_t)r * columns + f) - v_load(mean + f);
            if (r % 2)
                odd += d[r] * d[r];
            else
                even += d[r] * d[r];
        }
        v_store(rests + f, v_load(rests + f) + total(d, rows));
        v_store(squares + f, even + odd);
    }
}

/* Merges means and squares of `rows` rows into those of the `before` rows seen so far. */
INLINE void merge(double *mean, double *squares, double delta, double more, double share, double before) {
    *mean += delta * share;
    *squares += more + delta * delta * before * share;
}

/* Adds a strip of `rows` rows to the sums (2,Fs), mean and squares around it, of the `before` rows seen so far. */
static void add_strip(const cpu_trial *b, const float *z, size_t rows, size_t before, double *sums) {
    const size_t columns = b->columns;
    float *mean = b->strip, *rest = mean + columns, *square = rest + columns; /* of the strip */
    const size_t many = rows / ROWS_AT_ONCE * ROWS_AT_ONCE;
    memset(mean, 0, 3 * columns * sizeof(float));
    for (size_t r = 0; r < many; r += ROWS_AT_ONCE) sum_rows(z + r * columns, columns, ROWS_AT_ONCE, mean);
    for (size_t r = many; r < rows; r++) sum_rows(z + r * columns, columns, 1, mean);
    for (size_t f = 0; f < columns; f += LANES) v_store(mean + f, v_load(mean + f) * (1.0f / (float)rows));
    for (size_t r = 0; r < many; r += ROWS_AT_ONCE)
        sum_squares(z + r * columns, columns, ROWS_AT_ONCE, mean, rest, square);
    for (size_t r = many; r < rows; r++) sum_squares(z + r * columns, columns, 1, mean, rest, square);
    double *restrict means = sums, *restrict squares = sums + columns;
    const double part = 1 / (double)rows, share = (double)rows / (double)(before + rows);
    for (size_t f = 0; f < columns; f++) {
        const double off = rest[f] * part;
        merge(&means[f], &squares[f], mean[f] + off - means[f], square[f] - off * rest[f], share, (double)before);
    }
}

void xc_cpu_norm_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    const size_t spans = b->gap ? sequences : 1, rows = sequences * b->conv_length / spans;
    size_t before = 0;
    memset(partial_sums, 0, 2 * b->columns * sizeof(double));
    for (size_t s = 0; s < spans; s++) {
        float *z = cpu_z_row(b, first + s, 0); /* (rows,Fs) */
        if (b->block->before_norm == XC_RELU) rectify(z, rows * b->columns);
        if (!b->norm || !b->training) continue;
        for (size_t r = 0; r < rows; r += STATISTICS_ROWS) {
            const size_t count = rows - r < STATISTICS_ROWS ? rows - r : STATISTICS_ROWS;
            add_strip(b, z + r * b->columns, count, before, partial_sums);
            before += count;
        }
    }
}

/* The ranges' statistics, in their order, to those of the batch. */
static void merge_ranges(cpu_trial *b) {
    const size_t columns = b->columns, range = cpu_range(b);
    memset(b->sums, 0, 2 * columns * sizeof(double));
    for (size_t r = 0; r < cpu_ranges(b); r++) {
        const double *restrict from = b->partial_sums + r * 2 * columns;
        double *restrict sums = b->sums;
        const size_t before = r * range, count = b->batch - before < range ? b->batch - before : range;
        const double share = (double)count / (double)(before + count), rows = (double)(before * b->conv_length);
        for (size_t f = 0; f < columns; f++)
            merge(&sums[f], &sums[columns + f], from[f] - sums[f], from[columns + f], share, rows);
    }
}

void xc_cpu_norm_end(cpu_trial *b) {
    const double n = (double)(b->batch * b->conv_length), momentum = b->block->norm_momentum;
    const double epsilon = b->block->norm_epsilon;
    if (b->norm && b->training) merge_ranges(b);
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

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

/* Sums of `vectors` vectors of columns over `rows` rows: mean (rounded), rest of the mean, squares around the rounded
 * mean. */
INLINE void strip_sums(const float *z, size_t rows, size_t columns, const int vectors, float *mean, float *rest,
                       float *squares) {
    vfloat sum[4], square[4], m[4];
    for (int v = 0; v < vectors; v++) sum[v] = square[v] = v_set(0);
    for (size_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[v] += v_load(z + r * columns + v * LANES);
    for (int v = 0; v < vectors; v++) {
        m[v] = sum[v] * (1.0f / (float)rows);
        sum[v] = v_set(0);
    }
    for (size_t r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const vfloat d = v_load(z + r * columns + v * LANES) - m[v];
            sum[v] += d;
            square[v] += d * d;
        }
    for (int v = 0; v < vectors; v++) {
        v_store(mean + v * LANES, m[v]);
        v_store(rest + v * LANES, sum[v]);
        v_store(squares + v * LANES, square[v]);
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
    float *restrict mean = b->strip, *restrict rest = mean + columns, *restrict square = rest + columns;
    size_t c = 0;
    for (; c + 4 * LANES <= columns; c += 4 * LANES)
        strip_sums(z + c, rows, columns, 4, mean + c, rest + c, square + c);
    for (; c + 2 * LANES <= columns; c += 2 * LANES)
        strip_sums(z + c, rows, columns, 2, mean + c, rest + c, square + c);
    if (c < columns) strip_sums(z + c, rows, columns, 1, mean + c, rest + c, square + c);
    double *restrict means = sums, *restrict squares = sums + columns;
    const double part = 1 / (double)rows, share = (double)rows / (double)(before + rows);
    for (size_t f = 0; f < columns; f++) {
        const double off = rest[f] * part;
        merge(&means[f], &squares[f], mean[f] + off - means[f], square[f] - off * rest[f], share, (double)before);
    }
}

static void range_statistics(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
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

static void statistics(cpu_trial *b) {
    const bool wanted = b->norm && b->training;
    if (wanted || b->block->before_norm == XC_RELU) xc_cpu_each_range(b, range_statistics);
    if (wanted) merge_ranges(b);
}

void xc_cpu_norm_end(cpu_trial *b) {
    const double n = (double)(b->batch * b->conv_length), momentum = b->block->norm_momentum;
    const double epsilon = b->block->norm_epsilon;
    statistics(b);
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

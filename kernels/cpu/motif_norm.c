/* motif_norm.c: batch norm of the first layer without a pass over its outputs: mean and variance from counts of letters
 * and of pairs of letters, in double.
 *
 * Every tap is centred on its own mean over the batch, N's zero with it: z - mean is then a sum of centred taps, and
 * variance n = sum of taps' pair counts taps. Constant taps and batches of one letter thereby give exact zeros. Only
 * where different taps cancel to a billionth does the sum of products lose its digits; such filters are done position
 * by position. Source: Ioffe & Szegedy 2015, section 3, for one-hot inputs.
 */
#include <math.h>

#include "motif.h"

#define CANCELLED 1e-9

typedef double vdouble __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

/* Taps (K,5,Fs) as they are, N's and those of columns beyond the filters zero. */
static void copy_taps(const cpu_trial *b, xc_range columns) {
    for (size_t k = 0; k < b->width; k++)
        for (size_t a = 0; a < MOTIF_LETTERS; a++)
            for (size_t f = columns.begin; f < columns.end; f++)
                b->motif.taps[(k * MOTIF_LETTERS + a) * b->columns + f] =
                    a < 4 && f < b->filters ? b->kernel[(k * 4 + a) * b->filters + f] : 0;
}

/* Takes each tap's mean over the batch from it; `means` (Fs): their sums. */
static void centre_taps(const cpu_trial *b, xc_range columns, double *restrict means) {
    const double n = (double)(b->batch * b->conv_length);
    const size_t stride = b->columns;
    for (size_t f = columns.begin; f < columns.end; f++) means[f] = 0;
    for (size_t k = 0; k < b->width; k++) {
        const double *count = b->motif.counts + k * MOTIF_LETTERS;
        double *restrict tap = b->motif.taps + k * MOTIF_LETTERS * stride;
        for (size_t f = columns.begin; f < columns.end; f++) {
            double mean = 0;
            for (size_t a = 0; a < 4; a++) mean += count[a] * tap[a * stride + f];
            mean /= n;
            for (size_t a = 0; a < MOTIF_LETTERS; a++) tap[a * stride + f] -= mean;
            means[f] += mean;
        }
    }
}

/* pull = pairs taps: the sum of z - mean over the positions where a tap reads a letter. */
static void multiply_pairs(const cpu_trial *b, xc_range columns) {
    enum { HALF = LANES / 2, ROWS = 4 };
    const size_t rows = motif_tap_rows(b), stride = round_up(rows, ROWS);
    for (size_t f = columns.begin; f < columns.end; f += LANES)
        for (size_t i = 0; i < rows; i += ROWS) {
            vdouble sum[ROWS][2] = {{{0}}};
            for (size_t j = 0; j < rows; j++) {
                const double *pairs = b->motif.pairs + j * stride + i, *taps = b->motif.taps + j * b->columns + f;
                const vdouble low = *(const vdouble *)taps, high = *(const vdouble *)(taps + HALF);
                for (size_t r = 0; r < ROWS; r++) {
                    sum[r][0] += pairs[r] * low;
                    sum[r][1] += pairs[r] * high;
                }
            }
            for (size_t r = 0; r < ROWS; r++) {
                double *pull = b->motif.pull + (i + r) * b->columns + f;
                *(vdouble *)pull = sum[r][0];
                *(vdouble *)(pull + HALF) = sum[r][1];
            }
        }
}

/* Variance of filter f from the deviation of every position. */
static double direct_variance(const cpu_trial *b, size_t f) {
    const double n = (double)(b->batch * b->conv_length);
    uint8_t first_letter[MOTIF_WORDS];
    for (size_t i = 0; i < MOTIF_WORDS; i++) first_letter[motif_word(i / 25, i / 5 % 5, i % 5)] = (uint8_t)(i / 25);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < b->batch; i++)
        for (size_t l = 0; l < b->conv_length; l++) {
            const uint16_t *code = motif_codes(b, i) + l;
            double deviation = 0;
            for (size_t k = 0; k < b->width; k++) {
                const size_t letter = first_letter[code[k] / LANES];
                deviation += b->motif.taps[(k * MOTIF_LETTERS + letter) * b->columns + f];
            }
            sum += deviation;
            squares += deviation * deviation;
        }
    return (squares - sum * sum / n) / n;
}

/* Variance of filter f; had its taps all pulled one way, it would be the square of the sum of their deviations. */
static double variance_of(const cpu_trial *b, size_t f) {
    const double n = (double)(b->batch * b->conv_length);
    double products = 0, deviations = 0;
    for (size_t k = 0; k < b->width; k++) {
        double squares = 0;
        for (size_t a = 0; a < MOTIF_LETTERS; a++) {
            const size_t row = k * MOTIF_LETTERS + a;
            const double tap = b->motif.taps[row * b->columns + f];
            products += tap * b->motif.pull[row * b->columns + f];
            squares += b->motif.counts[row] * tap * tap;
        }
        deviations += sqrt(squares);
    }
    const bool cancelled = products < CANCELLED * deviations * deviations;
    return cancelled ? direct_variance(b, f) : products / n;
}

static void batch_statistics(cpu_trial *b, xc_range columns) {
    const double momentum = b->block->norm_momentum, epsilon = b->block->norm_epsilon;
    double *means = b->motif.offset; /* which is free until the tables are made */
    centre_taps(b, columns, means);
    multiply_pairs(b, columns);
    for (size_t f = columns.begin; f < columns.end && f < b->filters; f++) {
        float *running_mean = b->running + f, *running_variance = running_mean + b->filters;
        const double mean = means[f] + (b->bias ? b->bias[f] : 0), variance = variance_of(b, f);
        *running_mean = (float)(momentum * *running_mean + (1 - momentum) * mean);
        *running_variance = (float)(momentum * *running_variance + (1 - momentum) * variance);
        b->motif.inverse[f] = 1 / sqrt(variance + epsilon);
    }
}

/* Spreads the running mean, less the bias, over the taps. */
static void running_statistics(cpu_trial *b, xc_range columns) {
    for (size_t f = columns.begin; f < columns.end && f < b->filters; f++) {
        const double mean = (b->running[f] - (b->bias ? (double)b->bias[f] : 0)) / (double)b->width;
        for (size_t i = 0; i < motif_tap_rows(b); i++) b->motif.taps[i * b->columns + f] -= mean;
        b->motif.inverse[f] = 1 / sqrt((double)b->running[b->filters + f] + b->block->norm_epsilon);
    }
}

void xc_cpu_motif_norm(cpu_trial *b, xc_range columns) {
    copy_taps(b, columns);
    for (size_t f = columns.begin; f < columns.end; f++) b->motif.inverse[f] = 1;
    if (b->motif.paired)
        batch_statistics(b, columns);
    else if (b->motif.fused && b->norm)
        running_statistics(b, columns);
}

void xc_cpu_motif_factors(cpu_trial *b, xc_range columns) {
    const bool norm = b->motif.fused && b->norm;
    for (size_t f = columns.begin; f < columns.end; f++) {
        const bool real = f < b->filters;
        b->motif.factor[f] = !real ? 0 : norm ? b->gamma[f] * b->motif.inverse[f] : 1;
        b->motif.offset[f] = !real ? 0 : norm ? b->beta[f] : b->bias ? b->bias[f] : 0;
    }
}

/* block.c: what follows the linear part of every block: bias, activation before the norm, batch norm, activation,
 * dropout, max pool; forward and backward, of one trial, in double.
 *
 * Sources: batch norm and its gradient, Ioffe & Szegedy 2015 (arXiv 1502.03167), section 3, with Keras' biased running
 * variance; dropout, Srivastava et al. 2014, in the inverted form; order of the parts, Koo & Ploenzke 2021.
 */
#include "reference.h"

#include <math.h>
#include <string.h>

#include "activation.h"

static size_t position_count(const xc_ref_block *b) { return (size_t)b->batch * (size_t)b->block->conv_length; }

/* ---- forward --------------------------------------------------------------------------------------------------- */

static void add_bias(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, positions = position_count(b);
    if (!b->bias) return;
    for (size_t i = 0; i < positions; i++)
        for (size_t f = 0; f < filters; f++) b->z[i * filters + f] += b->bias[f];
}

/* The input of batch norm at element e. */
static double before_norm(const xc_ref_block *b, size_t e) {
    return xc_ref_activation(&(xc_activation){.kind = b->block->before_norm}, b->z[e]);
}

/* Mean and biased variance over batch and positions: mean = sum r / n, variance = sum (r - mean)^2 / n. */
static void batch_statistics(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, positions = position_count(b);
    for (size_t f = 0; f < filters; f++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < positions; i++) sum += before_norm(b, i * filters + f);
        b->mean[f] = sum / (double)positions;
        for (size_t i = 0; i < positions; i++) {
            const double deviation = before_norm(b, i * filters + f) - b->mean[f];
            squares += deviation * deviation;
        }
        b->variance[f] = squares / (double)positions;
    }
}

/* running = momentum running + (1 - momentum) batch. */
static void update_running(xc_ref_block *b) {
    const int32_t filters = b->block->filters;
    const double momentum = b->block->norm_momentum;
    for (int32_t f = 0; f < filters; f++) {
        b->running[f] = momentum * b->running[f] + (1 - momentum) * b->mean[f];
        b->running[filters + f] = momentum * b->running[filters + f] + (1 - momentum) * b->variance[f];
    }
}

static double deviation_of(const xc_ref_block *b, size_t f) {
    return sqrt(b->variance[f] + (double)b->block->norm_epsilon);
}

/* u = gamma (r - mean) / sqrt(variance + epsilon) + beta; u = r without batch norm. */
static void normalise(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, positions = position_count(b);
    if (b->gamma && b->training) {
        batch_statistics(b);
        update_running(b);
    } else if (b->gamma) {
        memcpy(b->mean, b->running, filters * sizeof(double));
        memcpy(b->variance, b->running + filters, filters * sizeof(double));
    }
    for (size_t f = 0; f < filters; f++)
        for (size_t i = 0; i < positions; i++) {
            const size_t e = i * filters + f;
            const double r = before_norm(b, e);
            b->u[e] = b->gamma ? b->gamma[f] * (r - b->mean[f]) / deviation_of(b, f) + b->beta[f] : r;
        }
}

static void count_clipped(xc_ref_block *b) {
    const size_t elements = position_count(b) * (size_t)b->block->filters;
    b->clipped = 0;
    for (size_t e = 0; e < elements; e++) b->clipped += xc_ref_activation_clips(&b->activation, b->u[e]);
}

double xc_ref_dropout_factor(const xc_ref_block *b, size_t e) {
    const uint32_t threshold = xc_dropout_threshold(b->block->dropout);
    if (!b->training || threshold == 0) return 1;
    const xc_philox_words words =
        xc_random(b->seed, XC_STREAM_DROPOUT, b->block->dropout_stream, b->step << 32 | e / 8);
    const uint32_t number = words.word[e % 8 / 2] >> (e % 2 * 16) & 0xFFFFu;
    return number >= threshold ? 65536.0 / (65536.0 - threshold) : 0;
}

double xc_ref_activated(const xc_ref_block *b, size_t e) {
    const double factor = xc_ref_dropout_factor(b, e);
    return factor == 0 ? 0 : factor * xc_ref_activation(&b->activation, b->u[e]);
}

/* The first of the largest in window j of sequence n; a NaN is larger than all. */
static int32_t find_winner(const xc_ref_block *b, size_t n, int32_t j, size_t f, double *largest) {
    const xc_block *block = b->block;
    const int32_t start = j * block->pool - block->pool_pad_left;
    int32_t winner = -1;
    for (int32_t l = start; l < start + block->pool; l++) {
        if (l < 0 || l >= block->conv_length) continue;
        const size_t e = (n * (size_t)block->conv_length + (size_t)l) * (size_t)block->filters + f;
        const double value = xc_ref_activated(b, e);
        if (winner < 0 || value > *largest || (isnan(value) && !isnan(*largest))) {
            winner = l;
            *largest = value;
        }
    }
    return winner;
}

static void pool(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, batch = (size_t)b->batch;
    size_t o = 0;
    for (size_t n = 0; n < batch; n++)
        for (int32_t j = 0; j < b->block->out_length; j++)
            for (size_t f = 0; f < filters; f++, o++) b->winner[o] = find_winner(b, n, j, f, &b->y[o]);
}

void xc_ref_tail_forward(xc_ref_block *b) {
    add_bias(b);
    normalise(b);
    count_clipped(b);
    pool(b);
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

/* dy to the winner of each window, through dropout and activation, to du. */
static void pool_backward(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, batch = (size_t)b->batch;
    const size_t conv_length = (size_t)b->block->conv_length, out_length = (size_t)b->block->out_length;
    memset(b->du, 0, batch * conv_length * filters * sizeof(double));
    size_t o = 0;
    for (size_t n = 0; n < batch; n++)
        for (size_t j = 0; j < out_length; j++)
            for (size_t f = 0; f < filters; f++, o++) {
                const size_t e = (n * conv_length + (size_t)b->winner[o]) * filters + f;
                const double factor = xc_ref_dropout_factor(b, e);
                if (factor != 0) b->du[e] = b->dy[o] * factor * xc_ref_activation_slope(&b->activation, b->u[e]);
            }
}

/* With h = (r - mean) / s, s = sqrt(variance + epsilon), n positions:
 *   dbeta = sum du, dgamma = sum du h,
 *   dr = gamma / s (du - dbeta / n - h dgamma / n) when training; mean and variance are constants in inference:
 *   dr = gamma / s du. */
static void norm_backward(xc_ref_block *b, size_t f) {
    const size_t filters = (size_t)b->block->filters, positions = position_count(b);
    const double deviation = deviation_of(b, f), n = (double)positions;
    double dbeta = 0, dgamma = 0;
    for (size_t i = 0; i < positions; i++) {
        const size_t e = i * filters + f;
        dbeta += b->du[e];
        dgamma += b->du[e] * (before_norm(b, e) - b->mean[f]) / deviation;
    }
    for (size_t i = 0; i < positions; i++) {
        const size_t e = i * filters + f;
        const double h = (before_norm(b, e) - b->mean[f]) / deviation;
        const double centre = b->training ? dbeta / n + h * dgamma / n : 0;
        b->dz[e] = b->gamma[f] / deviation * (b->du[e] - centre);
    }
    b->dbeta[f] = dbeta;
    b->dgamma[f] = dgamma;
}

void xc_ref_tail_backward(xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, positions = position_count(b);
    const xc_activation before = {.kind = b->block->before_norm};
    if (b->references > 0)
        xc_ref_rescale(b);
    else
        pool_backward(b);
    for (size_t f = 0; f < filters; f++) {
        if (b->gamma) norm_backward(b, f);
        double dbias = 0;
        for (size_t i = 0; i < positions; i++) {
            const size_t e = i * filters + f;
            if (!b->gamma) b->dz[e] = b->du[e];
            b->dz[e] *= xc_ref_activation_slope(&before, b->z[e]);
            dbias += b->dz[e];
        }
        if (b->bias) b->dbias[f] = dbias;
    }
}

/* ---- a whole block --------------------------------------------------------------------------------------------- */

const xc_ref_linear *xc_ref_linear_of(xc_block_kind kind) {
    switch (kind) {
        case XC_BLOCK_MOTIF:
            return &xc_ref_motif;
        case XC_BLOCK_CONV:
            return &xc_ref_conv;
        case XC_BLOCK_DENSE:
            return &xc_ref_dense;
        case XC_BLOCK_ADD:
            break;
    }
    return &xc_ref_add;
}

void xc_ref_block_forward(xc_ref_block *b) {
    xc_ref_linear_of(b->block->kind)->forward(b);
    xc_ref_tail_forward(b);
}

void xc_ref_block_backward(xc_ref_block *b) {
    xc_ref_tail_backward(b);
    xc_ref_linear_of(b->block->kind)->backward(b);
}

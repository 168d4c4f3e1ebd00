/* expected.c: what a case must give, from the core of the reference in double, and whether the case can be compared.
 *
 * Where a value lies on the kink of an activation, or two values of a pool window are equal to within rounding, float
 * and double may rightly differ by a whole gradient. Such a draw is thrown away, not tolerated. Values that are equal
 * exactly stay: both sides must then take the first.
 */
#include "../../kernels/ref/activation.h"
#include "ops_test.h"

double expected_from_kink(const xc_activation *activation, double u) {
    switch (activation->kind) {
        case XC_RELU:
        case XC_EXP_RELU:
            return u;
        case XC_SHIFT_RELU:
            return u - 0.2;
        case XC_EXPONENTIAL:
            return (double)activation->scale * u - activation->clip;
        case XC_LOG:
            return u / 5000; /* the slope jumps, and is ill-conditioned around: stay further away */
        case XC_LOG_RELU:
            return fabs(u) - 1;
        default:
            return INFINITY;
    }
}

static bool away_from_kinks(const xc_ref_block *b, size_t elements, double margin) {
    const bool norm = b->gamma != NULL;
    for (size_t e = 0; e < elements; e++) {
        if (b->block->before_norm == XC_RELU && b->z[e] != 0 && fabs(b->z[e]) < margin) return false;
        if (!norm && b->u[e] == 0) continue; /* a sum of zeros, exact on both sides */
        if (fabs(expected_from_kink(&b->activation, b->u[e])) < margin) return false;
    }
    return true;
}

void expected_branches(const xc_ref_block *b, size_t elements, uint8_t *branches) {
    for (size_t e = 0; e < elements; e++) {
        const bool before = b->block->before_norm == XC_RELU && b->z[e] > 0;
        branches[e] = (uint8_t)(2 * before + (expected_from_kink(&b->activation, b->u[e]) > 0));
    }
}

/* Whether element e cannot be mistaken for the winner w by rounding, or it would not matter. */
static bool loses_clearly(const xc_ref_block *b, size_t e, size_t w) {
    const double value = xc_ref_activated(b, e), best = xc_ref_activated(b, w);
    const bool kept = xc_ref_dropout_factor(b, e) != 0, best_kept = xc_ref_dropout_factor(b, w) != 0;
    const bool flat = !kept || xc_ref_activation_slope(&b->activation, b->u[e]) == 0;
    const bool best_flat = !best_kept || xc_ref_activation_slope(&b->activation, b->u[w]) == 0;
    if (flat && best_flat) return true;
    if (kept && best_kept && b->u[e] == b->u[w]) return true;
    if (value == 0 && best == 0 && !b->gamma) return true; /* sums of zeros and dropped elements: exact too */
    if (kept && best_kept && fabs(b->u[e] - b->u[w]) < 1e-5) return false;
    return fabs(value - best) > 1e-6 * fabs(best);
}

static bool has_clear_winners(const xc_ref_block *b) {
    const xc_block *block = b->block;
    const size_t filters = (size_t)block->filters, conv_length = (size_t)block->conv_length;
    const size_t outputs = (size_t)b->batch * (size_t)block->out_length * filters;
    for (size_t o = 0; block->pool > 1 && o < outputs; o++) {
        const size_t f = o % filters, n = o / filters / (size_t)block->out_length;
        const int32_t j = (int32_t)(o / filters % (size_t)block->out_length);
        const size_t w = (n * conv_length + (size_t)b->winner[o]) * filters + f;
        for (int32_t p = 0; p < block->pool; p++) {
            const int32_t l = j * block->pool - block->pool_pad_left + p;
            if (l < 0 || l >= block->conv_length || l == b->winner[o]) continue;
            if (!loses_clearly(b, (n * conv_length + (size_t)l) * filters + f, w)) return false;
        }
    }
    return true;
}

/* Loads and computes every trial; false when one cannot be compared. */
static bool compute(const block_case *c, const case_limits *limits, expected *e) {
    xc_block_memory memory;
    xc_ref_block_memory(NULL, &c->block, c->batch, &memory);
    for (int t = 0; t < c->trials; t++) {
        e->memory[t] = aligned_alloc(64, memory.saved + memory.scratch + 64);
        assert_non_null(e->memory[t]);
        memset(e->memory[t], 0xFF, memory.saved + memory.scratch + 64);
        xc_block_args args = case_args(c);
        args.saved = e->memory[t];
        args.scratch = (unsigned char *)e->memory[t] + memory.saved;
        xc_ref_block *b = &e->trial[t];
        xc_ref_load(&args, t, b);
        xc_ref_block_forward(b);
        if (c->references)
            rescaled_prepare(c, t, limits->rescaled, b);
        else if (!away_from_kinks(b, c->middle_count, limits->margin) || !has_clear_winners(b))
            return false;
        xc_ref_block_backward(b);
    }
    return true;
}

void expected_make(xc_block_kind kind, int number, const case_limits *limits, block_case *c, expected *e) {
    for (int attempt = 0; attempt < 200; attempt++) {
        *c = case_draw(kind, number, attempt, limits);
        *e = (expected){0};
        if (compute(c, limits, e)) return;
        expected_free(e);
        if (attempt < 199) case_free(c);
    }
    fail_msg("no data away from kinks: %s", c->text);
}

void expected_free(expected *e) {
    for (int t = 0; t < MAX_TRIALS; t++) free(e->memory[t]);
    *e = (expected){0};
}

/* ---- cancellation ------------------------------------------------------------------------------------------------ */

static double largest(const double *values, size_t count) {
    double max = 0;
    for (size_t i = 0; values && i < count; i++) max = fmax(max, fabs(values[i]));
    return max;
}

/* u = gamma (z - mean) / s + beta, where z and mean nearly cancel when there is one value; at the pool's winners,
 * through the activation. */
static double output_terms(const xc_ref_block *b) {
    const size_t filters = (size_t)b->block->filters, conv_length = (size_t)b->block->conv_length;
    const size_t out_length = (size_t)b->block->out_length, outputs = (size_t)b->batch * out_length * filters;
    double terms = 0;
    for (size_t o = 0; b->gamma && o < outputs; o++) {
        const size_t f = o % filters, e = (o / filters / out_length * conv_length + (size_t)b->winner[o]) * filters + f;
        const double deviation = sqrt(b->variance[f] + (double)b->block->norm_epsilon);
        const double u = fabs(b->gamma[f]) * (fabs(b->z[e]) + fabs(b->mean[f])) / deviation + fabs(b->beta[f]);
        const double slope = xc_ref_dropout_factor(b, e) * xc_ref_activation_slope(&b->activation, b->u[e]);
        terms = fmax(terms, fabs(slope) * u);
    }
    return terms;
}

/* dz = gamma / s (du - mean du - h mean(du h)), h = (z - mean) / s: with one or two values the terms nearly cancel, and
 * h has the rounding of z and of the mean. */
term_sizes expected_terms(const xc_ref_block *b) {
    const xc_block *block = b->block;
    const size_t filters = (size_t)block->filters, positions = (size_t)b->batch * (size_t)block->conv_length;
    term_sizes terms = {.y = output_terms(b)};
    double dz = 0;
    for (size_t f = 0; f < filters; f++) {
        const double deviation = b->gamma ? sqrt(b->variance[f] + (double)block->norm_epsilon) : 1;
        const double slope = b->gamma ? fabs(b->gamma[f]) / deviation : 1;
        double sum = 0, dgamma = 0, peak = 0;
        for (size_t i = 0; i < positions; i++) {
            const double du = fabs(b->du[i * filters + f]), z = fabs(b->z[i * filters + f]);
            const double h = b->gamma ? (z + fabs(b->mean[f])) / deviation : 0;
            const double term = slope * du * (b->training ? 1 + h : 1);
            sum += term;
            dgamma += du * h;
            peak = fmax(peak, term);
        }
        dz = fmax(dz, peak);
        terms.dbias = fmax(terms.dbias, sum);
        terms.dgamma = fmax(terms.dgamma, dgamma);
    }
    const size_t in = (size_t)b->batch * (size_t)block->length * (size_t)block->channels;
    const size_t kernel = (size_t)block->width * (size_t)block->channels * filters;
    terms.dx = dz * (b->kernel ? largest(b->kernel, kernel) : 1);
    terms.dkernel = terms.dbias * largest(b->x, in);
    return terms;
}

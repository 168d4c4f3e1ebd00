/* rescaled.c: at which outputs the rescale rule can be compared: a quotient of small differences shows the rounding of
 * what they are differences of, and where two values of a window are equal to within it either may be charged. There dy
 * is 0, on both sides; everywhere else, and where sequence and reference are equal exactly, values are compared.
 */
#include "../../kernels/ref/activation.h"
#include "ops_test.h"

rescaled_tally rescaled_count;

/* One output of a reference and the same of its sequence. */
typedef struct charge {
    size_t its, mine;  /* elements of (Lc,F) that won */
    size_t own, other; /* outputs of (N,Lp,F), of reference and sequence */
    double yv, yu;     /* outputs */
    double v, u;       /* at the element that is charged */
    double multiplier;
} charge;

static charge charge_at(const block_case *c, const xc_ref_block *b, size_t o) {
    const size_t filters = (size_t)b->block->filters, middle = (size_t)b->block->conv_length * filters;
    const size_t outputs = (size_t)b->block->out_length * filters, row = o / outputs, f = o % filters;
    const size_t sequence = row - row % ((size_t)c->references + 1);
    charge at = {.own = o, .other = sequence * outputs + o % outputs};
    at.mine = (size_t)b->winner[at.own] * filters + f;
    at.its = (size_t)b->winner[at.other] * filters + f;
    at.yv = b->y[at.other];
    at.yu = b->y[at.own];
    const size_t e = at.yv >= at.yu ? at.its : at.mine;
    at.v = b->u[sequence * middle + e];
    at.u = b->u[row * middle + e];
    at.multiplier = at.v == at.u ? xc_ref_activation_slope(&b->activation, at.u) : (at.yv - at.yu) / (at.v - at.u);
    return at;
}

/* Whether rounding could make another element the winner of output o. */
static bool has_rival(const xc_ref_block *b, size_t o) {
    const xc_block *block = b->block;
    const size_t filters = (size_t)block->filters, f = o % filters, row = o / filters / (size_t)block->out_length;
    const size_t first = row * (size_t)block->conv_length * filters + f;
    const size_t w = first + (size_t)b->winner[o] * filters;
    const int32_t start = (int32_t)(o / filters % (size_t)block->out_length) * block->pool - block->pool_pad_left;
    for (int32_t l = start; l < start + block->pool; l++) {
        if (l < 0 || l >= block->conv_length || l == b->winner[o]) continue;
        const size_t e = first + (size_t)l * filters;
        const double distance = fabs(xc_ref_activated(b, e) - b->y[o]);
        if (b->u[e] == b->u[w]) continue; /* both sides take the first */
        if (fabs(b->u[e] - b->u[w]) < 1e-5 || distance <= 2e-6 * fabs(b->y[o])) return true;
    }
    return false;
}

/* Outputs that are equal, on both sides, where the activation is flat: whichever is charged, the multiplier is 0. */
static bool is_flat(const xc_ref_block *b, const charge *at) {
    return at->yv == at->yu && xc_ref_activation_slope(&b->activation, at->v) == 0 &&
           fabs(expected_from_kink(&b->activation, at->v)) > 1e-5;
}

/* Whether float can tell this multiplier, where `rounding` is relative to outputs and to what they are made from. */
static bool is_calm(const xc_ref_block *b, const charge *at, double tolerance, double rounding, double largest) {
    const double noise = rounding * (fabs(at->yv) + fabs(at->yu) + largest * (fabs(at->v) + fabs(at->u)));
    if (b->block->pool > 1 && !is_flat(b, at)) {
        if (has_rival(b, at->own) || has_rival(b, at->other)) return false;
        if (at->its != at->mine && fabs(at->yv - at->yu) <= 4 * noise) return false;
    }
    if (at->v == at->u) return fabs(expected_from_kink(&b->activation, at->u)) > 1e-5;
    return noise <= tolerance / 2 * largest * fabs(at->v - at->u);
}

static void count(const xc_ref_block *b, const charge *at) {
    rescaled_tally *n = &rescaled_count;
    n->compared++;
    n->slopes += at->v == at->u;
    n->equal += at->v != at->u && at->yv == at->yu;
    n->charged[0] += at->its != at->mine && at->yv < at->yu;
    n->charged[1] += at->its != at->mine && at->yv > at->yu;
    n->activations[b->activation.kind]++;
}

void rescaled_prepare(const block_case *c, int t, double tolerance, xc_ref_block *b) {
    const size_t each = (size_t)b->block->out_length * (size_t)b->block->filters;
    const double rounding = tolerance <= 1e-6 ? 6e-8 : 6e-7; /* an addition; a sum of products */
    double largest = 0;
    for (size_t o = 0; o < c->out_count; o++) {
        if (case_is_sequence(c, o / each)) continue;
        const charge at = charge_at(c, b, o);
        if (at.v == at.u || fabs(at.v - at.u) > 0.05) largest = fmax(largest, fabs(at.multiplier));
    }
    for (size_t o = 0; o < c->out_count; o++) {
        float *dy = &c->dy[(size_t)t * c->out_count + o];
        if (case_is_sequence(c, o / each)) {
            *dy = NAN;
        } else {
            const charge at = charge_at(c, b, o);
            const bool calm = is_calm(b, &at, tolerance, rounding, largest);
            if (calm) count(b, &at);
            if (!calm) *dy = 0;
            rescaled_count.left_out += !calm;
        }
        b->dy[o] = *dy;
    }
}

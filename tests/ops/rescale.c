/* rescale.c: DeepLIFT's rescale rule in backward: values against the reference's core on every backend, the number of
 * threads, and of the reference itself the law that multipliers times differences of inputs add up to differences of
 * outputs, and that they become gradients as references come near.
 */
#include "../../kernels/ref/activation.h"
#include "ops_test.h"

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* A sequence's own dx is 0: nothing was added, or 0 was written. */
static void check_sequences(const block_case *c, const results *r) {
    const size_t each = c->in_count / (size_t)c->batch, rows = (size_t)c->trials * (size_t)c->batch;
    for (size_t n = 0; n < rows; n++)
        for (size_t i = n * each; case_is_sequence(c, n % (size_t)c->batch) && i < (n + 1) * each; i++)
            if (r->dx[i] != (c->add_to_dx ? c->dx[i] : 0) || (c->x_skip && r->dx_skip[i] != 0))
                fail_msg("dx[%zu] of a sequence is %g; %s", i, (double)r->dx[i], c->text);
}

static void check_multipliers(const block_case *c, int t, const results *r, const xc_ref_block *b, double tolerance) {
    const size_t in = (size_t)t * c->in_count;
    check_near(r->dx + in, b->dx, c->add_to_dx ? c->dx + in : NULL, c->in_count, tolerance,
               CANCELLATION * expected_terms(b).dx, "dx", c->text);
    if (c->x_skip) check_near(r->dx_skip + in, b->dx_skip, NULL, c->in_count, tolerance, 0, "dx_skip", c->text);
}

/* Makes what is added to as large as multipliers are. */
static void scale_contents(block_case *c, const expected *e) {
    for (int t = 0; t < c->trials; t++) {
        double largest = 0;
        for (size_t i = 0; i < c->in_count; i++) largest = fmax(largest, fabs(e->trial[t].dx[i]));
        for (size_t i = 0; i < c->in_count; i++) c->dx[(size_t)t * c->in_count + i] *= (float)largest;
    }
}

static void check_same(const block_case *c, const results *a, const results *b, size_t first, size_t trials,
                       const char *what) {
    const size_t bytes = trials * c->in_count * sizeof(float), at = first * c->in_count;
    if (memcmp(a->dx + at, b->dx, bytes) != 0 || memcmp(a->dx_skip + at, b->dx_skip, bytes) != 0)
        fail_msg("multipliers depend on %s; %s", what, c->text);
}

static void check_threads_and_trials(const xc_backend *backend, block_case *c, const results *r) {
    for (c->team = 1; backend->host_memory && c->team < 3; c->team++) {
        results other = run_block(backend, c, 0, c->trials, true);
        check_same(c, r, &other, 0, (size_t)c->trials, "the number of threads");
        results_free(&other);
    }
    c->team = 0;
    for (int t = 0; c->trials > 1 && t < c->trials; t++) {
        results alone = run_block(backend, c, t, 1, true);
        check_same(c, r, &alone, (size_t)t, 1, "the other trials");
        results_free(&alone);
    }
}

static void check_tally(xc_block_kind kind) {
    const rescaled_tally *n = &rescaled_count;
    print_message("             %d outputs compared, %d left out; %d slopes, %d equal outputs, %d + %d charged\n",
                  n->compared, n->left_out, n->slopes, n->equal, n->charged[0], n->charged[1]);
    assert_true(n->compared > n->left_out);
    if (!LIMITS_VALUES.large || getenv("EXPCONV_TEST_SMALL")) return; /* fewer cases, and small ones */
    assert_true(n->slopes > 1000 && n->equal > 1000);
    if (kind != XC_BLOCK_DENSE) assert_true(n->charged[0] > 1000 && n->charged[1] > 1000);
    for (int a = 0; a < XC_ACTIVATION_COUNT; a++) assert_true(n->activations[a] > 100);
}

void test_rescale(xc_block_kind kind, bool full_adds, const op_test *test) {
    case_limits limits = LIMITS_VALUES;
    limits.full_adds = full_adds;
    limits.rescaled = test->row->values;
    rescaled_count = (rescaled_tally){0};
    for (int number = 0; number < case_count(kind, &limits); number += limits.every) {
        block_case c;
        expected e;
        expected_make(kind, number, &limits, &c, &e);
        scale_contents(&c, &e);
        c.without_gradients = true;
        results r = run_block(test->backend, &c, 0, c.trials, true);
        for (int t = 0; t < c.trials; t++) check_multipliers(&c, t, &r, &e.trial[t], test->row->values);
        check_sequences(&c, &r);
        if (memcmp(r.gradients, c.gradients, (size_t)c.trials * c.parameter_stride * sizeof(float)) != 0)
            fail_msg("gradients were written that nobody wants; %s", c.text);
        check_threads_and_trials(test->backend, &c, &r);
        results_free(&r);
        expected_free(&e);
        case_free(&c);
    }
    check_tally(kind);
}

/* ---- the law ----------------------------------------------------------------------------------------------------- */

static size_t sequence_of(const block_case *c, size_t row) { return row - row % ((size_t)c->references + 1); }

/* dy of references is drawn again: what is compared above leaves some out. */
static void draw_dy(const block_case *c, xc_ref_block *b) {
    const size_t each = c->out_count / (size_t)c->batch;
    for (size_t o = 0; o < c->out_count; o++)
        b->dy[o] = case_is_sequence(c, o / each)
                       ? 0
                       : 2 * xc_uniform(xc_random((uint64_t)o, XC_STREAM_WEIGHTS, 7, c->seed[0]).word[0]) - 1;
}

/* Adds, and their magnitudes. */
typedef struct sum_of {
    double sum, size;
} sum_of;

static void add(sum_of *to, double value) {
    to->sum += value;
    to->size += fabs(value);
}

/* Of each row that is a reference's: sums of multipliers times differences, of x and where the activation is, against
 * the sum of dy times the difference of outputs. */
static double worst_breach(const block_case *c, const xc_ref_block *b) {
    const size_t batch = (size_t)c->batch, in = c->in_count / batch, middle = c->middle_count / batch;
    const size_t out = c->out_count / batch;
    double worst = 0;
    for (size_t n = 0; n < batch; n++) {
        const size_t s = sequence_of(c, n);
        sum_of outputs = {0}, inputs = {0}, between = {0};
        if (s == n) continue;
        for (size_t i = 0; i < out; i++) add(&outputs, b->dy[n * out + i] * (b->y[s * out + i] - b->y[n * out + i]));
        for (size_t i = 0; i < in; i++) {
            add(&inputs, b->dx[n * in + i] * (b->x[s * in + i] - b->x[n * in + i]));
            if (c->x_skip) add(&inputs, b->dx_skip[n * in + i] * (b->x_skip[s * in + i] - b->x_skip[n * in + i]));
        }
        for (size_t i = 0; i < middle; i++)
            add(&between, b->du[n * middle + i] * (b->u[s * middle + i] - b->u[n * middle + i]));
        const double size = outputs.size + inputs.size + between.size;
        if (size > 0) worst = fmax(worst, fabs(outputs.sum - inputs.sum) / size);
        if (size > 0) worst = fmax(worst, fabs(outputs.sum - between.sum) / size);
    }
    return worst;
}

/* ---- references that are near ------------------------------------------------------------------------------------ */

/* Moves references to `distance` from their sequences; dy becomes 0 where another value wins or a kink lies between. */
static void approach(const block_case *c, xc_ref_block *b, double distance) {
    const size_t in = c->in_count / (size_t)c->batch, out = c->out_count / (size_t)c->batch;
    const size_t filters = (size_t)b->block->filters, middle = c->middle_count / (size_t)c->batch;
    for (size_t i = 0; i < c->in_count; i++) {
        const size_t s = sequence_of(c, i / in);
        const double step = xc_uniform(xc_random((uint64_t)i, XC_STREAM_WEIGHTS, 8, c->seed[0]).word[0]) - 0.5;
        if (s != i / in) b->x[i] = b->x[s * in + i % in] + distance * step;
        if (s != i / in && b->x_skip) b->x_skip[i] = b->x_skip[s * in + i % in];
    }
    xc_ref_block_forward(b);
    for (size_t o = 0; o < c->out_count; o++) {
        const size_t n = o / out, s = sequence_of(c, n);
        const size_t e = (size_t)b->winner[o] * filters + o % filters;
        const double v = b->u[s * middle + e], u = b->u[n * middle + e];
        const double before = expected_from_kink(&b->activation, v), after = expected_from_kink(&b->activation, u);
        const bool smooth = (before > 0) == (after > 0) && fmin(fabs(before), fabs(after)) > 1e-5;
        if (b->winner[o] != b->winner[s * out + o % out] || !smooth) b->dy[o] = 0;
    }
}

/* How far multipliers of near references are from gradients, of the largest. */
static double distance_from_gradients(const block_case *c, xc_ref_block *b) {
    double *dx = malloc(c->in_count * sizeof(double)), worst = 0, largest = 0;
    assert_non_null(dx);
    xc_ref_block_backward(b);
    memcpy(dx, b->dx, c->in_count * sizeof(double));
    b->references = 0;
    xc_ref_block_backward(b);
    b->references = c->references;
    for (size_t i = 0; i < c->in_count; i++) {
        worst = fmax(worst, fabs(dx[i] - b->dx[i]));
        largest = fmax(largest, fabs(b->dx[i]));
    }
    free(dx);
    return largest > 0 ? worst / largest : 0;
}

/* Rounding, and where differences below 1e-3 are not divided by, their curvature: 1e-6 |a'''| / (24 |a'|), at most 4. */
#define LAW 2e-7

void test_rescale_law(xc_block_kind kind) {
    case_limits limits = LIMITS_GRADIENTS;
    double breach = 0, nearest = 0, near = 0;
    limits.full_adds = true;
    limits.rescaled = 1e-4;
    for (int number = 0; number < case_count(kind, &limits); number++) {
        block_case c;
        expected e;
        expected_make(kind, number, &limits, &c, &e);
        xc_ref_block *b = &e.trial[0];
        draw_dy(&c, b);
        xc_ref_block_backward(b);
        const double breached = worst_breach(&c, b);
        if (!(breached <= LAW)) fail_msg("multipliers do not add up, by %.1e; %s", breached, c.text);
        breach = fmax(breach, breached);
        approach(&c, b, 1e-8);
        const double tiny = distance_from_gradients(&c, b);
        if (!(tiny <= 1e-6)) fail_msg("slopes of near references are off by %.1e; %s", tiny, c.text);
        nearest = fmax(nearest, tiny);
        draw_dy(&c, b);
        approach(&c, b, 1e-4);
        const double small = distance_from_gradients(&c, b);
        if (!(small <= 5e-3)) fail_msg("multipliers of near references are off by %.1e; %s", small, c.text);
        near = fmax(near, small);
        expected_free(&e);
        case_free(&c);
    }
    print_message("             law within %.1e; at 1e-8 from gradients %.1e, at 1e-4 %.1e\n", breach, nearest, near);
}

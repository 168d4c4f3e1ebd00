/* blocks.c: the block ops: values against the reference's core on every backend, trials of a pack against the same
 * trials alone, byte for byte, and the reference's gradients against central differences in double.
 */
#include "ops_test.h"

static bool holds(size_t offset, size_t count, size_t i) { return offset != XC_ABSENT && i - offset < count; }

/* Floats of a trial's gradients that belong to no tensor of the block are not the op's to write. */
static void check_gaps(const block_case *c, const float *got, const float *before) {
    const xc_block *block = &c->block;
    const size_t filters = (size_t)block->filters;
    for (size_t i = 0; i < c->parameter_stride; i++) {
        if (holds(block->kernel, c->kernel_count, i) || holds(block->bias, filters, i) ||
            holds(block->gamma, filters, i) || holds(block->beta, filters, i))
            continue;
        if (got[i] != before[i]) fail_msg("gradients[%zu] outside of all tensors was changed; %s", i, c->text);
    }
}

static void check_running(const block_case *c, int t, const results *r, const xc_ref_block *b, double tolerance) {
    const size_t filters = (size_t)c->block.filters, at = (size_t)t * c->running_stride;
    const bool updated = c->training && c->block.gamma != XC_ABSENT;
    const size_t start = updated ? c->block.running : 0, end = updated ? start + 2 * filters : 0;
    const float *got = r->running + at, *before = c->running + at;
    if (memcmp(got, before, start * sizeof(float)) != 0 ||
        memcmp(got + end, before + end, (c->running_stride - end) * sizeof(float)) != 0)
        fail_msg("running statistics were changed where they should not be; %s", c->text);
    if (!updated) return;
    check_near(got + start, b->running, NULL, filters, tolerance, 0, "running mean", c->text);
    check_near(got + start + filters, b->running + filters, NULL, filters, tolerance, 0, "running variance", c->text);
}

static void check_forward(const block_case *c, int t, const results *r, const xc_ref_block *b, double tolerance) {
    check_near(r->y + (size_t)t * c->out_count, b->y, NULL, c->out_count, tolerance, CANCELLATION * expected_terms(b).y,
               "y", c->text);
    check_running(c, t, r, b, tolerance);
    const uint64_t clipped = CLIPPED_BEFORE + (c->training ? b->clipped : 0);
    if (r->clipped[t] != clipped)
        fail_msg("clipped is %llu, expected %llu; %s", (unsigned long long)r->clipped[t], (unsigned long long)clipped,
                 c->text);
}

static void check_gradient(const block_case *c, int t, const results *r, size_t offset, const double *want,
                           size_t count, double tolerance, double terms, const char *what) {
    if (!want) return;
    const size_t at = (size_t)t * c->parameter_stride + offset;
    check_near(r->gradients + at, want, c->gradients + at, count, tolerance, CANCELLATION * terms, what, c->text);
}

static void check_inputs(const block_case *c, int t, const results *r, const xc_ref_block *b, double tolerance) {
    const size_t in = (size_t)t * c->in_count;
    if (c->wants_dx)
        check_near(r->dx + in, b->dx, c->add_to_dx ? c->dx + in : NULL, c->in_count, tolerance,
                   CANCELLATION * expected_terms(b).dx, "dx", c->text);
    if (c->x_skip) check_near(r->dx_skip + in, b->dx_skip, NULL, c->in_count, tolerance, 0, "dx_skip", c->text);
}

static void check_backward(const block_case *c, int t, const results *r, const xc_ref_block *b, double tolerance) {
    const xc_block *block = &c->block;
    const size_t filters = (size_t)block->filters;
    const term_sizes terms = expected_terms(b);
    check_inputs(c, t, r, b, tolerance);
    check_gradient(c, t, r, block->kernel, b->dkernel, c->kernel_count, tolerance, terms.dkernel, "dkernel");
    check_gradient(c, t, r, block->bias, b->dbias, filters, tolerance, terms.dbias, "dbias");
    check_gradient(c, t, r, block->gamma, b->dgamma, filters, tolerance, terms.dgamma, "dgamma");
    check_gradient(c, t, r, block->beta, b->dbeta, filters, tolerance, 0, "dbeta");
    const size_t at = (size_t)t * c->parameter_stride;
    check_gaps(c, r->gradients + at, c->gradients + at);
}

static void scale(float *values, const double *gradient, size_t count) {
    double largest = 0;
    if (!gradient) return;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(gradient[i]));
    for (size_t i = 0; largest > 0 && i < count; i++) values[i] *= (float)largest;
}

/* Makes what gradients are added to as large as they are, so that rounding the sum hides nothing. */
static void scale_contents(block_case *c, const expected *e) {
    const size_t filters = (size_t)c->block.filters;
    for (int t = 0; t < c->trials; t++) {
        const xc_ref_block *b = &e->trial[t];
        float *gradients = c->gradients + (size_t)t * c->parameter_stride;
        scale(c->dx + (size_t)t * c->in_count, b->dx, c->in_count);
        scale(gradients + c->block.kernel, b->dkernel, c->kernel_count);
        scale(gradients + c->block.bias, b->dbias, filters);
        scale(gradients + c->block.gamma, b->dgamma, filters);
        scale(gradients + c->block.beta, b->dbeta, filters);
    }
}

/* Trial t of a pack must not depend, to the byte, on the others. */
static void check_alone(const xc_backend *backend, const block_case *c, const results *pack, bool backward) {
    for (int t = 0; c->trials > 1 && t < c->trials; t++) {
        results alone = run_block(backend, c, t, 1, backward);
        const struct {
            const char *what;
            const float *alone, *pack;
            size_t count;
        } tensors[] = {
            {"y", alone.y, pack->y, c->out_count},
            {"running", alone.running, pack->running, c->running_stride},
            {"gradients", alone.gradients, pack->gradients, c->parameter_stride},
            {"dx", alone.dx, pack->dx, c->in_count},
            {"dx_skip", alone.dx_skip, pack->dx_skip, c->in_count},
        };
        for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
            if (memcmp(tensors[i].alone, tensors[i].pack + (size_t)t * tensors[i].count,
                       tensors[i].count * sizeof(float)) != 0)
                fail_msg("%s of trial %d differs between pack and alone; %s", tensors[i].what, t, c->text);
        assert_true(alone.clipped[0] == pack->clipped[t]);
        results_free(&alone);
    }
}

/* Without the parameters' gradients the others may be found by another way, which keeps all of its promises. */
static void check_without(const op_test *test, block_case *c, const expected *e) {
    c->without_gradients = true;
    results r = run_block(test->backend, c, 0, c->trials, true);
    if (memcmp(r.gradients, c->gradients, (size_t)c->trials * c->parameter_stride * sizeof(float)) != 0)
        fail_msg("gradients were written that nobody wants; %s", c->text);
    for (int t = 0; t < c->trials; t++) check_inputs(c, t, &r, &e->trial[t], test->row->values);
    check_alone(test->backend, c, &r, true);
    results_free(&r);
    c->without_gradients = false;
}

static void test_block(xc_block_kind kind, const case_limits *limits, const op_test *test, bool backward) {
    for (int number = 0; number < case_count(kind, limits); number += limits->every) {
        block_case c;
        expected e;
        expected_make(kind, number, limits, &c, &e);
        scale_contents(&c, &e);
        results r = run_block(test->backend, &c, 0, c.trials, backward);
        for (int t = 0; t < c.trials; t++)
            (backward ? check_backward : check_forward)(&c, t, &r, &e.trial[t], test->row->values);
        check_alone(test->backend, &c, &r, backward);
        if (backward && number / 6 % 2 == 0) check_without(test, &c, &e);
        results_free(&r);
        expected_free(&e);
        case_free(&c);
    }
}

void test_block_forward(xc_block_kind kind, const op_test *test) { test_block(kind, &LIMITS_VALUES, test, false); }
void test_block_backward(xc_block_kind kind, const op_test *test) { test_block(kind, &LIMITS_VALUES, test, true); }

void test_full_adds(const op_test *test, bool backward) {
    case_limits limits = LIMITS_VALUES;
    limits.full_adds = true;
    test_block(XC_BLOCK_ADD, &limits, test, backward);
}

void test_ties(const op_test *test, bool backward) {
    case_limits limits = LIMITS_VALUES;
    limits.ties = true;
    test_block(XC_BLOCK_MOTIF, &limits, test, backward);
}

/* ---- central differences ---------------------------------------------------------------------------------------- */

#define STEP 1e-6
#define COORDINATES 40 /* of each tensor, at most */

/* The scalar whose gradient backward computes: sum y dy. */
static double scalar(xc_ref_block *b, size_t outputs) {
    double sum = 0;
    xc_ref_block_forward(b);
    for (size_t i = 0; i < outputs; i++) sum += b->y[i] * b->dy[i];
    return sum;
}

/* How far sampled coordinates of a gradient are from central differences, and how many could be compared: where a step
 * changes a pool's winner or crosses a kink there is no derivative. */
typedef struct agreement {
    double error, norm; /* squared */
    int compared, skipped;
} agreement;

/* The smooth piece that a point lies on: winners of the pool, and sides of the kinks. */
typedef struct piece {
    size_t outputs, elements;
    int32_t *winner;   /* (outputs) */
    uint8_t *branches; /* (elements) */
} piece;

static piece piece_at(const block_case *c, const xc_ref_block *b) {
    piece p = {c->out_count, c->middle_count, malloc(c->out_count * sizeof(int32_t)), malloc(c->middle_count)};
    assert_non_null(p.winner);
    assert_non_null(p.branches);
    memcpy(p.winner, b->winner, p.outputs * sizeof(int32_t));
    expected_branches(b, p.elements, p.branches);
    return p;
}

static void piece_free(piece *p) {
    free(p->winner);
    free(p->branches);
}

static bool is_on(const block_case *c, const xc_ref_block *b, const piece *p) {
    piece here = piece_at(c, b);
    const bool same = memcmp(here.winner, p->winner, p->outputs * sizeof(int32_t)) == 0 &&
                      memcmp(here.branches, p->branches, p->elements) == 0;
    piece_free(&here);
    return same;
}

static agreement compare_gradient(const block_case *c, xc_ref_block *b, double *values, const double *gradient,
                                  size_t count) {
    agreement result = {0};
    const size_t outputs = c->out_count, stride = count / COORDINATES + 1;
    scalar(b, outputs);
    piece start = piece_at(c, b);
    for (size_t i = (size_t)c->seed[0] % stride; i < count; i += stride) {
        const double value = values[i];
        values[i] = value + STEP;
        const double above = scalar(b, outputs);
        bool smooth = is_on(c, b, &start);
        values[i] = value - STEP;
        const double below = scalar(b, outputs);
        smooth = smooth && is_on(c, b, &start);
        values[i] = value;
        const double difference = (above - below) / (2 * STEP);
        if (smooth) result.error += (difference - gradient[i]) * (difference - gradient[i]);
        if (smooth) result.norm += difference * difference;
        result.compared += smooth;
        result.skipped += !smooth;
    }
    piece_free(&start);
    return result;
}

static int compared_total, skipped_total;
static double worst_total;

static void check_differences(const block_case *c, xc_ref_block *b, double *values, const double *gradient,
                              size_t count, double terms, double tolerance, const char *what) {
    if (!values) return;
    const agreement a = compare_gradient(c, b, values, gradient, count);
    const double scale = fmax(sqrt(a.norm), CANCELLATION * terms), error = sqrt(a.error);
    compared_total += a.compared;
    skipped_total += a.skipped;
    if (scale > 0) worst_total = fmax(worst_total, error / scale);
    if (!(error <= tolerance * scale))
        fail_msg("gradient of %s is off by %.2g of its norm %.3g; %s", what, error / scale, scale, c->text);
}

void test_block_gradients(xc_block_kind kind, bool full_adds, double tolerance) {
    int inference = 0;
    case_limits limits = LIMITS_GRADIENTS;
    limits.full_adds = full_adds;
    compared_total = skipped_total = 0;
    worst_total = 0;
    for (int number = 0; number < case_count(kind, &limits); number++) {
        block_case c;
        expected e;
        expected_make(kind, number, &limits, &c, &e);
        inference += !c.training && c.block.gamma != XC_ABSENT;
        xc_ref_block *b = &e.trial[0];
        const term_sizes terms = expected_terms(b);
        const size_t filters = (size_t)c.block.filters;
        check_differences(&c, b, b->x, b->dx, c.in_count, terms.dx, tolerance, "x");
        check_differences(&c, b, b->x_skip, b->dx_skip, c.in_count, terms.dx, tolerance, "x_skip");
        check_differences(&c, b, b->kernel, b->dkernel, c.kernel_count, terms.dkernel, tolerance, "kernel");
        check_differences(&c, b, b->bias, b->dbias, filters, terms.dbias, tolerance, "bias");
        check_differences(&c, b, b->gamma, b->dgamma, filters, terms.dgamma, tolerance, "gamma");
        check_differences(&c, b, b->beta, b->dbeta, filters, 0, tolerance, "beta");
        expected_free(&e);
        case_free(&c);
    }
    print_message(
        "             %d gradients, worst %.1e of the norm; %d skipped at kinks; %d cases with running norm\n",
        compared_total, worst_total, skipped_total, inference);
    assert_true(skipped_total * 10 < compared_total);
    if (kind != XC_BLOCK_ADD || full_adds) assert_true(inference > 10);
}

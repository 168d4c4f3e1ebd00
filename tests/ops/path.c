/* path.c: path_points and path_sum on every backend, against a double written out here: rows of all sizes, some of the
 * pairs of several groups, ends that must be met exactly, and rows that are not the call's to write.
 */
#include "ops_test.h"

static const size_t WIDTHS[] = {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 61, 255, 256, 257, 1023, 1024, 1025, 2310};
static const int32_t REFERENCES[] = {1, 2, 5}, STEPS[] = {1, 2, 3, 10, 50};
static const int32_t GROUPS = 3;
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Everything of one call, on the host. */
typedef struct path_case {
    char text[120];
    xc_path_args args; /* its pointers are filled in for each call */
    size_t rows;       /* (groups,R+1) */
    float *place, *share, *ends, *gradient, *sum;
} path_case;

static float *draw(size_t count, uint32_t substream, xc_random_sequence *random) {
    float *values = malloc((count + 1) * sizeof(float));
    assert_non_null(values);
    random->substream = substream;
    for (size_t i = 0; i < count; i++) values[i] = (float)(4 * xc_uniform(xc_random_next(random)) - 2);
    return values;
}

static path_case path_draw(size_t number) {
    xc_random_sequence random = {.seed = number, .stream = XC_STREAM_WEIGHTS};
    const size_t width = WIDTHS[number % COUNT(WIDTHS)];
    path_case c = {.args = {.references = REFERENCES[number / COUNT(WIDTHS) % COUNT(REFERENCES)],
                            .steps = STEPS[(number + number / COUNT(WIDTHS)) % COUNT(STEPS)],
                            .width = width}};
    const int32_t all = GROUPS * c.args.references;
    c.args.first = (int32_t)xc_random_below(&random, (uint32_t)all);
    c.args.pairs = 1 + (int32_t)xc_random_below(&random, (uint32_t)(all - c.args.first));
    c.rows = (size_t)(GROUPS * (c.args.references + 1));
    const size_t steps = (size_t)c.args.steps;
    c.place = draw(steps, 1, &random);
    c.share = draw(steps, 2, &random);
    c.ends = draw(c.rows * width, 3, &random);
    c.gradient = draw((size_t)c.args.pairs * steps * width, 4, &random);
    c.sum = draw(c.rows * width, 5, &random);
    for (size_t s = 0; s < steps; s++) c.place[s] = (c.place[s] + 2) / 4;
    c.place[0] = number % 2 == 0;
    if (steps > 1) c.place[steps - 1] = number % 2 != 0;
    for (size_t i = 0; i < c.rows * width; i += 3) c.ends[i] = (float)(i % 2); /* as of bases: equal, or 1 apart */
    snprintf(c.text, sizeof c.text, "path %zu: R%d pairs %d..%d S%d E%zu", number, c.args.references, c.args.first,
             c.args.first + c.args.pairs - 1, c.args.steps, width);
    return c;
}

static void path_free(path_case *c) {
    float *const all[] = {c->place, c->share, c->ends, c->gradient, c->sum};
    for (size_t i = 0; i < COUNT(all); i++) free(all[i]);
}

/* Rows of pair number `pair` of the call, in (groups,R+1). */
static size_t sequence_row(const path_case *c, size_t pair) {
    return ((size_t)c->args.first + pair) / (size_t)c->args.references * ((size_t)c->args.references + 1);
}
static size_t reference_row(const path_case *c, size_t pair) {
    return sequence_row(c, pair) + 1 + ((size_t)c->args.first + pair) % (size_t)c->args.references;
}

static guarded input(const xc_backend *backend, const float *values, size_t count) {
    return guarded_make(backend, count * sizeof(float), values, true);
}

/* Runs it, and brings what it wrote home: (pairs,S,E), or (groups,R+1,E). */
static float *run_points(const xc_backend *backend, const path_case *c) {
    const size_t points = (size_t)(c->args.pairs * c->args.steps) * c->args.width;
    xc_path_args args = c->args;
    xc_error error = {0};
    guarded place = input(backend, c->place, (size_t)c->args.steps);
    guarded ends = input(backend, c->ends, c->rows * c->args.width);
    guarded to = guarded_make(backend, points * sizeof(float), NULL, false);
    float *got = malloc(points * sizeof(float));
    assert_non_null(got);
    args.place = guarded_pointer(&place);
    args.ends = guarded_pointer(&ends);
    args.points = guarded_pointer(&to);
    if (backend->path_points(backend, &args, &error) != XC_OK) fail_msg("failed: %s; %s", error.text, c->text);
    guarded_end(&place, NULL, "place", c->text);
    guarded_end(&ends, NULL, "ends", c->text);
    guarded_end(&to, got, "points", c->text);
    return got;
}

static float *run_sum(const xc_backend *backend, const path_case *c) {
    const size_t gradients = (size_t)(c->args.pairs * c->args.steps) * c->args.width;
    const size_t sums = c->rows * c->args.width;
    xc_path_args args = c->args;
    xc_error error = {0};
    guarded share = input(backend, c->share, (size_t)c->args.steps);
    guarded gradient = input(backend, c->gradient, gradients);
    guarded to = guarded_make(backend, sums * sizeof(float), c->sum, false);
    float *got = malloc(sums * sizeof(float));
    assert_non_null(got);
    args.share = guarded_pointer(&share);
    args.gradient = guarded_pointer(&gradient);
    args.sum = guarded_pointer(&to);
    if (backend->path_sum(backend, &args, &error) != XC_OK) fail_msg("failed: %s; %s", error.text, c->text);
    guarded_end(&share, NULL, "share", c->text);
    guarded_end(&gradient, NULL, "gradient", c->text);
    guarded_end(&to, got, "sum", c->text);
    return got;
}

/* One point's row: at the ends, and where both are equal, exactly. */
static void check_point(const path_case *c, size_t pair, size_t step, const float *got, double tolerance) {
    const size_t width = c->args.width;
    const float *from = c->ends + reference_row(c, pair) * width, *to = c->ends + sequence_row(c, pair) * width;
    const double place = c->place[step];
    for (size_t e = 0; e < width; e++) {
        const double want = from[e] + place * ((double)to[e] - from[e]);
        const bool exact = place == 0 || place == 1 || from[e] == to[e];
        if (exact ? got[e] != (float)want : !(fabs(got[e] - want) <= 2 * tolerance))
            fail_msg("point %zu of pair %zu [%zu] is %.9g, expected %.9g; %s", step, pair, e, (double)got[e], want,
                     c->text);
    }
}

#define CASES (COUNT(WIDTHS) * COUNT(REFERENCES))

/* All ends are between -2 and 2, so the tolerance is of 2. */
void test_path_points(const op_test *test) {
    for (size_t number = 0; number < CASES; number++) {
        path_case c = path_draw(number);
        float *got = run_points(test->backend, &c);
        const size_t steps = (size_t)c.args.steps;
        for (size_t pair = 0; pair < (size_t)c.args.pairs; pair++)
            for (size_t s = 0; s < steps; s++)
                check_point(&c, pair, s, got + (pair * steps + s) * c.args.width, test->row->values);
        free(got);
        path_free(&c);
    }
}

/* The sum of one pair at element e, and of its terms' magnitudes. */
static double sum_at(const path_case *c, size_t pair, size_t e, double *size) {
    double sum = 0;
    *size = 0;
    for (size_t s = 0; s < (size_t)c->args.steps; s++) {
        const double term = (double)c->share[s] * c->gradient[(pair * (size_t)c->args.steps + s) * c->args.width + e];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static void check_sums(const path_case *c, const float *got, double tolerance) {
    const size_t width = c->args.width;
    bool *written = calloc(c->rows, sizeof(bool));
    assert_non_null(written);
    for (size_t pair = 0; pair < (size_t)c->args.pairs; pair++) {
        const size_t row = reference_row(c, pair);
        written[row] = true;
        for (size_t e = 0; e < width; e++) {
            double size;
            const double want = sum_at(c, pair, e, &size);
            if (!(fabs(got[row * width + e] - want) <= tolerance * size))
                fail_msg("sum of pair %zu [%zu] is %.9g, expected %.9g; %s", pair, e, (double)got[row * width + e],
                         want, c->text);
        }
    }
    for (size_t row = 0; row < c->rows; row++)
        if (!written[row] && memcmp(got + row * width, c->sum + row * width, width * sizeof(float)) != 0)
            fail_msg("row %zu, which is no pair's, was written; %s", row, c->text);
    free(written);
}

void test_path_sum(const op_test *test) {
    for (size_t number = 0; number < CASES; number++) {
        path_case c = path_draw(number);
        float *got = run_sum(test->backend, &c);
        check_sums(&c, got, test->row->values);
        free(got);
        path_free(&c);
    }
}

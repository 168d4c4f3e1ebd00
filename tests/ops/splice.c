/* splice.c: the op splice on every backend, against a loop written out here: windows that begin before the tensor and
 * end behind it, that hold all, some or none of what was changed, of one float and of many, with and without a pool,
 * whose last window may be missing or a part, and with a NaN here and there.
 */
#include <math.h>

#include "ops_test.h"

#define ROWS 7
#define TENSORS 3

static const int32_t LENGTHS[] = {1, 2, 5, 16, 47}, CHANNELS[] = {1, 3, 8, 33}, POOLS[] = {1, 2, 3, 10};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

typedef struct splice_case {
    char text[96];
    xc_splice_args args; /* its pointers are filled in for each call */
    int32_t which[ROWS], changed_start[ROWS], out_start[ROWS];
    float *base, *changed, *pooled;
} splice_case;

static float *draw(size_t count, xc_random_sequence *random) {
    float *values = malloc((count + 1) * sizeof(float));
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        const double value = xc_uniform(xc_random_next(random));
        values[i] = value < 0.01 ? NAN : (float)(value - 0.5);
    }
    return values;
}

/* A pool that leaves out what fills no window, or one that begins before the tensor and ends behind it. */
static void draw_pool(xc_splice_args *args, int32_t pool, bool same) {
    args->pool = same || args->length >= pool ? pool : 1;
    args->pooled_length = same ? (args->length + args->pool - 1) / args->pool : args->length / args->pool;
    args->pool_pad_left = same ? (args->pooled_length * args->pool - args->length) / 2 : 0;
}

/* The largest of window j of tensor `base`, in which the changed positions of row v stand, if there is one. */
static float largest(const splice_case *c, int tensor, int v, int32_t j, int channel) {
    const xc_splice_args *args = &c->args;
    float best = -INFINITY;
    for (int32_t at = j * args->pool - args->pool_pad_left, p = 0; p < args->pool; p++, at++) {
        if (at < 0 || at >= args->length) continue;
        const int32_t inside = v < 0 ? -1 : at - c->changed_start[v];
        const bool is_changed = inside >= 0 && inside < args->changed_length;
        const float value = is_changed ? c->changed[(v * args->changed_length + inside) * args->channels + channel]
                                       : c->base[(tensor * args->length + at) * args->channels + channel];
        if (isnan(value)) return value;
        if (value > best) best = value;
    }
    return best;
}

static splice_case splice_draw(size_t number) {
    xc_random_sequence random = {.seed = number, .stream = XC_STREAM_WEIGHTS};
    const int32_t length = LENGTHS[number % COUNT(LENGTHS)],
                  channels = CHANNELS[number / COUNT(LENGTHS) % COUNT(CHANNELS)];
    splice_case c = {.args = {.rows = ROWS, .length = length, .channels = channels}};
    draw_pool(&c.args, POOLS[number % COUNT(POOLS)], xc_random_below(&random, 2) == 1);
    c.args.changed_length = 1 + (int32_t)xc_random_below(&random, (uint32_t)length);
    c.args.out_length = 1 + (int32_t)xc_random_below(&random, (uint32_t)c.args.pooled_length + 8);
    for (int v = 0; v < ROWS; v++) {
        c.which[v] = (int32_t)xc_random_below(&random, TENSORS);
        c.changed_start[v] = (int32_t)xc_random_below(&random, (uint32_t)(length - c.args.changed_length) + 1);
        c.out_start[v] = (int32_t)xc_random_below(&random, (uint32_t)c.args.pooled_length + 6) - 6;
    }
    c.base = draw((size_t)(TENSORS * length * channels), &random);
    c.changed = draw((size_t)(ROWS * c.args.changed_length * channels), &random);
    c.pooled = malloc((size_t)(TENSORS * c.args.pooled_length * channels) * sizeof(float));
    assert_non_null(c.pooled);
    for (int i = 0; i < TENSORS * c.args.pooled_length * channels; i++)
        c.pooled[i] =
            largest(&c, i / channels / c.args.pooled_length, -1, i / channels % c.args.pooled_length, i % channels);
    snprintf(c.text, sizeof c.text, "splice %zu: L%d C%d A%d P%d,%d Lp%d B%d", number, length, channels,
             c.args.changed_length, c.args.pool, c.args.pool_pad_left, c.args.pooled_length, c.args.out_length);
    return c;
}

static float expected_at(const splice_case *c, int v, int i, int channel) {
    const int32_t j = c->out_start[v] + i;
    return j < 0 || j >= c->args.pooled_length ? 0 : largest(c, c->which[v], v, j, channel);
}

static void check(const splice_case *c, const float *got) {
    for (int v = 0; v < ROWS; v++)
        for (int i = 0; i < c->args.out_length; i++)
            for (int channel = 0; channel < c->args.channels; channel++) {
                const float want = expected_at(c, v, i, channel);
                const float found = got[(v * c->args.out_length + i) * c->args.channels + channel];
                if (found != want && !(isnan(found) && isnan(want)))
                    fail_msg("row %d position %d channel %d is %.9g, expected %.9g; %s", v, i, channel, (double)found,
                             (double)want, c->text);
            }
}

static void run(const xc_backend *backend, const splice_case *c) {
    const size_t channels = (size_t)c->args.channels, floats = ROWS * (size_t)c->args.out_length * channels;
    xc_splice_args args = c->args;
    xc_error error = {0};
    guarded base = guarded_make(backend, TENSORS * (size_t)c->args.length * channels * sizeof(float), c->base, true);
    guarded changed =
        guarded_make(backend, ROWS * (size_t)c->args.changed_length * channels * sizeof(float), c->changed, true);
    guarded pooled =
        guarded_make(backend, TENSORS * (size_t)c->args.pooled_length * channels * sizeof(float), c->pooled, true);
    guarded which = guarded_make(backend, sizeof c->which, c->which, true);
    guarded changed_start = guarded_make(backend, sizeof c->changed_start, c->changed_start, true);
    guarded out_start = guarded_make(backend, sizeof c->out_start, c->out_start, true);
    guarded out = guarded_make(backend, floats * sizeof(float), NULL, false);
    float *got = malloc(floats * sizeof(float));
    assert_non_null(got);
    args.base = guarded_pointer(&base);
    args.changed = guarded_pointer(&changed);
    args.pooled = guarded_pointer(&pooled);
    args.which = guarded_pointer(&which);
    args.changed_start = guarded_pointer(&changed_start);
    args.out_start = guarded_pointer(&out_start);
    args.out = guarded_pointer(&out);
    if (backend->splice(backend, &args, &error) != XC_OK) fail_msg("failed: %s; %s", error.text, c->text);
    guarded_end(&base, NULL, "base", c->text);
    guarded_end(&changed, NULL, "changed", c->text);
    guarded_end(&pooled, NULL, "pooled", c->text);
    guarded_end(&which, NULL, "which", c->text);
    guarded_end(&changed_start, NULL, "changed_start", c->text);
    guarded_end(&out_start, NULL, "out_start", c->text);
    guarded_end(&out, got, "out", c->text);
    check(c, got);
    free(got);
}

void test_splice(const op_test *test) {
    for (size_t number = 0; number < 3 * COUNT(LENGTHS) * COUNT(CHANNELS); number++) {
        splice_case c = splice_draw(number);
        run(test->backend, &c);
        free(c.base);
        free(c.changed);
        free(c.pooled);
    }
}

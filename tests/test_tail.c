/* test_tail.c: what the CPU backend does around a linear part, seen through add blocks, whose linear part is a sum:
 * batch statistics against sums in double, also where the deviation is a millionth of the mean; the same bytes for any
 * number of threads, whatever activation, pool, dropout and bias; and that the first of equal values wins a window.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block_fixture.h"

typedef struct shape {
    int32_t batch, length, filters, pool, pad;
    float dropout;
    xc_activation_kind before_norm;
    bool bias, norm;
} shape;

/* Parameters are bias, gamma, beta; running statistics mean and variance, which momentum 0 makes the batch's. */
static xc_block block_of(const shape *s) {
    const size_t f = (size_t)s->filters;
    return (xc_block){.kind = XC_BLOCK_ADD,
                      .length = s->length,
                      .channels = s->filters,
                      .width = 1,
                      .conv_length = s->length,
                      .filters = s->filters,
                      .pool = s->pool,
                      .pool_pad_left = s->pad,
                      .out_length = (s->length + s->pad) / s->pool,
                      .before_norm = s->before_norm,
                      .norm_epsilon = 1e-3f,
                      .dropout = s->dropout,
                      .dropout_stream = 2,
                      .kernel = XC_ABSENT,
                      .bias = s->bias ? 0 : XC_ABSENT,
                      .gamma = s->norm ? f : XC_ABSENT,
                      .beta = s->norm ? 2 * f : XC_ABSENT};
}

typedef struct results {
    float *y, *dx, *gradients, *running; /* (N,Lp,F), (N,L,F), (3,F), (2,F) */
    size_t outputs, inputs, filters;
    uint64_t clipped;
} results;

static float *floats(size_t count) {
    float *values = calloc(count, sizeof *values);
    assert_non_null(values);
    return values;
}

static float random_value(uint64_t stream, size_t i) {
    const xc_philox_words words = xc_random(7, XC_STREAM_SIMULATE, (uint32_t)stream, i);
    return (float)(xc_uniform(words.word[0]) + xc_uniform(words.word[1]) + xc_uniform(words.word[2]) - 1.5);
}

static results run(const xc_backend *backend, const shape *s, const xc_activation *activation, const float *x,
                   int threads) {
    const xc_block block = block_of(s);
    const size_t f = (size_t)s->filters, in = (size_t)s->batch * (size_t)s->length * f;
    const size_t out = (size_t)s->batch * (size_t)block.out_length * f;
    const uint64_t seed = 3, step = 5;
    results r = {floats(out), floats(in), floats(3 * f), floats(2 * f), out, in, f, 0};
    float *zeros = floats(in), *parameters = floats(3 * f), *dy = floats(out), *dx_skip = floats(in);
    for (size_t i = 0; i < 3 * f; i++) parameters[i] = i < f ? 0 : (i % 3 ? 1.0f : -1.0f) + 0.3f * random_value(1, i);
    for (size_t i = 0; i < out; i++) dy[i] = random_value(2, i);
    xc_error error;
    xc_block_args args = {.block = &block,
                          .trials = 1,
                          .batch = s->batch,
                          .training = 1,
                          .x = x,
                          .x_skip = zeros,
                          .parameters = parameters,
                          .gradients = r.gradients,
                          .parameter_stride = 3 * f,
                          .running = r.running,
                          .activation = activation,
                          .seed = &seed,
                          .step = &step,
                          .y = r.y,
                          .clipped = &r.clipped,
                          .dy = dy,
                          .dx = r.dx,
                          .dx_skip = dx_skip};
    begin_block(backend, &args, threads);
    assert_int_equal(backend->add_block_forward(backend, &args, &error), XC_OK);
    assert_int_equal(backend->add_block_backward(backend, &args, &error), XC_OK);
    end_block(backend, &args);
    free(zeros), free(parameters), free(dy), free(dx_skip);
    return r;
}

static void release(results *r) { free(r->y), free(r->dx), free(r->gradients), free(r->running); }

/* ---- statistics -------------------------------------------------------------------------------------------------- */

/* Filter f has mean 10^(f mod 4 - 1) and deviations down to a millionth of it; one column in five begins with an
 * outlier, one drifts. */
static float sample(size_t row, size_t f, size_t rows) {
    const double mean = pow(10, (double)(f % 4) - 1), deviation = mean * pow(10, -(double)(f % 7));
    if (f % 5 == 4 && row == 0) return (float)(mean + 100 * deviation);
    const double drift = f % 5 == 3 ? (double)row / (double)rows : 0;
    return (float)(mean + deviation * (random_value(3 + f, row) + drift));
}

static void check_statistics(const xc_backend *backend, const shape *s) {
    const xc_activation linear = {.kind = XC_LINEAR};
    const size_t f = (size_t)s->filters, rows = (size_t)s->batch * (size_t)s->length;
    float *x = floats(rows * f);
    for (size_t i = 0; i < rows * f; i++) x[i] = sample(i / f, i % f, rows);
    results r = run(backend, s, &linear, x, 1);
    double worst_mean = 0, worst_variance = 0;
    for (size_t c = 0; c < f; c++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < rows; i++) mean += x[i * f + c] / (double)rows;
        for (size_t i = 0; i < rows; i++) variance += pow(x[i * f + c] - mean, 2) / (double)rows;
        worst_mean = fmax(worst_mean, fabs(r.running[c] / mean - 1));
        if (variance > 0) worst_variance = fmax(worst_variance, fabs(r.running[f + c] / variance - 1));
    }
    print_message("# N%d L%d F%d: mean %.1e, variance %.1e relative\n", s->batch, s->length, s->filters, worst_mean,
                  worst_variance);
    assert_true(worst_mean <= 1e-6 && worst_variance <= 1e-6);
    release(&r);
    free(x);
}

static void test_statistics(void **state) {
    const xc_backend *backend = backend_of(state);
    const shape shapes[] = {
        {.batch = 100, .length = 200, .filters = 33, .pool = 1, .norm = true},
        {.batch = 17, .length = 45, .filters = 124, .pool = 1, .norm = true},
        {.batch = 100, .length = 1, .filters = 40, .pool = 1, .norm = true},
        {.batch = 3, .length = 1001, .filters = 8, .pool = 1, .norm = true},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_statistics(backend, &shapes[i]);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static void check_threads(const xc_backend *backend, const shape *s, const xc_activation *activation) {
    const size_t in = (size_t)s->batch * (size_t)s->length * (size_t)s->filters;
    float *x = floats(in);
    for (size_t i = 0; i < in; i++) x[i] = 3 * random_value(90, i);
    results alone = run(backend, s, activation, x, 1);
    for (int threads = 2; threads <= 5; threads++) {
        results r = run(backend, s, activation, x, threads);
        assert_memory_equal(r.y, alone.y, r.outputs * sizeof(float));
        assert_memory_equal(r.dx, alone.dx, r.inputs * sizeof(float));
        assert_memory_equal(r.gradients, alone.gradients, 3 * r.filters * sizeof(float));
        assert_memory_equal(r.running, alone.running, 2 * r.filters * sizeof(float));
        assert_true(r.clipped == alone.clipped);
        release(&r);
    }
    release(&alone);
    free(x);
}

static void test_threads(void **state) {
    const xc_backend *backend = backend_of(state);
    const shape shapes[] = {
        {.batch = 11, .length = 90, .filters = 48, .pool = 4, .dropout = 0.2f, .norm = true},
        {.batch = 7, .length = 101, .filters = 13, .pool = 50, .pad = 24, .dropout = 0.1f, .norm = true},
        {.batch = 9, .length = 77, .filters = 24, .pool = 1, .dropout = 0.3f, .before_norm = XC_RELU, .norm = true},
        {.batch = 6, .length = 131, .filters = 9, .pool = 1, .dropout = 0.1f, .bias = true},
        {.batch = 300, .length = 1, .filters = 40, .pool = 1, .dropout = 0.5f, .bias = true, .norm = true},
    };
    const xc_activation activations[] = {{.kind = XC_RELU},
                                         {.kind = XC_LINEAR},
                                         {.kind = XC_EXPONENTIAL, .scale = 1, .clip = 1},
                                         {.kind = XC_EXPONENTIAL, .scale = 1, .clip = 1, .beyond = XC_BEYOND_LINEAR},
                                         {.kind = XC_TANH},
                                         {.kind = XC_LOG}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t a = 0; a < sizeof activations / sizeof *activations; a++)
            check_threads(backend, &shapes[i], &activations[a]);
}

/* ---- ties -------------------------------------------------------------------------------------------------------- */

/* Values come in equal pairs and triples; without norm and dropout dx says which of them won. */
static void test_first_of_equals(void **state) {
    const xc_backend *backend = backend_of(state);
    const shape s = {.batch = 2, .length = 60, .filters = 21, .pool = 5};
    const xc_activation activations[] = {{.kind = XC_RELU}, {.kind = XC_EXPONENTIAL, .scale = 1, .clip = 9}};
    const size_t f = 21, rows = 120;
    float *x = floats(rows * f);
    for (size_t i = 0; i < rows * f; i++) x[i] = 1 + (float)(int)(random_value(91, i) * 1.3f);
    for (size_t a = 0; a < 2; a++) {
        results r = run(backend, &s, &activations[a], x, 1);
        for (size_t window = 0; window < rows / 5; window++)
            for (size_t c = 0; c < f; c++) {
                const float *column = x + window * 5 * f + c, *dx = r.dx + window * 5 * f + c;
                size_t winner = 0;
                for (size_t p = 1; p < 5; p++)
                    if (column[p * f] > column[winner * f]) winner = p;
                for (size_t p = 0; p < 5; p++)
                    assert_true((dx[p * f] != 0) == (p == winner && (a == 1 || column[p * f] > 0)));
            }
        release(&r);
    }
    free(x);
}

#define SETS(test)                                                                                      \
    {#test " (baseline)", test, NULL, NULL, "baseline"}, {#test " (avx2)", test, NULL, NULL, "avx2"}, { \
#test " (avx512)", test, NULL, NULL, "avx512"                                                   \
    }

int main(void) {
    const struct CMUnitTest tests[] = {SETS(test_statistics), SETS(test_threads), SETS(test_first_of_equals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

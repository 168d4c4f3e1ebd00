/* test_motif_block.c: what the CPU backend's first block does beyond what tests/ops proves of every block: batch norm's
 * statistics from counts against a direct computation in long double, to 1e-6 relative, filters of no or nearly no
 * variance included; the same bytes for any number of threads; clips counted whatever the tables' bound says; and NaN
 * weights that reach the output. For every instruction set that this processor has.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block_fixture.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))
#define SEQUENCES 150

/* ---- a block and its data ---------------------------------------------------------------------------------------- */

/* How the letters of a batch come, beside what runs of N they have. */
typedef enum letters_kind { ANY_LETTERS, ONE_LETTER, ONE_LETTER_EACH, ONE_IN_THREE, FEW_CHANGES } letters_kind;
typedef enum runs_kind { NO_RUNS, AT_ENDS, EVERYWHERE, WHOLE_SEQUENCES } runs_kind;

/* Taps: any; the same for all letters; those and a millionth of any; such that three neighbours give the same sum, but
 * for its rounding, wherever the one other letter in three stands. */
typedef enum taps_kind { ANY_TAPS, EQUAL_TAPS, NEARLY_EQUAL_TAPS, CANCELLING_TAPS, TAPS_KINDS } taps_kind;

typedef struct shape {
    int32_t batch, length, width, left, right; /* zeros before and after */
    letters_kind letters;
    runs_kind runs;
    bool strands;
} shape;

typedef struct setup {
    xc_block block;
    int32_t batch;
    uint8_t *bases;
    uint32_t *run_start, *runs, *index;
    xc_dna_view dna;
    float *parameters;
    size_t count; /* of parameters */
} setup;

static xc_random_sequence stream;
static uint32_t below(uint32_t bound) { return xc_random_below(&stream, bound); }
static float any(void) { return (float)(2 * xc_uniform(xc_random_next(&stream)) - 1); }

static void *own(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    assert_non_null(memory);
    return memory;
}

static uint32_t letter_at(letters_kind kind, uint32_t sequence, uint32_t position) {
    switch (kind) {
        case ONE_LETTER:
            return 2;
        case ONE_LETTER_EACH:
            return sequence % 4;
        case ONE_IN_THREE:
            return (sequence + position) % 3 ? 1 : 3;
        case FEW_CHANGES:
            return below(400) == 0 ? below(4) : 1;
        case ANY_LETTERS:
            break;
    }
    return below(4);
}

static uint32_t draw_runs(const shape *s, uint32_t sequence, uint32_t *runs) {
    const uint32_t length = (uint32_t)s->length, end = length < 7 ? length : 7;
    uint32_t count = 0;
    if (s->runs == WHOLE_SEQUENCES && sequence % 3 == 0) runs[count++] = length;
    if (s->runs == AT_ENDS && length > 14) runs[count++] = 1 + below(end);
    if (s->runs == AT_ENDS && length > 14) runs[count++] = (length - end) << XC_RUN_SHIFT | end;
    for (uint32_t at = below(4); s->runs == EVERYWHERE && at < length && count < 64; at += 2 + below(40)) {
        const uint32_t run = 1 + below(3);
        if (count > 0 && (runs[count - 1] >> XC_RUN_SHIFT) + (runs[count - 1] & XC_RUN_LONGEST) >= at) continue;
        runs[count++] = at << XC_RUN_SHIFT | (at + run > length ? length - at : run);
    }
    return count;
}

static void draw_sequences(const shape *s, setup *t) {
    const uint32_t length = (uint32_t)s->length, row = (length + 3) / 4;
    t->bases = own(SEQUENCES * row, 1);
    t->run_start = own(SEQUENCES + 1, sizeof(uint32_t));
    t->runs = own(SEQUENCES * 64, sizeof(uint32_t));
    t->index = own((size_t)s->batch, sizeof(uint32_t));
    for (uint32_t i = 0; i < SEQUENCES; i++) {
        for (uint32_t l = 0; l < length; l++)
            t->bases[i * row + l / 4] |= (uint8_t)(letter_at(s->letters, i, l) << 2 * (l % 4));
        t->run_start[i + 1] = t->run_start[i] + draw_runs(s, i, t->runs + t->run_start[i]);
    }
    for (int32_t i = 0; i < s->batch; i++)
        t->index[i] = below(SEQUENCES) | (s->strands && below(2) ? XC_REVERSE_COMPLEMENT : 0);
    t->dna = (xc_dna_view){t->bases, s->runs == NO_RUNS ? NULL : t->run_start, t->runs, SEQUENCES, length, row};
}

static void draw_taps(setup *t, int32_t f, taps_kind kind) {
    const int32_t filters = t->block.filters, width = t->block.width;
    float step = 0; /* from letter 1 to letter 3, of three taps, of which one reads a 3: but which does not matter */
    for (int32_t k = 0; k < width; k++) {
        const float equal = 3 * any();
        if (k % 3 == 0) step = k + 2 < width ? any() : 0;
        for (int32_t a = 0; a < 4; a++) {
            float tap = any();
            if (kind == EQUAL_TAPS) tap = equal;
            if (kind == NEARLY_EQUAL_TAPS) tap = equal + 1e-6f * tap;
            if (kind == CANCELLING_TAPS) tap = a == 3 ? equal + step : equal;
            t->parameters[(k * 4 + a) * filters + f] = tap;
        }
    }
}

/* Filters of each kind of taps, batch norm with momentum 0, so that the running statistics are the batch's. */
static setup make_setup(const shape *s, int32_t filters, int32_t pool) {
    setup t = {.batch = s->batch};
    const size_t taps = (size_t)(s->width * 4 * filters);
    const int32_t conv_length = s->length + s->left + s->right - s->width + 1;
    t.block = (xc_block){.kind = XC_BLOCK_MOTIF, .length = s->length, .channels = 4, .width = s->width};
    t.block.pad_left = s->left;
    t.block.conv_length = conv_length;
    t.block.filters = filters;
    t.block.pool = pool;
    t.block.out_length = conv_length / pool;
    t.block.norm_epsilon = 1e-3f;
    t.block.bias = XC_ABSENT;
    t.block.gamma = taps;
    t.block.beta = taps + (size_t)filters;
    t.count = taps + 2 * (size_t)filters;
    t.parameters = own(t.count, sizeof(float));
    draw_sequences(s, &t);
    for (int32_t f = 0; f < filters; f++) {
        draw_taps(&t, f, (taps_kind)(f % TAPS_KINDS));
        t.parameters[t.block.gamma + (size_t)f] = 0.5f + (float)f / 16;
        t.parameters[t.block.beta + (size_t)f] = any();
    }
    return t;
}

static void free_setup(setup *t) {
    free(t->bases), free(t->run_start), free(t->runs), free(t->index), free(t->parameters);
}

/* ---- running it -------------------------------------------------------------------------------------------------- */

typedef struct outcome {
    float *y, *running, *gradients; /* (N,Lp,F), (2,F), as the parameters */
    size_t outputs;
    uint64_t clipped;
} outcome;

static outcome run(const xc_backend *backend, const setup *t, const xc_activation *activation, int threads) {
    const xc_block *block = &t->block;
    const size_t filters = (size_t)block->filters;
    const uint64_t seed = 11, step = 3;
    outcome o = {.outputs = (size_t)(t->batch * block->out_length) * filters};
    xc_error error;
    float *dy = own(o.outputs, sizeof(float));
    for (size_t i = 0; i < o.outputs; i++) dy[i] = (float)(i % 13) / 7 - 0.5f;
    o.y = own(o.outputs, sizeof(float));
    o.running = own(2 * filters, sizeof(float));
    o.gradients = own(t->count, sizeof(float));
    xc_block_args args = {.block = block, .trials = 1, .batch = t->batch, .training = 1};
    args.dna = &t->dna, args.index = t->index;
    args.parameters = t->parameters, args.gradients = o.gradients, args.parameter_stride = t->count;
    args.running = o.running, args.running_stride = 2 * filters;
    args.activation = activation, args.seed = &seed, args.step = &step;
    args.y = o.y, args.dy = dy, args.clipped = &o.clipped;
    begin_block(backend, &args, threads);
    assert_int_equal(backend->motif_block_forward(backend, &args, &error), XC_OK);
    assert_int_equal(backend->motif_block_backward(backend, &args, &error), XC_OK);
    end_block(backend, &args);
    free(dy);
    return o;
}

static void free_outcome(outcome *o) { free(o->y), free(o->running), free(o->gradients); }

/* ---- statistics -------------------------------------------------------------------------------------------------- */

/* Letter at a position of a sequence of the batch, 4 where there is none. */
static int letter_of(const setup *t, uint32_t index, int64_t position) {
    const uint32_t sequence = index & ~XC_REVERSE_COMPLEMENT, length = t->dna.length;
    if (position < 0 || position >= (int64_t)length) return 4;
    const uint32_t at = index & XC_REVERSE_COMPLEMENT ? length - 1 - (uint32_t)position : (uint32_t)position;
    for (uint32_t r = t->run_start[sequence]; t->dna.run_start && r < t->run_start[sequence + 1]; r++) {
        const uint32_t first = t->runs[r] >> XC_RUN_SHIFT;
        if (at >= first && at < first + (t->runs[r] & XC_RUN_LONGEST)) return 4;
    }
    const int letter = t->bases[sequence * t->dna.row_bytes + at / 4] >> 2 * (at % 4) & 3;
    return index & XC_REVERSE_COMPLEMENT ? 3 - letter : letter;
}

/* z of all positions of filter f, and the largest sum of magnitudes that one is made of. */
static long double make_z(const setup *t, int32_t f, long double *z) {
    const int32_t width = t->block.width, filters = t->block.filters, length = t->block.conv_length;
    long double most = 0;
    for (int32_t n = 0; n < t->batch; n++)
        for (int32_t l = 0; l < length; l++) {
            long double sum = 0, magnitude = 0;
            for (int32_t k = 0; k < width; k++) {
                const int letter = letter_of(t, t->index[n], (int64_t)l + k - t->block.pad_left);
                const float tap = letter < 4 ? t->parameters[(k * 4 + letter) * filters + f] : 0;
                sum += tap;
                magnitude += fabsf(tap);
            }
            z[n * length + l] = sum;
            if (magnitude > most) most = magnitude;
        }
    return most;
}

/* Fails unless mean and variance are within 1e-6 of the direct ones, but for what long double leaves of 0. */
static void check_statistics(const setup *t, const outcome *o, const char *text) {
    const size_t count = (size_t)(t->batch * t->block.conv_length);
    long double *z = own(count, sizeof *z);
    for (int32_t f = 0; f < t->block.filters; f++) {
        const long double most = make_z(t, f, z);
        long double mean = 0, variance = 0;
        for (size_t i = 0; i < count; i++) mean += z[i];
        mean /= (long double)count;
        for (size_t i = 0; i < count; i++) variance += (z[i] - mean) * (z[i] - mean);
        variance /= (long double)count;
        const double got_mean = o->running[f], got_variance = o->running[t->block.filters + f];
        if (!(fabsl(got_mean - mean) <= 1e-6L * fabsl(mean) + 1e-15L * most))
            fail_msg("mean of filter %d is %.9g, expected %.9Lg; %s", f, got_mean, mean, text);
        if (!(fabsl(got_variance - variance) <= 1e-6L * variance + 1e-30L * most * most))
            fail_msg("variance of filter %d is %.9g, expected %.9Lg; %s", f, got_variance, variance, text);
    }
    free(z);
}

static void describe(const shape *s, char *text, size_t size) {
    snprintf(text, size, "batch %d, length %d, width %d, zeros %d and %d, letters %d, runs %d, strands %d", s->batch,
             s->length, s->width, s->left, s->right, (int)s->letters, (int)s->runs, s->strands);
}

/* Where taps cancel to less than a sum of products in double can hold; a sequence whose every window is cut; one of
 * many words of a mask, in a batch of many. */
static const shape SHAPES[] = {
    {.batch = 20, .length = 80, .width = 9, .letters = ONE_IN_THREE},
    {.batch = 9, .length = 200, .width = 18, .letters = ONE_IN_THREE},
    {.batch = 3, .length = 5, .width = 19, .left = 18, .right = 18},
    {.batch = 130, .length = 150, .width = 19, .left = 9, .right = 9, .runs = EVERYWHERE, .strands = true},
};

static shape draw_shape(int number) {
    if (number < COUNT(SHAPES)) return SHAPES[number];
    static const int32_t WIDTHS[] = {1, 2, 3, 4, 5, 7, 8, 11, 16, 19, 24, 31, 32, 33, 40, 63, 64};
    static const int32_t BATCHES[] = {1, 2, 3, 7, 8, 9, 31, 63, 64, 65, 100, 130};
    static const int32_t LENGTHS[] = {1, 3, 19, 40, 63, 64, 65, 127, 128, 200, 257};
    shape s = {.batch = BATCHES[number % COUNT(BATCHES)], .width = WIDTHS[number % COUNT(WIDTHS)]};
    s.length = LENGTHS[below(COUNT(LENGTHS))];
    if (s.batch > 31 && s.length > 65) s.length = 65; /* the direct way is slow */
    s.letters = (letters_kind)(number / 3 % 5);
    s.runs = (runs_kind)below(4);
    s.strands = below(2);
    const uint32_t padding = below(3);
    if (padding == 1) s.left = (s.width - 1) / 2, s.right = s.width / 2;
    if (padding == 2) s.left = (int32_t)below((uint32_t)s.width), s.right = (int32_t)below((uint32_t)s.width);
    while (s.length + s.left + s.right < s.width) s.length += 20;
    return s;
}

static void test_statistics(void **state) {
    const xc_backend *backend = backend_of(state);
    const xc_activation linear = {.kind = XC_LINEAR};
    for (int number = 0; number < 150; number++) {
        stream = (xc_random_sequence){.seed = (uint64_t)number, .stream = XC_STREAM_SIMULATE};
        const shape s = draw_shape(number);
        char text[160];
        describe(&s, text, sizeof text);
        setup t = make_setup(&s, 9, 1);
        outcome o = run(backend, &t, &linear, 1 + number % 3);
        check_statistics(&t, &o, text);
        free_outcome(&o);
        free_setup(&t);
    }
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static void test_threads(void **state) {
    const xc_backend *backend = backend_of(state);
    for (int number = 0; number < 24; number++) {
        stream = (xc_random_sequence){.seed = (uint64_t)number, .stream = XC_STREAM_SIMULATE};
        const shape s = draw_shape(number);
        const int32_t conv_length = s.length + s.left + s.right - s.width + 1, pool = 1 + number % 12;
        setup t = make_setup(&s, 3 + 7 * (number % 6), pool < conv_length ? pool : 1);
        t.block.dropout = number % 2 ? 0.1f : 0;
        const xc_activation activation = {.kind = (xc_activation_kind)(number % XC_ACTIVATION_COUNT), .scale = 1};
        outcome alone = run(backend, &t, &activation, 1);
        for (int threads = 2; threads <= 5; threads++) {
            outcome o = run(backend, &t, &activation, threads);
            assert_memory_equal(o.y, alone.y, alone.outputs * sizeof(float));
            assert_memory_equal(o.running, alone.running, 2 * (size_t)t.block.filters * sizeof(float));
            assert_memory_equal(o.gradients, alone.gradients, t.count * sizeof(float));
            assert_true(o.clipped == alone.clipped);
            free_outcome(&o);
        }
        free_outcome(&alone);
        free_setup(&t);
    }
}

/* ---- what the tables' bound spares ------------------------------------------------------------------------------- */

/* u of every element is found by a linear block; an exponential's clip must then count those above it, whether the
 * tables can reach it or not: also in positions that no window of the pool covers. */
static void check_clips(const xc_backend *backend, const shape *s, int32_t filters) {
    float clips[] = {-1, 0, 1, 2.5f, 4, 30, 0}, most = 0;
    setup t = make_setup(s, filters, 1);
    const xc_activation linear = {.kind = XC_LINEAR};
    outcome u = run(backend, &t, &linear, 1);
    for (size_t e = 0; e < u.outputs; e++) most = fmaxf(most, u.y[e]);
    clips[COUNT(clips) - 1] = 0.98f * most;
    t.block.pool = 9;
    t.block.out_length = t.block.conv_length / 9;
    for (int i = 0; i < COUNT(clips); i++) {
        const xc_activation exponential = {.kind = XC_EXPONENTIAL, .scale = 1, .clip = clips[i]};
        uint64_t expected = 0;
        for (size_t e = 0; e < u.outputs; e++) expected += u.y[e] > clips[i];
        outcome o = run(backend, &t, &exponential, 2);
        if (o.clipped != expected)
            fail_msg("clip %g was met %llu times, expected %llu", (double)clips[i], (unsigned long long)o.clipped,
                     (unsigned long long)expected);
        free_outcome(&o);
    }
    free_outcome(&u);
    free_setup(&t);
}

static void test_clips(void **state) {
    const xc_backend *backend = backend_of(state);
    stream = (xc_random_sequence){.seed = 1, .stream = XC_STREAM_SIMULATE};
    check_clips(backend, &(shape){.batch = 20, .length = 70, .width = 7, .left = 3, .right = 3}, 20);
    check_clips(backend, &(shape){.batch = 20, .length = 70, .width = 3}, 1); /* the bound is met */
}

/* A filter with a NaN tap gives nothing but NaN, through every activation; the others nothing else than before. */
static void test_nan(void **state) {
    const xc_backend *backend = backend_of(state);
    const shape s = {.batch = 5, .length = 50, .width = 5, .left = 2, .right = 2};
    for (int kind = 0; kind < XC_ACTIVATION_COUNT; kind++)
        for (int pool = 1; pool <= 10; pool += 3) {
            stream = (xc_random_sequence){.seed = 2, .stream = XC_STREAM_SIMULATE};
            const xc_activation activation = {.kind = (xc_activation_kind)kind, .scale = 1, .clip = 30};
            setup t = make_setup(&s, 19, pool);
            outcome before = run(backend, &t, &activation, 1);
            t.parameters[7 * 19 + 4] = NAN;
            outcome o = run(backend, &t, &activation, 1);
            for (size_t e = 0; e < o.outputs; e++)
                if (e % 19 == 4 ? !isnan(o.y[e]) : !(fabsf(o.y[e] - before.y[e]) <= 1e-5f * fabsf(before.y[e])))
                    fail_msg("activation %d, pool %d: output %zu of filter %zu is %g, was %g", kind, pool, e / 19,
                             e % 19, (double)o.y[e], (double)before.y[e]);
            free_outcome(&before);
            free_outcome(&o);
            free_setup(&t);
        }
}

#define EACH_SET(name, test)                                                                          \
    {name " (baseline)", test, NULL, NULL, "baseline"}, {name " (avx2)", test, NULL, NULL, "avx2"}, { \
        name " (avx512)", test, NULL, NULL, "avx512"                                                  \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH_SET("statistics", test_statistics),
        EACH_SET("threads", test_threads),
        EACH_SET("clips", test_clips),
        EACH_SET("nan", test_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

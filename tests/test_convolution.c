/* test_convolution.c: the CPU backend's convolution alone (no norm, no activation) against direct sums in double, for
 * every way through it (direct; tiles of 8 to 48 in the Fourier domain), borders, columns that fill no vector and
 * chunks that end early. What rounding is allowed is stated once, far below the 1e-5 that models were validated with.
 * And whose ops a block gets on Zen 4.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block_fixture.h"

/* Largest error of any element, relative to the largest magnitude of its tensor. */
#define ALLOWED 2e-6

typedef struct shape {
    int32_t batch, length, channels, filters, width;
    bool same;
} shape;

static const shape SHAPES[] = {
    {40, 4, 32, 124, 5, true},   {9, 11, 96, 128, 3, false},  {7, 12, 40, 36, 4, true},   {13, 50, 48, 96, 7, false},
    {5, 200, 32, 48, 7, true},   {3, 200, 45, 37, 11, false}, {2, 190, 33, 50, 19, true}, {5, 60, 50, 34, 24, false},
    {3, 33, 64, 40, 31, true},   {6, 100, 24, 24, 5, true},   {2, 64, 3, 5, 7, true},     {4, 40, 64, 64, 2, true},
    {30, 57, 40, 40, 13, false},
};
#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

typedef struct tensors {
    size_t in, out, taps;
    float *x, *w, *y, *dy, *dx, *dw;
    double *y_true, *dx_true, *dw_true;
} tensors;

static float *normals(size_t count, uint32_t substream) {
    xc_random_sequence random = {.seed = 7, .stream = XC_STREAM_WEIGHTS, .substream = substream};
    float *values = calloc(count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        const double u = 1 - xc_uniform(xc_random_next(&random)), v = xc_uniform(xc_random_next(&random));
        values[i] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
    return values;
}

static xc_block block_of(const shape *s) {
    const int32_t conv_length = s->same ? s->length : s->length - s->width + 1;
    return (xc_block){.kind = XC_BLOCK_CONV,
                      .length = s->length,
                      .channels = s->channels,
                      .width = s->width,
                      .pad_left = s->same ? (s->width - 1) / 2 : 0,
                      .conv_length = conv_length,
                      .filters = s->filters,
                      .pool = 1,
                      .out_length = conv_length,
                      .bias = XC_ABSENT,
                      .gamma = XC_ABSENT,
                      .beta = XC_ABSENT};
}

static tensors make_tensors(const shape *s, const xc_block *b) {
    tensors t = {.in = (size_t)(s->batch * s->length * s->channels),
                 .out = (size_t)(s->batch * b->conv_length * s->filters),
                 .taps = (size_t)(s->width * s->channels * s->filters)};
    t.x = normals(t.in, 1), t.w = normals(t.taps, 2), t.dy = normals(t.out, 3);
    t.y = calloc(t.out, sizeof(float)), t.dx = calloc(t.in, sizeof(float)), t.dw = calloc(t.taps, sizeof(float));
    t.y_true = calloc(t.out, sizeof(double));
    t.dx_true = calloc(t.in, sizeof(double));
    t.dw_true = calloc(t.taps, sizeof(double));
    assert_true(t.y && t.dx && t.dw && t.y_true && t.dx_true && t.dw_true);
    return t;
}

static void free_tensors(tensors *t) {
    free(t->x), free(t->w), free(t->y), free(t->dy), free(t->dx), free(t->dw);
    free(t->y_true), free(t->dx_true), free(t->dw_true);
}

/* The definition, one product at a time. */
static void sum_directly(const shape *s, const xc_block *b, tensors *t) {
    const int channels = s->channels, filters = s->filters;
    for (int n = 0; n < s->batch; n++)
        for (int l = 0; l < b->conv_length; l++)
            for (int k = 0; k < s->width; k++) {
                const int position = l + k - b->pad_left;
                if (position < 0 || position >= s->length) continue;
                const size_t row = (size_t)(n * s->length + position) * (size_t)channels;
                const size_t out = (size_t)(n * b->conv_length + l) * (size_t)filters;
                for (int c = 0; c < channels; c++)
                    for (int f = 0; f < filters; f++) {
                        const size_t tap = (size_t)((k * channels + c) * filters + f);
                        t->y_true[out + (size_t)f] += (double)t->x[row + (size_t)c] * t->w[tap];
                        t->dx_true[row + (size_t)c] += (double)t->dy[out + (size_t)f] * t->w[tap];
                        t->dw_true[tap] += (double)t->x[row + (size_t)c] * t->dy[out + (size_t)f];
                    }
            }
}

static double error_of(const float *values, const double *truth, size_t count) {
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs(values[i] - truth[i]));
        largest = fmax(largest, fabs(truth[i]));
    }
    return worst / largest;
}

static void run_backend(const xc_backend *backend, const shape *s, const xc_block *b, tensors *t, int threads) {
    static const xc_activation linear = {.kind = XC_LINEAR};
    const uint64_t zero = 0;
    xc_error error;
    xc_block_args args = {.block = b,
                          .trials = 1,
                          .batch = s->batch,
                          .training = 1,
                          .x = t->x,
                          .parameters = t->w,
                          .gradients = t->dw,
                          .parameter_stride = t->taps,
                          .activation = &linear,
                          .seed = &zero,
                          .step = &zero,
                          .y = t->y,
                          .dy = t->dy,
                          .dx = t->dx};
    begin_block(backend, &args, threads);
    assert_int_equal(backend->conv_block_forward(backend, &args, &error), XC_OK);
    assert_int_equal(backend->conv_block_backward(backend, &args, &error), XC_OK);
    end_block(backend, &args);
}

static void test_against_direct_sums(void **state) {
    const xc_backend *backend = backend_of(state);
    for (int i = 0; i < COUNT(SHAPES); i++) {
        const shape *s = &SHAPES[i];
        const xc_block block = block_of(s);
        tensors t = make_tensors(s, &block);
        sum_directly(s, &block, &t);
        run_backend(backend, s, &block, &t, 1 + i % 3);
        const double y = error_of(t.y, t.y_true, t.out), dx = error_of(t.dx, t.dx_true, t.in),
                     dw = error_of(t.dw, t.dw_true, t.taps);
        print_message("# N%d L%d C%d F%d K%d %s: y %.1e, dx %.1e, dw %.1e of the largest\n", s->batch, s->length,
                      s->channels, s->filters, s->width, s->same ? "same" : "valid", y, dx, dw);
        assert_true(y <= ALLOWED && dx <= ALLOWED && dw <= ALLOWED);
        free_tensors(&t);
    }
}

/* Memory that holds a batch holds every smaller one, as the last batch of an epoch is laid out in it. */
static void test_smaller_batches_fit(void **state) {
    const xc_backend *backend = backend_of(state);
    for (int i = 0; i < COUNT(SHAPES); i++) {
        const xc_block block = block_of(&SHAPES[i]);
        xc_block_memory before = {0}, memory = {0};
        for (int32_t batch = 1; batch <= 130; batch++, before = memory) {
            backend->block_memory(backend, &block, batch, &memory);
            assert_true(memory.saved >= before.saved && memory.scratch >= before.scratch);
            assert_true(memory.thread_scratch >= before.thread_scratch);
        }
    }
}

static xc_block_memory memory_of(const char *set, const shape *s) {
    const xc_backend *backend = backend_of((void *[]){(void *)(uintptr_t)set});
    const xc_block block = block_of(s);
    xc_block_memory memory = {0};
    backend->block_memory(backend, &block, s->batch, &memory);
    return memory;
}

static tensors results_of(const char *set, const shape *s) {
    const xc_backend *backend = backend_of((void *[]){(void *)(uintptr_t)set});
    const xc_block block = block_of(s);
    tensors t = make_tensors(s, &block);
    run_backend(backend, s, &block, &t, 1);
    return t;
}

/* On Zen 4 the block has the memory of `set`, which that of `other` is not, and its bytes come out. */
static void check_chosen(const shape *s, const char *set, const char *other) {
    const xc_block_memory mine = memory_of("zen4", s), its = memory_of(set, s), not = memory_of(other, s);
    tensors found = results_of("zen4", s), expected = results_of(set, s);
    assert_memory_equal(&mine, &its, sizeof mine);
    assert_memory_not_equal(&mine, &not, sizeof mine);
    assert_memory_equal(found.y, expected.y, found.out * sizeof(float));
    assert_memory_equal(found.dx, expected.dx, found.in * sizeof(float));
    assert_memory_equal(found.dw, expected.dw, found.taps * sizeof(float));
    free_tensors(&found);
    free_tensors(&expected);
}

static void test_zen4_chooses_by_the_block(void **state) {
    (void)state;
    check_chosen(&(shape){3, 40, 24, 24, 5, true}, "avx2", "avx512"); /* half a vector of AVX-512 would be lost */
    check_chosen(&(shape){3, 40, 200, 200, 5, true}, "avx512", "avx2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"direct sums (baseline)", test_against_direct_sums, NULL, NULL, "baseline"},
        {"direct sums (avx2)", test_against_direct_sums, NULL, NULL, "avx2"},
        {"direct sums (avx512)", test_against_direct_sums, NULL, NULL, "avx512"},
        {"direct sums (zen4)", test_against_direct_sums, NULL, NULL, "zen4"},
        {"smaller batches fit (baseline)", test_smaller_batches_fit, NULL, NULL, "baseline"},
        {"smaller batches fit (avx2)", test_smaller_batches_fit, NULL, NULL, "avx2"},
        {"smaller batches fit (avx512)", test_smaller_batches_fit, NULL, NULL, "avx512"},
        {"smaller batches fit (zen4)", test_smaller_batches_fit, NULL, NULL, "zen4"},
        cmocka_unit_test(test_zen4_chooses_by_the_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_zen4.c: the backend of Zen 4 gives each block to one of two sets: its memory is laid out as by AVX2 for a block
 * of 24 filters, as by AVX-512 for one of 200, and the ops are those of the same set: the same bytes come out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "block_fixture.h"

#define POSITIONS 40
#define WIDTH 5
#define BATCH 3

static xc_block conv_block(int32_t channels, int32_t filters) {
    return (xc_block){.kind = XC_BLOCK_CONV,
                      .length = POSITIONS,
                      .channels = channels,
                      .width = WIDTH,
                      .pad_left = WIDTH / 2,
                      .conv_length = POSITIONS,
                      .filters = filters,
                      .pool = 1,
                      .out_length = POSITIONS,
                      .before_norm = XC_LINEAR,
                      .kernel = 0,
                      .bias = XC_ABSENT,
                      .gamma = XC_ABSENT,
                      .beta = XC_ABSENT,
                      .running = XC_ABSENT};
}

/* y (BATCH,POSITIONS,filters) of the set, to be freed, of numbers that are always the same. */
static float *output_of(const char *set, const xc_block *block) {
    const void *state = set;
    const xc_backend *backend = backend_of((void **)&state);
    const size_t kernel = (size_t)(WIDTH * block->channels * block->filters);
    const size_t x_floats = (size_t)(BATCH * POSITIONS * block->channels);
    const size_t y_floats = (size_t)(BATCH * POSITIONS * block->filters);
    float *parameters = test_malloc(kernel * sizeof *parameters), *x = test_malloc(x_floats * sizeof *x);
    float *y = test_malloc(y_floats * sizeof *y);
    for (size_t i = 0; i < kernel; i++) parameters[i] = (float)(i * 7919 % 1009) / 1009 - 0.5f;
    for (size_t i = 0; i < x_floats; i++) x[i] = (float)(i * 104729 % 2003) / 2003 - 0.5f;
    const xc_activation activation = {.kind = XC_LINEAR};
    xc_block_args args = {.block = block,
                          .trials = 1,
                          .batch = BATCH,
                          .x = x,
                          .parameters = parameters,
                          .parameter_stride = kernel,
                          .activation = &activation,
                          .y = y};
    xc_error error;
    begin_block(backend, &args, 1);
    assert_int_equal(backend->conv_block_forward(backend, &args, &error), XC_OK);
    end_block(backend, &args);
    test_free(parameters);
    test_free(x);
    return y;
}

static xc_block_memory memory_of(const char *set, const xc_block *block) {
    const void *state = set;
    const xc_backend *backend = backend_of((void **)&state);
    xc_block_memory memory = {0};
    backend->block_memory(backend, block, BATCH, &memory);
    return memory;
}

static void check_same(const xc_block *block, const char *set, const char *other) {
    const xc_block_memory mine = memory_of("zen4", block), its = memory_of(set, block), not = memory_of(other, block);
    const size_t bytes = (size_t)(BATCH * POSITIONS * block->filters) * sizeof(float);
    float *found = output_of("zen4", block), *expected = output_of(set, block);
    assert_memory_equal(&mine, &its, sizeof mine);
    assert_memory_not_equal(&mine, &not, sizeof mine);
    assert_memory_equal(found, expected, bytes);
    test_free(found);
    test_free(expected);
}

static void test_half_a_vector(void **state) {
    (void)state;
    const xc_block block = conv_block(24, 24);
    check_same(&block, "avx2", "avx512");
}

static void test_few_lanes_lost(void **state) {
    (void)state;
    const xc_block block = conv_block(200, 200);
    check_same(&block, "avx512", "avx2");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_a_vector), cmocka_unit_test(test_few_lanes_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* model_fixture.h: small configs, splits and trial states for the tests of the model room. Everything here ends the
 * test when it fails. Not a library: each test program includes it once, after cmocka.
 */
#ifndef EXPCONV_MODEL_FIXTURE_H
#define EXPCONV_MODEL_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "expconv/model.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

static inline xc_block_config conv_entry(uint32_t filters, uint32_t width, xc_padding padding, double dropout,
                                         uint32_t pool, xc_padding pool_padding) {
    return (xc_block_config){.conv = filters,
                             .width = width,
                             .padding = padding,
                             .dropout = dropout,
                             .pool = pool,
                             .pool_padding = pool_padding,
                             .norm = true,
                             .l2 = 1e-6};
}

static inline xc_block_config residual_entry(uint32_t width, uint32_t pool) {
    return (xc_block_config){
        .residual = width, .pool = pool, .pool_padding = XC_PADDING_VALID, .norm = true, .l2 = 1e-6};
}

static inline xc_block_config dense_entry(uint32_t units, double dropout) {
    return (xc_block_config){.dense = units, .dropout = dropout, .pool = 1, .norm = true, .l2 = 1e-6};
}

/* A config of `count` blocks under a name, for any length. */
static inline xc_model_config blocks_config(const char *name, xc_block_config *blocks, uint32_t count) {
    return (xc_model_config){.zoo = (char *)name,
                             .blocks = blocks,
                             .blocks_count = count,
                             .activation = XC_RELU,
                             .init = XC_INIT_GLOROT_UNIFORM,
                             .stddev = 0.05};
}

/* Random sequences (one base in 32 is N) with random 0/1 labels; xc_split_free. */
static inline xc_split random_split(uint32_t sequences, uint32_t length, int32_t classes, uint64_t seed) {
    xc_random_sequence draw = {.seed = seed, .stream = XC_STREAM_SIMULATE, .substream = 99};
    xc_split split = {.classes = classes, .reverse_complement = true};
    xc_dna_builder builder;
    uint8_t *codes = test_malloc(length);
    MUST(xc_dna_builder_open(&builder, sequences, length, error));
    for (uint32_t i = 0; i < sequences; i++) {
        for (uint32_t l = 0; l < length; l++)
            codes[l] = xc_random_below(&draw, 32) == 0 ? XC_BASE_N : (uint8_t)xc_random_below(&draw, 4);
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    test_free(codes);
    xc_dna_builder_finish(&builder, &split.dna);
    float *labels;
    MUST(xc_allocate(&labels, sequences * (size_t)classes, sizeof *labels, "labels", error));
    for (size_t i = 0; i < sequences * (size_t)classes; i++) labels[i] = (float)xc_random_below(&draw, 2);
    split.labels = labels;
    return split;
}

static inline xc_trial_state new_state(const xc_model *model) {
    xc_trial_state state = {0};
    MUST(xc_allocate(&state.parameters, model->parameter_count, sizeof(float), "parameters", error));
    MUST(xc_allocate(&state.first_moment, model->parameter_count, sizeof(float), "moments", error));
    MUST(xc_allocate(&state.second_moment, model->parameter_count, sizeof(float), "moments", error));
    MUST(xc_allocate(&state.running, model->running_count, sizeof(float), "running statistics", error));
    return state;
}

static inline void free_state(xc_trial_state *state) {
    free(state->parameters);
    free(state->first_moment);
    free(state->second_moment);
    free(state->running);
    *state = (xc_trial_state){0};
}

static inline void assert_same_state(const xc_model *model, const xc_trial_state *a, const xc_trial_state *b) {
    const size_t parameters = model->parameter_count * sizeof(float);
    assert_memory_equal(a->parameters, b->parameters, parameters);
    assert_memory_equal(a->first_moment, b->first_moment, parameters);
    assert_memory_equal(a->second_moment, b->second_moment, parameters);
    assert_memory_equal(a->running, b->running, model->running_count * sizeof(float));
    assert_int_equal(a->step, b->step);
}

#endif

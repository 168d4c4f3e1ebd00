/* test_model.c: blocks become the layers that TensorFlow would make of them, what cannot be is refused in one line, and
 * the initial weights have the distributions of Keras' initialisers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "model_fixture.h"

#define SAME XC_PADDING_SAME
#define VALID XC_PADDING_VALID

static xc_model model; /* too large for some stacks */

static void build(const xc_model_config *config, int32_t length, int32_t classes) {
    MUST(xc_model_build(config, length, classes, &model, error));
}

/* conv_length, out_length and inputs of layer i. */
static void assert_layer(int i, xc_block_kind kind, int32_t length, int32_t channels, int32_t conv_length,
                         int32_t out_length, int32_t filters, int32_t input, int32_t skip) {
    const xc_layer *layer = &model.layer[i];
    assert_int_equal(layer->block.kind, kind);
    assert_int_equal(layer->block.length, length);
    assert_int_equal(layer->block.channels, channels);
    assert_int_equal(layer->block.conv_length, conv_length);
    assert_int_equal(layer->block.out_length, out_length);
    assert_int_equal(layer->block.filters, filters);
    assert_int_equal(layer->input, input);
    assert_int_equal(layer->skip, skip);
    assert_int_equal(layer->block.dropout_stream, i);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static void cnn_deep_has_the_published_shape(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(32, 19, SAME, .1, 1, VALID), conv_entry(48, 7, SAME, .2, 4, VALID),
                                conv_entry(96, 7, VALID, .3, 4, VALID), conv_entry(128, 3, VALID, .4, 3, VALID),
                                dense_entry(512, .5)};
    const xc_model_config config = blocks_config("cnn-deep", blocks, 5);
    build(&config, 200, 12);
    assert_string_equal(model.name, "cnn-deep");
    assert_int_equal(model.layer_count, 6);
    assert_layer(0, XC_BLOCK_MOTIF, 200, 4, 200, 200, 32, -1, -1);
    assert_layer(1, XC_BLOCK_CONV, 200, 32, 200, 50, 48, 0, -1);
    assert_layer(2, XC_BLOCK_CONV, 50, 48, 44, 11, 96, 1, -1);
    assert_layer(3, XC_BLOCK_CONV, 11, 96, 9, 3, 128, 2, -1);
    assert_layer(4, XC_BLOCK_DENSE, 1, 384, 1, 1, 512, 3, -1);
    assert_layer(5, XC_BLOCK_DENSE, 1, 512, 1, 1, 12, 4, -1);
    assert_int_equal(model.layer[0].block.pad_left, 9);
    assert_int_equal(model.layer[1].block.pad_left, 3);
    assert_int_equal(model.layer[2].block.pad_left, 0);
    assert_true(model.layer[0].first);
    assert_false(model.layer[1].first);
    assert_int_equal(model.layer[4].activation, XC_RELU);
    assert_int_equal(model.layer[5].activation, XC_LINEAR);
    assert_true(model.layer[5].block.gamma == XC_ABSENT && model.layer[5].block.bias != XC_ABSENT);
    assert_true(model.layer[0].block.bias == XC_ABSENT && model.layer[4].block.bias == XC_ABSENT);
    assert_float_equal(model.layer[3].block.dropout, .4, 1e-7);
    assert_float_equal(model.layer[5].block.dropout, 0, 0);
    size_t count = 0;
    for (int32_t i = 0; i < model.tensor_count; i++) count += model.tensor[i].count;
    assert_int_equal(count, 19 * 4 * 32 + 2 * 32 + 7 * 32 * 48 + 2 * 48 + 7 * 48 * 96 + 2 * 96 + 3 * 96 * 128 +
                                2 * 128 + 384 * 512 + 2 * 512 + 512 * 12 + 12);
    assert_string_equal(model.tensor[0].name, "block0.kernel");
    assert_string_equal(model.tensor[model.tensor_count - 1].name, "block5.bias");
}

static void tensors_neither_overlap_nor_leave_the_stride(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(5, 3, SAME, 0, 1, VALID), residual_entry(3, 2), dense_entry(7, 0)};
    blocks[2].l2 = 0;
    const xc_model_config config = blocks_config("small", blocks, 3);
    build(&config, 9, 3);
    size_t end = 0;
    for (int32_t i = 0; i < model.tensor_count; i++) {
        assert_true(model.tensor[i].offset >= end);
        end = model.tensor[i].offset + model.tensor[i].count;
    }
    assert_true(end <= model.parameter_count && model.parameter_count % 16 == 0 && model.running_count % 16 == 0);
    assert_int_equal(model.l2_count, 3); /* the convolutions' kernels; not the dense one's, nor the output's */
    end = 0;
    for (int32_t i = 0; i < model.l2_count; i++) {
        assert_true(model.l2[i].offset >= end);
        end = model.l2[i].offset + model.l2[i].count;
        assert_float_equal(model.l2[i].factor, 1e-6, 1e-12);
    }
}

static void a_residual_is_two_convolutions_and_a_sum(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(24, 19, SAME, .1, 1, VALID), residual_entry(5, 10), dense_entry(96, .5)};
    blocks[1].dropout = .25;
    const xc_model_config config = blocks_config("r", blocks, 3);
    build(&config, 400, 1);
    assert_int_equal(model.layer_count, 6);
    assert_layer(1, XC_BLOCK_CONV, 400, 24, 400, 400, 24, 0, -1);
    assert_layer(2, XC_BLOCK_CONV, 400, 24, 400, 400, 24, 1, -1);
    assert_layer(3, XC_BLOCK_ADD, 400, 24, 400, 40, 24, 2, 0);
    assert_layer(4, XC_BLOCK_DENSE, 1, 960, 1, 1, 96, 3, -1);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(model.layer[i].block.before_norm, XC_RELU);
        assert_int_equal(model.layer[i].block.width, 5);
        assert_int_equal(model.layer[i].block.pad_left, 2);
        assert_true(model.layer[i].block.gamma != XC_ABSENT);
        assert_int_equal(model.tensor[3 * i].init, XC_INIT_HE_NORMAL);
    }
    assert_int_equal(model.layer[1].activation, XC_RELU);
    assert_int_equal(model.layer[2].activation, XC_LINEAR);
    assert_int_equal(model.layer[3].activation, XC_RELU);
    assert_int_equal(model.layer[3].block.width, 1);
    assert_int_equal(model.layer[3].block.pool, 10);
    assert_float_equal(model.layer[3].block.dropout, .25, 0);
    assert_true(model.layer[3].block.kernel == XC_ABSENT && model.layer[3].block.gamma == XC_ABSENT);
}

static void padding_is_tensorflows(void **state) {
    (void)state;
    /* Even widths and pools: the zero too many stands on the right. */
    xc_block_config blocks[] = {conv_entry(2, 6, SAME, 0, 50, SAME), conv_entry(3, 5, SAME, 0, 3, SAME)};
    const xc_model_config config = blocks_config("padded", blocks, 2);
    build(&config, 325, 1);
    assert_int_equal(model.layer[0].block.pad_left, 2);
    assert_layer(0, XC_BLOCK_MOTIF, 325, 4, 325, 7, 2, -1, -1);
    assert_int_equal(model.layer[0].block.pool_pad_left, 12); /* 25 missing */
    assert_layer(1, XC_BLOCK_CONV, 7, 2, 7, 3, 3, 0, -1);
    assert_int_equal(model.layer[1].block.pool_pad_left, 1);
    assert_layer(2, XC_BLOCK_DENSE, 1, 9, 1, 1, 1, 1, -1);
}

static void blocks_may_name_their_activation_and_drop_the_norm(void **state) {
    (void)state;
    xc_activation_kind tanh_kind = XC_TANH, elu = XC_ELU;
    xc_block_config blocks[] = {conv_entry(2, 3, SAME, 0, 1, VALID), dense_entry(4, 0)};
    blocks[0].activation = &tanh_kind;
    blocks[0].norm = false;
    blocks[1].activation = &elu;
    xc_model_config config = blocks_config("named", blocks, 2);
    config.init = XC_INIT_LECUN_NORMAL;
    build(&config, 8, 1);
    assert_false(model.layer[0].first);
    assert_int_equal(model.layer[0].activation, XC_TANH);
    assert_int_equal(model.layer[1].activation, XC_ELU);
    assert_true(model.layer[0].block.gamma == XC_ABSENT && model.layer[0].block.bias == XC_ABSENT);
    assert_true(model.layer[0].block.running == XC_ABSENT);
    assert_int_equal(model.tensor[0].init, XC_INIT_LECUN_NORMAL);
    assert_int_equal(model.tensor[1].init, XC_INIT_GLOROT_UNIFORM);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void assert_refused(const xc_model_config *config, int32_t length, xc_status status, const char *line) {
    xc_error error = {0};
    assert_int_equal(xc_model_build(config, length, 2, &model, &error), status);
    assert_string_equal(error.text, line);
}

static void what_leaves_no_position_is_refused(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(32, 19, SAME, 0, 4, VALID), conv_entry(96, 7, VALID, 0, 1, VALID)};
    xc_model_config config = blocks_config("cnn-deep", blocks, 2);
    assert_refused(&config, 20, XC_INPUT,
                   "model cnn-deep: block 2 (conv 96, width 7, valid) needs at least 7 positions "
                   "but gets 5; use longer sequences or smaller pools");
    MUST(xc_model_build(&config, 28, 2, &model, error)); /* exactly 7 */
    blocks[1].pool = 2;
    assert_refused(&config, 28, XC_INPUT,
                   "model cnn-deep: block 2 (conv 96, width 7, valid) ends in a valid pool of 2, "
                   "which needs at least 2 positions but gets 1; use longer sequences or smaller pools");
    blocks[1] = residual_entry(3, 6);
    assert_refused(&config, 20, XC_INPUT,
                   "model cnn-deep: block 2 (residual 3) ends in a valid pool of 6, which needs at "
                   "least 6 positions but gets 5; use longer sequences or smaller pools");
}

static void sequences_of_the_wrong_length_are_refused(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(4, 19, SAME, 0, 1, VALID)};
    xc_model_config config = blocks_config("short", blocks, 1);
    assert_refused(&config, 18, XC_INPUT,
                   "model short: sequences of 18 bases are shorter than the first kernel's width "
                   "of 19; use longer sequences");
    config.length = 200;
    assert_refused(&config, 400, XC_INPUT,
                   "model short is for sequences of 200 bases but the data has 400; use a model "
                   "of that length or write the blocks out without a length");
}

static void what_is_no_network_is_refused(void **state) {
    (void)state;
    xc_block_config blocks[] = {dense_entry(4, 0), conv_entry(4, 3, SAME, 0, 1, VALID), dense_entry(4, 0)};
    xc_model_config config = blocks_config("odd", blocks, 1);
    assert_refused(&config, 20, XC_INPUT,
                   "model odd: block 1 (dense 4) comes first; the first block must be a "
                   "convolution");
    config.blocks = blocks + 1;
    config.blocks_count = 2;
    blocks[2].pool = 3;
    assert_refused(&config, 20, XC_INPUT,
                   "model odd: block 2 (dense 4) has a pool; only convolutions and residuals can");
    blocks[2] = (xc_block_config){.conv = 3, .dense = 2};
    assert_refused(&config, 20, XC_INPUT, "model odd: block 2 must have exactly one of conv, residual and dense");
    blocks[0] = conv_entry(4, 3, SAME, 0, 1, VALID);
    blocks[1] = dense_entry(4, 0);
    blocks[2] = conv_entry(3, 1, SAME, 0, 1, VALID);
    config.blocks = blocks;
    config.blocks_count = 3;
    assert_refused(&config, 20, XC_INPUT,
                   "model odd: block 3 (conv 3, width 1, same) comes after a dense block; put it "
                   "before");
    blocks[2] = dense_entry(4, 1);
    assert_refused(&config, 20, XC_INPUT,
                   "model odd: block 3 (dense 4) has dropout 1; it must be at least 0 and less "
                   "than 1");
    config.blocks_count = 0;
    assert_refused(&config, 20, XC_INPUT, "model odd has no blocks; name a model of the zoo or list blocks");
}

static void sizes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(1000000, 3, SAME, 0, 1, VALID), dense_entry(1000000, 0)};
    xc_model_config config = blocks_config("huge", blocks, 2);
    assert_refused(&config, 5000, XC_INPUT,
                   "model huge: block 2 (dense 1000000) gets 5000000000 inputs, more than 2^31; "
                   "use larger pools before it");
    assert_refused(&config, 1000, XC_INPUT,
                   "model huge: block 2 (dense 1000000) brings the model to more than 2^31 "
                   "parameters; use fewer filters or units, or larger pools");
    xc_block_config many[70];
    for (int i = 0; i < 70; i++) many[i] = conv_entry(2, 3, SAME, 0, 1, VALID);
    config = blocks_config("long", many, 70);
    assert_refused(&config, 20, XC_INPUT, "model long has more than 64 layers; use fewer blocks");
}

/* ---- initialisers ------------------------------------------------------------------------------------------------ */

typedef struct moments {
    double mean, deviation, largest;
} moments;

static moments measure(const float *values, size_t count) {
    double sum = 0, squares = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        squares += (double)values[i] * values[i];
        if (fabs(values[i]) > largest) largest = fabs(values[i]);
    }
    const double mean = sum / (double)count;
    return (moments){mean, sqrt(squares / (double)count - mean * mean), largest};
}

static void initialise(uint64_t seed, xc_trial_state *state) {
    *state = new_state(&model);
    xc_model_initialise(&model, seed, state->parameters, state->running);
}

/* The first kernel, (19,4,2000): fan in 76, fan out 38,000; 152,000 draws, whose deviation is known to 0.2%. */
static void assert_initialiser(xc_init init, double deviation, double bound) {
    xc_block_config blocks[] = {conv_entry(2000, 19, SAME, 0, 1000, SAME)};
    xc_model_config config = blocks_config("wide", blocks, 1);
    config.init = init;
    build(&config, 20, 1);
    xc_trial_state trial;
    initialise(7, &trial);
    const moments found = measure(trial.parameters, model.tensor[0].count);
    assert_true(fabs(found.mean) < 4 * deviation / sqrt((double)model.tensor[0].count));
    assert_float_equal(found.deviation / deviation, 1, 0.01);
    assert_true(found.largest <= bound * (1 + 1e-6));
    assert_true(found.largest > 0.99 * bound || init == XC_INIT_NORMAL);
    free_state(&trial);
}

static void initialisers_are_keras(void **state) {
    (void)state;
    const double in = 76, out = 38000, cut = 2 / .87962566103423978;
    const double glorot = sqrt(2 / (in + out)), he = sqrt(2 / in), lecun = sqrt(1 / in);
    assert_initialiser(XC_INIT_GLOROT_UNIFORM, glorot, sqrt(6 / (in + out)));
    assert_initialiser(XC_INIT_GLOROT_NORMAL, glorot, cut * glorot);
    assert_initialiser(XC_INIT_HE_UNIFORM, he, sqrt(6 / in));
    assert_initialiser(XC_INIT_HE_NORMAL, he, cut * he);
    assert_initialiser(XC_INIT_LECUN_UNIFORM, lecun, sqrt(3 / in));
    assert_initialiser(XC_INIT_LECUN_NORMAL, lecun, cut * lecun);
    assert_initialiser(XC_INIT_NORMAL, 0.05, 6 * 0.05); /* not truncated */
}

static void initial_state_is_a_function_of_the_seed(void **state) {
    (void)state;
    xc_block_config blocks[] = {conv_entry(8, 5, SAME, 0, 1, VALID), residual_entry(3, 2), dense_entry(6, 0)};
    xc_model_config config = blocks_config("small", blocks, 3);
    build(&config, 10, 2);
    xc_trial_state a, b, c;
    initialise(1, &a);
    initialise(1, &b);
    initialise(2, &c);
    assert_same_state(&model, &a, &b);
    for (int32_t i = 0; i < model.tensor_count; i++) {
        const xc_tensor *tensor = &model.tensor[i];
        const bool differs =
            memcmp(a.parameters + tensor->offset, c.parameters + tensor->offset, tensor->count * 4) != 0;
        assert_int_equal(differs, tensor->is_kernel);
    }
    const xc_block *block = &model.layer[2].block;
    for (int32_t f = 0; f < block->filters; f++) {
        assert_true(a.parameters[block->gamma + (size_t)f] == 1 && a.parameters[block->beta + (size_t)f] == 0);
        assert_true(a.running[block->running + (size_t)f] == 0);
        assert_true(a.running[block->running + (size_t)(block->filters + f)] == 1);
    }
    /* The first kernel's initialiser is nobody else's. */
    config.init = XC_INIT_HE_NORMAL;
    build(&config, 10, 2);
    free_state(&b);
    initialise(1, &b);
    const size_t first = model.tensor[1].offset;
    assert_memory_not_equal(a.parameters, b.parameters, first * sizeof(float));
    assert_memory_equal(a.parameters + first, b.parameters + first, (model.parameter_count - first) * sizeof(float));
    free_state(&a);
    free_state(&b);
    free_state(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cnn_deep_has_the_published_shape),
        cmocka_unit_test(tensors_neither_overlap_nor_leave_the_stride),
        cmocka_unit_test(a_residual_is_two_convolutions_and_a_sum),
        cmocka_unit_test(padding_is_tensorflows),
        cmocka_unit_test(blocks_may_name_their_activation_and_drop_the_norm),
        cmocka_unit_test(what_leaves_no_position_is_refused),
        cmocka_unit_test(sequences_of_the_wrong_length_are_refused),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(initialisers_are_keras),
        cmocka_unit_test(initial_state_is_a_function_of_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

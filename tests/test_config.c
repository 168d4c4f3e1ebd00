/* test_config.c: the config room: defaults, overrides, copies, the round trip through text, every config that is
 * shipped, and the words.
 */
#include "config_fixture.h"

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void defaults_are_the_papers(void **state) {
    (void)state;
    xc_config *config = good(DATA "train: ~\nsweep:\n", NULL);
    const xc_train_config *train = &config->train;
    assert_string_equal(config->data.file, "a.h5");
    assert_false(config->data.reverse_complement);
    assert_null(config->data.train_x);
    assert_string_equal(config->model.zoo, "cnn-deep");
    assert_int_equal(config->model.length, 200);
    assert_int_equal(config->model.blocks_count, 5);
    assert_int_equal(config->model.activation, XC_EXPONENTIAL);
    assert_int_equal(config->model.init, XC_INIT_GLOROT_UNIFORM);
    assert_true(config->model.stddev == 0.05);
    assert_int_equal(config->model.precision, XC_FP32);
    assert_int_equal(train->epochs, 100);
    assert_int_equal(train->batch, 100);
    assert_int_equal(train->optimizer, XC_ADAM);
    assert_true(train->learning_rate == 0.001 && train->beta1 == 0.9 && train->beta2 == 0.999);
    assert_true(train->epsilon == 1e-7);
    assert_int_equal(train->loss, XC_LOSS_BINARY);
    assert_null(train->class_weights);
    assert_int_equal(train->monitor, XC_METRIC_AUROC);
    assert_int_equal(train->early_stop.patience, 20);
    assert_true(train->early_stop.min_delta == 0);
    assert_int_equal(train->reduce_lr.patience, 5);
    assert_true(train->reduce_lr.factor == 0.2 && train->reduce_lr.min == 1e-7 && train->reduce_lr.min_delta == 1e-4);
    assert_int_equal(train->reduce_lr.cooldown, 0);
    assert_false(train->best_weights);
    assert_int_equal(train->seed, 0);
    assert_true(config->exponential.clip == 30 && config->exponential.scale == 1);
    assert_int_equal(config->exponential.beyond, XC_BEYOND_LINEAR);
    assert_int_equal(config->sweep.seeds, 1);
    assert_int_equal(config->sweep.activation_count, 0);
    xc_config_free(config);

    config = good(DATA "model: {blocks: [{conv: 2, width: 3}]}\n", NULL);
    const xc_block_config *block = config->model.blocks;
    assert_string_equal(config->model.zoo, "custom");
    assert_int_equal(config->model.length, 0);
    assert_int_equal(block->padding, XC_PADDING_SAME);
    assert_int_equal(block->pool, 1);
    assert_int_equal(block->pool_padding, XC_PADDING_VALID);
    assert_true(block->norm && block->dropout == 0 && block->l2 == 1e-6);
    assert_null(block->activation);
    xc_config_free(config);

    config = good(DATA "sweep: {zoo: [cnn-50-1000, cnn-2-1000]}\n", NULL);
    assert_string_equal(config->model.zoo, "cnn-50-1000"); /* what is swept stands for the model that is not given */
    assert_int_equal(config->model.length, 1000);
    xc_config_free(config);
}

static void overrides_go_over_the_file_in_order(void **state) {
    (void)state;
    static const char *const overrides[] = {
        "train.epochs=7", "train.epochs=9", "model.zoo=cnn-2", "sweep.activation=[relu, Exponential]",
        "train.early_stop.patience=3", "train.reduce_lr={patience: 2, factor: 0.5}", "data.reverse_complement=yes",
        "sweep.init=", "train.batch=null", "data.train_x=a=b.c", "train.weights=best", "train.monitor=val_loss"};
    xc_config *config = NULL;
    xc_error error = {0};
    static const char text[] = DATA "train:\n  epochs: 5\n  batch: 50\n  reduce_lr: {min: 0.5}\n"
                                    "sweep: {init: [normal, he_normal], seeds: 4}\n";
    write_file(SWEEP, text, strlen(text));
    if (xc_config_read(SWEEP, overrides, sizeof overrides / sizeof *overrides, &config, &error) != XC_OK)
        fail_msg("refused: %s", error.text);
    assert_int_equal(config->train.epochs, 9);
    assert_int_equal(config->train.batch, 100); /* null takes the file's away */
    assert_string_equal(config->model.zoo, "cnn-2");
    assert_int_equal(config->sweep.activation_count, 2);
    assert_int_equal(config->sweep.activation[0], XC_RELU);
    assert_int_equal(config->sweep.activation[1], XC_EXPONENTIAL);
    assert_int_equal(config->sweep.init_count, 0);
    assert_int_equal(config->sweep.seeds, 4);
    assert_int_equal(config->train.early_stop.patience, 3);
    assert_int_equal(config->train.reduce_lr.patience, 2);
    assert_true(config->train.reduce_lr.factor == 0.5 && config->train.reduce_lr.min == 1e-7);
    assert_true(config->data.reverse_complement);
    assert_true(config->train.best_weights);
    assert_int_equal(config->train.monitor, XC_METRIC_LOSS);
    assert_string_equal(config->data.train_x, "a=b.c");
    xc_config_free(config);
}

/* Each override is blamed for its own value alone. */
static void the_faulty_override_is_named(void **state) {
    (void)state;
    static const char *const first[] = {"train.epochs=0", "train.batch=1"};
    static const char *const second[] = {"train.epochs=1", "train.batch=0"};
    xc_config *config = NULL;
    xc_error error = {0};
    write_file(SWEEP, DATA, strlen(DATA));
    assert_int_equal(xc_config_read(SWEEP, first, 2, &config, &error), XC_USAGE);
    assert_string_equal(error.text, "--set train.epochs=0: train.epochs is 0; it must be from 1 to 1000000");
    xc_config_free(config);
    assert_int_equal(xc_config_read(SWEEP, second, 2, &config, &error), XC_USAGE);
    assert_string_equal(error.text, "--set train.batch=0: train.batch is 0; it must be from 1 to 1000000");
    xc_config_free(config);
}

/* ---- text and copies -------------------------------------------------------------------------------------------- */

/* No member has its default. */
static const char unusual[] =
    "data: {file: \"a \\\"b\\\"\\n\\x01\\\\ \\u00e9.h5\", reverse_complement: true, train_x: 'null', train_y: 'yes', "
    "valid_x: x y, valid_y: '1e5', test_x: \"-\", test_y: 'it''s'}\n"
    "model:\n  zoo: mine_1\n  length: 77\n  activation: shift_scale_tanh\n  init: normal\n  stddev: 0.1234567890123456789\n  precision: BF16\n"
    "  blocks:\n"
    "    - {conv: 3, width: 5, padding: valid, dropout: 0.3333333333333333, pool: 2, pool_padding: same, norm: false}\n"
    "    - {residual: 3, pool: 3, pool_padding: same, l2: 0}\n"
    "    - {conv: 4, width: 2, activation: log_relu, l2: 1.0e-17}\n"
    "    - {dense: 9, activation: tanh, norm: no, dropout: 0.1, l2: 12345678.9}\n"
    "train: {epochs: 1, batch: 2, optimizer: sgd, learning_rate: 1.0e-300, beta1: 0.1, beta2: 0.2, epsilon: 4.9e-324,\n"
    "  momentum: 0.7, loss: mean_squared_error, class_weights: [0, 2.5, 1e22, 0.00001], monitor: val_pearson,\n"
    "  early_stop: {patience: 0, min_delta: 0.5}, weights: best, seed: 18446744073709551000,\n"
    "  reduce_lr: {patience: 0, factor: 0.99999999999999989, min: 0, min_delta: 123456789012345678, cooldown: 4294967295}}\n"
    "exponential: {clip: -3.5, beyond: hard, scale: -1.5e10}\n"
    "sweep: {zoo: [cnn-2, basset], activation: [elu, exponential], init: [normal, he_uniform], stddev: [0.1, 3],\n"
    "  scale: [0.1, -2], clip: [1, 2.5], learning_rate: [0.1, 1e-5], seeds: 3}\n";

static void text_and_config_are_the_same(void **state) {
    (void)state;
    xc_config *config = good(unusual, NULL);
    assert_string_equal(config->data.file, "a \"b\"\n\x01\\ \xc3\xa9.h5");
    assert_string_equal(config->data.train_x, "null");
    assert_string_equal(config->data.test_y, "it's");
    assert_int_equal(*config->model.blocks[2].activation, XC_LOG_RELU);
    assert_int_equal(config->model.precision, XC_BF16);
    assert_true(config->train.class_weights[2] == 1e22 && config->train.epsilon == 4.9e-324);
    assert_true(config->train.seed == UINT64_C(18446744073709551000));
    assert_round_trip(config);
    assert_round_trip(good(DATA, NULL));
}

static void written_text_is_complete_and_readable(void **state) {
    (void)state;
    xc_config *config = good(DATA "model: {zoo: residualbind}\nsweep: {activation: [relu, tanh], seeds: 2}\n", NULL);
    char *text = text_of(config);
    assert_string_equal(
        text,
        "data:\n  file: a.h5\n  reverse_complement: false\n"
        "model:\n  zoo: residualbind\n  length: 400\n  activation: exponential\n  init: glorot_uniform\n  stddev: 0.05\n"
        "  precision: fp32\n"
        "  blocks:\n"
        "    - {conv: 24, width: 19, padding: same, dropout: 0.1, pool: 1, pool_padding: valid, norm: true, l2: 1.0e-6}\n"
        "    - {residual: 5, pool: 10, pool_padding: valid, l2: 1.0e-6}\n"
        "    - {conv: 48, width: 7, padding: same, dropout: 0.3, pool: 5, pool_padding: valid, norm: true, l2: 1.0e-6}\n"
        "    - {conv: 64, width: 3, padding: valid, dropout: 0.4, pool: 4, pool_padding: valid, norm: true, l2: 1.0e-6}\n"
        "    - {dense: 96, dropout: 0.5, norm: true, l2: 1.0e-6}\n"
        "train:\n  epochs: 100\n  batch: 100\n  optimizer: adam\n  learning_rate: 0.001\n  beta1: 0.9\n  beta2: 0.999\n"
        "  epsilon: 1.0e-7\n  momentum: 0.9\n  loss: binary_crossentropy\n  monitor: val_auroc\n"
        "  early_stop: {patience: 20, min_delta: 0}\n"
        "  reduce_lr: {patience: 5, factor: 0.2, min: 1.0e-7, min_delta: 0.0001, cooldown: 0}\n"
        "  weights: last\n  seed: 0\n"
        "exponential: {clip: 30, beyond: linear, scale: 1}\n"
        "sweep:\n  activation: [relu, tanh]\n  seeds: 2\n");
    free(text);
    xc_config_free(config);
}

static void copies_are_deep_and_have_no_sweep(void **state) {
    (void)state;
    xc_config *config = good(unusual, NULL), *copy = NULL, *second = NULL;
    xc_error error = {0};
    assert_int_equal(xc_config_copy(config, &copy, &error), XC_OK);
    assert_same(config, copy);
    assert_same_sweep(&copy->sweep, &(const xc_sweep_config){.seeds = 1});
    char *before = text_of(copy);
    assert_null(strstr(before, "sweep"));
    xc_config_free(config);

    assert_int_equal(xc_config_copy(copy, &second, &error), XC_OK);
    assert_int_equal(xc_config_set_zoo(second, "basset", &error), XC_OK);
    second->data.file[0] = 'z';
    char *after = text_of(copy);
    assert_string_equal(before, after);
    free(before);
    free(after);
    xc_config_free(copy);
    xc_config_free(second);
}

/* A zoo model that is taken for another keeps the precision, and every block of the model has it. */
static void every_block_has_the_precision(void **state) {
    (void)state;
    static const char *const words[] = {"fp32", "tf32", "bf16"};
    xc_model *model = test_malloc(sizeof *model);
    xc_error error = {0};
    for (int i = 0; i < XC_PRECISION_COUNT; i++) {
        char text[96];
        snprintf(text, sizeof text, DATA "model: {zoo: cnn-2, precision: %s}\n", words[i]);
        xc_config *config = good(text, NULL);
        assert_int_equal(xc_config_set_zoo(config, "residualbind", &error), XC_OK);
        assert_int_equal(xc_model_build(&config->model, 400, 2, model, &error), XC_OK);
        assert_int_equal(model->layer_count, 8);
        for (int32_t l = 0; l < model->layer_count; l++) assert_int_equal(model->layer[l].block.precision, i);
        xc_config_free(config);
    }
    test_free(model);
}

/* ---- shipped configs -------------------------------------------------------------------------------------------- */

static const struct {
    const char *path;
    size_t models, activations, inits, stddevs, scales, seeds;
    xc_metric monitor;
    bool reverse_complement;
} shipped[] = {
    {"configs/demo.yaml", 2, 2, 0, 0, 0, 0, XC_METRIC_AUPR, false}, /* as many seeds as time allows */
    {"configs/paper/task1.yaml", 3, 17, 0, 0, 0, 10, XC_METRIC_AUPR, false},
    {"configs/paper/task2.yaml", 3, 17, 0, 0, 0, 10, XC_METRIC_AUPR, false},
    {"configs/paper/task3.yaml", 2, 11, 0, 0, 0, 10, XC_METRIC_AUROC, false},
    {"configs/paper/task4.yaml", 0, 2, 0, 0, 0, 10, XC_METRIC_AUROC, true},
    {"configs/paper/task5.yaml", 0, 2, 0, 0, 0, 10, XC_METRIC_AUROC, true},
    {"configs/paper/task6.yaml", 0, 2, 0, 0, 0, 10, XC_METRIC_AUROC, true},
    {"configs/paper/initialisations.yaml", 0, 2, 6, 0, 0, 10, XC_METRIC_AUROC, false},
    {"configs/paper/initialisations-nobn.yaml", 0, 2, 6, 0, 0, 10, XC_METRIC_AUROC, false},
    {"configs/paper/stddev.yaml", 0, 2, 0, 15, 0, 10, XC_METRIC_AUROC, false},
    {"configs/paper/scale.yaml", 0, 0, 0, 0, 11, 10, XC_METRIC_AUROC, false},
    {"configs/paper/thresholds.yaml", 0, 2, 0, 0, 0, 10, XC_METRIC_AUPR, false},
};

static void shipped_configs_are_good(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        xc_config *config = NULL;
        xc_error error = {0};
        if (xc_config_read(shipped[i].path, NULL, 0, &config, &error) != XC_OK) fail_msg("refused: %s", error.text);
        const xc_sweep_config *sweep = &config->sweep;
        assert_int_equal(sweep->zoo_count, shipped[i].models);
        assert_int_equal(sweep->activation_count, shipped[i].activations);
        assert_int_equal(sweep->init_count, shipped[i].inits);
        assert_int_equal(sweep->stddev_count, shipped[i].stddevs);
        assert_int_equal(sweep->scale_count, shipped[i].scales);
        assert_int_equal(sweep->clip_count + sweep->learning_rate_count, 0);
        if (shipped[i].seeds) assert_int_equal(sweep->seeds, shipped[i].seeds);
        assert_int_equal(config->train.monitor, shipped[i].monitor);
        assert_int_equal(config->data.reverse_complement, shipped[i].reverse_complement);
        for (uint32_t a = 0; a < sweep->activation_count; a++)
            assert_true(sweep->activation[a] != XC_LOG && sweep->activation[a] != XC_LOG_RELU);
        assert_round_trip(config);
    }
}

/* The papers' protocol is the default, so no shipped experiment departs from it. */
static void paper_configs_keep_the_protocol(void **state) {
    (void)state;
    xc_config *standard = good(DATA, NULL);
    for (size_t i = 1; i < sizeof shipped / sizeof *shipped; i++) {
        xc_config *config = NULL;
        xc_error error = {0};
        assert_int_equal(xc_config_read(shipped[i].path, NULL, 0, &config, &error), XC_OK);
        const xc_train_config *train = &config->train;
        assert_int_equal(train->epochs, standard->train.epochs);
        assert_int_equal(train->batch, standard->train.batch);
        assert_true(train->learning_rate == standard->train.learning_rate);
        assert_memory_equal(&train->early_stop, &standard->train.early_stop, sizeof train->early_stop);
        assert_true(train->reduce_lr.factor == 0.2 && train->reduce_lr.patience == 5);
        assert_false(train->best_weights);
        xc_config_free(config);
    }
    xc_config_free(standard);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void words_are_those_of_the_lists(void **state) {
    (void)state;
    assert_string_equal(xc_activation_word(XC_EXPONENTIAL), "exponential");
    assert_string_equal(xc_activation_word(XC_LOG_RELU), "log_relu");
    assert_string_equal(xc_init_word(XC_INIT_NORMAL), "normal");
    assert_string_equal(xc_metric_word(XC_METRIC_AVERAGE_PRECISION), "average_precision");
    assert_string_equal(xc_loss_word(XC_LOSS_SQUARED), "mean_squared_error");
    assert_string_equal(xc_precision_word(XC_FP32), "fp32");
    assert_string_equal(xc_precision_word(XC_TF32), "tf32");
    assert_string_equal(xc_precision_word(XC_BF16), "bf16");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(overrides_go_over_the_file_in_order),
        cmocka_unit_test(the_faulty_override_is_named),
        cmocka_unit_test(text_and_config_are_the_same),
        cmocka_unit_test(written_text_is_complete_and_readable),
        cmocka_unit_test(copies_are_deep_and_have_no_sweep),
        cmocka_unit_test(every_block_has_the_precision),
        cmocka_unit_test(shipped_configs_are_good),
        cmocka_unit_test(paper_configs_keep_the_protocol),
        cmocka_unit_test(words_are_those_of_the_lists),
    };
    return cmocka_run_group_tests(tests, make_config_folder, NULL);
}

/* test_config.c: the config room: what a config may say and what is refused with which line, defaults, overrides, copies,
 * the round trip through text, the zoo against the paper's table, and every config that is shipped.
 * Runs in the repository's root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expconv/model.h"

#define FOLDER "build/test_config"
#define SWEEP FOLDER "/sweep.yaml"
#define DATA "data: {file: a.h5}\n"

static void write_file(const char *path, const char *text, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static xc_status read_config(const char *text, const char *override, xc_config **config, xc_error *error) {
    write_file(SWEEP, text, strlen(text));
    return xc_config_read(SWEEP, &override, override != NULL, config, error);
}

/* A config that must be good. */
static xc_config *good(const char *text, const char *override) {
    xc_config *config = NULL;
    xc_error error = {0};
    if (read_config(text, override, &config, &error) != XC_OK) fail_msg("refused: %s", error.text);
    return config;
}

static char *text_of(const xc_config *config) {
    char *text = NULL;
    xc_error error = {0};
    assert_int_equal(xc_config_write(config, &text, &error), XC_OK);
    return text;
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *text, *override, *line; /* the error line; of the file it follows SWEEP, of an override "--set " */
} refusal;

static const refusal refusals[] = {
    /* keys */
    {DATA "model:\n  activaton: relu\n", 0, ":3: unknown key \"activaton\" in model; did you mean \"activation\"?"},
    {DATA "modle: {}\n", 0, ":2: unknown key \"modle\"; did you mean \"model\"?"},
    {DATA "epochs: 3\n", 0, ":2: unknown key \"epochs\"; did you mean \"train.epochs\"?"},
    {DATA "train:\n  early_stop:\n    patienc: 1\n", 0,
     ":4: unknown key \"patienc\" in train.early_stop; did you mean \"patience\"?"},
    {DATA "train: {patience: 3}\n", 0, ":2: unknown key \"patience\" in train; did you mean \"early_stop.patience\"?"},
    {DATA "train:\n  batch: 3\n  batch: 4\n", 0, ":4: key \"batch\" is given twice in train"},
    {DATA DATA, 0, ":2: key \"data\" is given twice"},
    {DATA "model: {? [a] : b}\n", 0, ":2: a key must be one word"},
    {DATA "model:\n  blocks:\n    - {conv: 3, widht: 3}\n", 0,
     ":4: unknown key \"widht\" in model.blocks[0]; did you mean \"width\"?"},
    /* types */
    {DATA "train:\n  learning_rate: fast\n", 0, ":3: \"fast\" is not a number (train.learning_rate)"},
    {DATA "train: {learning_rate: 1x}\n", 0, ":2: \"1x\" is not a number (train.learning_rate)"},
    {DATA "train: {learning_rate: 0x10}\n", 0, ":2: \"0x10\" is not a number (train.learning_rate)"},
    {DATA "train: {learning_rate: \"\"}\n", 0, ":2: \"\" is not a number (train.learning_rate)"},
    {DATA "exponential: {clip: nan}\n", 0, ":2: \"nan\" is not a number (exponential.clip)"},
    {DATA "exponential: {scale: .inf}\n", 0, ":2: \".inf\" is not a number (exponential.scale)"},
    {DATA "exponential: {scale: 1e999}\n", 0, ":2: exponential.scale is 1e999; it must be finite"},
    {DATA "train:\n\n  epochs: -3\n", 0, ":4: train.epochs is -3; it cannot be negative"},
    {DATA "train: {epochs: 1.5}\n", 0, ":2: \"1.5\" is not a whole number (train.epochs)"},
    {DATA "train: {epochs: 010}\n", 0, ":2: \"010\" is not a whole number (train.epochs)"},
    {DATA "train: {epochs: 5000000000}\n", 0, ":2: train.epochs is 5000000000; it can be at most 4294967295"},
    {DATA "train: {seed: 99999999999999999999}\n", 0,
     ":2: train.seed is 99999999999999999999; it can be at most 18446744073709551615"},
    {"data: {file: a.h5, reverse_complement: maybe}\n", 0, ":1: \"maybe\" is not true or false (data.reverse_complement)"},
    {"data: {file: [a.h5]}\n", 0, ":1: data.file must be one value, not a list or a section"},
    {"data: {file: \"\"}\n", 0, ":1: data.file is empty"},
    {"data: {file: \"a\\0b\"}\n", 0, ":1: data.file contains a zero byte"},
    {DATA "model: [a]\n", 0, ":2: model must be a section with keys, such as {zoo: ...}"},
    {DATA "model: cnn-2\n", 0, ":2: model must be a section with keys, such as {zoo: ...}"},
    {DATA "sweep: {activation: relu}\n", 0, ":2: sweep.activation must be a list, such as [relu]"},
    {DATA "sweep: {activation: []}\n", 0, ":2: sweep.activation is an empty list; put something in or leave it out"},
    {DATA "model: {blocks: []}\n", 0, ":2: model.blocks is an empty list; put something in or leave it out"},
    {DATA "sweep:\n  scale: [1,\n    two]\n", 0, ":4: \"two\" is not a number (sweep.scale)"},
    /* names */
    {DATA "model:\n  activation: rel\n", 0, ":3: unknown activation \"rel\" in model; did you mean \"relu\"?"},
    {DATA "model: {activation: exp}\n", 0, ":2: unknown activation \"exp\" in model; did you mean \"exponential\"?"},
    {DATA "model: {activation: 1}\n", 0, ":2: unknown activation \"1\" in model; did you mean \"elu\"?"},
    {DATA "sweep:\n  activation:\n    - relu\n    - exponentiel\n", 0,
     ":5: unknown activation \"exponentiel\" in sweep; did you mean \"exponential\"?"},
    {DATA "model: {init: glorot}\n", 0, ":2: unknown init \"glorot\" in model; did you mean \"glorot_uniform\"?"},
    {DATA "train: {monitor: auroc}\n", 0, ":2: unknown monitor \"auroc\" in train; did you mean \"val_auroc\"?"},
    {DATA "train: {loss: bce}\n", 0, 0},
    {DATA "train: {optimizer: adamw}\n", 0, ":2: unknown optimizer \"adamw\" in train; did you mean \"adam\"?"},
    {DATA "train: {weights: bset}\n", 0, ":2: unknown weights \"bset\" in train; did you mean \"best\"?"},
    {DATA "model: {zoo: cnn-dep}\n", 0, ":2: unknown zoo model \"cnn-dep\"; did you mean \"cnn-deep\"?"},
    {DATA "sweep:\n  zoo: [cnn-2,\n    cnn-51]\n", 0, ":4: unknown zoo model \"cnn-51\"; did you mean \"cnn-50\"?"},
    /* values */
    {"model: {zoo: cnn-2}\n", 0, ": data.file is missing; name the HDF5 file, such as \"data: {file: task1.h5}\""},
    {"\ndata: {reverse_complement: true}\n", 0,
     ":2: data.file is missing; name the HDF5 file, such as \"data: {file: task1.h5}\""},
    {DATA "train: {epochs: 0}\n", 0, ":2: train.epochs is 0; it must be from 1 to 1000000"},
    {DATA "train: {batch: 0}\n", 0, ":2: train.batch is 0; it must be from 1 to 1000000"},
    {DATA "sweep: {seeds: 0}\n", 0, ":2: sweep.seeds is 0; it must be from 1 to 1000000"},
    {DATA "train: {learning_rate: 0}\n", 0, ":2: train.learning_rate is 0; it must be above 0"},
    {DATA "train: {learning_rate: -0.1}\n", 0, ":2: train.learning_rate is -0.1; it must be above 0"},
    {DATA "train: {beta1: 1}\n", 0, ":2: train.beta1 is 1; it must be at least 0 and below 1"},
    {DATA "train: {beta2: -1}\n", 0, ":2: train.beta2 is -1; it must be at least 0 and below 1"},
    {DATA "train: {epsilon: 0}\n", 0, ":2: train.epsilon is 0; it must be above 0"},
    {DATA "train: {momentum: 1.5}\n", 0, ":2: train.momentum is 1.5; it must be at least 0 and below 1"},
    {DATA "train: {class_weights: [1, -2]}\n", 0, ":2: train.class_weights[1] is -2; it must be at least 0"},
    {DATA "train: {early_stop: {min_delta: -1}}\n", 0, ":2: train.early_stop.min_delta is -1; it must be at least 0"},
    {DATA "train:\n  reduce_lr:\n    factor: 1\n", 0, ":4: train.reduce_lr.factor is 1; it must be above 0 and below 1"},
    {DATA "train: {reduce_lr: {factor: 0}}\n", 0, ":2: train.reduce_lr.factor is 0; it must be above 0 and below 1"},
    {DATA "train: {reduce_lr: {min: -1e-9}}\n", 0, ":2: train.reduce_lr.min is -1.0e-9; it must be at least 0"},
    {DATA "exponential: {clip: 88.5}\n", 0, ":2: exponential.clip is 88.5; it must be at most 88"},
    {DATA "sweep: {clip: [10,\n 89]}\n", 0, ":3: sweep.clip[1] is 89; it must be at most 88"},
    {DATA "sweep: {learning_rate: [0]}\n", 0, ":2: sweep.learning_rate[0] is 0; it must be above 0"},
    {DATA "model: {init: normal}\nsweep: {stddev: [0]}\n", 0, ":3: sweep.stddev[0] is 0; it must be above 0"},
    {DATA "model: {stddev: 0}\n", 0, ":2: model.stddev is 0; it must be above 0"},
    {DATA "model: {zoo: cnn-2, length: 300}\n", 0,
     ":2: model.length is 300, but zoo model cnn-2 is for 200; write out model.blocks to change it"},
    {DATA "sweep: {activation: [relu, tanh, relu]}\n", 0, ":2: sweep.activation has relu twice; every entry is trained once"},
    {DATA "sweep: {scale: [1, 1.0]}\n", 0, ":2: sweep.scale has 1.0 twice; every entry is trained once"},
    {DATA "sweep: {zoo: [cnn-2, cnn-2]}\n", 0, ":2: sweep.zoo has cnn-2 twice; every entry is trained once"},
    {DATA "sweep: {stddev: [1]}\n", 0, ":2: sweep.stddev changes nothing: it is for model.init: normal"},
    {DATA "sweep: {activation: [relu], scale: [1]}\n", 0,
     ":2: sweep.scale changes nothing: no activation here is exponential"},
    {DATA "sweep: {seeds: 1000000, activation: [relu, tanh]}\n", 0,
     ":2: the sweep has 2000000 trials; it can have at most 1000000"},
    {DATA "train: {seed: 18446744073709551615}\n", 0, ":2: train.seed is too large for 1 seeds"},
    /* blocks */
    {DATA "model: {blocks: [{dense: 3}]}\n", 0, ":2: model.blocks[0] must be a conv: it reads the sequence"},
    {DATA "model: {blocks: [{conv: 3}]}\n", 0, ":2: model.blocks[0]: conv needs its width, such as width: 7"},
    {DATA "model: {blocks: [{width: 3}]}\n", 0,
     ":2: model.blocks[0] must have exactly one of conv, residual and dense, above 0"},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3}\n  - {dense: 3, conv: 3}\n", 0,
     ":5: model.blocks[1] must have exactly one of conv, residual and dense, above 0"},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3}\n  - {dense: 3,\n     pool: 2}\n", 0,
     ":6: model.blocks[1]: a dense block has no \"pool\""},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3}\n  - {residual: 3, dropout: 0.5}\n", 0,
     ":5: model.blocks[1]: a residual block has no \"dropout\""},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3}\n  - {dense: 3}\n  - {conv: 2, width: 3}\n", 0,
     ":6: model.blocks[2]: a conv cannot follow a dense block"},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3}\n  - {conv: 2, width: 3, dropout: 1}\n", 0,
     ":5: model.blocks[1].dropout is 1; it must be at least 0 and below 1"},
    {DATA "model:\n  blocks:\n  - {conv: 2, width: 3, dropout: 0.999999}\n", 0,
     ":4: model.blocks[0]: dropout is too near to 1"},
    {DATA "model: {blocks: [{conv: 2, width: 3, dropout: -0.1}]}\n", 0,
     ":2: model.blocks[0].dropout is -0.1; it must be at least 0 and below 1"},
    {DATA "model: {blocks: [{conv: 2, width: 3, l2: -1}]}\n", 0, ":2: model.blocks[0].l2 is -1; it must be at least 0"},
    {DATA "model: {blocks: [{conv: 2, width: 3, pool: 0}]}\n", 0,
     ":2: model.blocks[0].pool is 0; it must be from 1 to 1000000"},
    {DATA "model: {zoo: a/b, blocks: [{conv: 2, width: 3}]}\n", 0,
     ":2: model.zoo \"a/b\" cannot name a folder: use letters, digits, - _ . and at most 59"},
    /* not a config, not YAML */
    {"", 0, ": is empty; nothing is described here"},
    {"# nothing\n\n", 0, ": is empty; nothing is described here"},
    {"relu\n", 0, ":1: must be sections with keys, such as \"data: {file: task1.h5}\""},
    {"\n[a, b]\n", 0, ":2: must be sections with keys, such as \"data: {file: task1.h5}\""},
    {DATA "model:\n\tzoo: cnn-2\n", 0,
     ":3: not YAML: found character that cannot start any token; indent with spaces, not with tabs"},
    {DATA "a: b: c\n", 0, ":2: not YAML: mapping values are not allowed in this context"},
    {DATA "model: {zoo: \"cnn\n", 0, 0},
    {DATA "model: *there\n", 0, ":2: not YAML: found undefined alias"},
    {DATA "model: &x {zoo: *x}\n", 0, 0},
    {DATA "---\n" DATA, 0, ":3: a second YAML document begins here; keep one a file"},
    {"a\x01z\n", 0, ": not YAML: control characters are not allowed"},
    {"\xff\xfe\xff", 0, 0},
    /* overrides */
    {DATA, "model.activaton=relu",
     "model.activaton=relu: unknown key \"activaton\" in model; did you mean \"activation\"?"},
    {DATA, "modell.zoo=cnn-2", "modell.zoo=cnn-2: unknown key \"modell\"; did you mean \"model\"?"},
    {DATA, "model.activation=rel", "model.activation=rel: unknown activation \"rel\" in model; did you mean \"relu\"?"},
    {DATA, "train.epochs=0", "train.epochs=0: train.epochs is 0; it must be from 1 to 1000000"},
    {DATA, "train.epochs=many", "train.epochs=many: \"many\" is not a whole number (train.epochs)"},
    {DATA "train: {epochs: 3}", "train.epochs.x=3", "train.epochs.x=3: epochs has no keys of its own"},
    {DATA, "sweep.clip=[1, 90]", "sweep.clip=[1, 90]: sweep.clip[1] is 90; it must be at most 88"},
    {DATA, "train.epochs=[3", "train.epochs=[3: not YAML: did not find expected ',' or ']'"},
    {DATA, "train.epochs", "train.epochs: write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "epochs=3", "epochs=3: write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "=3", "=3: write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "train.=3", "train.=3: write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "", ": write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "model.zoo=[[[[[[[[[[a]]]]]]]]]]", "model.zoo=[[[[[[[[[[a]]]]]]]]]]: the value is too deep"},
    {DATA, "data.file=null", 0},
    {DATA "model: {blocks: [{conv: 2, width: 3}]}", "model.zoo=cnn-2",
     "model.zoo=cnn-2: " SWEEP " writes out model.blocks, so this would only rename them; add --set model.blocks=null "
     "--set model.length=null to take the zoo's"},
};

static void every_fault_is_one_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *one = &refusals[i];
        xc_config *config = NULL;
        xc_error error = {0};
        const xc_status status = read_config(one->text, one->override, &config, &error);
        xc_config_free(config);
        if (status == XC_OK) fail_msg("not refused: %s %s", one->text, one->override ? one->override : "");
        assert_null(strchr(error.text, '\n'));
        assert_int_equal(error.status, status);
        if (!one->line) continue;
        char line[XC_ERROR_LENGTH];
        snprintf(line, sizeof line, "%s%s", one->override ? "--set " : SWEEP, one->line);
        assert_string_equal(error.text, line);
        assert_int_equal(status, one->override ? XC_USAGE : XC_INPUT);
    }
}

static void what_is_no_file_is_refused(void **state) {
    (void)state;
    xc_config *config = NULL;
    xc_error error = {0};
    assert_int_not_equal(xc_config_read(FOLDER "/none.yaml", NULL, 0, &config, &error), XC_OK);
    assert_non_null(strstr(error.text, FOLDER "/none.yaml"));
    assert_int_not_equal(xc_config_read(FOLDER, NULL, 0, &config, &error), XC_OK);
    assert_non_null(strstr(error.text, FOLDER));
    assert_null(config);
}

/* Every beginning of a config, and the config with any byte replaced, is a config or one line; under a sanitizer, this
 * also proves that no path leaks or reads beyond its memory. */
static void damaged_configs_are_configs_or_one_line(void **state) {
    (void)state;
    static const char text[] =
        DATA "model: {blocks: &b [{conv: 2, width: 3}, {residual: 3}, {dense: 4}], activation: relu}\n"
             "train: {class_weights: [1, 2], early_stop: {patience: 3}}\n"
             "sweep:\n  zoo: [cnn-2]\n  scale: [1, 2]\n  activation: [\"exponential\"]\n";
    char damaged[sizeof text];
    for (size_t i = 0; i < 2 * (sizeof text - 1); i++) {
        const size_t at = i / 2;
        memcpy(damaged, text, sizeof text);
        if (i % 2) damaged[at] = "{}[]:,\"\t0-\n&*~"[at % 14];
        write_file(SWEEP, damaged, i % 2 ? sizeof text - 1 : at);
        xc_config *config = NULL;
        xc_error error = {0};
        if (xc_config_read(SWEEP, NULL, 0, &config, &error) != XC_OK) {
            assert_non_null(strstr(error.text, SWEEP));
            assert_null(strchr(error.text, '\n'));
        }
        xc_config_free(config);
    }
}

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

#define SAME(member) assert_memory_equal(&a->member, &b->member, sizeof a->member)
#define SAME_TEXT(member)                                                                                              \
    do {                                                                                                               \
        assert_int_equal(a->member == NULL, b->member == NULL);                                                        \
        if (a->member) assert_string_equal(a->member, b->member);                                                      \
        if (a->member) assert_ptr_not_equal(a->member, b->member);                                                     \
    } while (0)
#define SAME_LIST(member)                                                                                              \
    do {                                                                                                               \
        SAME(member##_count);                                                                                          \
        if (a->member##_count) assert_memory_equal(a->member, b->member, a->member##_count * sizeof *a->member);       \
    } while (0)

static void assert_same_blocks(const xc_model_config *a, const xc_model_config *b) {
    SAME(blocks_count);
    for (uint32_t i = 0; i < a->blocks_count; i++) {
        xc_block_config left = a->blocks[i], right = b->blocks[i];
        assert_int_equal(left.activation == NULL, right.activation == NULL);
        if (left.activation) assert_int_equal(*left.activation, *right.activation);
        left.activation = right.activation = NULL;
        assert_memory_equal(&left, &right, sizeof left);
    }
}

/* Equal member by member, with no memory in common. */
static void assert_same(const xc_config *a, const xc_config *b) {
    SAME_TEXT(data.file);
    SAME(data.reverse_complement);
    SAME_TEXT(data.train_x);
    SAME_TEXT(data.train_y);
    SAME_TEXT(data.valid_x);
    SAME_TEXT(data.valid_y);
    SAME_TEXT(data.test_x);
    SAME_TEXT(data.test_y);
    SAME_TEXT(model.zoo);
    SAME(model.length);
    SAME(model.activation);
    SAME(model.init);
    SAME(model.stddev);
    assert_same_blocks(&a->model, &b->model);
    SAME(train.epochs);
    SAME(train.batch);
    SAME(train.optimizer);
    SAME(train.learning_rate);
    SAME(train.beta1);
    SAME(train.beta2);
    SAME(train.epsilon);
    SAME(train.momentum);
    SAME(train.loss);
    SAME_LIST(train.class_weights);
    SAME(train.monitor);
    SAME(train.early_stop.patience);
    SAME(train.early_stop.min_delta);
    SAME(train.reduce_lr.patience);
    SAME(train.reduce_lr.factor);
    SAME(train.reduce_lr.min);
    SAME(train.reduce_lr.min_delta);
    SAME(train.reduce_lr.cooldown);
    SAME(train.best_weights);
    SAME(train.seed);
    SAME(exponential.clip);
    SAME(exponential.beyond);
    SAME(exponential.scale);
}

static void assert_same_sweep(const xc_sweep_config *a, const xc_sweep_config *b) {
    SAME(zoo_count);
    for (uint32_t i = 0; i < a->zoo_count; i++) assert_string_equal(a->zoo[i], b->zoo[i]);
    SAME_LIST(activation);
    SAME_LIST(init);
    SAME_LIST(stddev);
    SAME_LIST(scale);
    SAME_LIST(clip);
    SAME_LIST(learning_rate);
    SAME(seeds);
}

/* read(write(c)) == c, and writing again gives the same text; consumes the config. */
static void assert_round_trip(xc_config *config) {
    char *first = text_of(config);
    xc_config *again = good(first, NULL);
    char *second = text_of(again);
    assert_same(config, again);
    assert_same_sweep(&config->sweep, &again->sweep);
    assert_string_equal(first, second);
    free(first);
    free(second);
    xc_config_free(config);
    xc_config_free(again);
}

/* No member has its default. */
static const char unusual[] =
    "data: {file: \"a \\\"b\\\"\\n\\x01\\\\ \\u00e9.h5\", reverse_complement: true, train_x: 'null', train_y: 'yes', "
    "valid_x: x y, valid_y: '1e5', test_x: \"-\", test_y: 'it''s'}\n"
    "model:\n  zoo: mine_1\n  length: 77\n  activation: shift_scale_tanh\n  init: normal\n  stddev: 0.1234567890123456789\n"
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

/* ---- zoo -------------------------------------------------------------------------------------------------------- */

/* The table of the paper's methods: filters x width padding dropout, l2 when it is not 1e-6, pool when there is one. */
static const struct {
    const char *name;
    uint32_t length;
    const char *blocks;
} zoo[] = {
    {"basset", 600, "300x19 same .2 pool 3 valid; 200x11 valid .2 pool 4 valid; 200x7 valid .2 pool 4 valid; "
                    "dense 1000 .5; dense 1000 .5; "},
    {"cnn-2", 200, "32x19 same .1 pool 2 same; 124x5 same .1 pool 50 same; dense 512 .5; "},
    {"cnn-2-1000", 1000, "64x19 same .1 pool 2 same; 248x5 same .1 pool 50 same; dense 1024 .5; "},
    {"cnn-50", 200, "32x19 same .1 pool 50 same; 124x5 same .1 pool 2 same; dense 512 .5; "},
    {"cnn-50-1000", 1000, "64x19 same .1 pool 50 same; 248x5 same .1 pool 2 same; dense 1024 .5; "},
    {"cnn-deep", 200, "32x19 same .1; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                      "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-1000", 1000, "64x19 same .1; 96x7 same .2 pool 4 valid; 192x7 valid .3 pool 4 valid; "
                            "256x3 valid .4 pool 3 valid; dense 1024 .5; "},
    {"cnn-deep-log", 200, "32x19 same .1 l2 0.1; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                          "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-log-nol2", 200, "32x19 same .1 l2 0; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                               "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-nobn", 200, "32x19 same .1 nobn; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                           "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-dist", 200, "24x19 same .1; 32x7 same .2 pool 4 valid; 48x7 valid .3 pool 4 valid; "
                      "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-dist-log", 200, "24x19 same .1 l2 0.1; 32x7 same .2 pool 4 same; 48x7 valid .3 pool 4 same; "
                          "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-dist-log-nol2", 200, "24x19 same .1 l2 0; 32x7 same .2 pool 4 same; 48x7 valid .3 pool 4 same; "
                               "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-local", 200, "24x19 same .1 pool 50 valid; 48x3 same .2 pool 2 valid; dense 96 .5; "},
    {"residualbind", 400, "24x19 same .1; residual 5 pool 10 valid; 48x7 same .3 pool 5 valid; "
                          "64x3 valid .4 pool 4 valid; dense 96 .5; "},
};

static void describe(const xc_model_config *model, char text[512]) {
    static const char *const paddings[] = {"same", "valid"};
    int used = 0;
#define ADD(...) used += snprintf(text + used, (size_t)(512 - used), __VA_ARGS__)
    for (uint32_t i = 0; i < model->blocks_count; i++) {
        const xc_block_config *block = &model->blocks[i];
        if (block->conv) ADD("%ux%u %s .%.0f", block->conv, block->width, paddings[block->padding], block->dropout * 10);
        if (block->dense) ADD("dense %u .%.0f", block->dense, block->dropout * 10);
        if (block->residual) ADD("residual %u", block->residual);
        if (block->l2 != 1e-6) ADD(" l2 %g", block->l2);
        if (!block->norm) ADD(" nobn");
        if (block->pool != 1) ADD(" pool %u %s", block->pool, paddings[block->pool_padding]);
        assert_null(block->activation);
        ADD("; ");
    }
#undef ADD
}

static void the_zoo_is_the_papers(void **state) {
    (void)state;
    const char *const *names = xc_zoo_names();
    size_t count = 0;
    while (names[count]) count++;
    assert_int_equal(count, sizeof zoo / sizeof *zoo);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < count && strcmp(names[at], zoo[i].name) != 0) at++;
        assert_true(at < count);
        char override[64], blocks[512];
        snprintf(override, sizeof override, "model.zoo=%s", zoo[i].name);
        xc_config *config = good(DATA, override);
        describe(&config->model, blocks);
        assert_string_equal(config->model.zoo, zoo[i].name);
        assert_int_equal(config->model.length, zoo[i].length);
        assert_string_equal(blocks, zoo[i].blocks);
        assert_round_trip(config);
    }
}

static void set_zoo_keeps_the_rest(void **state) {
    (void)state;
    xc_config *config = good(DATA "model: {zoo: cnn-2, activation: tanh, init: he_normal, stddev: 2}\n", NULL);
    xc_error error = {0};
    assert_int_equal(xc_config_set_zoo(config, "residualbind", &error), XC_OK);
    assert_string_equal(config->model.zoo, "residualbind");
    assert_int_equal(config->model.length, 400);
    assert_int_equal(config->model.blocks_count, 5);
    assert_int_equal(config->model.activation, XC_TANH);
    assert_int_equal(config->model.init, XC_INIT_HE_NORMAL);
    assert_int_not_equal(xc_config_set_zoo(config, "residualbnd", &error), XC_OK);
    assert_string_equal(error.text, "unknown zoo model \"residualbnd\"; did you mean \"residualbind\"?");
    assert_string_equal(config->model.zoo, "residualbind");
    xc_config_free(config);
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
}

static int make_folder(void **state) {
    (void)state;
    xc_error error = {0};
    return xc_make_folder(FOLDER, &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_one_line),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(damaged_configs_are_configs_or_one_line),
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(overrides_go_over_the_file_in_order),
        cmocka_unit_test(the_faulty_override_is_named),
        cmocka_unit_test(text_and_config_are_the_same),
        cmocka_unit_test(written_text_is_complete_and_readable),
        cmocka_unit_test(copies_are_deep_and_have_no_sweep),
        cmocka_unit_test(the_zoo_is_the_papers),
        cmocka_unit_test(set_zoo_keeps_the_rest),
        cmocka_unit_test(shipped_configs_are_good),
        cmocka_unit_test(paper_configs_keep_the_protocol),
        cmocka_unit_test(words_are_those_of_the_lists),
    };
    return cmocka_run_group_tests(tests, make_folder, NULL);
}

/* test_config_refusals.c: what a config may not say, and with which line it is refused; and that no damage to a file
 * comes through as anything but a config or one line.
 */
#include "config_fixture.h"

/* ---- refusals --------------------------------------------------------------------------------------------------- */

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
    {DATA "model: {precision: tf23}\n", 0, ":2: unknown precision \"tf23\" in model; did you mean \"tf32\"?"},
    {DATA "model: {precision: 32}\n", 0, 0},
    {DATA "train: {precision: tf32}\n", 0, ":2: unknown key \"precision\" in train; did you mean \"model.precision\"?"},
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
    assert_each_refused(refusals, sizeof refusals / sizeof *refusals);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_one_line),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(damaged_configs_are_configs_or_one_line),
    };
    return cmocka_run_group_tests(tests, make_config_folder, NULL);
}

/* test_train.c: the training room on a small simulated question: it learns; a trial that diverges leaves alone; the kept
 * weights and the trained network are what they say.
 */
#include "train_fixture.h"

#include <math.h>

/* ---- learning --------------------------------------------------------------------------------------------------- */

typedef struct told_counts {
    size_t sequences, epochs, finished;
} told_counts;

static void count_sequences(void *context, size_t count) { ((told_counts *)context)->sequences += count; }

static void count_epoch(void *context, const xc_trial *trial, uint32_t epoch, double train_loss, double monitored) {
    (void)trial, (void)epoch, (void)monitored;
    assert_true(isfinite(train_loss));
    ((told_counts *)context)->epochs++;
}

static xc_status count_finished(void *context, xc_trial *trial, xc_error *error) {
    (void)error;
    assert_true(trial->status == XC_TRIAL_DONE || trial->status == XC_TRIAL_DIVERGED);
    ((told_counts *)context)->finished++;
    return XC_OK;
}

static void test_learns(void **state) {
    (void)state;
    xc_trial trial = make_trial("learns", OVERRIDES("train.epochs=25"));
    xc_trial *const pack[] = {&trial};
    told_counts told = {0};
    const xc_train_events events = {&told, count_sequences, count_epoch, count_finished, NULL};
    MUST(xc_train_pack(reference, &reference_data, pack, 1, &events, error));

    xc_history_row *rows;
    uint32_t count;
    MUST(xc_history_read(trial.folder, &rows, &count, error));
    assert_int_equal(count, 25);
    assert_true(rows[24].loss < 0.6 * rows[0].loss);
    assert_true(rows[24].valid[XC_METRIC_LOSS] < rows[0].valid[XC_METRIC_LOSS]);
    free(rows);
    assert_int_equal(trial.status, XC_TRIAL_DONE);
    assert_int_equal(trial.epochs, 25);
    assert_int_equal(trial.test.classes, CLASSES);
    assert_true(trial.test.mean[XC_METRIC_AUROC] > 0.9);
    assert_true(trial.test.mean[XC_METRIC_AUPR] > 0.9);
    assert_true(trial.clip_fraction == 0);
    assert_int_equal(told.sequences, 25 * TRAIN_ITEMS);
    assert_int_equal(told.epochs, 25);
    assert_int_equal(told.finished, 1);
    assert_false(exists("learns", XC_CHECKPOINT_FILE));

    /* A finished trial is told again and not trained again. */
    MUST(xc_train_pack(reference, &reference_data, pack, 1, &events, error));
    assert_int_equal(told.sequences, 25 * TRAIN_ITEMS);
    assert_int_equal(told.finished, 2);
    xc_trial_clear(&trial);
}

/* Every loss can be trained; the labels of class 0 alone, or class 0 against not class 0. */
static void test_losses(void **state) {
    (void)state;
    float *one_hot[XC_SPLIT_COUNT];
    xc_dataset exclusive = dataset;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        const size_t n = dataset.split[s].dna.sequences;
        MUST(xc_allocate(&one_hot[s], n * CLASSES, sizeof(float), "labels", error));
        for (size_t i = 0; i < n; i++) one_hot[s][i * CLASSES + (dataset.split[s].labels[i * CLASSES] > 0)] = 1;
        exclusive.split[s].labels = one_hot[s];
    }
    xc_train_data data;
    MUST(xc_train_data_open(reference, &exclusive, &data, error));
    xc_trial softmax = make_trial("softmax", OVERRIDES("train.loss=softmax_crossentropy", "train.epochs=25"));
    xc_trial squared = make_trial("squared", OVERRIDES("train.loss=mean_squared_error", "train.epochs=25"));
    MUST(xc_train_pack(reference, &data, (xc_trial *[]){&softmax}, 1, NULL, error));
    MUST(xc_train_pack(reference, &data, (xc_trial *[]){&squared}, 1, NULL, error));
    assert_true(softmax.valid.mean[XC_METRIC_ACCURACY] > 0.7);
    assert_true(softmax.valid.mean[XC_METRIC_LOSS] < 0.69);
    assert_true(squared.valid.mean[XC_METRIC_PEARSON] > 0.5);
    assert_true(isnan(squared.valid.mean[XC_METRIC_ACCURACY]));
    assert_false(xc_trials_fit(softmax.config, squared.config));
    xc_trial_clear(&softmax);
    xc_trial_clear(&squared);
    xc_train_data_close(&data);
    for (int s = 0; s < XC_SPLIT_COUNT; s++) free(one_hot[s]);
}

/* ---- divergence ------------------------------------------------------------------------------------------------- */

static void test_diverges_alone(void **state) {
    (void)state;
    xc_trial healthy[2] = {make_trial("healthy0", OVERRIDES("train.seed=5")),
                           make_trial("healthy1", OVERRIDES("train.seed=6"))};
    xc_trial alone[2] = {make_trial("alone0", OVERRIDES("train.seed=5")),
                         make_trial("alone1", OVERRIDES("train.seed=6"))};
    xc_trial wild = make_trial("wild", OVERRIDES("model.activation=exponential", "exponential.clip=88",
                                                 "exponential.scale=1000", "train.learning_rate=1.0e20"));
    told_counts told = {0};
    const xc_train_events events = {&told, count_sequences, NULL, count_finished, NULL};
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&healthy[0], &wild, &healthy[1]}, 3, &events, error));
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&alone[0], &alone[1]}, 2, NULL, error));
    assert_same_results("healthy0", "alone0");
    assert_same_results("healthy1", "alone1");
    assert_int_equal(told.finished, 3);

    assert_int_equal(wild.status, XC_TRIAL_DIVERGED);
    print_message("# %s\n", wild.reason);
    assert_int_equal(strncmp(wild.reason, "epoch 1: block", 14), 0);
    assert_non_null(strstr(wild.reason, " is not finite"));
    assert_true(isnan(wild.test.mean[XC_METRIC_AUROC]));
    assert_false(exists("wild", XC_WEIGHTS_FILE));
    assert_false(exists("wild", XC_CHECKPOINT_FILE));

    /* Its folder says so to the next run, which leaves it as it is. */
    xc_trial back = make_trial("wild", OVERRIDES("model.activation=exponential", "exponential.clip=88",
                                                 "exponential.scale=1000", "train.learning_rate=1.0e20"));
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&back}, 1, NULL, error));
    assert_int_equal(back.status, XC_TRIAL_DIVERGED);
    assert_string_equal(back.reason, wild.reason);
    assert_int_equal(back.epochs, wild.epochs);
    xc_trial_clear(&back);
    xc_trial_clear(&wild);
    for (int i = 0; i < 2; i++) xc_trial_clear(&healthy[i]), xc_trial_clear(&alone[i]);
}

/* ---- kept weights ----------------------------------------------------------------------------------------------- */

/* The metrics of a finished trial are those of the epoch whose weights it keeps. The learning rate is large, so that
 * two epochs without a new best come soon. */
static void check_kept(const char *place, const char *weights) {
    xc_trial trial = make_trial(
        place, OVERRIDES("train.learning_rate=0.3", "train.epochs=60", "train.early_stop.patience=2", weights));
    xc_history_row *rows;
    uint32_t count, best = 0;
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, NULL, error));
    MUST(xc_history_read(trial.folder, &rows, &count, error));
    for (uint32_t i = 1; i < count; i++)
        if (rows[i].valid[XC_METRIC_AUROC] > rows[best].valid[XC_METRIC_AUROC]) best = i;
    assert_int_equal(trial.best_epoch, best + 1);
    assert_int_equal(count, best + 3);
    const uint32_t kept = strstr(weights, "best") ? best : count - 1;
    for (int m = 0; m < XC_METRIC_COUNT; m++) assert_true(trial.valid.mean[m] == rows[kept].valid[m]);
    free(rows);
    xc_trial_clear(&trial);
}

static void test_kept_weights(void **state) {
    (void)state;
    check_kept("keeps-best", "train.weights=best");
    check_kept("keeps-last", "train.weights=last");
}

/* ---- the trained network ---------------------------------------------------------------------------------------- */

static void replace_weights(const xc_trial *trial, const char *by) {
    char command[512];
    snprintf(command, sizeof command, "cp '%s' '%s/%s'", by, trial->folder, XC_WEIGHTS_FILE);
    assert_int_equal(system(command), 0);
}

/* Trials of one pack say in weights.h5 which network it is; another's file in their place, or none, is refused. */
static void test_other_weights(void **state) {
    (void)state;
    xc_trial trials[2] = {make_trial("is-relu", NULL),
                          make_trial("is-exponential", OVERRIDES("model.activation=exponential"))};
    xc_network network;
    xc_error refused = {0};
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trials[0], &trials[1]}, 2, NULL, error));
    for (int i = 0; i < 2; i++) {
        MUST(xc_network_open(trials[i].folder, &network, error));
        xc_network_close(&network);
    }
    char *relu = xc_path_join(trials[0].folder, XC_WEIGHTS_FILE);
    replace_weights(&trials[1], relu);
    free(relu);
    assert_int_equal(xc_network_open(trials[1].folder, &network, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "is of model tiny with relu but this one is tiny with exponential"));

    char *text = xc_path_join(trials[1].folder, XC_CONFIG_FILE);
    replace_weights(&trials[1], text);
    free(text);
    assert_int_equal(xc_trial_read_results(&trials[1], &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "weights.h5: is not an HDF5 file; put it back, or remove"));
    for (int i = 0; i < 2; i++) xc_trial_clear(&trials[i]);
}

static void test_network(void **state) {
    (void)state;
    const xc_split *split = &dataset.split[XC_TEST];
    const size_t items = xc_split_items(split);
    xc_trial trial = make_trial("network", OVERRIDES("model.activation=exponential"));
    xc_network network;
    xc_error refused = {0};
    char *place = xc_path_join(folder, "nothing-here");
    assert_int_equal(xc_network_open(place, &network, &refused), XC_INPUT);
    free(place);
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, NULL, error));
    MUST(xc_network_open(trial.folder, &network, error));
    float *one = test_malloc(items * CLASSES * sizeof *one), *some = test_malloc(items * CLASSES * sizeof *some);
    float *labels = test_malloc(items * CLASSES * sizeof *labels);
    MUST(xc_network_logits(&network, cpu, split, 1, one, error));
    for (int threads = 2; threads <= 9; threads += 7) {
        memset(some, 0, items * CLASSES * sizeof *some);
        MUST(xc_network_logits(&network, cpu, split, threads, some, error));
        assert_memory_equal(one, some, items * CLASSES * sizeof *one);
    }
    xc_split_labels(split, labels);
    xc_metrics metrics;
    MUST(xc_metrics_compute(XC_LOSS_BINARY, NULL, one, labels, items, CLASSES, false, &metrics, error));
    for (int m = 0; m < XC_METRIC_COUNT; m++) assert_true(xc_history_rounded(metrics.mean[m]) == trial.test.mean[m]);

    xc_split shorter = *split;
    shorter.dna.length = LENGTH - 1;
    assert_int_equal(xc_network_logits(&network, cpu, &shorter, 1, some, &refused), XC_INPUT);
    test_free(one);
    test_free(some);
    test_free(labels);
    xc_network_close(&network);
    xc_trial_clear(&trial);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_other_weights),
        cmocka_unit_test(test_diverges_alone),
        cmocka_unit_test(test_kept_weights),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests_name("train", tests, open_all, close_all);
}

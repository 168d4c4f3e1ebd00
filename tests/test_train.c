/* test_train.c: the training room on a small simulated question (which of two motifs is in the sequence): it learns;
 * the pack's size, an interrupt and a kill change no byte of what is written; a trial that diverges leaves alone; the
 * kept weights, the folder and the trained network are what they say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/train/room.h"
#include "expconv/train.h"
#include "folder_fixture.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

/* ---- data ------------------------------------------------------------------------------------------------------- */

enum { LENGTH = 30, TRAIN_ITEMS = 2 * 107, BATCH = 20, CLASSES = 2 };

/* Half of the sequences hold motif 0, half hold motif 1, drawn apart; now and then an N. */
static xc_split make_split(uint32_t sequences, uint64_t seed) {
    static const uint8_t motif[CLASSES][7] = {{3, 2, 0, 1, 3, 1, 0}, {2, 2, 1, 2, 1, 1, 2}};
    xc_random_sequence draw = {.seed = seed, .stream = XC_STREAM_SIMULATE, .substream = 1234};
    xc_split split = {.classes = CLASSES, .reverse_complement = true};
    xc_dna_builder builder;
    float *labels;
    uint8_t codes[LENGTH];
    MUST(xc_dna_builder_open(&builder, sequences, LENGTH, error));
    MUST(xc_allocate(&labels, sequences * (size_t)CLASSES, sizeof *labels, "labels", error));
    for (uint32_t i = 0; i < sequences; i++) {
        for (int l = 0; l < LENGTH; l++)
            codes[l] = xc_random_below(&draw, 40) == 0 ? XC_BASE_N : (uint8_t)xc_random_below(&draw, 4);
        for (uint32_t c = 0; c < CLASSES; c++) {
            const uint32_t at = c * LENGTH / 2 + xc_random_below(&draw, LENGTH / 2 - 7);
            labels[i * CLASSES + c] = (float)xc_random_below(&draw, 2);
            if (labels[i * CLASSES + c] > 0) memcpy(codes + at, motif[c], sizeof motif[c]);
        }
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &split.dna);
    xc_dna_builder_free(&builder);
    split.labels = labels;
    return split;
}

static xc_dataset dataset;
static xc_train_data reference_data, cpu_data;
static const xc_backend *reference, *cpu;

static int open_all(void **state) {
    xc_log_set_quiet(true);
    if (make_folder(state) != 0) return -1;
    strcpy(dataset.path, "motifs.h5");
    dataset.split[XC_TRAIN] = make_split(TRAIN_ITEMS / 2, 1);
    dataset.split[XC_VALID] = make_split(45, 2);
    dataset.split[XC_TEST] = make_split(35, 3);
    reference = xc_backend_reference();
    MUST(xc_backend_cpu(&cpu, error));
    MUST(xc_train_data_open(reference, &dataset, &reference_data, error));
    MUST(xc_train_data_open(cpu, &dataset, &cpu_data, error));
    return 0;
}

static int close_all(void **state) {
    xc_train_data_close(&reference_data);
    xc_train_data_close(&cpu_data);
    for (int s = 0; s < XC_SPLIT_COUNT; s++) xc_split_free(&dataset.split[s]);
    return remove_folder(state);
}

/* ---- trials ----------------------------------------------------------------------------------------------------- */

static const char config_text[] =
    "data: {file: motifs.h5, reverse_complement: true}\n"
    "model:\n"
    "  zoo: tiny\n"
    "  activation: relu\n"
    "  blocks:\n"
    "    - {conv: 6, width: 7, dropout: 0.1, pool: 5}\n"
    "    - {dense: 8, dropout: 0.1}\n"
    "train: {epochs: 4, batch: 20, learning_rate: 0.01, monitor: val_auroc}\n";

enum { MOST_OVERRIDES = 8 };

/* A trial in folder/place by the config above with overrides, NULL-terminated. xc_trial_clear. */
static xc_trial make_trial(const char *place, const char *const *overrides) {
    char path[128];
    xc_trial trial = {0};
    int count = 0;
    while (overrides && overrides[count]) count++;
    snprintf(path, sizeof path, "%s/tiny.yaml", folder);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(config_text, stream);
    fclose(stream);
    MUST(xc_config_read(path, overrides, count, &trial.config, error));
    trial.name = strdup(place);
    trial.folder = xc_path_join(folder, place);
    MUST(xc_make_folder(trial.folder, error));
    return trial;
}
#define OVERRIDES(...) ((const char *const[MOST_OVERRIDES + 1]){__VA_ARGS__})

static char *read_text(const char *place, const char *name, size_t *size) {
    char path[256], *text;
    snprintf(path, sizeof path, "%s/%s/%s", folder, place, name);
    MUST(xc_file_read(path, (size_t)1 << 26, &text, size, error));
    return text;
}

static bool exists(const char *place, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s", folder, place, name);
    return xc_path_exists(path);
}

static void assert_same_file(const char *place, const char *other, const char *name) {
    size_t size, other_size;
    char *text = read_text(place, name, &size), *other_text = read_text(other, name, &other_size);
    if (size != other_size || memcmp(text, other_text, size) != 0)
        fail_msg("%s of %s and %s are not the same", name, place, other);
    free(text);
    free(other_text);
}

static void assert_same_results(const char *place, const char *other) {
    assert_same_file(place, other, XC_WEIGHTS_FILE);
    assert_same_file(place, other, XC_HISTORY_FILE);
    assert_same_file(place, other, XC_METRICS_FILE);
}

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
    const xc_train_events events = {&told, count_sequences, count_epoch, count_finished};
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

/* ---- one result, however it was reached ---------------------------------------------------------------------- */

enum { MANY = 5 };

/* Trials of one shape that differ in all that may differ, and end at different epochs. */
static void make_many(const char *prefix, xc_trial trials[MANY]) {
    static const char *const overrides[MANY][MOST_OVERRIDES + 1] = {
        {"train.seed=1"},
        {"train.seed=2", "train.epochs=2"},
        {"train.seed=3", "model.activation=exponential", "exponential.clip=1", "train.learning_rate=0.002",
         "train.epochs=6"},
        {"train.seed=4", "model.init=he_normal", "train.weights=best", "train.epochs=6"},
        {"train.seed=1", "train.early_stop.patience=1", "train.reduce_lr.patience=1", "train.epochs=9"},
    };
    for (int i = 0; i < MANY; i++) {
        char place[48];
        snprintf(place, sizeof place, "%s%d", prefix, i);
        trials[i] = make_trial(place, overrides[i]);
        assert_true(xc_trials_fit(trials[0].config, trials[i].config));
    }
}

static void train_in_packs(const xc_backend *backend, const xc_train_data *data, xc_trial trials[MANY], int size) {
    for (int first = 0; first < MANY; first += size) {
        xc_trial *pack[MANY];
        const int count = MANY - first < size ? MANY - first : size;
        for (int i = 0; i < count; i++) pack[i] = &trials[first + i];
        MUST(xc_train_pack(backend, data, pack, count, NULL, error));
    }
}

static void check_pack_sizes(const xc_backend *backend, const xc_train_data *data, const char *name) {
    static const int sizes[] = {1, 2, 5};
    for (int s = 0; s < 3; s++) {
        xc_trial trials[MANY];
        char prefix[32], first[48], place[48];
        snprintf(prefix, sizeof prefix, "%s-pack%d-", name, sizes[s]);
        make_many(prefix, trials);
        train_in_packs(backend, data, trials, sizes[s]);
        assert_true(trials[0].clip_fraction == 0);
        assert_true(trials[2].clip_fraction > 0 && trials[2].clip_fraction < 1);
        for (int i = 0; i < MANY; i++) {
            snprintf(place, sizeof place, "%s%d", prefix, i);
            snprintf(first, sizeof first, "%s-pack1-%d", name, i);
            assert_same_results(first, place);
            xc_trial_clear(&trials[i]);
        }
    }
}

static void test_pack_sizes_reference(void **state) {
    (void)state;
    check_pack_sizes(reference, &reference_data, "reference");
}

static void test_pack_sizes_cpu(void **state) {
    (void)state;
    check_pack_sizes(cpu, &cpu_data, "cpu");
}

/* Sends a signal to its own process when so many sequences have been trained on. */
typedef struct end_after {
    size_t left;
    int signal;
} end_after;

static void count_down(void *context, size_t count) {
    end_after *end = context;
    if (end->left <= count) raise(end->signal);
    end->left = end->left <= count ? SIZE_MAX : end->left - count;
}

/* Trains in a process of its own, which ends after `sequences` sequences. Returns XC_INTERRUPTED, XC_OK when it was
 * done before, or -1 when it was killed. */
static int train_apart(xc_trial *const *pack, int count, size_t sequences, int signal) {
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        end_after end = {sequences, signal};
        const xc_train_events events = {.context = &end, .sequences = count_down};
        xc_error error = {0};
        xc_interrupt_install();
        const xc_status status = xc_train_pack(cpu, &cpu_data, pack, count, &events, &error);
        if (status != XC_OK && status != XC_INTERRUPTED) fprintf(stderr, "%s\n", error.text);
        _exit((int)status);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

/* A pack that is ended again and again, after two epochs at most, goes on each time it is let, and writes what it would
 * have written in one go. Nothing improves on the first trial's first epoch, so its best weights and its callbacks'
 * counts have to come through every end. */
static void check_resume(int signal, const char *name) {
    xc_trial once[2], again[2];
    const char *const *overrides[2] = {
        OVERRIDES("train.weights=best", "train.early_stop.min_delta=10", "train.early_stop.patience=5",
                  "train.reduce_lr.min_delta=10", "train.reduce_lr.patience=2", "train.epochs=9", "train.seed=8"),
        OVERRIDES("model.activation=exponential", "train.epochs=4", "train.seed=9"),
    };
    char place[2][2][40];
    for (int i = 0; i < 2; i++) {
        snprintf(place[i][0], sizeof place[i][0], "%s-once%d", name, i);
        snprintf(place[i][1], sizeof place[i][1], "%s-again%d", name, i);
        once[i] = make_trial(place[i][0], overrides[i]);
        again[i] = make_trial(place[i][1], overrides[i]);
    }
    MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&once[0], &once[1]}, 2, NULL, error));

    assert_int_equal(once[0].epochs, 6);
    assert_int_equal(once[0].best_epoch, 1);

    const int expected = signal == SIGKILL ? -1 : XC_INTERRUPTED;
    /* The first alone for an epoch and a half, so that the two stand at different epochs when they meet. */
    assert_int_equal(train_apart((xc_trial *[]){&again[0]}, 1, TRAIN_ITEMS * 3 / 2, signal), expected);
    assert_true(exists(place[0][1], XC_CHECKPOINT_FILE));
    MUST(xc_trial_read_results(&again[0], error));
    assert_int_equal(again[0].status, XC_TRIAL_RUNNING);
    xc_trial *const both[] = {&again[0], &again[1]};
    int rounds = 0, status;
    while ((status = train_apart(both, 2, 2 * TRAIN_ITEMS + 2 * BATCH, signal)) == expected) assert_true(++rounds < 10);
    assert_int_equal(status, XC_OK);
    assert_true(rounds >= 2);
    for (int i = 0; i < 2; i++) {
        assert_same_results(place[i][0], place[i][1]);
        assert_false(exists(place[i][1], XC_CHECKPOINT_FILE));
        xc_trial_clear(&once[i]);
        xc_trial_clear(&again[i]);
    }
}

static void test_interrupt(void **state) {
    (void)state;
    check_resume(SIGTERM, "interrupt");
}

static void test_kill(void **state) {
    (void)state;
    check_resume(SIGKILL, "kill");
}

/* A checkpoint is never of the last epoch, whose trial is finished; one that says so has no room for another epoch. */
static void test_resume_after_the_last_epoch(void **state) {
    (void)state;
    xc_trial longer = make_trial("last-epoch", NULL), trial = make_trial("last-epoch", OVERRIDES("train.epochs=1"));
    xc_error refused = {0};
    assert_int_equal(train_apart((xc_trial *[]){&longer}, 1, TRAIN_ITEMS * 3 / 2, SIGKILL), -1);
    char *path = xc_path_join(trial.folder, XC_CONFIG_FILE);
    assert_int_equal(unlink(path), 0);
    free(path);
    assert_int_equal(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "not a checkpoint of this trial"));
    xc_trial_clear(&longer);
    xc_trial_clear(&trial);
}

/* A checkpoint of other data is refused. */
static void test_resume_other_data(void **state) {
    (void)state;
    xc_trial trial = make_trial("other-data", NULL);
    xc_trial *const pack[] = {&trial};
    assert_int_equal(train_apart(pack, 1, TRAIN_ITEMS * 3 / 2, SIGKILL), -1);
    xc_dataset other = dataset;
    other.split[XC_TRAIN].reverse_complement = false;
    xc_train_data data;
    xc_error refused = {0};
    MUST(xc_train_data_open(cpu, &other, &data, error));
    assert_int_equal(xc_train_pack(cpu, &data, pack, 1, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "214 training sequences, but the data has 107 now"));
    xc_train_data_close(&data);
    xc_trial_clear(&trial);
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
    const xc_train_events events = {&told, count_sequences, NULL, count_finished};
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

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static void test_claim(void **state) {
    (void)state;
    xc_error refused = {0};
    xc_trial trial = make_trial("claimed", NULL), other = make_trial("claimed", OVERRIDES("train.batch=50"));
    MUST(xc_trial_claim_folder(&trial, NULL, error));
    MUST(xc_trial_claim_folder(&trial, NULL, error));
    assert_int_equal(xc_trial_claim_folder(&other, NULL, &refused), XC_INPUT);
    print_message("# %s\n", refused.text);
    assert_non_null(strstr(refused.text, "train.batch is 20 there and 50 here"));
    xc_trial_clear(&other);
    other = make_trial("claimed", OVERRIDES("model.activation=exponential"));
    assert_int_equal(xc_trial_claim_folder(&other, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "model.activation is relu there and exponential here"));
    trial.config->model.blocks[0].conv = 5; /* blocks are whole lines */
    assert_int_equal(xc_trial_claim_folder(&trial, NULL, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "config: line "));
    assert_non_null(strstr(refused.text, "\"{conv: 6, "));
    trial.config->model.blocks[0].conv = 6;
    MUST(xc_trial_read_results(&trial, error));
    assert_int_equal(trial.status, XC_TRIAL_WAITING);
    xc_trial_clear(&other);
    xc_trial_clear(&trial);
}

static void test_data_check(void **state) {
    (void)state;
    xc_error refused = {0};
    MUST(xc_train_data_check(&dataset, XC_LOSS_BINARY, error));
    assert_int_equal(xc_train_data_check(&dataset, XC_LOSS_SOFTMAX, &refused), XC_INPUT);
    print_message("# %s\n", refused.text);
    float labels[45 * CLASSES] = {0};
    xc_dataset changed = dataset;
    changed.split[XC_VALID].labels = labels;
    MUST(xc_train_data_check(&changed, XC_LOSS_BINARY, error)); /* one label: a notice */
    labels[7] = 0.5f;
    assert_int_equal(xc_train_data_check(&changed, XC_LOSS_BINARY, &refused), XC_INPUT);
    MUST(xc_train_data_check(&changed, XC_LOSS_SQUARED, error));
    changed.split[XC_VALID].dna.sequences = 0;
    assert_int_equal(xc_train_data_check(&changed, XC_LOSS_BINARY, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "valid"));
}

/* The monitored metric must exist for the labels, when anything depends on it. */
static void test_monitor_check(void **state) {
    (void)state;
    float labels[45 * CLASSES] = {0};
    xc_dataset changed = dataset;
    bool exists = false;
    xc_trial trial = make_trial("monitor", OVERRIDES("train.loss=mean_squared_error"));
    xc_train_config *config = &trial.config->train;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists); /* labels of 0 and 1 can be ranked */
    changed.split[XC_VALID].labels = labels;
    for (int loss = 0; loss < 2; loss++) {
        config->loss = loss ? XC_LOSS_SQUARED : XC_LOSS_BINARY;
        config->monitor = XC_METRIC_AUROC;
        MUST(xc_train_monitor_check(&changed, config, &exists, error));
        assert_false(exists);
        config->monitor = XC_METRIC_LOSS;
        MUST(xc_train_monitor_check(&changed, config, &exists, error));
        assert_true(exists);
    }
    for (int i = 0; i < 45 * CLASSES; i++) labels[i] = (float)i / 7;
    config->monitor = XC_METRIC_AUROC;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_false(exists);
    config->monitor = XC_METRIC_PEARSON;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists);
    config->monitor = XC_METRIC_AUROC;
    config->early_stop.patience = config->reduce_lr.patience = 0;
    config->best_weights = false;
    MUST(xc_train_monitor_check(&changed, config, &exists, error));
    assert_true(exists);
    xc_trial_clear(&trial);
}

static void test_order(void **state) {
    (void)state;
    const xc_split *split = &dataset.split[XC_TRAIN];
    uint32_t first[TRAIN_ITEMS], second[TRAIN_ITEMS];
    bool seen[TRAIN_ITEMS] = {false};
    xc_epoch_order(split, 7, 3, first);
    for (int i = 0; i < TRAIN_ITEMS; i++) {
        const uint32_t item =
            (first[i] & ~XC_REVERSE_COMPLEMENT) + (first[i] & XC_REVERSE_COMPLEMENT ? split->dna.sequences : 0);
        assert_true(item < TRAIN_ITEMS && !seen[item]);
        seen[item] = true;
    }
    xc_epoch_order(split, 7, 3, second);
    assert_memory_equal(first, second, sizeof first);
    xc_epoch_order(split, 7, 4, second);
    assert_memory_not_equal(first, second, sizeof first);
    xc_epoch_order(split, 8, 3, second);
    assert_memory_not_equal(first, second, sizeof first);
}

/* ---- what a step sees -------------------------------------------------------------------------------------------- */

/* Index words that the reference's first block was given in training, of a pack of one. */
static uint32_t seen_words[3 * TRAIN_ITEMS];
static size_t seen_count;

static xc_status spy_forward(const xc_backend *backend, const xc_block_args *args, xc_error *error) {
    const size_t batch = (size_t)args->batch;
    if (args->training) {
        assert_true(seen_count + batch <= 3 * TRAIN_ITEMS);
        memcpy(seen_words + seen_count, args->index, batch * sizeof(uint32_t));
        seen_count += batch;
    }
    return reference->motif_block_forward(backend, args, error);
}

/* Each epoch every item once, in the order of the trial's seed and the epoch, the last batch being what is left. */
static void test_steps_in_order(void **state) {
    (void)state;
    xc_backend spy = *reference;
    spy.motif_block_forward = spy_forward;
    xc_trial trial = make_trial("order", OVERRIDES("train.epochs=3", "train.seed=21"));
    uint32_t order[TRAIN_ITEMS];
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&trial}, 1, NULL, error));
    assert_int_equal(seen_count, 3 * TRAIN_ITEMS);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        xc_epoch_order(&dataset.split[XC_TRAIN], 21, epoch, order);
        assert_memory_equal(seen_words + epoch * TRAIN_ITEMS, order, sizeof order);
    }
    xc_trial_clear(&trial);
}

static size_t largest_bytes;

static void *spy_allocate(const xc_backend *backend, size_t bytes) {
    if (bytes > largest_bytes) largest_bytes = bytes;
    return bytes > (size_t)64 << 20 ? NULL : reference->allocate(backend, bytes);
}

/* A batch of more than there is takes no more memory than there is, and gives what one of all items gives. */
static void test_large_batch(void **state) {
    (void)state;
    xc_backend spy = *reference;
    spy.allocate = spy_allocate;
    xc_trial large = make_trial("large-batch", OVERRIDES("train.batch=1000000"));
    xc_trial whole = make_trial("whole-batch", OVERRIDES("train.batch=214"));
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&large}, 1, NULL, error));
    const size_t large_bytes = largest_bytes;
    largest_bytes = 0;
    MUST(xc_train_pack(&spy, &reference_data, (xc_trial *[]){&whole}, 1, NULL, error));
    assert_int_equal(large_bytes, largest_bytes);
    assert_same_results("large-batch", "whole-batch");
    xc_trial_clear(&large);
    xc_trial_clear(&whole);
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
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_data_check),
        cmocka_unit_test(test_steps_in_order),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_pack_sizes_reference),
        cmocka_unit_test(test_pack_sizes_cpu),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_resume_other_data),
        cmocka_unit_test(test_resume_after_the_last_epoch),
        cmocka_unit_test(test_monitor_check),
        cmocka_unit_test(test_large_batch),
        cmocka_unit_test(test_other_weights),
        cmocka_unit_test(test_diverges_alone),
        cmocka_unit_test(test_kept_weights),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests_name("train", tests, open_all, close_all);
}

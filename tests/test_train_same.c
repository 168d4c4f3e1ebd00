/* test_train_same.c: one result, however it was reached: neither the pack's size nor the number of threads nor an
 * interrupt nor a kill changes a byte of what training writes.
 */
#include "train_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Threads within a step come and go between epochs, as they do at the end of a sweep. */
static int some_threads(void *context) {
    static const int threads[] = {3, 1, 2, 2, 4};
    int *asked = context;
    return threads[(*asked)++ % 5];
}

static void test_threads_within_a_step(void **state) {
    (void)state;
    int asked = 0;
    const xc_train_events events = {.context = &asked, .threads = some_threads};
    for (int i = 0; i < 2; i++) {
        const char *const *overrides = OVERRIDES("model.activation=exponential", "train.epochs=6", "train.seed=5");
        xc_trial trial = make_trial(i == 0 ? "one-thread" : "some-threads", overrides);
        MUST(xc_train_pack(cpu, &cpu_data, (xc_trial *[]){&trial}, 1, i == 0 ? NULL : &events, error));
        xc_trial_clear(&trial);
    }
    assert_int_equal(asked, 6);
    assert_same_results("one-thread", "some-threads");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_sizes_reference),
        cmocka_unit_test(test_pack_sizes_cpu),
        cmocka_unit_test(test_threads_within_a_step),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_resume_other_data),
        cmocka_unit_test(test_resume_after_the_last_epoch),
    };
    return cmocka_run_group_tests_name("train_same", tests, open_all, close_all);
}

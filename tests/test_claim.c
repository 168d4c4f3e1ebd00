/* test_claim.c: whose a folder is: a trained trial's and a sweep's folder take a changed filters section and lose what
 * the old one measured, in an order that a kill cannot spoil; every other change is refused by the key; nothing changes
 * in the folder of a running sweep. No network is trained: files stand for what training leaves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host/sweep/room.h"
#include "../host/train/room.h"
#include "folder_fixture.h"

#define MUST(call)                                                       \
    do {                                                                 \
        xc_error must_error = {0}, *error = &must_error;                 \
        if ((call) != XC_OK) fail_msg("%s: %s", #call, must_error.text); \
    } while (0)

#define TRIAL              \
    "data: {file: a.h5}\n" \
    "model: {zoo: tiny, activation: relu, blocks: [{conv: 4, width: 7, pool: 10}, {dense: 8}]}\n"
#define SWEEP TRIAL "sweep: {activation: [relu, exponential], seeds: 2}\n"
#define FILTERS "filters: {motifs: db.meme, threshold: 0.3, ground_truth: [{name: A, motifs: [x]}]}\n"

/* "FOLDER/name", good until the eighth next call. */
static const char *at(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text) {
    FILE *stream = fopen(path, "w");
    if (!stream) fail_msg("cannot write %s", path);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static char *read_file(const char *path) {
    char *text = NULL;
    MUST(xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error));
    return text;
}

static xc_config *read_config(const char *text) {
    xc_config *config = NULL;
    write_file(at("written.yaml"), text);
    MUST(xc_config_read(at("written.yaml"), NULL, 0, &config, error));
    return config;
}

/* A trial with this config in FOLDER/trial. */
static xc_trial make_trial(const char *text) {
    xc_trial trial = {.name = strdup("trial"), .folder = strdup(at("trial")), .config = read_config(text)};
    return trial;
}

static void assert_refused(const char *text, void (*stale)(const char *), const char *part) {
    xc_trial trial = make_trial(text);
    char *before = read_file(at("trial/config.yaml"));
    xc_error error = {0};
    assert_int_equal(xc_trial_claim_folder(&trial, stale, &error), XC_INPUT);
    if (!strstr(error.text, part)) fail_msg("\"%s\" is not in: %s", part, error.text);
    assert_null(strchr(error.text, '\n'));
    char *after = read_file(at("trial/config.yaml"));
    assert_string_equal(after, before);
    free(before);
    free(after);
    xc_trial_clear(&trial);
}

/* ---- a trial ----------------------------------------------------------------------------------------------------- */

static int removals;
static char *config_when_stale; /* config.yaml at the time when the measures were to be removed */

static void remove_measures(const char *where) {
    assert_string_equal(where, at("trial"));
    removals++;
    free(config_when_stale);
    config_when_stale = read_file(at("trial/config.yaml"));
}

static void never(const char *where) { fail_msg("measures of %s were to be removed", where); }

/* Claims FOLDER/trial for this config, which is then written there. Returns the text, to be freed. */
static char *claim(const char *text, void (*stale)(const char *)) {
    xc_trial trial = make_trial(text);
    char *wanted = NULL, *there;
    MUST(xc_trial_check_folder(&trial, error));
    MUST(xc_trial_claim_folder(&trial, stale, error));
    MUST(xc_config_write(trial.config, &wanted, error));
    there = read_file(at("trial/config.yaml"));
    assert_string_equal(there, wanted);
    free(wanted);
    xc_trial_clear(&trial);
    return there;
}

static void filters_may_change_when_their_measures_go_first(void **state) {
    (void)state;
    static const char *const texts[] = {TRIAL, TRIAL "filters: {}\n", TRIAL FILTERS, TRIAL "filters: {window: 18}\n",
                                        TRIAL};
    char *last = claim(texts[0], never);
    free(claim(texts[0], never));
    removals = 0;
    for (int i = 1; i < 5; i++) {
        char *now = claim(texts[i], remove_measures);
        assert_int_equal(removals, i);
        assert_string_equal(config_when_stale,
                            last); /* a kill between the two leaves the old config without measures */
        assert_string_not_equal(now, last);
        free(claim(texts[i], never));
        free(last);
        last = now;
    }
    free(last);
    free(config_when_stale);
    config_when_stale = NULL;
}

static void checking_writes_nothing(void **state) {
    (void)state;
    xc_trial trial = make_trial(TRIAL FILTERS);
    MUST(xc_trial_check_folder(&trial, error));
    assert_false(xc_path_exists(at("trial")));
    free(claim(TRIAL, never));
    char *before = read_file(at("trial/config.yaml"));
    MUST(xc_trial_check_folder(&trial, error));
    char *after = read_file(at("trial/config.yaml"));
    assert_string_equal(after, before);
    trial.config->train.batch = 50;
    xc_error refused = {0};
    assert_int_equal(xc_trial_check_folder(&trial, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text,
                           "trial belongs to another config: train.batch is 100 there and 50 here; choose "
                           "another --out or remove it"));
    free(before);
    free(after);
    xc_trial_clear(&trial);
}

static void another_key_is_named_not_the_filters(void **state) {
    (void)state;
    free(claim(TRIAL FILTERS, never));
    assert_refused(TRIAL "train: {seed: 7}\n", never, "train.seed is 0 there and 7 here");
    assert_refused(TRIAL "train: {batch: 50}\nfilters: {threshold: 0.4}\n", never,
                   "train.batch is 100 there and 50 here");
    assert_refused(SWEEP FILTERS, never, "\"sweep:\" here");
    free(claim(TRIAL, remove_measures));
    assert_refused(TRIAL "exponential: {clip: 20}\n" FILTERS, never,
                   "exponential is {clip: 30, beyond: linear, scale: 1} there and {clip: 20");
}

/* Takes this line out of FOLDER/trial/config.yaml, as a version wrote it that did not know the key. */
static char *forget_line(const char *forgotten) {
    char *old = NULL, *line = NULL;
    size_t size = 0, room = 0, found = 0;
    FILE *to = open_memstream(&old, &size), *from = fopen(at("trial/config.yaml"), "r");
    assert_true(to && from);
    while (getline(&line, &room, from) > 0) {
        found += strcmp(line, forgotten) == 0;
        if (strcmp(line, forgotten) != 0) fputs(line, to);
    }
    fclose(from);
    fclose(to);
    free(line);
    assert_int_equal(found, 1);
    write_file(at("trial/config.yaml"), old);
    return old;
}

/* What an earlier version trained is this version's with the default of every key that has come since. */
static void a_key_that_came_later_had_its_default(void **state) {
    (void)state;
    free(claim(TRIAL FILTERS, never));
    char *old = forget_line("  precision: fp32\n");
    xc_trial trial = make_trial(TRIAL FILTERS);
    MUST(xc_trial_check_folder(&trial, error));
    MUST(xc_trial_claim_folder(&trial, never, error));
    char *after = read_file(at("trial/config.yaml"));
    assert_string_equal(after, old); /* nothing to write */
    xc_trial_clear(&trial);
    assert_refused(TRIAL "train: {seed: 7}\n" FILTERS, never, "train.seed is 0 there and 7 here");
    assert_refused("data: {file: a.h5}\nmodel: {zoo: tiny, activation: relu, precision: tf32,\n"
                   "  blocks: [{conv: 4, width: 7, pool: 10}, {dense: 8}]}\n" FILTERS,
                   never, "model.precision is fp32 there and tf32 here");
    removals = 0;
    free(claim(TRIAL, remove_measures)); /* another filters section still goes the way it went */
    assert_int_equal(removals, 1);
    free(config_when_stale);
    config_when_stale = NULL;
    free(old);
    free(after);
}

/* What is no config is not taken for one. */
static void a_damaged_config_is_refused(void **state) {
    (void)state;
    free(claim(TRIAL, never));
    write_file(at("trial/config.yaml"), "data:\n  file: a.h5\n  nonsense: 3\n");
    assert_refused(TRIAL, never, "line 3 of its config.yaml is \"nonsense: 3\" there");
}

/* Who cannot remove measures must not change what they are measures of. */
static void without_removal_other_filters_are_refused(void **state) {
    (void)state;
    free(claim(TRIAL FILTERS, NULL));
    free(claim(TRIAL FILTERS, NULL));
    assert_refused(TRIAL "filters: {motifs: db.meme, threshold: 0.5}\n", NULL,
                   "filters.threshold is 0.3 there and 0.5 here");
    assert_refused(TRIAL "filters: {motifs: other.meme}\n", NULL,
                   "filters.motifs is db.meme there and other.meme here");
    assert_refused(TRIAL, NULL, "is \"filters:\" there and \"\" here");
}

/* ---- a sweep ----------------------------------------------------------------------------------------------------- */

/* FOLDER/sweep as a config sees it. */
typedef struct claimed_sweep {
    xc_config *config;
    xc_grid grid;
    int lock;
} claimed_sweep;

static xc_status open_sweep(const char *text, claimed_sweep *sweep, xc_error *fault) {
    *sweep = (claimed_sweep){.config = read_config(text), .lock = -1};
    MUST(xc_grid_build(sweep->config, at("sweep"), &sweep->grid, error));
    return xc_sweep_claim_folder(sweep->config, &sweep->grid, at("sweep"), &sweep->lock, fault);
}

static void close_sweep(claimed_sweep *sweep) {
    xc_sweep_leave_folder(&sweep->lock);
    xc_grid_free(&sweep->grid);
    xc_config_free(sweep->config);
}

static const char *in_trial(const claimed_sweep *sweep, size_t trial, const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", sweep->grid.trial[trial].folder, name);
    return path;
}

static const char *const measures[] = {XC_SCORES_FILE, XC_FILTERS_FILE, XC_TOMTOM_FILE, "filters-0.1.meme",
                                       "tomtom-0.1.tsv"};
enum { MEASURES = sizeof measures / sizeof *measures };

/* Makes trials 0 and 1 of the sweep begun, trial 0 with measures. */
static void begin_trials(const claimed_sweep *sweep) {
    for (size_t i = 0; i < 2; i++) MUST(xc_trial_claim_folder(&sweep->grid.trial[i], NULL, error));
    for (int m = 0; m < MEASURES; m++) write_file(in_trial(sweep, 0, measures[m]), "measured\n");
    write_file(in_trial(sweep, 0, XC_METRICS_FILE), "trained\n");
    write_file(in_trial(sweep, 0, "filters-old.meme"), "the user's\n");
}

static void assert_measured(const claimed_sweep *sweep, bool measured) {
    for (int m = 0; m < MEASURES; m++)
        if (xc_path_exists(in_trial(sweep, 0, measures[m])) != measured)
            fail_msg("%s is %s", measures[m], measured ? "not there" : "there");
    assert_true(xc_path_exists(in_trial(sweep, 0, XC_METRICS_FILE)));
    assert_true(xc_path_exists(in_trial(sweep, 0, "filters-old.meme")));
}

static void assert_filters_there(const claimed_sweep *sweep, const char *line) {
    const char *const places[] = {"sweep/config.yaml", NULL, NULL};
    for (int i = 0; i < 3; i++) {
        char *text = read_file(places[i] ? at(places[i]) : in_trial(sweep, (size_t)i - 1, XC_CONFIG_FILE));
        if (!strstr(text, line)) fail_msg("\"%s\" is not in: %s", line, text);
        free(text);
    }
    assert_false(xc_path_exists(in_trial(sweep, 2, XC_CONFIG_FILE))); /* trials that wait have no folder yet */
}

static void a_sweeps_trials_take_its_filters(void **state) {
    (void)state;
    claimed_sweep sweep;
    MUST(open_sweep(SWEEP FILTERS, &sweep, error));
    begin_trials(&sweep);
    close_sweep(&sweep);

    MUST(open_sweep(SWEEP FILTERS, &sweep, error));
    assert_measured(&sweep, true);
    assert_filters_there(&sweep, "\n  threshold: 0.3\n");
    close_sweep(&sweep);

    MUST(open_sweep(SWEEP "filters: {threshold: 0.4}\n", &sweep, error));
    assert_measured(&sweep, false);
    assert_filters_there(&sweep, "\n  threshold: 0.4\n");
    close_sweep(&sweep);
}

/* A kill between the sweep's config.yaml and its trials' leaves measures that the next run removes. */
static void a_trial_that_was_left_behind_is_found(void **state) {
    (void)state;
    claimed_sweep sweep;
    MUST(open_sweep(SWEEP FILTERS, &sweep, error));
    begin_trials(&sweep);
    close_sweep(&sweep);
    xc_config *changed = read_config(SWEEP "filters: {threshold: 0.4}\n");
    const xc_trial owner = {.folder = (char *)at("sweep"), .config = changed};
    MUST(xc_trial_claim_folder(&owner, xc_filters_remove, error));
    xc_config_free(changed);

    MUST(open_sweep(SWEEP "filters: {threshold: 0.4}\n", &sweep, error));
    assert_measured(&sweep, false);
    assert_filters_there(&sweep, "\n  threshold: 0.4\n");
    close_sweep(&sweep);
}

/* The lock must hold although config.yaml may be replaced. */
static void a_running_sweep_keeps_its_filters(void **state) {
    (void)state;
    claimed_sweep sweep, second;
    xc_error refused = {0};
    MUST(open_sweep(SWEEP FILTERS, &sweep, error));
    begin_trials(&sweep);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_sweep(SWEEP "filters: {threshold: 0.4}\n", &second, &refused), XC_IO);
        assert_non_null(strstr(refused.text, "another expconv is at work in this folder"));
        close_sweep(&second);
    }
    assert_measured(&sweep, true);
    assert_filters_there(&sweep, "\n  threshold: 0.3\n");
    close_sweep(&sweep);
}

static void another_sweep_is_refused_with_its_measures_in_place(void **state) {
    (void)state;
    claimed_sweep sweep, other;
    xc_error refused = {0};
    MUST(open_sweep(SWEEP FILTERS, &sweep, error));
    begin_trials(&sweep);
    xc_sweep_leave_folder(&sweep.lock);
    assert_int_equal(open_sweep(SWEEP "train: {epochs: 3}\nfilters: {threshold: 0.4}\n", &other, &refused), XC_INPUT);
    assert_non_null(strstr(refused.text, "train.epochs is 100 there and 3 here"));
    close_sweep(&other);
    assert_measured(&sweep, true);
    assert_filters_there(&sweep, "\n  threshold: 0.3\n");
    close_sweep(&sweep);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(filters_may_change_when_their_measures_go_first),
        IN_FOLDER(checking_writes_nothing),
        IN_FOLDER(another_key_is_named_not_the_filters),
        IN_FOLDER(a_key_that_came_later_had_its_default),
        IN_FOLDER(a_damaged_config_is_refused),
        IN_FOLDER(without_removal_other_filters_are_refused),
        IN_FOLDER(a_sweeps_trials_take_its_filters),
        IN_FOLDER(a_trial_that_was_left_behind_is_found),
        IN_FOLDER(a_running_sweep_keeps_its_filters),
        IN_FOLDER(another_sweep_is_refused_with_its_measures_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

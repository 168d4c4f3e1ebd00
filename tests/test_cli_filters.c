/* test_cli_filters.c: filters as motifs from the command line: a sweep that measures them when its trials end gives the
 * same bytes for any number of threads, after kills, and when the section is added later, without training again; and
 * `expconv filters` on a trial and on a sweep.
 */
#include <math.h>

#include "e2e/sweep.h"
#include "expconv/sweep.h"

/* ---- a database ---------------------------------------------------------------------------------------------------
 */

enum { DATABASE = 60, WIDTH = 8 };

/* The two words of the sequences as MA1 and MA2, and others that are made up. Returns its path. */
static const char *make_database(void) {
    static const char *const words[] = {"ACGTAACC", "TTGGCTAG"};
    const char *path = write_text("db.meme", "MEME version 4\n\nALPHABET= ACGT\n\n");
    FILE *stream = fopen(path, "a");
    assert_non_null(stream);
    for (int i = 0; i < DATABASE; i++) {
        fprintf(stream, "MOTIF MA%d\nletter-probability matrix: alength= 4 w= %d nsites= 20 E= 0\n", i + 1, WIDTH);
        for (int l = 0; l < WIDTH; l++) {
            const int likely = i < 2 ? (int)(strchr("ACGT", words[i][l]) - "ACGT") : base_of(7, i * 4, l + 20);
            for (int base = 0; base < 4; base++) fputs(base == likely ? "0.85 " : "0.05 ", stream);
            fputc('\n', stream);
        }
        fputc('\n', stream);
    }
    assert_int_equal(fclose(stream), 0);
    return path;
}

/* A filters section; window and E-value are of the size of this small world. `more` is other keys. */
static const char *section(const char *database, const char *more) {
    static char text[1024];
    snprintf(text, sizeof text,
             "filters:\n  motifs: \"%s\"\n  window: 10\n  evalue: 5\n"
             "  ground_truth: [{name: one, motifs: [MA1]}, {name: two, motifs: [MA2]}]\n%s",
             database, more);
    return text;
}

/* make_sweep with `more` at the end, under its own name. */
static const char *make_sweep_with(const char *name, const char *more) {
    char text[8192];
    char *plain = read_text(make_sweep(6, 2));
    snprintf(text, sizeof text, "%s%s", plain, more);
    free(plain);
    return write_text(name, text);
}

static const char *const filter_files[] = {"filters.meme", "tomtom.tsv", "filters.tsv"};

/* All files of two sweeps but the manifests, whose seconds differ. */
static void assert_same_folders(const char *one, const char *other) {
    char command[1200];
    snprintf(command, sizeof command, "diff -r -x manifest.tsv '%s' '%s' >&2", in_folder("%s", one),
             in_folder("%s", other));
    if (system(command) != 0) fail_msg("%s and %s differ", one, other);
}

static void copy_folder(const char *from, const char *to) {
    char command[1200];
    snprintf(command, sizeof command, "cp -rp '%s' '%s'", in_folder("%s", from), in_folder("%s", to));
    assert_int_equal(system(command), 0);
}

/* ---- the tables ---------------------------------------------------------------------------------------------------
 */

static void test_scores_in_the_tables(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), "  thresholds: [0.2, 0.8]\n"));
    outcome result = run("sweep %s --out %s --threads 1", config, in_folder("out"));
    assert_done(&result);
    assert_contains(result.out, "match_any");
    assert_contains(result.out, "match_ground_truth");
    end(&result);
    char *results = read_text(in_folder("out/results.tsv")), *summary = read_text(in_folder("out/summary.tsv"));
    assert_contains(results, "\tclip_fraction\tmatch_any\tmatch_ground_truth\tcoverage\tq_one\tq_two\n");
    assert_contains(summary, "\tq_two_mean\tq_two_sd\tq_two_median\tq_two_q1\tq_two_q3\n");
    bool any = false;
    for (int t = 0; t < TRIALS; t++) {
        static const char *const columns[] = {"match_any", "match_ground_truth", "coverage", "q_one", "q_two"};
        char *scores = read_text(in_folder("out/trials/%s/filters.tsv", trial_names[t]));
        assert_int_equal(count_lines(scores), 4);
        assert_string_equal(cell(scores, 0, "threshold"), "0.5"); /* the config's own first */
        assert_string_equal(cell(scores, 1, "threshold"), "0.2");
        assert_string_equal(cell(scores, 2, "filters"), "8");
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            char value[128];
            snprintf(value, sizeof value, "%s", cell(scores, 0, columns[i]));
            assert_string_equal(cell(results, t, columns[i]), value);
        }
        any |= atof(cell(results, t, "match_any")) > 0;
        free(scores);
        assert_true(exists(in_folder("out/trials/%s/filters-0.2.meme", trial_names[t])));
        assert_true(exists(in_folder("out/trials/%s/tomtom-0.8.tsv", trial_names[t])));
    }
    assert_true(any); /* otherwise nothing here would prove anything */
    for (int setting = 0; setting < 2; setting++) {
        double sum = 0;
        for (int i = 0; i < 3; i++) sum += atof(cell(results, 3 * setting + i, "match_any"));
        assert_true(fabs(atof(cell(summary, setting, "match_any_mean")) - sum / 3) < 1e-8);
    }
    free(results);
    free(summary);
    assert_no_leftovers();
}

/* Only columns that mean something: none without a database, match_any alone without a ground truth. */
static void test_columns_that_make_sense(void **state) {
    (void)state;
    char more[512];
    const char *plain = make_sweep(2, 0);
    sweep_into(plain, "plain", "");
    sweep_into(make_sweep_with("none.yaml", "filters: {window: 10}\n"), "none", "");
    snprintf(more, sizeof more, "filters: {window: 10, motifs: \"%s\"}\n", make_database());
    sweep_into(make_sweep_with("any.yaml", more), "any", "");
    const char *trial = trial_names[0];
    for (size_t i = 0; i < 3; i++) assert_false(exists(in_folder("plain/trials/%s/%s", trial, filter_files[i])));
    assert_true(exists(in_folder("none/trials/%s/filters.meme", trial)));
    assert_false(exists(in_folder("none/trials/%s/tomtom.tsv", trial)));
    char *scores = read_text(in_folder("none/trials/%s/filters.tsv", trial));
    assert_string_equal(cell(scores, 0, "filters"), "8");
    assert_string_equal(cell(scores, 0, "match_any"), "nan");
    char *none = read_text(in_folder("none/results.tsv")), *any = read_text(in_folder("any/results.tsv"));
    assert_contains(none, "\tclip_fraction\n");
    assert_contains(any, "\tclip_fraction\tmatch_any\n");
    free(scores);
    free(none);
    free(any);
}

static void test_diverged_trials_are_not_measured(void **state) {
    (void)state;
    char more[1200];
    snprintf(more, sizeof more,
             "train: {epochs: 3, batch: 30, optimizer: sgd}\nsweep: {learning_rate: [0.01, 1.0e+30]}\n%s",
             section(make_database(), ""));
    const char *config = make_config("wild.yaml", make_data("data.h5"), more);
    outcome result = run("sweep %s --quiet --out %s", config, in_folder("out"));
    assert_done(&result);
    end(&result);
    char *results = read_text(in_folder("out/results.tsv")), *summary = read_text(in_folder("out/summary.tsv"));
    assert_string_equal(cell(results, 1, "state"), "diverged");
    assert_string_equal(cell(results, 1, "match_any"), "nan");
    assert_string_equal(cell(results, 1, "q_two"), "nan");
    assert_string_equal(cell(summary, 1, "match_any_mean"), "nan");
    assert_string_not_equal(cell(results, 0, "match_any"), "nan");
    free(results);
    free(summary);
    const char *folder_name = "out/trials/tiny.relu.glorot_uniform.learning_rate1e+30.s000";
    assert_true(exists(in_folder("%s/diverged.txt", folder_name)));
    assert_false(exists(in_folder("%s/filters.tsv", folder_name)));
}

static void test_threads_and_packs_do_not_matter(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), "  thresholds: [0.2]\n"));
    sweep_into(config, "reference", "--threads 1 --pack 1");
    sweep_into(config, "threads2", "--threads 2 --pack 1");
    sweep_into(config, "pack4", "--threads 2 --pack 4");
    assert_same_folders("reference", "threads2");
    assert_same_folders("reference", "pack4");
    outcome one = run("train %s --set sweep.activation=[exponential] --set sweep.seeds=1 --set train.seed=2 --out %s",
                      config, in_folder("one"));
    assert_done(&one);
    assert_contains(one.err, "8 filters, match_any ");
    end(&one);
    for (size_t i = 0; i < 3; i++)
        assert_same_bytes(in_folder("one/%s", filter_files[i]),
                          in_folder("reference/trials/%s/%s", trial_names[5], filter_files[i]));
}

/* ---- going on -----------------------------------------------------------------------------------------------------
 */

/* What identifies a file that nobody wrote again. */
static struct stat about(const char *path) {
    struct stat result;
    assert_int_equal(stat(path, &result), 0);
    return result;
}

static void assert_untouched(const struct stat *before, const char *path) {
    const struct stat now = about(path);
    assert_int_equal(now.st_ino, before->st_ino);
    assert_int_equal(now.st_mtim.tv_sec, before->st_mtim.tv_sec);
    assert_int_equal(now.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
}

/* As a kill leaves it: after metrics.tsv, and between the files of the filters. */
static void test_cut_between_training_and_filters(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), "  thresholds: [0.2]\n"));
    sweep_into(config, "whole", "");
    copy_folder("whole", "cut");
    for (int t = 0; t < 3; t++) {
        const char *all[] = {"filters.tsv", "tomtom-0.2.tsv", "filters-0.2.meme", "tomtom.tsv", "filters.meme"};
        for (int i = 0; i <= 2 * t; i++) unlink(in_folder("cut/trials/%s/%s", trial_names[t], all[i]));
    }
    write_text("cut/results.tsv", "");
    write_text("cut/summary.tsv", "");
    const char *weights = in_folder("cut/trials/%s/weights.h5", trial_names[0]);
    const struct stat before = about(weights);
    sweep_into(config, "cut", "--threads 2");
    assert_same_folders("whole", "cut");
    assert_untouched(&before, weights);
    char *manifest = read_text(in_folder("cut/manifest.tsv"));
    assert_null(strstr(manifest, "running"));
    free(manifest);

    outcome again = run("sweep %s --out %s", config, in_folder("cut"));
    assert_done(&again);
    assert_contains(again.err, "all 6 trials are done already");
    end(&again);
}

static void test_killed_again_and_again(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), "  thresholds: [0.1, 0.2, 0.8]\n"));
    sweep_into(config, "whole", "--threads 2");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --out %s", config, in_folder("cut"));
    kill_until_done(arguments, 20, 17);
    sweep_into(config, "cut", "");
    assert_same_folders("whole", "cut");
    assert_no_leftovers();
}

/* Many thresholds make the measuring long enough to be interrupted. */
static const char *many_thresholds(void) {
    static char text[3000];
    size_t length = 0;
    for (int i = 1; i < 400; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s0.%03d", i > 1 ? "," : "", 2 * i + 1);
    return text;
}

static void test_ctrl_c_while_measuring(void **state) {
    (void)state;
    char more[6000], arguments[512];
    const char *database = make_database();
    sweep_into(make_sweep_with("plain.yaml", ""), "out", "");
    snprintf(more, sizeof more, "%s  thresholds: [%s]\n", section(database, ""), many_thresholds());
    const char *config = make_sweep_with("many.yaml", more);
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --out %s", config, in_folder("out"));
    const pid_t child = start(0, arguments);
    for (int i = 0; i < 20000 && !exists(in_folder("out/trials/%s/filters.meme", trial_names[0])); i++)
        sleep_milliseconds(1);
    kill(child, SIGINT);
    outcome result = finish(child);
    if (result.status == 0) fail_msg("the sweep ended before it could be interrupted");
    assert_int_equal(result.status, 130);
    assert_contains(result.err, "run the same command again");
    assert_int_equal(count_lines(result.err), 1);
    end(&result);
    assert_no_leftovers();
    assert_false(exists(in_folder("out/trials/%s/filters.tsv", trial_names[0])));
    char *manifest = read_text(in_folder("out/manifest.tsv")), *results = read_text(in_folder("out/results.tsv"));
    assert_string_equal(cell(manifest, 0, "state"), "running");
    assert_int_equal(count_lines(results), 1); /* trained, but not done */
    free(manifest);
    free(results);

    /* The section may change meanwhile: what was measured by the other one is gone. */
    const char *simple = make_sweep_with("simple.yaml", section(database, ""));
    sweep_into(simple, "out", "");
    sweep_into(simple, "straight", "");
    assert_same_folders("straight", "out");
}

static void test_section_added_changed_and_removed(void **state) {
    (void)state;
    const char *database = make_database(), *plain = make_sweep_with("plain.yaml", "");
    sweep_into(plain, "out", "");
    copy_folder("out", "before");
    struct stat weights[TRIALS];
    for (int t = 0; t < TRIALS; t++) weights[t] = about(in_folder("out/trials/%s/weights.h5", trial_names[t]));

    const char *with = make_sweep_with("with.yaml", section(database, ""));
    sweep_into(with, "out", "--threads 2");
    sweep_into(with, "with", "");
    assert_same_folders("with", "out");
    const char *other = make_sweep_with("other.yaml", section(database, "  threshold: 0.7\n  thresholds: [0.2]\n"));
    sweep_into(other, "out", "--threads 1");
    sweep_into(other, "other", "");
    assert_same_folders("other", "out");
    sweep_into(plain, "out", "");
    assert_same_folders("before", "out");
    for (int t = 0; t < TRIALS; t++)
        assert_untouched(&weights[t], in_folder("out/trials/%s/weights.h5", trial_names[t]));
}

/* A sweep's folder read by itself: without its data and database, and with one trial not measured. */
static void test_sweep_is_read_back(void **state) {
    (void)state;
    xc_error error = {0};
    xc_grid grid;
    const char *database = make_database();
    sweep_into(make_sweep_with("with.yaml", section(database, "")), "out", "");
    copy_folder("out", "before");
    unlink(database);
    unlink(in_folder("data.h5"));
    if (xc_sweep_read(in_folder("out"), &grid, &error) != XC_OK) fail_msg("%s", error.text);
    char *results = read_text(in_folder("out/results.tsv"));
    assert_int_equal(grid.count, TRIALS);
    for (int t = 0; t < TRIALS; t++) {
        assert_string_equal(grid.trial[t].name, trial_names[t]);
        assert_int_equal(grid.trial[t].status, XC_TRIAL_DONE);
        assert_int_equal(grid.trial[t].epochs, atoi(cell(results, t, "epochs")));
        assert_true(grid.trial[t].test.mean[XC_METRIC_AUROC] == atof(cell(results, t, "test_auroc")));
        assert_int_equal(grid.scores[t].filters, 8);
        assert_true(grid.scores[t].match_any == atof(cell(results, t, "match_any")));
        assert_true(grid.scores[t].best_q[1] == atof(cell(results, t, "q_two")));
    }
    free(results);
    xc_grid_free(&grid);
    assert_same_folders("before", "out");

    unlink(in_folder("out/trials/%s/filters.tsv", trial_names[2]));
    if (xc_sweep_read(in_folder("out"), &grid, &error) != XC_OK) fail_msg("%s", error.text);
    assert_int_equal(grid.trial[2].status, XC_TRIAL_DONE);
    assert_int_equal(grid.scores[2].filters, 0);
    xc_grid_free(&grid);

    assert_int_equal(xc_sweep_read(in_folder("out/trials/%s", trial_names[0]), &grid, &error), XC_INPUT);
    assert_contains(error.text, "not the folder of a sweep");
    xc_grid_free(&grid);
    assert_int_equal(xc_sweep_read(in_folder("nowhere"), &grid, &error), XC_INPUT);
    xc_grid_free(&grid);
}

/* ---- refused before anything is trained or written ----------------------------------------------------------------
 */

static void test_refusals(void **state) {
    (void)state;
    static const char *const commands[] = {"sweep", "train --set sweep.activation=[relu] --set sweep.seeds=1"};
    const char *database = make_database();
    for (int i = 0; i < 2; i++) {
        const char *missing = make_sweep_with("missing.yaml", section(in_folder("none.meme"), ""));
        outcome result = run("%s %s --out %s", commands[i], missing, in_folder("out"));
        assert_int_equal(result.status, 1);
        assert_contains(result.err, "none.meme: cannot read");
        end(&result);

        char *wrong = strdup(section(database, ""));
        memcpy(strstr(wrong, "[MA2]"), "[MAX]", 5);
        result = run("%s %s --out %s", commands[i], make_sweep_with("wrong.yaml", wrong), in_folder("out"));
        free(wrong);
        assert_int_equal(result.status, 1);
        assert_contains(result.err, "none of the identifiers of two (MAX) is in");
        end(&result);

        const char *good = make_sweep_with("good.yaml", section(database, ""));
        drop(in_folder("data.h5"), "X_test");
        drop(in_folder("data.h5"), "Y_test");
        result = run("%s %s --out %s", commands[i], good, in_folder("out"));
        assert_int_equal(result.status, 1);
        assert_contains(result.err, "data.h5 has no test split, on which filters are measured");
        end(&result);
        unlink(in_folder("data.h5"));
        assert_false(exists(in_folder("out")));
    }
}

static void test_spoilt_scores(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), ""));
    sweep_into(config, "out", "");
    const char *path = in_folder("out/trials/%s/filters.tsv", trial_names[1]);
    char *good = read_text(path), *results = read_text(in_folder("out/results.tsv"));
    char name[200];
    snprintf(name, sizeof name, "out/trials/%s/filters.tsv", trial_names[1]);
    write_text(name, "threshold\tfilters\n0.5\tmany\n");
    outcome result = run("sweep %s --quiet --out %s", config, in_folder("out"));
    assert_refused(&result, 1, name, "not the scores of filters by this config", "remove it", NULL);
    end(&result);
    unlink(path);
    sweep_into(config, "out", "");
    char *again = read_text(path), *table = read_text(in_folder("out/results.tsv"));
    assert_string_equal(good, again);
    assert_string_equal(results, table);
    free(good);
    free(again);
    free(results);
    free(table);
}

/* ---- expconv filters ----------------------------------------------------------------------------------------------
 */

static void test_filters_of_a_trial(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), ""));
    sweep_into(config, "sweep", "");
    const char *trial = in_folder("sweep/trials/%s", trial_names[4]);

    /* By its own section and data: the sweep's bytes, for any number of threads. */
    outcome result = run("filters %s/ --threads 2 --out %s", trial, in_folder("own"));
    assert_done(&result);
    assert_contains(result.out, "trial ");
    assert_contains(result.out, trial_names[4]);
    assert_contains(result.out, "match_ground_truth");
    assert_contains(result.out, in_folder("own/filters.meme"));
    end(&result);
    for (size_t i = 0; i < 3; i++)
        assert_same_bytes(in_folder("own/%s", filter_files[i]),
                          in_folder("%s/%s", trial + strlen(folder) + 1, filter_files[i]));
    assert_false(exists(in_folder("own/scores.tsv")));
    char *kernels = read_text(in_folder("own/kernels.meme"));
    assert_contains(kernels, "w= 9 nsites= 0");
    free(kernels);

    /* Options over the section; the files of the first run that are not of this one are gone. */
    result =
        run("filters %s --data %s --split valid --threshold 0.3 --thresholds 0.1,0.7 --window 12 --evalue 2 --out %s",
            trial, in_folder("data.h5"), in_folder("own"));
    assert_done(&result);
    end(&result);
    char *scores = read_text(in_folder("own/filters.tsv"));
    assert_int_equal(count_lines(scores), 4);
    assert_string_equal(cell(scores, 0, "threshold"), "0.3");
    assert_string_equal(cell(scores, 2, "threshold"), "0.7");
    free(scores);
    result = run("filters %s --out %s", trial, in_folder("own"));
    assert_done(&result);
    end(&result);
    assert_false(exists(in_folder("own/filters-0.1.meme")));
    assert_no_leftovers();
}

static void test_filters_of_a_sweep(void **state) {
    (void)state;
    const char *plain = make_sweep_with("plain.yaml", ""), *database = make_database();
    const char *with = make_sweep_with("with.yaml", section(database, "  thresholds: [0.2]\n"));
    sweep_into(plain, "sweep", "");
    sweep_into(with, "with", "");
    copy_folder("sweep", "before");

    /* Without a database: motifs and their number. */
    outcome result = run("filters %s --window 10 --out %s", in_folder("sweep"), in_folder("plain"));
    assert_done(&result);
    assert_null(strstr(result.out, "match_any"));
    assert_contains(result.out, in_folder("plain/scores.tsv"));
    end(&result);
    char *scores = read_text(in_folder("plain/scores.tsv"));
    assert_string_equal(cell(scores, 5, "trial"), trial_names[5]);
    assert_string_equal(cell(scores, 5, "filters"), "8");
    assert_string_equal(cell(scores, 5, "match_any"), "nan");
    free(scores);
    assert_false(exists(in_folder("plain/%s/tomtom.tsv", trial_names[0])));

    /* With the section of a config: what the sweep would have measured. */
    static const char *const threads[] = {"1", "2", "5"};
    for (int i = 0; i < 3; i++) {
        result = run("filters %s --config %s --threads %s --out %s", in_folder("sweep"), with, threads[i],
                     in_folder("out%d", i));
        assert_done(&result);
        assert_contains(result.out, "match_ground_truth");
        end(&result);
    }
    assert_same_folders("out0", "out1");
    assert_same_folders("out0", "out2");
    for (int t = 0; t < TRIALS; t++)
        for (size_t i = 0; i < 3; i++)
            assert_same_bytes(in_folder("out0/%s/%s", trial_names[t], filter_files[i]),
                              in_folder("with/trials/%s/%s", trial_names[t], filter_files[i]));
    scores = read_text(in_folder("out0/scores.tsv"));
    assert_int_equal(count_lines(scores), 1 + 2 * TRIALS);
    assert_true(strstr(scores, "trial\tthreshold\tfilters\tmatch_any\t") == scores);
    assert_string_equal(cell(scores, 3, "trial"), trial_names[1]);
    assert_string_equal(cell(scores, 3, "threshold"), "0.2");
    free(scores);
    assert_same_folders("before", "sweep");
}

static void test_filters_refusals(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), ""));
    const char *plain = make_sweep_with("plain.yaml", "");
    sweep_into(config, "sweep", "");
    const char *sweep = in_folder("sweep"), *trial = in_folder("sweep/trials/%s", trial_names[0]);
    const char *out = in_folder("out");
    static const struct {
        const char *options;
        int status;
        const char *part;
    } cases[] = {
        {"--threshold 1", 2, "--threshold 1: must be a number from 0 to below 1"},
        {"--threshold 0.5,0.6", 2, "--threshold 0.5,0.6"},
        {"--thresholds 0.5,x", 2, "--thresholds 0.5,x"},
        {"--thresholds 0.5,nan", 2, "--thresholds 0.5,nan"},
        {"--window 7", 2, "--window 7: must be even"},
        {"--window 66", 2, "--window 66"},
        {"--evalue -1", 2, "--evalue -1"},
        {"--split tests", 2, "did you mean test"},
        {"--motifs none.meme", 1, "none.meme: cannot read"},
        {"--data none.h5", 1, "none.h5"},
    };
    outcome result;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result = run("filters %s --quiet %s --out %s", trial, cases[i].options, out);
        assert_refused(&result, cases[i].status, cases[i].part, NULL);
        end(&result);
    }
    result = run("filters %s --quiet --config %s --out %s", trial, plain, out);
    assert_refused(&result, 2, "has no filters section", NULL);
    end(&result);
    result = run("filters %s", trial);
    assert_refused(&result, 2, "--out is missing", NULL);
    end(&result);
    result = run("filters %s --quiet --out %s/.", trial, trial);
    assert_refused(&result, 2, "is the folder of a trial", NULL);
    end(&result);
    result = run("filters %s --quiet --out %s/trials", sweep, sweep);
    assert_refused(&result, 2, "is the folder of a trial", NULL);
    end(&result);
    result = run("filters %s --quiet --out %s", trial, in_folder("sweep/trials/%s", trial_names[1]));
    assert_refused(&result, 2, "is the folder of a trial", NULL);
    end(&result);
    result = run("filters %s --quiet --out %s", folder, out);
    assert_refused(&result, 1, "neither the folder of a finished trial", NULL);
    end(&result);
    assert_int_equal(rename(in_folder("data.h5"), in_folder("elsewhere.h5")), 0);
    result = run("filters %s --quiet --out %s", trial, out);
    assert_refused(&result, 1, "is not there; name the sequences with --data", NULL);
    end(&result);
    assert_false(exists(out));
    result = run("filters --help");
    assert_done(&result);
    assert_contains(result.out, "examples:\n  expconv filters ");
    end(&result);
}

static void test_filters_ctrl_c(void **state) {
    (void)state;
    const char *config = make_sweep_with("with.yaml", section(make_database(), ""));
    sweep_into(config, "sweep", "");
    char arguments[3600];
    snprintf(arguments, sizeof arguments, "filters %s --quiet --threads 2 --thresholds %s --out %s", in_folder("sweep"),
             many_thresholds(), in_folder("out"));
    const pid_t child = start(0, arguments);
    for (int i = 0; i < 20000 && !exists(in_folder("out/%s/filters.meme", trial_names[0])); i++) sleep_milliseconds(1);
    kill(child, SIGINT);
    outcome result = finish(child);
    if (result.status == 0) fail_msg("it ended before it could be interrupted");
    assert_int_equal(result.status, 130);
    assert_contains(result.err, "interrupted: the filters of ");
    assert_string_equal(result.out, "");
    end(&result);
    assert_no_leftovers();
    assert_false(exists(in_folder("out/%s/filters.tsv", trial_names[0])));
    assert_false(exists(in_folder("out/scores.tsv")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_scores_in_the_tables),
        IN_FOLDER(test_columns_that_make_sense),
        IN_FOLDER(test_diverged_trials_are_not_measured),
        IN_FOLDER(test_threads_and_packs_do_not_matter),
        IN_FOLDER(test_cut_between_training_and_filters),
        IN_FOLDER(test_killed_again_and_again),
        IN_FOLDER(test_ctrl_c_while_measuring),
        IN_FOLDER(test_section_added_changed_and_removed),
        IN_FOLDER(test_sweep_is_read_back),
        IN_FOLDER(test_refusals),
        IN_FOLDER(test_spoilt_scores),
        IN_FOLDER(test_filters_of_a_trial),
        IN_FOLDER(test_filters_of_a_sweep),
        IN_FOLDER(test_filters_refusals),
        IN_FOLDER(test_filters_ctrl_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_cli_sweep.c: a sweep gives the same bytes for any number of threads and any pack size, and however it was
 * interrupted; and what evaluate and predict say of its networks agrees with its tables.
 */
#include <math.h>
#include <sys/mount.h>
#include <time.h>

#include "e2e/cli.h"
#include "expconv/train.h"

enum { TRIALS = 6 };

static const char *const trial_names[TRIALS] = {
    "tiny.relu.glorot_uniform.s000",        "tiny.relu.glorot_uniform.s001",
    "tiny.relu.glorot_uniform.s002",        "tiny.exponential.glorot_uniform.s000",
    "tiny.exponential.glorot_uniform.s001", "tiny.exponential.glorot_uniform.s002"};

/* Two activations, three seeds; trials stop at different epochs, so packs shrink as they go. */
static const char *make_sweep(int epochs, int patience) {
    char more[512];
    snprintf(more, sizeof more,
             "train: {epochs: %d, batch: 30, learning_rate: 0.02, early_stop: {patience: %d}}\n"
             "sweep: {activation: [relu, exponential], seeds: 3}\n",
             epochs, patience);
    return make_config("sweep.yaml", make_data("data.h5"), more);
}

static void assert_same_sweep(const char *one, const char *other) {
    static const char *const tables[] = {"results.tsv", "summary.tsv", "config.yaml"};
    static const char *const files[] = {"weights.h5", "history.tsv", "metrics.tsv", "config.yaml"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_same_bytes(in_folder("%s/%s", one, tables[i]), in_folder("%s/%s", other, tables[i]));
    for (int t = 0; t < TRIALS; t++)
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            assert_same_bytes(in_folder("%s/trials/%s/%s", one, trial_names[t], files[i]),
                              in_folder("%s/trials/%s/%s", other, trial_names[t], files[i]));
}

static void sweep_into(const char *config, const char *name, const char *options) {
    outcome result = run("sweep %s --quiet --out %s %s", config, in_folder("%s", name), options);
    assert_done(&result);
    assert_string_equal(result.err, "");
    end(&result);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static int count_lines(const char *text) {
    int count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

/* The cell of a column in row `row` (0: the first after the header) of a TSV text. */
static const char *cell(const char *text, int row, const char *column) {
    static char value[128];
    const size_t width = strcspn(text, "\n");
    int index = 0;
    const char *at = text;
    for (;; index++) {
        const size_t length = strcspn(at, "\t\n");
        if (length == strlen(column) && strncmp(at, column, length) == 0) break;
        if (at + length >= text + width) fail_msg("no column %s", column);
        at += length + 1;
    }
    at = text;
    for (int i = 0; i <= row; i++) at = strchr(at, '\n') + 1;
    for (int i = 0; i < index; i++) at = strchr(at, '\t') + 1;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\t\n"), at);
    return value;
}

static void test_tables(void **state) {
    (void)state;
    const char *config = make_sweep(12, 3);
    outcome result = run("sweep %s --out %s --threads 2", config, in_folder("out"));
    assert_done(&result);
    assert_contains(result.out, "test_auroc");
    assert_contains(result.out, "exponential");
    assert_contains(result.out, "±");
    assert_contains(result.out, in_folder("out/results.tsv"));
    assert_contains(result.err, "6 of 6 trials done");
    end(&result);

    char *results = read_text(in_folder("out/results.tsv")), *summary = read_text(in_folder("out/summary.tsv"));
    char *manifest = read_text(in_folder("out/manifest.tsv"));
    assert_int_equal(count_lines(results), 1 + TRIALS);
    assert_int_equal(count_lines(summary), 1 + 2);
    assert_int_equal(count_lines(manifest), 1 + TRIALS);
    assert_true(strstr(results, "activation\tseed\tstate\tepochs\tbest_epoch\ttrain_loss\tvalid_loss\t") == results);
    assert_true(strstr(summary, "activation\ttrials\tdiverged\tepochs_mean\tepochs_sd\tepochs_median\t") == summary);

    for (int setting = 0; setting < 2; setting++) {
        double auroc[3], sum = 0, squares = 0;
        for (int i = 0; i < 3; i++) sum += auroc[i] = atof(cell(results, 3 * setting + i, "test_auroc"));
        for (int i = 0; i < 3; i++) squares += (auroc[i] - sum / 3) * (auroc[i] - sum / 3);
        assert_true(fabs(atof(cell(summary, setting, "test_auroc_mean")) - sum / 3) < 1e-8);
        assert_true(fabs(atof(cell(summary, setting, "test_auroc_sd")) - sqrt(squares / 2)) < 1e-8);
        assert_string_equal(cell(summary, setting, "trials"), "3");
        assert_string_equal(cell(summary, setting, "diverged"), "0");
        assert_string_equal(cell(summary, setting, "activation"), setting ? "exponential" : "relu");
    }
    for (int t = 0; t < TRIALS; t++) {
        assert_string_equal(cell(manifest, t, "trial"), trial_names[t]);
        assert_string_equal(cell(manifest, t, "state"), "done");
        assert_string_equal(cell(results, t, "state"), "done");
        assert_true(atof(cell(results, t, "test_auroc")) > 0.8); /* the words are there to be found */
        char *history = read_text(in_folder("out/trials/%s/history.tsv", trial_names[t]));
        assert_int_equal(count_lines(history), 1 + atoi(cell(results, t, "epochs")));
        free(history);
    }
    free(results);
    free(summary);
    free(manifest);

    /* Run again: nothing to do, the same table. */
    outcome again = run("sweep %s --out %s", config, in_folder("out"));
    assert_done(&again);
    assert_contains(again.err, "done already");
    assert_contains(again.out, "±");
    end(&again);
    assert_no_leftovers();
}

static void test_diverged_trial_is_counted_and_left_out(void **state) {
    (void)state;
    const char *config = make_config("wild.yaml", make_data("data.h5"),
                                     "train: {epochs: 4, batch: 30, optimizer: sgd}\n"
                                     "sweep: {learning_rate: [0.01, 1.0e+30]}\n");
    outcome result = run("sweep %s --quiet --out %s", config, in_folder("out"));
    assert_done(&result);
    assert_contains(result.err, "diverged");
    char *results = read_text(in_folder("out/results.tsv")), *summary = read_text(in_folder("out/summary.tsv"));
    char *manifest = read_text(in_folder("out/manifest.tsv"));
    assert_string_equal(cell(results, 0, "state"), "done");
    assert_string_equal(cell(results, 1, "state"), "diverged");
    assert_string_equal(cell(results, 1, "test_auroc"), "nan");
    assert_string_equal(cell(summary, 1, "trials"), "1");
    assert_string_equal(cell(summary, 1, "diverged"), "1");
    assert_string_equal(cell(summary, 1, "test_auroc_mean"), "nan");
    assert_string_equal(cell(manifest, 1, "state"), "diverged");
    assert_contains(cell(manifest, 1, "reason"), "epoch");
    end(&result);

    outcome again = run("sweep %s --quiet --out %s", config, in_folder("out"));
    assert_done(&again);
    char *later = read_text(in_folder("out/results.tsv"));
    assert_string_equal(results, later);
    end(&again);

    outcome one = run("train %s --quiet --set sweep.learning_rate=[1.0e+30] --out %s", config, in_folder("one"));
    assert_refused(&one, 1, "diverged", "epoch", NULL);
    end(&one);
    free(results);
    free(summary);
    free(manifest);
    free(later);
}

/* ---- the same bytes ----------------------------------------------------------------------------------------------- */

static void test_threads_and_packs_do_not_matter(void **state) {
    (void)state;
    const char *config = make_sweep(10, 2);
    sweep_into(config, "reference", "--threads 1 --pack 1");
    sweep_into(config, "threads2", "--threads 2 --pack 1");
    sweep_into(config, "pack2", "--threads 1 --pack 2");
    sweep_into(config, "pack5", "--threads 2 --pack 5");
    assert_same_sweep("reference", "threads2");
    assert_same_sweep("reference", "pack2");
    assert_same_sweep("reference", "pack5");
}

/* Sequences of 200 for the models of the zoo, without a sense. */
static const char *make_long_data(void) {
    enum { COUNT = 45, LONG = 200 };
    static const char *const sets[] = {"train", "valid", "test"};
    const char *path = in_folder("long.h5");
    float *x = calloc((size_t)COUNT * 4 * LONG, sizeof *x), *y = labels(COUNT);
    for (int i = 0; i < COUNT; i++)
        for (int l = 0; l < LONG; l++) x[(i * 4 + base_of(l / LENGTH, i, l % LENGTH)) * LONG + l] = 1;
    for (int s = 0; s < 3; s++) {
        char name[16];
        snprintf(name, sizeof name, "X_%s", sets[s]);
        put(path, name, 3, (hsize_t[]){COUNT, 4, LONG}, x);
        snprintf(name, sizeof name, "Y_%s", sets[s]);
        put(path, name, 2, (hsize_t[]){COUNT, CLASSES}, y);
    }
    free(x);
    free(y);
    return path;
}

/* Only trials of one shape can share a pack, whatever --pack says. */
static void test_packs_hold_one_model_each(void **state) {
    (void)state;
    char text[512];
    snprintf(text, sizeof text, "data: {file: %s}\ntrain: {epochs: 1, batch: 20}\n"
                                "sweep: {zoo: [cnn-local, cnn-dist], activation: [relu, tanh]}\n", make_long_data());
    const char *config = write_text("two.yaml", text);
    sweep_into(config, "alone", "--pack 1");
    sweep_into(config, "packed", "--pack 8 --threads 1");
    assert_same_bytes(in_folder("alone/results.tsv"), in_folder("packed/results.tsv"));
    const char *weights = "trials/cnn-dist.tanh.glorot_uniform.s000/weights.h5";
    assert_same_bytes(in_folder("alone/%s", weights), in_folder("packed/%s", weights));
}

static void test_train_is_one_trial_of_the_sweep(void **state) {
    (void)state;
    const char *config = make_sweep(5, 0);
    sweep_into(config, "sweep", "--threads 2");
    outcome result = run("train %s --quiet --set sweep.activation=[exponential] --set sweep.seeds=1 --set train.seed=2 "
                         "--out %s", config, in_folder("one"));
    assert_done(&result);
    assert_int_equal(strncmp(result.out, "split ", 6), 0);
    assert_contains(result.out, "\ntest ");
    const char *trial = trial_names[5];
    assert_same_bytes(in_folder("one/weights.h5"), in_folder("sweep/trials/%s/weights.h5", trial));
    assert_same_bytes(in_folder("one/metrics.tsv"), in_folder("sweep/trials/%s/metrics.tsv", trial));
    outcome again = run("train %s --set sweep.activation=[exponential] --set sweep.seeds=1 --set train.seed=2 --out %s",
                        config, in_folder("one"));
    assert_done(&again);
    assert_contains(again.err, "trained already");
    assert_string_equal(result.out, again.out);
    end(&result);
    end(&again);
}

/* ---- interruptions ------------------------------------------------------------------------------------------------ */

static void sleep_milliseconds(long milliseconds) {
    const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Waits until some trial has a checkpoint. */
static void wait_for_checkpoint(const char *name) {
    for (int i = 0; i < 30000; i++) {
        for (int t = 0; t < TRIALS; t++)
            if (exists(in_folder("%s/trials/%s/checkpoint.h5", name, trial_names[t]))) return;
        sleep_milliseconds(1);
    }
    fail_msg("no checkpoint appeared");
}

static void test_ctrl_c(void **state) {
    (void)state;
    const char *config = make_sweep(20, 0);
    sweep_into(config, "whole", "--threads 1 --pack 5");
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --pack 2 --out %s", config,
                 in_folder("cut%d", i));
        const pid_t child = start(0, arguments);
        wait_for_checkpoint(i ? "cut1" : "cut0");
        kill(child, signals[i]);
        outcome result = finish(child);
        if (result.status == 0) fail_msg("the sweep ended before it could be interrupted");
        assert_int_equal(result.status, 130);
        assert_contains(result.err, "run the same command again");
        assert_int_equal(count_lines(result.err), 1);
        assert_string_equal(result.out, "");
        end(&result);
        char *manifest = read_text(in_folder("cut%d/manifest.tsv", i));
        assert_contains(manifest, "\trunning\t");
        free(manifest);
        assert_no_leftovers();
        sweep_into(config, i ? "cut1" : "cut0", "--threads 1 --pack 1");
        assert_same_sweep("whole", i ? "cut1" : "cut0");
    }
}

static void test_train_interrupted(void **state) {
    (void)state;
    const char *config = make_config("one.yaml", make_data("data.h5"),
                                     "train: {epochs: 60, batch: 30, early_stop: {patience: 0}}\n");
    outcome whole = run("train %s --quiet --out %s", config, in_folder("whole"));
    assert_done(&whole);
    end(&whole);
    char arguments[512];
    snprintf(arguments, sizeof arguments, "train %s --quiet --out %s", config, in_folder("cut"));
    const pid_t child = start(0, arguments);
    for (int i = 0; i < 30000 && !exists(in_folder("cut/checkpoint.h5")); i++) sleep_milliseconds(1);
    kill(child, SIGINT);
    outcome cut = finish(child);
    assert_int_equal(cut.status, 130);
    assert_contains(cut.err, "run the same command again");
    end(&cut);
    outcome rest = run("train %s --quiet --out %s", config, in_folder("cut"));
    assert_done(&rest);
    end(&rest);
    static const char *const files[] = {"weights.h5", "history.tsv", "metrics.tsv"};
    for (int i = 0; i < 3; i++) assert_same_bytes(in_folder("whole/%s", files[i]), in_folder("cut/%s", files[i]));
    assert_false(exists(in_folder("cut/checkpoint.h5")));
}

static void test_killed_again_and_again(void **state) {
    (void)state;
    const char *config = make_sweep(12, 0);
    sweep_into(config, "whole", "--threads 2");
    char arguments[512];
    int kills = 0;
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 2 --pack 2 --out %s", config, in_folder("cut"));
    for (long milliseconds = 15;; milliseconds += 13) {
        const pid_t child = start(0, arguments);
        sleep_milliseconds(milliseconds);
        kill(child, SIGKILL);
        outcome result = finish(child);
        const int status = result.status;
        end(&result);
        if (status == 0) break;
        assert_int_equal(status, 128 + SIGKILL);
        kills++;
    }
    assert_true(kills >= 2);
    sweep_into(config, "cut", "");
    assert_same_sweep("whole", "cut");
    assert_no_leftovers();
}

/* ---- a disk that is full ------------------------------------------------------------------------------------------ */

/* Whatever stands in the sweep's folder afterwards is whole: going on with room gives the uninterrupted sweep. */
static void test_file_that_may_not_grow(void **state) {
    (void)state;
    const char *config = make_sweep(6, 0);
    sweep_into(config, "whole", "");
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 1 --out %s", config, in_folder("full"));
    static const rlim_t limits[] = {0x200, 0x1000, 0x2000};
    for (int i = 0; i < 3; i++) {
        outcome result = finish(start(limits[i], arguments));
        assert_refused(&result, 1, "cannot write", "File too large", NULL);
        end(&result);
        assert_no_leftovers();
    }
    sweep_into(config, "full", "");
    assert_same_sweep("whole", "full");
}

static void test_full_disk(void **state) {
    (void)state;
    const char *config = make_sweep(6, 0);
    char disk[128];
    snprintf(disk, sizeof disk, "%s/disk", folder);
    assert_int_equal(mkdir(disk, 0777), 0);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=96k") != 0) skip(); /* needs to be root, and be let */
    sweep_into(config, "whole", "");
    outcome result = run("sweep %s --quiet --threads 1 --out %s", config, in_folder("disk/out"));
    char command[256];
    snprintf(command, sizeof command, "test -z \"$(find '%s' -name '*.tmp')\"", disk);
    const int leftovers = system(command);
    const int remounted = mount("tmpfs", disk, "tmpfs", MS_REMOUNT, "size=64m");
    outcome rest = run("sweep %s --quiet --threads 1 --out %s", config, in_folder("disk/out"));
    const int moved = system((snprintf(command, sizeof command, "cp -r '%s/out' '%s/filled'", disk, folder), command));
    umount(disk);
    assert_int_equal(remounted + moved, 0);
    assert_refused(&result, 1, "No space left on device", NULL);
    assert_int_equal(leftovers, 0);
    assert_done(&rest);
    assert_same_sweep("whole", "filled");
    end(&result);
    end(&rest);
}

/* ---- one at a time ------------------------------------------------------------------------------------------------ */

static void test_two_sweeps_in_one_folder(void **state) {
    (void)state;
    const char *config = make_sweep(60, 0);
    char arguments[512];
    snprintf(arguments, sizeof arguments, "sweep %s --quiet --threads 1 --out %s", config, in_folder("out"));
    const pid_t child = start(0, arguments);
    wait_for_checkpoint("out");
    outcome second = run("sweep %s --quiet --out %s", config, in_folder("out"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_refused(&second, 1, "another expconv is at work", NULL);
    end(&second);
}

/* ---- evaluate and predict ----------------------------------------------------------------------------------------- */

static void test_evaluate_agrees_with_the_tables(void **state) {
    (void)state;
    const char *config = make_sweep(4, 0);
    sweep_into(config, "out", "");
    char *results = read_text(in_folder("out/results.tsv"));
    for (int t = 0; t < TRIALS; t += 5) {
        static const char *const splits[] = {"valid", "test"};
        static const char *const metrics[] = {"loss", "auroc", "aupr", "average_precision", "accuracy", "pearson"};
        for (int s = 0; s < 2; s++) {
            outcome one = run("evaluate %s --quiet --data %s --split %s --threads 1",
                              in_folder("out/trials/%s", trial_names[t]), in_folder("data.h5"), splits[s]);
            outcome two = run("evaluate %s --quiet --data %s --split %s --threads 2",
                              in_folder("out/trials/%s", trial_names[t]), in_folder("data.h5"), splits[s]);
            assert_done(&one);
            assert_string_equal(one.out, two.out);
            assert_int_equal(count_lines(one.out), 2 + CLASSES);
            assert_string_equal(cell(one.out, 0, "class"), "mean");
            for (int m = 0; m < 6; m++) {
                char column[64], expected[64];
                snprintf(column, sizeof column, "%s_%s", splits[s], metrics[m]);
                snprintf(expected, sizeof expected, "%s", cell(results, t, column));
                assert_string_equal(cell(one.out, 0, metrics[m]), expected);
            }
            end(&one);
            end(&two);
        }
    }
    free(results);
}

static void test_evaluate_reverse_complement(void **state) {
    (void)state;
    const char *config = make_config("rc.yaml", make_data("data.h5"), "train: {epochs: 2, batch: 30}\n");
    outcome trained = run("train %s --quiet --set data.reverse_complement=true --out %s", config, in_folder("out"));
    assert_done(&trained);
    end(&trained);
    outcome usual = run("evaluate %s --quiet --data %s", in_folder("out"), in_folder("data.h5"));
    outcome both = run("evaluate %s --quiet --data %s --reverse-complement yes", in_folder("out"), in_folder("data.h5"));
    outcome one = run("evaluate %s --quiet --data %s --reverse-complement no", in_folder("out"), in_folder("data.h5"));
    assert_done(&usual);
    assert_done(&both);
    assert_done(&one);
    assert_string_equal(usual.out, both.out);
    assert_string_not_equal(usual.out, one.out);
    end(&usual);
    end(&both);
    end(&one);
}

/* Numbers of one class column of predictions into `values`; returns how many rows there are. */
static int read_predictions(const char *text, const char *column, float *values) {
    const int rows = count_lines(text) - 1;
    for (int i = 0; i < rows; i++) values[i] = strtof(cell(text, i, column), NULL);
    return rows;
}

static void test_predict_agrees_with_evaluate(void **state) {
    (void)state;
    const char *config = make_config("one.yaml", make_data("data.h5"), "train: {epochs: 3, batch: 30}\n");
    outcome trained = run("train %s --quiet --out %s", config, in_folder("out"));
    assert_done(&trained);
    end(&trained);

    FILE *fasta = fopen(in_folder("test.fa"), "w");
    for (int i = 0; i < TEST; i++) {
        fprintf(fasta, ">peak%d of the test split\n", i);
        for (int l = 0; l < LENGTH; l++) fprintf(fasta, "%s%c", l == 25 ? "\n" : "", "AcGt"[base_of(2, i, l)]);
        fputc('\n', fasta);
    }
    fclose(fasta);
    outcome hdf5 = run("predict %s --quiet --data %s --out %s", in_folder("out"), in_folder("data.h5"),
                       in_folder("hdf5.tsv"));
    outcome named = run("predict %s --quiet --fasta %s --threads 2 --out %s", in_folder("out"), in_folder("test.fa"),
                        in_folder("fasta.tsv"));
    assert_done(&hdf5);
    assert_done(&named);
    end(&hdf5);
    end(&named);

    char *numbers = read_text(in_folder("hdf5.tsv")), *names = read_text(in_folder("fasta.tsv"));
    outcome measured = run("evaluate %s --quiet --data %s", in_folder("out"), in_folder("data.h5"));
    assert_done(&measured);
    assert_string_equal(cell(numbers, 4, "sequence"), "4");
    assert_string_equal(cell(names, 4, "sequence"), "peak4");
    for (int c = 0; c < CLASSES; c++) {
        float values[TEST], same[TEST], truth[TEST];
        char column[16];
        snprintf(column, sizeof column, "class%d", c);
        assert_int_equal(read_predictions(numbers, column, values), TEST);
        assert_int_equal(read_predictions(names, column, same), TEST);
        int right = 0;
        for (int i = 0; i < TEST; i++) {
            truth[i] = label_of(i, c);
            assert_true(values[i] >= 0 && values[i] <= 1);
            assert_true(values[i] == same[i]);
            right += (values[i] > 0.5f) == (truth[i] > 0.5f);
        }
        assert_true(fabs(atof(cell(measured.out, 1 + c, "accuracy")) - right / (double)TEST) < 1e-8);
        assert_true(fabs(atof(cell(measured.out, 1 + c, "auroc")) - xc_auroc(values, truth, TEST)) < 1e-8);
    }
    end(&measured);
    free(numbers);
    free(names);
    assert_no_leftovers();
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_tables),
        IN_FOLDER(test_diverged_trial_is_counted_and_left_out),
        IN_FOLDER(test_threads_and_packs_do_not_matter),
        IN_FOLDER(test_packs_hold_one_model_each),
        IN_FOLDER(test_train_is_one_trial_of_the_sweep),
        IN_FOLDER(test_ctrl_c),
        IN_FOLDER(test_train_interrupted),
        IN_FOLDER(test_killed_again_and_again),
        IN_FOLDER(test_file_that_may_not_grow),
        IN_FOLDER(test_full_disk),
        IN_FOLDER(test_two_sweeps_in_one_folder),
        IN_FOLDER(test_evaluate_agrees_with_the_tables),
        IN_FOLDER(test_evaluate_reverse_complement),
        IN_FOLDER(test_predict_agrees_with_evaluate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_cli_sweep.c: the tables of a sweep, and that they are the same bytes for any number of threads and any pack
 * size.
 */
#include <math.h>

#include "e2e/sweep.h"

/* ---- tables -------------------------------------------------------------------------------------------------------
 */

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

/* ---- the same bytes -----------------------------------------------------------------------------------------------
 */

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
    snprintf(text, sizeof text,
             "data: {file: %s}\ntrain: {epochs: 1, batch: 20}\n"
             "sweep: {zoo: [cnn-local, cnn-dist], activation: [relu, tanh]}\n",
             make_long_data());
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
    outcome result =
        run("train %s --quiet --set sweep.activation=[exponential] --set sweep.seeds=1 --set train.seed=2 "
            "--out %s",
            config, in_folder("one"));
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

/* One warning, and the numbers of fp32; a network is used with the precision that its folder says. */
static void test_precision_is_for_the_gpu(void **state) {
    (void)state;
    const char *config = make_config("one.yaml", make_data("data.h5"), "train: {epochs: 2, batch: 30}\n");
    static const char *const devices[] = {"cpu", "ref"}, *const words[] = {"CPU", "reference"};
    for (int i = 0; i < 2; i++) {
        char line[120];
        outcome plain = run("train %s --quiet --device %s --out %s", config, devices[i], in_folder("%s", devices[i]));
        assert_done(&plain);
        assert_string_equal(plain.err, "");
        outcome result = run("train %s --quiet --device %s --set model.precision=tf32 --out %s", config, devices[i],
                             in_folder("%s-tf32", devices[i]));
        assert_done(&result);
        snprintf(line, sizeof line, "expconv: warning: precision: tf32 is for the GPU; the %s computes in float32\n",
                 words[i]);
        assert_string_equal(result.err, line);
        assert_string_equal(result.out, plain.out);
        assert_same_bytes(in_folder("%s/weights.h5", devices[i]), in_folder("%s-tf32/weights.h5", devices[i]));
        end(&plain);
        end(&result);
    }
    char *written = read_text(in_folder("cpu-tf32/config.yaml"));
    assert_contains(written, "\n  precision: tf32\n");
    free(written);
    outcome other = run("train %s --set model.precision=bf16 --out %s", config, in_folder("cpu"));
    assert_refused(&other, 1, "model.precision is fp32 there and bf16 here", NULL);
    end(&other);
}

/* The folder may be one that the user works in: only what a killed expconv left is cleared away. */
static void test_users_temporary_files_stay(void **state) {
    (void)state;
    static const char *const kept[] = {
        "notes.tmp",      "weights.h5.tmp",          "weights.h5.old.tmp", "my.weights.h5.12.tmp",
        "data.h5.12.tmp", "filters-old.meme.12.tmp", "weights.h512.tmp",   "12.tmp"};
    static const char *const removed[] = {"weights.h5.12.tmp",    "config.yaml.4711.tmp", "results.tsv.1.tmp",
                                          "filters.meme.12.tmp",  "tomtom.tsv.12.tmp",    "filters.tsv.12.tmp",
                                          "tomtom-0.1.tsv.9.tmp", "filters-0.meme.9.tmp"};
    const char *config = make_config("one.yaml", make_data("data.h5"), "train: {epochs: 1}\n");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) write_text(kept[i], "mine\n");
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) write_text(removed[i], "half\n");
    outcome result = run("train %s --quiet --out %s", config, folder);
    assert_done(&result);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_true(exists(in_folder("%s", kept[i])));
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) assert_false(exists(in_folder("%s", removed[i])));
    end(&result);
}

/* A warning with the way out, even when quiet; training goes on. */
static void test_monitor_that_cannot_be(void **state) {
    (void)state;
    const char *data = make_data("data.h5"), *config = make_config("one.yaml", data, "train: {epochs: 2}\n");
    float *y = calloc(VALID * CLASSES, sizeof *y);
    put(data, "Y_valid", 2, (hsize_t[]){VALID, CLASSES}, y);
    free(y);
    static const char *const commands[] = {"train", "sweep"};
    for (int i = 0; i < 2; i++) {
        outcome result = run("%s %s --quiet --out %s", commands[i], config, in_folder(commands[i]));
        assert_done(&result);
        assert_non_null(strstr(result.err, "val_auroc does not exist for these labels"));
        assert_non_null(strstr(result.err, "set train.monitor to val_loss"));
        end(&result);
    }
    outcome other = run("train %s --quiet --set train.monitor=val_loss --out %s", config, in_folder("out"));
    assert_done(&other);
    assert_null(strstr(other.err, "does not exist"));
    end(&other);
    outcome never = run("train %s --set train.loss=mean_squared_error --set train.monitor=val_accuracy --out %s",
                        config, in_folder("never"));
    assert_refused(&never, 2, "train.monitor", "mean_squared_error", "val_loss", NULL);
    end(&never);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_tables),
        IN_FOLDER(test_diverged_trial_is_counted_and_left_out),
        IN_FOLDER(test_threads_and_packs_do_not_matter),
        IN_FOLDER(test_packs_hold_one_model_each),
        IN_FOLDER(test_train_is_one_trial_of_the_sweep),
        IN_FOLDER(test_precision_is_for_the_gpu),
        IN_FOLDER(test_users_temporary_files_stay),
        IN_FOLDER(test_monitor_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

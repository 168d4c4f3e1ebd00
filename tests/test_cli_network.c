/* test_cli_network.c: what evaluate and predict say of trained networks agrees with the tables and with each other. */
#include <math.h>

#include "e2e/sweep.h"
#include "expconv/train.h"

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
                char column[64], expected[128];
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
    outcome both =
        run("evaluate %s --quiet --data %s --reverse-complement yes", in_folder("out"), in_folder("data.h5"));
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
    outcome hdf5 =
        run("predict %s --quiet --data %s --out %s", in_folder("out"), in_folder("data.h5"), in_folder("hdf5.tsv"));
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

static void train_one(const char *more) {
    outcome trained =
        run("train %s --quiet --out %s", make_config("one.yaml", in_folder("data.h5"), more), in_folder("out"));
    assert_done(&trained);
    end(&trained);
}

static void put_sequences(const char *path, const char *name, int split, int count) {
    float *x = one_hot(split, count);
    put(path, name, 3, (hsize_t[]){(hsize_t)count, 4, LENGTH}, x);
    free(x);
}

static void put_labels(const char *path, const char *name, int count) {
    float *y = labels(count);
    put(path, name, 2, (hsize_t[]){(hsize_t)count, CLASSES}, y);
    free(y);
}

/* Predictions need no labels, and neither command looks at splits that it was not asked for. */
static void test_other_splits_do_not_matter(void **state) {
    (void)state;
    const char *data = make_data("data.h5");
    train_one("train: {epochs: 1, batch: 30}\n");
    float *x = calloc(VALID * 4 * 50, sizeof *x);
    put(data, "X_valid", 3, (hsize_t[]){VALID, 4, 50}, x);
    free(x);
    outcome measured = run("evaluate %s --quiet --data %s", in_folder("out"), data);
    assert_done(&measured);
    end(&measured);
    drop(data, "Y_test");
    outcome predicted = run("predict %s --quiet --data %s --out %s", in_folder("out"), data, in_folder("p.tsv"));
    assert_done(&predicted);
    end(&predicted);
    put_labels(data, "Y_test", TEST - 1);
    predicted = run("predict %s --quiet --data %s --out %s", in_folder("out"), data, in_folder("p.tsv"));
    assert_done(&predicted);
    end(&predicted);
    measured = run("evaluate %s --quiet --data %s", in_folder("out"), data);
    assert_refused(&measured, 1, "Y_test", "69", NULL);
    end(&measured);
}

/* A network that was trained on datasets with names of their own is used on a file that has others. */
static void test_names_of_training_can_be_replaced(void **state) {
    (void)state;
    const char *data = make_data("data.h5"), *other = in_folder("other.h5");
    put_sequences(data, "mine_train", 0, TRAIN);
    put_sequences(data, "mine_valid", 1, VALID);
    put_sequences(data, "mine_test", 2, TEST);
    put_labels(data, "truth_train", TRAIN);
    put_labels(data, "truth_valid", VALID);
    put_labels(data, "truth_test", TEST);
    char config[1024];
    snprintf(config, sizeof config,
             "data: {file: \"%s\", train_x: mine_train, valid_x: mine_valid, test_x: mine_test,\n"
             "  train_y: truth_train, valid_y: truth_valid, test_y: truth_test}\n"
             "model: {zoo: tiny, blocks: [{conv: 8, width: 9, pool: 8}, {dense: 12}]}\n"
             "train: {epochs: 1, batch: 30}\n",
             data);
    outcome trained = run("train %s --quiet --out %s", write_text("named.yaml", config), in_folder("out"));
    assert_done(&trained);
    end(&trained);
    put_sequences(other, "seen", 2, TEST);
    put_labels(other, "known", TEST);
    outcome there = run("evaluate %s --quiet --data %s", in_folder("out"), data);
    outcome here = run("evaluate %s --quiet --data %s --x seen --y known", in_folder("out"), other);
    assert_done(&there);
    assert_done(&here);
    assert_string_equal(there.out, here.out);
    end(&there);
    end(&here);
    drop(other, "known");
    here = run("predict %s --quiet --data %s --x seen --out %s", in_folder("out"), other, in_folder("p.tsv"));
    assert_done(&here);
    end(&here);
    here = run("predict %s --quiet --data %s --out %s", in_folder("out"), other, in_folder("p.tsv"));
    assert_refused(&here, 1, "mine_test", "seen", NULL);
    end(&here);
}

static void test_evaluate_checks_labels(void **state) {
    (void)state;
    const char *data = make_data("data.h5");
    float *y = labels(TRAIN);
    for (int i = 0; i < TRAIN; i++) y[2 * i + 1] = 1 - y[2 * i];
    put(data, "Y_train", 2, (hsize_t[]){TRAIN, CLASSES}, y);
    put(data, "Y_valid", 2, (hsize_t[]){VALID, CLASSES}, y);
    put(data, "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    train_one("train: {epochs: 1, batch: 30, loss: softmax_crossentropy}\n");
    y[2 * 33] = y[2 * 33 + 1] = 1;
    put(data, "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    outcome measured = run("evaluate %s --quiet --data %s", in_folder("out"), data);
    assert_refused(&measured, 1, "data.h5: Y_test", "sequence 33 are not one 1 among zeros", NULL);
    end(&measured);
    for (int i = 0; i < TEST; i++) {
        y[2 * i] = 1;
        y[2 * i + 1] = 0;
    }
    put(data, "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    measured = run("evaluate %s --data %s", in_folder("out"), data);
    assert_done(&measured);
    assert_contains(measured.err, "test: 2 of 2 classes have one label only; their AUROC is nan");
    end(&measured);
    measured = run("evaluate %s --data %s --split valid", in_folder("out"), data);
    assert_done(&measured);
    assert_null(strstr(measured.err, "one label"));
    end(&measured);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_evaluate_agrees_with_the_tables),
        IN_FOLDER(test_evaluate_reverse_complement),
        IN_FOLDER(test_predict_agrees_with_evaluate),
        IN_FOLDER(test_other_splits_do_not_matter),
        IN_FOLDER(test_names_of_training_can_be_replaced),
        IN_FOLDER(test_evaluate_checks_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

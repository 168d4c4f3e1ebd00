/* test_cli_input.c: bad input of every kind gets one clear line and exit status 1 (2 for wrong use of the command
 * line), and nothing is left half-written.
 */
#include <math.h>

#include "e2e/cli.h"

/* Training on the file or config is refused with these parts in the line, and no output folder appears. */
static void refuse_training(int status, const char *config, const char *part, const char *other) {
    outcome result = run("train %s --quiet --device cpu --out %s", config, in_folder("out"));
    assert_refused(&result, status, part, other, NULL);
    end(&result);
    assert_false(exists(in_folder("out")));
    assert_no_leftovers();
}

static void refuse_data(const char *data, const char *part, const char *other) {
    refuse_training(1, make_config("config.yaml", data, "train: {epochs: 1, batch: 20}\n"), part, other);
}

/* ---- the data file ------------------------------------------------------------------------------------------------
 */

static void test_not_hdf5(void **state) {
    (void)state;
    const char *path = write_text("text.h5", "this is no HDF5 file\n");
    refuse_data(path, "text.h5", "HDF5");
    outcome result = run("inspect %s", path);
    assert_refused(&result, 1, "text.h5", "HDF5", NULL);
    end(&result);
}

static void test_no_file(void **state) {
    (void)state;
    refuse_data(in_folder("none.h5"), "none.h5", "");
    outcome result = run("inspect %s", in_folder("none.h5"));
    assert_refused(&result, 1, "none.h5", NULL);
    end(&result);
}

static void test_truncated_file(void **state) {
    (void)state;
    const char *data = make_data("short.h5");
    assert_int_equal(truncate(data, 20000), 0);
    refuse_data(data, "short.h5", "");
}

static void test_dataset_missing(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    drop(data, "X_valid");
    refuse_data(data, "bad.h5", "valid");
    data = make_data("bad2.h5");
    drop(data, "Y_train");
    refuse_data(data, "bad2.h5", "train");
}

/* Training can do without a test split; it says so. */
static void test_no_test_split(void **state) {
    (void)state;
    const char *data = make_data("two.h5");
    drop(data, "X_test");
    drop(data, "Y_test");
    const char *config = make_config("config.yaml", data, "train: {epochs: 1, batch: 20}\n");
    outcome result = run("train %s --device cpu --out %s", config, in_folder("out"));
    assert_done(&result);
    assert_contains(result.err, "no test split");
    assert_contains(result.out, "nan");
    end(&result);
    result = run("evaluate %s --quiet --data %s", in_folder("out"), data);
    assert_refused(&result, 1, "two.h5", "test", NULL);
    end(&result);
}

static void test_wrong_rank(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    float *x = one_hot(0, TRAIN);
    put(data, "X_train", 2, (hsize_t[]){TRAIN, 4 * LENGTH}, x);
    refuse_data(data, "bad.h5", "X_train");
    put(data, "X_train", 3, (hsize_t[]){TRAIN, 5, LENGTH * 4 / 5}, x); /* no axis of four */
    refuse_data(data, "bad.h5", "X_train");
    free(x);
}

static void test_empty(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    put(data, "X_train", 3, (hsize_t[]){0, 4, LENGTH}, NULL);
    refuse_data(data, "X_train", "");
}

static void test_unequal_counts(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    float *y = labels(TRAIN);
    put(data, "Y_train", 2, (hsize_t[]){TRAIN - 1, CLASSES}, y);
    refuse_data(data, "199", "200");
    free(y);
}

static void test_unequal_lengths(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    float *x = calloc(VALID * 4 * (LENGTH + 1), sizeof *x);
    put(data, "X_valid", 3, (hsize_t[]){VALID, 4, LENGTH + 1}, x);
    refuse_data(data, "41", "40");
    free(x);
}

static void test_column_not_one_hot(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    float *x = one_hot(2, TEST);
    float *column = x + (size_t)17 * 4 * LENGTH + 31; /* sequence 17, position 31 */
    for (int base = 0; base < 4; base++) column[(size_t)base * LENGTH] = 0.25f;
    put(data, "X_test", 3, (hsize_t[]){TEST, 4, LENGTH}, x);
    refuse_data(data, "X_test", "17");
    refuse_data(data, "31", "one-hot");
    for (int base = 0; base < 4; base++) column[(size_t)base * LENGTH] = base < 2;
    put(data, "X_test", 3, (hsize_t[]){TEST, 4, LENGTH}, x);
    refuse_data(data, "X_test", "17");
    column[0] = NAN;
    put(data, "X_test", 3, (hsize_t[]){TEST, 4, LENGTH}, x);
    refuse_data(data, "X_test", "17");
    free(x);
    outcome result = run("inspect %s", data);
    assert_int_equal(result.status, 1);
    assert_contains(result.err, "X_test");
    assert_contains(result.out, "X_train"); /* what can be read was printed */
    end(&result);
}

static void test_labels(void **state) {
    (void)state;
    const char *data = make_data("bad.h5");
    float *y = labels(TRAIN);
    y[2 * 33 + 1] = 0.5f;
    put(data, "Y_train", 2, (hsize_t[]){TRAIN, CLASSES}, y);
    refuse_data(data, "Y_train", "33");
    refuse_data(data, "class 1 is 0.5", "0 or 1");
    y[2 * 33 + 1] = NAN;
    put(data, "Y_train", 2, (hsize_t[]){TRAIN, CLASSES}, y);
    refuse_data(data, "Y_train", "33");
    refuse_training(1, make_config("squared.yaml", data, "train: {loss: mean_squared_error, monitor: val_pearson}\n"),
                    "Y_train", "33");
    free(y);
}

static void test_class_with_one_label(void **state) {
    (void)state;
    const char *data = make_data("one.h5");
    float *y = labels(TEST);
    for (int i = 0; i < TEST; i++) y[2 * i + 1] = 0;
    put(data, "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    free(y);
    const char *config = make_config("config.yaml", data, "train: {epochs: 2, batch: 20}\n");
    outcome result = run("train %s --device cpu --out %s", config, in_folder("out"));
    assert_done(&result);
    assert_contains(result.err, "one label");
    end(&result);
    outcome measured = run("evaluate %s --data %s --quiet", in_folder("out"), data);
    assert_done(&measured);
    char classes[CLASSES + 1][64] = {"", "", ""}; /* mean, 0, 1 */
    char *line = strtok(measured.out, "\n");
    for (int i = 0; i <= CLASSES; i++) {
        line = strtok(NULL, "\n");
        assert_non_null(line);
        assert_int_equal(sscanf(line, "test\t%*s\t%*s\t%63s", classes[i]), 1);
    }
    assert_string_equal(classes[2], "nan");
    assert_string_not_equal(classes[1], "nan");
    assert_string_equal(classes[0], classes[1]);
    end(&measured);
}

/* ---- the config ---------------------------------------------------------------------------------------------------
 */

static void refuse_config(const char *text, const char *part, const char *other) {
    refuse_training(1, write_text("bad.yaml", text), part, other);
    outcome result = run("train %s --quiet --out %s", in_folder("bad.yaml"), in_folder("out"));
    assert_contains(result.err, "bad.yaml");
    end(&result);
}

static void test_unknown_key(void **state) {
    (void)state;
    refuse_config("data: {file: x.h5}\ntrain:\n  epoch: 3\n", "bad.yaml:3", "epochs");
    refuse_config("dato: {file: x.h5}\n", "dato", "data");
}

static void test_wrong_type(void **state) {
    (void)state;
    refuse_config("data: {file: x.h5}\ntrain: {epochs: many}\n", "many", "epochs");
    refuse_config("data: {file: x.h5}\ntrain: [1, 2]\n", "train", "bad.yaml:2");
    refuse_config("data: {file: x.h5, reverse_complement: maybe}\n", "maybe", "reverse_complement");
    refuse_config("data: {file: x.h5\n", "bad.yaml", "");
}

static void test_negative_size(void **state) {
    (void)state;
    refuse_config("data: {file: x.h5}\nmodel: {blocks: [{conv: -8, width: 9}]}\n", "-8", "negative");
    refuse_config("data: {file: x.h5}\ntrain: {batch: -1}\n", "batch", "negative");
    refuse_config("data: {file: x.h5}\ntrain: {batch: 0}\n", "batch", "0");
}

static void test_unknown_names(void **state) {
    (void)state;
    refuse_config("data: {file: x.h5}\nmodel: {activation: exponental}\n", "exponental", "exponential");
    refuse_config("data: {file: x.h5}\nsweep: {activation: [relu, exponental]}\n", "exponental", "exponential");
    refuse_config("data: {file: x.h5}\nmodel: {zoo: cnn-deap}\n", "cnn-deap", "cnn-deep");
    refuse_config("data: {file: x.h5}\nmodel: {init: glorot}\n", "glorot", "did you mean \"glorot_uniform\"?");
}

static void test_override(void **state) {
    (void)state;
    const char *config = make_config("config.yaml", "x.h5", "");
    outcome result = run("train %s --set train.epoch=3 --quiet --out %s", config, in_folder("out"));
    assert_refused(&result, 2, "train.epoch", "epochs", NULL);
    end(&result);
    result = run("train %s --set epochs --quiet --out %s", config, in_folder("out"));
    assert_refused(&result, 2, "epochs", NULL);
    end(&result);
}

static void test_no_config(void **state) {
    (void)state;
    outcome result = run("train %s --quiet --out %s", in_folder("none.yaml"), in_folder("out"));
    assert_refused(&result, 1, "none.yaml", NULL);
    end(&result);
}

/* ---- models that cannot be ----------------------------------------------------------------------------------------
 */

static void refuse_blocks(const char *blocks, const char *part, const char *other) {
    char text[1024];
    snprintf(text, sizeof text, "data: {file: %s}\nmodel: {zoo: mine, blocks: [%s]}\n", make_data("good.h5"), blocks);
    outcome result = run("train %s --quiet --out %s", write_text("model.yaml", text), in_folder("out"));
    if (result.status == 0) fail_msg("trained: %s", blocks);
    assert_refused(&result, 1, part, other, NULL);
    end(&result);
    assert_false(exists(in_folder("out")));
}

static void test_pool_leaves_nothing(void **state) {
    (void)state;
    refuse_blocks("{conv: 8, width: 9, pool: 41}", "pool", "41");
    refuse_blocks("{conv: 8, width: 9, pool: 20}, {conv: 8, width: 3, pool: 3}", "pool", "block");
}

static void test_receptive_field(void **state) {
    (void)state;
    refuse_blocks("{conv: 8, width: 41, padding: valid}", "41", "40");
    refuse_blocks("{conv: 8, width: 9, pool: 20}, {conv: 8, width: 3, padding: valid}", "block", "");
}

static void test_length_of_zoo_model(void **state) {
    (void)state;
    char text[256];
    snprintf(text, sizeof text, "data: {file: %s}\nmodel: {zoo: cnn-2}\n", make_data("good.h5"));
    outcome result = run("train %s --quiet --out %s", write_text("zoo.yaml", text), in_folder("out"));
    assert_refused(&result, 1, "cnn-2", "200", "40", NULL);
    end(&result);
    assert_false(exists(in_folder("out")));
}

static void test_class_weights(void **state) {
    (void)state;
    const char *data = make_data("good.h5");
    refuse_training(1, make_config("weights.yaml", data, "train: {class_weights: [1, 2, 3]}\n"), "class_weights", "3");
}

static void test_train_refuses_lists(void **state) {
    (void)state;
    const char *config = make_config("lists.yaml", make_data("good.h5"), "sweep: {activation: [relu, tanh]}\n");
    refuse_training(2, config, "2 trials", "expconv sweep");
}

/* ---- folders and devices ------------------------------------------------------------------------------------------
 */

static void test_folder_of_another_config(void **state) {
    (void)state;
    const char *config = make_config("config.yaml", make_data("good.h5"), "train: {epochs: 1, batch: 20}\n");
    for (int sweep = 0; sweep < 2; sweep++) {
        const char *command = sweep ? "sweep" : "train";
        outcome first = run("%s %s --quiet --out %s", command, config, in_folder(command));
        assert_done(&first);
        end(&first);
        char *before = read_text(in_folder("%s/config.yaml", command));
        outcome again = run("%s %s --quiet --out %s --set train.epochs=2", command, config, in_folder(command));
        assert_refused(&again, 1, command, "another config", "epochs", NULL);
        end(&again);
        char *after = read_text(in_folder("%s/config.yaml", command));
        assert_string_equal(before, after);
        free(before);
        free(after);
        assert_no_leftovers();
    }
}

static void test_folder_that_cannot_be(void **state) {
    (void)state;
    const char *config = make_config("config.yaml", make_data("good.h5"), "train: {epochs: 1, batch: 20}\n");
    write_text("file", "");
    outcome result = run("train %s --quiet --out %s", config, in_folder("file/out"));
    assert_refused(&result, 1, "file/out", NULL);
    end(&result);
}

static void test_device_that_is_not_there(void **state) {
    (void)state;
    outcome devices = run("devices");
    const bool usable = strstr(devices.out, "cuda\tusable") != NULL;
    end(&devices);
    if (usable) skip();
    const char *config = make_config("config.yaml", make_data("good.h5"), "train: {epochs: 1, batch: 20}\n");
    outcome result = run("train %s --quiet --device cuda --out %s", config, in_folder("out"));
    assert_refused(&result, 1, "--device cuda", NULL);
    end(&result);
    assert_false(exists(in_folder("out")));
}

/* ---- trained networks ---------------------------------------------------------------------------------------------
 */

static void train_in(const char *name, const char *more) {
    char set[512];
    snprintf(set, sizeof set, "train: {epochs: 1, batch: 20}\n%s", more);
    const char *config = make_config("trained.yaml", in_folder("good.h5"), set);
    outcome result = run("train %s --quiet --out %s", config, in_folder("%s", name));
    assert_done(&result);
    end(&result);
}

static void test_weights_of_another_model(void **state) {
    (void)state;
    make_data("good.h5");
    train_in("one", "");
    outcome other =
        run("train %s --set 'model.blocks.0.conv=9' --quiet --out %s", in_folder("trained.yaml"), in_folder("two"));
    if (other.status != 0) { /* no override inside blocks: another text */
        char text[512];
        end(&other);
        snprintf(text, sizeof text,
                 "data: {file: %s}\ntrain: {epochs: 1, batch: 20}\n"
                 "model: {zoo: tiny, activation: relu, blocks: [{conv: 9, width: 9, pool: 8}, {dense: 12}]}\n",
                 in_folder("good.h5"));
        other = run("train %s --quiet --out %s", write_text("other.yaml", text), in_folder("two"));
    }
    assert_done(&other);
    end(&other);
    assert_int_equal(rename(in_folder("two/weights.h5"), in_folder("one/weights.h5")), 0);
    outcome result = run("evaluate %s --quiet --data %s", in_folder("one"), in_folder("good.h5"));
    assert_refused(&result, 1, "weights.h5", "block0.kernel", NULL);
    end(&result);
    write_text("one/weights.h5", "no weights");
    result = run("predict %s --quiet --data %s --out %s", in_folder("one"), in_folder("good.h5"), in_folder("p.tsv"));
    assert_refused(&result, 1, "weights.h5", NULL);
    assert_false(exists(in_folder("p.tsv")));
    end(&result);
}

static void test_network_and_data_must_fit(void **state) {
    (void)state;
    make_data("good.h5");
    train_in("one", "");
    outcome none = run("evaluate %s --quiet --data %s", in_folder("nowhere"), in_folder("good.h5"));
    assert_refused(&none, 1, "nowhere", NULL);
    end(&none);

    float *x = calloc(TEST * 4 * 50, sizeof *x), *y = labels(TEST);
    const char *data = in_folder("long.h5");
    put(data, "X_test", 3, (hsize_t[]){TEST, 4, 50}, x);
    put(data, "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    outcome length = run("evaluate %s --quiet --data %s", in_folder("one"), data);
    assert_refused(&length, 1, "long.h5", "50", "40", NULL);
    end(&length);
    put(data, "X_test", 3, (hsize_t[]){TEST, 4, LENGTH}, x);
    put(data, "Y_test", 2, (hsize_t[]){TEST, 1}, y);
    outcome classes = run("evaluate %s --quiet --data %s", in_folder("one"), data);
    assert_refused(&classes, 1, "long.h5", "1 class", "2", NULL);
    end(&classes);
    free(x);
    free(y);

    write_text("short.fa", ">a\nACGT\n");
    outcome fasta =
        run("predict %s --quiet --fasta %s --out %s", in_folder("one"), in_folder("short.fa"), in_folder("p.tsv"));
    assert_refused(&fasta, 1, "short.fa", "40", NULL);
    assert_false(exists(in_folder("p.tsv")));
    end(&fasta);
}

int main(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_not_hdf5),
        IN_FOLDER(test_no_file),
        IN_FOLDER(test_truncated_file),
        IN_FOLDER(test_dataset_missing),
        IN_FOLDER(test_no_test_split),
        IN_FOLDER(test_wrong_rank),
        IN_FOLDER(test_empty),
        IN_FOLDER(test_unequal_counts),
        IN_FOLDER(test_unequal_lengths),
        IN_FOLDER(test_column_not_one_hot),
        IN_FOLDER(test_labels),
        IN_FOLDER(test_class_with_one_label),
        IN_FOLDER(test_unknown_key),
        IN_FOLDER(test_wrong_type),
        IN_FOLDER(test_negative_size),
        IN_FOLDER(test_unknown_names),
        IN_FOLDER(test_override),
        IN_FOLDER(test_no_config),
        IN_FOLDER(test_pool_leaves_nothing),
        IN_FOLDER(test_receptive_field),
        IN_FOLDER(test_length_of_zoo_model),
        IN_FOLDER(test_class_weights),
        IN_FOLDER(test_train_refuses_lists),
        IN_FOLDER(test_folder_of_another_config),
        IN_FOLDER(test_folder_that_cannot_be),
        IN_FOLDER(test_device_that_is_not_there),
        IN_FOLDER(test_weights_of_another_model),
        IN_FOLDER(test_network_and_data_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

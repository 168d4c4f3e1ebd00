/* test_cli_attribute.c: `expconv attribute` on a trained network: its files against predict and against each other,
 * scores against a known truth, bad input; and a sweep that scores maps.
 */
#include <math.h>
#include <zip.h>

#include "e2e/sweep.h"

/* What the sequences of make_data were made of: their words, and chance elsewhere. */
static void put_truth(const char *path, int count) {
    float *p = calloc((size_t)count * 4 * LENGTH, sizeof *p);
    for (int i = 0; i < count; i++)
        for (int l = 0; l < LENGTH; l++) {
            bool inside = false;
            for (int c = 0; c < CLASSES; c++) inside |= (i >> c & 1) && l >= 5 + 15 * c && l < 13 + 15 * c;
            for (int b = 0; b < 4; b++)
                p[((size_t)i * 4 + (size_t)b) * LENGTH + (size_t)l] = !inside                 ? 0.25f
                                                                      : b == base_of(2, i, l) ? 1.0f
                                                                                              : 0.0f;
        }
    put(path, "model_test", 3, (hsize_t[]){(hsize_t)count, 4, LENGTH}, p);
    free(p);
}

static void train_network(void) {
    const char *config =
        make_config("one.yaml", make_data("data.h5"),
                    "train: {epochs: 30, batch: 30, learning_rate: 0.02, early_stop: {patience: 0}}\n");
    outcome trained = run("train %s --quiet --out %s", config, in_folder("out"));
    assert_done(&trained);
    end(&trained);
    put_truth(in_folder("data.h5"), TEST);
}

/* All of a dataset as floats, to be freed; its shape (rank up to 3, then 0). */
static float *read_floats(const char *path, const char *name, hsize_t shape[3]) {
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) fail_msg("%s has no %s", path, name);
    const hid_t space = H5Dget_space(set);
    shape[0] = shape[1] = shape[2] = 0;
    H5Sget_simple_extent_dims(space, shape, NULL);
    float *values = malloc((size_t)H5Sget_simple_extent_npoints(space) * sizeof *values);
    assert_true(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return values;
}

static const char *const methods[] = {"saliency", "integrated_gradients", "mutagenesis", "deepshap"};

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void check_file(const char *path, const char *predicted, int count) {
    hsize_t shape[3];
    char *table = read_text(predicted);
    float *index = read_floats(path, "index", shape), *sequences = read_floats(path, "sequences", shape);
    float *output = read_floats(path, "output", shape), *maps = read_floats(path, "contributions", shape);
    assert_true(shape[0] == (hsize_t)count && shape[1] == 4 && shape[2] == LENGTH);
    for (int n = 0; n < count; n++) {
        const int i = (int)index[n];
        assert_float_equal(output[n], atof(cell(table, i, "class1")), 2e-6);
        for (int e = 0; e < 4 * LENGTH; e++)
            assert_true(sequences[n * 4 * LENGTH + e] == (base_of(2, i, e % LENGTH) == e / LENGTH));
        for (int e = 0; e < 4 * LENGTH; e++) assert_true(isfinite(maps[n * 4 * LENGTH + e]));
    }
    free(table);
    free(index);
    free(sequences);
    free(output);
    free(maps);
}

static void test_methods(void **state) {
    (void)state;
    train_network();
    outcome predicted =
        run("predict %s --quiet --data %s --out %s", in_folder("out"), in_folder("data.h5"), in_folder("p.tsv"));
    assert_done(&predicted);
    end(&predicted);
    int positives = 0;
    for (int i = 0; i < TEST; i++) positives += label_of(i, 1) > 0;
    for (size_t m = 0; m < 4; m++)
        for (int threads = 1; threads <= 2; threads++) {
            outcome made =
                run("attribute %s --quiet --method %s --class 1 --of probability --only positives --truth "
                    "--threads %d --out %s",
                    in_folder("out"), methods[m], threads, in_folder("%s%d.h5", methods[m], threads));
            assert_done(&made);
            assert_string_equal(made.err, "");
            assert_string_equal(cell(made.out, 0, "method"), methods[m]);
            assert_int_equal(atoi(cell(made.out, 0, "sequences")), positives);
            assert_true(atof(cell(made.out, 0, "auroc")) > 0.6);
            end(&made);
        }
    for (size_t m = 0; m < 4; m++) {
        assert_same_bytes(in_folder("%s1.h5", methods[m]), in_folder("%s2.h5", methods[m]));
        check_file(in_folder("%s1.h5", methods[m]), in_folder("p.tsv"), positives);
    }
    assert_no_leftovers();
}

static void test_classes_and_subsets(void **state) {
    (void)state;
    train_network();
    const char *numbers = write_text("numbers.txt", "7\n3\n12\n"), *fasta = in_folder("b.fa");
    FILE *file = fopen(fasta, "w");
    for (int i = 0; i < 3; i++) {
        fprintf(file, ">b%d\n", i);
        for (int l = 0; l < LENGTH; l++) fputc("ACGT"[base_of(1, i, l)], file);
        fputc('\n', file);
    }
    fclose(file);
    outcome all = run("attribute %s --quiet --method deepshap --background %s --class all --index %s --out %s",
                      in_folder("out"), fasta, numbers, in_folder("all.h5"));
    outcome one = run("attribute %s --quiet --method deepshap --background %s --class 1 --index %s --out %s",
                      in_folder("out"), fasta, numbers, in_folder("one.h5"));
    assert_done(&all);
    assert_done(&one);
    hsize_t shape[3];
    float *index = read_floats(in_folder("all.h5"), "index", shape);
    assert_true(shape[0] == 3 && index[0] == 7 && index[1] == 3 && index[2] == 12);
    float *among = read_floats(in_folder("all.h5"), "class1/contributions", shape);
    float *alone = read_floats(in_folder("one.h5"), "contributions", shape);
    assert_true(shape[0] == 3);
    assert_memory_equal(among, alone, 3 * 4 * LENGTH * sizeof *among);
    float *other = read_floats(in_folder("all.h5"), "class0/contributions", shape);
    assert_memory_not_equal(among, other, 3 * 4 * LENGTH * sizeof *among);
    float *gap = read_floats(in_folder("one.h5"), "gap", shape);
    for (int i = 0; i < 3; i++) assert_true(fabsf(gap[i]) < 1e-4f);
    free(index);
    free(among);
    free(alone);
    free(other);
    free(gap);
    end(&all);
    end(&one);
}

/* ---- for others -------------------------------------------------------------------------------------------------- */

/* The floats of an archive's only entry, to be freed, after its header, which is compared. */
static float *read_npz(const char *path, int count) {
    char header[129], expected[128];
    int code;
    zip_t *zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (!zip) fail_msg("%s is no archive", path);
    assert_int_equal(zip_get_num_entries(zip, 0), 1);
    zip_file_t *file = zip_fopen(zip, "arr_0.npy", 0);
    assert_non_null(file);
    assert_int_equal(zip_fread(file, header, 128), 128);
    header[128] = 0;
    snprintf(expected, sizeof expected, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4, %d), }", count,
             LENGTH);
    assert_memory_equal(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_memory_equal(header + 10, expected, strlen(expected));
    assert_int_equal(header[127], '\n');
    const size_t bytes = (size_t)count * 4 * LENGTH * sizeof(float);
    float *values = malloc(bytes + 1);
    assert_int_equal(zip_fread(file, values, bytes + 1), bytes);
    zip_fclose(file);
    zip_discard(zip);
    return values;
}

static void test_modisco(void **state) {
    (void)state;
    train_network();
    outcome made = run("attribute %s --quiet --method deepshap --sequences 9 --modisco %s --out %s", in_folder("out"),
                       in_folder("m"), in_folder("maps.h5"));
    assert_done(&made);
    end(&made);
    hsize_t shape[3];
    float *sequences = read_npz(in_folder("m/ohe.npz"), 9), *scores = read_npz(in_folder("m/attr.npz"), 9);
    float *same = read_floats(in_folder("maps.h5"), "sequences", shape);
    float *hypothetical = read_floats(in_folder("maps.h5"), "hypothetical", shape);
    assert_memory_equal(sequences, same, 9 * 4 * LENGTH * sizeof(float));
    assert_memory_equal(scores, hypothetical, 9 * 4 * LENGTH * sizeof(float));
    assert_false(exists(in_folder("m/ohe.npz.npy")));
    made = run("attribute %s --quiet --method mutagenesis --sequences 9 --modisco %s --out %s", in_folder("out"),
               in_folder("k"), in_folder("mutated.h5"));
    assert_done(&made);
    end(&made);
    float *centred = read_npz(in_folder("k/attr.npz"), 9);
    float *differences = read_floats(in_folder("mutated.h5"), "hypothetical", shape);
    for (int n = 0; n < 9; n++)
        for (int l = 0; l < LENGTH; l++) {
            const int at = n * 4 * LENGTH + l;
            float sum = 0;
            for (int b = 0; b < 4; b++) sum += differences[at + b * LENGTH];
            for (int b = 0; b < 4; b++)
                assert_float_equal(centred[at + b * LENGTH], differences[at + b * LENGTH] - sum / 4, 1e-6);
        }
    free(centred);
    free(differences);
    made = run("attribute %s --quiet --method saliency --class all --modisco %s --out %s", in_folder("out"),
               in_folder("n"), in_folder("no.h5"));
    assert_refused(&made, 2, "--modisco is of one class", NULL);
    end(&made);
    free(sequences);
    free(scores);
    free(same);
    free(hypothetical);
    assert_no_leftovers();
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static int count_of(const char *text, const char *part) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) count++;
    return count;
}

/* Puts other sequences in the place of the test set's. */
static void change_sequences(const char *path) {
    float *x = one_hot(1, TEST);
    put(path, "X_test", 3, (hsize_t[]){TEST, 4, LENGTH}, x);
    free(x);
}

static void test_logos(void **state) {
    (void)state;
    train_network();
    for (int m = 0; m < 2; m++) {
        outcome made = run("attribute %s --quiet --method %s --sequences 7 --out %s", in_folder("out"),
                           m ? "saliency" : "deepshap", in_folder("%d.h5", m));
        assert_done(&made);
        end(&made);
    }
    outcome drawn = run("logos %s --with %s --label first --sequence 3 --sequence 6 --from 11 --to 25 --quiet --out %s",
                        in_folder("0.h5"), in_folder("1.h5"), in_folder("pictures"));
    assert_done(&drawn);
    assert_string_equal(drawn.out, "");
    end(&drawn);
    for (int i = 3; i <= 6; i += 3)
        for (int e = 0; e < 3; e++) {
            static const char *const endings[] = {"svg", "pdf", "png"};
            assert_true(exists(in_folder("pictures/sequence-%d.%s", i, endings[e])));
        }
    assert_false(exists(in_folder("pictures/sequence-0.svg")));
    char *svg = read_text(in_folder("pictures/sequence-3.svg"));
    assert_true(count_of(svg, "<path") >= 2 * 15 / 2); /* letters of two maps and of the truth */
    free(svg);
    outcome again = run("logos %s --with %s --label first --sequence 3 --from 11 --to 25 --quiet --out %s",
                        in_folder("0.h5"), in_folder("1.h5"), in_folder("again"));
    assert_done(&again);
    end(&again);
    assert_same_bytes(in_folder("pictures/sequence-3.svg"), in_folder("again/sequence-3.svg"));
    assert_same_bytes(in_folder("pictures/sequence-3.png"), in_folder("again/sequence-3.png"));

    static const struct {
        const char *options, *part;
        int status;
    } bad[] = {{"--sequence 9", "has no map of sequence 9", 1},
               {"--sequence x", "--sequence x is not", 2},
               {"--from 41", "--from", 2},
               {"--label a --label b", "more labels than files", 2},
               {"--with none.h5", "none.h5", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        outcome tried = run("logos %s --quiet --out %s %s", in_folder("0.h5"), in_folder("no"), bad[i].options);
        assert_refused(&tried, bad[i].status, bad[i].part, NULL);
        end(&tried);
    }
    make_data("moved.h5");
    put_truth(in_folder("moved.h5"), TEST);
    change_sequences(in_folder("moved.h5"));
    outcome moved =
        run("logos %s --quiet --data %s --out %s", in_folder("0.h5"), in_folder("moved.h5"), in_folder("no"));
    assert_refused(&moved, 1, "moved.h5: its sequence 0 is not that of the maps", NULL);
    end(&moved);
    change_sequences(in_folder("data.h5"));
    outcome changed = run("logos %s --sequence 3 --out %s", in_folder("0.h5"), in_folder("changed"));
    assert_done(&changed);
    assert_contains(changed.err, "its sequence 3 is not that of the maps any more; no ground truth is drawn");
    end(&changed);

    outcome tried = run("logos %s --quiet --out %s", in_folder("data.h5"), in_folder("no"));
    assert_refused(&tried, 1, "it is not the maps of one class by expconv attribute", NULL);
    end(&tried);
    assert_no_leftovers();
}

static void test_importance(void **state) {
    (void)state;
    train_network();
    /* The word of class 1 (base_of). */
    outcome one = run("importance %s --quiet --motif ttggctan --motif C --gap 0,3 --backgrounds 200 --threads 1",
                      in_folder("out"));
    outcome two =
        run("importance %s --quiet --motif TTGGCTAN --motif C --gap 0,3 --backgrounds 200 --threads 2 --out %s",
            in_folder("out"), in_folder("i.tsv"));
    assert_done(&one);
    assert_done(&two);
    char *written = read_text(in_folder("i.tsv"));
    assert_string_equal(one.out, written);
    assert_int_equal(count_lines(one.out), 1 + 2 * CLASSES);
    assert_string_equal(cell(one.out, 3, "gap"), "3");
    assert_true(atof(cell(one.out, 0, "effect_se")) > 0);
    free(written);
    end(&one);
    end(&two);
    static const struct {
        const char *options, *part;
        int status;
    } bad[] = {{"", "--motif is missing", 2},
               {"--motif ACX", "'X' is none of A C G T N", 2},
               {"--motif ACGT --gap 1,a", "--gap 1,a", 2},
               {"--motif ACGT --motif ACGT --gap 40", "take 48 bases", 2},
               {"--motif ACGT --position 38", "from --position on", 2}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        outcome tried = run("importance %s --quiet %s", in_folder("out"), bad[i].options);
        assert_refused(&tried, bad[i].status, bad[i].part, NULL);
        end(&tried);
    }
}

/* ---- bad input --------------------------------------------------------------------------------------------------- */

static void refuse(const char *options, int status, const char *part) {
    outcome tried = run("attribute %s --quiet --out %s %s", in_folder("out"), in_folder("no.h5"), options);
    assert_refused(&tried, status, part, NULL);
    end(&tried);
    assert_false(exists(in_folder("no.h5")));
    assert_no_leftovers();
}

static void test_refusals(void **state) {
    (void)state;
    train_network();
    refuse("", 2, "--method is missing");
    refuse("--method gradient", 2, "saliency");
    refuse("--method saliency --class 2", 2, "the network has 2 classes, counted from 0");
    refuse("--method integrated_gradients --steps 0", 2, "--steps");
    refuse("--method deepshap --backgrounds 0", 2, "--backgrounds");
    refuse("--method deepshap --background none.fa", 2, "none.fa: neither shuffle");
    char text[512];
    snprintf(text, sizeof text, "--method deepshap --background %s", write_text("short.fa", ">a\nACGT\n"));
    refuse(text, 1, "the backgrounds have length 4");
    snprintf(text, sizeof text, "--method saliency --index %s", write_text("n.txt", "3\nx\n"));
    refuse(text, 1, "line 2");
    snprintf(text, sizeof text, "--method saliency --index %s", write_text("m.txt", "70\n"));
    refuse(text, 1, "one of 70 sequences");
    refuse("--method saliency --data none.h5", 1, "none.h5");
    float *y = calloc(TEST * CLASSES, sizeof *y);
    put(in_folder("data.h5"), "Y_test", 2, (hsize_t[]){TEST, CLASSES}, y);
    free(y);
    refuse("--method saliency --only positives --class 1", 1, "none of 70 test sequences is labelled with class 1");
    put_truth(in_folder("data.h5"), 30);
    refuse("--method saliency --truth", 1, "model_test is of 30 sequences of 40 bases, but there are 70");
    drop(in_folder("data.h5"), "model_test");
    refuse("--method saliency --truth", 1, "no model_test");
    unlink(in_folder("out/weights.h5"));
    refuse("--method saliency", 1, "weights.h5");
}

/* Nor is the data of the training, which the command line does not name, written over. */
static void test_data_is_kept(void **state) {
    (void)state;
    train_network();
    static const char *const commands[] = {"attribute %s --quiet --method saliency --out %s",
                                           "importance %s --quiet --motif ACGT --out %s"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        outcome tried = run(commands[i], in_folder("out"), in_folder("data.h5"));
        assert_refused(&tried, 2, "data.h5: that file is read here; name another", NULL);
        end(&tried);
    }
    outcome still = run("attribute %s --quiet --method saliency --out %s", in_folder("out"), in_folder("maps.h5"));
    assert_done(&still);
    end(&still);
}

static void test_full_disk(void **state) {
    (void)state;
    train_network();
    char arguments[1024];
    snprintf(arguments, sizeof arguments, "attribute %s --quiet --method saliency --out %s", in_folder("out"),
             in_folder("maps.h5"));
    for (rlim_t limit = 1000; limit < 100000; limit *= 5) {
        outcome tried = finish(start(limit, arguments));
        assert_refused(&tried, 1, "maps.h5: cannot write", NULL);
        end(&tried);
        assert_false(exists(in_folder("maps.h5")));
        assert_no_leftovers();
    }
}

static void test_interrupt(void **state) {
    (void)state;
    train_network();
    char arguments[1024];
    snprintf(arguments, sizeof arguments,
             "attribute %s --method integrated_gradients --steps 1000 --backgrounds 1000 --out %s", in_folder("out"),
             in_folder("maps.h5"));
    const pid_t child = start(0, arguments);
    sleep_milliseconds(300);
    kill(child, SIGINT);
    outcome ended = finish(child);
    assert_int_equal(ended.status, 130);
    assert_contains(ended.err, "interrupted; ");
    end(&ended);
    assert_false(exists(in_folder("maps.h5")));
    assert_no_leftovers();
}

/* ---- sweeps ------------------------------------------------------------------------------------------------------ */

#define TRAINING \
    "train: {epochs: 6, batch: 30, learning_rate: 0.02}\nsweep: {activation: [relu, exponential], seeds: 3}\n"

static void test_sweep(void **state) {
    (void)state;
    make_data("data.h5");
    put_truth(in_folder("data.h5"), TEST);
    const char *plain = make_config("plain.yaml", in_folder("data.h5"), TRAINING);
    const char *both = make_config("both.yaml", in_folder("data.h5"),
                                   TRAINING "attribution: {methods: [deepshap, saliency], sequences: 20}\n");
    sweep_into(both, "at_once", "--threads 1");
    sweep_into(plain, "later", "");
    assert_false(exists(in_folder("later/trials/%s/attribution.tsv", trial_names[0])));
    sweep_into(both, "later", "--threads 2");
    assert_same_sweep("at_once", "later");
    char *results = read_text(in_folder("later/results.tsv"));
    for (int t = 0; t < TRIALS; t++) {
        char expected[128];
        assert_same_bytes(in_folder("at_once/trials/%s/attribution.tsv", trial_names[t]),
                          in_folder("later/trials/%s/attribution.tsv", trial_names[t]));
        char *scores = read_text(in_folder("later/trials/%s/attribution.tsv", trial_names[t]));
        assert_string_equal(cell(scores, 0, "method"), "deepshap");
        assert_int_equal(atoi(cell(scores, 0, "sequences")), 20);
        snprintf(expected, sizeof expected, "%s", cell(scores, 0, "auroc"));
        assert_string_equal(cell(results, t, "deepshap_auroc"), expected);
        snprintf(expected, sizeof expected, "%s", cell(scores, 1, "signal_to_noise"));
        assert_string_equal(cell(results, t, "saliency_signal_to_noise"), expected);
        free(scores);
    }
    free(results);

    /* Another section: what was measured by the first is gone, and nothing is trained. */
    const char *other = make_config("other.yaml", in_folder("data.h5"),
                                    TRAINING "attribution: {methods: [mutagenesis], sequences: 10}\n");
    sweep_into(other, "later", "");
    char *changed = read_text(in_folder("later/results.tsv"));
    assert_non_null(strstr(changed, "mutagenesis_auroc"));
    assert_null(strstr(changed, "deepshap_auroc"));
    free(changed);
    outcome page = run("report %s --quiet", in_folder("later"));
    assert_done(&page);
    end(&page);
    assert_true(exists(in_folder("later/figures/mutagenesis_auroc.svg")));
}

static void refuse_sweep(const char *section, const char *part, const char *other) {
    char more[512];
    snprintf(more, sizeof more, TRAINING "attribution: %s\n", section);
    outcome tried =
        run("sweep %s --quiet --out %s", make_config("bad.yaml", in_folder("data.h5"), more), in_folder("s"));
    assert_refused(&tried, 1, part, other, NULL);
    end(&tried);
}

static void test_sweep_refusals(void **state) {
    (void)state;
    make_data("data.h5");
    refuse_sweep("{methods: [saliency]}", "no model_test", "data.h5");
    put_truth(in_folder("data.h5"), TEST);
    refuse_sweep("{sequences: 5}", "attribution.methods is missing", "bad.yaml:10");
    refuse_sweep("{methods: [saliency, saliency]}", "has saliency twice", "bad.yaml:10");
    refuse_sweep("{methods: [saliencies]}", "saliency", "bad.yaml:10");
    refuse_sweep("{methods: [saliency], class: 2}", "attribution.class is 2", "2 classes");
    refuse_sweep("{methods: [saliency], steps: 0}", "attribution.steps", "bad.yaml:10");
    refuse_sweep("{methods: [saliency], background: file}", "attribution.background", "bad.yaml:10");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_methods),        IN_FOLDER(test_classes_and_subsets),
        IN_FOLDER(test_refusals),       IN_FOLDER(test_data_is_kept),
        IN_FOLDER(test_full_disk),      IN_FOLDER(test_interrupt),
        IN_FOLDER(test_modisco),        IN_FOLDER(test_logos),
        IN_FOLDER(test_importance),     IN_FOLDER(test_sweep),
        IN_FOLDER(test_sweep_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_hdf5_faults.c: what reading HDF5 refuses, each with one line that names file, dataset and place; files cut short
 * and damaged; real files against a plain reading; and what inspect prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "hdf5_fixture.h"

#define X_PATH fixture_path("x.h5")

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static const struct {
    double column[4];
    const char *part;
    bool of_float; /* an integer cannot hold it */
} bad_columns[] = {
    {{0.5, 0, 0, 0.5}, "(0.5 0 0 0.5)", true}, {{1, 1, 0, 0}, "(1 1 0 0)", false},
    {{0, 0, 0, 2}, "(0 0 0 2)", false},        {{0, -1, 0, 0}, "(0 -1 0 0)", false},
    {{0, 0, NAN, 0}, "(0 0 nan 0)", true},     {{1, 1, 1, 1}, "(1 1 1 1)", false},
    {{1e-30, 0, 1, 0}, "(1e-30 0 1 0)", true}, {{INFINITY, 0, 0, 0}, "(inf 0 0 0)", true},
    {{0, 1, 0, 127}, "(0 1 0 127)", false},
};

static void put_column(xc_layout layout, double *values, size_t n, size_t l, const double *column) {
    for (size_t b = 0; b < 4; b++) values[cell_at(layout, n, b, l)] = column[b];
}

/* The first fault in the order of sequences is named, whatever order chunks come in. */
static void names_the_first_bad_column(void **state) {
    (void)state;
    static double values[CELLS];
    const hid_t types[] = {H5T_STD_I8LE, H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_STD_I16BE};
    for (size_t bad = 0; bad < sizeof bad_columns / sizeof *bad_columns; bad++)
        for (int layout = 0; layout < 4; layout++)
            for (int type = 0; type < 4; type++)
                for (int storage = 0; storage < 3; storage++) {
                    hsize_t shape[4], chunk[4] = {5, 2, 2, 2};
                    char part[128];
                    if (bad_columns[bad].of_float && (type == 0 || type == 3)) continue;
                    const int rank = layout_shape(layout, N, shape);
                    if (rank == 4) chunk[layout == XC_LAYOUT_N4L1 ? 3 : 2] = 1;
                    one_hot(layout, values);
                    put_column(layout, values, 12, 34, bad_columns[bad].column);
                    put_column(layout, values, 12, 35, bad_columns[0].column);
                    put_column(layout, values, 13, 0, bad_columns[1].column);
                    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), file = make_file("x.h5");
                    if (storage) H5Pset_chunk(properties, rank, chunk);
                    if (storage == 2) H5Pset_fletcher32(properties);
                    put(file, "X_train", types[type], rank, shape, NULL, properties, values);
                    H5Pclose(properties);
                    H5Fclose(file);
                    snprintf(part, sizeof part,
                             "x.h5: X_train: sequence 12, position 34 is not one-hot %s; every column",
                             bad_columns[bad].part);
                    xc_dataset dataset;
                    MUST_FAIL(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error), XC_INPUT, part);
                    assert_null(dataset.split[0].dna.bases);
                    xc_dataset_free(&dataset);
                }
}

static void minus_zero_is_zero(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L};
    one_hot(XC_LAYOUT_N4L, values);
    for (size_t i = 0; i < CELLS; i++)
        if (values[i] == 0) values[i] = -0.0;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_IEEE_F32BE};
    for (int type = 0; type < 3; type++) {
        const hid_t file = make_file("x.h5");
        put(file, "X_train", types[type], 3, shape, NULL, H5P_DEFAULT, values);
        H5Fclose(file);
        xc_dataset dataset;
        MUST(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error));
        xc_dataset_free(&dataset);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* One dataset of zeros; rank 0 ends the list. */
typedef struct zeros {
    const char *name;
    int rank;
    hsize_t shape[5];
} zeros;

static const struct {
    zeros dataset[4];
    const char *part;
} bad_files[] = {
    {{{0}}, "no train sequences: looked for X_train, x_train and train_in; the file holds nothing"},
    {{{"X_test", 3, {2, 4, 9}}, {"other", 1, {3}}}, "the file holds X_test (2,4,9), other (3); name the dataset"},
    {{{"X_train", 2, {5, 36}}}, "X_train: has shape (5,36); sequences are (n,4,L)"},
    {{{"X_train", 5, {5, 1, 4, 9, 1}}}, "X_train: has shape (5,1,4,9,1)"},
    {{{"X_train", 3, {5, 5, 9}}}, "X_train: has shape (5,5,9)"},
    {{{"X_train", 4, {5, 4, 9, 2}}}, "X_train: has shape (5,4,9,2)"},
    {{{"X_train", 3, {0, 4, 9}}}, "X_train: is empty, shape (0,4,9)"},
    {{{"X_train", 3, {5, 4, 0}}}, "X_train: is empty, shape (5,4,0)"},
    {{{"X_train", 3, {5, 4, 9}}, {"Y_train", 2, {4, 2}}}, "X_train holds 5 sequences, but Y_train labels for 4"},
    {{{"X_train", 3, {5, 4, 9}}, {"Y_train", 2, {5, 0}}}, "Y_train: is empty, shape (5,0)"},
    {{{"X_train", 3, {5, 4, 9}}, {"Y_train", 3, {5, 2, 1}}},
     "Y_train: has shape (5,2,1); labels are (n) or (n,classes)"},
    {{{"X_train", 3, {5, 4, 9}}, {"X_test", 3, {5, 4, 8}}}, "X_train has sequences of 9 bases, but X_test of 8"},
    {{{"X_train", 3, {5, 4, 9}}, {"Y_train", 2, {5, 2}}, {"X_test", 3, {5, 4, 9}}, {"Y_test", 1, {5}}},
     "Y_train has 2 classes, but Y_test has 1"},
    {{{"X_train", 3, {5, 4, 9}}, {"Y_train", 2, {5, 2}}, {"X_test", 3, {5, 4, 9}}},
     "X_train has labels (Y_train), but there are none for X_test"},
};

static void refuses_bad_files(void **state) {
    (void)state;
    static const double values[512];
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const hid_t file = make_file("x.h5");
        for (const zeros *d = bad_files[i].dataset; d < bad_files[i].dataset + 4 && d->rank; d++)
            put_plain(file, d->name, d->rank, d->shape, values);
        H5Fclose(file);
        xc_dataset dataset;
        const unsigned wanted = 1 << XC_TRAIN | 1 << XC_TEST;
        MUST_FAIL(xc_dataset_read(X_PATH, NULL, wanted, false, 1, &dataset, error), XC_INPUT, bad_files[i].part);
        xc_dataset_free(&dataset);
    }
}

static void refuses_what_is_not_numbers(void **state) {
    (void)state;
    const hsize_t shape[3] = {2, 4, 9};
    const char text[72] = "";
    xc_dataset dataset;
    hid_t file = make_file("x.h5");
    const hid_t space = H5Screate_simple(3, shape, NULL);
    const hid_t strings = H5Dcreate2(file, "X_train", H5T_C_S1, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(strings, H5T_C_S1, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    H5Dclose(strings);
    H5Sclose(space);
    H5Fclose(file);
    MUST_FAIL(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error), XC_INPUT,
              "X_train: holds strings, not numbers");
    file = make_file("x.h5");
    H5Gclose(H5Gcreate2(file, "X_train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    MUST_FAIL(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error), XC_INPUT,
              "X_train: cannot be opened as a dataset");
    const char *path = fixture_text("x.h5", "hello");
    MUST_FAIL(xc_dataset_read(path, NULL, 1, false, 1, &dataset, error), XC_INPUT, "x.h5: not an HDF5 file");
    MUST_FAIL(xc_dataset_read(fixture_folder, NULL, 1, false, 1, &dataset, error), XC_INPUT, "not an HDF5 file");
    MUST_FAIL(xc_dataset_read(fixture_path("absent"), NULL, 1, false, 1, &dataset, error), XC_IO, "No such file");
}

static void refuses_labels_that_are_not_finite(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, y_shape[2] = {N, 2};
    const double bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        double labels[2 * N] = {0};
        labels[2 * 7 + 1] = bad[i];
        const hid_t file = make_file("x.h5");
        put_plain(file, "X_train", 3, shape, values);
        put_plain(file, "Y_train", 2, y_shape, labels);
        H5Fclose(file);
        xc_dataset dataset;
        MUST_FAIL(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error), XC_INPUT,
                  i ? "Y_train: the label of sequence 7, class 1 is inf"
                    : "Y_train: the label of sequence 7, class 1 is nan");
        assert_null(dataset.split[0].dna.bases);
        xc_dataset_free(&dataset);
    }
}

static size_t pass_through(unsigned flags, size_t count, const unsigned *values, size_t bytes, size_t *size,
                           void **buffer) {
    (void)flags, (void)count, (void)values, (void)size, (void)buffer;
    return bytes;
}

/* A filter that was there when the file was written and is not now. */
static void names_a_missing_filter(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, y_shape[1] = {N};
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 300, 1, 1, "homemade", NULL, NULL, pass_through};
    for (int labels = 0; labels < 2; labels++) {
        assert_true(H5Zregister(&filter) >= 0);
        const hid_t file = make_file("x.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(properties, labels ? 1 : 3, labels ? y_shape : shape);
        H5Pset_filter(properties, 300, 0, 0, NULL);
        put(file, "X_train", H5T_STD_I8LE, 3, shape, NULL, labels ? H5P_DEFAULT : properties, values);
        put(file, "Y_train", H5T_STD_I8LE, 1, y_shape, NULL, labels ? properties : H5P_DEFAULT, values);
        H5Pclose(properties);
        H5Fclose(file);
        H5Zunregister(300);
        xc_dataset dataset;
        MUST_FAIL(xc_dataset_read(X_PATH, NULL, 1, false, 1, &dataset, error), XC_INPUT,
                  labels ? "Y_train: compressed with filter 300 (homemade)"
                         : "X_train: compressed with filter 300 (homemade)");
        xc_dataset_free(&dataset);
    }
}

/* ---- real files ------------------------------------------------------------------------------------------------- */

static const char *const real_names[] = {"IRF1_400_h3k27ac.h5", "ZBED2_400_h3k27ac.h5"};

/* Every base and label of the real files is what H5Dread says. */
static void real_files_are_read_right(void **state) {
    (void)state;
    static const uint32_t sequences[2][3] = {{2724, 389, 779}, {3431, 490, 981}};
    for (int i = 0; i < 2; i++) {
        xc_dataset dataset;
        const char *path = fixture_data(real_names[i]);
        MUST(xc_dataset_read(path, NULL, 7, true, 1, &dataset, error));
        const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        for (int split = 0; split < XC_SPLIT_COUNT; split++) {
            const xc_split *s = &dataset.split[split];
            const size_t length = s->dna.length;
            uint8_t codes[400];
            assert_int_equal(s->dna.sequences, sequences[i][split]);
            assert_int_equal(length, 400);
            float *x = test_malloc((size_t)s->dna.sequences * 1600 * sizeof *x),
                  *y = test_malloc(s->dna.sequences * sizeof *y);
            const hid_t xs = H5Dopen2(file, dataset.header[split].x_name, H5P_DEFAULT);
            const hid_t ys = H5Dopen2(file, dataset.header[split].y_name, H5P_DEFAULT);
            H5Dread(xs, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
            H5Dread(ys, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, y);
            for (uint32_t n = 0; n < s->dna.sequences; n++) {
                xc_dna_unpack(&s->dna, n, codes);
                for (size_t l = 0; l < length; l++)
                    for (size_t b = 0; b < 4; b++)
                        assert_true(x[n * 1600 + b * 400 + l] == (codes[l] == b ? 1.0f : 0.0f));
            }
            assert_memory_equal(y, s->labels, s->dna.sequences * sizeof *y);
            assert_true((double)s->dna.row_bytes / (double)length <= 0.30);
            H5Dclose(xs);
            H5Dclose(ys);
            test_free(x);
            test_free(y);
        }
        H5Fclose(file);
        xc_dataset_free(&dataset);
    }
}

/* Cut anywhere, a file is refused with one line. */
static void truncated_files_are_refused(void **state) {
    (void)state;
    size_t size;
    char *bytes;
    MUST(xc_file_read(fixture_data(real_names[0]), (size_t)64 << 20, &bytes, &size, error));
    const size_t cuts[] = {0, 1, 7, 8, 9, 100, 512, 800, 4096, 65536, size / 3, size / 2, size - 4096, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        xc_dataset dataset;
        const char *path = fixture_write("cut.h5", bytes, cuts[i]);
        MUST_FAIL(xc_dataset_read(path, NULL, 7, false, 1, &dataset, error), XC_INPUT,
                  cuts[i] < 8 ? "cut.h5: not an HDF5 file" : "cut.h5: damaged or cut short");
        xc_dataset_free(&dataset);
    }
    free(bytes);
}

/* A byte changed anywhere is noticed or harmless; most lie in compressed data, whose checksum shows them. */
static void damaged_files_are_survived(void **state) {
    (void)state;
    size_t size;
    char *bytes;
    int refused = 0, tried = 0;
    MUST(xc_file_read(fixture_data(real_names[0]), (size_t)64 << 20, &bytes, &size, error));
    for (size_t at = 9; at < size; at += at < 8192 ? 401 : 60013, tried++) {
        xc_dataset dataset;
        xc_error error = {0};
        bytes[at] ^= 0x55;
        const xc_status status =
            xc_dataset_read(fixture_write("bad.h5", bytes, size), NULL, 7, false, 1, &dataset, &error);
        bytes[at] ^= 0x55;
        if (status != XC_OK) assert_non_null(strstr(error.text, "bad.h5"));
        refused += status != XC_OK;
        xc_dataset_free(&dataset);
    }
    assert_true(refused > tried / 2);
    free(bytes);
}

/* ---- inspect ---------------------------------------------------------------------------------------------------- */

/* What inspect prints, to be freed. */
static char *inspect(const char *path, xc_status wanted, xc_error *error) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    const xc_status status = xc_inspect(path, NULL, 1, stream, error);
    fclose(stream);
    if (status != wanted) fail_msg("inspect: status %d, %s", status, error->text);
    assert_null(strchr(text, '\t'));
    return text;
}

static void expect_parts(char *text, const char *const *parts) {
    for (; *parts; parts++)
        if (!strstr(text, *parts)) fail_msg("no \"%s\" in\n%s", *parts, text);
    free(text);
}

static void inspect_shows_a_real_file(void **state) {
    (void)state;
    static const char *const parts[] = {"train ",
                                        "2,724",
                                        "389",
                                        "779",
                                        "X_train (n,4,L)",
                                        "float32",
                                        "chunks (171,1,50), deflate 4",
                                        "0.250 bytes a base",
                                        "none",
                                        "47.27 %",
                                        "Y_train, 1 class",
                                        "1,372  50.37 %",
                                        "200  51.41 %",
                                        "374  48.01 %",
                                        NULL};
    xc_error error = {0};
    expect_parts(inspect(fixture_data(real_names[0]), XC_OK, &error), parts);
}

/* Known composition: 100 columns a sequence, of which 10 A, 20 C, 30 G, 30 T and 10 N. */
static void inspect_counts(void **state) {
    (void)state;
    static double values[8 * 4 * 100];
    const hsize_t shape[3] = {8, 4, 100}, y_shape[2] = {8, 2};
    double labels[16] = {1, 0.5, 1, 0.5, 1, 0.5};
    static const char *const parts[] = {"A           10.00 %\n",
                                        "C           20.00 %\n",
                                        "G           30.00 %\n",
                                        "T           30.00 %\n",
                                        "N           10.00 %\n",
                                        "GC          55.56 %\n",
                                        "class 0     mean 0.375\n",
                                        "class 1     mean 0.1875\n",
                                        "no model_*",
                                        NULL};
    for (size_t n = 0; n < 8; n++)
        for (size_t l = 0; l < 100; l++)
            if (l < 90) values[n * 400 + (l < 10 ? 0 : l < 30 ? 1 : l < 60 ? 2 : 3) * 100 + (l * 37 + n) % 100] = 1;
    const hid_t file = make_file("x.h5");
    put_plain(file, "X_valid", 3, shape, values);
    put_plain(file, "Y_valid", 2, y_shape, labels);
    H5Fclose(file);
    xc_error error = {0};
    expect_parts(inspect(X_PATH, XC_OK, &error), parts);
}

/* A fault is the error, after the table of all that could be read. */
static void inspect_reports_a_fault_last(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, y_shape[2] = {N, 30};
    static const char *const parts[] = {"test",          "found",          "none", "lowest class",
                                        "highest class", "X_test (n,4,L)", NULL};
    static const double labels[N * 30];
    one_hot(XC_LAYOUT_N4L, values);
    const hid_t file = make_file("x.h5");
    put_plain(file, "X_test", 3, shape, values);
    put_plain(file, "Y_test", 2, y_shape, labels);
    values[cell_at(XC_LAYOUT_N4L, 3, 0, 5)] = 7;
    put_plain(file, "X_train", 3, shape, values);
    put_plain(file, "Y_train", 2, y_shape, labels);
    H5Fclose(file);
    xc_error error = {0};
    expect_parts(inspect(X_PATH, XC_INPUT, &error), parts);
    assert_non_null(strstr(error.text, "x.h5: X_train: sequence 3, position 5 is not one-hot"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_first_bad_column),
        cmocka_unit_test(minus_zero_is_zero),
        cmocka_unit_test(refuses_bad_files),
        cmocka_unit_test(refuses_what_is_not_numbers),
        cmocka_unit_test(refuses_labels_that_are_not_finite),
        cmocka_unit_test(names_a_missing_filter),
        cmocka_unit_test(real_files_are_read_right),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(damaged_files_are_survived),
        cmocka_unit_test(inspect_shows_a_real_file),
        cmocka_unit_test(inspect_counts),
        cmocka_unit_test(inspect_reports_a_fault_last),
    };
    return cmocka_run_group_tests_name("hdf5_faults", tests, fixture_open, fixture_close);
}

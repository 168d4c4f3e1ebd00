/* test_attribution_file.c: attribution maps as HDF5, read back with HDF5: every dataset and attribute, of one class and
 * of several, the same bytes in whatever order rows came; a disk that fills up. And the ground truth of simulated
 * sequences, in every layout.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "hdf5_fixture.h"

/* ---- a file of N maps of L bases ----------------------------------------------------------------------------------
 */

enum { MAP = 4 * L, MOST_CLASSES = 3, BATCH = 5 };

enum { HYPOTHETICAL, CONTRIBUTIONS, OUTPUT, GAP, KINDS };
static const char *const kind_names[KINDS] = {"hypothetical", "contributions", "output", "gap"};

/* What is written of a kind for row n. */
static float value_of(int class_number, int kind, size_t n, size_t cell) {
    return (float)(class_number * 4 + kind) + (float)(n * MAP + cell) / 8192;
}

static uint32_t index_of(size_t n) { return (uint32_t)(1000 + 3 * n) | (n % 2 ? XC_REVERSE_COMPLEMENT : 0); }

static const xc_file_attribute attributes[] = {
    {"format", "expconv attribution 1", 0}, {"empty", "", 0}, {"class", NULL, 2}, {"third", NULL, 1.0 / 3}};

static xc_status write_maps(xc_attribution_file *file, int class_number, size_t first, size_t count, xc_error *error) {
    static float values[KINDS][N * MAP];
    for (int kind = 0; kind < KINDS; kind++) {
        const size_t each = kind < OUTPUT ? MAP : 1;
        for (size_t i = 0; i < count * each; i++)
            values[kind][i] = value_of(class_number, kind, first + i / each, i % each);
    }
    return xc_attribution_file_write(file, class_number, first, count, values[HYPOTHETICAL], values[CONTRIBUTIONS],
                                     values[OUTPUT], values[GAP], error);
}

static xc_status write_sequence(xc_attribution_file *file, size_t n, xc_error *error) {
    uint8_t codes[L];
    for (size_t l = 0; l < L; l++) codes[l] = code_at(n, l);
    return xc_attribution_file_write_sequence(file, n, index_of(n), codes, error);
}

static xc_status create(const char *name, int class_count, size_t count, xc_attribution_file **file, xc_error *error) {
    static const int32_t classes[MOST_CLASSES] = {2, 0, 11};
    return xc_attribution_file_create(fixture_path(name), count, L, classes, class_count, attributes,
                                      sizeof attributes / sizeof *attributes, file, error);
}

/* The whole file; with `backwards`, its rows from the last to the first. */
static void write_file(const char *name, int class_count, bool backwards) {
    xc_attribution_file *file;
    unlink(fixture_path(name));
    MUST(create(name, class_count, N, &file, error));
    for (size_t i = 0; i < N; i++) MUST(write_sequence(file, backwards ? N - 1 - i : i, error));
    for (int c = 0; c < class_count; c++)
        for (size_t first = 0; first < N; first += BATCH) {
            const size_t from = backwards ? (N - 1) / BATCH * BATCH - first : first;
            MUST(write_maps(file, backwards ? class_count - 1 - c : c, from, N - from < BATCH ? N - from : BATCH,
                            error));
        }
    assert_false(xc_path_exists(fixture_path(name)));
    MUST(xc_attribution_file_commit(file, error));
    xc_attribution_file_discard(file);
    assert_true(xc_path_exists(fixture_path(name)));
}

/* ---- read back ----------------------------------------------------------------------------------------------------
 */

/* A dataset of `type` and shape (N) or (N,4,L), as doubles to values. */
static void read_dataset(hid_t file, const char *name, hid_t type, bool map, double *values) {
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0) fail_msg("no dataset %s", name);
    const hid_t space = H5Dget_space(dataset), has = H5Dget_type(dataset);
    hsize_t shape[3] = {0};
    assert_int_equal(H5Sget_simple_extent_ndims(space), map ? 3 : 1);
    H5Sget_simple_extent_dims(space, shape, NULL);
    assert_int_equal(shape[0], N);
    if (map) assert_true(shape[1] == 4 && shape[2] == L);
    assert_true(H5Tequal(has, type) > 0);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Tclose(has);
    H5Sclose(space);
    H5Dclose(dataset);
}

static void check_sequences(hid_t file) {
    static double x[N * MAP], index[N], reverse[N];
    read_dataset(file, "sequences", H5T_STD_U8LE, true, x);
    read_dataset(file, "index", H5T_STD_U32LE, false, index);
    read_dataset(file, "reverse_complement", H5T_STD_U8LE, false, reverse);
    for (size_t n = 0; n < N; n++) {
        assert_true(index[n] == (double)(1000 + 3 * n));
        assert_true(reverse[n] == (double)(n % 2));
        for (size_t l = 0; l < L; l++)
            for (size_t b = 0; b < 4; b++) assert_true(x[n * MAP + b * L + l] == (code_at(n, l) == b));
    }
}

static void check_class(hid_t file, const char *group, int class_number) {
    static double values[N * MAP];
    for (int kind = 0; kind < KINDS; kind++) {
        char name[64];
        const size_t each = kind < OUTPUT ? MAP : 1;
        snprintf(name, sizeof name, "%s%s", group, kind_names[kind]);
        read_dataset(file, name, H5T_IEEE_F32LE, kind < OUTPUT, values);
        for (size_t i = 0; i < N * each; i++)
            assert_true(values[i] == (double)value_of(class_number, kind, i / each, i % each));
    }
}

static void check_attributes(hid_t file) {
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        const hid_t attribute = H5Aopen(file, attributes[i].name, H5P_DEFAULT), type = H5Aget_type(attribute);
        char text[64] = "unread";
        double number = 0;
        assert_true(attribute >= 0);
        if (attributes[i].text) {
            assert_true(H5Tget_class(type) == H5T_STRING && H5Tget_size(type) <= sizeof text);
            assert_true(H5Aread(attribute, type, text) >= 0);
            assert_string_equal(text, attributes[i].text);
        } else {
            assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) >= 0);
            assert_true(number == attributes[i].number);
        }
        H5Tclose(type);
        H5Aclose(attribute);
    }
}

static hsize_t members(hid_t file) {
    H5G_info_t about;
    assert_true(H5Gget_info(file, &about) >= 0);
    return about.nlinks;
}

static void one_class_is_at_the_top(void **state) {
    (void)state;
    write_file("one.h5", 1, false);
    const hid_t file = H5Fopen(fixture_path("one.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_int_equal(members(file), 3 + KINDS);
    check_sequences(file);
    check_class(file, "", 0);
    check_attributes(file);
    H5Fclose(file);
}

static void several_classes_have_groups(void **state) {
    (void)state;
    static const char *const groups[MOST_CLASSES] = {"class2/", "class0/", "class11/"};
    write_file("three.h5", 3, true);
    const hid_t file = H5Fopen(fixture_path("three.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_int_equal(members(file), 3 + MOST_CLASSES);
    check_sequences(file);
    for (int c = 0; c < MOST_CLASSES; c++) check_class(file, groups[c], c);
    check_attributes(file);
    H5Fclose(file);
}

static void the_same_bytes_twice(void **state) {
    (void)state;
    for (int classes = 1; classes <= MOST_CLASSES; classes += 2) {
        char *one, *other;
        size_t size, other_size;
        write_file("one.h5", classes, false);
        for (const time_t now = time(NULL); time(NULL) == now;) usleep(10000); /* not a file's time either */
        write_file("other.h5", classes, true);
        MUST(xc_file_read(fixture_path("one.h5"), (size_t)1 << 30, &one, &size, error));
        MUST(xc_file_read(fixture_path("other.h5"), (size_t)1 << 30, &other, &other_size, error));
        assert_int_equal(size, other_size);
        assert_memory_equal(one, other, size);
        free(one);
        free(other);
    }
}

static void hdf5_prints_as_before(void **state) {
    (void)state;
    H5E_auto2_t before, after;
    void *data;
    H5Eget_auto2(H5E_DEFAULT, &before, &data);
    write_file("one.h5", 1, false);
    H5Eget_auto2(H5E_DEFAULT, &after, &data);
    assert_true(before == after);
}

/* ---- nothing or the whole -----------------------------------------------------------------------------------------
 */

static void discard_leaves_nothing(void **state) {
    (void)state;
    xc_attribution_file *file;
    fixture_files(true);
    MUST(create("gone.h5", 2, N, &file, error));
    MUST(write_sequence(file, 0, error));
    MUST(write_maps(file, 1, 0, N, error));
    xc_attribution_file_discard(file);
    xc_attribution_file_discard(NULL);
    assert_int_equal(fixture_files(false), 0);
}

static void what_was_there_stays_until_the_end(void **state) {
    (void)state;
    char *text;
    xc_attribution_file *file;
    fixture_text("old.h5", "old");
    MUST(create("old.h5", 1, N, &file, error));
    xc_attribution_file_discard(file);
    MUST(xc_file_read(fixture_path("old.h5"), 100, &text, NULL, error));
    assert_string_equal(text, "old");
    free(text);
    write_file("new.h5", 1, false);
    fixture_text("new.h5", "old");
    MUST(create("new.h5", 1, N, &file, error));
    MUST(xc_attribution_file_commit(file, error));
    xc_attribution_file_discard(file);
    assert_true(H5Fis_hdf5(fixture_path("new.h5")) > 0);
}

static void unwritable_paths_are_refused(void **state) {
    (void)state;
    xc_attribution_file *file;
    MUST_FAIL(create("no/such.h5", 1, N, &file, error), XC_IO, "no/such.h5: cannot write: No such file");
    assert_null(file);
    MUST_FAIL(create(".", 1, N, &file, error), XC_IO, "is not a plain file");
    assert_null(file);
}

/* From now on no file may be larger; 0: as before. Writing beyond fails, as on a full disk. */
static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    static rlim_t before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    if (bytes) before = limit.rlim_cur;
    signal(SIGXFSZ, bytes ? SIG_IGN : SIG_DFL);
    limit.rlim_cur = bytes ? bytes : before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* At the beginning, before any map is computed. */
static void a_full_disk_is_found_at_once(void **state) {
    (void)state;
    enum { MANY = 100000 }; /* 119 MB */
    static const rlim_t limits[] = {1, 100, 4096, 1 << 20, 50 << 20, 119 << 20};
    fixture_files(true);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        xc_attribution_file *file;
        xc_error error = {0};
        limit_files(limits[i]);
        const xc_status status = create("full.h5", 1, MANY, &file, &error);
        limit_files(0);
        assert_int_equal(status, XC_IO);
        assert_null(file);
        assert_non_null(strstr(error.text, "full.h5: cannot write"));
        assert_non_null(strstr(error.text, " MB: File too large"));
        assert_null(strchr(error.text, '\n'));
        assert_int_equal(fixture_files(false), 0);
    }
}

/* Or later, where the file system could not promise the space. */
static void a_disk_that_fills_up_is_an_error(void **state) {
    (void)state;
    xc_attribution_file *file;
    xc_error reason = {0};
    MUST(create("full.h5", 1, N, &file, error));
    limit_files(4096);
    const xc_status status = write_maps(file, 0, 0, N, &reason);
    limit_files(0);
    assert_int_equal(status, XC_IO);
    assert_non_null(strstr(reason.text, "full.h5: cannot write: File too large"));
    xc_attribution_file_discard(file);
    assert_int_equal(fixture_files(false), 0);
}

/* ---- ground truth -------------------------------------------------------------------------------------------------
 */

/* Rows that are neither alike nor exact in float32. */
static double probability_at(size_t n, size_t b, size_t l) { return 0.1 + (double)((n * 4 + b) * L + l) / 7919; }

static void put_truth(const char *name, const char *dataset, hid_t type, xc_layout layout) {
    static double values[CELLS];
    hsize_t shape[4];
    const int rank = layout_shape(layout, N, shape);
    for (size_t n = 0; n < N; n++)
        for (size_t b = 0; b < 4; b++)
            for (size_t l = 0; l < L; l++) values[cell_at(layout, n, b, l)] = probability_at(n, b, l);
    const hid_t file = make_file(name);
    put(file, dataset, type, rank, shape, NULL, H5P_DEFAULT, values);
    H5Fclose(file);
}

static const xc_split *split_of(uint32_t sequences, uint32_t length) {
    static xc_split split;
    split.dna.sequences = sequences;
    split.dna.length = length;
    return &split;
}

/* Sequences in any order, and their reverse complements: base b at l is base 3 - b at the other end. */
static void check_truth(const char *name, xc_split_name split) {
    xc_truth *truth;
    float p[MAP];
    MUST(xc_truth_open(fixture_path(name), split, split_of(N, L), &truth, error));
    for (size_t i = 0; i < 2 * N; i++) {
        const size_t n = i * 7 % N;
        const bool reverse = i % 3 == 1;
        MUST(xc_truth_read(truth, (uint32_t)n | (reverse ? XC_REVERSE_COMPLEMENT : 0), p, error));
        for (size_t b = 0; b < 4; b++)
            for (size_t l = 0; l < L; l++) {
                const double wanted = reverse ? probability_at(n, 3 - b, L - 1 - l) : probability_at(n, b, l);
                assert_true(p[b * L + l] == (float)wanted);
            }
    }
    xc_truth_close(truth);
}

static void truth_of_every_layout(void **state) {
    (void)state;
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    static const char *const names[] = {"model_train", "model_valid", "model_test"};
    for (int layout = 0; layout < 4; layout++)
        for (int type = 0; type < 3; type++) {
            put_truth("truth.h5", names[type], types[type], (xc_layout)layout);
            check_truth("truth.h5", (xc_split_name)type);
        }
}

static void truth_that_is_not_there(void **state) {
    (void)state;
    xc_truth *truth;
    const hsize_t shape[2] = {N, MAP};
    static const double values[CELLS];
    put_truth("truth.h5", "model_test", H5T_IEEE_F32LE, XC_LAYOUT_N4L);
    const char *path = fixture_path("truth.h5");
    MUST_FAIL(xc_truth_open(path, XC_TRAIN, split_of(N, L), &truth, error), XC_INPUT, "truth.h5: no model_train, ");
    assert_null(truth);
    MUST_FAIL(xc_truth_open(path, XC_TEST, split_of(N + 1, L), &truth, error), XC_INPUT,
              "truth.h5: model_test is of 23 sequences of 37 bases, but there are 24 of 37");
    MUST_FAIL(xc_truth_open(path, XC_TEST, split_of(N, L - 1), &truth, error), XC_INPUT,
              "truth.h5: model_test is of 23 sequences of 37 bases, but there are 23 of 36");
    assert_null(truth);
    MUST_FAIL(xc_truth_open(fixture_path("none.h5"), XC_TEST, split_of(N, L), &truth, error), XC_IO,
              "none.h5: cannot read");
    MUST_FAIL(xc_truth_open(fixture_text("text.h5", "text"), XC_TEST, split_of(N, L), &truth, error), XC_INPUT,
              "text.h5: not an HDF5 file");
    const hid_t file = make_file("flat.h5");
    put_plain(file, "model_test", 2, shape, values);
    H5Fclose(file);
    MUST_FAIL(xc_truth_open(fixture_path("flat.h5"), XC_TEST, split_of(N, L), &truth, error), XC_INPUT,
              "flat.h5: model_test: has shape (23,148)");
    assert_null(truth);
    xc_truth_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_class_is_at_the_top),
        cmocka_unit_test(several_classes_have_groups),
        cmocka_unit_test(the_same_bytes_twice),
        cmocka_unit_test(hdf5_prints_as_before),
        cmocka_unit_test(discard_leaves_nothing),
        cmocka_unit_test(what_was_there_stays_until_the_end),
        cmocka_unit_test(unwritable_paths_are_refused),
        cmocka_unit_test(a_full_disk_is_found_at_once),
        cmocka_unit_test(a_disk_that_fills_up_is_an_error),
        cmocka_unit_test(truth_of_every_layout),
        cmocka_unit_test(truth_that_is_not_there),
    };
    return cmocka_run_group_tests_name("attribution_file", tests, fixture_open, fixture_close);
}

/* test_hdf5.c: reading HDF5: every layout, numeric type and storage against the same sequences, and how datasets are
 * found. What is refused is in test_hdf5_faults.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <hdf5.h>

#include "hdf5_fixture.h"

/* ---- types ------------------------------------------------------------------------------------------------------ */

enum { TYPES = 17 };

static hid_t make_type(int number) {
    const hid_t plain[] = {H5T_STD_I8LE,   H5T_STD_U8LE,   H5T_STD_I16LE,     H5T_STD_U16BE,  H5T_STD_I32LE,
                           H5T_STD_I32BE,  H5T_STD_U64LE,  H5T_STD_I64BE,     H5T_IEEE_F32LE, H5T_IEEE_F32BE,
                           H5T_IEEE_F64LE, H5T_IEEE_F64BE, H5T_NATIVE_LDOUBLE};
    const int plain_count = sizeof plain / sizeof *plain;
    if (number < plain_count) return H5Tcopy(plain[number]);
    hid_t type;
    switch (number - plain_count) {
        case 0: /* float16 */
            type = H5Tcopy(H5T_IEEE_F32LE);
            H5Tset_fields(type, 15, 10, 5, 0, 10);
            H5Tset_size(type, 2);
            H5Tset_ebias(type, 15);
            return type;
        case 1: /* what h5py makes of bool */
            type = H5Tenum_create(H5T_STD_I8LE);
            H5Tenum_insert(type, "FALSE", &(int8_t){0});
            H5Tenum_insert(type, "TRUE", &(int8_t){1});
            return type;
        case 2: /* 3 bytes */
            type = H5Tcopy(H5T_STD_I32LE);
            H5Tset_precision(type, 24);
            H5Tset_size(type, 3);
            return type;
        default: /* 5 bits within a byte */
            type = H5Tcopy(H5T_STD_U8LE);
            H5Tset_precision(type, 5);
            H5Tset_offset(type, 2);
            return type;
    }
}

/* ---- storage ---------------------------------------------------------------------------------------------------- */

enum { STORAGES = 11 };

/* Creation properties for a shape of rank; *most gets the largest shape where the dataset can grow. */
static hid_t make_storage(int number, int rank, const hsize_t *shape, hsize_t *most, xc_layout layout) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const bool last = layout == XC_LAYOUT_NL4;
    const int position = last ? 1 : rank == 4 && shape[2] == 1 ? 3 : 2, channel = last ? 2 : 1;
    hsize_t chunk[4] = {5, 1, 1, 1};
    chunk[channel] = 1;
    chunk[position] = 7;
    memcpy(most, shape, (size_t)rank * sizeof *most);
    switch (number) {
        case 0:
            return properties; /* contiguous */
        case 1:
            H5Pset_layout(properties, H5D_COMPACT);
            return properties;
        case 2:
            break; /* chunks alone */
        case 3:
            H5Pset_deflate(properties, 4);
            break;
        case 4:
            H5Pset_shuffle(properties);
            H5Pset_deflate(properties, 1);
            break;
        case 5:
            H5Pset_shuffle(properties);
            break;
        case 6:
            H5Pset_fletcher32(properties);
            H5Pset_deflate(properties, 4);
            break; /* through H5Dread */
        case 7:
            chunk[channel] = 4;
            H5Pset_deflate(properties, 9);
            break;
        case 8:
            chunk[channel] = 3;
            chunk[0] = N;
            H5Pset_shuffle(properties);
            H5Pset_deflate(properties, 4);
            break;
        case 9: /* chunks larger than the data */
            chunk[0] = 64;
            chunk[channel] = 8;
            chunk[position] = 50;
            for (int axis = 0; axis < rank; axis++) most[axis] = H5S_UNLIMITED;
            H5Pset_deflate(properties, 4);
            break;
        default: /* one sequence a chunk */
            chunk[0] = 1;
            chunk[channel] = 4;
            chunk[position] = L;
            break;
    }
    H5Pset_chunk(properties, rank, chunk);
    return properties;
}

static void expect_sequences(const xc_split *split) {
    assert_int_equal(split->dna.sequences, N);
    assert_int_equal(split->dna.length, L);
    for (uint32_t n = 0; n < N; n++) {
        uint8_t codes[L];
        xc_dna_unpack(&split->dna, n, codes);
        for (size_t l = 0; l < L; l++) assert_int_equal(codes[l], code_at(n, l));
    }
}

static void reads_every_layout_type_and_storage(void **state) {
    (void)state;
    static double values[CELLS];
    double labels[N];
    for (int n = 0; n < N; n++) labels[n] = n % 3 == 0;
    for (int layout = 0; layout < 4; layout++) {
        one_hot(layout, values);
        for (int type_number = 0; type_number < TYPES; type_number++) {
            for (int storage = 0; storage < STORAGES; storage++) {
                hsize_t shape[4], most[4];
                const int rank = layout_shape(layout, N, shape);
                const hid_t type = make_type(type_number),
                            properties = make_storage(storage, rank, shape, most, layout);
                const hid_t file = make_file("x.h5");
                put(file, "X_train", type, rank, shape, most, properties, values);
                put(file, "Y_train", type, 1, shape, NULL, H5P_DEFAULT, labels);
                H5Fclose(file);
                H5Pclose(properties);
                H5Tclose(type);
                xc_dataset dataset;
                xc_error error = {0};
                if (xc_dataset_read(fixture_path("x.h5"), NULL, 1, true, 1, &dataset, &error) != XC_OK)
                    fail_msg("layout %d, type %d, storage %d: %s", layout, type_number, storage, error.text);
                assert_int_equal(dataset.header[XC_TRAIN].layout, layout);
                expect_sequences(&dataset.split[XC_TRAIN]);
                for (int n = 0; n < N; n++) assert_true(dataset.split[XC_TRAIN].labels[n] == (float)labels[n]);
                assert_true(dataset.split[XC_TRAIN].reverse_complement);
                xc_dataset_free(&dataset);
            }
        }
    }
}

/* Chunks that were never written are zeros: N. */
static void reads_unwritten_chunks(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, chunk[3] = {5, 4, L}, start[3] = {5, 0, 0}, count[3] = {5, 4, L};
    uint8_t codes[L];
    one_hot(XC_LAYOUT_N4L, values);
    const hid_t file = make_file("x.h5"), space = H5Screate_simple(3, shape, NULL),
                properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 3, chunk);
    H5Pset_deflate(properties, 1);
    const hid_t dataset_id = H5Dcreate2(file, "X_train", H5T_STD_I8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    assert_true(H5Dwrite(dataset_id, H5T_NATIVE_DOUBLE, space, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset_id);
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
    xc_dataset dataset;
    MUST(xc_dataset_read(fixture_path("x.h5"), NULL, 1, false, 1, &dataset, error));
    for (uint32_t n = 0; n < N; n++) {
        xc_dna_unpack(&dataset.split[0].dna, n, codes);
        for (size_t l = 0; l < L; l++) assert_int_equal(codes[l], n >= 5 && n < 10 ? code_at(n, l) : XC_BASE_N);
    }
    assert_null(dataset.split[0].labels);
    assert_int_equal(dataset.split[0].classes, 0);
    xc_dataset_free(&dataset);
}

/* A row of chunks above 64 MB that HDF5 must decompress: read in pieces, the same sequences. */
static void reads_huge_chunks(void **state) {
    (void)state;
    enum { ROWS = 4500, LENGTH = 500 };
    const hsize_t shape[3] = {ROWS, 4, LENGTH}, chunk[3] = {ROWS - 100, 4, LENGTH};
    double *values = test_calloc((size_t)ROWS * 4 * LENGTH, sizeof *values);
    uint8_t codes[LENGTH];
    for (size_t n = 0; n < ROWS; n++)
        for (size_t l = 0; l < LENGTH; l++) values[n * 4 * LENGTH + (n * 7 + l * l) % 4 * LENGTH + l] = 1;
    const hid_t file = make_file("huge.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 3, chunk);
    H5Pset_fletcher32(properties);
    put(file, "X_test", H5T_IEEE_F64LE, 3, shape, NULL, properties, values);
    H5Pclose(properties);
    H5Fclose(file);
    test_free(values);
    xc_dataset dataset;
    MUST(xc_dataset_read(fixture_path("huge.h5"), NULL, 1 << XC_TEST, false, 1, &dataset, error));
    for (size_t n = 0; n < ROWS; n++) {
        xc_dna_unpack(&dataset.split[XC_TEST].dna, (uint32_t)n, codes);
        for (size_t l = 0; l < LENGTH; l++) assert_int_equal(codes[l], (n * 7 + l * l) % 4);
    }
    xc_dataset_free(&dataset);
    unlink(fixture_path("huge.h5"));
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void finds_names(void **state) {
    (void)state;
    static const struct {
        const char *x, *y;
    } names[] = {{"X_train", "Y_train"},    {"x_train", "y_train"}, {"train_in", "train_out"}, {"X_valid", "Y_valid"},
                 {"valid_in", "valid_out"}, {"X_test", "Y_test"},   {"test_in", "test_out"}};
    static const xc_split_name splits[] = {XC_TRAIN, XC_TRAIN, XC_TRAIN, XC_VALID, XC_VALID, XC_TEST, XC_TEST};
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, y_shape[2] = {N, 3};
    one_hot(XC_LAYOUT_N4L, values);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const hid_t file = make_file("x.h5");
        put_plain(file, names[i].x, 3, shape, values);
        put_plain(file, names[i].y, 2, y_shape, values);
        if (i == 3) put_plain(file, "model_valid", 3, shape, values);
        H5Fclose(file);
        xc_dataset dataset;
        MUST(xc_dataset_read(fixture_path("x.h5"), NULL, 1u << splits[i], false, 1, &dataset, error));
        assert_string_equal(dataset.header[splits[i]].x_name, names[i].x);
        assert_string_equal(dataset.header[splits[i]].y_name, names[i].y);
        assert_int_equal(dataset.header[splits[i]].classes, 3);
        assert_int_equal(dataset.has_model, i == 3);
        for (size_t k = 0; k < 3 * N; k++) assert_true(dataset.split[splits[i]].labels[k] == (float)values[k]);
        for (int split = 0; split < 3; split++)
            assert_int_equal(dataset.header[split].present, split == (int)splits[i]);
        xc_dataset_free(&dataset);
    }
}

static void names_override(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, other[3] = {2, 4, L};
    const xc_data_names names = {.x = {[XC_TRAIN] = "group/mine"}, .y = {[XC_TRAIN] = "labels"}};
    const xc_data_names absent = {.x = {[XC_TRAIN] = "nothing"}};
    one_hot(XC_LAYOUT_N4L, values);
    const hid_t file = make_file("x.h5");
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_plain(file, "X_train", 3, other, values);
    put_plain(file, "group/mine", 3, shape, values);
    put_plain(file, "labels", 1, shape, values);
    H5Fclose(file);
    xc_dataset dataset;
    MUST(xc_dataset_read(fixture_path("x.h5"), &names, 1, false, 1, &dataset, error));
    expect_sequences(&dataset.split[XC_TRAIN]);
    xc_dataset_free(&dataset);
    MUST_FAIL(xc_dataset_read(fixture_path("x.h5"), &absent, 1, false, 1, &dataset, error), XC_INPUT,
              "no dataset \"nothing\"; the file holds X_train (2,4,37), group (a group), labels (23)");
    xc_dataset_free(&dataset);
}

/* A wanted split is read whatever the others are; the others count only when they are wanted too. */
static void asks_nothing_of_other_splits(void **state) {
    (void)state;
    static double values[CELLS];
    static const struct {
        hsize_t valid_shape[3];
        const char *y;
        hsize_t y_shape[2];
        const char *part; /* of the refusal when both are wanted */
    } cases[] = {
        {{N, 4, L - 1}, "Y_valid", {N, 3}, "X_train has sequences of 37 bases, but X_valid of 36"},
        {{N, 4, L}, "other", {N, 3}, "X_train has labels (Y_train), but there are none for X_valid"},
        {{N, 4, L}, "Y_valid", {N, 2}, "Y_train has 3 classes, but Y_valid has 2"},
        {{N, 4, L}, "Y_valid", {N - 1, 3}, "X_valid holds 23 sequences, but Y_valid labels for 22"},
        {{N, 5, L - 8}, "Y_valid", {N, 3}, "X_valid: has shape (23,5,29)"},
    };
    const hsize_t shape[3] = {N, 4, L}, y_shape[2] = {N, 3};
    one_hot(XC_LAYOUT_N4L, values);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const hid_t file = make_file("x.h5");
        put_plain(file, "X_train", 3, shape, values);
        put_plain(file, "Y_train", 2, y_shape, values);
        put_plain(file, "X_valid", 3, cases[i].valid_shape, values);
        put_plain(file, cases[i].y, 2, cases[i].y_shape, values);
        H5Fclose(file);
        xc_dataset dataset;
        const char *path = fixture_path("x.h5");
        MUST(xc_dataset_read(path, NULL, 1 << XC_TRAIN, false, 1, &dataset, error));
        expect_sequences(&dataset.split[XC_TRAIN]);
        xc_dataset_free(&dataset);
        const unsigned all = 0, both = 1 << XC_TRAIN | 1 << XC_VALID;
        MUST_FAIL(xc_dataset_read(path, NULL, both, false, 1, &dataset, error), XC_INPUT, cases[i].part);
        xc_dataset_free(&dataset);
        MUST_FAIL(xc_dataset_read(path, NULL, all, false, 1, &dataset, error), XC_INPUT, cases[i].part);
        xc_dataset_free(&dataset);
    }
}

/* An empty name of labels leaves them unread, spoilt ones too. */
static void labels_can_be_left_unread(void **state) {
    (void)state;
    static double values[CELLS];
    const hsize_t shape[3] = {N, 4, L}, y_shape[2] = {N - 1, 3};
    const xc_data_names names = {.y = {[XC_TEST] = ""}};
    one_hot(XC_LAYOUT_N4L, values);
    const hid_t file = make_file("x.h5");
    put_plain(file, "X_test", 3, shape, values);
    put_plain(file, "Y_test", 2, y_shape, values);
    H5Fclose(file);
    xc_dataset dataset;
    MUST(xc_dataset_read(fixture_path("x.h5"), &names, 1 << XC_TEST, false, 1, &dataset, error));
    expect_sequences(&dataset.split[XC_TEST]);
    assert_null(dataset.split[XC_TEST].labels);
    xc_dataset_free(&dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_layout_type_and_storage),
        cmocka_unit_test(reads_unwritten_chunks),
        cmocka_unit_test(reads_huge_chunks),
        cmocka_unit_test(finds_names),
        cmocka_unit_test(names_override),
        cmocka_unit_test(asks_nothing_of_other_splits),
        cmocka_unit_test(labels_can_be_left_unread),
    };
    return cmocka_run_group_tests_name("hdf5", tests, fixture_open, fixture_close);
}

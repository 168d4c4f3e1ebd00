/* test_hdf5_threads.c: reading HDF5 with one to four threads: the same bytes whatever the storage (HDF5 itself undoes
 * fletcher32, chunks.c the rest), chunks that are odd, and the same error whichever thread comes upon it first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <hdf5.h>
#include <libdeflate.h>
#include <math.h>
#include <signal.h>

#include "hdf5_fixture.h"

/* Four rows of chunks and more than one slab in every type, with a border on every axis. */
enum { ROWS = 1300, LENGTH = 101, CHUNK = 350, VALUES = ROWS * 4 * LENGTH, MOST_THREADS = 4 };

typedef double value_array[VALUES];

/* ---- data ------------------------------------------------------------------------------------------------------- */

static size_t place(xc_layout layout, size_t n, size_t b, size_t l) {
    return n * 4 * LENGTH + (layout == XC_LAYOUT_NL4 ? l * 4 + b : b * LENGTH + l);
}

/* A base for each position, and N where some sequences begin and end; others have none. */
static uint8_t base_at(size_t n, size_t l) {
    if (n % 7 == 3 && (l < n % 5 || l > LENGTH - n % 11)) return XC_BASE_N;
    return (n * 2654435761u + l * l * 40503u + n * l) >> 7 & 3;
}

static void fill(xc_layout layout, double *values) {
    memset(values, 0, sizeof(value_array));
    for (size_t n = 0; n < ROWS; n++)
        for (size_t l = 0; l < LENGTH; l++)
            if (base_at(n, l) != XC_BASE_N) values[place(layout, n, base_at(n, l), l)] = 1;
}

/* What must be read: packed here, one sequence after another. Rows `from` .. `to` - 1 have base `other` throughout. */
static xc_dna_view pack(size_t from, size_t to, uint8_t other) {
    xc_dna_view dna;
    xc_dna_builder builder;
    uint8_t codes[LENGTH];
    MUST(xc_dna_builder_open(&builder, ROWS, LENGTH, error));
    for (size_t n = 0; n < ROWS; n++) {
        for (size_t l = 0; l < LENGTH; l++) codes[l] = n >= from && n < to ? other : base_at(n, l);
        MUST(xc_dna_builder_append(&builder, codes, error));
    }
    xc_dna_builder_finish(&builder, &dna);
    return dna;
}

static void expect_same(const xc_dna_view *dna, const xc_dna_view *wanted) {
    assert_int_equal(dna->sequences, ROWS);
    assert_int_equal(dna->row_bytes, wanted->row_bytes);
    assert_memory_equal(dna->bases, wanted->bases, (size_t)ROWS * dna->row_bytes);
    assert_memory_equal(dna->run_start, wanted->run_start, (ROWS + 1) * sizeof *dna->run_start);
    assert_memory_equal(dna->runs, wanted->runs, dna->run_start[ROWS] * sizeof *dna->runs);
}

/* Reads x.h5 with every number of threads; frees `wanted`. */
static void expect_everywhere(xc_dna_view wanted, const char *what) {
    xc_split owner = {.dna = wanted};
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        xc_dataset dataset;
        xc_error error = {0};
        if (xc_dataset_read(fixture_path("x.h5"), NULL, 1, false, threads, &dataset, &error) != XC_OK)
            fail_msg("%s, %d threads: %s", what, threads, error.text);
        expect_same(&dataset.split[XC_TRAIN].dna, &wanted);
        xc_dataset_free(&dataset);
    }
    xc_split_free(&owner);
}

/* The error is this one, every time. */
static void expect_error(const char *part) {
    for (int round = 0; round < 2; round++)
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            xc_dataset dataset;
            MUST_FAIL(xc_dataset_read(fixture_path("x.h5"), NULL, 1, false, threads, &dataset, error), XC_INPUT, part);
            assert_null(dataset.split[XC_TRAIN].dna.bases);
            xc_dataset_free(&dataset);
        }
}

/* ---- every storage ---------------------------------------------------------------------------------------------- */

enum { CONTIGUOUS, CHUNKED, DEFLATED, SHUFFLED, BY_HDF5, SHUFFLED_DEFLATED, STORAGES };

static hid_t make_storage(int storage, int rank, const hsize_t *shape) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[4] = {CHUNK, 1, 1, 1};
    for (int axis = 1; axis < rank; axis++) {
        if (shape[axis] == 4) chunk[axis] = storage == CHUNKED ? 4 : storage == SHUFFLED_DEFLATED ? 3 : 1;
        if (shape[axis] == LENGTH) chunk[axis] = storage == CHUNKED ? LENGTH : storage == SHUFFLED_DEFLATED ? 50 : 17;
    }
    if (storage != CONTIGUOUS) H5Pset_chunk(properties, rank, chunk);
    if (storage == SHUFFLED || storage == SHUFFLED_DEFLATED) H5Pset_shuffle(properties);
    if (storage == DEFLATED || storage == SHUFFLED_DEFLATED) H5Pset_deflate(properties, 1);
    if (storage == BY_HDF5) H5Pset_fletcher32(properties);
    return properties;
}

static void any_number_of_threads_reads_the_same(void **state) {
    (void)state;
    static value_array values;
    const hid_t types[] = {H5T_STD_I8LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F32LE, H5T_STD_I16BE};
    static const hsize_t shapes[4][4] = {[XC_LAYOUT_N4L] = {ROWS, 4, LENGTH, 0},
                                         [XC_LAYOUT_N4L1] = {ROWS, 4, LENGTH, 1},
                                         [XC_LAYOUT_N41L] = {ROWS, 4, 1, LENGTH},
                                         [XC_LAYOUT_NL4] = {ROWS, LENGTH, 4, 0}};
    for (int layout = 0; layout < 4; layout++) {
        const int rank = shapes[layout][3] ? 4 : 3;
        fill(layout, values);
        for (int type = 0; type < (layout == XC_LAYOUT_N4L ? 5 : 2); type++)
            for (int storage = 0; storage < STORAGES; storage++) {
                char what[64];
                const hid_t file = make_file("x.h5"), properties = make_storage(storage, rank, shapes[layout]);
                put(file, "X_train", types[type], rank, shapes[layout], NULL, properties, values);
                H5Pclose(properties);
                H5Fclose(file);
                snprintf(what, sizeof what, "layout %d, type %d, storage %d", layout, type, storage);
                expect_everywhere(pack(0, 0, 0), what);
            }
    }
}

/* ---- chunk by chunk --------------------------------------------------------------------------------------------- */

static const hsize_t shape[3] = {ROWS, 4, LENGTH};

/* An X_train (n,4,L) of float32 in x.h5 whose chunks (350,`channels`,L) are written one by one. */
typedef struct chunked {
    hid_t file, dataset;
    size_t channels;
    float values[CHUNK * 4 * LENGTH];
    uint8_t bytes[CHUNK * 4 * LENGTH * sizeof(float)];
} chunked;

static void open_chunked(chunked *c, size_t channels, bool shuffle, bool deflate, float fill_value) {
    const hsize_t chunk[3] = {CHUNK, channels, LENGTH};
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, shape, NULL);
    H5Pset_chunk(properties, 3, chunk);
    if (shuffle) H5Pset_shuffle(properties);
    if (deflate) H5Pset_deflate(properties, 6);
    H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, &fill_value);
    c->channels = channels;
    c->file = make_file("x.h5");
    c->dataset = H5Dcreate2(c->file, "X_train", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    assert_true(c->dataset >= 0);
    H5Sclose(space);
    H5Pclose(properties);
}

static void close_chunked(chunked *c) {
    H5Dclose(c->dataset);
    H5Fclose(c->file);
}

/* The chunk's values; beyond the border they are `border`. */
static size_t chunk_values(chunked *c, const double *values, size_t row, size_t channel, float border) {
    for (size_t n = 0; n < CHUNK; n++)
        for (size_t b = 0; b < c->channels; b++)
            for (size_t l = 0; l < LENGTH; l++)
                c->values[(n * c->channels + b) * LENGTH + l] =
                    row + n < ROWS && channel + b < 4 ? (float)values[place(XC_LAYOUT_N4L, row + n, channel + b, l)]
                                                      : border;
    return CHUNK * c->channels * LENGTH * sizeof *c->values;
}

static void write_bytes(chunked *c, size_t row, size_t channel, uint32_t skipped, const void *bytes, size_t size) {
    const hsize_t offset[3] = {row, channel, 0};
    assert_true(H5Dwrite_chunk(c->dataset, H5P_DEFAULT, skipped, offset, size, bytes) >= 0);
}

/* Deflates c->values as they are; returns the size in c->bytes. */
static size_t deflate(chunked *c, const void *values, size_t size) {
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    const size_t packed = libdeflate_zlib_compress(compressor, values, size, c->bytes, sizeof c->bytes);
    libdeflate_free_compressor(compressor);
    assert_true(packed > 0);
    return packed;
}

static void write_chunks(chunked *c, const double *values, float border) {
    for (size_t row = 0; row < ROWS; row += CHUNK)
        for (size_t channel = 0; channel < 4; channel += c->channels) {
            const size_t size = chunk_values(c, values, row, channel, border);
            write_bytes(c, row, channel, 0, c->bytes, deflate(c, c->values, size));
        }
}

/* A writer may leave filters out for single chunks. */
static void filters_may_be_skipped(void **state) {
    (void)state;
    static value_array values;
    static chunked c;
    static uint8_t planes[sizeof c.bytes];
    fill(XC_LAYOUT_N4L, values);
    open_chunked(&c, 4, true, true, 0);
    for (size_t row = 0; row < ROWS; row += CHUNK) {
        const size_t size = chunk_values(&c, values, row, 0, 0), count = size / sizeof(float);
        for (size_t i = 0; i < size; i++)
            planes[i] = ((const uint8_t *)c.values)[i % count * sizeof(float) + i / count];
        const uint32_t skipped = (uint32_t)(row / CHUNK); /* bit 0 shuffle, bit 1 deflate */
        const void *bytes = skipped & 1 ? (const void *)c.values : planes;
        const size_t stored = skipped & 2 ? size : deflate(&c, bytes, size);
        write_bytes(&c, row, 0, skipped, skipped & 2 ? bytes : c.bytes, stored);
    }
    close_chunked(&c);
    expect_everywhere(pack(0, 0, 0), "filters skipped");
}

/* Chunks that were never written hold the fill value. */
static void unwritten_chunks_hold_the_fill_value(void **state) {
    (void)state;
    static value_array values;
    static chunked c;
    const float fills[] = {0, 1, 0.25f};
    fill(XC_LAYOUT_N4L, values);
    for (int i = 0; i < 3; i++) {
        open_chunked(&c, 1, true, true, fills[i]);
        H5Dclose(c.dataset);
        c.dataset = H5Dopen2(c.file, "X_train", H5P_DEFAULT);
        const hid_t space = H5Screate_simple(3, shape, NULL);
        const hsize_t block[3] = {CHUNK, 4, LENGTH}, some[3] = {CHUNK, 3, LENGTH},
                      rest[3] = {ROWS - 2 * CHUNK, 4, LENGTH};
        const hsize_t begin[3] = {0, 0, 0}, middle[3] = {CHUNK, 0, 0}, end[3] = {2 * CHUNK, 0, 0};
        for (size_t n = CHUNK; n < 2 * CHUNK; n++) memset(values + n * 4 * LENGTH, 0, 4 * LENGTH * sizeof *values);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, begin, NULL, block, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_OR, middle, NULL, some, NULL);
        H5Sselect_hyperslab(space, H5S_SELECT_OR, end, NULL, rest, NULL);
        assert_true(H5Dwrite(c.dataset, H5T_NATIVE_DOUBLE, space, space, H5P_DEFAULT, values) >= 0);
        H5Sclose(space);
        close_chunked(&c);
        if (i < 2)
            expect_everywhere(pack(CHUNK, 2 * CHUNK, i ? 3 : XC_BASE_N), "unwritten chunks");
        else
            expect_error("x.h5: X_train: sequence 350, position 0 is not one-hot (0 0 0 0.25)");
    }
}

/* What chunks hold beyond the dataset's border is nobody's. */
static void borders_may_hold_anything(void **state) {
    (void)state;
    static value_array values;
    static chunked c;
    fill(XC_LAYOUT_N4L, values);
    for (size_t channels = 3; channels <= 4; channels++)
        for (int border = 0; border < 2; border++) {
            open_chunked(&c, channels, false, true, 0);
            write_chunks(&c, values, border ? NAN : 1);
            close_chunked(&c);
            expect_everywhere(pack(0, 0, 0), "borders");
        }
    open_chunked(&c, 3, false, true, 0);
    values[place(XC_LAYOUT_N4L, 1299, 3, 100)] = 2;
    write_chunks(&c, values, NAN);
    close_chunked(&c);
    expect_error("sequence 1299, position 100 is not one-hot");
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

static void spoil(double *values, size_t n, size_t l) { values[place(XC_LAYOUT_N4L, n, 1, l)] = 0.5; }

/* Faults in every row of chunks and in many chunks of each: the first in the order of sequences is named. */
static void the_first_of_many_faults_is_named(void **state) {
    (void)state;
    static value_array values;
    static const size_t first[][2] = {{1234, 56}, {1040, 0}, {360, 77}, {0, 100}};
    fill(XC_LAYOUT_N4L, values);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        spoil(values, first[i][0], first[i][1]);
        for (size_t n = first[i][0] + 1; n < ROWS; n += 13) spoil(values, n, n % LENGTH);
        for (int storage = 0; storage < STORAGES; storage += 2) {
            char part[80];
            const hid_t file = make_file("x.h5"), properties = make_storage(storage, 3, shape);
            put(file, "X_train", H5T_IEEE_F32LE, 3, shape, NULL, properties, values);
            H5Pclose(properties);
            H5Fclose(file);
            snprintf(part, sizeof part, "x.h5: X_train: sequence %zu, position %zu is not one-hot", first[i][0],
                     first[i][1]);
            expect_error(part);
        }
    }
}

/* Damage and faults in different slabs: what is wrong with the first of them is said. */
static void the_first_damaged_chunk_is_named(void **state) {
    (void)state;
    static value_array values;
    static chunked c;
    static const struct {
        size_t damaged, again, fault;
        const char *part;
    } cases[] = {
        {700, 1050, 699, "x.h5: X_train: sequence 699, position 5 is not one-hot"},
        {350, 1050, 701, "x.h5: X_train: cannot read sequences 350 to 699: the compressed data is damaged"},
        {0, 350, 1, "x.h5: X_train: cannot read sequences 0 to 349: the compressed data is damaged"},
        {1050, 1050, 1040, "x.h5: X_train: sequence 1040, position 5 is not one-hot"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int how = 0; how < 3; how++) {
            fill(XC_LAYOUT_N4L, values);
            spoil(values, cases[i].fault, 5);
            open_chunked(&c, 2, false, true, 0);
            write_chunks(&c, values, 0);
            for (int k = 0; k < 2; k++) {
                const size_t row = k ? cases[i].again : cases[i].damaged;
                size_t size = deflate(&c, c.values, chunk_values(&c, values, row, 2, 0));
                if (how == 0) size /= 2;                                                    /* cut short */
                if (how == 1) c.bytes[size / 2] ^= 0x55;                                    /* a byte changed */
                if (how == 2) size = deflate(&c, c.values, CHUNK * LENGTH * sizeof(float)); /* half the values */
                write_bytes(&c, row, 2, 0, c.bytes, size);
            }
            close_chunked(&c);
            expect_error(cases[i].part);
        }
}

/* Stored sizes that cannot be. */
static void chunks_of_wrong_size_are_refused(void **state) {
    (void)state;
    static value_array values;
    static chunked c;
    fill(XC_LAYOUT_N4L, values);
    for (int i = 0; i < 2; i++) {
        open_chunked(&c, 1, false, true, 0);
        write_chunks(&c, values, 0);
        const size_t size = chunk_values(&c, values, CHUNK, 0, 0);
        write_bytes(&c, CHUNK, 0, 1, c.values, i ? 3 * size : size - 4);
        close_chunked(&c);
        expect_error(i ? "cannot read sequences 350 to 699: a chunk of 141400 bytes is stored as 424200"
                       : "cannot read sequences 350 to 699: a chunk has 141396 bytes instead of 141400");
    }
}

static void an_interruption_ends_it(void **state) {
    (void)state;
    static value_array values;
    fill(XC_LAYOUT_N4L, values);
    const hid_t file = make_file("x.h5");
    put_plain(file, "X_train", 3, shape, values);
    H5Fclose(file);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        xc_dataset dataset;
        xc_interrupt_install();
        raise(SIGTERM);
        MUST_FAIL(xc_dataset_read(fixture_path("x.h5"), NULL, 1, false, threads, &dataset, error), XC_INTERRUPTED,
                  "interrupted while reading ");
        assert_null(dataset.split[XC_TRAIN].dna.bases);
        xc_dataset_free(&dataset);
    }
    xc_interrupt_install();
    expect_everywhere(pack(0, 0, 0), "not interrupted");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_reads_the_same), cmocka_unit_test(filters_may_be_skipped),
        cmocka_unit_test(unwritten_chunks_hold_the_fill_value), cmocka_unit_test(borders_may_hold_anything),
        cmocka_unit_test(the_first_of_many_faults_is_named),    cmocka_unit_test(the_first_damaged_chunk_is_named),
        cmocka_unit_test(chunks_of_wrong_size_are_refused),     cmocka_unit_test(an_interruption_ends_it),
    };
    return cmocka_run_group_tests_name("hdf5_threads", tests, fixture_open, fixture_close);
}

/* hdf5_fixture.h: small HDF5 files of known sequences for the tests of the data room. Included once, after cmocka.
 */
#ifndef EXPCONV_HDF5_FIXTURE_H
#define EXPCONV_HDF5_FIXTURE_H

#include <hdf5.h>

#include "data_fixture.h"

enum { N = 23, L = 37, CELLS = N * 4 * L };

static inline hid_t make_file(const char *name) {
    return H5Fcreate(fixture_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* Writes doubles as a dataset of any type; booleans through their integers. */
static inline void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *shape, const hsize_t *most,
                       hid_t properties, const double *values) {
    size_t cells = 1;
    for (int axis = 0; axis < rank; axis++) cells *= shape[axis];
    const hid_t space = H5Screate_simple(rank, shape, most);
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (H5Tget_class(type) == H5T_ENUM) {
        int8_t *small = test_malloc(cells + 1);
        for (size_t i = 0; i < cells; i++) small[i] = (int8_t)values[i];
        assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, small) >= 0);
        test_free(small);
    } else if (cells) {
        assert_true(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    }
    H5Dclose(dataset);
    H5Sclose(space);
}

static inline void put_plain(hid_t file, const char *name, int rank, const hsize_t *shape, const double *values) {
    put(file, name, H5T_IEEE_F32LE, rank, shape, NULL, H5P_DEFAULT, values);
}

/* A base or N for each position, always the same. */
static inline uint8_t code_at(size_t n, size_t l) {
    const xc_philox_words words = xc_random(11, XC_STREAM_SIMULATE, 5, n * L + l);
    return words.word[1] % 16 == 0 ? XC_BASE_N : words.word[0] % 4;
}

/* Where column (n,l) of a layout has base b. */
static inline size_t cell_at(xc_layout layout, size_t n, size_t b, size_t l) {
    return n * 4 * L + (layout == XC_LAYOUT_NL4 ? l * 4 + b : b * L + l);
}

static inline void one_hot(xc_layout layout, double *values) {
    memset(values, 0, CELLS * sizeof *values);
    for (size_t n = 0; n < N; n++)
        for (size_t l = 0; l < L; l++)
            if (code_at(n, l) != XC_BASE_N) values[cell_at(layout, n, code_at(n, l), l)] = 1;
}

static inline int layout_shape(xc_layout layout, hsize_t n, hsize_t *shape) {
    static const hsize_t shapes[][4] = {[XC_LAYOUT_N4L] = {0, 4, L, 0},
                                        [XC_LAYOUT_N4L1] = {0, 4, L, 1},
                                        [XC_LAYOUT_N41L] = {0, 4, 1, L},
                                        [XC_LAYOUT_NL4] = {0, L, 4, 0}};
    memcpy(shape, shapes[layout], sizeof shapes[layout]);
    shape[0] = n;
    return shape[3] ? 4 : 3;
}

#endif

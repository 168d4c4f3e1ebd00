/* golden_fixture.h: what the tests against golden files share: the function behind weights and sequences
 * (tests/golden/make_golden.py), the reading of a file, and the config of a zoo model as users have it. Included once,
 * after cmocka and hdf5.
 */
#ifndef EXPCONV_GOLDEN_FIXTURE_H
#define EXPCONV_GOLDEN_FIXTURE_H

#include <math.h>
#include <unistd.h>

#include "model_fixture.h"

/* ---- the function behind the data -------------------------------------------------------------------------------- */

static inline uint64_t mixed(uint64_t tag, uint64_t i) {
    uint64_t x = (tag << 40) + i + 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static inline double uniform(uint64_t tag, uint64_t i) { return (double)(mixed(tag, i) >> 40) / 16777216.0; }

static inline const char *role_of(const char *name) { return strrchr(name, '.') + 1; }

/* Tensor number `number` of the model; beta_shift is for the first block's beta alone. */
static inline void fill_tensor(const xc_tensor *tensor, uint64_t number, double beta_shift, float *values) {
    const double shift = strcmp(tensor->name, "block0.beta") == 0 ? beta_shift : 0;
    const double field = tensor->rank == 3 ? tensor->shape[0] : 1;
    for (size_t i = 0; i < tensor->count; i++) {
        const double centred = 2 * uniform(number, i) - 1;
        if (tensor->is_kernel)
            values[i] =
                (float)(centred *
                        sqrt(6 / (field * tensor->shape[tensor->rank - 2] + field * tensor->shape[tensor->rank - 1])));
        else if (strcmp(role_of(tensor->name), "gamma") == 0)
            values[i] = (float)(1 + 0.2 * centred);
        else
            values[i] = (float)(0.1 * centred + (i % 2 == 0 ? shift : -shift));
    }
}

/* ---- the golden file --------------------------------------------------------------------------------------------- */

/* All of a dataset as doubles, to be freed by test_free; its number of elements in *count. */
static inline double *read_doubles(hid_t file, const char *name, size_t *count) {
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0) fail_msg("no dataset %s in the golden file", name);
    const hid_t space = H5Dget_space(dataset);
    *count = (size_t)H5Sget_simple_extent_npoints(space);
    double *values = test_malloc(*count * sizeof *values);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

static inline double read_number(hid_t file, const char *attribute) {
    double value;
    const hid_t id = H5Aopen(file, attribute, H5P_DEFAULT);
    if (id < 0 || H5Aread(id, H5T_NATIVE_DOUBLE, &value) < 0) fail_msg("no attribute %s in the golden file", attribute);
    H5Aclose(id);
    return value;
}

static inline void read_word(hid_t file, const char *attribute, char *word, size_t size) {
    char *text = NULL;
    const hid_t id = H5Aopen(file, attribute, H5P_DEFAULT);
    const hid_t type = H5Aget_type(id);
    assert_true(id >= 0 && H5Aread(id, type, &text) >= 0);
    snprintf(word, size, "%s", text);
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(id);
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

/* The zoo's model with the golden file's activation, read as a user's config is. */
static inline xc_config *read_config(const char *name, const char *activation) {
    char path[] = "/tmp/expconv-golden-XXXXXX.yaml";
    const int descriptor = mkstemps(path, 5);
    assert_true(descriptor >= 0);
    FILE *stream = fdopen(descriptor, "w");
    fprintf(stream, "data: {file: none.h5}\nmodel: {zoo: %s, activation: %s}\n", name, activation);
    fclose(stream);
    xc_config *config;
    MUST(xc_config_read(path, NULL, 0, &config, error));
    unlink(path);
    for (uint32_t i = 0; i < config->model.blocks_count; i++) config->model.blocks[i].dropout = 0;
    return config;
}

#endif

/* attribution_read.c: reads back what attribution_file.c writes, of one class: a row at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "h5.h"

struct xc_maps {
    xc_h5 h5;
    hid_t sequences, contributions;
    size_t count, length;
    uint32_t *index;  /* (count) index words */
    uint8_t *one_hot; /* (4,L) */
};

static xc_status open_set(xc_maps *maps, const char *name, int rank, hid_t *set, hsize_t *shape, xc_error *error) {
    int found;
    if (!xc_h5_has(&maps->h5, name))
        return xc_fail(error, XC_INPUT, "%s: has no %s; it is not the maps of one class by expconv attribute",
                       maps->h5.path, name);
    const xc_status status = xc_h5_dataset_open(&maps->h5, name, H5P_DEFAULT, set, &found, shape, 3, error);
    if (status != XC_OK || found == rank) return status;
    return xc_fail(error, XC_INPUT, "%s: %s: has %d axes, not %d", maps->h5.path, name, found, rank);
}

static xc_status read_all(xc_maps *maps, const char *name, hid_t type, void *values, xc_error *error) {
    hsize_t shape[3] = {0};
    hid_t set = H5I_INVALID_HID;
    xc_status status;
    XC_TRY(open_set(maps, name, 1, &set, shape, error));
    if (shape[0] != maps->count || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = xc_fail(error, XC_INPUT, "%s: %s cannot be read", maps->h5.path, name);
fail:
    if (set >= 0) H5Dclose(set);
    return status;
}

static xc_status read_index(xc_maps *maps, xc_error *error) {
    xc_status status;
    uint8_t *reverse = NULL;
    XC_TRY(xc_allocate(&reverse, maps->count, 1, "maps", error));
    XC_TRY(xc_allocate(&maps->index, maps->count, sizeof *maps->index, "maps", error));
    XC_TRY(read_all(maps, "index", H5T_NATIVE_UINT32, maps->index, error));
    XC_TRY(read_all(maps, "reverse_complement", H5T_NATIVE_UINT8, reverse, error));
    for (size_t i = 0; i < maps->count; i++)
        if (reverse[i]) maps->index[i] |= XC_REVERSE_COMPLEMENT;
fail:
    free(reverse);
    return status;
}

xc_status xc_maps_open(const char *path, xc_maps **out, xc_error *error) {
    xc_status status;
    xc_maps *maps = NULL;
    hsize_t shape[3] = {0}, same[3] = {0};
    *out = NULL;
    XC_TRY(xc_allocate(&maps, 1, sizeof *maps, "maps", error));
    maps->h5.file = maps->sequences = maps->contributions = H5I_INVALID_HID;
    XC_TRY(xc_h5_open(&maps->h5, path, error));
    XC_TRY(open_set(maps, "sequences", 3, &maps->sequences, shape, error));
    XC_TRY(open_set(maps, "contributions", 3, &maps->contributions, same, error));
    if (shape[1] != 4 || shape[2] == 0 || memcmp(shape, same, sizeof shape) != 0) {
        status = xc_fail(error, XC_INPUT, "%s: sequences and contributions are not both (n,4,L)", path);
        goto fail;
    }
    maps->count = shape[0];
    maps->length = shape[2];
    XC_TRY(read_index(maps, error));
    XC_TRY(xc_allocate(&maps->one_hot, 4 * maps->length, 1, "maps", error));
    *out = maps;
    return XC_OK;
fail:
    xc_maps_close(maps);
    return status;
}

void xc_maps_close(xc_maps *maps) {
    if (maps == NULL) return;
    if (maps->sequences >= 0) H5Dclose(maps->sequences);
    if (maps->contributions >= 0) H5Dclose(maps->contributions);
    if (maps->h5.path) xc_h5_close(&maps->h5);
    free(maps->index);
    free(maps->one_hot);
    free(maps);
}

size_t xc_maps_count(const xc_maps *maps) { return maps->count; }
uint32_t xc_maps_length(const xc_maps *maps) { return (uint32_t)maps->length; }
uint32_t xc_maps_index(const xc_maps *maps, size_t row) { return maps->index[row]; }

static bool read_row(const xc_maps *maps, hid_t set, hid_t type, size_t row, void *values) {
    const hsize_t start[3] = {row, 0, 0}, count[3] = {1, 4, maps->length};
    const hid_t file_space = H5Dget_space(set), memory_space = H5Screate_simple(3, count, NULL);
    H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    const bool good = H5Dread(set, type, memory_space, file_space, H5P_DEFAULT, values) >= 0;
    H5Sclose(memory_space);
    H5Sclose(file_space);
    return good;
}

xc_status xc_maps_read(xc_maps *maps, size_t row, uint8_t *codes, float *contributions, xc_error *error) {
    char reason[256];
    if (!read_row(maps, maps->sequences, H5T_NATIVE_UINT8, row, maps->one_hot) ||
        !read_row(maps, maps->contributions, H5T_NATIVE_FLOAT, row, contributions))
        return xc_fail(error, XC_INPUT, "%s: row %zu cannot be read: HDF5 says \"%s\"", maps->h5.path, row,
                       xc_h5_reason(reason, sizeof reason));
    for (size_t l = 0; l < maps->length; l++) {
        codes[l] = XC_BASE_N;
        for (uint8_t b = 0; b < 4; b++)
            if (maps->one_hot[b * maps->length + l]) codes[l] = b;
    }
    return XC_OK;
}

void xc_maps_word(const xc_maps *maps, const char *attribute, char *word, size_t size) {
    *word = 0;
    if (H5Aexists(maps->h5.file, attribute) <= 0) return;
    const hid_t found = H5Aopen(maps->h5.file, attribute, H5P_DEFAULT), type = H5Aget_type(found);
    char text[1024] = "";
    if (H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) && H5Tget_size(type) < sizeof text)
        (void)H5Aread(found, type, text);
    snprintf(word, size, "%s", text);
    H5Tclose(type);
    H5Aclose(found);
}

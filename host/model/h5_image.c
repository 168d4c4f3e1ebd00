/* h5_image.c: see h5_image.h. Bytes depend on the content alone: no times are kept, the file version is the oldest, and
 * HDF5 clears what it does not fill.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5_image.h"

#define MAX_RANK 4
#define SHAPE_TEXT 96

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static H5E_auto2_t old_report; /* under the lock */
static void *old_report_data;

void xc_image_begin(void) {
    pthread_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &old_report, &old_report_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void xc_image_end(void) {
    H5Eset_auto2(H5E_DEFAULT, old_report, old_report_data);
    pthread_mutex_unlock(&lock);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Building an image only ever fails for want of memory. */
static xc_status no_image(const char *path, xc_error *error) {
    return xc_fail(error, XC_MEMORY, "%s: cannot build its content in memory; free some memory", path);
}

xc_status xc_image_create(xc_image *h5, const char *path, xc_error *error) {
    *h5 = (xc_image){.file = H5I_INVALID_HID, .path = path};
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0 && H5Pset_fapl_core(access, 1 << 20, 0) >= 0)
        h5->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (access >= 0) H5Pclose(access);
    return h5->file < 0 ? no_image(path, error) : XC_OK;
}

xc_status xc_image_take(xc_image *h5, void **image, size_t *size, xc_error *error) {
    xc_status status;
    *image = NULL;
    const ssize_t bytes = H5Fflush(h5->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(h5->file, NULL, 0);
    if (bytes < 0) return no_image(h5->path, error);
    XC_TRY(xc_allocate(image, (size_t)bytes, 1, h5->path, error));
    if (H5Fget_file_image(h5->file, *image, (size_t)bytes) != bytes) {
        free(*image);
        *image = NULL;
        return no_image(h5->path, error);
    }
    *size = (size_t)bytes;
fail:
    return status;
}

xc_status xc_image_store(const char *path, const void *image, size_t size, xc_error *error) {
    xc_status status;
    xc_file file = {0};
    XC_TRY(xc_file_create(&file, path, true, error));
    if (fwrite(image, 1, size, file.stream) != size) {
        status = xc_fail(error, XC_IO, "%s: cannot write: %s; the file is as it was before", path, strerror(errno));
        goto fail;
    }
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    return status;
}

xc_status xc_image_put_group(xc_image *h5, const char *name, xc_error *error) {
    const hid_t group = H5Gcreate2(h5->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return no_image(h5->path, error);
    H5Gclose(group);
    return XC_OK;
}

/* What a value of the memory type is in the file: the same, little-endian. */
static hid_t stored_type(hid_t type) {
    if (H5Tequal(type, H5T_NATIVE_FLOAT) > 0) return H5T_IEEE_F32LE;
    if (H5Tequal(type, H5T_NATIVE_UINT64) > 0) return H5T_STD_U64LE;
    return H5T_STD_U8LE;
}

xc_status xc_image_put(xc_image *h5, const char *name, hid_t type, int rank, const hsize_t *shape, const void *values,
                       xc_error *error) {
    const hid_t space = H5Screate_simple(rank, shape, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    if (space >= 0 && how >= 0 && H5Pset_obj_track_times(how, false) >= 0)
        dataset = H5Dcreate2(h5->file, name, stored_type(type), space, H5P_DEFAULT, how, H5P_DEFAULT);
    const bool good = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (dataset >= 0) H5Dclose(dataset);
    if (how >= 0) H5Pclose(how);
    if (space >= 0) H5Sclose(space);
    return good ? XC_OK : no_image(h5->path, error);
}

/* A scalar attribute of the root. */
static xc_status put_attribute(xc_image *h5, const char *name, hid_t stored, hid_t type, const void *value,
                               xc_error *error) {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute =
        space < 0 ? H5I_INVALID_HID : H5Acreate2(h5->file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool good = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0) H5Aclose(attribute);
    if (space >= 0) H5Sclose(space);
    return good ? XC_OK : no_image(h5->path, error);
}

xc_status xc_image_put_text(xc_image *h5, const char *attribute, const char *text, xc_error *error) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, strlen(text) + 1) < 0) return no_image(h5->path, error);
    const xc_status status = put_attribute(h5, attribute, type, type, text, error);
    H5Tclose(type);
    return status;
}

xc_status xc_image_put_number(xc_image *h5, const char *attribute, uint64_t number, xc_error *error) {
    return put_attribute(h5, attribute, H5T_STD_U64LE, H5T_NATIVE_UINT64, &number, error);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

xc_status xc_image_open(xc_image *h5, const char *path, xc_error *error) {
    *h5 = (xc_image){.file = H5I_INVALID_HID, .path = path};
    if (access(path, R_OK) != 0) return xc_fail(error, XC_INPUT, "%s: cannot read: %s", path, strerror(errno));
    if (H5Fis_hdf5(path) <= 0) return xc_fail(error, XC_INPUT, "%s: is not an HDF5 file", path);
    h5->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (h5->file < 0)
        return xc_fail(error, XC_INPUT,
                       "%s: HDF5 cannot open it; it is truncated or damaged, take it from where it "
                       "was made",
                       path);
    return XC_OK;
}

void xc_image_close(xc_image *h5) {
    if (h5->path != NULL && h5->file >= 0) H5Fclose(h5->file);
    h5->file = H5I_INVALID_HID;
}

/* "(19,4,32)" */
static void shape_text(int rank, const hsize_t *shape, char *text) {
    size_t used = 0;
    text[used++] = '(';
    for (int i = 0; i < rank && used < SHAPE_TEXT - 24; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%" PRIu64, i > 0 ? "," : "", (uint64_t)shape[i]);
    snprintf(text + used, SHAPE_TEXT - used, ")");
}

/* Opens a dataset and reads its shape; H5I_INVALID_HID when there is none of at most MAX_RANK dimensions. */
static hid_t open_dataset(const xc_image *h5, const char *name, int *rank, hsize_t shape[MAX_RANK]) {
    const hid_t dataset = H5Dopen2(h5->file, name, H5P_DEFAULT);
    if (dataset < 0) return dataset;
    const hid_t space = H5Dget_space(dataset);
    *rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    const bool good = *rank >= 0 && *rank <= MAX_RANK && H5Sget_simple_extent_dims(space, shape, NULL) >= 0;
    if (space >= 0) H5Sclose(space);
    if (good) return dataset;
    H5Dclose(dataset);
    return H5I_INVALID_HID;
}

static bool same_shape(int rank, const hsize_t *a, int other_rank, const hsize_t *b) {
    for (int i = 0; rank == other_rank && i < rank; i++)
        if (a[i] != b[i]) return false;
    return rank == other_rank;
}

xc_status xc_image_get(const xc_image *h5, const char *name, hid_t type, int rank, const hsize_t *shape, void *values,
                       xc_error *error) {
    int found_rank = 0;
    hsize_t found[MAX_RANK];
    char want[SHAPE_TEXT], have[SHAPE_TEXT];
    shape_text(rank, shape, want);
    const hid_t dataset = open_dataset(h5, name, &found_rank, found);
    if (dataset < 0)
        return xc_fail(error, XC_INPUT, "%s: has no tensor %s, which this model has as %s; give the file of this model",
                       h5->path, name, want);
    xc_status status = XC_OK;
    if (!same_shape(rank, shape, found_rank, found)) {
        shape_text(found_rank, found, have);
        status = xc_fail(error, XC_INPUT, "%s: tensor %s is %s but this model's is %s; give the file of this model",
                         h5->path, name, have, want);
    } else if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        status = xc_fail(error, XC_INPUT, "%s: tensor %s cannot be read; the file is damaged", h5->path, name);
    }
    H5Dclose(dataset);
    return status;
}

static xc_status no_attribute(const xc_image *h5, const char *attribute, xc_error *error) {
    return xc_fail(error, XC_INPUT, "%s: has no attribute %s; it was not written by expconv", h5->path, attribute);
}

xc_status xc_image_get_text(const xc_image *h5, const char *attribute, char *text, size_t size, xc_error *error) {
    const hid_t id = H5Aopen(h5->file, attribute, H5P_DEFAULT);
    if (id < 0) return no_attribute(h5, attribute, error);
    char whole[256] = "";
    const hid_t type = H5Aget_type(id);
    const bool good = type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                      H5Tget_size(type) < sizeof whole && H5Aread(id, type, whole) >= 0;
    if (type >= 0) H5Tclose(type);
    H5Aclose(id);
    if (!good) return no_attribute(h5, attribute, error);
    snprintf(text, size, "%s", whole);
    return XC_OK;
}

xc_status xc_image_get_number(const xc_image *h5, const char *attribute, uint64_t *number, xc_error *error) {
    const hid_t id = H5Aopen(h5->file, attribute, H5P_DEFAULT);
    if (id < 0) return no_attribute(h5, attribute, error);
    const hid_t space = H5Aget_space(id);
    const bool good =
        space >= 0 && H5Sget_simple_extent_npoints(space) == 1 && H5Aread(id, H5T_NATIVE_UINT64, number) >= 0;
    if (space >= 0) H5Sclose(space);
    H5Aclose(id);
    return good ? XC_OK : no_attribute(h5, attribute, error);
}

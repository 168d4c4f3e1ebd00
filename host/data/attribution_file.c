/* attribution_file.c: attribution maps as HDF5. HDF5 lays the file out, contiguous and at its full size, and is closed
 * before the first value: values are written where it says they belong. So nothing depends on their number, a disk that
 * fills up is found at once, and HDF5, which does not survive that, is not there to see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5.h"

/* What HDF5 may want besides the values: headers, names, attributes. */
#define HEADERS_ROOM (1 << 20)

enum { SEQUENCES, INDEX, REVERSE, SHARED };              /* datasets of the file */
enum { HYPOTHETICAL, CONTRIBUTIONS, OUTPUT, GAP, EACH }; /* and of each class */

struct xc_attribution_file {
    xc_file file;
    hid_t h5; /* while it is laid out */
    size_t count, length;
    int32_t classes;
    off_t *place; /* (SHARED + classes EACH) where each dataset's values begin */
};

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static xc_status unwritten(const xc_attribution_file *f, const char *what, xc_error *error) {
    char reason[256];
    return xc_fail(error, XC_IO, "%s: %s cannot be written: HDF5 says \"%s\"", f->file.path, what,
                   xc_h5_reason(reason, sizeof reason));
}

/* A dataset (count) or (count,4,length) whose place is known at once. */
static xc_status lay_out(xc_attribution_file *f, hid_t group, const char *name, hid_t type, bool map, off_t *place,
                         xc_error *error) {
    const hsize_t shape[3] = {f->count, 4, f->length};
    const hid_t space = H5Screate_simple(map ? 3 : 1, shape, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    const hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    const haddr_t at = dataset >= 0 ? H5Dget_offset(dataset) : HADDR_UNDEF;
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(properties);
    H5Sclose(space);
    *place = (off_t)at;
    return at != HADDR_UNDEF ? XC_OK : unwritten(f, name, error);
}

static xc_status lay_out_class(xc_attribution_file *f, hid_t group, int32_t number, xc_error *error) {
    xc_status status;
    off_t *place = f->place + SHARED + EACH * (size_t)number;
    XC_TRY(lay_out(f, group, "hypothetical", H5T_IEEE_F32LE, true, place + HYPOTHETICAL, error));
    XC_TRY(lay_out(f, group, "contributions", H5T_IEEE_F32LE, true, place + CONTRIBUTIONS, error));
    XC_TRY(lay_out(f, group, "output", H5T_IEEE_F32LE, false, place + OUTPUT, error));
    XC_TRY(lay_out(f, group, "gap", H5T_IEEE_F32LE, false, place + GAP, error));
fail:
    return status;
}

/* One class stands at the top, several in a group each. */
static xc_status lay_out_classes(xc_attribution_file *f, const int32_t *classes, xc_error *error) {
    xc_status status = XC_OK;
    if (f->classes == 1) return lay_out_class(f, f->h5, 0, error);
    for (int32_t i = 0; i < f->classes && status == XC_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "class%d", classes[i]);
        const hid_t group = H5Gcreate2(f->h5, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (group < 0) return unwritten(f, name, error);
        status = lay_out_class(f, group, i, error);
        H5Gclose(group);
    }
    return status;
}

static xc_status write_attribute(const xc_attribution_file *f, const xc_file_attribute *attribute, xc_error *error) {
    const hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(attribute->text ? H5T_C_S1 : H5T_IEEE_F64LE);
    if (attribute->text) H5Tset_size(type, strlen(attribute->text) + 1);
    const hid_t written = H5Acreate2(f->h5, attribute->name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const void *value = attribute->text ? (const void *)attribute->text : &attribute->number;
    const bool good = written >= 0 && H5Awrite(written, attribute->text ? type : H5T_NATIVE_DOUBLE, value) >= 0;
    if (written >= 0) H5Aclose(written);
    H5Tclose(type);
    H5Sclose(space);
    return good ? XC_OK : unwritten(f, attribute->name, error);
}

static xc_status lay_out_file(xc_attribution_file *f, const int32_t *classes, const xc_file_attribute *attributes,
                              size_t attribute_count, xc_error *error) {
    xc_status status = XC_OK;
    const hid_t properties = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(properties, false);
    f->h5 = H5Fcreate(f->file.temporary, H5F_ACC_TRUNC, properties, H5P_DEFAULT);
    H5Pclose(properties);
    if (f->h5 < 0) return unwritten(f, "the file", error);
    XC_TRY(lay_out(f, f->h5, "sequences", H5T_STD_U8LE, true, f->place + SEQUENCES, error));
    XC_TRY(lay_out(f, f->h5, "index", H5T_STD_U32LE, false, f->place + INDEX, error));
    XC_TRY(lay_out(f, f->h5, "reverse_complement", H5T_STD_U8LE, false, f->place + REVERSE, error));
    XC_TRY(lay_out_classes(f, classes, error));
    for (size_t i = 0; i < attribute_count; i++) XC_TRY(write_attribute(f, &attributes[i], error));
fail:
    if (H5Fclose(f->h5) < 0 && status == XC_OK) status = unwritten(f, "the file", error);
    f->h5 = H5I_INVALID_HID;
    return status;
}

/* ---- disk space -------------------------------------------------------------------------------------------------- */

/* Takes the disk's blocks for the whole file, on a file system that can. */
static xc_status reserve(const xc_attribution_file *f, int descriptor, off_t bytes, xc_error *error) {
    const int reason = posix_fallocate(descriptor, 0, bytes);
    if (reason == 0 || reason == EOPNOTSUPP || reason == EINVAL) return XC_OK;
    return xc_fail(error, XC_IO, "%s: cannot write %.1f MB: %s", f->file.path, (double)bytes / 1e6, strerror(reason));
}

static off_t all_bytes(const xc_attribution_file *f) {
    const off_t map = 4 * (off_t)f->length, each = 2 * map * (off_t)sizeof(float) + 2 * (off_t)sizeof(float);
    return (off_t)f->count * (map + 5 + each * f->classes) + HEADERS_ROOM;
}

/* Whether there is room, before HDF5 writes its few bytes. */
static xc_status check_room(const xc_attribution_file *f, xc_error *error) {
    const int descriptor = open(f->file.temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor < 0) return xc_fail(error, XC_IO, "%s: cannot write: %s", f->file.path, strerror(errno));
    const xc_status status = reserve(f, descriptor, all_bytes(f), error);
    close(descriptor);
    return status;
}

static xc_status open_values(xc_attribution_file *f, xc_error *error) {
    f->file.stream = fopen(f->file.temporary, "r+");
    if (!f->file.stream) return xc_fail(error, XC_IO, "%s: cannot write: %s", f->file.path, strerror(errno));
    const off_t size = lseek(fileno(f->file.stream), 0, SEEK_END);
    return reserve(f, fileno(f->file.stream), size, error);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

xc_status xc_attribution_file_create(const char *path, size_t count, uint32_t length, const int32_t *classes,
                                     int32_t class_count, const xc_file_attribute *attributes, size_t attribute_count,
                                     xc_attribution_file **out, xc_error *error) {
    xc_status status;
    xc_attribution_file *f = NULL;
    H5E_auto2_t printer;
    void *printer_data;
    *out = NULL;
    H5Eget_auto2(H5E_DEFAULT, &printer, &printer_data);
    xc_h5_silence();
    XC_TRY(xc_allocate(&f, 1, sizeof *f, "the file", error));
    *f = (xc_attribution_file){.h5 = H5I_INVALID_HID, .count = count, .length = length, .classes = class_count};
    XC_TRY(xc_allocate(&f->place, SHARED + EACH * (size_t)class_count, sizeof *f->place, "the file", error));
    XC_TRY(xc_file_create(&f->file, path, false, error));
    XC_TRY(check_room(f, error));
    XC_TRY(lay_out_file(f, classes, attributes, attribute_count, error));
    XC_TRY(open_values(f, error));
fail:
    H5Eset_auto2(H5E_DEFAULT, printer, printer_data);
    if (status == XC_OK)
        *out = f;
    else
        xc_attribution_file_discard(f);
    return status;
}

/* Rows first .. first + count - 1, of `bytes` each, of a dataset that begins at `place`. */
static xc_status write_rows(const xc_attribution_file *f, off_t place, size_t first, size_t count, size_t bytes,
                            const void *values, xc_error *error) {
    const char *from = values;
    off_t at = place + (off_t)(first * bytes);
    for (size_t left = count * bytes; left > 0;) {
        const ssize_t written = pwrite(fileno(f->file.stream), from, left, at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return xc_fail(error, XC_IO, "%s: cannot write: %s", f->file.path, strerror(errno));
        from += written;
        at += written;
        left -= (size_t)written;
    }
    return XC_OK;
}

xc_status xc_attribution_file_write(xc_attribution_file *f, int32_t class_number, size_t first, size_t count,
                                    const float *hypothetical, const float *contributions, const float *output,
                                    const float *gap, xc_error *error) {
    xc_status status;
    const off_t *place = f->place + SHARED + EACH * (size_t)class_number;
    const size_t map = 4 * f->length * sizeof(float);
    XC_TRY(write_rows(f, place[HYPOTHETICAL], first, count, map, hypothetical, error));
    XC_TRY(write_rows(f, place[CONTRIBUTIONS], first, count, map, contributions, error));
    XC_TRY(write_rows(f, place[OUTPUT], first, count, sizeof *output, output, error));
    XC_TRY(write_rows(f, place[GAP], first, count, sizeof *gap, gap, error));
fail:
    return status;
}

xc_status xc_attribution_file_write_sequence(xc_attribution_file *f, size_t row, uint32_t index, const uint8_t *codes,
                                             xc_error *error) {
    xc_status status;
    uint8_t *one_hot = NULL; /* (4,length) */
    const uint32_t number = index & ~XC_REVERSE_COMPLEMENT;
    const uint8_t reverse = index != number;
    XC_TRY(xc_allocate(&one_hot, 4 * f->length, 1, "a sequence", error));
    for (size_t l = 0; l < f->length; l++)
        if (codes[l] < 4) one_hot[codes[l] * f->length + l] = 1;
    XC_TRY(write_rows(f, f->place[SEQUENCES], row, 1, 4 * f->length, one_hot, error));
    XC_TRY(write_rows(f, f->place[INDEX], row, 1, sizeof number, &number, error));
    XC_TRY(write_rows(f, f->place[REVERSE], row, 1, sizeof reverse, &reverse, error));
fail:
    free(one_hot);
    return status;
}

xc_status xc_attribution_file_commit(xc_attribution_file *f, xc_error *error) {
    return xc_file_commit(&f->file, error);
}

void xc_attribution_file_discard(xc_attribution_file *f) {
    if (f == NULL) return;
    xc_file_discard(&f->file);
    free(f->place);
    free(f);
}

/* npz.c: one array (n,4,L) as NumPy's .npz: a zip archive with the entry arr_0.npy, stored as it is. The array is
 * written beside it first, since an entry's checksum stands before its bytes; libzip makes the archive, also a large
 * one. Source: NumPy's format (NEP 1), version 1.0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "expconv/data.h"

#define HEADER_UNIT 64
#define FIRST_DAY (1 << 5 | 1) /* 1980-01-01, the first that an archive knows: the same array gives the same bytes */

struct xc_npz {
    xc_file archive, array; /* only the first is ever committed */
    size_t row;             /* floats */
    size_t left;            /* rows that are still to come */
};

/* The header's text, filled up to a multiple of 64 bytes with what stands before it. */
static void write_header(FILE *stream, size_t count, uint32_t length) {
    char text[256];
    const int used =
        snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, 4, %u), }", count, length);
    const int whole = (10 + used + 1 + HEADER_UNIT - 1) / HEADER_UNIT * HEADER_UNIT - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, stream);
    fputc(whole & 0xff, stream);
    fputc(whole >> 8, stream);
    fprintf(stream, "%-*s\n", whole - 1, text);
}

xc_status xc_npz_create(const char *path, size_t count, uint32_t length, xc_npz **out, xc_error *error) {
    xc_status status;
    xc_npz *npz = NULL;
    char *name = NULL;
    *out = NULL;
    if (asprintf(&name, "%s.npy", path) < 0) return xc_fail(error, XC_MEMORY, "no memory for the name of %s", path);
    XC_TRY(xc_allocate(&npz, 1, sizeof *npz, "an archive", error));
    npz->row = 4 * (size_t)length;
    npz->left = count;
    XC_TRY(xc_file_create(&npz->archive, path, false, error));
    XC_TRY(xc_file_create(&npz->array, name, true, error));
    write_header(npz->array.stream, count, length);
    *out = npz;
fail:
    free(name);
    if (status != XC_OK) xc_npz_discard(npz);
    return status;
}

static xc_status unwritten(const xc_npz *npz, const char *why, xc_error *error) {
    return xc_fail(error, XC_IO, "%s: cannot write: %s", npz->archive.path, why);
}

xc_status xc_npz_write(xc_npz *npz, const float *values, size_t rows, xc_error *error) {
    if (rows > npz->left) return unwritten(npz, "there are more rows than were announced", error);
    if (fwrite(values, npz->row * sizeof *values, rows, npz->array.stream) < rows)
        return unwritten(npz, strerror(errno), error);
    npz->left -= rows;
    return XC_OK;
}

static xc_status pack(xc_npz *npz, xc_error *error) {
    int code = 0;
    zip_t *zip = zip_open(npz->archive.temporary, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip) return unwritten(npz, "no archive can be made there", error);
    zip_source_t *source = zip_source_file(zip, npz->array.temporary, 0, -1);
    const zip_int64_t entry = source ? zip_file_add(zip, "arr_0.npy", source, ZIP_FL_OVERWRITE) : -1;
    if (source && entry < 0) zip_source_free(source);
    if (entry < 0 || zip_set_file_compression(zip, (zip_uint64_t)entry, ZIP_CM_STORE, 0) < 0 ||
        zip_file_set_dostime(zip, (zip_uint64_t)entry, 0, FIRST_DAY, 0) < 0 || zip_close(zip) < 0) {
        const xc_status status = unwritten(npz, zip_strerror(zip), error);
        zip_discard(zip);
        return status;
    }
    return XC_OK;
}

xc_status xc_npz_commit(xc_npz *npz, xc_error *error) {
    xc_status status = XC_OK;
    if (npz->left > 0) return unwritten(npz, "rows are missing", error);
    if (fflush(npz->array.stream) != 0 || ferror(npz->array.stream)) return unwritten(npz, strerror(errno), error);
    XC_TRY(pack(npz, error));
    XC_TRY(xc_file_commit(&npz->archive, error));
fail:
    return status;
}

void xc_npz_discard(xc_npz *npz) {
    if (npz == NULL) return;
    xc_file_discard(&npz->array);
    xc_file_discard(&npz->archive);
    free(npz);
}

/* chunks.c: reads chunks as they are stored and undoes deflate and shuffle. See chunks.h.
 */
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"

/* Knows the filter pipeline? Shuffle, when there, must have been applied before deflate. */
static bool find_filters(xc_chunks *chunks, hid_t properties) {
    const int filters = H5Pget_nfilters(properties);
    for (int number = 0; number < filters; number++) {
        unsigned flags;
        size_t value_count = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)number, &flags, &value_count, NULL, 0, NULL, NULL);
        if (filter == H5Z_FILTER_SHUFFLE && chunks->shuffle < 0 && chunks->deflate < 0)
            chunks->shuffle = number;
        else if (filter == H5Z_FILTER_DEFLATE && chunks->deflate < 0)
            chunks->deflate = number;
        else
            return false;
    }
    return true;
}

/* Chunks that were never written have no bytes in the file; HDF5 makes them up from the fill value. */
static bool all_written(const xc_chunks *chunks, const hsize_t *shape) {
    hsize_t expected = 1, written = 0;
    for (int axis = 0; axis < chunks->rank; axis++)
        expected *= (shape[axis] + chunks->chunk[axis] - 1) / chunks->chunk[axis];
    const hid_t space = H5Dget_space(chunks->dataset);
    const bool known = H5Dget_num_chunks(chunks->dataset, space, &written) >= 0;
    H5Sclose(space);
    return known && written == expected;
}

xc_status xc_chunks_open(xc_chunks *chunks, hid_t dataset, int rank, const hsize_t *shape, xc_error *error) {
    xc_status status = XC_OK;
    *chunks = (xc_chunks){.dataset = dataset, .rank = rank, .shuffle = -1, .deflate = -1};
    const hid_t properties = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    chunks->cell_size = H5Tget_size(type);
    chunks->usable = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, 4, chunks->chunk) == rank &&
                     find_filters(chunks, properties) && all_written(chunks, shape);
    H5Tclose(type);
    H5Pclose(properties);
    if (!chunks->usable) return XC_OK;
    chunks->bytes = chunks->cell_size;
    for (int axis = 0; axis < rank; axis++) chunks->bytes *= chunks->chunk[axis];
    if (chunks->deflate >= 0) {
        chunks->inflater = libdeflate_alloc_decompressor();
        if (!chunks->inflater) return xc_fail(error, XC_MEMORY, "out of memory for inflating");
        XC_TRY(xc_allocate(&chunks->plain, chunks->bytes, 1, "a chunk", error));
    }
    if (chunks->shuffle >= 0) XC_TRY(xc_allocate(&chunks->ordered, chunks->bytes, 1, "a chunk", error));
fail:
    return status;
}

void xc_chunks_close(xc_chunks *chunks) {
    free(chunks->stored);
    free(chunks->plain);
    free(chunks->ordered);
    if (chunks->inflater) libdeflate_free_decompressor(chunks->inflater);
    *chunks = (xc_chunks){0};
}

/* The shuffle filter stores all first bytes, then all second bytes, and so on. */
static void unshuffle(uint8_t *restrict to, const uint8_t *restrict from, size_t count, size_t size) {
    if (size == 2) {
        for (size_t i = 0; i < count; i++) {
            to[2 * i] = from[i];
            to[2 * i + 1] = from[count + i];
        }
    } else if (size == 4) {
        for (size_t i = 0; i < count; i++) {
            to[4 * i] = from[i];
            to[4 * i + 1] = from[count + i];
            to[4 * i + 2] = from[2 * count + i];
            to[4 * i + 3] = from[3 * count + i];
        }
    } else {
        for (size_t byte = 0; byte < size; byte++)
            for (size_t i = 0; i < count; i++) to[size * i + byte] = from[byte * count + i];
    }
}

/* The chunk's bytes as stored, into chunks->stored. */
static xc_status read_stored(xc_chunks *chunks, const hsize_t *offset, hsize_t *size, uint32_t *skipped,
                             xc_error *error) {
    char reason[256];
    if (H5Dget_chunk_storage_size(chunks->dataset, offset, size) < 0)
        return xc_fail(error, XC_INPUT, "HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
    if (*size > chunks->stored_capacity || !chunks->stored) {
        free(chunks->stored);
        chunks->stored = NULL;
        chunks->stored_capacity = *size + *size / 4;
        const xc_status status = xc_allocate(&chunks->stored, chunks->stored_capacity, 1, "a chunk", error);
        if (status != XC_OK) return status;
    }
    if (H5Dread_chunk(chunks->dataset, H5P_DEFAULT, offset, skipped, chunks->stored) < 0)
        return xc_fail(error, XC_INPUT, "HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
    return XC_OK;
}

xc_status xc_chunks_read(xc_chunks *chunks, const hsize_t *offset, const void **values, xc_error *error) {
    hsize_t size = 0;
    uint32_t skipped = 0; /* bit i: filter i was not applied to this chunk */
    const xc_status status = read_stored(chunks, offset, &size, &skipped, error);
    if (status != XC_OK) return status;
    const uint8_t *bytes = chunks->stored;
    if (chunks->deflate >= 0 && !(skipped >> chunks->deflate & 1)) {
        if (libdeflate_zlib_decompress(chunks->inflater, bytes, size, chunks->plain, chunks->bytes, NULL) !=
            LIBDEFLATE_SUCCESS)
            return xc_fail(error, XC_INPUT, "the compressed data is damaged");
        bytes = chunks->plain;
    } else if (size != chunks->bytes) {
        return xc_fail(error, XC_INPUT, "a chunk has %llu bytes instead of %zu", (unsigned long long)size,
                       chunks->bytes);
    }
    if (chunks->shuffle >= 0 && !(skipped >> chunks->shuffle & 1)) {
        unshuffle(chunks->ordered, bytes, chunks->bytes / chunks->cell_size, chunks->cell_size);
        bytes = chunks->ordered;
    }
    *values = bytes;
    return XC_OK;
}

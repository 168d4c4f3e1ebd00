/* chunks.c: reads chunks as they are stored and undoes deflate. See chunks.h.
 */
#include <libdeflate.h>
#include <stdlib.h>

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

xc_chunks xc_chunks_of(hid_t dataset, int rank, const hsize_t *shape) {
    xc_chunks chunks = {.dataset = dataset, .rank = rank, .shuffle = -1, .deflate = -1};
    const hid_t properties = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    chunks.bytes = chunks.cell_size = H5Tget_size(type);
    chunks.usable = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, 4, chunks.chunk) == rank &&
                    find_filters(&chunks, properties) && all_written(&chunks, shape);
    for (int axis = 0; chunks.usable && axis < rank; axis++) chunks.bytes *= chunks.chunk[axis];
    H5Tclose(type);
    H5Pclose(properties);
    return chunks;
}

static xc_status make_room(xc_chunk *chunk, size_t size, xc_error *error) {
    if (size <= chunk->stored_capacity && chunk->stored) return XC_OK;
    free(chunk->stored);
    chunk->stored = NULL;
    chunk->stored_capacity = size + size / 4;
    return xc_allocate(&chunk->stored, chunk->stored_capacity, 1, "a chunk", error);
}

xc_status xc_chunk_load(const xc_chunks *chunks, xc_chunk *chunk, const hsize_t *offset, xc_error *error) {
    char reason[256];
    hsize_t size = 0;
    xc_status status = XC_OK;
    if (H5Dget_chunk_storage_size(chunks->dataset, offset, &size) < 0) goto refused;
    /* Deflate adds little to what it cannot compress; a damaged index must not ask for all memory. */
    if (size > 2 * chunks->bytes + 4096)
        return xc_fail(error, XC_INPUT, "a chunk of %zu bytes is stored as %llu", chunks->bytes,
                       (unsigned long long)size);
    XC_TRY(make_room(chunk, size, error));
    chunk->stored_size = size;
    if (H5Dread_chunk(chunks->dataset, H5P_DEFAULT, offset, &chunk->skipped, chunk->stored) < 0) goto refused;
fail:
    return status;
refused:
    return xc_fail(error, XC_INPUT, "HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
}

static xc_status inflate(const xc_chunks *chunks, xc_chunk *chunk, xc_error *error) {
    xc_status status = XC_OK;
    if (!chunk->inflater) chunk->inflater = libdeflate_alloc_decompressor();
    if (!chunk->inflater) return xc_fail(error, XC_MEMORY, "out of memory for inflating");
    if (!chunk->plain) XC_TRY(xc_allocate(&chunk->plain, chunks->bytes, 1, "a chunk", error));
    if (libdeflate_zlib_decompress(chunk->inflater, chunk->stored, chunk->stored_size, chunk->plain, chunks->bytes,
                                   NULL) != LIBDEFLATE_SUCCESS)
        return xc_fail(error, XC_INPUT, "the compressed data is damaged");
    chunk->values = chunk->plain;
fail:
    return status;
}

xc_status xc_chunk_inflate(const xc_chunks *chunks, xc_chunk *chunk, xc_error *error) {
    chunk->shuffled = chunks->shuffle >= 0 && !(chunk->skipped >> chunks->shuffle & 1);
    if (chunks->deflate >= 0 && !(chunk->skipped >> chunks->deflate & 1)) return inflate(chunks, chunk, error);
    if (chunk->stored_size != chunks->bytes)
        return xc_fail(error, XC_INPUT, "a chunk has %zu bytes instead of %zu", chunk->stored_size, chunks->bytes);
    chunk->values = chunk->stored;
    return XC_OK;
}

void xc_chunk_free(xc_chunk *chunk) {
    free(chunk->stored);
    free(chunk->plain);
    if (chunk->inflater) libdeflate_free_decompressor(chunk->inflater);
    *chunk = (xc_chunk){0};
}

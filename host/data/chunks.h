/* chunks.h: whole chunks of a dataset, decompressed here rather than by HDF5: on many threads at a time, each chunk
 * once, and libdeflate inflates about twice as fast as zlib. Knows chunks that are stored plain, shuffled, deflated or
 * both, which is what h5py and the field write; for everything else the caller goes through HDF5. Shuffled bytes are
 * left in that order: what is made of them is found as easily there (one_hot.h).
 */
#ifndef EXPCONV_HOST_DATA_CHUNKS_H
#define EXPCONV_HOST_DATA_CHUNKS_H

#include "h5.h"

/* How a dataset is stored; the same for all threads. */
typedef struct xc_chunks {
    hid_t dataset;
    bool usable; /* this way of reading knows the dataset's storage */
    int rank;
    hsize_t chunk[4];
    size_t cell_size;     /* bytes of one value */
    size_t bytes;         /* of one chunk, decompressed */
    int shuffle, deflate; /* place in the filter pipeline, -1: not there */
} xc_chunks;

/* One chunk and what it takes to inflate it; each thread has its own. Initialise with {0}. */
typedef struct xc_chunk {
    uint8_t *stored, *plain; /* as in the file; inflated */
    size_t stored_size, stored_capacity;
    uint32_t skipped; /* bit i: filter i was not applied to this chunk */
    struct libdeflate_decompressor *inflater;
    /* After xc_chunk_inflate: the values, or with `shuffled` all their first bytes, all second bytes, and so on; in the
     * file's type, 64-byte aligned. */
    const uint8_t *values;
    bool shuffled;
} xc_chunk;

/* Looks at a dataset of shape (rank <= 4); ->usable says whether chunks can be read. */
xc_chunks xc_chunks_of(hid_t dataset, int rank, const hsize_t *shape);

/* The bytes of the chunk that begins at `offset` (rank), as stored. Calls HDF5: one thread at a time. The error lines
 * of both do not name the file. */
xc_status xc_chunk_load(const xc_chunks *chunks, xc_chunk *chunk, const hsize_t *offset, xc_error *error);

/* Undoes deflate: sets `values`. Chunks at the border are as large as all others. Calls no HDF5. */
xc_status xc_chunk_inflate(const xc_chunks *chunks, xc_chunk *chunk, xc_error *error);

void xc_chunk_free(xc_chunk *chunk);

#endif

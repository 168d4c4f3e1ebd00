/* chunks.h: whole chunks of a dataset, decompressed here rather than by HDF5: each is read once, in the order asked
 * for, and libdeflate inflates about twice as fast as zlib. Knows chunks that are stored plain, shuffled, deflated or
 * both, which is what h5py and the field write; for everything else the caller goes through HDF5.
 */
#ifndef EXPCONV_HOST_DATA_CHUNKS_H
#define EXPCONV_HOST_DATA_CHUNKS_H

#include "h5.h"

typedef struct xc_chunks {
    hid_t dataset;
    bool usable; /* this way of reading knows the dataset's storage */
    int rank;
    hsize_t chunk[4];
    size_t cell_size;                  /* bytes of one value */
    size_t bytes;                      /* of one chunk, decompressed */
    int shuffle, deflate;              /* place in the filter pipeline, -1: not there */
    uint8_t *stored, *plain, *ordered; /* as in the file; inflated; unshuffled */
    size_t stored_capacity;
    struct libdeflate_decompressor *inflater;
} xc_chunks;

/* Looks at a dataset of shape (rank <= 4); `chunks->usable` says whether xc_chunks_read can be called. Frees with
 * xc_chunks_close, also on failure. */
xc_status xc_chunks_open(xc_chunks *chunks, hid_t dataset, int rank, const hsize_t *shape, xc_error *error);
void xc_chunks_close(xc_chunks *chunks);

/* The values of the chunk that begins at `offset` (rank), in the file's type; valid until the next call. Chunks at the
 * border are as large as all others. The error line does not name the file. */
xc_status xc_chunks_read(xc_chunks *chunks, const hsize_t *offset, const void **values, xc_error *error);

#endif

/* source.h: a one-hot dataset open for reading: its axes, its type as bit patterns, and the slabs it is read in. A slab
 * is some sequences with all their values: whole rows of chunks where that fits, so that each chunk is decompressed
 * once. Constant while threads read from it, but for the lock.
 */
#ifndef EXPCONV_HOST_DATA_SOURCE_H
#define EXPCONV_HOST_DATA_SOURCE_H

#include <pthread.h>

#include "chunks.h"
#include "one_hot.h"

typedef struct xc_source {
    pthread_mutex_t lock; /* HDF5 serves one thread at a time: hold it while calling */
    const xc_h5 *h5;
    const xc_split_header *header;
    hid_t dataset;
    hid_t type;                            /* of the values that H5Dread delivers and chunks hold */
    xc_cell cell;                          /* its bit patterns */
    int rank, channel_axis, position_axis; /* a fourth axis has length 1 */
    hsize_t shape[4];
    size_t sequences, length;
    size_t slab_rows, stretch_rows; /* sequences in a slab, which does not cross a multiple of stretch_rows */
    size_t slabs;
    xc_chunks chunks;
} xc_source;

/* Opens the dataset that `header` found; both it and `h5` must outlive the source. xc_source_close, also on failure. */
xc_status xc_source_open(xc_source *source, const xc_h5 *h5, const xc_split_header *header, xc_error *error);
void xc_source_close(xc_source *source);

/* The sequences of a slab, 0 .. slabs - 1; slabs are in the order of sequences. */
xc_range xc_source_slab(const xc_source *source, size_t slab);

/* Sequences as HDF5 delivers them, of `type`, into values (rows, 4 * length). The error line does not name the file. */
xc_status xc_source_read(const xc_source *source, hid_t type, xc_range rows, void *values, xc_error *error);

/* Puts file, dataset and sequences before an error line; returns the status. */
xc_status xc_source_unread(const xc_source *source, xc_range rows, xc_error *error);

#endif

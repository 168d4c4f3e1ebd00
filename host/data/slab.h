/* slab.h: one slab of a source (source.h) to packed DNA, on the thread that calls: chunks are loaded under the source's
 * lock and inflated, folded and packed outside it; what chunks.h does not know comes from H5Dread.
 */
#ifndef EXPCONV_HOST_DATA_SLAB_H
#define EXPCONV_HOST_DATA_SLAB_H

#include "source.h"

/* A thread's memory: one chunk or one slab of values, and the masks of a slab. Initialise with {0}. */
typedef struct xc_slab_reader {
    xc_source *source;
    xc_chunk chunk;
    void *values; /* (slab_rows, 4 * length) for H5Dread */
    uint8_t *ones;
    size_t ones_size; /* values that are looked at together */
    uint8_t *tile;    /* (rows, positions) of a chunk: its part of the mask, from as many chunks as it has channels */
    uint8_t *mask;    /* (slab_rows, length) */
    uint8_t *codes;   /* (length) */
} xc_slab_reader;

/* xc_slab_reader_close, also on failure. */
xc_status xc_slab_reader_open(xc_slab_reader *reader, xc_source *source, xc_error *error);
void xc_slab_reader_close(xc_slab_reader *reader);

/* Reads the sequences `rows` of a slab and appends them to `builder`; with *fault some column of theirs is not one-hot,
 * and what was appended is of no use. The error line names file, dataset and sequences. */
xc_status xc_slab_read(xc_slab_reader *reader, xc_range rows, xc_dna_builder *builder, bool *fault, xc_error *error);

/* How values (rows, 4, length) or (rows, length, 4) lie, or those of a chunk with fewer channels and positions. Of
 * `width` positions the first `positions` are within the dataset. */
typedef struct xc_slab_box {
    size_t rows, channels, positions, width;
    size_t first_channel;
    size_t row_stride, channel_stride, position_stride; /* in values */
} xc_slab_box;
xc_slab_box xc_slab_box_of(const xc_source *source, size_t rows, size_t channels, size_t positions);

#endif

/* slab.c: reads, folds and packs one slab. See slab.h.
 */
#include <stdlib.h>
#include <string.h>

#include "slab.h"

/* Values that are looked at together, so that their bytes stay in the first cache until they are folded. */
enum { ONES = 8192 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

xc_status xc_slab_reader_open(xc_slab_reader *reader, xc_source *source, xc_error *error) {
    xc_status status;
    size_t row_cells = 1; /* of a chunk or a slab */
    *reader = (xc_slab_reader){.source = source};
    for (int axis = 1; axis < source->rank; axis++)
        row_cells *= source->chunks.usable ? source->chunks.chunk[axis] : source->shape[axis];
    reader->ones_size = row_cells > ONES ? row_cells : ONES;
    XC_TRY(xc_allocate(&reader->ones, reader->ones_size, 1, "a slab of sequences", error));
    if (source->chunks.usable)
        XC_TRY(xc_allocate(&reader->tile, source->chunks.chunk[0], source->chunks.chunk[source->position_axis],
                           "a chunk", error));
    XC_TRY(xc_allocate(&reader->mask, source->slab_rows, source->length, "a slab of sequences", error));
    XC_TRY(xc_allocate(&reader->codes, source->length, 1, "a sequence", error));
    if (!source->chunks.usable)
        XC_TRY(xc_allocate(&reader->values, source->slab_rows * 4 * source->length, source->cell.size,
                           "a slab of sequences", error));
fail:
    return status;
}

void xc_slab_reader_close(xc_slab_reader *reader) {
    xc_chunk_free(&reader->chunk);
    free(reader->values);
    free(reader->ones);
    free(reader->tile);
    free(reader->mask);
    free(reader->codes);
}

/* ---- folding ---------------------------------------------------------------------------------------------------- */

xc_slab_box xc_slab_box_of(const xc_source *source, size_t rows, size_t channels, size_t positions) {
    const bool channels_last = source->channel_axis > source->position_axis;
    return (xc_slab_box){.rows = rows,
                         .channels = channels,
                         .positions = positions,
                         .width = positions,
                         .row_stride = channels * positions,
                         .channel_stride = channels_last ? 1 : positions,
                         .position_stride = channels_last ? channels : 1};
}

/* Folds ones of some rows of a box into their masks (rows, width). */
static void fold_rows(const xc_slab_box *box, const uint8_t *ones, size_t rows, uint8_t *mask) {
    if (box->row_stride == box->width) { /* one channel alone */
        xc_fold_channel(mask, ones, rows * box->width, 1, (unsigned)box->first_channel);
        return;
    }
    for (size_t row = 0; row < rows; row++, mask += box->width, ones += box->row_stride) {
        if (box->position_stride == 4 && box->channels == 4)
            xc_fold_columns(mask, ones, box->width);
        else
            for (size_t channel = 0; channel < box->channels; channel++)
                xc_fold_channel(mask, ones + channel * box->channel_stride, box->width, box->position_stride,
                                (unsigned)(box->first_channel + channel));
    }
}

/* Where a chunk reaches beyond the dataset's border it holds whatever its writer liked. Looks once more, at the values
 * within alone. */
static bool fault_within(const xc_cell *cell, const xc_slab_box *box, const uint8_t *values, size_t stride) {
    bool fault = false;
    uint8_t one;
    for (size_t row = 0; row < box->rows; row++)
        for (size_t channel = 0; channel < box->channels; channel++)
            for (size_t l = 0; l < box->positions; l++) {
                const size_t i = row * box->row_stride + channel * box->channel_stride + l * box->position_stride;
                fault |= stride ? xc_find_shuffled_ones(cell, &one, values + i, stride, 1)
                                : xc_find_ones(cell, &one, values + i * cell->size, 1);
            }
    return fault;
}

/* Folds a box of values into masks (rows, width). `stride` is 0 or, where the values' bytes are shuffled, how many
 * values there are. Returns whether a value was neither 0 nor 1. */
static bool fold_box(xc_slab_reader *reader, const xc_slab_box *box, uint8_t *mask, const uint8_t *values,
                     size_t stride) {
    const xc_cell *cell = &reader->source->cell;
    const size_t step = reader->ones_size / box->row_stride;
    bool fault = false;
    for (size_t row = 0; row < box->rows; row += step) {
        const size_t rows = smaller(step, box->rows - row), skip = row * box->row_stride;
        const size_t count = rows * box->row_stride;
        fault |= stride ? xc_find_shuffled_ones(cell, reader->ones, values + skip, stride, count)
                        : xc_find_ones(cell, reader->ones, values + skip * cell->size, count);
        fold_rows(box, reader->ones, rows, mask + row * box->width);
    }
    if (fault && box->channels * box->positions < box->row_stride) fault = fault_within(cell, box, values, stride);
    return fault;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* Folds the chunk that begins at `offset` into the tile, for `rows` sequences and `positions` of its positions. */
static xc_status fold_chunk(xc_slab_reader *reader, const hsize_t *offset, size_t rows, size_t positions, bool *fault,
                            xc_error *error) {
    xc_source *source = reader->source;
    const xc_chunks *chunks = &source->chunks;
    const size_t channels = chunks->chunk[source->channel_axis];
    pthread_mutex_lock(&source->lock);
    xc_status status = xc_chunk_load(chunks, &reader->chunk, offset, error);
    pthread_mutex_unlock(&source->lock);
    if (status == XC_OK) status = xc_chunk_inflate(chunks, &reader->chunk, error);
    if (status != XC_OK) return status;
    xc_slab_box box = xc_slab_box_of(source, rows, channels, chunks->chunk[source->position_axis]);
    box.first_channel = offset[source->channel_axis];
    box.channels = smaller(channels, 4 - box.first_channel);
    box.positions = positions;
    *fault |= fold_box(reader, &box, reader->tile, reader->chunk.values,
                       reader->chunk.shuffled ? chunks->bytes / chunks->cell_size : 0);
    return XC_OK;
}

/* Folds the chunks of all channels that begin at `offset` into masks (rows, length). */
static xc_status fold_tile(xc_slab_reader *reader, hsize_t *offset, size_t rows, uint8_t *mask, bool *fault,
                           xc_error *error) {
    const xc_source *source = reader->source;
    const size_t channels = source->chunks.chunk[source->channel_axis];
    const size_t width = source->chunks.chunk[source->position_axis];
    const size_t first = offset[source->position_axis], positions = smaller(width, source->length - first);
    hsize_t *channel = &offset[source->channel_axis];
    xc_status status = XC_OK;
    memset(reader->tile, 0, rows * width);
    for (*channel = 0; *channel < 4; *channel += channels)
        XC_TRY(fold_chunk(reader, offset, rows, positions, fault, error));
    for (size_t row = 0; row < rows; row++)
        xc_copy_short(mask + row * source->length + first, reader->tile + row * width, positions);
fail:
    return status;
}

static xc_status fold_chunks(xc_slab_reader *reader, xc_range slab, bool *fault, xc_error *error) {
    const xc_source *source = reader->source;
    const size_t step = source->chunks.chunk[0], width = source->chunks.chunk[source->position_axis];
    hsize_t offset[4] = {0}, *position = &offset[source->position_axis];
    xc_status status = XC_OK;
    for (size_t first = slab.begin; first < slab.end; first += step) {
        const size_t rows = smaller(step, slab.end - first);
        uint8_t *mask = reader->mask + (first - slab.begin) * source->length;
        offset[0] = first;
        for (*position = 0; *position < source->length; *position += width)
            XC_TRY(fold_tile(reader, offset, rows, mask, fault, error));
    }
fail:
    return status;
}

/* The same of what HDF5 delivers. */
static xc_status fold_delivered(xc_slab_reader *reader, xc_range rows, bool *fault, xc_error *error) {
    xc_source *source = reader->source;
    pthread_mutex_lock(&source->lock);
    const xc_status status = xc_source_read(source, source->type, rows, reader->values, error);
    pthread_mutex_unlock(&source->lock);
    if (status != XC_OK) return status;
    const xc_slab_box box = xc_slab_box_of(source, rows.end - rows.begin, 4, source->length);
    memset(reader->mask, 0, box.rows * box.width);
    *fault = fold_box(reader, &box, reader->mask, reader->values, 0);
    return XC_OK;
}

xc_status xc_slab_read(xc_slab_reader *reader, xc_range rows, xc_dna_builder *builder, bool *fault, xc_error *error) {
    const xc_source *source = reader->source;
    const size_t length = source->length, count = rows.end - rows.begin;
    *fault = false;
    xc_status status =
        source->chunks.usable ? fold_chunks(reader, rows, fault, error) : fold_delivered(reader, rows, fault, error);
    if (status != XC_OK) return xc_source_unread(source, rows, error);
    for (size_t row = 0; row < count && !*fault && status == XC_OK; row++) {
        *fault = xc_mask_to_codes(reader->mask + row * length, reader->codes, length);
        status = xc_dna_builder_append(builder, reader->codes, error);
    }
    return status;
}

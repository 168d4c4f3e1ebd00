/* sequences.c: one-hot datasets of any layout, numeric type and storage to packed DNA, in slabs of whole rows of
 * chunks, so that every chunk is decompressed once. A slab's values are folded into a mask of one byte a position
 * (one_hot.h) and packed from there. Chunks come from chunks.h where it knows their storage, and else from H5Dread.
 */
#include <stdlib.h>
#include <string.h>

#include "chunks.h"
#include "one_hot.h"
#include "sequences.h"

#define SLAB_BYTES ((size_t)8 << 20)
/* A row of chunks up to this size is read whole; of a larger one HDF5's cache keeps the chunks while it is read in
 * pieces. */
#define WHOLE_ROW_BYTES ((size_t)64 << 20)

typedef struct reader {
    const xc_h5 *h5;
    const xc_split_header *header;
    hid_t dataset;
    hid_t type;                                       /* of the values that H5Dread delivers and chunks hold */
    xc_cell cell;                                     /* its bit patterns */
    int rank, channel_axis, position_axis, unit_axis; /* unit_axis: of length 1 in files of rank 4, else -1 */
    hsize_t shape[4];
    size_t length;
    size_t slab_rows;  /* sequences in one slab */
    size_t chunk_rows; /* a slab does not cross a multiple of it; 1 when it may */
    xc_chunks chunks;
    void *values;   /* (slab_rows, shape...) for H5Dread */
    uint8_t *mask;  /* (slab_rows, length) */
    uint8_t *codes; /* (length) */
} reader;

/* ---- type ------------------------------------------------------------------------------------------------------- */

/* Chooses in which type values are read, and what 1 and 0 look like in it: the file's own where that is a whole machine
 * word in either byte order, double for the rest. */
static xc_status choose_type(reader *r, xc_error *error) {
    const hid_t stored = H5Dget_type(r->dataset);
    /* Booleans are an enumeration over integers. */
    const hid_t number = H5Tget_class(stored) == H5T_ENUM ? H5Tget_super(stored) : H5Tcopy(stored);
    const size_t size = H5Tget_size(number);
    const bool word = (size == 1 || size == 2 || size == 4 || size == 8) && H5Tget_precision(number) == 8 * size;
    const hid_t pattern_type = word ? number : H5T_NATIVE_DOUBLE;
    r->cell.size = word ? size : sizeof(double);
    r->type = word ? H5Tcopy(stored) : H5Tcopy(H5T_NATIVE_DOUBLE);
    double one[2] = {1.0, 0}, minus_zero[2] = {-0.0, 0};
    const bool converted = H5Tconvert(H5T_NATIVE_DOUBLE, pattern_type, 1, one, NULL, H5P_DEFAULT) >= 0 &&
                           H5Tconvert(H5T_NATIVE_DOUBLE, pattern_type, 1, minus_zero, NULL, H5P_DEFAULT) >= 0;
    H5Tclose(number);
    H5Tclose(stored);
    if (!converted)
        return xc_fail(error, XC_INPUT, "%s: %s: type %s cannot be read", r->h5->path, r->header->x_name,
                       r->header->type);
    uint64_t sign = 0;
#define LOAD_PATTERNS(word_type)                      \
    do {                                              \
        word_type pattern;                            \
        memcpy(&pattern, one, sizeof pattern);        \
        r->cell.one = pattern;                        \
        memcpy(&pattern, minus_zero, sizeof pattern); \
        sign = pattern;                               \
    } while (0)
    switch (r->cell.size) {
        case 1:
            LOAD_PATTERNS(uint8_t);
            break;
        case 2:
            LOAD_PATTERNS(uint16_t);
            break;
        case 4:
            LOAD_PATTERNS(uint32_t);
            break;
        default:
            LOAD_PATTERNS(uint64_t);
            break;
    }
#undef LOAD_PATTERNS
    r->cell.keep = ~sign;
    return XC_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void find_axes(reader *r) {
    static const struct {
        int channel, position, unit;
    } axes[] = {[XC_LAYOUT_N4L] = {1, 2, -1},
                [XC_LAYOUT_N4L1] = {1, 2, 3},
                [XC_LAYOUT_N41L] = {1, 3, 2},
                [XC_LAYOUT_NL4] = {2, 1, -1}};
    r->channel_axis = axes[r->header->layout].channel;
    r->position_axis = axes[r->header->layout].position;
    r->unit_axis = axes[r->header->layout].unit;
    r->length = r->header->length;
}

/* Slabs for H5Dread. When a row of chunks is too large to be read whole, reopens the dataset with a cache that holds
 * it. */
static xc_status plan_slabs(reader *r, xc_error *error) {
    const size_t row_bytes = 4 * r->length * r->cell.size;
    const hid_t properties = H5Dget_create_plist(r->dataset);
    hsize_t chunk[4] = {1, 1, 1, 1};
    const bool chunked = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, 4, chunk) == r->rank;
    H5Pclose(properties);
    r->slab_rows = SLAB_BYTES / row_bytes ? SLAB_BYTES / row_bytes : 1;
    r->chunk_rows = chunked && chunk[0] < r->shape[0] ? chunk[0] : chunked ? r->shape[0] : 1;
    if (!chunked) return XC_OK;
    if (r->chunk_rows * row_bytes <= WHOLE_ROW_BYTES) {
        const size_t whole = r->slab_rows / r->chunk_rows;
        r->slab_rows = r->chunk_rows * (whole ? whole : 1);
        r->chunk_rows = 1;
        return XC_OK;
    }
    size_t count = 1, cells = chunk[0];
    for (int axis = 1; axis < r->rank; axis++) {
        count *= (r->shape[axis] + chunk[axis] - 1) / chunk[axis];
        cells *= chunk[axis];
    }
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 100 * count + 1, (count + 1) * cells * r->cell.size, 0.75);
    H5Dclose(r->dataset);
    const xc_status status =
        xc_h5_dataset_open(r->h5, r->header->x_name, access, &r->dataset, &r->rank, r->shape, 4, error);
    H5Pclose(access);
    return status;
}

static xc_status open_reader(reader *r, xc_error *error) {
    xc_status status;
    find_axes(r);
    XC_TRY(xc_h5_dataset_open(r->h5, r->header->x_name, H5P_DEFAULT, &r->dataset, &r->rank, r->shape, 4, error));
    XC_TRY(xc_h5_check_filters(r->h5, r->dataset, r->header->x_name, error));
    XC_TRY(choose_type(r, error));
    XC_TRY(xc_chunks_open(&r->chunks, r->dataset, r->rank, r->shape, error));
    const hsize_t *chunk = r->chunks.chunk;
    if (r->chunks.usable && (r->chunks.cell_size != r->cell.size || (r->unit_axis >= 0 && chunk[r->unit_axis] != 1)))
        r->chunks.usable = false;
    if (r->chunks.usable) {
        r->slab_rows = chunk[0];
        r->chunk_rows = 1;
    } else {
        XC_TRY(plan_slabs(r, error));
    }
    if (r->slab_rows > r->shape[0]) r->slab_rows = r->shape[0];
    XC_TRY(xc_allocate(&r->mask, r->slab_rows, r->length, "a slab of sequences", error));
    XC_TRY(xc_allocate(&r->codes, r->length, 1, "a sequence", error));
    if (!r->chunks.usable)
        XC_TRY(xc_allocate(&r->values, r->slab_rows * 4 * r->length, r->cell.size, "a slab of sequences", error));
fail:
    return status;
}

static void close_reader(reader *r) {
    xc_chunks_close(&r->chunks);
    if (r->type >= 0) H5Tclose(r->type);
    if (r->dataset >= 0) H5Dclose(r->dataset);
    free(r->values);
    free(r->mask);
    free(r->codes);
}

/* ---- folding ---------------------------------------------------------------------------------------------------- */

/* A box of values: `rows` sequences, channels and positions from a first one on, and how many values apart they are. */
typedef struct box {
    const void *values;
    size_t rows, channels, positions;
    size_t first_channel, first_position;
    size_t row_stride, channel_stride, position_stride;
} box;

/* Folds a box into the slab's mask. Returns whether a value was neither 0 nor 1. */
static bool fold_box(const reader *r, const box *b) {
    bool fault = false;
    for (size_t row = 0; row < b->rows; row++) {
        const uint8_t *values = (const uint8_t *)b->values + row * b->row_stride * r->cell.size;
        uint8_t *mask = r->mask + row * r->length + b->first_position;
        if (b->position_stride == 4 && b->channels == 4) {
            fault |= xc_fold_columns(&r->cell, mask, values, b->positions);
            continue;
        }
        for (size_t channel = 0; channel < b->channels; channel++)
            fault |= xc_fold_channel(&r->cell, mask, values + channel * b->channel_stride * r->cell.size, b->positions,
                                     b->position_stride, (uint8_t)(1u << (b->first_channel + channel)));
    }
    return fault;
}

/* The box of a block with `channels` × `positions` values a sequence, laid out as the file is. */
static box make_box(const reader *r, const void *values, size_t channels, size_t positions) {
    const bool channels_last = r->channel_axis > r->position_axis;
    return (box){.values = values,
                 .row_stride = channels * positions,
                 .channels = channels,
                 .positions = positions,
                 .channel_stride = channels_last ? 1 : positions,
                 .position_stride = channels_last ? channels : 1};
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Folds sequences first .. first + rows, one chunk after another. */
static xc_status fold_chunks(reader *r, size_t first, size_t rows, bool *fault, xc_error *error) {
    const size_t channel_step = r->chunks.chunk[r->channel_axis], position_step = r->chunks.chunk[r->position_axis];
    hsize_t offset[4] = {first, 0, 0, 0};
    for (size_t position = 0; position < r->length; position += position_step) {
        for (size_t channel = 0; channel < 4; channel += channel_step) {
            const void *values;
            offset[r->channel_axis] = channel;
            offset[r->position_axis] = position;
            const xc_status status = xc_chunks_read(&r->chunks, offset, &values, error);
            if (status != XC_OK) return status;
            box b = make_box(r, values, channel_step, position_step);
            b.rows = rows;
            b.first_channel = channel;
            b.first_position = position;
            b.channels = smaller(channel_step, 4 - channel);
            b.positions = smaller(position_step, r->length - position);
            *fault |= fold_box(r, &b);
        }
    }
    return XC_OK;
}

/* Sequences first .. first + rows as HDF5 delivers them, of `type`, into values (rows, 4 * length). */
static xc_status read_rows(const reader *r, hid_t type, size_t first, size_t rows, void *values, xc_error *error) {
    char reason[256];
    const hsize_t start[4] = {first, 0, 0, 0},
                  count[4] = {rows, r->shape[1], r->shape[2], r->rank == 4 ? r->shape[3] : 1};
    const hsize_t cells = rows * 4 * r->length;
    const hid_t file_space = H5Dget_space(r->dataset), memory_space = H5Screate_simple(1, &cells, NULL);
    H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    const bool good = H5Dread(r->dataset, type, memory_space, file_space, H5P_DEFAULT, values) >= 0;
    if (!good) xc_fail(error, XC_INPUT, "HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
    H5Sclose(memory_space);
    H5Sclose(file_space);
    return good ? XC_OK : XC_INPUT;
}

static xc_status fold_rows(reader *r, size_t first, size_t rows, bool *fault, xc_error *error) {
    const xc_status status = read_rows(r, r->type, first, rows, r->values, error);
    if (status != XC_OK) return status;
    box b = make_box(r, r->values, 4, r->length);
    b.rows = rows;
    *fault = fold_box(r, &b);
    return XC_OK;
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

/* Whether column (4), `stride` apart, is one-hot or all zero. */
static bool good_column(const double *column, size_t stride) {
    int ones = 0;
    for (size_t base = 0; base < 4; base++) {
        if (column[base * stride] != 0 && column[base * stride] != 1) return false;
        ones += column[base * stride] == 1;
    }
    return ones <= 1;
}

/* Looks through values (rows, 4 * length) of sequences from `first` on; names the first column that is neither. */
static xc_status name_fault_in(const reader *r, const double *values, size_t first, size_t rows, xc_error *error) {
    const box b = make_box(r, values, 4, r->length);
    const size_t stride = b.channel_stride;
    for (size_t row = 0; row < rows; row++) {
        for (size_t l = 0; l < r->length; l++) {
            const double *column = values + row * b.row_stride + l * b.position_stride;
            if (good_column(column, stride)) continue;
            return xc_fail(
                error, XC_INPUT,
                "%s: %s: sequence %zu, position %zu is not one-hot (%g %g %g %g); every column must be one-hot or "
                "all zero (both are counted from 0)",
                r->h5->path, r->header->x_name, first + row, l, column[0], column[stride], column[2 * stride],
                column[3 * stride]);
        }
    }
    return XC_OK;
}

/* Names the first fault of sequences first .. first + rows; it is known that there is one, and here alone values are
 * converted to numbers that can be shown. */
static xc_status name_fault(const reader *r, size_t first, size_t rows, xc_error *error) {
    const size_t cells = 4 * r->length, end = first + rows;
    const size_t step = SLAB_BYTES / (cells * sizeof(double)) ? SLAB_BYTES / (cells * sizeof(double)) : 1;
    double *values; /* (step, 4 * length) */
    xc_status status;
    XC_TRY(xc_allocate(&values, step * cells, sizeof *values, "a slab of sequences", error));
    for (size_t row = first; row < end && status == XC_OK; row += step) {
        const size_t count = smaller(step, end - row);
        status = read_rows(r, H5T_NATIVE_DOUBLE, row, count, values, error);
        if (status == XC_OK) status = name_fault_in(r, values, row, count, error);
    }
    free(values);
    if (status != XC_OK) return status;
    status = xc_fail(error, XC_INPUT, "%s: %s: a column of sequences %zu to %zu is not one-hot", r->h5->path,
                     r->header->x_name, first, end - 1);
fail:
    return status;
}

/* ---- the way through -------------------------------------------------------------------------------------------- */

/* Reads sequences first .. first + rows and appends them. */
static xc_status read_slab(reader *r, size_t first, size_t rows, xc_dna_builder *builder, xc_error *error) {
    bool fault = false;
    memset(r->mask, 0, rows * r->length);
    xc_status status =
        r->chunks.usable ? fold_chunks(r, first, rows, &fault, error) : fold_rows(r, first, rows, &fault, error);
    if (status != XC_OK)
        return xc_fail_in(error, "%s: %s: cannot read sequences %zu to %zu", r->h5->path, r->header->x_name, first,
                          first + rows - 1);
    for (size_t row = 0; row < rows && !fault && status == XC_OK; row++) {
        fault = xc_mask_to_codes(r->mask + row * r->length, r->codes, r->length);
        status = xc_dna_builder_append(builder, r->codes, error);
    }
    return fault ? name_fault(r, first, rows, error) : status;
}

xc_status xc_sequences_read(const xc_h5 *h5, const xc_split_header *header, xc_dna_view *dna, xc_error *error) {
    xc_status status;
    reader r = {.h5 = h5, .header = header, .dataset = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    xc_dna_builder builder = {0};
    XC_TRY(open_reader(&r, error));
    XC_TRY(xc_dna_builder_open(&builder, (uint32_t)header->sequences, (uint32_t)header->length, error));
    for (size_t first = 0, rows; first < header->sequences; first += rows) {
        rows = smaller(r.slab_rows, header->sequences - first);
        if (r.chunk_rows > 1) rows = smaller(rows, r.chunk_rows - first % r.chunk_rows);
        XC_TRY(read_slab(&r, first, rows, &builder, error));
    }
    xc_dna_builder_finish(&builder, dna);
fail:
    xc_dna_builder_free(&builder);
    close_reader(&r);
    return status;
}

/* source.c: opens a one-hot dataset and plans its slabs. See source.h.
 */
#include "source.h"

/* What a slab should have, decompressed: it stays in a core's cache from reading to packing. */
#define SLAB_BYTES ((size_t)256 << 10)
/* A row of chunks up to this size is read whole; of a larger one HDF5's cache keeps the chunks while it is read in
 * pieces. */
#define WHOLE_ROW_BYTES ((size_t)64 << 20)

/* ---- type ------------------------------------------------------------------------------------------------------- */

/* Chooses in which type values are read, and what 1 and 0 look like in it: the file's own (`raw`) where that is a
 * whole machine word in either byte order, double for the rest. */
static xc_status choose_type(xc_source *source, bool *raw, xc_error *error) {
    const hid_t stored = H5Dget_type(source->dataset);
    /* Booleans are an enumeration over integers. */
    const hid_t number = H5Tget_class(stored) == H5T_ENUM ? H5Tget_super(stored) : H5Tcopy(stored);
    const size_t size = H5Tget_size(number);
    *raw = (size == 1 || size == 2 || size == 4 || size == 8) && H5Tget_precision(number) == 8 * size;
    const hid_t pattern_type = *raw ? number : H5T_NATIVE_DOUBLE;
    source->cell.size = *raw ? size : sizeof(double);
    source->type = *raw ? H5Tcopy(stored) : H5Tcopy(H5T_NATIVE_DOUBLE);
    double one[2] = {1.0, 0}, minus_zero[2] = {-0.0, 0};
    const bool converted = H5Tconvert(H5T_NATIVE_DOUBLE, pattern_type, 1, one, NULL, H5P_DEFAULT) >= 0 &&
                           H5Tconvert(H5T_NATIVE_DOUBLE, pattern_type, 1, minus_zero, NULL, H5P_DEFAULT) >= 0;
    H5Tclose(number);
    H5Tclose(stored);
    if (!converted)
        return xc_fail(error, XC_INPUT, "%s: %s: type %s cannot be read", source->h5->path, source->header->x_name,
                       source->header->type);
    uint64_t sign = 0;
#define LOAD_PATTERNS(word_type)                      \
    do {                                              \
        word_type pattern;                            \
        memcpy(&pattern, one, sizeof pattern);        \
        source->cell.one = pattern;                   \
        memcpy(&pattern, minus_zero, sizeof pattern); \
        sign = pattern;                               \
    } while (0)
    switch (source->cell.size) {
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
    source->cell.keep = ~sign;
    return XC_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* Returns the axis of length 1 in files of rank 4, else -1. */
static int find_axes(xc_source *source) {
    static const struct {
        int channel, position, unit;
    } axes[] = {[XC_LAYOUT_N4L] = {1, 2, -1},
                [XC_LAYOUT_N4L1] = {1, 2, 3},
                [XC_LAYOUT_N41L] = {1, 3, 2},
                [XC_LAYOUT_NL4] = {2, 1, -1}};
    source->channel_axis = axes[source->header->layout].channel;
    source->position_axis = axes[source->header->layout].position;
    source->sequences = source->header->sequences;
    source->length = source->header->length;
    return axes[source->header->layout].unit;
}

static size_t count_parts(size_t total, size_t part) { return (total + part - 1) / part; }

/* As many whole rows of chunks, each of `chunk_rows` sequences, as make a slab; one at least. */
static size_t rows_of_slab(const xc_source *source, size_t chunk_rows) {
    const size_t chunk_row_bytes = chunk_rows * 4 * source->length * source->cell.size;
    const size_t count = SLAB_BYTES / chunk_row_bytes;
    return chunk_rows * (count ? count : 1);
}

/* Slabs for H5Dread. When a row of chunks is too large to be read whole, reopens the dataset with a cache that holds
 * it. */
static xc_status plan_slabs(xc_source *source, xc_error *error) {
    const hid_t properties = H5Dget_create_plist(source->dataset);
    hsize_t chunk[4] = {1, 1, 1, 1};
    const bool chunked = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, 4, chunk) == source->rank;
    H5Pclose(properties);
    const size_t chunk_rows = !chunked ? 1 : chunk[0] < source->shape[0] ? chunk[0] : source->shape[0];
    source->slab_rows = rows_of_slab(source, chunk_rows);
    if (!chunked || chunk_rows * 4 * source->length * source->cell.size <= WHOLE_ROW_BYTES) return XC_OK;
    size_t count = 1, cells = chunk[0];
    for (int axis = 1; axis < source->rank; axis++) {
        count *= (source->shape[axis] + chunk[axis] - 1) / chunk[axis];
        cells *= chunk[axis];
    }
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 100 * count + 1, (count + 1) * cells * source->cell.size, 0.75);
    H5Dclose(source->dataset);
    const xc_status status = xc_h5_dataset_open(source->h5, source->header->x_name, access, &source->dataset,
                                                &source->rank, source->shape, 4, error);
    H5Pclose(access);
    source->slab_rows = rows_of_slab(source, 1);
    source->stretch_rows = chunk_rows;
    return status;
}

xc_status xc_source_open(xc_source *source, const xc_h5 *h5, const xc_split_header *header, xc_error *error) {
    xc_status status;
    bool raw;
    *source = (xc_source){.h5 = h5, .header = header, .dataset = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    pthread_mutex_init(&source->lock, NULL);
    const int unit_axis = find_axes(source);
    XC_TRY(
        xc_h5_dataset_open(h5, header->x_name, H5P_DEFAULT, &source->dataset, &source->rank, source->shape, 4, error));
    XC_TRY(xc_h5_check_filters(h5, source->dataset, header->x_name, error));
    XC_TRY(choose_type(source, &raw, error));
    source->chunks = xc_chunks_of(source->dataset, source->rank, source->shape);
    if (!raw || (unit_axis >= 0 && source->chunks.chunk[unit_axis] != 1)) source->chunks.usable = false;
    source->stretch_rows = source->sequences;
    if (source->chunks.usable)
        source->slab_rows = rows_of_slab(source, source->chunks.chunk[0]);
    else
        XC_TRY(plan_slabs(source, error));
    if (source->slab_rows > source->stretch_rows) source->slab_rows = source->stretch_rows;
    const size_t in_stretch = count_parts(source->stretch_rows, source->slab_rows);
    source->slabs = source->sequences / source->stretch_rows * in_stretch +
                    count_parts(source->sequences % source->stretch_rows, source->slab_rows);
fail:
    return status;
}

void xc_source_close(xc_source *source) {
    if (source->type >= 0) H5Tclose(source->type);
    if (source->dataset >= 0) H5Dclose(source->dataset);
    pthread_mutex_destroy(&source->lock);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

xc_range xc_source_slab(const xc_source *source, size_t slab) {
    const size_t in_stretch = count_parts(source->stretch_rows, source->slab_rows);
    const size_t stretch = slab / in_stretch * source->stretch_rows;
    const size_t begin = stretch + slab % in_stretch * source->slab_rows;
    size_t end = begin + source->slab_rows;
    if (end > stretch + source->stretch_rows) end = stretch + source->stretch_rows;
    if (end > source->sequences) end = source->sequences;
    return (xc_range){begin, end};
}

xc_status xc_source_read(const xc_source *source, hid_t type, xc_range rows, void *values, xc_error *error) {
    char reason[256];
    const hsize_t *shape = source->shape, start[4] = {rows.begin, 0, 0, 0},
                  count[4] = {rows.end - rows.begin, shape[1], shape[2], source->rank == 4 ? shape[3] : 1};
    const hsize_t cells = count[0] * 4 * source->length;
    const hid_t file_space = H5Dget_space(source->dataset), memory_space = H5Screate_simple(1, &cells, NULL);
    H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    const bool good = H5Dread(source->dataset, type, memory_space, file_space, H5P_DEFAULT, values) >= 0;
    if (!good) xc_fail(error, XC_INPUT, "HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
    H5Sclose(memory_space);
    H5Sclose(file_space);
    return good ? XC_OK : XC_INPUT;
}

xc_status xc_source_unread(const xc_source *source, xc_range rows, xc_error *error) {
    return xc_fail_in(error, "%s: %s: cannot read sequences %zu to %zu", source->h5->path, source->header->x_name,
                      rows.begin, rows.end - 1);
}

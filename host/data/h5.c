/* h5.c: opening HDF5 files for reading, and one-line words for what is in them and what went wrong. See h5.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "h5.h"

typedef struct text_buffer {
    char *text;
    size_t size;
} text_buffer;

/* Appends to a text of bounded size; what does not fit is cut. */
static void append(text_buffer buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(text_buffer buffer, const char *format, ...) {
    const size_t used = strlen(buffer.text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer.text + used, buffer.size - used, format, arguments);
    va_end(arguments);
}

void xc_h5_silence(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

xc_status xc_h5_open(xc_h5 *h5, const char *path, xc_error *error) {
    char reason[256];
    *h5 = (xc_h5){.file = H5I_INVALID_HID, .path = path};
    H5Eget_auto2(H5E_DEFAULT, &h5->printer, &h5->printer_data);
    xc_h5_silence();
    if (access(path, R_OK) != 0) return xc_fail(error, XC_IO, "%s: cannot read: %s", path, strerror(errno));
    if (H5Fis_hdf5(path) <= 0) return xc_fail(error, XC_INPUT, "%s: not an HDF5 file", path);
    h5->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (h5->file < 0)
        return xc_fail(error, XC_INPUT, "%s: damaged or cut short: HDF5 says \"%s\"; copy it again", path,
                       xc_h5_reason(reason, sizeof reason));
    return XC_OK;
}

void xc_h5_close(xc_h5 *h5) {
    if (h5->file >= 0) H5Fclose(h5->file);
    h5->file = H5I_INVALID_HID;
    H5Eset_auto2(H5E_DEFAULT, h5->printer, h5->printer_data);
}

static herr_t take_first_reason(unsigned number, const H5E_error2_t *entry, void *context) {
    const text_buffer *buffer = context;
    if (number == 0) snprintf(buffer->text, buffer->size, "%s", entry->desc);
    return 0;
}

const char *xc_h5_reason(char *text, size_t size) {
    text_buffer buffer = {text, size};
    snprintf(text, size, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first_reason, &buffer);
    return text;
}

bool xc_h5_has(const xc_h5 *h5, const char *name) { return H5Lexists(h5->file, name, H5P_DEFAULT) > 0; }

const char *xc_h5_shape_word(int rank, const hsize_t *shape, char *text, size_t size) {
    const text_buffer buffer = {text, size};
    snprintf(text, size, "(");
    for (int axis = 0; axis < rank; axis++) append(buffer, "%s%llu", axis ? "," : "", (unsigned long long)shape[axis]);
    append(buffer, ")");
    return text;
}

xc_status xc_h5_dataset_open(const xc_h5 *h5, const char *name, hid_t access, hid_t *dataset, int *rank, hsize_t *shape,
                             int longest, xc_error *error) {
    char reason[256];
    *dataset = H5Dopen2(h5->file, name, access);
    if (*dataset < 0)
        return xc_fail(error, XC_INPUT, "%s: %s: cannot be opened as a dataset: HDF5 says \"%s\"", h5->path, name,
                       xc_h5_reason(reason, sizeof reason));
    const hid_t space = H5Dget_space(*dataset);
    *rank = H5Sget_simple_extent_ndims(space);
    if (*rank >= 0 && *rank <= longest) H5Sget_simple_extent_dims(space, shape, NULL);
    H5Sclose(space);
    return XC_OK;
}

static herr_t append_content(hid_t group, const char *name, const H5L_info_t *info, void *context) {
    const text_buffer *buffer = context;
    (void)info;
    char shape_word[128] = "";
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) == H5I_GROUP) snprintf(shape_word, sizeof shape_word, "(a group)");
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET) {
        hsize_t shape[H5S_MAX_RANK];
        const hid_t space = H5Dget_space(object);
        const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
        xc_h5_shape_word(rank, shape, shape_word, sizeof shape_word);
        H5Sclose(space);
    }
    if (object >= 0) H5Oclose(object);
    if (strlen(buffer->text) + strlen(name) + strlen(shape_word) + 8 > buffer->size) {
        append(*buffer, ", ...");
        return 1;
    }
    append(*buffer, "%s%s %s", *buffer->text ? ", " : "", name, shape_word);
    return 0;
}

void xc_h5_contents(const xc_h5 *h5, char *text, size_t size) {
    text_buffer buffer = {text, size};
    *text = 0;
    H5Literate(h5->file, H5_INDEX_NAME, H5_ITER_INC, NULL, append_content, &buffer);
    if (!*text) snprintf(text, size, "nothing");
}

bool xc_h5_type_word(hid_t type, char *text, size_t size) {
    const H5T_class_t class = H5Tget_class(type);
    const unsigned bits = 8 * (unsigned)H5Tget_size(type);
    const char *order = bits > 8 && H5Tget_order(type) == H5T_ORDER_BE ? " big-endian" : "";
    switch (class) {
        case H5T_INTEGER:
            snprintf(text, size, "%sint%u%s", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits, order);
            return true;
        case H5T_FLOAT:
            snprintf(text, size, "float%u%s", bits, order);
            return true;
        case H5T_ENUM:
            snprintf(text, size, "bool");
            return true; /* how h5py stores them */
        case H5T_STRING:
            snprintf(text, size, "strings");
            return false;
        case H5T_COMPOUND:
            snprintf(text, size, "records");
            return false;
        default:
            snprintf(text, size, "something else than numbers");
            return false;
    }
}

static void append_filter(text_buffer buffer, hid_t properties, unsigned number) {
    char name[64] = "";
    unsigned flags, values[8] = {0};
    size_t value_count = 8;
    const H5Z_filter_t filter =
        H5Pget_filter2(properties, number, &flags, &value_count, values, sizeof name, name, NULL);
    switch (filter) {
        case H5Z_FILTER_DEFLATE:
            append(buffer, ", deflate %u", values[0]);
            break;
        case H5Z_FILTER_SHUFFLE:
            append(buffer, ", shuffle");
            break;
        case H5Z_FILTER_FLETCHER32:
            append(buffer, ", fletcher32");
            break;
        case H5Z_FILTER_SZIP:
            append(buffer, ", szip");
            break;
        case H5Z_FILTER_NBIT:
            append(buffer, ", n-bit");
            break;
        case H5Z_FILTER_SCALEOFFSET:
            append(buffer, ", scale-offset");
            break;
        default:
            append(buffer, ", filter %d%s%.20s%s", (int)filter, *name ? " (" : "", name, *name ? ")" : "");
    }
}

void xc_h5_storage_word(hid_t dataset, char *text, size_t size) {
    const text_buffer buffer = {text, size};
    const hid_t properties = H5Dget_create_plist(dataset);
    hsize_t chunk[H5S_MAX_RANK];
    const H5D_layout_t layout = H5Pget_layout(properties);
    if (layout == H5D_CHUNKED) {
        char word[64];
        const int rank = H5Pget_chunk(properties, H5S_MAX_RANK, chunk);
        snprintf(text, size, "chunks %s", xc_h5_shape_word(rank, chunk, word, sizeof word));
        const int filters = H5Pget_nfilters(properties);
        for (int number = 0; number < filters; number++) append_filter(buffer, properties, (unsigned)number);
    } else {
        snprintf(text, size, "%s",
                 layout == H5D_COMPACT   ? "compact"
                 : layout == H5D_VIRTUAL ? "virtual"
                                         : "contiguous");
    }
    H5Pclose(properties);
}

xc_status xc_h5_check_filters(const xc_h5 *h5, hid_t dataset, const char *name, xc_error *error) {
    xc_status status = XC_OK;
    const hid_t properties = H5Dget_create_plist(dataset);
    const int filters = H5Pget_layout(properties) == H5D_CHUNKED ? H5Pget_nfilters(properties) : 0;
    for (int number = 0; number < filters && status == XC_OK; number++) {
        char filter_name[64] = "";
        unsigned flags;
        size_t value_count = 0;
        const H5Z_filter_t filter = H5Pget_filter2(properties, (unsigned)number, &flags, &value_count, NULL,
                                                   sizeof filter_name, filter_name, NULL);
        if (H5Zfilter_avail(filter) <= 0)
            status =
                xc_fail(error, XC_INPUT,
                        "%s: %s: compressed with filter %d%s%s%s, which HDF5 does not find here; install its plugin, "
                        "or write the file again with gzip",
                        h5->path, name, (int)filter, *filter_name ? " (" : "", filter_name, *filter_name ? ")" : "");
    }
    H5Pclose(properties);
    return status;
}

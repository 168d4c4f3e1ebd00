/* header.c: which datasets of a file are the sequences and labels of a split, and what shape and type they have. The
 * layouts are those of the paper and of Basset, told apart by the axis that is 4 long.
 */
#include <string.h>

#include "header.h"

/* Names that are searched, in this order, with the split's word for %s. */
static const char *const x_patterns[] = {"X_%s", "x_%s", "%s_in"};
static const char *const y_patterns[] = {"Y_%s", "y_%s", "%s_out"};
enum { PATTERNS = sizeof x_patterns / sizeof *x_patterns };

const char *xc_split_word(xc_split_name split) {
    static const char *const words[] = {"train", "valid", "test"};
    return words[split];
}

const char *xc_layout_word(xc_layout layout) {
    static const char *const words[] = {"(n,4,L)", "(n,4,L,1)", "(n,4,1,L)", "(n,L,4)"};
    return words[layout];
}

/* The name to open into `found`: `given` when there is one, else the first pattern that exists, else "". */
static xc_status find_name(const xc_h5 *h5, const char *given, const char *const *patterns, xc_split_name split,
                           char *found, size_t size, xc_error *error) {
    if (given) {
        char contents[512];
        if (strlen(given) >= size)
            return xc_fail(error, XC_INPUT, "%s: dataset name \"%.80s\" is longer than %zu bytes", h5->path, given,
                           size - 1);
        snprintf(found, size, "%s", given);
        if (xc_h5_has(h5, given)) return XC_OK;
        xc_h5_contents(h5, contents, sizeof contents);
        return xc_fail(error, XC_INPUT, "%s: no dataset \"%s\"; the file holds %s", h5->path, given, contents);
    }
    for (int i = 0; i < PATTERNS; i++) {
        const char *place = strstr(patterns[i], "%s");
        snprintf(found, size, "%.*s%s%s", (int)(place - patterns[i]), patterns[i], xc_split_word(split), place + 2);
        if (xc_h5_has(h5, found)) return XC_OK;
    }
    *found = 0;
    return XC_OK;
}

static bool find_layout(int rank, const hsize_t *shape, xc_split_header *header) {
    if (rank == 3 && shape[1] == 4) {
        header->layout = XC_LAYOUT_N4L;
        header->length = shape[2];
    } else if (rank == 3 && shape[2] == 4) {
        header->layout = XC_LAYOUT_NL4;
        header->length = shape[1];
    } else if (rank == 4 && shape[1] == 4 && shape[3] == 1) {
        header->layout = XC_LAYOUT_N4L1;
        header->length = shape[2];
    } else if (rank == 4 && shape[1] == 4 && shape[2] == 1) {
        header->layout = XC_LAYOUT_N41L;
        header->length = shape[3];
    } else {
        return false;
    }
    header->sequences = shape[0];
    return true;
}

static xc_status read_x_header(const xc_h5 *h5, xc_split_header *header, xc_error *error) {
    const char *name = header->x_name;
    hid_t dataset = H5I_INVALID_HID;
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    char word[128];
    xc_status status;
    XC_TRY(xc_h5_dataset_open(h5, name, H5P_DEFAULT, &dataset, &rank, shape, H5S_MAX_RANK, error));
    xc_h5_storage_word(dataset, header->storage, sizeof header->storage);
    const hid_t type = H5Dget_type(dataset);
    const bool numbers = xc_h5_type_word(type, header->type, sizeof header->type);
    H5Tclose(type);
    xc_h5_shape_word(rank, shape, word, sizeof word);
    if (!numbers)
        status = xc_fail(error, XC_INPUT, "%s: %s: holds %s, not numbers", h5->path, name, header->type);
    else if (!find_layout(rank, shape, header))
        status =
            xc_fail(error, XC_INPUT, "%s: %s: has shape %s; sequences are (n,4,L), (n,4,L,1), (n,4,1,L) or (n,L,4)",
                    h5->path, name, word);
    else if (header->sequences == 0 || header->length == 0)
        status = xc_fail(error, XC_INPUT, "%s: %s: is empty, shape %s", h5->path, name, word);
    else if (header->sequences >= XC_REVERSE_COMPLEMENT || header->length > 1048575)
        status =
            xc_fail(error, XC_INPUT, "%s: %s: has shape %s; at most 2147483647 sequences of 1048575 bases can be read",
                    h5->path, name, word);
fail:
    if (dataset >= 0) H5Dclose(dataset);
    return status;
}

static xc_status read_y_header(const xc_h5 *h5, xc_split_header *header, xc_error *error) {
    const char *name = header->y_name;
    hid_t dataset = H5I_INVALID_HID;
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    char word[128], type_word[32];
    xc_status status;
    XC_TRY(xc_h5_dataset_open(h5, name, H5P_DEFAULT, &dataset, &rank, shape, H5S_MAX_RANK, error));
    const hid_t type = H5Dget_type(dataset);
    const bool numbers = xc_h5_type_word(type, type_word, sizeof type_word);
    H5Tclose(type);
    const hsize_t classes = rank == 2 ? shape[1] : 1;
    xc_h5_shape_word(rank, shape, word, sizeof word);
    if (!numbers)
        status = xc_fail(error, XC_INPUT, "%s: %s: holds %s, not numbers", h5->path, name, type_word);
    else if ((rank != 1 && rank != 2) || classes > INT32_MAX)
        status = xc_fail(error, XC_INPUT, "%s: %s: has shape %s; labels are (n) or (n,classes)", h5->path, name, word);
    else if (classes == 0)
        status = xc_fail(error, XC_INPUT, "%s: %s: is empty, shape %s", h5->path, name, word);
    else if (shape[0] != header->sequences)
        status = xc_fail(error, XC_INPUT, "%s: %s holds %llu sequences, but %s labels for %llu", h5->path,
                         header->x_name, (unsigned long long)header->sequences, name, (unsigned long long)shape[0]);
    else
        header->classes = (int32_t)classes;
fail:
    if (dataset >= 0) H5Dclose(dataset);
    return status;
}

xc_status xc_header_read(const xc_h5 *h5, const xc_data_names *names, xc_split_name split, xc_split_header *header,
                         xc_error *error) {
    xc_status status;
    *header = (xc_split_header){0};
    XC_TRY(
        find_name(h5, names ? names->x[split] : NULL, x_patterns, split, header->x_name, sizeof header->x_name, error));
    if (!*header->x_name) return XC_OK;
    const char *y = names ? names->y[split] : NULL;
    if (!y || *y) XC_TRY(find_name(h5, y, y_patterns, split, header->y_name, sizeof header->y_name, error));
    XC_TRY(read_x_header(h5, header, error));
    if (*header->y_name) XC_TRY(read_y_header(h5, header, error));
    header->present = true;
fail:
    return status;
}

xc_status xc_headers_check(const xc_h5 *h5, const xc_split_header *header, xc_error *error) {
    const xc_split_header *first = NULL;
    for (int split = 0; split < XC_SPLIT_COUNT; split++) {
        const xc_split_header *other = &header[split];
        if (!other->present) continue;
        if (!first) first = other;
        if (other->length != first->length)
            return xc_fail(error, XC_INPUT, "%s: %s has sequences of %llu bases, but %s of %llu", h5->path,
                           first->x_name, (unsigned long long)first->length, other->x_name,
                           (unsigned long long)other->length);
        if (other->classes == first->classes) continue;
        if (!first->classes || !other->classes)
            return xc_fail(error, XC_INPUT, "%s: %s has labels (%s), but there are none for %s", h5->path,
                           first->classes ? first->x_name : other->x_name,
                           first->classes ? first->y_name : other->y_name,
                           first->classes ? other->x_name : first->x_name);
        return xc_fail(error, XC_INPUT, "%s: %s has %d classes, but %s has %d", h5->path, first->y_name, first->classes,
                       other->y_name, other->classes);
    }
    return XC_OK;
}

xc_status xc_header_missing(const xc_h5 *h5, xc_split_name split, xc_error *error) {
    const char *word = xc_split_word(split);
    char contents[512];
    xc_h5_contents(h5, contents, sizeof contents);
    return xc_fail(
        error, XC_INPUT,
        "%s: no %s sequences: looked for X_%s, x_%s and %s_in; the file holds %s; name the dataset in the config",
        h5->path, word, word, word, word, contents);
}

bool xc_header_has_model(const xc_h5 *h5) {
    for (int split = 0; split < XC_SPLIT_COUNT; split++) {
        char name[32];
        snprintf(name, sizeof name, "model_%s", xc_split_word(split));
        if (xc_h5_has(h5, name)) return true;
    }
    return false;
}

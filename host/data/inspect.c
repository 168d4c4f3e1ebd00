/* inspect.c: `expconv inspect`: one table with a column for each split: layout, storage, base composition, class
 * balance, memory at rest and the first fault. Everything that can be read is printed before a fault becomes the error.
 */
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "table.h"

/* Classes that get a row of their own; of more, the extremes are shown. */
enum { CLASSES_SHOWN = 20 };
/* The label of the row with the names of the splits. */
#define HEAD " "

typedef struct inspection {
    xc_h5 h5;
    int threads;
    xc_split_header header[XC_SPLIT_COUNT];
    xc_error fault; /* the first */
    xc_table table;
    char **class_names; /* (class_name_count) from target_labels, or NULL */
    size_t class_name_count;
} inspection;

/* ---- class names ------------------------------------------------------------------------------------------------ */

/* Basset's target_labels, strings of fixed or variable length. Files without are common and no fault. */
static void read_class_names(inspection *in) {
    hid_t dataset = H5I_INVALID_HID;
    int rank = 0;
    hsize_t count = 0;
    if (!xc_h5_has(&in->h5, "target_labels")) return;
    if (xc_h5_dataset_open(&in->h5, "target_labels", H5P_DEFAULT, &dataset, &rank, &count, 1, NULL) != XC_OK) return;
    const hid_t type = H5Dget_type(dataset);
    const size_t size = H5Tget_size(type);
    const bool strings = H5Tget_class(type) == H5T_STRING && rank == 1 && count <= 100000;
    const bool variable = strings && H5Tis_variable_str(type) > 0;
    char *values = strings ? calloc(count, size) : NULL;
    if (values && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0)
        in->class_names = calloc(count, sizeof *in->class_names);
    for (size_t i = 0; in->class_names && i < count; i++) {
        char *pointer = NULL;
        if (variable) memcpy(&pointer, values + i * size, sizeof pointer);
        in->class_names[i] = variable ? strdup(pointer ? pointer : "") : strndup(values + i * size, size);
        in->class_name_count = i + 1;
    }
    if (variable && in->class_names) {
        const hid_t space = H5Dget_space(dataset);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
        H5Sclose(space);
    }
    free(values);
    H5Tclose(type);
    H5Dclose(dataset);
}

/* ---- bases ------------------------------------------------------------------------------------------------------ */

/* Counts A C G T N from the packed bytes: a byte's four bases through a histogram of bytes. */
static void count_bases(const xc_dna_view *dna, uint64_t *count) {
    uint64_t bytes[256] = {0};
    const size_t total = (size_t)dna->sequences * dna->row_bytes;
    for (size_t i = 0; i < total; i++) bytes[dna->bases[i]]++;
    for (int byte = 0; byte < 256; byte++)
        for (int place = 0; place < 4; place++) count[byte >> 2 * place & 3] += bytes[byte];
    /* What fills the last byte of a row, and N, are stored as A. */
    count[0] -= (uint64_t)dna->sequences * (4 * dna->row_bytes - dna->length);
    for (uint32_t run = 0; dna->run_start && run < dna->run_start[dna->sequences]; run++)
        count[XC_BASE_N] += dna->runs[run] & XC_RUN_LONGEST;
    count[0] -= count[XC_BASE_N];
}

static size_t dna_bytes(const xc_dna_view *dna) {
    size_t bytes = (size_t)dna->sequences * dna->row_bytes;
    if (dna->run_start) bytes += ((size_t)dna->sequences + 1 + dna->run_start[dna->sequences]) * sizeof(uint32_t);
    return bytes;
}

static void show_bases(inspection *in, int column, const xc_dna_view *dna) {
    static const char *const letters[] = {"A", "C", "G", "T", "N"};
    uint64_t count[5] = {0};
    const double total = (double)dna->sequences * dna->length;
    count_bases(dna, count);
    for (int base = 0; base < 5; base++)
        xc_table_set(&in->table, letters[base], column, "%.2f %%", 100 * (double)count[base] / total);
    const double known = total - (double)count[XC_BASE_N];
    xc_table_set(&in->table, "GC", column, "%.2f %%", known > 0 ? 100 * (double)(count[1] + count[2]) / known : 0);
    xc_table_set(&in->table, "memory", column, "%.3f bytes a base", (double)dna_bytes(dna) / total);
}

/* ---- labels ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void class_label(const inspection *in, int32_t class, char *label, size_t size) {
    const bool named = in->class_names && (size_t) class < in->class_name_count && in->class_names[class];
    snprintf(label, size, "class %d%s%.60s", class, named ? " " : "", named ? in->class_names[class] : "");
}

/* One row a class, or its summary: positives and their share where labels are 0 and 1, else the mean. */
static void show_labels(inspection *in, int column, const xc_split *split) {
    const size_t classes = (size_t)split->classes, sequences = split->dna.sequences;
    const bool binary = xc_split_check_binary(split, "", NULL) == XC_OK;
    double *mean = calloc(classes, sizeof *mean);
    if (!mean) return;
    for (size_t i = 0; i < sequences; i++)
        for (size_t class = 0; class < classes; class ++) mean[class] += (double)split->labels[i * classes + class];
    for (size_t class = 0; class < classes; class ++) {
        char label[96], positives[32];
        const double sum = mean[class];
        mean[class] /= (double)sequences;
        if (classes > CLASSES_SHOWN) continue;
        class_label(in, (int32_t) class, label, sizeof label);
        if (binary)
            xc_table_set(&in->table, label, column, "%6s  %5.2f %%", xc_thousands((uint64_t)sum, positives),
                         100 * mean[class]);
        else
            xc_table_set(&in->table, label, column, "mean %.4g", mean[class]);
    }
    if (classes > CLASSES_SHOWN) {
        const char *format = binary ? "%.2f %% positive" : "mean %.4g";
        const double scale = binary ? 100 : 1;
        qsort(mean, classes, sizeof *mean, by_value);
        xc_table_set(&in->table, "lowest class", column, format, scale * mean[0]);
        xc_table_set(&in->table, "median class", column, format, scale * mean[classes / 2]);
        xc_table_set(&in->table, "highest class", column, format, scale * mean[classes - 1]);
    }
    free(mean);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static void note_fault(inspection *in, int column, const xc_error *error) {
    xc_table_set(&in->table, "fault", column, "found");
    if (in->fault.status == XC_OK) in->fault = *error;
}

static void show_header(inspection *in, int column, const xc_split_header *header) {
    char number[32];
    xc_table_set(&in->table, HEAD, column, "%s", xc_split_word(column));
    xc_table_set(&in->table, "sequences", column, "%s", xc_thousands(header->sequences, number));
    xc_table_set(&in->table, "length", column, "%s", xc_thousands(header->length, number));
    xc_table_set(&in->table, "dataset", column, "%s %s", header->x_name, xc_layout_word(header->layout));
    xc_table_set(&in->table, "type", column, "%s", header->type);
    xc_table_set(&in->table, "storage", column, "%s", header->storage);
    if (header->classes)
        xc_table_set(&in->table, "labels", column, "%s, %d class%s", header->y_name, header->classes,
                     header->classes == 1 ? "" : "es");
    else
        xc_table_set(&in->table, "labels", column, "none");
}

/* Rows in the order they are shown, whatever split fills them first. */
static void lay_out_rows(inspection *in) {
    static const char *const before[] = {"sequences", "length", "dataset", "type",  "storage", "memory",
                                         "fault",     "",       "A",       "C",     "G",       "T",
                                         "N",         "GC",     "",        "labels"};
    xc_table_row(&in->table, HEAD);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) xc_table_row(&in->table, "%s", before[i]);
}

static void inspect_split(inspection *in, xc_split_name name) {
    xc_split split = {0};
    xc_error error = {0};
    show_header(in, name, &in->header[name]);
    if (xc_split_read(&in->h5, &in->header[name], false, in->threads, &split, &error) != XC_OK) {
        note_fault(in, name, &error);
        return;
    }
    xc_table_set(&in->table, "fault", name, "none");
    show_bases(in, name, &split.dna);
    if (split.classes) show_labels(in, name, &split);
    xc_split_free(&split);
}

static xc_status inspect_file(inspection *in, const xc_data_names *names, FILE *stream, xc_error *error) {
    int present = 0;
    lay_out_rows(in);
    read_class_names(in);
    for (int split = 0; split < XC_SPLIT_COUNT; split++) {
        xc_error reason = {0};
        if (xc_header_read(&in->h5, names, split, &in->header[split], &reason) != XC_OK) {
            xc_table_set(&in->table, HEAD, split, "%s", xc_split_word(split));
            note_fault(in, split, &reason);
        }
        in->table.shown[split] = in->header[split].present || reason.status != XC_OK;
        present += in->table.shown[split];
        if (in->header[split].present) inspect_split(in, split);
    }
    if (!present) return xc_header_missing(&in->h5, XC_TRAIN, error);
    fprintf(stream, "%s\n\n", in->h5.path);
    xc_table_print(&in->table, stream);
    fprintf(stream, "\n%s\n",
            xc_header_has_model(&in->h5) ? "model_* holds the probabilities that the sequences were drawn from"
                                         : "no model_* (probabilities that the sequences were drawn from)");
    if (in->fault.status == XC_OK) return xc_headers_check(&in->h5, in->header, error);
    return xc_fail(error, in->fault.status, "%s", in->fault.text);
}

xc_status xc_inspect(const char *path, const xc_data_names *names, int threads, FILE *stream, xc_error *error) {
    inspection *in;
    xc_status status;
    XC_TRY(xc_allocate(&in, 1, sizeof *in, "inspection", error));
    in->threads = threads > 0 ? threads : xc_core_count();
    in->threads = threads > 0 ? threads : xc_core_count();
    status = xc_h5_open(&in->h5, path, error);
    if (status == XC_OK) status = inspect_file(in, names, stream, error);
    xc_h5_close(&in->h5);
    for (size_t i = 0; i < in->class_name_count; i++) free(in->class_names[i]);
    free(in->class_names);
    free(in);
fail:
    return status;
}

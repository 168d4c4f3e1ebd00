/* dataset.c: a file's splits: headers first, then the sequences and labels of the splits that are wanted.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "sequences.h"

/* Labels of any numeric type to *labels (sequences, classes). */
static xc_status read_labels(const xc_h5 *h5, const xc_split_header *header, const float **labels, xc_error *error) {
    const size_t classes = (size_t)header->classes;
    float *values = NULL;
    hid_t dataset = H5I_INVALID_HID;
    int rank;
    hsize_t shape[2];
    char reason[256];
    xc_status status;
    XC_TRY(xc_h5_dataset_open(h5, header->y_name, H5P_DEFAULT, &dataset, &rank, shape, 2, error));
    XC_TRY(xc_h5_check_filters(h5, dataset, header->y_name, error));
    XC_TRY(xc_allocate(&values, header->sequences * classes, sizeof *values, "labels", error));
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        status = xc_fail(error, XC_INPUT, "%s: %s: cannot be read: HDF5 says \"%s\"", h5->path, header->y_name,
                         xc_h5_reason(reason, sizeof reason));
        goto fail;
    }
    for (size_t i = 0; i < header->sequences * classes; i++) {
        if (isfinite(values[i])) continue;
        status = xc_fail(error, XC_INPUT,
                         "%s: %s: the label of sequence %zu, class %zu is %g; labels must be finite numbers", h5->path,
                         header->y_name, i / classes, i % classes, (double)values[i]);
        goto fail;
    }
    *labels = values;
    values = NULL;
fail:
    if (dataset >= 0) H5Dclose(dataset);
    free(values);
    return status;
}

xc_status xc_split_read(const xc_h5 *h5, const xc_split_header *header, bool reverse_complement, int threads,
                        xc_split *split, xc_error *error) {
    xc_status status;
    XC_TRY(xc_sequences_read(h5, header, threads, &split->dna, error));
    split->classes = header->classes;
    split->reverse_complement = reverse_complement;
    if (header->classes) XC_TRY(read_labels(h5, header, &split->labels, error));
    return XC_OK;
fail:
    xc_split_free(split);
    return status;
}

static xc_status read_all(const xc_h5 *h5, const xc_data_names *names, unsigned wanted, bool reverse_complement,
                          int threads, xc_dataset *dataset, xc_error *error) {
    xc_status status;
    for (int split = 0; split < XC_SPLIT_COUNT; split++) {
        if (wanted && !(wanted >> split & 1)) continue; /* what was not asked for need not fit */
        XC_TRY(xc_header_read(h5, names, split, &dataset->header[split], error));
        if (!dataset->header[split].present && wanted >> split & 1) return xc_header_missing(h5, split, error);
    }
    XC_TRY(xc_headers_check(h5, dataset->header, error));
    dataset->has_model = xc_header_has_model(h5);
    for (int split = 0; split < XC_SPLIT_COUNT; split++)
        if (wanted >> split & 1)
            XC_TRY(
                xc_split_read(h5, &dataset->header[split], reverse_complement, threads, &dataset->split[split], error));
fail:
    return status;
}

xc_status xc_dataset_read(const char *path, const xc_data_names *names, unsigned wanted, bool reverse_complement,
                          int threads, xc_dataset *dataset, xc_error *error) {
    xc_h5 h5;
    memset(dataset, 0, sizeof *dataset);
    snprintf(dataset->path, sizeof dataset->path, "%s", path);
    xc_status status = xc_h5_open(&h5, path, error);
    if (status == XC_OK) status = read_all(&h5, names, wanted, reverse_complement, threads, dataset, error);
    xc_h5_close(&h5);
    return status;
}

void xc_dataset_free(xc_dataset *dataset) {
    for (int split = 0; split < XC_SPLIT_COUNT; split++) xc_split_free(&dataset->split[split]);
}

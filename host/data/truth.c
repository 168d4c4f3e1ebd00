/* truth.c: the probabilities that simulated sequences were drawn from, read as the sequences are: any of their layouts,
 * any type of number.
 */
#include <stdlib.h>

#include "header.h"
#include "slab.h"

struct xc_truth {
    xc_h5 h5;
    xc_split_header header;
    xc_source source;
    bool is_open;
    double *values; /* one sequence */
};

xc_status xc_truth_open(const char *path, xc_split_name split, const xc_split *of, xc_truth **out, xc_error *error) {
    xc_status status;
    xc_truth *truth = NULL;
    char name[32];
    xc_data_names names = {0};
    *out = NULL;
    XC_TRY(xc_allocate(&truth, 1, sizeof *truth, "the ground truth", error));
    truth->h5.file = H5I_INVALID_HID;
    snprintf(name, sizeof name, "model_%s", xc_split_word(split));
    names.x[split] = name;
    names.y[split] = "";
    XC_TRY(xc_h5_open(&truth->h5, path, error));
    if (!xc_h5_has(&truth->h5, name)) {
        status = xc_fail(error, XC_INPUT,
                         "%s: no %s, the probabilities that its sequences were drawn from; expconv "
                         "simulate writes them, real data has none",
                         path, name);
        goto fail;
    }
    XC_TRY(xc_header_read(&truth->h5, &names, split, &truth->header, error));
    const xc_split_header *h = &truth->header;
    if (h->sequences != of->dna.sequences || h->length != of->dna.length) {
        status =
            xc_fail(error, XC_INPUT, "%s: %s is of %llu sequences of %llu bases, but there are %u of %u", path, name,
                    (unsigned long long)h->sequences, (unsigned long long)h->length, of->dna.sequences, of->dna.length);
        goto fail;
    }
    truth->is_open = true;
    XC_TRY(xc_source_open(&truth->source, &truth->h5, h, error));
    XC_TRY(xc_allocate(&truth->values, 4 * (size_t)h->length, sizeof *truth->values, "the ground truth", error));
    *out = truth;
    return XC_OK;
fail:
    xc_truth_close(truth);
    return status;
}

xc_status xc_truth_read(xc_truth *truth, uint32_t index, float *probabilities, xc_error *error) {
    const size_t sequence = index & ~XC_REVERSE_COMPLEMENT, length = truth->header.length;
    const bool reverse = index & XC_REVERSE_COMPLEMENT;
    const xc_range rows = {sequence, sequence + 1};
    if (xc_source_read(&truth->source, H5T_NATIVE_DOUBLE, rows, truth->values, error) != XC_OK)
        return xc_source_unread(&truth->source, rows, error);
    const xc_slab_box box = xc_slab_box_of(&truth->source, 1, 4, length);
    for (size_t b = 0; b < 4; b++)
        for (size_t l = 0; l < length; l++) {
            const double p = truth->values[b * box.channel_stride + l * box.position_stride];
            const size_t to = reverse ? (3 - b) * length + (length - 1 - l) : b * length + l;
            probabilities[to] = (float)p;
        }
    return XC_OK;
}

void xc_truth_close(xc_truth *truth) {
    if (truth == NULL) return;
    if (truth->is_open) xc_source_close(&truth->source);
    if (truth->h5.path) xc_h5_close(&truth->h5);
    free(truth->values);
    free(truth);
}

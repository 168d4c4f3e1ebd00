/* inference.c: logits of a split's items in their own order, by batches that begin at multiples of the batch size, for
 * every trial of a pack at once. Training's validation and the commands that use a trained network go the same way, so
 * they see the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

int32_t xc_batch_needed(const xc_train_config *config, const xc_dataset *dataset) {
    size_t most = 1;
    for (int s = 0; s < XC_SPLIT_COUNT; s++) {
        const size_t items = xc_split_items(&dataset->split[s]);
        if (items > most) most = items;
    }
    return (int32_t)(config->batch < most ? config->batch : most);
}

xc_status xc_inference_open(xc_inference *inference, int32_t trials, int32_t batch, int32_t classes, xc_error *error) {
    xc_status status = XC_OK;
    const size_t rows = (size_t)trials * (size_t)batch;
    *inference = (xc_inference){.batch = batch, .trials = trials};
    XC_TRY(xc_allocate(&inference->index, rows, sizeof(uint32_t), "inference", error));
    XC_TRY(xc_allocate(&inference->batch_logits, rows * (size_t)classes, sizeof(float), "inference", error));
    return XC_OK;
fail:
    xc_inference_close(inference);
    return status;
}

void xc_inference_close(xc_inference *inference) {
    free(inference->index);
    free(inference->batch_logits);
    inference->index = NULL;
    inference->batch_logits = NULL;
}

xc_status xc_inference_batch(xc_inference *inference, xc_pack *pack, const xc_device_split *device,
                             const xc_split *split, size_t first, size_t end, float *logits, size_t trial_stride,
                             xc_error *error) {
    const size_t batch = end - first, classes = (size_t)split->classes;
    const size_t trials = (size_t)xc_pack_trials(pack);
    for (size_t t = 0; t < trials; t++)
        for (size_t n = 0; n < batch; n++) inference->index[t * batch + n] = xc_split_index(split, first + n);
    const xc_status status = xc_pack_forward(pack, device, inference->index, (int32_t)batch, false, error);
    if (status != XC_OK) return status;
    xc_pack_logits(pack, inference->batch_logits);
    for (size_t t = 0; t < trials; t++)
        memcpy(logits + t * trial_stride + first * classes, inference->batch_logits + t * batch * classes,
               batch * classes * sizeof(float));
    return XC_OK;
}

xc_status xc_inference_split(xc_inference *inference, xc_pack *pack, const xc_device_split *device,
                             const xc_split *split, float *logits, xc_error *error) {
    const size_t items = xc_split_items(split), step = (size_t)inference->batch;
    xc_status status = XC_OK;
    for (size_t first = 0; first < items && status == XC_OK; first += step) {
        const size_t end = items - first < step ? items : first + step;
        status = xc_inference_batch(inference, pack, device, split, first, end, logits, items * (size_t)split->classes,
                                    error);
    }
    return status;
}

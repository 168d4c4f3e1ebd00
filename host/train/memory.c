/* memory.c: what a pack of trials takes of a device's memory, counted before it is asked for, and the line that refuses
 * a trial for which there is not enough.
 */
#include "room.h"

/* Bytes of a batch of the larger one of two splits, when these are streamed. */
static size_t batch_bytes(const xc_train_data *data, xc_split_name one, xc_split_name other, int32_t trials,
                          int32_t batch) {
    const size_t first = xc_device_split_batch_bytes(&data->split[one], trials, batch);
    const size_t second = xc_device_split_batch_bytes(&data->split[other], trials, batch);
    return first > second ? first : second;
}

size_t xc_train_bytes(const xc_backend *backend, const xc_train_data *data, const xc_config *config,
                      const xc_model *model, int32_t trials) {
    const int32_t batch = xc_batch_needed(&config->train, data->dataset);
    const size_t items = xc_split_items(&data->dataset->split[XC_TRAIN]);
    const size_t orders = data->split[XC_TRAIN].streamed ? 0 : (size_t)trials * items * sizeof(uint32_t);
    const size_t training = xc_pack_bytes(model, backend, trials, batch, XC_FOR_TRAINING) + orders;
    const size_t inference = xc_pack_bytes(model, backend, 1, batch, XC_FOR_INFERENCE);
    const size_t streamed = 2 * batch_bytes(data, XC_TRAIN, XC_VALID, trials, batch);
    return training + streamed + inference + batch_bytes(data, XC_VALID, XC_TEST, 1, batch);
}

void xc_bytes_write(size_t bytes, char text[24]) {
    const double megabytes = (double)bytes / 1e6;
    if (megabytes >= 10e3)
        snprintf(text, 24, "%.1f GB", megabytes / 1e3);
    else
        snprintf(text, 24, "%.*f MB", megabytes < 10 ? 1 : 0, megabytes);
}

xc_status xc_train_refuse_memory(const xc_backend *backend, const xc_model *model, int32_t batch, size_t wanted,
                                 xc_error *error) {
    static const char advice[] = "use a smaller train.batch, end what else uses the device, or take --device cpu";
    char takes[24], has[24];
    xc_bytes_write(wanted, takes);
    if (!backend->free_memory)
        return xc_fail(error, XC_MEMORY, "model %s: no memory on %s for one trial at batch %d, which takes %s; %s",
                       model->name, backend->name, batch, takes, advice);
    const size_t left = backend->free_memory(backend);
    xc_bytes_write(left, has);
    return xc_fail(error, XC_MEMORY, "model %s: no memory on %s for one trial at batch %d, which takes %s%s %s %s; %s",
                   model->name, backend->name, batch, takes, left < wanted ? ":" : ", although", has,
                   left < wanted ? "are free" : "are said to be free", advice);
}

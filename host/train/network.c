/* network.c: a trained trial used: its folder opened, and logits of any split by many threads. Threads take batches of
 * fixed bounds, each with a small pack of its own, so the bytes do not depend on how many there are.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

static xc_status in_folder(const char *folder, const char *name, char **path, xc_error *error) {
    *path = xc_path_join(folder, name);
    return *path ? XC_OK : xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
}

xc_status xc_network_open(const char *folder, xc_network *network, xc_error *error) {
    xc_status status = XC_OK;
    char *config_path = NULL, *weights_path = NULL;
    int32_t length, classes;
    memset(network, 0, sizeof *network);
    XC_TRY(in_folder(folder, XC_CONFIG_FILE, &config_path, error));
    XC_TRY(in_folder(folder, XC_WEIGHTS_FILE, &weights_path, error));
    if (!xc_path_exists(config_path) || !xc_path_exists(weights_path)) {
        status = xc_fail(error, XC_INPUT, "%s: not the folder of a finished trial, which holds %s and %s", folder,
                         XC_CONFIG_FILE, XC_WEIGHTS_FILE);
        goto fail;
    }
    XC_TRY(xc_config_read(config_path, NULL, 0, &network->config, error));
    XC_TRY(xc_weights_shape(weights_path, &length, &classes, error));
    XC_TRY(xc_model_build(&network->config->model, length, classes, &network->model, error));
    XC_TRY(xc_allocate(&network->state.parameters, network->model.parameter_count, sizeof(float), "weights", error));
    XC_TRY(xc_allocate(&network->state.running, network->model.running_count, sizeof(float), "weights", error));
    XC_TRY(xc_weights_read(weights_path, &network->model, &network->state, error));
fail:
    free(config_path);
    free(weights_path);
    if (status != XC_OK) xc_network_close(network);
    return status;
}

void xc_network_close(xc_network *network) {
    xc_config_free(network->config);
    free(network->state.parameters);
    free(network->state.running);
    memset(network, 0, sizeof *network);
}

/* What the threads share. */
typedef struct shared_work {
    const xc_network *network;
    const xc_backend *backend;
    const xc_split *split;
    xc_device_split device;
    size_t items, batch;
    float *logits;      /* (items,classes) */
    atomic_size_t next; /* first item that no thread has taken */
    atomic_bool failed;
    xc_error *error; /* (threads) */
} shared_work;

static xc_status work_batches(shared_work *work, xc_pack *pack, xc_inference *inference, xc_error *error) {
    for (;;) {
        const size_t first = atomic_fetch_add(&work->next, work->batch);
        if (first >= work->items || atomic_load(&work->failed)) return XC_OK;
        const size_t end = work->items - first < work->batch ? work->items : first + work->batch;
        xc_status status = xc_go_on(error);
        if (status == XC_OK)
            status =
                xc_inference_batch(inference, pack, &work->device, work->split, first, end, work->logits, 0, error);
        if (status != XC_OK) return status;
    }
}

static void work_thread(void *context, int thread) {
    shared_work *work = context;
    xc_status status = XC_OK;
    xc_error *error = &work->error[thread];
    const xc_network *network = work->network;
    const xc_activation activation = xc_config_activation(network->config);
    xc_pack *pack = NULL;
    xc_inference inference = {0};
    XC_TRY(xc_pack_create(work->backend, &network->model, 1, (int32_t)work->batch, XC_FOR_INFERENCE, &pack, error));
    XC_TRY(xc_inference_open(&inference, 1, (int32_t)work->batch, network->model.classes, error));
    xc_pack_set(pack, 0, &network->state, &activation, network->config->train.seed);
    XC_TRY(work_batches(work, pack, &inference, error));
fail:
    error->status = status;
    if (status != XC_OK) atomic_store(&work->failed, true);
    xc_inference_close(&inference);
    xc_pack_free(pack);
}

xc_status xc_network_logits(const xc_network *network, const xc_backend *backend, const xc_split *split, int threads,
                            float *logits, xc_error *error) {
    xc_status status = XC_OK;
    /* The network's classes, whatever labels the split has: FASTA has none. */
    xc_split shaped = *split;
    shaped.classes = network->model.classes;
    shared_work work = {.network = network,
                        .backend = backend,
                        .split = &shaped,
                        .items = xc_split_items(split),
                        .batch = network->config->train.batch,
                        .logits = logits};
    if ((int32_t)split->dna.length != network->model.length)
        return xc_fail(error, XC_INPUT, "the sequences have length %u, but the network was trained on %d",
                       (unsigned)split->dna.length, (int)network->model.length);
    const size_t batches = (work.items + work.batch - 1) / work.batch;
    if (work.batch > work.items && work.items > 0) work.batch = work.items;
    if (threads < 1) threads = 1;
    if ((size_t)threads > batches) threads = batches > 0 ? (int)batches : 1;
    XC_TRY(xc_allocate(&work.error, (size_t)threads, sizeof *work.error, "threads", error));
    XC_TRY(xc_device_split_open(backend, split, &work.device, error));
    xc_parallel(threads, work_thread, &work);
    for (int i = 0; i < threads && status == XC_OK; i++) {
        status = work.error[i].status;
        if (status != XC_OK && error) *error = work.error[i];
    }
    xc_device_split_close(&work.device);
fail:
    free(work.error);
    return status;
}

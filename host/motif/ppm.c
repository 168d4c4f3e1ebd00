/* ppm.c: position probability matrices of the first layer's filters from a split: runs the first block over all items
 * in batches that the second cache holds, has the hits collected and counted, and makes motifs of the counts. Each
 * thread has a contiguous part of the items; counts are integers, so that their sum does not depend on the parts.
 */
#include <assert.h>
#include <stdlib.h>

#include "ppm.h"

/* Activations of a batch: with what the forward pass keeps beside them they stay near the core; more where a call costs
 * more than its work. */
#define HOST_BATCH_BYTES (200 << 10)
#define DEVICE_BATCH_BYTES (64 << 20)

/* What the threads share. */
typedef struct shared_work {
    const xc_network *network;
    const xc_backend *backend;
    const xc_split *split;
    const xc_model *first; /* its first block */
    xc_device_split device;
    xc_ppm_plan plan;
    size_t items, batch;
    int threads;
    float *largest;        /* (filters) over all threads */
    bool *again;           /* (filters) some thread gave it up */
    struct worker *worker; /* (threads) */
} shared_work;

typedef struct worker {
    xc_ppm_collector collector;
    xc_pack *pack;
    uint32_t *index;    /* (batch) */
    float *activations; /* (batch,conv_length,filters), where the backend lends none */
    size_t begin, end;  /* items */
    xc_error error;
} worker;

static xc_status open_worker(const shared_work *work, worker *w) {
    xc_status status;
    const xc_activation activation = xc_config_activation(work->network->config);
    xc_error *error = &w->error;
    XC_TRY(xc_pack_create(work->backend, work->first, 1, (int32_t)work->batch, XC_FOR_INFERENCE, &w->pack, error));
    XC_TRY(xc_allocate(&w->index, work->batch, sizeof *w->index, "a batch", error));
    if (!work->backend->host_memory)
        XC_TRY(xc_allocate(&w->activations, work->batch * (size_t)work->first->classes, sizeof(float), "activations",
                           error));
    xc_pack_set(w->pack, 0, &work->network->state, &activation, 0);
    XC_TRY(xc_ppm_open(&w->collector, &work->plan, error));
fail:
    return status;
}

static void close_worker(worker *w) {
    xc_ppm_close(&w->collector);
    xc_pack_free(w->pack);
    free(w->index);
    free(w->activations);
}

static xc_status read_batch(const shared_work *work, worker *w, size_t first, size_t count) {
    xc_status status;
    XC_TRY(xc_go_on(&w->error));
    for (size_t i = 0; i < count; i++) w->index[i] = xc_split_index(work->split, first + i);
    XC_TRY(xc_pack_forward(w->pack, &work->device, w->index, (int32_t)count, false, &w->error));
    const float *activations = xc_pack_lend_logits(w->pack);
    if (!activations) xc_pack_logits(w->pack, w->activations);
    if (!activations) activations = w->activations;
    for (size_t i = 0; i < count; i++)
        XC_TRY(xc_ppm_scan(&w->collector, w->index[i], activations + i * (size_t)work->first->classes));
fail:
    return status;
}

/* One reading of a thread's items. */
static xc_status read_items(const shared_work *work, worker *w) {
    for (size_t first = w->begin; first < w->end; first += work->batch) {
        const size_t left = w->end - first;
        const xc_status status = read_batch(work, w, first, left < work->batch ? left : work->batch);
        if (status != XC_OK) return status;
    }
    return XC_OK;
}

static void read_first(void *context, int thread) {
    const shared_work *work = context;
    worker *w = &work->worker[thread];
    w->error.status = open_worker(work, w);
    if (w->error.status == XC_OK) w->error.status = read_items(work, w);
}

/* Counts what the first reading found, and reads again for the filters that were given up. */
static void read_second(void *context, int thread) {
    const shared_work *work = context;
    worker *w = &work->worker[thread];
    bool any = false;
    for (uint32_t f = 0; f < work->plan.filters; f++) any |= work->again[f];
    xc_ppm_know(&w->collector, work->largest, work->again);
    if (any) w->error.status = read_items(work, w);
    xc_ppm_finish(&w->collector);
}

static xc_status first_error(const shared_work *work, xc_error *error) {
    for (int i = 0; i < work->threads; i++) {
        if (work->worker[i].error.status == XC_OK) continue;
        if (error) *error = work->worker[i].error;
        return work->worker[i].error.status;
    }
    return XC_OK;
}

/* Parts of whole batches. */
static void share_items(shared_work *work) {
    const size_t batches = (work->items + work->batch - 1) / work->batch;
    for (size_t i = 0; i < (size_t)work->threads; i++) {
        const size_t begin = batches * i / (size_t)work->threads * work->batch;
        const size_t end = batches * (i + 1) / (size_t)work->threads * work->batch;
        work->worker[i].begin = begin;
        work->worker[i].end = end < work->items ? end : work->items;
    }
}

/* All counts to the first worker's. */
static void add_counts(const shared_work *work) {
    const xc_ppm_plan *plan = &work->plan;
    const size_t rows = (size_t)plan->filters * plan->thresholds, bases = rows * plan->window * 4;
    const xc_ppm_counts *to = &work->worker[0].collector.counts;
    for (int t = 1; t < work->threads; t++) {
        const xc_ppm_counts *from = &work->worker[t].collector.counts;
        for (size_t i = 0; i < rows; i++) to->sites[i] += from->sites[i];
        for (size_t i = 0; i < bases; i++) to->bases[i] += from->bases[i];
    }
}

static xc_status count_windows(shared_work *work, xc_error *error) {
    xc_status status;
    share_items(work);
    xc_parallel(work->threads, read_first, work);
    XC_TRY(first_error(work, error));
    for (int t = 0; t < work->threads; t++)
        for (uint32_t f = 0; f < work->plan.filters; f++) {
            const xc_ppm_collector *collector = &work->worker[t].collector;
            if (collector->list[f].largest > work->largest[f]) work->largest[f] = collector->list[f].largest;
            work->again[f] |= collector->again[f];
        }
    xc_parallel(work->threads, read_second, work);
    XC_TRY(first_error(work, error));
    add_counts(work);
fail:
    return status;
}

/* ---- motifs ------------------------------------------------------------------------------------------------------ */

/* Counts bases (window,4) of `sites` windows as a clipped motif; it is flat as it comes. */
static void fill_motif(xc_motif *motif, uint64_t sites, const uint64_t *bases) {
    motif->sites = (double)sites;
    if (sites < 2) return;
    for (uint32_t i = 0; i < motif->width; i++) {
        const uint64_t *row = bases + (size_t)4 * i, known = row[0] + row[1] + row[2] + row[3];
        for (int base = 0; known > 0 && base < 4; base++)
            motif->ppm[4 * i + base] = (float)((double)row[base] / (double)known);
    }
    xc_motif_clip(motif, XC_FILTER_CLIP_BITS, XC_FILTER_CLIP_PADDING);
}

/* Motifs for the threshold of this rank: of its own windows and those of all higher ones. */
static xc_status make_motifs(const xc_ppm_plan *plan, const xc_ppm_counts *counts, uint32_t rank, xc_motif_list *motifs,
                             xc_error *error) {
    xc_status status;
    uint64_t bases[XC_PPM_WIDEST * 4];
    XC_TRY(xc_motif_list_create(motifs, plan->filters, plan->window, error));
    for (size_t f = 0; f < plan->filters; f++) {
        uint64_t sites = 0;
        for (uint32_t i = 0; i < 4 * plan->window; i++) bases[i] = 0;
        for (size_t row = f * plan->thresholds + rank; row < (f + 1) * plan->thresholds; row++) {
            sites += counts->sites[row];
            for (uint32_t i = 0; i < 4 * plan->window; i++) bases[i] += counts->bases[row * plan->window * 4 + i];
        }
        fill_motif(&motifs->motif[f], sites, bases);
    }
fail:
    return status;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

/* Ascending, as floats: activations are compared with the product of floats. */
static void sort_thresholds(const xc_filters_options *options, float *fraction, uint32_t *rank) {
    for (uint32_t i = 0; i < options->threshold_count; i++) {
        const double own = options->threshold[i];
        assert(own >= 0 && own < 1);
        rank[i] = 0;
        for (uint32_t j = 0; j < options->threshold_count; j++)
            rank[i] += options->threshold[j] < own || (options->threshold[j] == own && j < i);
        fraction[rank[i]] = (float)own;
    }
}

/* Sequences whose activations fit into the backend's cache; at least 1. */
static size_t choose_batch(const xc_backend *backend, const xc_model *first, size_t items) {
    const size_t bytes = backend->host_memory ? HOST_BATCH_BYTES : DEVICE_BATCH_BYTES;
    const size_t fit = bytes / ((size_t)first->classes * sizeof(float));
    const size_t most = items < 4096 ? items : 4096;
    const size_t batch = fit < most ? fit : most;
    return batch > 0 ? batch : 1;
}

/* No more than there are batches. */
static int choose_threads(int threads, size_t items, size_t batch) {
    const size_t batches = (items + batch - 1) / batch;
    return (size_t)threads < batches ? threads : batches > 0 ? (int)batches : 1;
}

/* Without labels, which nobody wants here: where the backend can, read once or twice as it is instead of copied. */
static xc_status open_data(const xc_backend *backend, const xc_split *split, xc_device_split *device, xc_error *error) {
    const xc_status status = xc_device_split_stream(backend, split, device, error);
    if (device->streamed) device->labels = NULL;
    return status;
}

/* What a split takes that so many threads read: a copy for all, or a batch for each. */
static size_t data_bytes(const xc_backend *backend, const xc_split *split, int threads, size_t batch) {
    xc_device_split device;
    if (backend->send == NULL) return xc_device_split_bytes(backend, split);
    open_data(backend, split, &device, NULL);
    const size_t bytes = (size_t)threads * xc_device_split_batch_bytes(&device, 1, (int32_t)batch);
    xc_device_split_close(&device);
    return bytes;
}

size_t xc_filters_bytes(const xc_model *model, const xc_backend *backend, const xc_split *split, int threads) {
    const size_t items = xc_split_items(split);
    xc_model first;
    xc_model_first_block(model, &first);
    const size_t batch = choose_batch(backend, &first, items);
    const size_t pack = xc_pack_bytes(&first, backend, 1, (int32_t)batch, XC_FOR_INFERENCE);
    const int used = choose_threads(threads, items, batch);
    return (size_t)used * pack + data_bytes(backend, split, used, batch);
}

xc_status xc_ppm_extract(const xc_network *network, const xc_backend *backend, const xc_split *split,
                         const xc_filters_options *options, const xc_ppm_memory *memory, xc_motif_list *motifs,
                         xc_error *error) {
    xc_status status;
    xc_model *first = NULL;
    float *fraction = NULL;
    uint32_t *rank = NULL;
    shared_work work = {.network = network, .backend = backend, .split = split, .items = xc_split_items(split)};
    assert(options->threshold_count > 0 && options->threads > 0);
    for (uint32_t i = 0; i < options->threshold_count; i++) motifs[i] = (xc_motif_list){0};
    const xc_block *block = &network->model.layer[0].block;
    if ((int32_t)split->dna.length != network->model.length)
        return xc_fail(error, XC_INPUT, "the sequences have length %u, but the network was trained on %d",
                       (unsigned)split->dna.length, (int)network->model.length);
    if ((int64_t)block->conv_length * block->filters > INT32_MAX)
        return xc_fail(error, XC_INPUT,
                       "model %s: %d filters at %d positions are more than 2^31 activations a sequence",
                       network->model.name, block->filters, block->conv_length);
    XC_TRY(xc_allocate(&first, 1, sizeof *first, "a model", error));
    XC_TRY(xc_allocate(&fraction, options->threshold_count, sizeof *fraction, "thresholds", error));
    XC_TRY(xc_allocate(&rank, options->threshold_count, sizeof *rank, "thresholds", error));
    sort_thresholds(options, fraction, rank);
    xc_model_first_block(&network->model, first);
    block = &first->layer[0].block;
    xc_ppm_plan_make(&work.plan, block, &split->dna, options->window, fraction, options->threshold_count, memory);
    work.first = first;
    work.batch = choose_batch(backend, first, work.items);
    work.threads = choose_threads(options->threads, work.items, work.batch);
    XC_TRY(xc_allocate(&work.largest, work.plan.filters, sizeof *work.largest, "filters", error));
    XC_TRY(xc_allocate(&work.again, work.plan.filters, sizeof *work.again, "filters", error));
    XC_TRY(xc_allocate(&work.worker, (size_t)work.threads, sizeof *work.worker, "threads", error));
    XC_TRY(open_data(backend, split, &work.device, error));
    XC_TRY(count_windows(&work, error));
    for (uint32_t i = 0; i < options->threshold_count; i++)
        XC_TRY(make_motifs(&work.plan, &work.worker[0].collector.counts, rank[i], &motifs[i], error));
fail:
    for (int t = 0; work.worker && t < work.threads; t++) close_worker(&work.worker[t]);
    xc_device_split_close(&work.device);
    free(work.worker);
    free(work.largest);
    free(work.again);
    free(fraction);
    free(rank);
    free(first);
    return status;
}

xc_status xc_filters_extract(const xc_network *network, const xc_backend *backend, const xc_split *split,
                             const xc_filters_options *options, xc_motif_list *motifs, xc_error *error) {
    return xc_ppm_extract(network, backend, split, options, NULL, motifs, error);
}

/* worker.c: one thread's packs and buffers, and a group of sequences brought to the backend with their references.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Rows that the first layer does at a time, and the rest. */
static int32_t group_rows(const xc_explanation *what) { return what->sequences * (what->references + 1); }
static int32_t rest_rows(const xc_explanation *what) {
    const int32_t points = what->pairs * (int32_t)what->settings->steps;
    return larger(larger(group_rows(what), points), what->substitutions);
}

/* Backend memory of `count` floats. */
static xc_status take_floats(const xc_worker *worker, float **to, size_t count, xc_error *error) {
    const xc_backend *backend = worker->what->backend;
    *to = backend->allocate(backend, count * sizeof(float));
    if (*to != NULL) return XC_OK;
    return xc_fail(error, XC_MEMORY, "no memory for attributions on %s (%.0f MB); use fewer steps or threads",
                   backend->name, (double)(count * sizeof(float)) / 1e6);
}

static xc_status open_path(xc_worker *worker, xc_error *error) {
    xc_status status;
    const xc_explanation *what = worker->what;
    const xc_block *motif = &what->first->layer[0].block;
    const size_t row = (size_t)motif->conv_length * (size_t)motif->filters, steps = what->settings->steps;
    XC_TRY(take_floats(worker, &worker->points, (size_t)rest_rows(what) * row, error));
    XC_TRY(take_floats(worker, &worker->point_gradient, (size_t)rest_rows(what) * row, error));
    XC_TRY(take_floats(worker, &worker->place, steps, error));
    XC_TRY(take_floats(worker, &worker->share, steps, error));
    what->backend->upload(what->backend, worker->place, what->place, steps * sizeof(float));
    what->backend->upload(what->backend, worker->share, what->share, steps * sizeof(float));
fail:
    return status;
}

static xc_status open_packs(xc_worker *worker, xc_error *error) {
    xc_status status;
    const xc_explanation *what = worker->what;
    const xc_network *network = what->network;
    const uint64_t seed = network->config->train.seed;
    XC_TRY(xc_pack_create(what->backend, what->first, 1, group_rows(what), XC_FOR_ATTRIBUTION, &worker->first, error));
    XC_TRY(xc_pack_create(what->backend, what->rest, 1, rest_rows(what), XC_FOR_ATTRIBUTION, &worker->rest, error));
    xc_pack_set(worker->first, 0, &network->state, &what->activation, seed);
    xc_pack_set(worker->rest, 0, &network->state, &what->activation, seed);
    xc_pack_set_input(worker->first, NULL, worker->input_gradient);
    xc_pack_set_input(worker->rest, xc_pack_output(worker->first), xc_pack_output_gradient(worker->first));
fail:
    return status;
}

xc_status xc_worker_open(const xc_explanation *what, xc_worker *worker, xc_error *error) {
    xc_status status;
    const size_t rows = (size_t)group_rows(what), length = what->split->dna.length;
    const size_t logits = (size_t)rest_rows(what) * (size_t)what->network->model.classes;
    *worker = (xc_worker){.what = what};
    XC_TRY(xc_allocate(&worker->gradient, rows * length, 4 * sizeof(float), "gradients", error));
    XC_TRY(xc_allocate(&worker->logits, logits, sizeof(float), "logits", error));
    XC_TRY(xc_allocate(&worker->logit_gradient, logits, sizeof(float), "logits", error));
    XC_TRY(xc_allocate(&worker->output, rows, sizeof(double), "outputs", error));
    XC_TRY(xc_allocate(&worker->codes, rows * length, 1, "sequences", error));
    XC_TRY(xc_allocate(&worker->index, rows, sizeof(uint32_t), "sequences", error));
    XC_TRY(xc_allocate(&worker->shuffle, xc_shuffle_work((uint32_t)length), 1, "shuffling", error));
    XC_TRY(take_floats(worker, &worker->input_gradient, rows * length * 4, error));
    if (what->settings->method == XC_INTEGRATED_GRADIENTS) XC_TRY(open_path(worker, error));
    if (what->settings->method == XC_MUTAGENESIS)
        XC_TRY(xc_mutator_open(worker, error));
    else
        XC_TRY(open_packs(worker, error));
    for (size_t i = 0; i < rows; i++) worker->index[i] = (uint32_t)i;
fail:
    return status;
}

static void close_rows(xc_worker *worker) {
    if (worker->is_open) xc_device_split_close(&worker->device);
    xc_split_free(&worker->own);
    worker->is_open = false;
}

void xc_worker_close(xc_worker *worker) {
    if (worker->what == NULL) return;
    const xc_backend *backend = worker->what->backend;
    float *const memory[] = {worker->input_gradient, worker->points, worker->point_gradient, worker->place,
                             worker->share};
    close_rows(worker);
    xc_mutator_close(worker);
    xc_pack_free(worker->first);
    xc_pack_free(worker->rest);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i] != NULL) backend->release(backend, memory[i]);
    free(worker->gradient);
    free(worker->logits);
    free(worker->logit_gradient);
    free(worker->output);
    free(worker->codes);
    free(worker->index);
    free(worker->shuffle);
}

/* ---- a group of sequences ---------------------------------------------------------------------------------------- */

/* Reference number r of a sequence, to codes (length). A shuffle depends on the sequence's own index, so that it is the
 * same whatever else is asked for. */
static void make_reference(const xc_worker *worker, uint32_t index, const uint8_t *codes, uint32_t r, uint8_t *to) {
    const xc_attribution_settings *settings = worker->what->settings;
    const uint32_t length = worker->what->split->dna.length;
    switch (settings->background) {
        case XC_BACKGROUND_SHUFFLE:
            xc_shuffle(codes, length, settings->seed, index, r, to, worker->shuffle);
            return;
        case XC_BACKGROUND_DINUCLEOTIDE:
            xc_shuffle_dinucleotides(codes, length, settings->seed, index, r, to, worker->shuffle);
            return;
        case XC_BACKGROUND_FILE:
            xc_dna_unpack(&settings->file->dna, r, to);
            return;
        default:
            memset(to, XC_BASE_N, length);
    }
}

static xc_status pack_rows(xc_worker *worker, uint32_t rows, xc_error *error) {
    xc_status status;
    xc_dna_builder builder = {0};
    const uint32_t length = worker->what->split->dna.length;
    XC_TRY(xc_dna_builder_open(&builder, rows, length, error));
    for (size_t i = 0; i < rows; i++) XC_TRY(xc_dna_builder_append(&builder, worker->codes + i * length, error));
    xc_dna_builder_finish(&builder, &worker->own.dna);
    XC_TRY(xc_device_split_stream(worker->what->backend, &worker->own, &worker->device, error));
    worker->is_open = true;
fail:
    xc_dna_builder_free(&builder);
    return status;
}

xc_status xc_worker_take(xc_worker *worker, const uint32_t *index, int32_t count, xc_error *error) {
    const xc_explanation *what = worker->what;
    const uint32_t length = what->split->dna.length, group = (uint32_t)what->references + 1;
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        uint8_t *codes = worker->codes + (size_t)i * group * length;
        xc_dna_unpack(&what->split->dna, index[i], codes);
        for (uint32_t r = 1; r < group; r++) make_reference(worker, index[i], codes, r - 1, codes + (size_t)r * length);
    }
    close_rows(worker);
    return pack_rows(worker, (uint32_t)count * group, error);
}

xc_status xc_worker_gradient(xc_worker *worker, int32_t rows, xc_error *error) {
    const xc_backend *backend = worker->what->backend;
    const size_t bytes = (size_t)rows * worker->what->split->dna.length * 4 * sizeof(float);
    const xc_status status = xc_pack_backward_input(worker->first, 0, error);
    if (status == XC_OK) backend->download(backend, worker->gradient, worker->input_gradient, bytes);
    return status;
}

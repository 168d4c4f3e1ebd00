/* mutagenesis.c: the output's difference for every substitution, exact: each layer computes anew only what a changed
 * base can reach (windows.c), many substitutions at a time; what it reads beyond that is the sequence's own.
 * Source: Zhou & Troyanskaya 2015 (in silico mutagenesis).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "windows.h"

/* One substitution of a group's sequences. */
typedef struct substitution {
    int32_t sequence, position;
    uint8_t base;
} substitution;

struct xc_mutator {
    xc_pack *whole;        /* the network, of the sequences as they are */
    xc_pack **layer;       /* (layers) the same layer by layer, of windows; NULL of pools */
    float **input, **skip; /* (layers) what these read, (V,B,C), the backend's; NULL of the first, and without skip */
    int32_t *which, **start, **input_start; /* of each substitution (V), the backend's; the latter (layers) */
    int32_t *numbers;                       /* (V) the host's */
    uint32_t *index;                        /* (V) 0, 1, ... */
    uint8_t *codes;                         /* of one window of the first layer */
    substitution *substitution;             /* (V) */
    int32_t most;                           /* V */
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static xc_status take(const xc_worker *worker, void *to, size_t count, xc_error *error) {
    const xc_backend *backend = worker->what->backend;
    void *memory = backend->allocate(backend, count * sizeof(float));
    memcpy(to, &memory, sizeof memory);
    if (memory != NULL) return XC_OK;
    return xc_fail(error, XC_MEMORY, "no memory for mutagenesis on %s (%.0f MB); use fewer threads", backend->name,
                   (double)(count * sizeof(float)) / 1e6);
}

static xc_status open_layer(const xc_worker *worker, xc_mutator *mutator, int32_t i, xc_error *error) {
    xc_status status;
    const xc_explanation *what = worker->what;
    const xc_window *window = &what->windows->window[i];
    const xc_layer *layer = &what->windows->model->layer[i];
    const xc_block *block = &window->model.layer[0].block;
    const size_t input = (size_t)mutator->most * (size_t)block->length * (size_t)block->channels;
    const xc_trial_state *whole = &what->network->state;
    const xc_trial_state state = {.parameters = whole->parameters + window->parameters,
                                  .running = whole->running + window->running};
    xc_activation activation = what->activation;
    XC_TRY(
        xc_pack_create(what->backend, &window->model, 1, mutator->most, XC_FOR_INFERENCE, &mutator->layer[i], error));
    xc_pack_set(mutator->layer[i], 0, &state, &activation, 0);
    XC_TRY(take(worker, &mutator->start[i], (size_t)mutator->most, error));
    XC_TRY(take(worker, &mutator->input_start[i], (size_t)mutator->most, error));
    if (layer->input >= 0) XC_TRY(take(worker, &mutator->input[i], input, error));
    if (layer->skip >= 0) XC_TRY(take(worker, &mutator->skip[i], input, error));
    xc_pack_set_input(mutator->layer[i], mutator->input[i], NULL);
    xc_pack_set_skip(mutator->layer[i], mutator->skip[i]);
fail:
    return status;
}

xc_status xc_mutator_open(xc_worker *worker, xc_error *error) {
    xc_status status;
    const xc_explanation *what = worker->what;
    const size_t layers = (size_t)what->windows->model->layer_count, most = (size_t)what->substitutions;
    xc_mutator *mutator;
    XC_TRY(xc_allocate(&worker->mutator, 1, sizeof *worker->mutator, "mutagenesis", error));
    mutator = worker->mutator;
    mutator->most = what->substitutions;
    XC_TRY(xc_allocate(&mutator->layer, layers, sizeof *mutator->layer, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->input, layers, sizeof *mutator->input, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->skip, layers, sizeof *mutator->skip, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->start, layers, sizeof *mutator->start, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->input_start, layers, sizeof *mutator->input_start, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->numbers, most, sizeof *mutator->numbers, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->index, most, sizeof *mutator->index, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->substitution, most, sizeof *mutator->substitution, "mutagenesis", error));
    XC_TRY(xc_allocate(&mutator->codes, (size_t)what->windows->window[0].model.length, 1, "mutagenesis", error));
    for (size_t v = 0; v < most; v++) mutator->index[v] = (uint32_t)v;
    XC_TRY(take(worker, &mutator->which, most, error));
    XC_TRY(xc_pack_create(what->backend, what->windows->model, 1, what->sequences, XC_FOR_ATTRIBUTION, &mutator->whole,
                          error));
    xc_pack_set(mutator->whole, 0, &what->network->state, &what->activation, 0);
    for (int32_t i = 0; i < (int32_t)layers; i++)
        if (!xc_windows_pool(what->windows, i)) XC_TRY(open_layer(worker, mutator, i, error));
fail:
    return status;
}

void xc_mutator_close(xc_worker *worker) {
    xc_mutator *mutator = worker->mutator;
    if (mutator == NULL) return;
    const xc_backend *backend = worker->what->backend;
    for (int32_t i = 0; mutator->input_start && i < worker->what->windows->model->layer_count; i++) {
        void *const memory[] = {mutator->input[i], mutator->skip[i], mutator->start[i], mutator->input_start[i]};
        xc_pack_free(mutator->layer[i]);
        for (size_t m = 0; m < sizeof memory / sizeof *memory; m++)
            if (memory[m] != NULL) backend->release(backend, memory[m]);
    }
    if (mutator->which != NULL) backend->release(backend, mutator->which);
    xc_pack_free(mutator->whole);
    free(mutator->layer);
    free(mutator->input);
    free(mutator->skip);
    free(mutator->start);
    free(mutator->input_start);
    free(mutator->numbers);
    free(mutator->index);
    free(mutator->substitution);
    free(mutator->codes);
    free(mutator);
}

/* ---- a batch of substitutions ------------------------------------------------------------------------------------ */

static void send_starts(const xc_worker *worker, int32_t count, int32_t *to, const int32_t *of_position) {
    const xc_backend *backend = worker->what->backend;
    xc_mutator *mutator = worker->mutator;
    for (int32_t v = 0; v < count; v++)
        mutator->numbers[v] =
            of_position ? of_position[mutator->substitution[v].position] : mutator->substitution[v].sequence;
    backend->upload(backend, to, mutator->numbers, (size_t)count * sizeof *to);
}

static xc_status splice(const xc_worker *worker, int32_t count, int32_t i, int32_t producer, float *out,
                        xc_error *error) {
    const xc_mutator *mutator = worker->mutator;
    const xc_backend *backend = worker->what->backend;
    const xc_windows *windows = worker->what->windows;
    const xc_block *block = &windows->window[i].model.layer[0].block;
    const int32_t computed = xc_windows_pool(windows, producer) ? windows->model->layer[producer].input : producer;
    const xc_block *from = &windows->model->layer[producer].block;
    const bool flat = block->kind == XC_BLOCK_DENSE; /* reads all that there is */
    const xc_splice_args args = {
        .rows = count,
        .length = from->conv_length,
        .channels = from->filters,
        .base = xc_pack_layer_output(mutator->whole, computed),
        .which = mutator->which,
        .changed_length = windows->window[computed].length,
        .changed = xc_pack_output(mutator->layer[computed]),
        .changed_start = mutator->start[computed],
        .pool = from->pool,
        .pool_pad_left = from->pool_pad_left,
        .pooled_length = from->out_length,
        .pooled = xc_pack_layer_output(mutator->whole, producer),
        .out_length = flat ? from->out_length : block->length,
        .out = out,
        .out_start = mutator->input_start[i],
    };
    return backend->splice(backend, &args, error);
}

/* The first layer's windows as DNA, N beyond the sequence's ends. */
static xc_status first_layer(const xc_worker *worker, int32_t count, xc_error *error) {
    xc_status status;
    xc_mutator *mutator = worker->mutator;
    const xc_window *window = &worker->what->windows->window[0];
    const int32_t length = (int32_t)worker->what->split->dna.length, width = window->model.length;
    xc_dna_builder builder = {0};
    xc_split windows = {0};
    xc_device_split device;
    bool open = false;
    XC_TRY(xc_dna_builder_open(&builder, (uint32_t)count, (uint32_t)width, error));
    for (int32_t v = 0; v < count; v++) {
        const substitution *s = &mutator->substitution[v];
        const uint8_t *codes = worker->codes + (size_t)s->sequence * (size_t)length;
        const int32_t start = window->input_start[s->position];
        for (int32_t l = start; l < start + width; l++)
            mutator->codes[l - start] = l < 0 || l >= length ? XC_BASE_N : l == s->position ? s->base : codes[l];
        XC_TRY(xc_dna_builder_append(&builder, mutator->codes, error));
    }
    xc_dna_builder_finish(&builder, &windows.dna);
    XC_TRY(xc_device_split_stream(worker->what->backend, &windows, &device, error));
    open = true;
    XC_TRY(xc_pack_forward(mutator->layer[0], &device, mutator->index, count, false, error));
fail:
    if (open) xc_device_split_close(&device);
    xc_dna_builder_free(&builder);
    xc_split_free(&windows);
    return status;
}

/* Logits of the substitutions, to worker->logits. */
static xc_status compute(const xc_worker *worker, int32_t count, xc_error *error) {
    xc_status status;
    const xc_model *model = worker->what->windows->model;
    xc_mutator *mutator = worker->mutator;
    XC_TRY(xc_go_on(error));
    send_starts(worker, count, mutator->which, NULL);
    XC_TRY(first_layer(worker, count, error));
    for (int32_t i = 0; i < model->layer_count; i++) {
        const xc_window *window = &worker->what->windows->window[i];
        const xc_layer *layer = &model->layer[i];
        if (xc_windows_pool(worker->what->windows, i)) continue;
        send_starts(worker, count, mutator->start[i], window->start);
        send_starts(worker, count, mutator->input_start[i], window->input_start);
        if (layer->input < 0) continue;
        XC_TRY(splice(worker, count, i, layer->input, mutator->input[i], error));
        if (layer->skip >= 0) XC_TRY(splice(worker, count, i, layer->skip, mutator->skip[i], error));
        XC_TRY(xc_pack_forward_input(mutator->layer[i], count, error));
    }
    xc_pack_logits(mutator->layer[model->layer_count - 1], worker->logits);
fail:
    return status;
}

static xc_status differences(const xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    const size_t length = worker->what->split->dna.length, classes = (size_t)worker->what->network->model.classes;
    const xc_mutator *mutator = worker->mutator;
    const xc_status status = compute(worker, count, error);
    if (status != XC_OK) return status;
    for (int32_t v = 0; v < count; v++) {
        const substitution *s = &mutator->substitution[v];
        const double value = xc_link_value(worker, worker->logits + (size_t)v * classes);
        const size_t at = ((size_t)s->sequence * 4 + s->base) * length + (size_t)s->position;
        results->hypothetical[at] = (float)(value - worker->output[s->sequence]);
    }
    return XC_OK;
}

/* ---- all substitutions ------------------------------------------------------------------------------------------- */

/* Of each position the norm of its differences, at the base that is there. */
static void sum_positions(const xc_worker *worker, int32_t count, const xc_results *results) {
    const size_t length = worker->what->split->dna.length;
    for (size_t i = 0; i < (size_t)count; i++) {
        const float *difference = results->hypothetical + i * 4 * length;
        float *contributions = results->contributions + i * 4 * length;
        for (size_t l = 0; l < length; l++) {
            const uint8_t code = worker->codes[i * length + l];
            double sum = 0;
            for (size_t b = 0; b < 4; b++) {
                const double d = (double)difference[b * length + l];
                sum += d * d;
                contributions[b * length + l] = 0;
            }
            if (code < 4) contributions[code * length + l] = (float)sqrt(sum);
        }
        results->gap[i] = 0;
    }
}

static xc_status whole_outputs(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    const size_t classes = (size_t)worker->what->network->model.classes;
    xc_pack *whole = worker->mutator->whole;
    const xc_status status = xc_pack_forward(whole, &worker->device, worker->index, count, false, error);
    if (status != XC_OK) return status;
    xc_pack_logits(whole, worker->logits);
    for (size_t i = 0; i < (size_t)count; i++) {
        worker->output[i] = xc_link_value(worker, worker->logits + i * classes);
        results->output[i] = (float)worker->output[i];
    }
    return XC_OK;
}

xc_status xc_explain_mutagenesis(xc_worker *worker, int32_t count, const xc_results *results, xc_error *error) {
    xc_status status;
    const size_t length = worker->what->split->dna.length;
    xc_mutator *mutator = worker->mutator;
    int32_t waiting = 0;
    XC_TRY(whole_outputs(worker, count, results, error));
    memset(results->hypothetical, 0, (size_t)count * 4 * length * sizeof(float));
    for (int32_t i = 0; i < count; i++)
        for (size_t e = 0; e < 4 * length; e++) {
            const uint8_t base = (uint8_t)(e % 4);
            if (worker->codes[(size_t)i * length + e / 4] == base) continue;
            mutator->substitution[waiting++] = (substitution){i, (int32_t)(e / 4), base};
            if (waiting < mutator->most) continue;
            XC_TRY(differences(worker, waiting, results, error));
            waiting = 0;
        }
    if (waiting > 0) XC_TRY(differences(worker, waiting, results, error));
    sum_positions(worker, count, results);
fail:
    return status;
}

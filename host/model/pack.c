/* pack.c: trials of one model in a backend's memory: made, filled, read back, taken out. One allocation for all that a
 * step touches (plan.c says where), and all host arrays made here, so that pack_step.c allocates nothing.
 */
#include <assert.h>
#include <stdlib.h>

#include "pack.h"

size_t xc_pack_bytes(const xc_model *model, const xc_backend *backend, int32_t trials, int32_t batch,
                     xc_purpose purpose) {
    xc_plan plan;
    xc_plan_make(model, backend, trials, batch, purpose, &plan);
    return plan.bytes;
}

xc_status xc_pack_create(const xc_backend *backend, const xc_model *model, int32_t trials, int32_t batch,
                         xc_purpose purpose, xc_pack **out, xc_error *error) {
    xc_status status;
    xc_pack *pack = NULL;
    *out = NULL;
    assert(trials > 0 && batch > 0);
    const size_t t = (size_t)trials;
    XC_TRY(xc_allocate(&pack, 1, sizeof *pack, "a pack of trials", error));
    pack->backend = backend;
    pack->model = *model;
    pack->capacity = pack->trials = trials;
    pack->batch = batch;
    pack->purpose = purpose;
    XC_TRY(
        xc_allocate(&pack->activation, (size_t)model->layer_count * t, sizeof *pack->activation, "activations", error));
    XC_TRY(xc_allocate(&pack->step, t, sizeof *pack->step, "step counts", error));
    XC_TRY(xc_allocate(&pack->total, t, sizeof *pack->total, "clip counts", error));
    XC_TRY(xc_allocate(&pack->order_lent, t, sizeof *pack->order_lent, "orders", error));
    XC_TRY(xc_allocate(&pack->rate, t, sizeof *pack->rate, "learning rates", error));
    XC_TRY(
        xc_allocate(&pack->class_weights, (size_t)model->classes, sizeof *pack->class_weights, "class weights", error));
    xc_plan_make(model, backend, trials, batch, purpose, &pack->plan);
    pack->memory = backend->allocate(backend, pack->plan.bytes);
    if (pack->memory == NULL) {
        status = xc_fail(error, XC_MEMORY,
                         "model %s: no memory for %d trials at batch %d on %s (%.0f MB); use a smaller "
                         "batch or fewer trials at a time",
                         model->name, trials, batch, backend->name, (double)pack->plan.bytes / 1e6);
        goto fail;
    }
    backend->upload(backend, xc_pack_at(pack, pack->plan.l2), model->l2, (size_t)model->l2_count * sizeof *model->l2);
    *out = pack;
    return XC_OK;
fail:
    xc_pack_free(pack);
    return status;
}

void xc_pack_free(xc_pack *pack) {
    if (pack == NULL) return;
    xc_pack_forget(pack);
    xc_pack_stream_free(pack);
    if (pack->order != NULL) pack->backend->release(pack->backend, pack->order);
    if (pack->memory != NULL) pack->backend->release(pack->backend, pack->memory);
    if (pack->team_scratch != NULL) pack->backend->release(pack->backend, pack->team_scratch);
    free(pack->activation);
    free(pack->step);
    free(pack->total);
    free(pack->order_lent);
    free(pack->rate);
    free(pack->class_weights);
    free(pack);
}

xc_status xc_pack_set_team(xc_pack *pack, xc_team *team, xc_error *error) {
    const xc_backend *backend = pack->backend;
    const size_t threads = (size_t)xc_team_threads(team), bytes = threads * pack->plan.thread_scratch_bytes;
    char *scratch = NULL;
    if (team != NULL && bytes > 0) {
        scratch = backend->allocate(backend, bytes);
        if (scratch == NULL)
            return xc_fail(error, XC_MEMORY, "model %s: no memory for %zu threads (%.0f MB); use fewer",
                           pack->model.name, threads, (double)bytes / 1e6);
    }
    if (pack->team_scratch != NULL) backend->release(backend, pack->team_scratch);
    pack->team_scratch = scratch;
    pack->team = team;
    return XC_OK;
}

int32_t xc_pack_trials(const xc_pack *pack) { return pack->trials; }

/* Host array to slot of (T,count), or zeros when there is no array. */
static void put(xc_pack *pack, size_t offset, size_t count, int32_t slot, const float *values) {
    if (offset == XC_ABSENT) return;
    const xc_backend *backend = pack->backend;
    float *to = xc_pack_slot(pack, offset, count, slot);
    if (values != NULL)
        backend->upload(backend, to, values, count * sizeof *values);
    else
        backend->zero(backend, to, count * sizeof *values);
}

/* Slot of (T,count) to a host array; zeros when the pack holds none (moments of a pack for inference). */
static void take(const xc_pack *pack, size_t offset, size_t count, int32_t slot, float *values) {
    if (values == NULL) return;
    if (offset == XC_ABSENT)
        for (size_t i = 0; i < count; i++) values[i] = 0;
    else
        pack->backend->download(pack->backend, values, xc_pack_slot(pack, offset, count, slot), count * sizeof *values);
}

/* Where slot's number stands, of numbers (T) of `size` bytes. */
static void *number_of(const xc_pack *pack, size_t offset, size_t size, int32_t slot) {
    return (char *)xc_pack_at(pack, offset) + (size_t)slot * size;
}

/* The activation of slot in layer i, where the backend reads it. */
static void *activation_of(const xc_pack *pack, int32_t i, int32_t slot) {
    const size_t at = (size_t)i * (size_t)pack->capacity + (size_t)slot;
    return (char *)xc_pack_at(pack, pack->plan.activation) + at * sizeof(xc_activation);
}

static void put_number(xc_pack *pack, size_t offset, int32_t slot, uint64_t number) {
    pack->backend->upload(pack->backend, number_of(pack, offset, sizeof number, slot), &number, sizeof number);
}

void xc_pack_set(xc_pack *pack, int32_t slot, const xc_trial_state *state, const xc_activation *activation,
                 uint64_t seed) {
    assert(slot >= 0 && slot < pack->trials);
    const size_t parameters = pack->model.parameter_count;
    put(pack, pack->plan.parameters, parameters, slot, state->parameters);
    put(pack, pack->plan.first_moment, parameters, slot, state->first_moment);
    put(pack, pack->plan.second_moment, parameters, slot, state->second_moment);
    put(pack, pack->plan.gradients, parameters, slot, NULL);
    put(pack, pack->plan.running, pack->model.running_count, slot, state->running);
    for (int32_t i = 0; i < pack->model.layer_count; i++) {
        /* Clip and scale are the trial's wherever an exponential stands. */
        xc_activation *own = &pack->activation[(size_t)i * (size_t)pack->capacity + (size_t)slot];
        *own = *activation;
        if (!pack->model.layer[i].first) own->kind = pack->model.layer[i].activation;
        pack->backend->upload(pack->backend, activation_of(pack, i, slot), own, sizeof *own);
    }
    put_number(pack, pack->plan.seed, slot, seed);
    put_number(pack, pack->plan.step, slot, state->step);
    put_number(pack, pack->plan.clipped, slot, 0);
    pack->step[slot] = state->step;
    pack->total[slot] = 0;
}

void xc_pack_get(const xc_pack *pack, int32_t slot, xc_trial_state *state) {
    assert(slot >= 0 && slot < pack->trials);
    const size_t parameters = pack->model.parameter_count;
    take(pack, pack->plan.parameters, parameters, slot, state->parameters);
    take(pack, pack->plan.first_moment, parameters, slot, state->first_moment);
    take(pack, pack->plan.second_moment, parameters, slot, state->second_moment);
    take(pack, pack->plan.running, pack->model.running_count, slot, state->running);
    state->step = pack->step[slot];
}

void xc_pack_gradients(const xc_pack *pack, int32_t slot, float *gradients) {
    assert(slot >= 0 && slot < pack->trials);
    take(pack, pack->plan.gradients, pack->model.parameter_count, slot, gradients);
}

void xc_pack_clipped(xc_pack *pack, int32_t slot, uint64_t *clipped, uint64_t *total) {
    assert(slot >= 0 && slot < pack->trials);
    pack->backend->download(pack->backend, clipped, number_of(pack, pack->plan.clipped, sizeof *clipped, slot),
                            sizeof *clipped);
    *total = pack->total[slot];
    put_number(pack, pack->plan.clipped, slot, 0);
    pack->total[slot] = 0;
}

static void move(xc_pack *pack, size_t offset, size_t count, int32_t to, int32_t from) {
    if (offset == XC_ABSENT) return;
    pack->backend->copy(pack->backend, xc_pack_slot(pack, offset, count, to), xc_pack_slot(pack, offset, count, from),
                        count * sizeof(float));
}

static void move_number(xc_pack *pack, size_t offset, size_t size, int32_t to, int32_t from) {
    pack->backend->copy(pack->backend, number_of(pack, offset, size, to), number_of(pack, offset, size, from), size);
}

void xc_pack_remove(xc_pack *pack, int32_t slot) {
    assert(slot >= 0 && slot < pack->trials);
    const int32_t last = --pack->trials;
    xc_pack_forget(pack);
    xc_pack_stream_drop(pack);
    pack->last_batch = 0; /* the outputs of the last forward are no longer where the slots say */
    if (slot == last) return;
    const size_t parameters = pack->model.parameter_count;
    move(pack, pack->plan.parameters, parameters, slot, last);
    move(pack, pack->plan.gradients, parameters, slot, last);
    move(pack, pack->plan.first_moment, parameters, slot, last);
    move(pack, pack->plan.second_moment, parameters, slot, last);
    move(pack, pack->plan.running, pack->model.running_count, slot, last);
    for (int32_t i = 0; i < pack->model.layer_count; i++) {
        xc_activation *row = pack->activation + (size_t)i * (size_t)pack->capacity;
        row[slot] = row[last];
        pack->backend->copy(pack->backend, activation_of(pack, i, slot), activation_of(pack, i, last), sizeof *row);
    }
    move_number(pack, pack->plan.seed, sizeof(uint64_t), slot, last);
    move_number(pack, pack->plan.step, sizeof(uint64_t), slot, last);
    move_number(pack, pack->plan.clipped, sizeof(uint64_t), slot, last);
    move_number(pack, pack->plan.rate, sizeof(float), slot, last);
    if (pack->order != NULL)
        pack->backend->copy(pack->backend, pack->order + (size_t)slot * pack->order_items,
                            pack->order + (size_t)last * pack->order_items, pack->order_items * sizeof(uint32_t));
    pack->order_lent[slot] = pack->order_lent[last];
    pack->step[slot] = pack->step[last];
    pack->total[slot] = pack->total[last];
    pack->rate[slot] = pack->rate[last];
}

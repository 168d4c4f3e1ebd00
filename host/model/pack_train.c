/* pack_train.c: a training step that needs nothing from the host: batches are taken from orders that lie in the
 * backend's memory (those of a streamed split are brought there in time), and where the backend can record ops, each
 * half of the step is recorded when it is done the second time and replayed from then on, until a trial leaves the
 * pack. The halves are two because the loss is looked at between them.
 */
#include <assert.h>
#include <string.h>

#include "pack.h"

/* ---- orders ------------------------------------------------------------------------------------------------------ */

/* Memory on the backend for orders, where the caller's are not read. */
static xc_status make_order(xc_pack *pack, size_t items, xc_error *error) {
    const xc_backend *backend = pack->backend;
    const size_t bytes = (size_t)pack->capacity * items * sizeof *pack->order;
    if (pack->order_items == items && pack->lends_orders == (pack->order == NULL)) return XC_OK;
    xc_pack_forget(pack);
    if (pack->order != NULL) backend->release(backend, pack->order);
    pack->order = NULL;
    pack->order_items = pack->lends_orders ? items : 0;
    if (pack->lends_orders) return XC_OK;
    pack->order = backend->allocate(backend, bytes);
    if (pack->order == NULL)
        return xc_fail(error, XC_MEMORY,
                       "model %s: no memory on %s for the order of %zu items (%.0f MB); use fewer "
                       "trials at a time",
                       pack->model.name, backend->name, items, (double)bytes / 1e6);
    pack->order_items = items;
    return XC_OK;
}

xc_status xc_pack_reserve_order(xc_pack *pack, const xc_device_split *split, size_t items, xc_error *error) {
    const xc_status status = xc_pack_reserve_split(pack, split, error);
    if (status != XC_OK) return status;
    pack->lends_orders = split->streamed;
    return make_order(pack, items, error);
}

xc_status xc_pack_set_order(xc_pack *pack, int32_t slot, const uint32_t *order, size_t items, xc_error *error) {
    static const uint32_t start = 0;
    const xc_status status = make_order(pack, items, error);
    if (status != XC_OK) return status;
    pack->order_lent[slot] = order;
    if (pack->lends_orders) {
        xc_pack_stream_drop(pack);
        pack->stream->taken = 0;
        return XC_OK;
    }
    pack->backend->upload(pack->backend, pack->order + (size_t)slot * items, order, items * sizeof *order);
    pack->backend->upload(pack->backend, xc_pack_at(pack, pack->plan.cursor), &start, sizeof start);
    return XC_OK;
}

/* ---- halves of a step -------------------------------------------------------------------------------------------- */

static xc_status do_half(xc_pack *pack, const pack_step_key *key, xc_error *error) {
    xc_status status;
    if (key->backward) {
        XC_TRY(xc_pack_run_backward(pack, 0, error));
        XC_TRY(xc_pack_run_step(pack, &key->optimizer, error));
    } else {
        if (!pack->last_streamed) /* what was brought has an index of its own */
            pack->backend->take_batch(pack->backend, pack->order, pack->order_items,
                                      xc_pack_at(pack, pack->plan.cursor), pack->trials, key->batch,
                                      xc_pack_at(pack, pack->plan.index));
        XC_TRY(xc_pack_run_forward(pack, error));
        XC_TRY(xc_pack_run_loss(pack, key->loss, key->weighted, error));
    }
fail:
    return status;
}

static pack_recording *find_recording(xc_pack *pack, const pack_step_key *key) {
    for (int i = 0; i < pack->recording_count; i++)
        if (memcmp(&pack->recordings[i].key, key, sizeof *key) == 0) return &pack->recordings[i];
    return NULL;
}

static xc_status record(xc_pack *pack, pack_recording *half, xc_error *error) {
    xc_error of_keep = {0};
    xc_status status = pack->backend->record(pack->backend, error);
    if (status != XC_OK) return status;
    status = do_half(pack, &half->key, error);
    const xc_status kept = pack->backend->keep(pack->backend, &half->recording, &of_keep); /* ends it in any case */
    if (status == XC_OK && kept != XC_OK) *error = of_keep, status = kept;
    if (status != XC_OK) pack->recording_count = 0;
    return status;
}

static xc_status run_half(xc_pack *pack, const pack_step_key *key, xc_error *error) {
    xc_status status;
    if (pack->backend->record == NULL) return do_half(pack, key, error);
    pack_recording *half = find_recording(pack, key);
    if (half == NULL) {
        if (pack->recording_count == XC_PACK_RECORDINGS) xc_pack_forget(pack);
        pack->recordings[pack->recording_count++] = (pack_recording){.key = *key};
        return do_half(pack, key, error);
    }
    if (half->recording == NULL) XC_TRY(record(pack, half, error));
    XC_TRY(pack->backend->replay(pack->backend, half->recording, error));
fail:
    return status;
}

void xc_pack_forget(xc_pack *pack) {
    for (int i = 0; i < pack->recording_count; i++)
        if (pack->recordings[i].recording != NULL) pack->backend->forget(pack->backend, pack->recordings[i].recording);
    pack->recording_count = 0;
}

/* A key without a gap that holds anything: keys are compared as bytes. */
static pack_step_key new_key(const xc_pack *pack, bool backward) {
    pack_step_key key;
    memset(&key, 0, sizeof key);
    key.bases = pack->dna.bases;
    key.labels = pack->labels;
    key.source = pack->source;
    key.batch = pack->last_batch;
    key.backward = backward;
    return key;
}

xc_status xc_pack_train_forward(xc_pack *pack, const xc_device_split *split, int32_t batch, xc_loss_kind kind,
                                const double *class_weights, double *loss, xc_error *error) {
    xc_status status;
    assert(split->streamed == pack->lends_orders);
    XC_TRY(xc_pack_check_split(pack, split, true, error));
    if (split->streamed) XC_TRY(xc_pack_stream_take(pack, split, batch, error));
    xc_pack_begin(pack, split, batch, true);
    pack_step_key key = new_key(pack, false);
    key.loss = kind;
    key.weighted = xc_pack_send_class_weights(pack, class_weights);
    XC_TRY(run_half(pack, &key, error));
    pack->backend->download(pack->backend, loss, xc_pack_at(pack, pack->plan.loss),
                            (size_t)pack->trials * sizeof *loss);
    xc_pack_stream_waited(pack);
    return XC_OK;
fail:
    pack->last_batch = 0;
    return status;
}

xc_status xc_pack_train_backward(xc_pack *pack, const xc_optimizer *optimizer, const float *learning_rate,
                                 xc_error *error) {
    pack_step_key key = new_key(pack, true);
    key.optimizer.kind = optimizer->kind;
    key.optimizer.beta1 = optimizer->beta1;
    key.optimizer.beta2 = optimizer->beta2;
    key.optimizer.epsilon = optimizer->epsilon;
    key.optimizer.momentum = optimizer->momentum;
    xc_pack_send_rates(pack, learning_rate);
    xc_pack_stream_read(pack);
    const xc_status status = run_half(pack, &key, error);
    pack->last_batch = 0; /* the gradients may have taken the memory of the outputs */
    if (status != XC_OK) return status;
    xc_pack_count_step(pack);
    if (pack->last_streamed) xc_pack_stream_send_ahead(pack, key.batch);
    return XC_OK;
}

/* pack_step.c: the parts of a step of all trials of a pack: forward, loss, backward, optimizer; and what can be asked
 * of it after the loss. Calls the backend's ops in the order of the layers and allocates nothing. What an op computes
 * is the backend's business (kernels/), what is read by whom is decided here.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "pack.h"

/* All of a layer's arguments but those of backward alone. */
static xc_block_args layer_args(xc_pack *pack, int32_t i) {
    const xc_model *model = &pack->model;
    const xc_layer *layer = &model->layer[i];
    const xc_plan *plan = &pack->plan;
    const xc_activation *activation = xc_pack_at(pack, plan->activation);
    return (xc_block_args){
        .block = &layer->block,
        .trials = pack->trials,
        .batch = pack->last_batch,
        .training = pack->last_training,
        .team = pack->team,
        .dna = layer->input < 0 ? &pack->dna : NULL,
        .index = pack->index,
        .x = layer->input < 0 ? pack->input : xc_pack_at(pack, plan->y[layer->input]),
        .x_skip = layer->skip < 0 ? (layer->input < 0 ? pack->skip : NULL) : xc_pack_at(pack, plan->y[layer->skip]),
        .parameters = xc_pack_at(pack, plan->parameters),
        .gradients = xc_pack_at(pack, plan->gradients),
        .parameter_stride = model->parameter_count,
        .running = xc_pack_at(pack, plan->running),
        .running_stride = model->running_count,
        .activation = activation + (size_t)i * (size_t)pack->capacity,
        .seed = xc_pack_at(pack, plan->seed),
        .step = xc_pack_at(pack, plan->step),
        .y = xc_pack_at(pack, plan->y[i]),
        .clipped = xc_pack_at(pack, plan->clipped),
        .saved = xc_pack_at(pack, plan->saved[i]),
        .saved_stride = plan->saved_stride[i],
        .scratch = xc_pack_at(pack, plan->forward_scratch[i]),
        .scratch_bytes = plan->scratch_bytes[i],
        .thread_scratch = pack->team_scratch ? pack->team_scratch : xc_pack_at(pack, plan->thread_scratch),
        .thread_scratch_stride = plan->thread_scratch_bytes,
    };
}

static xc_block_op forward_op(const xc_backend *backend, xc_block_kind kind) {
    switch (kind) {
        case XC_BLOCK_MOTIF:
            return backend->motif_block_forward;
        case XC_BLOCK_CONV:
            return backend->conv_block_forward;
        case XC_BLOCK_DENSE:
            return backend->dense_block_forward;
        default:
            return backend->add_block_forward;
    }
}

static xc_block_op backward_op(const xc_backend *backend, xc_block_kind kind) {
    switch (kind) {
        case XC_BLOCK_MOTIF:
            return backend->motif_block_backward;
        case XC_BLOCK_CONV:
            return backend->conv_block_backward;
        case XC_BLOCK_DENSE:
            return backend->dense_block_backward;
        default:
            return backend->add_block_backward;
    }
}

/* ---- what the host knows ----------------------------------------------------------------------------------------- */

static xc_status check_labels(const float *labels, xc_error *error) {
    if (labels != NULL) return XC_OK;
    return xc_fail(error, XC_INPUT, "the data has no labels, and a loss needs them; use a file with labels");
}

xc_status xc_pack_check_split(const xc_pack *pack, const xc_device_split *split, bool labels, xc_error *error) {
    if ((int32_t)split->dna.length != pack->model.length)
        return xc_fail(error, XC_INPUT,
                       "model %s is for sequences of %d bases but these have %u; give data of that length",
                       pack->model.name, pack->model.length, split->dna.length);
    return labels ? check_labels(split->labels, error) : XC_OK;
}

/* How many values the exponentials of layer i are about to see: what the clipped ones are a part of. */
static void count_exponentials(xc_pack *pack, int32_t i) {
    const xc_block *block = &pack->model.layer[i].block;
    const xc_activation *activation = pack->activation + (size_t)i * (size_t)pack->capacity;
    const uint64_t values = (uint64_t)pack->last_batch * (uint64_t)block->conv_length * (uint64_t)block->filters;
    for (int32_t t = 0; t < pack->trials; t++)
        if (activation[t].kind == XC_EXPONENTIAL) pack->total[t] += values;
}

void xc_pack_begin(xc_pack *pack, const xc_device_split *split, int32_t batch, bool training) {
    assert(batch > 0 && batch <= pack->batch && (pack->purpose == XC_FOR_TRAINING || !training));
    pack->dna = split->dna;
    pack->labels = split->labels;
    pack->index = xc_pack_at(pack, pack->plan.index);
    pack->source = split->dna.bases;
    pack->last_batch = batch;
    pack->last_training = training;
    pack->last_streamed = split->streamed;
    if (split->streamed) xc_pack_stream_show(pack);
    for (int32_t i = 0; training && i < pack->model.layer_count; i++) count_exponentials(pack, i);
}

void xc_pack_count_step(xc_pack *pack) {
    for (int32_t t = 0; t < pack->trials; t++) pack->step[t]++;
}

void xc_pack_send_rates(xc_pack *pack, const float *learning_rate) {
    const size_t bytes = (size_t)pack->trials * sizeof *learning_rate;
    if (memcmp(pack->rate, learning_rate, bytes) == 0) return;
    memcpy(pack->rate, learning_rate, bytes);
    pack->backend->upload(pack->backend, xc_pack_at(pack, pack->plan.rate), pack->rate, bytes);
}

bool xc_pack_send_class_weights(xc_pack *pack, const double *class_weights) {
    bool differ = !pack->has_class_weights;
    if (class_weights == NULL) return false;
    for (int32_t c = 0; c < pack->model.classes; c++) {
        differ |= pack->class_weights[c] != (float)class_weights[c];
        pack->class_weights[c] = (float)class_weights[c];
    }
    pack->has_class_weights = true;
    if (differ)
        pack->backend->upload(pack->backend, xc_pack_at(pack, pack->plan.class_weights), pack->class_weights,
                              (size_t)pack->model.classes * sizeof(float));
    return true;
}

/* ---- forward and loss -------------------------------------------------------------------------------------------- */

xc_status xc_pack_run_forward(xc_pack *pack, xc_error *error) {
    xc_status status = XC_OK;
    for (int32_t i = 0; i < pack->model.layer_count; i++) {
        const xc_block_args args = layer_args(pack, i);
        XC_TRY(forward_op(pack->backend, args.block->kind)(pack->backend, &args, error));
    }
fail:
    return status;
}

xc_status xc_pack_forward(xc_pack *pack, const xc_device_split *split, const uint32_t *index, int32_t batch,
                          bool training, xc_error *error) {
    xc_status status;
    XC_TRY(xc_pack_check_split(pack, split, false, error));
    if (split->streamed) XC_TRY(xc_pack_stream_bring(pack, split, index, batch, error));
    xc_pack_begin(pack, split, batch, training);
    if (!split->streamed)
        pack->backend->upload(pack->backend, xc_pack_at(pack, pack->plan.index), index,
                              (size_t)pack->trials * (size_t)batch * sizeof *index);
    XC_TRY(xc_pack_run_forward(pack, error));
    return XC_OK;
fail:
    pack->last_batch = 0;
    return status;
}

void xc_pack_logits(const xc_pack *pack, float *logits) {
    assert(pack->last_batch > 0);
    pack->backend->download(
        pack->backend, logits, xc_pack_at(pack, pack->plan.y[pack->model.layer_count - 1]),
        (size_t)pack->trials * (size_t)pack->last_batch * (size_t)pack->model.classes * sizeof *logits);
    xc_pack_stream_waited(pack);
}

const float *xc_pack_lend_logits(const xc_pack *pack) {
    assert(pack->last_batch > 0);
    return pack->backend->host_memory ? xc_pack_at(pack, pack->plan.y[pack->model.layer_count - 1]) : NULL;
}

xc_status xc_pack_run_loss(xc_pack *pack, xc_loss_kind kind, bool weighted, xc_error *error) {
    const int32_t last = pack->model.layer_count - 1;
    const xc_loss_args args = {
        .kind = kind,
        .trials = pack->trials,
        .batch = pack->last_batch,
        .classes = pack->model.classes,
        .logits = xc_pack_at(pack, pack->plan.y[last]),
        .labels = pack->labels,
        .index = pack->index,
        .class_weights = weighted ? xc_pack_at(pack, pack->plan.class_weights) : NULL,
        .dlogits = pack->last_training ? xc_pack_at(pack, pack->plan.dy[last]) : NULL,
        .loss = xc_pack_at(pack, pack->plan.loss),
    };
    return pack->backend->loss(pack->backend, &args, error);
}

xc_status xc_pack_loss(xc_pack *pack, xc_loss_kind kind, const double *class_weights, double *loss, xc_error *error) {
    xc_status status;
    assert(pack->last_batch > 0);
    XC_TRY(check_labels(pack->labels, error));
    XC_TRY(xc_pack_run_loss(pack, kind, xc_pack_send_class_weights(pack, class_weights), error));
    pack->backend->download(pack->backend, loss, xc_pack_at(pack, pack->plan.loss),
                            (size_t)pack->trials * sizeof *loss);
    xc_pack_stream_waited(pack);
fail:
    return status;
}

/* ---- backward and step ------------------------------------------------------------------------------------------- */

/* Whether a layer after `reader`, whose backward has therefore run, has written the gradient at y of `layer`. */
static bool written_before(const xc_model *model, int32_t layer, int32_t reader) {
    for (int32_t i = reader + 1; i < model->layer_count; i++)
        if (model->layer[i].input == layer || model->layer[i].skip == layer) return true;
    return false;
}

xc_status xc_pack_run_backward(xc_pack *pack, int32_t references, xc_error *error) {
    xc_status status = XC_OK;
    const xc_model *model = &pack->model;
    const xc_plan *plan = &pack->plan;
    assert(pack->last_batch > 0 && pack->last_training == (pack->purpose == XC_FOR_TRAINING));
    for (int32_t i = model->layer_count - 1; i >= 0; i--) {
        const xc_layer *layer = &model->layer[i];
        xc_block_args args = layer_args(pack, i);
        args.scratch = xc_pack_at(pack, plan->backward_scratch[i]);
        args.dy = xc_pack_at(pack, plan->dy[i]);
        args.references = references;
        if (layer->input < 0) {
            args.dx = pack->input_gradient;
        } else {
            args.dx = xc_pack_at(pack, plan->dy[layer->input]);
            args.add_to_dx = written_before(model, layer->input, i);
        }
        if (layer->skip >= 0) args.dx_skip = xc_pack_at(pack, plan->dy[layer->skip]);
        XC_TRY(backward_op(pack->backend, layer->block.kind)(pack->backend, &args, error));
    }
fail:
    return status;
}

xc_status xc_pack_backward(xc_pack *pack, xc_error *error) {
    xc_pack_stream_read(pack);
    const xc_status status = xc_pack_run_backward(pack, 0, error);
    pack->last_batch = 0; /* the gradients may have taken the memory of the outputs */
    return status;
}

xc_status xc_pack_run_step(xc_pack *pack, const xc_optimizer *optimizer, xc_error *error) {
    const xc_plan *plan = &pack->plan;
    assert(pack->purpose == XC_FOR_TRAINING);
    const xc_step_args args = {
        .kind = optimizer->kind,
        .trials = pack->trials,
        .parameter_count = pack->model.parameter_count,
        .parameter_stride = pack->model.parameter_count,
        .parameters = xc_pack_at(pack, plan->parameters),
        .gradients = xc_pack_at(pack, plan->gradients),
        .first_moment = xc_pack_at(pack, plan->first_moment),
        .second_moment = xc_pack_at(pack, plan->second_moment),
        .learning_rate = xc_pack_at(pack, plan->rate),
        .step = xc_pack_at(pack, plan->step),
        .beta1 = optimizer->beta1,
        .beta2 = optimizer->beta2,
        .epsilon = optimizer->epsilon,
        .momentum = optimizer->momentum,
        .l2 = xc_pack_at(pack, plan->l2),
        .l2_count = pack->model.l2_count,
        .team = pack->team,
    };
    return pack->backend->step(pack->backend, &args, error);
}

xc_status xc_pack_step(xc_pack *pack, const xc_optimizer *optimizer, const float *learning_rate, xc_error *error) {
    xc_pack_send_rates(pack, learning_rate);
    const xc_status status = xc_pack_run_step(pack, optimizer, error);
    if (status == XC_OK) xc_pack_count_step(pack);
    return status;
}

/* ---- to the input ------------------------------------------------------------------------------------------------ */

void xc_pack_set_input(xc_pack *pack, const float *input, float *gradient) {
    pack->input = input;
    pack->input_gradient = gradient;
}

void xc_pack_set_skip(xc_pack *pack, const float *skip) { pack->skip = skip; }

const float *xc_pack_layer_output(const xc_pack *pack, int32_t i) { return xc_pack_at(pack, pack->plan.y[i]); }

xc_status xc_pack_forward_input(xc_pack *pack, int32_t batch, xc_error *error) {
    assert(pack->input != NULL && batch > 0 && batch <= pack->batch);
    pack->last_batch = batch;
    pack->last_training = pack->last_streamed = false;
    const xc_status status = xc_pack_run_forward(pack, error);
    if (status != XC_OK) pack->last_batch = 0;
    return status;
}

float *xc_pack_output(const xc_pack *pack) { return xc_pack_at(pack, pack->plan.y[pack->model.layer_count - 1]); }

float *xc_pack_output_gradient(const xc_pack *pack) {
    return xc_pack_at(pack, pack->plan.dy[pack->model.layer_count - 1]);
}

xc_status xc_pack_backward_input(xc_pack *pack, int32_t references, xc_error *error) {
    assert(pack->purpose == XC_FOR_ATTRIBUTION && (references == 0 || pack->input != NULL));
    xc_pack_stream_read(pack);
    return xc_pack_run_backward(pack, references, error);
}

/* ---- the search of a non-finite value ---------------------------------------------------------------------------- */

/* Whether all of `count` floats in the backend's memory are finite. */
static bool all_finite(const xc_pack *pack, const float *values, size_t count) {
    float part[2048];
    while (count > 0) {
        const size_t n = count < 2048 ? count : 2048;
        pack->backend->download(pack->backend, part, values, n * sizeof *part);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(part[i])) return false;
        values += n;
        count -= n;
    }
    return true;
}

void xc_pack_find_nonfinite(const xc_pack *pack, int32_t slot, char *where, size_t size) {
    const xc_model *model = &pack->model;
    const float *parameters = xc_pack_slot(pack, pack->plan.parameters, model->parameter_count, slot);
    assert(slot >= 0 && slot < pack->trials);
    int32_t next = 0; /* tensors stand in the order of layers */
    for (int32_t i = 0; i < model->layer_count; i++) {
        char layer[16];
        const size_t length = (size_t)snprintf(layer, sizeof layer, "block%d.", i);
        for (; next < model->tensor_count && strncmp(model->tensor[next].name, layer, length) == 0; next++) {
            const xc_tensor *tensor = &model->tensor[next];
            if (all_finite(pack, parameters + tensor->offset, tensor->count)) continue;
            snprintf(where, size, "%s", tensor->name);
            return;
        }
        const xc_block *block = &model->layer[i].block;
        const size_t output = (size_t)pack->last_batch * (size_t)block->out_length * (size_t)block->filters;
        if (!all_finite(pack, xc_pack_slot(pack, pack->plan.y[i], output, slot), output)) {
            snprintf(where, size, "block%d output", i);
            return;
        }
    }
    snprintf(where, size, "loss");
}

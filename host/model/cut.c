/* cut.c: a model in two behind its first layer's linear part, for attribution. In front DNA becomes rows of numbers,
 * linearly, so that points between two sequences are points between their rows; behind nothing is DNA any more. Also an
 * activation that stands before a batch norm becomes a layer, so that each layer has one and what it saw is kept.
 */
#include <string.h>

#include "expconv/model.h"

/* A layer that adds nothing to its input, which is what `block` gives before its tail; its tail is yet to be set. */
static xc_layer layer_behind(const xc_block *block, int32_t input) {
    xc_layer layer = {.input = input, .skip = -1, .activation = XC_LINEAR};
    layer.block = (xc_block){.kind = XC_BLOCK_ADD,
                             .length = block->conv_length,
                             .channels = block->filters,
                             .width = 1,
                             .conv_length = block->conv_length,
                             .filters = block->filters,
                             .pool = 1,
                             .out_length = block->conv_length,
                             .before_norm = XC_LINEAR,
                             .norm_momentum = block->norm_momentum,
                             .norm_epsilon = block->norm_epsilon,
                             .precision = block->precision,
                             .kernel = XC_ABSENT,
                             .bias = XC_ABSENT,
                             .gamma = XC_ABSENT,
                             .beta = XC_ABSENT,
                             .running = XC_ABSENT};
    return layer;
}

/* Moves the pool, and that alone. */
static void move_pool(xc_block *from, xc_block *to) {
    to->pool = from->pool;
    to->pool_pad_left = from->pool_pad_left;
    to->out_length = from->out_length;
    from->pool = 1;
    from->pool_pad_left = 0;
    from->out_length = from->conv_length;
}

/* Moves what follows the activation before the norm from one layer to another. */
static void move_tail(xc_layer *from, xc_layer *to) {
    xc_block *a = &from->block, *b = &to->block;
    to->first = from->first;
    to->activation = from->activation;
    b->gamma = a->gamma;
    b->beta = a->beta;
    b->running = a->running;
    b->dropout = a->dropout;
    b->dropout_stream = a->dropout_stream;
    from->first = false;
    from->activation = XC_LINEAR;
    a->gamma = a->beta = a->running = XC_ABSENT;
    a->dropout = 0;
    move_pool(a, b);
}

static xc_status append(xc_model *model, const xc_layer *layer, xc_error *error) {
    if (model->layer_count == XC_MAX_LAYERS)
        return xc_fail(error, XC_INPUT, "model %s has too many layers to be attributed; use fewer residual blocks",
                       model->name);
    model->layer[model->layer_count++] = *layer;
    return XC_OK;
}

/* One layer of the whole model, as one or two. */
static xc_status append_layer(xc_model *rest, xc_layer layer, xc_error *error) {
    const xc_activation_kind before = layer.block.before_norm;
    if (before == XC_LINEAR) return append(rest, &layer, error);
    xc_layer behind = layer_behind(&layer.block, rest->layer_count);
    layer.block.before_norm = XC_LINEAR;
    move_tail(&layer, &behind);
    layer.activation = before;
    const xc_status status = append(rest, &layer, error);
    return status == XC_OK ? append(rest, &behind, error) : status;
}

xc_status xc_model_cut(const xc_model *model, xc_model *first, xc_model *rest, xc_error *error) {
    xc_status status = XC_OK;
    int32_t place[XC_MAX_LAYERS]; /* of the whole model's layers in `rest` */
    *first = *rest = *model;
    first->layer_count = 1;
    rest->layer_count = 0;
    xc_layer *motif = &first->layer[0], head = layer_behind(&motif->block, -1);
    head.block.before_norm = motif->block.before_norm;
    motif->block.before_norm = XC_LINEAR;
    head.block.bias = motif->block.bias;
    motif->block.bias = XC_ABSENT;
    move_tail(motif, &head);
    motif->block.input_gradient = true;
    first->classes = motif->block.conv_length * motif->block.filters;
    for (int32_t i = 0; i < model->layer_count; i++) {
        xc_layer layer = i == 0 ? head : model->layer[i];
        if (layer.input >= 0) layer.input = place[layer.input];
        if (layer.skip >= 0) layer.skip = place[layer.skip];
        XC_TRY(append_layer(rest, layer, error));
        place[i] = rest->layer_count - 1;
    }
fail:
    return status;
}

/* ---- pools apart ------------------------------------------------------------------------------------------------- */

xc_status xc_model_part_pools(const xc_model *model, xc_model *parted, xc_error *error) {
    xc_status status = XC_OK;
    int32_t place[XC_MAX_LAYERS]; /* of the model's layers in `parted` */
    *parted = *model;
    parted->layer_count = 0;
    for (int32_t i = 0; i < model->layer_count; i++) {
        xc_layer layer = model->layer[i];
        xc_layer pool = layer_behind(&layer.block, parted->layer_count);
        const bool pooled = layer.block.pool > 1;
        if (layer.input >= 0) layer.input = place[layer.input];
        if (layer.skip >= 0) layer.skip = place[layer.skip];
        if (pooled) move_pool(&layer.block, &pool.block);
        XC_TRY(append(parted, &layer, error));
        if (pooled) XC_TRY(append(parted, &pool, error));
        place[i] = parted->layer_count - 1;
    }
fail:
    return status;
}

/* ---- one layer --------------------------------------------------------------------------------------------------- */

static void shift(size_t *offset, size_t begin) {
    if (*offset != XC_ABSENT) *offset -= begin;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Where the parameters of a layer begin; those of the whole model stand in the order of layers. */
static size_t first_parameter(const xc_block *block) {
    const size_t begin = least(least(block->kernel, block->bias), least(block->gamma, block->beta));
    return begin == XC_ABSENT ? 0 : begin;
}

void xc_model_layer(const xc_model *model, int32_t i, xc_model *layer, size_t *parameters, size_t *running) {
    *layer = *model;
    layer->layer[0] = model->layer[i];
    layer->layer_count = 1;
    layer->l2_count = layer->tensor_count = 0;
    xc_layer *only = &layer->layer[0];
    xc_block *block = &only->block;
    only->input = only->skip = -1;
    *parameters = first_parameter(block);
    *running = block->running == XC_ABSENT ? 0 : block->running;
    size_t end = *parameters;
    for (int32_t j = 0; j < model->tensor_count; j++) {
        const xc_tensor *tensor = &model->tensor[j];
        const bool own = tensor->offset == block->kernel || tensor->offset == block->bias ||
                         tensor->offset == block->gamma || tensor->offset == block->beta;
        if (own && tensor->offset + tensor->count > end) end = tensor->offset + tensor->count;
    }
    layer->parameter_count = end - *parameters;
    layer->running_count = block->running == XC_ABSENT ? 0 : 2 * (size_t)block->filters;
    shift(&block->kernel, *parameters);
    shift(&block->bias, *parameters);
    shift(&block->gamma, *parameters);
    shift(&block->beta, *parameters);
    shift(&block->running, *running);
    layer->classes = block->out_length * block->filters;
}

/* build.c: from the blocks of a config to the layers of a model: shapes, padding, tensors, L2 terms.
 *
 * A convolution or dense entry is one layer; a residual entry is three (two convolutions and the sum); the output layer
 * comes last. Padding is TensorFlow's: of K - 1 zeros (K - 1) / 2 stand on the left. Everything that cannot be is
 * refused here, with the entry's number counted from 1. Holds no weights and no memory: see initialise.c and pack.c.
 */
#include <stdarg.h>
#include <string.h>

#include "expconv/model.h"

#define ALIGN_FLOATS 16u
#define LIMIT 1048576u /* of filters, units, widths and pools: far beyond sense, small enough for sums in 32 bits */
#define NORM_MOMENTUM 0.99f
#define NORM_EPSILON 1e-3f

/* Where the building stands: the shape that the next entry gets. */
typedef struct builder {
    xc_model *model;
    const xc_block_config *entry; /* being built; NULL: the output layer */
    uint32_t number;              /* of the entry, from 1 */
    int64_t length, channels;
    int32_t input;      /* layer whose y comes next; -1: the sequence */
    xc_init first_init; /* of the first kernel */
    xc_precision precision;
    xc_error *error;
} builder;

static size_t aligned(size_t floats) { return (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS; }

/* "conv 96, width 7, valid", as the entry is known to its author. */
static void describe(const builder *b, char *text, size_t size) {
    const xc_block_config *entry = b->entry;
    if (entry == NULL)
        snprintf(text, size, "output");
    else if (entry->conv > 0)
        snprintf(text, size, "conv %u, width %u, %s", entry->conv, entry->width,
                 entry->padding == XC_PADDING_SAME ? "same" : "valid");
    else if (entry->residual > 0)
        snprintf(text, size, "residual %u", entry->residual);
    else
        snprintf(text, size, "dense %u", entry->dense);
}

/* Fails with "model NAME: block 3 (conv 96, width 7, valid) ...". */
static xc_status refuse(const builder *b, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
static xc_status refuse(const builder *b, const char *format, ...) {
    char what[96], why[512];
    describe(b, what, sizeof what);
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    return xc_fail(b->error, XC_INPUT, "model %s: block %u (%s) %s", b->model->name, b->number, what, why);
}

/* Appends a tensor of the layer that is being built and returns its offset. The last dimensions may be 0: absent. */
static size_t add_tensor(xc_model *model, const char *part, const int32_t shape[3]) {
    xc_tensor *tensor = &model->tensor[model->tensor_count++];
    snprintf(tensor->name, sizeof tensor->name, "block%d.%s", model->layer_count, part);
    tensor->offset = model->parameter_count;
    tensor->count = 1;
    for (tensor->rank = 0; tensor->rank < 3 && shape[tensor->rank] > 0; tensor->rank++) {
        tensor->shape[tensor->rank] = shape[tensor->rank];
        tensor->count *= (size_t)shape[tensor->rank];
    }
    model->parameter_count += aligned(tensor->count);
    return tensor->offset;
}

/* The kernel of `block`, (K,C,F) or for dense (In,Out), with its L2 term. */
static xc_status add_kernel(const builder *b, xc_block *block, xc_init init, double l2) {
    xc_model *model = b->model;
    const double count = (double)block->width * block->channels * block->filters;
    if (count + (double)model->parameter_count > (double)INT32_MAX)
        return refuse(b, "brings the model to more than 2^31 parameters; use fewer filters or units, or larger pools");
    const bool dense = block->kind == XC_BLOCK_DENSE;
    const int32_t shape[3] = {dense ? block->channels : block->width, dense ? block->filters : block->channels,
                              dense ? 0 : block->filters};
    block->kernel = add_tensor(model, "kernel", shape);
    xc_tensor *tensor = &model->tensor[model->tensor_count - 1];
    tensor->is_kernel = true;
    tensor->init = init;
    tensor->l2 = (float)l2;
    if (l2 > 0)
        model->l2[model->l2_count++] = (xc_l2){.offset = tensor->offset, .count = tensor->count, .factor = (float)l2};
    return XC_OK;
}

static void add_norm(xc_model *model, xc_block *block) {
    const int32_t shape[3] = {block->filters, 0, 0};
    block->gamma = add_tensor(model, "gamma", shape);
    block->beta = add_tensor(model, "beta", shape);
    block->running = model->running_count;
    model->running_count += aligned(2 * (size_t)block->filters);
}

/* A new layer with what all kinds share; it counts only when finish_layer is called. */
static xc_status begin_layer(builder *b, xc_block_kind kind, xc_layer **out) {
    xc_model *model = b->model;
    if (model->layer_count == XC_MAX_LAYERS)
        return xc_fail(b->error, XC_INPUT, "model %s has more than %d layers; use fewer blocks", model->name,
                       XC_MAX_LAYERS);
    xc_layer *layer = &model->layer[model->layer_count];
    *layer = (xc_layer){.input = b->input, .skip = -1, .activation = XC_LINEAR};
    layer->block = (xc_block){.kind = kind,
                              .length = (int32_t)b->length,
                              .channels = (int32_t)b->channels,
                              .width = 1,
                              .conv_length = (int32_t)b->length,
                              .pool = 1,
                              .out_length = (int32_t)b->length,
                              .before_norm = XC_LINEAR,
                              .norm_momentum = NORM_MOMENTUM,
                              .norm_epsilon = NORM_EPSILON,
                              .dropout_stream = (uint32_t)model->layer_count,
                              .precision = b->precision,
                              .kernel = XC_ABSENT,
                              .bias = XC_ABSENT,
                              .gamma = XC_ABSENT,
                              .beta = XC_ABSENT,
                              .running = XC_ABSENT};
    *out = layer;
    return XC_OK;
}

static void finish_layer(builder *b, const xc_layer *layer) {
    b->input = b->model->layer_count++;
    b->length = layer->block.out_length;
    b->channels = layer->block.filters;
}

/* Dropout and pool of the entry, on its last layer. */
static xc_status set_dropout_and_pool(const builder *b, xc_block *block) {
    const xc_block_config *entry = b->entry;
    block->dropout = (float)entry->dropout;
    if (entry->pool <= 1) return XC_OK;
    const int32_t length = block->conv_length;
    block->pool = (int32_t)entry->pool;
    if (entry->pool_padding == XC_PADDING_SAME) {
        block->out_length = (length + block->pool - 1) / block->pool;
        const int32_t missing = block->out_length * block->pool - length;
        block->pool_pad_left = missing / 2;
    } else {
        block->out_length = length / block->pool;
        if (block->out_length < 1)
            return refuse(b,
                          "ends in a valid pool of %u, which needs at least %u positions but gets %d; use longer "
                          "sequences or smaller pools",
                          entry->pool, entry->pool, length);
    }
    return XC_OK;
}

static xc_status build_conv(builder *b) {
    xc_status status;
    const xc_block_config *entry = b->entry;
    const bool first = b->input < 0, same = entry->padding == XC_PADDING_SAME;
    xc_layer *layer;
    XC_TRY(begin_layer(b, first ? XC_BLOCK_MOTIF : XC_BLOCK_CONV, &layer));
    xc_block *block = &layer->block;
    block->width = (int32_t)entry->width;
    block->filters = (int32_t)entry->conv;
    if (same)
        block->pad_left = (block->width - 1) / 2;
    else
        block->conv_length = block->length - block->width + 1;
    if (block->conv_length < 1)
        return refuse(b, "needs at least %u positions but gets %d; use longer sequences or smaller pools", entry->width,
                      block->length);
    block->out_length = block->conv_length;
    XC_TRY(set_dropout_and_pool(b, block));
    XC_TRY(add_kernel(b, block, first ? b->first_init : XC_INIT_GLOROT_UNIFORM, entry->l2));
    if (entry->norm) add_norm(b->model, block);
    layer->first = first && entry->activation == NULL;
    layer->activation = entry->activation != NULL ? *entry->activation : XC_RELU;
    finish_layer(b, layer);
fail:
    return status;
}

/* Convolution, relu, batch norm; twice, with relu between; then the input is added. */
static xc_status build_residual(builder *b) {
    xc_status status = XC_OK;
    const xc_block_config *entry = b->entry;
    const int32_t input = b->input;
    const int32_t channels = (int32_t)b->channels;
    xc_layer *layer;
    for (int unit = 0; unit < 2; unit++) {
        XC_TRY(begin_layer(b, XC_BLOCK_CONV, &layer));
        xc_block *block = &layer->block;
        block->width = (int32_t)entry->residual;
        block->pad_left = (block->width - 1) / 2;
        block->filters = channels;
        block->before_norm = XC_RELU;
        XC_TRY(add_kernel(b, block, XC_INIT_HE_NORMAL, entry->l2));
        if (entry->norm) add_norm(b->model, block);
        layer->activation = unit == 0 ? XC_RELU : XC_LINEAR;
        finish_layer(b, layer);
    }
    XC_TRY(begin_layer(b, XC_BLOCK_ADD, &layer));
    layer->skip = input;
    layer->block.filters = channels;
    layer->activation = entry->activation != NULL ? *entry->activation : XC_RELU;
    XC_TRY(set_dropout_and_pool(b, &layer->block));
    finish_layer(b, layer);
fail:
    return status;
}

/* Flattens (L,C), channels fastest: the same memory, seen as L * C channels. */
static xc_status flatten(builder *b) {
    const int64_t channels = b->length * b->channels;
    if (channels > INT32_MAX)
        return refuse(b, "gets %lld inputs, more than 2^31; use larger pools before it", (long long)channels);
    b->length = 1;
    b->channels = channels;
    return XC_OK;
}

static xc_status build_dense(builder *b) {
    xc_status status;
    const xc_block_config *entry = b->entry;
    xc_layer *layer;
    XC_TRY(flatten(b));
    XC_TRY(begin_layer(b, XC_BLOCK_DENSE, &layer));
    layer->block.filters = (int32_t)entry->dense;
    XC_TRY(set_dropout_and_pool(b, &layer->block));
    XC_TRY(add_kernel(b, &layer->block, XC_INIT_GLOROT_UNIFORM, entry->l2));
    if (entry->norm) add_norm(b->model, &layer->block);
    layer->activation = entry->activation != NULL ? *entry->activation : XC_RELU;
    finish_layer(b, layer);
fail:
    return status;
}

static xc_status build_output(builder *b) {
    xc_status status;
    xc_layer *layer;
    b->entry = NULL;
    XC_TRY(flatten(b));
    XC_TRY(begin_layer(b, XC_BLOCK_DENSE, &layer));
    layer->block.filters = b->model->classes;
    XC_TRY(add_kernel(b, &layer->block, XC_INIT_GLOROT_UNIFORM, 0));
    const int32_t shape[3] = {b->model->classes, 0, 0};
    layer->block.bias = add_tensor(b->model, "bias", shape);
    finish_layer(b, layer);
fail:
    return status;
}

/* What holds for one entry whatever came before, and its place in the order conv and residual, then dense. */
static xc_status check_entry(const builder *b) {
    const xc_block_config *entry = b->entry;
    const int kinds = (entry->conv > 0) + (entry->residual > 0) + (entry->dense > 0);
    if (kinds != 1)
        return xc_fail(b->error, XC_INPUT, "model %s: block %u must have exactly one of conv, residual and dense",
                       b->model->name, b->number);
    if (entry->conv > 0 && entry->width == 0) return refuse(b, "has no width; give the kernel's width");
    if (entry->conv > LIMIT || entry->residual > LIMIT || entry->dense > LIMIT || entry->width > LIMIT ||
        entry->pool > LIMIT)
        return refuse(b, "has a size over %u; use a smaller one", LIMIT);
    if (!(entry->dropout >= 0 && entry->dropout < 1))
        return refuse(b, "has dropout %g; it must be at least 0 and less than 1", entry->dropout);
    if (b->input < 0 && entry->conv == 0) return refuse(b, "comes first; the first block must be a convolution");
    if (entry->dense > 0 && entry->pool > 1) return refuse(b, "has a pool; only convolutions and residuals can");
    const bool flat = b->input >= 0 && b->model->layer[b->input].block.kind == XC_BLOCK_DENSE;
    if (flat && entry->dense == 0) return refuse(b, "comes after a dense block; put it before");
    return XC_OK;
}

/* What holds for the model as a whole before its first layer is laid out. */
static xc_status check_input(const xc_model_config *config, const xc_model *model, xc_error *error) {
    if (config->blocks_count == 0)
        return xc_fail(error, XC_INPUT, "model %s has no blocks; name a model of the zoo or list blocks", model->name);
    if (model->classes < 1)
        return xc_fail(error, XC_INPUT, "model %s needs at least one class; the data has no labels", model->name);
    if (config->length > 0 && (uint32_t)model->length != config->length)
        return xc_fail(error, XC_INPUT,
                       "model %s is for sequences of %u bases but the data has %d; use a model of that "
                       "length or write the blocks out without a length",
                       model->name, config->length, model->length);
    const xc_block_config *first = &config->blocks[0];
    if (first->conv > 0 && model->length < (int64_t)first->width)
        return xc_fail(error, XC_INPUT,
                       "model %s: sequences of %d bases are shorter than the first kernel's width of "
                       "%u; use longer sequences",
                       model->name, model->length, first->width);
    return XC_OK;
}

xc_status xc_model_build(const xc_model_config *config, int32_t length, int32_t classes, xc_model *model,
                         xc_error *error) {
    xc_status status;
    memset(model, 0, sizeof *model);
    snprintf(model->name, sizeof model->name, "%s", config->zoo != NULL ? config->zoo : "blocks");
    model->length = length;
    model->classes = classes;
    model->stddev = config->stddev;
    XC_TRY(check_input(config, model, error));
    model->activation = config->blocks[0].activation ? *config->blocks[0].activation : config->activation;
    builder b = {.model = model,
                 .length = length,
                 .channels = 4,
                 .input = -1,
                 .first_init = config->init,
                 .precision = config->precision,
                 .error = error};
    for (uint32_t i = 0; i < config->blocks_count; i++) {
        b.entry = &config->blocks[i];
        b.number = i + 1;
        XC_TRY(check_entry(&b));
        if (b.entry->conv > 0)
            XC_TRY(build_conv(&b));
        else if (b.entry->residual > 0)
            XC_TRY(build_residual(&b));
        else
            XC_TRY(build_dense(&b));
    }
    b.number++;
    XC_TRY(build_output(&b));
fail:
    return status;
}

xc_activation xc_config_activation(const xc_config *config) {
    return (xc_activation){.kind = config->model.activation,
                           .beyond = config->exponential.beyond,
                           .scale = (float)config->exponential.scale,
                           .clip = (float)config->exponential.clip};
}

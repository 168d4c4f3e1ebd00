/* config_check.c: whether the values of a complete config make sense: ranges, blocks that hang together, lists without
 * repetition, names that exist. Each refusal names the line or the --set that the value came from. The filters section
 * is config_filters.c's; whether the model fits the data's length is for xc_model_build to say.
 */
#include <math.h>
#include <string.h>

#include "config_range.h"
#include "config_schema.h"

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

/* One number of a struct. `lists`: where its list and the list's count are in xc_config, 0 when it has none. */
typedef struct number_rule {
    const char *path;
    size_t offset;
    size_t bytes; /* 4: uint32_t, 8: double */
    xc_interval range;
    size_t list, count;
} number_rule;

#define MEMBER(type, member) offsetof(type, member), sizeof(((type *)0)->member)
#define CONFIG(path, member, ...) \
    { path, MEMBER(xc_config, member), __VA_ARGS__, 0, 0 }
#define SWEPT(path, member, swept, ...)                                                 \
    {                                                                                   \
        path, MEMBER(xc_config, member), __VA_ARGS__, offsetof(xc_config, sweep.swept), \
            offsetof(xc_config, sweep.swept##_count)                                    \
    }
#define BLOCK(path, member, ...) \
    { path, MEMBER(xc_block_config, member), __VA_ARGS__, 0, 0 }

/* The clip's limit keeps exp(clip) a finite float32. */
static const number_rule config_rules[] = {
    CONFIG("model.length", model.length, XC_FROM_TO(0, 1048575)),
    SWEPT("model.stddev", model.stddev, stddev, XC_ABOVE(0)),
    CONFIG("train.epochs", train.epochs, XC_FROM_TO(1, 1e6)),
    CONFIG("train.batch", train.batch, XC_FROM_TO(1, 1e6)),
    SWEPT("train.learning_rate", train.learning_rate, learning_rate, XC_ABOVE(0)),
    CONFIG("train.beta1", train.beta1, XC_FROM_BELOW(0, 1)),
    CONFIG("train.beta2", train.beta2, XC_FROM_BELOW(0, 1)),
    CONFIG("train.epsilon", train.epsilon, XC_ABOVE(0)),
    CONFIG("train.momentum", train.momentum, XC_FROM_BELOW(0, 1)),
    CONFIG("train.early_stop.min_delta", train.early_stop.min_delta, XC_AT_LEAST(0)),
    CONFIG("train.reduce_lr.factor", train.reduce_lr.factor, XC_BETWEEN(0, 1)),
    CONFIG("train.reduce_lr.min", train.reduce_lr.min, XC_AT_LEAST(0)),
    CONFIG("train.reduce_lr.min_delta", train.reduce_lr.min_delta, XC_AT_LEAST(0)),
    SWEPT("exponential.clip", exponential.clip, clip, XC_FROM_TO(-INFINITY, 88)),
    SWEPT("exponential.scale", exponential.scale, scale, XC_FROM_TO(-INFINITY, INFINITY)),
    CONFIG("sweep.seeds", sweep.seeds, XC_FROM_TO(1, 1e6)),
};

/* Dropout ends where the 16-bit threshold would drop everything. */
static const number_rule block_rules[] = {
    BLOCK("conv", conv, XC_FROM_TO(0, 1e6)),   BLOCK("residual", residual, XC_FROM_TO(0, 1e6)),
    BLOCK("dense", dense, XC_FROM_TO(0, 1e6)), BLOCK("width", width, XC_FROM_TO(0, 1e6)),
    BLOCK("pool", pool, XC_FROM_TO(1, 1e6)),   BLOCK("dropout", dropout, XC_FROM_BELOW(0, 1)),
    BLOCK("l2", l2, XC_AT_LEAST(0)),
};

static double number_at(const void *data, size_t bytes) {
    uint32_t whole;
    double value;
    if (bytes == sizeof whole) return memcpy(&whole, data, sizeof whole), whole;
    return memcpy(&value, data, sizeof value), value;
}

static xc_status check_list_range(const xc_config *config, const xc_document *document, const number_rule *rule,
                                  xc_error *error) {
    const double *list;
    uint32_t count;
    memcpy(&list, (const char *)config + rule->list, sizeof list);
    memcpy(&count, (const char *)config + rule->count, sizeof count);
    for (uint32_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "sweep.%s[%u]", strrchr(rule->path, '.') + 1, i);
        const xc_status status = xc_config_check_range(document, path, list[i], rule->range, error);
        if (status != XC_OK) return status;
    }
    return XC_OK;
}

static xc_status check_ranges(const xc_config *config, const xc_document *document, xc_error *error) {
    xc_status status = XC_OK;
    for (size_t i = 0; i < sizeof config_rules / sizeof *config_rules; i++) {
        const number_rule *rule = &config_rules[i];
        const double value = number_at((const char *)config + rule->offset, rule->bytes);
        XC_TRY(xc_config_check_range(document, rule->path, value, rule->range, error));
        if (rule->list) XC_TRY(check_list_range(config, document, rule, error));
    }
    for (uint32_t i = 0; i < config->train.class_weights_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "train.class_weights[%u]", i);
        XC_TRY(
            xc_config_check_range(document, path, config->train.class_weights[i], (xc_interval)XC_AT_LEAST(0), error));
    }
fail:
    return status;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

/* Keys that the user wrote into a block that has no use for them. */
static xc_status check_block_keys(const xc_document *document, uint32_t i, const xc_block_config *block,
                                  xc_error *error) {
    const int blocks = xc_document_value(document, xc_document_value(document, 1, "model"), "blocks");
    if (!blocks || xc_document_null(document, blocks)) return XC_OK; /* they are the zoo's */
    const int *items = xc_document_node(document, blocks)->data.sequence.items.start;
    const yaml_node_t *node = xc_document_node(document, items[i]);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const char *key = xc_document_text(document, pair->key);
        if (xc_document_written(document, pair->key) && !xc_document_null(document, pair->value) &&
            !xc_block_takes(block, key))
            return xc_document_refuse(document, pair->key, error, "model.blocks[%u]: a %s block has no \"%s\"", i,
                                      xc_block_word(block), key);
    }
    return XC_OK;
}

static xc_status check_block(const xc_config *config, const xc_document *document, uint32_t i, xc_error *error) {
    xc_status status = XC_OK;
    const xc_block_config *block = &config->model.blocks[i], *before = i ? block - 1 : NULL;
    char path[64];
    snprintf(path, sizeof path, "model.blocks[%u]", i);
    const int node = xc_document_find(document, path);
    if ((block->conv > 0) + (block->residual > 0) + (block->dense > 0) != 1)
        return xc_document_refuse(document, node, error,
                                  "model.blocks[%u] must have exactly one of conv, residual and dense, above 0", i);
    XC_TRY(check_block_keys(document, i, block, error));
    if (!before && !block->conv)
        return xc_document_refuse(document, node, error, "model.blocks[0] must be a conv: it reads the sequence");
    if (before && before->dense && !block->dense)
        return xc_document_refuse(document, node, error, "model.blocks[%u]: a %s cannot follow a dense block", i,
                                  xc_block_word(block));
    if (block->conv && !block->width)
        return xc_document_refuse(document, node, error, "model.blocks[%u]: conv needs its width, such as width: 7", i);
    for (size_t r = 0; r < sizeof block_rules / sizeof *block_rules; r++) {
        const number_rule *rule = &block_rules[r];
        snprintf(path, sizeof path, "model.blocks[%u].%s", i, rule->path);
        XC_TRY(xc_config_check_range(document, path, number_at((const char *)block + rule->offset, rule->bytes),
                                     rule->range, error));
    }
    if (xc_dropout_threshold((float)block->dropout) >= 65536)
        return xc_document_refuse(document, node, error, "model.blocks[%u]: dropout is too near to 1", i);
fail:
    return status;
}

/* ---- names and lists -------------------------------------------------------------------------------------------- */

/* A model's name becomes part of folder names. */
static xc_status check_name(const xc_config *config, const xc_document *document, xc_error *error) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *name = config->model.zoo;
    if (strlen(name) < 60 && name[0] != '.' && strspn(name, allowed) == strlen(name)) return XC_OK;
    return xc_document_refuse(document, xc_document_find(document, "model.zoo"), error,
                              "model.zoo \"%.80s\" cannot name a folder: use letters, digits, - _ . and at most 59",
                              name);
}

/* Two entries of a list that would give two trials of one name. `same` compares entries i and j. */
#define REFUSE_REPEATS(key, list_count, same)   \
    for (uint32_t j = 1; j < (list_count); j++) \
        for (uint32_t i = 0; i < j; i++)        \
            if (same) return refuse_repeat(document, key, j, error)

static xc_status refuse_repeat(const xc_document *document, const char *key, uint32_t entry, xc_error *error) {
    char path[64];
    snprintf(path, sizeof path, "sweep.%s[%u]", key, entry);
    const int node = xc_document_find(document, path);
    const char *text = xc_document_text(document, node);
    return xc_document_refuse(document, node, error, "sweep.%s has %s twice; every entry is trained once", key,
                              text ? text : "a value");
}

static xc_status check_repeats(const xc_sweep_config *sweep, const xc_document *document, xc_error *error) {
    REFUSE_REPEATS("zoo", sweep->zoo_count, strcmp(sweep->zoo[i], sweep->zoo[j]) == 0);
    REFUSE_REPEATS("activation", sweep->activation_count, sweep->activation[i] == sweep->activation[j]);
    REFUSE_REPEATS("init", sweep->init_count, sweep->init[i] == sweep->init[j]);
    REFUSE_REPEATS("stddev", sweep->stddev_count, sweep->stddev[i] == sweep->stddev[j]);
    REFUSE_REPEATS("scale", sweep->scale_count, sweep->scale[i] == sweep->scale[j]);
    REFUSE_REPEATS("clip", sweep->clip_count, sweep->clip[i] == sweep->clip[j]);
    REFUSE_REPEATS("learning_rate", sweep->learning_rate_count, sweep->learning_rate[i] == sweep->learning_rate[j]);
    return XC_OK;
}

/* Lists that would train the same network again under another name. */
static xc_status check_purpose(const xc_config *config, const xc_document *document, xc_error *error) {
    const xc_sweep_config *sweep = &config->sweep;
    bool normal = !sweep->init_count && config->model.init == XC_INIT_NORMAL;
    bool exponential = !sweep->activation_count && config->model.activation == XC_EXPONENTIAL;
    for (uint32_t i = 0; i < sweep->init_count; i++) normal |= sweep->init[i] == XC_INIT_NORMAL;
    for (uint32_t i = 0; i < sweep->activation_count; i++) exponential |= sweep->activation[i] == XC_EXPONENTIAL;
    if (sweep->stddev_count && !normal)
        return xc_document_refuse(document, xc_document_find(document, "sweep.stddev"), error,
                                  "sweep.stddev changes nothing: it is for model.init: normal");
    if ((sweep->scale_count || sweep->clip_count) && !exponential)
        return xc_document_refuse(
            document, xc_document_find(document, sweep->scale_count ? "sweep.scale" : "sweep.clip"), error,
            "sweep.%s changes nothing: no activation here is exponential", sweep->scale_count ? "scale" : "clip");
    return XC_OK;
}

static xc_status check_sweep(const xc_config *config, const xc_document *document, xc_error *error) {
    xc_status status = XC_OK;
    const xc_sweep_config *sweep = &config->sweep;
    for (uint32_t i = 0; i < sweep->zoo_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "sweep.zoo[%u]", i);
        XC_TRY(xc_zoo_check(sweep->zoo[i], document, xc_document_find(document, path), error));
    }
    XC_TRY(check_repeats(sweep, document, error));
    XC_TRY(check_purpose(config, document, error));
    const uint32_t counts[] = {sweep->zoo_count,          sweep->activation_count, sweep->init_count,
                               sweep->stddev_count,       sweep->scale_count,      sweep->clip_count,
                               sweep->learning_rate_count};
    double trials = sweep->seeds;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) trials *= counts[i] ? counts[i] : 1;
    if (trials > 1e6)
        return xc_document_refuse(document, xc_document_find(document, "sweep"), error,
                                  "the sweep has %.0f trials; it can have at most 1000000", trials);
    if (config->train.seed > UINT64_MAX - sweep->seeds)
        return xc_document_refuse(document, xc_document_find(document, "train.seed"), error,
                                  "train.seed is too large for %u seeds", sweep->seeds);
fail:
    return status;
}

/* The other metrics of a squared error exist or not by the labels, which are not known here. */
static xc_status check_monitor(const xc_train_config *train, const xc_document *document, xc_error *error) {
    if (train->loss != XC_LOSS_SQUARED || train->monitor != XC_METRIC_ACCURACY) return XC_OK;
    return xc_document_refuse(document, xc_document_find(document, "train.monitor"), error,
                              "train.monitor is val_accuracy, which %s does not have; set it to val_loss",
                              xc_loss_word(train->loss));
}

xc_status xc_config_check(const xc_config *config, const xc_document *document, xc_error *error) {
    xc_status status = XC_OK;
    if (!config->data.file)
        return xc_document_refuse(document, xc_document_find(document, "data"), error,
                                  "data.file is missing; name the HDF5 file, such as \"data: {file: task1.h5}\"");
    XC_TRY(check_name(config, document, error));
    XC_TRY(check_ranges(config, document, error));
    for (uint32_t i = 0; i < config->model.blocks_count; i++) XC_TRY(check_block(config, document, i, error));
    XC_TRY(check_monitor(&config->train, document, error));
    XC_TRY(check_sweep(config, document, error));
    if (config->filters) XC_TRY(xc_config_check_filters(config->filters, document, error));
    if (config->attribution) XC_TRY(xc_config_check_attribution(config->attribution, document, error));
fail:
    return status;
}

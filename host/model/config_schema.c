/* config_schema.c: the tables of config_schema.h: words for enumerations, keys of each section, defaults. The types are
 * those of xc_config itself, so that libcyaml fills it directly. Defaults are the protocol of Koo & Ploenzke 2021 as
 * published; what they leave open (the clip, SGD's momentum) is ours.
 */
#include "config_schema.h"

#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------------ */

#define WORD(name, word) {word, name},
#define MONITOR(name, word, larger) {"val_" word, name},
static const cyaml_strval_t activations[] = {XC_ACTIVATIONS(WORD)};
static const cyaml_strval_t inits[] = {XC_INITS(WORD)};
static const cyaml_strval_t losses[] = {XC_LOSSES(WORD)};
static const cyaml_strval_t precisions[] = {XC_PRECISIONS(WORD)};
static const cyaml_strval_t optimizers[] = {XC_OPTIMIZERS(WORD)};
static const cyaml_strval_t monitors[] = {XC_METRICS(MONITOR)};
static const cyaml_strval_t methods[] = {XC_ATTRIBUTION_METHODS(WORD)};
static const cyaml_strval_t backgrounds[] = {XC_BACKGROUNDS(WORD)};
static const cyaml_strval_t quadratures[] = {XC_QUADRATURES(WORD)};
static const cyaml_strval_t explained[] = {{"logit", false}, {"probability", true}};
static const cyaml_strval_t paddings[] = {{"same", XC_PADDING_SAME}, {"valid", XC_PADDING_VALID}};
static const cyaml_strval_t beyonds[] = {{"hard", XC_BEYOND_HARD}, {"linear", XC_BEYOND_LINEAR}};
static const cyaml_strval_t kept_weights[] = {{"last", false}, {"best", true}};
/* libcyaml's own booleans take every word that is not "false" for true. */
const cyaml_strval_t xc_truth_words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}};

const char *xc_activation_word(xc_activation_kind kind) { return activations[kind].str; }
const char *xc_init_word(xc_init init) { return inits[init].str; }
const char *xc_loss_word(xc_loss_kind loss) { return losses[loss].str; }
const char *xc_precision_word(xc_precision precision) { return precisions[precision].str; }
const char *xc_method_word(xc_attribution_method method) { return methods[method].str; }
const char *xc_background_word(xc_background background) { return backgrounds[background].str; }
const char *xc_quadrature_word(xc_quadrature quadrature) { return quadratures[quadrature].str; }
const char *xc_metric_word(xc_metric metric) { return monitors[metric].str + strlen("val_"); }

/* ---- keys ------------------------------------------------------------------------------------------------------- */

/* A field is GIVEN when the defaults see to it, and MAYBE when it may be absent: NULL, an empty list, or 0. */
#define GIVEN CYAML_FLAG_DEFAULT
#define MAYBE CYAML_FLAG_OPTIONAL
#define COUNT(words) (sizeof(words) / sizeof *(words))

#define UINT(key, flags, type, member) CYAML_FIELD_UINT(key, flags, type, member)
#define FLOAT(key, type, member) CYAML_FIELD_FLOAT(key, GIVEN, type, member)
#define STRING(key, type, member) CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | MAYBE, type, member, 1, CYAML_UNLIMITED)
#define ENUM(key, type, member, words)                                                                                 \
    CYAML_FIELD_ENUM(key, CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE, type, member, words, COUNT(words))
#define TRUTH(key, type, member) ENUM(key, type, member, xc_truth_words)
#define LIST(key, type, member, entry)                                                                                 \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | MAYBE, type, member, &(entry), 1, CYAML_UNLIMITED)
#define SECTION(key, flags, type, member, fields) CYAML_FIELD_MAPPING(key, flags, type, member, fields)

static const cyaml_schema_value_t number_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_value_t string_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED)};
static const cyaml_schema_value_t activation_entry = {CYAML_VALUE_ENUM(
    CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE, xc_activation_kind, activations, COUNT(activations))};
static const cyaml_schema_value_t method_entry = {CYAML_VALUE_ENUM(
    CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE, xc_attribution_method, methods, COUNT(methods))};
static const cyaml_schema_value_t init_entry = {
    CYAML_VALUE_ENUM(CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE, xc_init, inits, COUNT(inits))};

const cyaml_schema_field_t xc_block_fields[] = {
    UINT("conv", MAYBE, xc_block_config, conv),
    UINT("residual", MAYBE, xc_block_config, residual),
    UINT("dense", MAYBE, xc_block_config, dense),
    UINT("width", MAYBE, xc_block_config, width),
    ENUM("padding", xc_block_config, padding, paddings),
    CYAML_FIELD_ENUM_PTR("activation", CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE | MAYBE, xc_block_config,
                         activation, activations, COUNT(activations)),
    FLOAT("dropout", xc_block_config, dropout),
    UINT("pool", GIVEN, xc_block_config, pool),
    ENUM("pool_padding", xc_block_config, pool_padding, paddings),
    TRUTH("norm", xc_block_config, norm),
    FLOAT("l2", xc_block_config, l2),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t block_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_FLOW, xc_block_config, xc_block_fields)};

static const cyaml_schema_field_t data_fields[] = {
    STRING("file", xc_data_config, file),
    TRUTH("reverse_complement", xc_data_config, reverse_complement),
    STRING("train_x", xc_data_config, train_x),
    STRING("train_y", xc_data_config, train_y),
    STRING("valid_x", xc_data_config, valid_x),
    STRING("valid_y", xc_data_config, valid_y),
    STRING("test_x", xc_data_config, test_x),
    STRING("test_y", xc_data_config, test_y),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t model_fields[] = {
    STRING("zoo", xc_model_config, zoo),
    UINT("length", MAYBE, xc_model_config, length),
    ENUM("activation", xc_model_config, activation, activations),
    ENUM("init", xc_model_config, init, inits),
    FLOAT("stddev", xc_model_config, stddev),
    ENUM("precision", xc_model_config, precision, precisions),
    LIST("blocks", xc_model_config, blocks, block_entry),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t early_stop_fields[] = {
    UINT("patience", GIVEN, xc_early_stop_config, patience),
    FLOAT("min_delta", xc_early_stop_config, min_delta),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t reduce_lr_fields[] = {
    UINT("patience", GIVEN, xc_reduce_lr_config, patience),
    FLOAT("factor", xc_reduce_lr_config, factor),
    FLOAT("min", xc_reduce_lr_config, min),
    FLOAT("min_delta", xc_reduce_lr_config, min_delta),
    UINT("cooldown", GIVEN, xc_reduce_lr_config, cooldown),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t train_fields[] = {
    UINT("epochs", GIVEN, xc_train_config, epochs),
    UINT("batch", GIVEN, xc_train_config, batch),
    ENUM("optimizer", xc_train_config, optimizer, optimizers),
    FLOAT("learning_rate", xc_train_config, learning_rate),
    FLOAT("beta1", xc_train_config, beta1),
    FLOAT("beta2", xc_train_config, beta2),
    FLOAT("epsilon", xc_train_config, epsilon),
    FLOAT("momentum", xc_train_config, momentum),
    ENUM("loss", xc_train_config, loss, losses),
    LIST("class_weights", xc_train_config, class_weights, number_entry),
    ENUM("monitor", xc_train_config, monitor, monitors),
    SECTION("early_stop", CYAML_FLAG_FLOW, xc_train_config, early_stop, early_stop_fields),
    SECTION("reduce_lr", CYAML_FLAG_FLOW, xc_train_config, reduce_lr, reduce_lr_fields),
    ENUM("weights", xc_train_config, best_weights, kept_weights),
    UINT("seed", GIVEN, xc_train_config, seed),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t exponential_fields[] = {
    FLOAT("clip", xc_exponential_config, clip),
    ENUM("beyond", xc_exponential_config, beyond, beyonds),
    FLOAT("scale", xc_exponential_config, scale),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t sweep_fields[] = {
    LIST("zoo", xc_sweep_config, zoo, string_entry),
    LIST("activation", xc_sweep_config, activation, activation_entry),
    LIST("init", xc_sweep_config, init, init_entry),
    LIST("stddev", xc_sweep_config, stddev, number_entry),
    LIST("scale", xc_sweep_config, scale, number_entry),
    LIST("clip", xc_sweep_config, clip, number_entry),
    LIST("learning_rate", xc_sweep_config, learning_rate, number_entry),
    UINT("seeds", GIVEN, xc_sweep_config, seeds),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t ground_truth_fields[] = {
    STRING("name", xc_ground_truth, name),
    LIST("motifs", xc_ground_truth, motifs, string_entry),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t ground_truth_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_FLOW, xc_ground_truth, ground_truth_fields)};

static const cyaml_schema_field_t filters_fields[] = {
    STRING("motifs", xc_filters_config, motifs),
    FLOAT("threshold", xc_filters_config, threshold),
    LIST("thresholds", xc_filters_config, thresholds, number_entry),
    UINT("window", GIVEN, xc_filters_config, window),
    FLOAT("evalue", xc_filters_config, evalue),
    LIST("ground_truth", xc_filters_config, ground_truth, ground_truth_entry),
    LIST("ignore_alone", xc_filters_config, ignore_alone, string_entry),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t attribution_fields[] = {
    LIST("methods", xc_attribution_config, methods, method_entry),
    UINT("sequences", GIVEN, xc_attribution_config, sequences),
    UINT("class", GIVEN, xc_attribution_config, class_index),
    ENUM("of", xc_attribution_config, probability, explained),
    ENUM("background", xc_attribution_config, background, backgrounds),
    UINT("backgrounds", GIVEN, xc_attribution_config, backgrounds),
    UINT("steps", GIVEN, xc_attribution_config, steps),
    ENUM("quadrature", xc_attribution_config, quadrature, quadratures),
    UINT("seed", GIVEN, xc_attribution_config, seed),
    CYAML_FIELD_END,
};

/* The sections of measures stand last in the text: they may change in a folder (train/claim.c), and the lines before
 * them keep their numbers. */
static const cyaml_schema_field_t config_fields[] = {
    SECTION("data", GIVEN, xc_config, data, data_fields),
    SECTION("model", GIVEN, xc_config, model, model_fields),
    SECTION("train", GIVEN, xc_config, train, train_fields),
    SECTION("exponential", CYAML_FLAG_FLOW, xc_config, exponential, exponential_fields),
    SECTION("sweep", GIVEN, xc_config, sweep, sweep_fields),
    CYAML_FIELD_MAPPING_PTR("filters", CYAML_FLAG_POINTER | MAYBE, xc_config, filters, filters_fields),
    CYAML_FIELD_MAPPING_PTR("attribution", CYAML_FLAG_POINTER | MAYBE, xc_config, attribution, attribution_fields),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t xc_config_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, xc_config, config_fields)};

static const cyaml_schema_field_t zoo_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, xc_zoo_model, name, 1, CYAML_UNLIMITED),
    UINT("length", GIVEN, xc_zoo_model, length),
    CYAML_FIELD_SEQUENCE("blocks", CYAML_FLAG_POINTER, xc_zoo_model, blocks, &block_entry, 1, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t xc_zoo_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, xc_zoo_model, zoo_fields)};

/* ---- defaults --------------------------------------------------------------------------------------------------- */

const char *const xc_config_defaults =
    "data: {reverse_complement: false}\n"
    "model: {activation: exponential, init: glorot_uniform, stddev: 0.05, precision: fp32}\n"
    "train: {epochs: 100, batch: 100, optimizer: adam, learning_rate: 0.001, beta1: 0.9, beta2: 0.999,\n"
    "        epsilon: 1.0e-7, momentum: 0.9, loss: binary_crossentropy, monitor: val_auroc,\n"
    "        early_stop: {patience: 20, min_delta: 0},\n"
    "        reduce_lr: {patience: 5, factor: 0.2, min: 1.0e-7, min_delta: 1.0e-4, cooldown: 0},\n"
    "        weights: last, seed: 0}\n"
    "exponential: {clip: 30, beyond: linear, scale: 1}\n"
    "sweep: {seeds: 1}\n";

const char *const xc_block_defaults =
    "{padding: same, dropout: 0, pool: 1, pool_padding: valid, norm: true, l2: 1.0e-6}\n";

/* As in Koo & Ploenzke 2021. */
const char *const xc_filters_defaults = "{threshold: 0.5, window: 20, evalue: 0.1}\n";

const char *const xc_attribution_defaults =
    "{sequences: 500, class: 0, of: probability, background: shuffle, backgrounds: 10, steps: 20,\n"
    " quadrature: left, seed: 0}\n";

static xc_status complete_section(xc_document *document, const char *key, const char *defaults, xc_error *error) {
    const int section = xc_document_value(document, 1, key);
    if (!section || xc_document_null(document, section)) return XC_OK;
    return xc_document_complete(document, section, defaults, error);
}

xc_status xc_config_complete_measures(xc_document *document, xc_error *error) {
    const xc_status status = complete_section(document, "filters", xc_filters_defaults, error);
    return status == XC_OK ? complete_section(document, "attribution", xc_attribution_defaults, error) : status;
}

xc_status xc_config_complete_blocks(xc_document *document, const char *path, xc_error *error) {
    xc_status status = XC_OK;
    const int list = xc_document_find(document, path);
    const yaml_node_t *node = xc_document_node(document, list);
    if (!node || node->type != YAML_SEQUENCE_NODE) return XC_OK;
    const int count = (int)(node->data.sequence.items.top - node->data.sequence.items.start);
    for (int i = 0; i < count; i++) {
        const int block = xc_document_node(document, list)->data.sequence.items.start[i];
        XC_TRY(xc_document_complete(document, block, xc_block_defaults, error));
    }
fail:
    return status;
}

/* ---- kinds of blocks -------------------------------------------------------------------------------------------- */

const char *xc_block_word(const xc_block_config *block) {
    return block->conv ? "conv" : block->residual ? "residual" : "dense";
}

bool xc_block_takes(const xc_block_config *block, const char *key) {
    static const char *const of_conv[] = {"conv", "width", "padding", "activation", "dropout", "pool", "pool_padding",
                                          "norm", "l2", NULL};
    static const char *const of_residual[] = {"residual", "pool", "pool_padding", "l2", NULL};
    static const char *const of_dense[] = {"dense", "activation", "dropout", "norm", "l2", NULL};
    const char *const *keys = block->conv ? of_conv : block->residual ? of_residual : of_dense;
    while (*keys && strcmp(*keys, key) != 0) keys++;
    return *keys != NULL;
}

/* config_schema.h: which keys a config and a zoo file may have, of which type, and with which defaults. libcyaml loads
 * by these tables, and checking and writing walk the same ones, so a key is named once.
 */
#ifndef EXPCONV_CONFIG_SCHEMA_H
#define EXPCONV_CONFIG_SCHEMA_H

#include <cyaml/cyaml.h>

#include "config_document.h"
#include "expconv/model.h"

/* A file of configs/zoo. */
typedef struct xc_zoo_model {
    char *name;
    uint32_t length;
    xc_block_config *blocks;
    uint32_t blocks_count;
} xc_zoo_model;

extern const cyaml_schema_value_t xc_config_schema; /* of an xc_config */
extern const cyaml_schema_value_t xc_zoo_schema;    /* of an xc_zoo_model */

/* The words for booleans, by which the tables' enumerations of truth values are known; true comes first. */
extern const cyaml_strval_t xc_truth_words[];

/* The keys of a block. */
extern const cyaml_schema_field_t xc_block_fields[];

/* The defaults as YAML: of a config without its model's blocks and its measures, of one block, of either measure. */
extern const char *const xc_config_defaults;
extern const char *const xc_block_defaults;
extern const char *const xc_filters_defaults;
extern const char *const xc_attribution_defaults;

/* Completes every mapping of the list at `path` with the defaults of a block. */
xc_status xc_config_complete_blocks(xc_document *document, const char *path, xc_error *error);

/* Completes the sections `filters` and `attribution` where they are. */
xc_status xc_config_complete_measures(xc_document *document, xc_error *error);

/* Whether `key` means anything in a block of this kind: padding does not in a dense one. */
bool xc_block_takes(const xc_block_config *block, const char *key);

/* What a block is, for error lines: "conv", "residual", "dense". */
const char *xc_block_word(const xc_block_config *block);

/* Loads a zoo model. Free with cyaml_free by xc_zoo_schema. */
xc_status xc_zoo_load(const char *name, xc_zoo_model **model, xc_error *error);

/* Fails, naming the nearest, unless the zoo has the model. `document` may be NULL; `node` is where the name stands. */
xc_status xc_zoo_check(const char *name, const xc_document *document, int node, xc_error *error);

/* Checks every value of a complete config; document: where the values came from. */
xc_status xc_config_check(const xc_config *config, const xc_document *document, xc_error *error);

/* Checks a complete filters section. */
xc_status xc_config_check_filters(const xc_filters_config *filters, const xc_document *document, xc_error *error);

/* Checks a complete attribution section. */
xc_status xc_config_check_attribution(const xc_attribution_config *attribution, const xc_document *document,
                                      xc_error *error);

/* The shortest text that reads back as the same number, and as a number in every YAML reader. */
void xc_config_number(double value, char text[32]);

#endif

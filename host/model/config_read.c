/* config_read.c: from a YAML file and the command line's overrides to a complete, checked config; and copies of it.
 * The steps are those of config_document.h.
 */
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"

enum { LARGEST_FILE = 1 << 20 };

/* Chooses the model where the user left it open, and takes its blocks from the zoo. */
static xc_status settle_model(xc_config *config, const xc_document *document, xc_error *error) {
    xc_model_config *model = &config->model;
    const bool own_blocks = model->blocks_count > 0;
    if (!model->zoo) {
        const char *name = own_blocks ? "custom" : config->sweep.zoo_count ? config->sweep.zoo[0] : "cnn-deep";
        model->zoo = strdup(name);
        if (!model->zoo) return xc_fail(error, XC_MEMORY, "%s: out of memory", document->name);
    }
    int node = xc_document_find(document, "model.zoo");
    if (own_blocks && node > document->file_end && xc_document_find(document, "model.blocks") <= document->file_end)
        return xc_document_refuse(document, node, error,
                                  "%s writes out model.blocks, so this would only rename them; add --set "
                                  "model.blocks=null --set model.length=null to take the zoo's",
                                  document->name);
    if (own_blocks) return XC_OK;

    char name[64];
    const uint32_t length = model->length;
    if (!node) node = xc_document_find(document, "sweep.zoo");
    xc_status status = xc_zoo_check(model->zoo, document, node, error);
    if (status != XC_OK) return status;
    snprintf(name, sizeof name, "%s", model->zoo);
    status = xc_config_set_zoo(config, name, error);
    if (status == XC_OK && length && length != model->length)
        return xc_document_refuse(document, xc_document_find(document, "model.length"), error,
                                  "model.length is %u, but zoo model %s is for %u; write out model.blocks to change it",
                                  length, name, model->length);
    return status;
}

static xc_status read_text(const char *name, const char *text, size_t size, const char *const *overrides,
                           int override_count, xc_config **config, xc_error *error) {
    xc_document document = {0};
    void *data = NULL;
    xc_status status = XC_OK;
    XC_TRY(xc_document_open(&document, name, text, size, error));
    XC_TRY(xc_document_override(&document, overrides, override_count, error));
    XC_TRY(xc_document_check(&document, &xc_config_schema, error));
    XC_TRY(xc_document_complete(&document, 1, xc_config_defaults, error));
    XC_TRY(xc_config_complete_blocks(&document, "model.blocks", error));
    XC_TRY(xc_config_complete_measures(&document, error));
    XC_TRY(xc_document_load(&document, &xc_config_schema, &data, error));
    *config = data;
    XC_TRY(settle_model(*config, &document, error));
    XC_TRY(xc_config_check(*config, &document, error));
fail:
    xc_document_close(&document);
    return status;
}

xc_status xc_config_read(const char *path, const char *const *overrides, int override_count, xc_config **config,
                         xc_error *error) {
    char *text = NULL;
    size_t size = 0;
    *config = NULL;
    xc_status status = xc_file_read(path, LARGEST_FILE, &text, &size, error);
    if (status == XC_OK) status = read_text(path, text, size, overrides, override_count, config, error);
    free(text);
    return status;
}

xc_status xc_config_copy(const xc_config *config, xc_config **copy, xc_error *error) {
    /* Writing and reading is the one deep copy that cannot forget a member. */
    xc_config alone = *config;
    alone.sweep = (xc_sweep_config){.seeds = 1};
    char *text = NULL;
    *copy = NULL;
    xc_status status = xc_config_write(&alone, &text, error);
    if (status == XC_OK) status = read_text("copied config", text, strlen(text), NULL, 0, copy, error);
    free(text);
    return status;
}

void xc_config_free(xc_config *config) {
    if (config) cyaml_free(&xc_document_cyaml, &xc_config_schema, config, 0);
}

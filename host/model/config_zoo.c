/* config_zoo.c: the models of configs/zoo, which the Makefile puts into the program as text (build/zoo.c), as blocks of
 * a config. A zoo file has the keys name, length and blocks; a block's defaults are those of a config.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"
#include "zoo.h"

enum { MOST_MODELS = 64 };

static const char *names[MOST_MODELS + 1];
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static void collect_names(void) {
    for (int i = 0; i < MOST_MODELS && xc_zoo_files[i].name; i++) names[i] = xc_zoo_files[i].name;
}

const char *const *xc_zoo_names(void) {
    pthread_once(&names_once, collect_names);
    return names;
}

static const xc_zoo_file *find_file(const char *name) {
    for (const xc_zoo_file *file = xc_zoo_files; file->name; file++)
        if (strcmp(file->name, name) == 0) return file;
    return NULL;
}

xc_status xc_zoo_check(const char *name, const xc_document *document, int node, xc_error *error) {
    if (find_file(name)) return XC_OK;
    const char *nearest = xc_nearest(name, xc_zoo_names());
    if (document)
        return xc_document_refuse(document, node, error, "unknown zoo model \"%s\"; did you mean \"%s\"?", name,
                                  nearest);
    return xc_fail(error, XC_USAGE, "unknown zoo model \"%s\"; did you mean \"%s\"?", name, nearest);
}

xc_status xc_zoo_load(const char *name, xc_zoo_model **model, xc_error *error) {
    char place[256];
    xc_document document = {0};
    void *data = NULL;
    *model = NULL;
    xc_status status = xc_zoo_check(name, NULL, 0, error);
    if (status != XC_OK) return status;
    snprintf(place, sizeof place, "configs/zoo/%s.yaml", name);
    const char *text = find_file(name)->text;
    XC_TRY(xc_document_open(&document, place, text, strlen(text), error));
    XC_TRY(xc_document_check(&document, &xc_zoo_schema, error));
    XC_TRY(xc_config_complete_blocks(&document, "blocks", error));
    XC_TRY(xc_document_load(&document, &xc_zoo_schema, &data, error));
    *model = data;
fail:
    xc_document_close(&document);
    return status;
}

static void free_blocks(xc_model_config *model) {
    for (uint32_t i = 0; i < model->blocks_count; i++) free(model->blocks[i].activation);
    free(model->blocks);
}

xc_status xc_config_set_zoo(xc_config *config, const char *zoo, xc_error *error) {
    xc_zoo_model *from = NULL;
    xc_model_config *model = &config->model;
    xc_status status = xc_zoo_load(zoo, &from, error);
    if (status != XC_OK) return status;
    free(model->zoo);
    free_blocks(model);
    model->zoo = from->name;
    model->length = from->length;
    model->blocks = from->blocks;
    model->blocks_count = from->blocks_count;
    free(from);
    return XC_OK;
}

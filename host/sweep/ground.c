/* ground.c: what all trials of a sweep stand on: one backend, the data read once, every model checked against it, the
 * database that filters are compared with, the ground truth of attribution maps.
 *
 * Headers come first: what cannot work with this file's shapes is refused in an instant, not after a long read.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

static xc_status check_class_weights(const xc_train_config *train, int32_t classes, xc_error *error) {
    if (!train->class_weights || train->class_weights_count == (uint32_t)classes) return XC_OK;
    return xc_fail(error, XC_INPUT, "train.class_weights has %u numbers, but the data has %d classes; give one a class",
                   train->class_weights_count, classes);
}

/* The models of a grid differ where the zoo name does; activation and initialisation leave the shape as it is. */
static xc_status check_models(const xc_grid *grid, const xc_split_header *train, xc_error *error) {
    xc_status status = XC_OK;
    xc_model *model = NULL;
    const char *checked = NULL;
    XC_TRY(check_class_weights(&grid->trial[0].config->train, train->classes, error));
    XC_TRY(xc_allocate(&model, 1, sizeof *model, "a model", error));
    for (size_t i = 0; i < grid->count; i++) {
        const xc_model_config *config = &grid->trial[i].config->model;
        if (checked && strcmp(checked, config->zoo) == 0) continue;
        XC_TRY(xc_model_build(config, (int32_t)train->length, train->classes, model, error));
        checked = config->zoo;
    }
fail:
    free(model);
    return status;
}

static xc_status read_data(const xc_grid *grid, int threads, xc_dataset *dataset, xc_error *error) {
    xc_status status = XC_OK;
    bool monitored;
    const xc_config *config = grid->trial[0].config;
    const xc_data_config *data = &config->data;
    const xc_data_names names = {.x = {data->train_x, data->valid_x, data->test_x},
                                 .y = {data->train_y, data->valid_y, data->test_y}};
    unsigned wanted = 1u << XC_TRAIN | 1u << XC_VALID | 1u << XC_TEST;
    XC_TRY(xc_dataset_read(data->file, &names, 0, data->reverse_complement, threads, dataset, error));
    const xc_split_header *train = &dataset->header[XC_TRAIN];
    if (train->present && train->classes > 0) XC_TRY(check_models(grid, train, error));
    if (!dataset->header[XC_TEST].present) {
        if (config->filters || config->attribution) {
            status = xc_fail(
                error, XC_INPUT,
                "%s has no test split, on which %s measured; add one, or leave the config's %s section out", data->file,
                config->filters ? "filters are" : "attribution maps are", config->filters ? "filters" : "attribution");
            goto fail;
        }
        xc_log(XC_LOG_NOTICE, "%s has no test split; its metrics will be nan", data->file);
        wanted &= ~(1u << XC_TEST);
    }
    xc_dataset_free(dataset);
    XC_TRY(xc_dataset_read(data->file, &names, wanted, data->reverse_complement, threads, dataset, error));
    XC_TRY(xc_train_data_check(dataset, config->train.loss, error));
    XC_TRY(xc_train_monitor_check(dataset, &config->train, &monitored, error));
fail:
    return status;
}

/* The CPU backend and the reference have one precision. */
static void check_precision(const xc_backend *backend, xc_precision precision) {
    const bool cpu = strcmp(backend->name, "cpu") == 0, reference = strcmp(backend->name, "ref") == 0;
    if (precision == XC_FP32 || !(cpu || reference)) return;
    xc_log(XC_LOG_WARNING, "precision: %s is for the GPU; the %s computes in float32", xc_precision_word(precision),
           cpu ? "CPU" : "reference");
}

xc_status xc_ground_open(const xc_grid *grid, const xc_sweep_options *options, xc_ground *ground, xc_error *error) {
    xc_status status = XC_OK;
    const xc_attribution_config *attribution = grid->trial[0].config->attribution;
    memset(ground, 0, sizeof *ground);
    XC_TRY(xc_backend_open(options->device, &ground->backend, error));
    check_precision(ground->backend, grid->trial[0].config->model.precision);
    XC_TRY(xc_measure_open(xc_grid_filters(grid), &ground->database, error));
    XC_TRY(read_data(grid, options->threads, &ground->dataset, error));
    if (attribution)
        XC_TRY(xc_attribution_truth_read(grid->trial[0].config->data.file, XC_TEST, &ground->dataset.split[XC_TEST],
                                         attribution, &ground->truth, error));
    XC_TRY(xc_train_data_open(ground->backend, &ground->dataset, &ground->data, error));
fail:
    return status;
}

void xc_ground_close(xc_ground *ground) {
    /* data.dataset tells whether the splits were opened. */
    if (ground->data.dataset) xc_train_data_close(&ground->data);
    xc_dataset_free(&ground->dataset);
    xc_motif_list_free(&ground->database);
    xc_attribution_truth_free(&ground->truth);
}

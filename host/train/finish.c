/* finish.c: the end of a trial: the kept weights measured on valid and test, and its files written so that each kill in
 * between leaves a folder that says the truth: weights.h5, then metrics.tsv, and the checkpoint removed last.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "room.h"

void xc_finish_clean(const xc_trial *trial) {
    char *path = xc_path_join(trial->folder, XC_CHECKPOINT_FILE);
    if (path) unlink(path);
    free(path);
}

/* The state whose weights are kept: the last epoch's or the best's. Borrowed from the runner. */
static xc_trial_state kept_state(const xc_runner *runner) {
    xc_trial_state kept = {
        .parameters = runner->state.parameters, .running = runner->state.running, .step = runner->state.step};
    if (runner->best) {
        kept.parameters = runner->best;
        kept.running = runner->best + runner->model->parameter_count;
    }
    return kept;
}

/* Metrics of one split by the pack's only trial, per class; all NaN when there is no such split. */
static xc_status measure(const xc_train_config *config, xc_pack *pack, xc_inference *inference,
                         const xc_train_data *data, xc_split_name name, xc_metrics *metrics, xc_error *error) {
    xc_status status = XC_OK;
    const xc_split *split = &data->dataset->split[name];
    const size_t items = xc_split_items(split);
    float *logits = NULL; /* (items,classes) */
    xc_metrics_none(metrics);
    if (items == 0) return XC_OK;
    XC_TRY(xc_allocate(&logits, items * (size_t)split->classes, sizeof *logits, "logits", error));
    XC_TRY(xc_inference_split(inference, pack, &data->split[name], split, logits, error));
    const xc_metrics_input input = {.loss = config->loss,
                                    .class_weights = config->class_weights,
                                    .logits = logits,
                                    .labels = split->labels,
                                    .items = items,
                                    .label_rows = split->dna.sequences,
                                    .classes = split->classes};
    XC_TRY(xc_metrics_of(&input, true, metrics, error));
fail:
    free(logits);
    return status;
}

static xc_status measure_kept(const xc_runner *runner, const xc_trial_state *kept, const xc_backend *backend,
                              const xc_train_data *data, xc_team *team, xc_metrics metrics[XC_SPLIT_COUNT],
                              xc_error *error) {
    xc_status status = XC_OK;
    const xc_config *config = runner->trial->config;
    const xc_model *model = runner->model;
    const int32_t batch = xc_batch_needed(&config->train, data->dataset);
    const xc_activation activation = xc_config_activation(config);
    xc_pack *pack = NULL;
    xc_inference inference = {0};
    XC_TRY(xc_pack_create(backend, model, 1, batch, XC_FOR_INFERENCE, &pack, error));
    XC_TRY(xc_pack_set_team(pack, team, error));
    XC_TRY(xc_inference_open(&inference, 1, batch, model->classes, error));
    xc_pack_set(pack, 0, kept, &activation, config->train.seed);
    for (int s = XC_VALID; s <= XC_TEST; s++)
        XC_TRY(measure(&config->train, pack, &inference, data, (xc_split_name)s, &metrics[s], error));
fail:
    xc_inference_close(&inference);
    xc_pack_free(pack);
    return status;
}

static xc_status write_metrics(const xc_trial *trial, const xc_metrics metrics[XC_SPLIT_COUNT], xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    char *path = xc_path_join(trial->folder, XC_METRICS_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    XC_TRY(xc_file_create(&file, path, true, error));
    for (int s = XC_VALID; s <= XC_TEST; s++)
        if (xc_metrics_write(file.stream, xc_split_word((xc_split_name)s), &metrics[s], s == XC_VALID) != XC_OK) break;
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    free(path);
    return status;
}

static xc_status write_weights(const xc_trial *trial, const xc_model *model, const xc_trial_state *kept,
                               xc_error *error) {
    char *path = xc_path_join(trial->folder, XC_WEIGHTS_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    const xc_status status = xc_weights_write(path, model, kept, error);
    free(path);
    return status;
}

xc_status xc_finish_done(xc_runner *runner, const xc_backend *backend, const xc_train_data *data, xc_team *team,
                         xc_error *error) {
    xc_status status = XC_OK;
    xc_metrics metrics[XC_SPLIT_COUNT] = {0};
    xc_trial *trial = runner->trial;
    const xc_trial_state kept = kept_state(runner);
    XC_TRY(measure_kept(runner, &kept, backend, data, team, metrics, error));
    if (!isfinite(metrics[XC_VALID].mean[XC_METRIC_LOSS])) {
        snprintf(trial->reason, sizeof trial->reason, "epoch %u: the loss on valid is not finite", runner->epoch);
        status = xc_finish_diverged(runner, error);
        goto fail;
    }
    XC_TRY(write_weights(trial, runner->model, &kept, error));
    XC_TRY(write_metrics(trial, metrics, error));
    xc_finish_clean(trial);
    XC_TRY(xc_trial_read_results(trial, error));
fail:
    for (int s = 0; s < XC_SPLIT_COUNT; s++) xc_metrics_free(&metrics[s]);
    return status;
}

xc_status xc_finish_diverged(xc_runner *runner, xc_error *error) {
    xc_status status = XC_OK;
    xc_trial *trial = runner->trial;
    xc_file file = {0};
    char *path = xc_path_join(trial->folder, XC_DIVERGED_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    XC_TRY(xc_history_write(trial->folder, runner->rows, runner->epoch, error));
    XC_TRY(xc_file_create(&file, path, true, error));
    fprintf(file.stream, "%s\n", trial->reason);
    XC_TRY(xc_file_commit(&file, error));
    xc_finish_clean(trial);
    XC_TRY(xc_trial_read_results(trial, error));
fail:
    xc_file_discard(&file);
    free(path);
    return status;
}

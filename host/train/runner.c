/* runner.c: one running trial as the host holds it: its state, its callbacks, its history, its best weights; and how
 * these go into a checkpoint at the end of each epoch and come back.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

/* What the checkpoint holds beside the network's state: this, then a history row an epoch, then the best weights when
 * the config wants them. */
typedef struct checkpoint_head {
    char format[8];
    uint64_t train_items; /* another number means that the data changed under the trial */
    uint64_t epoch;
    double seconds;
    xc_callbacks callbacks;
} checkpoint_head;

static const char checkpoint_format[8] = "xctrain1";

static size_t best_count(const xc_model *model) { return model->parameter_count + model->running_count; }

static size_t extra_size(const xc_runner *runner, uint64_t epoch) {
    return sizeof(checkpoint_head) + epoch * sizeof(xc_history_row) +
           (runner->best ? best_count(runner->model) * sizeof(float) : 0);
}

static xc_status allocate(xc_runner *runner, size_t train_items, xc_error *error) {
    xc_status status = XC_OK;
    const xc_train_config *config = &runner->trial->config->train;
    xc_trial_state *state = &runner->state;
    const size_t parameters = runner->model->parameter_count;
    const char *what = "a trial";
    XC_TRY(xc_allocate(&state->parameters, parameters, sizeof(float), what, error));
    XC_TRY(xc_allocate(&state->first_moment, parameters, sizeof(float), what, error));
    XC_TRY(xc_allocate(&state->second_moment, parameters, sizeof(float), what, error));
    XC_TRY(xc_allocate(&state->running, runner->model->running_count, sizeof(float), what, error));
    XC_TRY(xc_allocate(&runner->rows, config->epochs, sizeof *runner->rows, what, error));
    XC_TRY(xc_allocate(&runner->order, train_items, sizeof(uint32_t), what, error));
    if (config->best_weights) XC_TRY(xc_allocate(&runner->best, best_count(runner->model), sizeof(float), what, error));
fail:
    return status;
}

static void initialise(xc_runner *runner) {
    const xc_train_config *config = &runner->trial->config->train;
    xc_model_initialise(runner->model, config->seed, runner->state.parameters, runner->state.running);
    xc_callbacks_start(&runner->callbacks, config);
}

static xc_status restore(xc_runner *runner, size_t train_items, const char *path, xc_error *error) {
    xc_status status = XC_OK;
    char *extra = NULL;
    size_t size = 0;
    checkpoint_head head;
    XC_TRY(xc_checkpoint_read(path, runner->model, &runner->state, (void **)&extra, &size, error));
    if (size >= sizeof head) memcpy(&head, extra, sizeof head);
    if (size < sizeof head || memcmp(head.format, checkpoint_format, sizeof head.format) != 0 ||
        head.epoch >= runner->trial->config->train.epochs || size != extra_size(runner, head.epoch)) {
        status =
            xc_fail(error, XC_INPUT, "%s: not a checkpoint of this trial; remove it to train from the start", path);
        goto fail;
    }
    if (head.train_items != train_items) {
        status = xc_fail(error, XC_INPUT,
                         "%s: made with %llu training sequences, but the data has %zu now; restore the data, or remove "
                         "the trial's folder to train from the start",
                         path, (unsigned long long)head.train_items, train_items);
        goto fail;
    }
    runner->epoch = (uint32_t)head.epoch;
    runner->seconds = head.seconds;
    runner->callbacks = head.callbacks;
    const char *at = extra + sizeof head;
    memcpy(runner->rows, at, head.epoch * sizeof *runner->rows);
    at += head.epoch * sizeof *runner->rows;
    if (runner->best) memcpy(runner->best, at, best_count(runner->model) * sizeof(float));
fail:
    free(extra);
    return status;
}

xc_status xc_runner_open(xc_runner *runner, xc_trial *trial, const xc_model *shape, size_t train_items,
                         xc_error *error) {
    xc_status status = XC_OK;
    char *path = xc_path_join(trial->folder, XC_CHECKPOINT_FILE);
    *runner = (xc_runner){.trial = trial};
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    XC_TRY(xc_allocate(&runner->model, 1, sizeof *runner->model, "a model", error));
    XC_TRY(xc_model_build(&trial->config->model, shape->length, shape->classes, runner->model, error));
    XC_TRY(allocate(runner, train_items, error));
    if (xc_path_exists(path))
        XC_TRY(restore(runner, train_items, path, error));
    else
        initialise(runner);
    trial->status = XC_TRIAL_RUNNING;
fail:
    free(path);
    if (status != XC_OK) xc_runner_close(runner);
    return status;
}

void xc_runner_close(xc_runner *runner) {
    free(runner->model);
    free(runner->state.parameters);
    free(runner->state.first_moment);
    free(runner->state.second_moment);
    free(runner->state.running);
    free(runner->rows);
    free(runner->order);
    free(runner->best);
    memset(runner, 0, sizeof *runner);
}

xc_status xc_runner_checkpoint(const xc_runner *runner, size_t train_items, double seconds, xc_error *error) {
    xc_status status = XC_OK;
    char *extra = NULL, *path = xc_path_join(runner->trial->folder, XC_CHECKPOINT_FILE);
    const size_t size = extra_size(runner, runner->epoch), rows = runner->epoch * sizeof *runner->rows;
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", runner->trial->folder);
    XC_TRY(xc_allocate(&extra, size, 1, "a checkpoint", error));
    checkpoint_head head = {
        .train_items = train_items, .epoch = runner->epoch, .seconds = seconds, .callbacks = runner->callbacks};
    memcpy(head.format, checkpoint_format, sizeof head.format);
    memcpy(extra, &head, sizeof head);
    memcpy(extra + sizeof head, runner->rows, rows);
    if (runner->best) memcpy(extra + sizeof head + rows, runner->best, best_count(runner->model) * sizeof(float));
    XC_TRY(xc_checkpoint_write(path, runner->model, &runner->state, extra, size, error));
fail:
    free(extra);
    free(path);
    return status;
}

void xc_runner_keep_best(xc_runner *runner) {
    const xc_model *model = runner->model;
    if (!runner->best) return;
    memcpy(runner->best, runner->state.parameters, model->parameter_count * sizeof(float));
    memcpy(runner->best + model->parameter_count, runner->state.running, model->running_count * sizeof(float));
}

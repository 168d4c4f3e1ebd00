/* loop.c: a pack of trials trained in lockstep, batch by batch, to their ends. Each trial has its own order, epoch
 * count, learning rate and callbacks; what they share is the number of the batch. A trial that stops or diverges leaves
 * the pack, and the others notice nothing.
 *
 * Everything a step touches is allocated before the first. A device that has no memory for all is parts.c's business.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

typedef struct train_loop {
    const xc_backend *backend;
    const xc_train_data *data;
    const xc_train_events *events;
    const xc_split *train, *valid;
    double started; /* on xc_seconds' clock */
    xc_model model;
    xc_pack *pack;
    xc_team *team;
    xc_runner **slot;    /* (T) the running trial of each slot of the pack */
    xc_runner *runners;  /* (T) in the order they came */
    double *loss;        /* (T) */
    float *rate;         /* (T) learning rates */
    float *valid_logits; /* (T,valid items,classes) */
    xc_inference inference;
} train_loop;

static const xc_train_events no_events = {0};

/* ---- leaving the pack ------------------------------------------------------------------------------------------- */

static xc_status tell_finished(const train_loop *loop, xc_trial *trial, xc_error *error) {
    if (!loop->events->finished) return XC_OK;
    return loop->events->finished(loop->events->context, trial, error);
}

/* Mirrors xc_pack_remove in the slots, and gives the trial's memory back. */
static void leave_pack(train_loop *loop, int32_t t) {
    xc_pack_remove(loop->pack, t);
    xc_runner_close(loop->slot[t]);
    loop->slot[t] = loop->slot[xc_pack_trials(loop->pack)];
}

static double seconds_of(const train_loop *loop, const xc_runner *runner) {
    return runner->seconds + xc_seconds() - loop->started;
}

static xc_status end_diverged(train_loop *loop, int32_t t, xc_error *error) {
    xc_trial *trial = loop->slot[t]->trial;
    trial->seconds = seconds_of(loop, loop->slot[t]);
    xc_status status = xc_finish_diverged(loop->slot[t], error);
    if (status == XC_OK) status = tell_finished(loop, trial, error);
    leave_pack(loop, t);
    return status;
}

/* ---- one step --------------------------------------------------------------------------------------------------- */

/* Marks the trials whose loss is not finite, with the reason, while the forward pass can still be seen. */
static void mark_diverged(train_loop *loop) {
    for (int32_t t = 0; t < xc_pack_trials(loop->pack); t++) {
        if (isfinite(loop->loss[t])) continue;
        xc_runner *runner = loop->slot[t];
        char where[128] = "loss";
        xc_pack_find_nonfinite(loop->pack, t, where, sizeof where);
        snprintf(runner->trial->reason, sizeof runner->trial->reason, "epoch %u: %s is not finite", runner->epoch + 1,
                 where);
        runner->diverged = true;
    }
}

/* Forward, loss, backward and step on the next `batch` items of each trial's order. A trial that diverges is carried
 * through the step, because the others' activations must stay where they are, and leaves after it. */
static xc_status step(train_loop *loop, size_t batch, xc_error *error) {
    xc_status status = XC_OK;
    const int32_t trials = xc_pack_trials(loop->pack);
    const xc_train_config *config = &loop->slot[0]->trial->config->train;
    const xc_optimizer optimizer = {config->optimizer, (float)config->beta1, (float)config->beta2,
                                    (float)config->epsilon, (float)config->momentum};
    for (int32_t t = 0; t < trials; t++) loop->rate[t] = (float)loop->slot[t]->callbacks.learning_rate;
    XC_TRY(xc_pack_train_forward(loop->pack, &loop->data->split[XC_TRAIN], (int32_t)batch, config->loss,
                                 config->class_weights, loop->loss, error));
    mark_diverged(loop);
    XC_TRY(xc_pack_train_backward(loop->pack, &optimizer, loop->rate, error));

    for (int32_t t = trials; t-- > 0;) {
        loop->slot[t]->loss_sum += loop->loss[t] * (double)batch;
        if (loop->slot[t]->diverged) XC_TRY(end_diverged(loop, t, error));
    }
    if (loop->events->sequences) loop->events->sequences(loop->events->context, (size_t)trials * batch);
fail:
    return status;
}

static xc_status train_epoch(train_loop *loop, xc_error *error) {
    const size_t items = xc_split_items(loop->train);
    const size_t batch = loop->slot[0]->trial->config->train.batch;
    for (int32_t t = 0; t < xc_pack_trials(loop->pack); t++) {
        xc_runner *runner = loop->slot[t];
        xc_epoch_order(loop->train, runner->trial->config->train.seed, runner->epoch, runner->order);
        const xc_status status = xc_pack_set_order(loop->pack, t, runner->order, items, error);
        if (status != XC_OK) return status;
        runner->loss_sum = 0;
    }
    for (size_t first = 0; first < items && xc_pack_trials(loop->pack) > 0; first += batch) {
        if (xc_interrupted())
            return xc_fail(error, XC_INTERRUPTED,
                           "interrupted; the last whole epoch is saved, run the same command "
                           "again to go on");
        const xc_status status = step(loop, items - first < batch ? items - first : batch, error);
        if (status != XC_OK) return status;
    }
    return XC_OK;
}

/* ---- the end of an epoch ---------------------------------------------------------------------------------------- */

static xc_status measure_valid(const train_loop *loop, int32_t t, xc_metrics *metrics, xc_error *error) {
    const xc_train_config *config = &loop->slot[t]->trial->config->train;
    const size_t items = xc_split_items(loop->valid);
    const xc_metrics_input input = {
        .loss = config->loss,
        .class_weights = config->class_weights,
        .logits = loop->valid_logits + (size_t)t * items * (size_t)loop->model.classes,
        .labels = loop->valid->labels,
        .items = items,
        .label_rows = loop->valid->dna.sequences,
        .classes = loop->model.classes,
    };
    return xc_metrics_of(&input, false, metrics, error);
}

/* The row of the epoch that just ended. */
static xc_status fill_row(const train_loop *loop, int32_t t, xc_history_row *row, xc_error *error) {
    const xc_runner *runner = loop->slot[t];
    xc_metrics metrics;
    const xc_status status = measure_valid(loop, t, &metrics, error);
    if (status != XC_OK) return status;
    uint64_t clipped, total;
    xc_pack_clipped(loop->pack, t, &clipped, &total);
    *row = (xc_history_row){
        .epoch = runner->epoch + 1,
        .loss = runner->loss_sum / (double)xc_split_items(loop->train),
        .learning_rate = runner->callbacks.learning_rate,
        .clip_fraction = total > 0 ? (double)clipped / (double)total : 0,
    };
    memcpy(row->valid, metrics.mean, sizeof row->valid);
    return XC_OK;
}

/* Row, callbacks, history, and then either the trial's end or its checkpoint. */
static xc_status end_epoch(train_loop *loop, int32_t t, xc_error *error) {
    xc_status status = XC_OK;
    xc_runner *runner = loop->slot[t];
    xc_trial *trial = runner->trial;
    const xc_train_config *config = &trial->config->train;
    xc_history_row *row = &runner->rows[runner->epoch];
    XC_TRY(fill_row(loop, t, row, error));
    runner->epoch++;

    bool new_best;
    const double monitored = xc_history_rounded(row->valid[config->monitor]);
    const bool stop = xc_callbacks_epoch(&runner->callbacks, config, runner->epoch, monitored, &new_best);
    xc_pack_get(loop->pack, t, &runner->state);
    if (new_best) xc_runner_keep_best(runner);

    trial->epochs = runner->epoch;
    trial->best_epoch = runner->callbacks.best_epoch;
    trial->train_loss = row->loss;
    trial->clip_fraction = row->clip_fraction;
    trial->seconds = seconds_of(loop, runner);
    XC_TRY(xc_history_write(trial->folder, runner->rows, runner->epoch, error));
    if (loop->events->epoch) loop->events->epoch(loop->events->context, trial, runner->epoch, row->loss, monitored);

    if (stop || runner->epoch >= config->epochs) {
        XC_TRY(xc_finish_done(runner, loop->backend, loop->data, loop->team, error));
        XC_TRY(tell_finished(loop, trial, error));
        leave_pack(loop, t);
    } else {
        XC_TRY(xc_runner_checkpoint(runner, xc_split_items(loop->train), trial->seconds, error));
    }
fail:
    return status;
}

/* Takes as many threads as there are for this pack by now. */
static xc_status gather_team(train_loop *loop, xc_error *error) {
    xc_status status = XC_OK;
    xc_team *team = NULL;
    if (!loop->backend->host_memory) return XC_OK; /* threads of the host have nothing to share */
    const int threads = loop->events->threads ? loop->events->threads(loop->events->context) : 1;
    if (threads == xc_team_threads(loop->team)) return XC_OK;
    XC_TRY(xc_team_create(threads, &team, error));
    XC_TRY(xc_pack_set_team(loop->pack, team, error));
    xc_team_free(loop->team);
    loop->team = team;
    return XC_OK;
fail:
    xc_team_free(team);
    return status;
}

static xc_status run(train_loop *loop, xc_error *error) {
    xc_status status = XC_OK;
    while (xc_pack_trials(loop->pack) > 0) {
        XC_TRY(gather_team(loop, error));
        XC_TRY(train_epoch(loop, error));
        if (xc_pack_trials(loop->pack) == 0) break;
        XC_TRY(xc_inference_split(&loop->inference, loop->pack, &loop->data->split[XC_VALID], loop->valid,
                                  loop->valid_logits, error));
        /* Backwards: the last slot's trial, which moves into a slot that becomes free, has had its turn by then. */
        for (int32_t t = xc_pack_trials(loop->pack); t-- > 0;) XC_TRY(end_epoch(loop, t, error));
    }
fail:
    return status;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* Claims the folders and sorts out the trials that are finished already, which are only told. */
static xc_status find_unfinished(const train_loop *loop, xc_trial *const *trials, int32_t count, xc_trial **unfinished,
                                 int32_t *unfinished_count, xc_error *error) {
    xc_status status = XC_OK;
    *unfinished_count = 0;
    for (int32_t i = 0; i < count; i++) {
        XC_TRY(xc_trial_claim_folder(trials[i], NULL, error));
        XC_TRY(xc_trial_read_results(trials[i], error));
        if (xc_trial_ended(trials[i])) {
            xc_finish_clean(trials[i]);
            XC_TRY(tell_finished(loop, trials[i], error));
        } else {
            unfinished[(*unfinished_count)++] = trials[i];
        }
    }
fail:
    return status;
}

/* The pack in the backend's memory, with its orders, or places for batches of what is streamed. */
static xc_status make_pack(train_loop *loop, const xc_config *config, int32_t count, int32_t batch, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(xc_pack_create(loop->backend, &loop->model, count, batch, XC_FOR_TRAINING, &loop->pack, error));
    XC_TRY(xc_pack_reserve_order(loop->pack, &loop->data->split[XC_TRAIN], xc_split_items(loop->train), error));
    XC_TRY(xc_pack_reserve_split(loop->pack, &loop->data->split[XC_VALID], error));
    return XC_OK;
fail:
    xc_pack_free(loop->pack);
    loop->pack = NULL;
    if (status != XC_MEMORY || count > 1 || loop->backend->host_memory) return status;
    const size_t wanted = xc_train_bytes(loop->backend, loop->data, config, &loop->model, 1);
    return xc_train_refuse_memory(loop->backend, &loop->model, batch, wanted, error);
}

static xc_status open_pack(train_loop *loop, xc_trial *const *trials, int32_t count, xc_error *error) {
    xc_status status = XC_OK;
    const xc_config *config = trials[0]->config;
    const size_t classes = (size_t)loop->train->classes, n = (size_t)count;
    const int32_t batch = xc_batch_needed(&config->train, loop->data->dataset);
    const size_t valid_items = xc_split_items(loop->valid);
    XC_TRY(xc_model_build(&config->model, (int32_t)loop->train->dna.length, loop->train->classes, &loop->model, error));
    XC_TRY(make_pack(loop, config, count, batch, error));
    XC_TRY(xc_allocate(&loop->slot, n, sizeof *loop->slot, "a pack", error));
    XC_TRY(xc_allocate(&loop->runners, n, sizeof *loop->runners, "a pack", error));
    XC_TRY(xc_allocate(&loop->loss, n, sizeof *loop->loss, "a pack", error));
    XC_TRY(xc_allocate(&loop->rate, n, sizeof *loop->rate, "a pack", error));
    XC_TRY(xc_allocate(&loop->valid_logits, n * valid_items * classes, sizeof(float), "logits", error));
    XC_TRY(xc_inference_open(&loop->inference, count, batch, loop->model.classes, error));
    for (int32_t t = 0; t < count; t++) {
        xc_runner *runner = loop->slot[t] = &loop->runners[t];
        XC_TRY(xc_runner_open(runner, trials[t], &loop->model, xc_split_items(loop->train), error));
        const xc_activation activation = xc_config_activation(trials[t]->config);
        xc_pack_set(loop->pack, t, &runner->state, &activation, trials[t]->config->train.seed);
    }
fail:
    return status;
}

static void close_loop(train_loop *loop, int32_t count) {
    for (int32_t t = 0; t < count && loop->runners; t++) xc_runner_close(&loop->runners[t]);
    xc_inference_close(&loop->inference);
    free(loop->slot);
    free(loop->runners);
    free(loop->loss);
    free(loop->rate);
    free(loop->valid_logits);
    xc_pack_free(loop->pack);
    xc_team_free(loop->team);
    free(loop);
}

xc_status xc_train_at_once(const xc_backend *backend, const xc_train_data *data, xc_trial *const *trials, int32_t count,
                           const xc_train_events *events, xc_error *error) {
    xc_status status = XC_OK;
    train_loop *loop = NULL;
    xc_trial **unfinished = NULL;
    int32_t unfinished_count = 0;
    XC_TRY(xc_allocate(&loop, 1, sizeof *loop, "a pack", error));
    XC_TRY(xc_allocate(&unfinished, (size_t)count, sizeof *unfinished, "a pack", error));
    loop->backend = backend;
    loop->data = data;
    loop->events = events ? events : &no_events;
    loop->train = &data->dataset->split[XC_TRAIN];
    loop->valid = &data->dataset->split[XC_VALID];
    loop->started = xc_seconds();
    XC_TRY(find_unfinished(loop, trials, count, unfinished, &unfinished_count, error));
    if (unfinished_count > 0) {
        XC_TRY(open_pack(loop, unfinished, unfinished_count, error));
        XC_TRY(run(loop, error));
    }
fail:
    if (loop) close_loop(loop, unfinished_count);
    free(unfinished);
    return status;
}

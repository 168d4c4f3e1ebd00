/* schedule.c: the sweep itself: the queue of packs (packs.c), threads that take from it, tables that follow.
 *
 * A trial that is being trained belongs to its thread. The tables are written from `shown`, copies that change under
 * the lock alone, so no table ever sees a trial half done.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "../train/room.h"
#include "room.h"

struct sweep {
    const xc_sweep_options *options;
    xc_grid grid;
    xc_grid shown; /* the grid as the tables see it: shares all pointers with `grid`, the scores whole */
    xc_ground ground;
    xc_progress progress;
    xc_queue queue;
    int lock_file;
    bool fresh;         /* the folder had no config.yaml before */
    int threads;        /* of the whole sweep */
    atomic_int working; /* workers that have a pack, or may find one */

    pthread_mutex_t lock; /* for what follows, for queue.pack, shown and the tables, and to lower `working` */
    size_t next_pack;
    bool failed;
    xc_error first_failure;
};

static xc_status write_tables(struct sweep *sweep, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(xc_sweep_write_results(&sweep->shown, sweep->options->folder, error));
    XC_TRY(xc_sweep_write_summary(&sweep->shown, sweep->options->folder, error));
    XC_TRY(xc_sweep_write_manifest(&sweep->shown, sweep->options->folder, error));
fail:
    return status;
}

/* ---- what earlier runs have done -------------------------------------------------------------------------------- */

static xc_status read_states(struct sweep *sweep, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(xc_sweep_read_manifest(&sweep->grid, sweep->options->folder, error));
    for (size_t i = 0; i < sweep->grid.count; i++) {
        xc_trial *trial = &sweep->grid.trial[i];
        XC_TRY(xc_trial_read_results(trial, error));
        XC_TRY(xc_measure_read(&sweep->grid, i, error));
        const bool lacks = xc_measure_lacks(trial, &sweep->grid.scores[i], &sweep->grid.attribution[i]);
        if (trial->status == XC_TRIAL_DONE && lacks) trial->status = XC_TRIAL_RUNNING;
    }
    memcpy(sweep->shown.trial, sweep->grid.trial, sweep->grid.count * sizeof *sweep->grid.trial);
fail:
    return status;
}

/* ---- events, from the training threads --------------------------------------------------------------------------- */

static void on_sequences(void *context, size_t count) {
    struct sweep *sweep = context;
    xc_progress_sequences(&sweep->progress, count);
}

static void on_epoch(void *context, const xc_trial *trial, uint32_t epoch, double train_loss, double monitored) {
    struct sweep *sweep = context;
    xc_progress_epoch(&sweep->progress, trial, epoch, train_loss, monitored);
    pthread_mutex_lock(&sweep->lock);
    sweep->shown.trial[trial - sweep->grid.trial].epochs = epoch;
    pthread_mutex_unlock(&sweep->lock);
}

/* Threads that no pack works on any more go into the steps of those that are left. */
static int on_threads(void *context) {
    struct sweep *sweep = context;
    const int working = atomic_load(&sweep->working);
    return working > 0 && sweep->threads > working ? sweep->threads / working : 1;
}

/* A trial that was trained by an earlier run comes here at once. One that an interruption leaves unmeasured is not
 * done, and that is no failure of its pack, whose other trials have an epoch to save. */
static xc_status on_finished(void *context, xc_trial *trial, xc_error *error) {
    struct sweep *sweep = context;
    const size_t place = (size_t)(trial - sweep->grid.trial);
    xc_measured measured = {sweep->grid.scores[place], sweep->grid.attribution[place]}; /* by an earlier run */
    if (trial->status == XC_TRIAL_DONE && xc_measure_lacks(trial, &measured.filters, &measured.attribution)) {
        const xc_status status = xc_measure_trial(&sweep->ground, trial, on_threads(sweep), &measured, error);
        if (status != XC_OK) trial->status = XC_TRIAL_RUNNING;
        if (status != XC_OK) return status == XC_INTERRUPTED ? XC_OK : status;
    }
    xc_progress_finished(&sweep->progress, trial);
    pthread_mutex_lock(&sweep->lock);
    sweep->shown.trial[place] = *trial;
    sweep->grid.scores[place] = measured.filters; /* `shown` has the same ones */
    sweep->grid.attribution[place] = measured.attribution;
    const xc_status status = write_tables(sweep, error);
    pthread_mutex_unlock(&sweep->lock);
    if (trial->status == XC_TRIAL_DIVERGED) xc_log(XC_LOG_WARNING, "%s diverged: %s", trial->name, trial->reason);
    return status;
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

/* The next pack, its trials marked as running in the manifest; false when there is none or none should start, and then
 * the worker works no more. */
static bool take_pack(struct sweep *sweep, xc_queued_pack *pack, xc_status *status, xc_error *error) {
    bool taken = false;
    *status = XC_OK;
    pthread_mutex_lock(&sweep->lock);
    if (!sweep->failed && !xc_interrupted() && sweep->next_pack < sweep->queue.packs) {
        *pack = sweep->queue.pack[sweep->next_pack++];
        taken = true;
        for (size_t i = 0; i < pack->count; i++) {
            const size_t index = (size_t)(sweep->queue.trial[pack->first + i] - sweep->grid.trial);
            sweep->shown.trial[index].status = XC_TRIAL_RUNNING;
        }
        *status = xc_sweep_write_manifest(&sweep->shown, sweep->options->folder, error);
    }
    if (!taken) atomic_fetch_sub(&sweep->working, 1);
    pthread_mutex_unlock(&sweep->lock);
    return taken;
}

/* A pack for which a device had no memory goes back, with what is left of it, to the end of the queue when that may
 * have been another worker's doing: there is one, and then this worker works no more, or one has ended since this pack
 * was begun, when `working_then` worked. */
static bool put_back(struct sweep *sweep, xc_queued_pack pack, int working_then, bool *leave) {
    size_t unfinished = 0;
    if (sweep->ground.backend->host_memory) return false;
    pthread_mutex_lock(&sweep->lock);
    const int working = atomic_load(&sweep->working);
    *leave = working > 1;
    if (!sweep->failed && (working > 1 || working < working_then))
        for (size_t i = pack.first; i < pack.first + pack.count; i++)
            if (!xc_trial_ended(sweep->queue.trial[i]))
                sweep->queue.trial[pack.first + unfinished++] = sweep->queue.trial[i];
    if (unfinished > 0) {
        sweep->queue.pack[sweep->queue.packs++] = (xc_queued_pack){pack.first, unfinished};
        if (*leave) atomic_fetch_sub(&sweep->working, 1);
    }
    pthread_mutex_unlock(&sweep->lock);
    if (unfinished > 0 && *leave) xc_log(XC_LOG_WARNING, "no memory for two packs at once: from here on one at a time");
    return unfinished > 0;
}

static void note_failure(struct sweep *sweep, const xc_error *error) {
    pthread_mutex_lock(&sweep->lock);
    /* An interruption is the least of failures: an error that came with it is what the user must see. */
    if (!sweep->failed || sweep->first_failure.status == XC_INTERRUPTED) sweep->first_failure = *error;
    sweep->failed = true;
    pthread_mutex_unlock(&sweep->lock);
}

static void work(void *context, int thread) {
    struct sweep *sweep = context;
    const xc_train_events events = {sweep, on_sequences, on_epoch, on_finished, on_threads};
    xc_queued_pack pack;
    xc_status status;
    xc_error error = {0};
    (void)thread;
    while (take_pack(sweep, &pack, &status, &error)) {
        bool leave = false;
        const int working_then = atomic_load(&sweep->working);
        xc_trial **trials = sweep->queue.trial + pack.first;
        xc_progress_pack_started(&sweep->progress, pack.count);
        if (status == XC_OK)
            status =
                xc_train_pack(sweep->ground.backend, &sweep->ground.data, trials, (int32_t)pack.count, &events, &error);
        size_t unfinished = 0;
        for (size_t i = 0; i < pack.count; i++) unfinished += !xc_trial_ended(trials[i]);
        xc_progress_pack_ended(&sweep->progress, unfinished);
        const bool again = status == XC_MEMORY && put_back(sweep, pack, working_then, &leave);
        if (leave && again) return;
        if (status != XC_OK && !again) note_failure(sweep, &error);
    }
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* A folder that was claimed just now is given back when the device has no memory for a trial, so that another config
 * may have it. */
static xc_status queue_packs(struct sweep *sweep, xc_error *error) {
    const xc_sweep_options *options = sweep->options;
    sweep->threads = options->threads > 0 ? options->threads : xc_core_count();
    const xc_status status =
        xc_queue_build(&sweep->grid, &sweep->ground, options->pack, sweep->threads, &sweep->queue, error);
    char *path = status != XC_OK && sweep->fresh ? xc_path_join(options->folder, XC_CONFIG_FILE) : NULL;
    if (path) (void)unlink(path);
    free(path);
    return status;
}

static xc_status open_sweep(const xc_config *config, struct sweep *sweep, xc_error *error) {
    xc_status status = XC_OK;
    const char *folder = sweep->options->folder;
    XC_TRY(xc_grid_build(config, folder, &sweep->grid, error));
    sweep->shown = sweep->grid;
    sweep->shown.trial = NULL;
    XC_TRY(xc_allocate(&sweep->shown.trial, sweep->grid.count, sizeof *sweep->shown.trial, "the tables", error));
    XC_TRY(xc_sweep_check_folder(config, folder, error));
    sweep->fresh = !xc_trial_has(&(const xc_trial){.folder = (char *)folder}, XC_CONFIG_FILE);
    XC_TRY(xc_ground_open(&sweep->grid, sweep->options, &sweep->ground, error));
    XC_TRY(xc_sweep_claim_folder(config, &sweep->grid, folder, &sweep->lock_file, error));
    XC_TRY(read_states(sweep, error));
    XC_TRY(queue_packs(sweep, error));
    XC_TRY(xc_progress_open(&sweep->progress, &sweep->grid, xc_split_items(&sweep->ground.dataset.split[XC_TRAIN]),
                            error));
    XC_TRY(write_tables(sweep, error));
fail:
    return status;
}

static void close_sweep(struct sweep *sweep) {
    xc_progress_close(&sweep->progress);
    xc_sweep_leave_folder(&sweep->lock_file);
    xc_ground_close(&sweep->ground);
    xc_queue_free(&sweep->queue);
    free(sweep->shown.trial);
    xc_grid_free(&sweep->grid);
    pthread_mutex_destroy(&sweep->lock);
}

static xc_status run_packs(struct sweep *sweep, xc_error *error) {
    const int together = sweep->queue.together;
    const int workers = (size_t)together < sweep->queue.packs ? together : (int)sweep->queue.packs;
    atomic_store(&sweep->working, workers);
    const size_t before = sweep->progress.done;
    if (before > 0 && sweep->queue.trials > 0)
        xc_log(XC_LOG_INFO, "%s: %zu of %zu trials are done; going on with the other %zu", sweep->options->folder,
               before, sweep->grid.count, sweep->queue.trials);
    xc_parallel(workers, work, sweep);
    xc_progress_last(&sweep->progress);
    xc_status status = write_tables(sweep, error);
    if (!sweep->failed && xc_interrupted() && sweep->progress.done < sweep->grid.count) {
        sweep->failed = true;
        sweep->first_failure.status = XC_INTERRUPTED;
    }
    if (!sweep->failed) return status;
    if (sweep->first_failure.status != XC_INTERRUPTED) {
        *error = sweep->first_failure;
        return error->status;
    }
    if (status != XC_OK) return status;
    return xc_fail(error, XC_INTERRUPTED,
                   "interrupted: %zu of %zu trials are done and the state of the others is saved; "
                   "run the same command again to go on",
                   sweep->progress.done, sweep->grid.count);
}

xc_status xc_sweep_run(const xc_config *config, const xc_sweep_options *options, xc_error *error) {
    xc_status status = XC_OK;
    struct sweep sweep = {.options = options, .lock_file = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    XC_TRY(open_sweep(config, &sweep, error));
    if (sweep.queue.trials == 0)
        xc_log(XC_LOG_INFO, "%s: all %zu trials are done already", options->folder, sweep.grid.count);
    else
        XC_TRY(run_packs(&sweep, error));
fail:
    close_sweep(&sweep);
    return status;
}

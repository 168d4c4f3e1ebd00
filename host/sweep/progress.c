/* progress.c: the line that tells how far a run is: trials, rate, and the time it will take at most.
 */
#include <string.h>
#include <stdlib.h>

#include "room.h"

#define REDRAW_SECONDS 0.2

xc_status xc_progress_open(xc_progress *progress, const xc_grid *grid, size_t items, xc_error *error) {
    xc_status status = XC_OK;
    memset(progress, 0, sizeof *progress);
    pthread_mutex_init(&progress->lock, NULL);
    progress->trial = grid->trial;
    progress->count = grid->count;
    progress->items = (double)items;
    progress->started = xc_seconds();
    XC_TRY(xc_allocate(&progress->epochs, grid->count, sizeof *progress->epochs, "the progress line", error));
    XC_TRY(xc_allocate(&progress->ended, grid->count, sizeof *progress->ended, "the progress line", error));
    for (size_t i = 0; i < grid->count; i++) {
        progress->ended[i] = xc_trial_ended(&grid->trial[i]);
        progress->done += progress->ended[i];
    }
fail:
    return status;
}

void xc_progress_close(xc_progress *progress) {
    free(progress->epochs);
    free(progress->ended);
    pthread_mutex_destroy(&progress->lock);
}

/* Sequences still to be trained on if no trial stopped early. */
static double most_left(const xc_progress *progress) {
    double epochs = 0;
    for (size_t i = 0; i < progress->count; i++) {
        const uint32_t most = progress->trial[i].config->train.epochs;
        if (!progress->ended[i] && most > progress->epochs[i]) epochs += most - progress->epochs[i];
    }
    return epochs * progress->items;
}

static void write_duration(char *text, size_t size, double seconds) {
    if (seconds < 90)
        snprintf(text, size, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(text, size, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        snprintf(text, size, "%.1f h", seconds / 3600);
    else
        snprintf(text, size, "%.1f days", seconds / 86400);
}

/* Call with the lock held. */
static void draw(xc_progress *progress) {
    const double now = xc_seconds(), spent = now - progress->started;
    const bool training = progress->sequences > 0;
    if (now - progress->shown < REDRAW_SECONDS || spent <= 0 || (!training && progress->count == 1)) return;
    progress->shown = now;
    if (!training) { /* trials of an earlier run have their filters measured */
        xc_log_progress(false, "%zu of %zu trials done, %zu running", progress->done, progress->count,
                        progress->running);
        return;
    }
    const double rate = progress->sequences / spent;
    char left[32];
    write_duration(left, sizeof left, most_left(progress) / rate);
    if (progress->count == 1)
        xc_log_progress(false, "%s%.0f sequences/s, at most %s left", progress->detail, rate, left);
    else
        xc_log_progress(false, "%zu of %zu trials done, %zu running, %.0f sequences/s, at most %s left", progress->done,
                        progress->count, progress->running, rate, left);
}

void xc_progress_pack_started(xc_progress *progress, size_t trials) {
    pthread_mutex_lock(&progress->lock);
    progress->running += trials;
    pthread_mutex_unlock(&progress->lock);
}

void xc_progress_pack_ended(xc_progress *progress, size_t trials_unfinished) {
    pthread_mutex_lock(&progress->lock);
    progress->running -= trials_unfinished;
    pthread_mutex_unlock(&progress->lock);
}

void xc_progress_sequences(xc_progress *progress, size_t count) {
    pthread_mutex_lock(&progress->lock);
    progress->sequences += (double)count;
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

void xc_progress_epoch(xc_progress *progress, const xc_trial *trial, uint32_t epoch, double train_loss,
                       double monitored) {
    const xc_train_config *train = &trial->config->train;
    pthread_mutex_lock(&progress->lock);
    progress->epochs[trial - progress->trial] = epoch;
    snprintf(progress->detail, sizeof progress->detail, "epoch %u of at most %u, loss %.5g, val_%s %.5g, ", epoch,
             train->epochs, train_loss, xc_metric_word(train->monitor), monitored);
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

void xc_progress_finished(xc_progress *progress, const xc_trial *trial) {
    pthread_mutex_lock(&progress->lock);
    progress->ended[trial - progress->trial] = true;
    progress->done++;
    progress->running--;
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

void xc_progress_last(xc_progress *progress) {
    const double spent = xc_seconds() - progress->started;
    if (spent <= 0 || (progress->sequences <= 0 && progress->count == 1)) return;
    char took[32];
    write_duration(took, sizeof took, spent);
    if (progress->sequences <= 0)
        xc_log_progress(true, "%zu of %zu trials done, %s", progress->done, progress->count, took);
    else if (progress->count == 1)
        xc_log_progress(true, "%s%.0f sequences/s, %s", progress->detail, progress->sequences / spent, took);
    else
        xc_log_progress(true, "%zu of %zu trials done, %.0f sequences/s, %s", progress->done, progress->count,
                        progress->sequences / spent, took);
}

/* single.c: one trial without the tables of a sweep: what `expconv train` runs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../train/room.h"
#include "room.h"

/* What the training thread is told through. */
typedef struct single_run {
    xc_progress progress;
    int threads;
} single_run;

static void on_sequences(void *context, size_t count) {
    single_run *run = context;
    xc_progress_sequences(&run->progress, count);
}

static void on_epoch(void *context, const xc_trial *trial, uint32_t epoch, double train_loss, double monitored) {
    single_run *run = context;
    xc_progress_epoch(&run->progress, trial, epoch, train_loss, monitored);
}

static int on_threads(void *context) {
    const single_run *run = context;
    return run->threads;
}

static xc_status refuse_lists(const xc_grid *grid, xc_error *error) {
    if (grid->count == 1) return XC_OK;
    return xc_fail(error, XC_USAGE,
                   "the config's sweep section makes %zu trials, and train makes one; "
                   "use `expconv sweep`, or leave one value in each list",
                   grid->count);
}

static xc_status set_folder(xc_trial *trial, const char *folder, xc_error *error) {
    free(trial->folder);
    trial->folder = strdup(folder);
    return trial->folder ? XC_OK : xc_fail(error, XC_MEMORY, "out of memory for the name of %s", folder);
}

static xc_status train(const xc_grid *grid, const xc_ground *ground, int threads, xc_error *error) {
    xc_status status = XC_OK;
    single_run run = {.threads = threads};
    xc_trial *trial = grid->trial;
    XC_TRY(xc_progress_open(&run.progress, grid, xc_split_items(&ground->dataset.split[XC_TRAIN]), error));
    const xc_train_events events = {&run, on_sequences, on_epoch, NULL, on_threads};
    status = xc_train_pack(ground->backend, &ground->data, &trial, 1, &events, error);
    xc_progress_last(&run.progress);
    if (status == XC_INTERRUPTED)
        (void)xc_fail(error, XC_INTERRUPTED,
                      "interrupted: the state of %s is saved; run the same command again to go on", trial->folder);
fail:
    xc_progress_close(&run.progress);
    return status;
}

static void tell_filters(const xc_trial *trial, const xc_filter_scores *scores) {
    const xc_filters_config *filters = trial->config->filters;
    if (!filters->motifs)
        xc_log(XC_LOG_INFO, "%s: %u filters as motifs", trial->folder, scores->filters);
    else if (filters->ground_truth_count == 0)
        xc_log(XC_LOG_INFO, "%s: %u filters, match_any %.4g", trial->folder, scores->filters, scores->match_any);
    else
        xc_log(XC_LOG_INFO, "%s: %u filters, match_any %.4g, match_ground_truth %.4g, coverage %.4g", trial->folder,
               scores->filters, scores->match_any, scores->match_ground_truth, scores->coverage);
}

static void tell_attribution(const xc_trial *trial, const xc_trial_attribution *scores) {
    const xc_attribution_config *config = trial->config->attribution;
    for (uint32_t i = 0; i < config->methods_count; i++) {
        const xc_attribution_scores *s = &scores->method[config->methods[i]];
        xc_log(XC_LOG_INFO, "%s: %s of %zu sequences, AUROC %.4g, AUPR %.4g", trial->folder,
               xc_method_word(config->methods[i]), s->sequences, s->mean.auroc, s->mean.aupr);
    }
}

/* Measures what the config asks for of the trial when it is trained and that was not measured before. */
static xc_status measure(xc_grid *grid, const xc_ground *ground, int threads, xc_error *error) {
    xc_status status = XC_OK;
    const xc_trial *trial = grid->trial;
    if (trial->status != XC_TRIAL_DONE) return XC_OK;
    XC_TRY(xc_measure_read(grid, 0, error));
    if (xc_measure_lacks(trial, grid->scores, grid->attribution)) {
        xc_measured measured = {grid->scores[0], grid->attribution[0]};
        status = xc_measure_trial(ground, trial, threads, &measured, error);
        grid->scores[0] = measured.filters;
        grid->attribution[0] = measured.attribution;
    }
    if (status == XC_INTERRUPTED)
        (void)xc_fail(error, XC_INTERRUPTED,
                      "interrupted: %s is trained, but not measured; run the same command again to go on",
                      trial->folder);
    if (status != XC_OK) goto fail;
    if (trial->config->filters) tell_filters(trial, grid->scores);
    if (trial->config->attribution) tell_attribution(trial, grid->attribution);
fail:
    return status;
}

/* Takes the claim of a run back that ended before it had saved anything, so that another config may have the folder. */
static void remove_claim(xc_trial *trial) {
    static const char *const files[] = {XC_HISTORY_FILE, XC_CONFIG_FILE};
    xc_error ignored = {0};
    if (xc_trial_read_results(trial, &ignored) != XC_OK || trial->status != XC_TRIAL_WAITING) return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = xc_path_join(trial->folder, files[i]);
        if (path) (void)unlink(path);
        free(path);
    }
}

xc_status xc_sweep_single(const xc_config *config, const xc_sweep_options *options, xc_trial *trial, xc_error *error) {
    xc_status status = XC_OK;
    xc_grid grid = {0};
    xc_ground ground = {0};
    int lock = -1;
    bool claimed_before = true;
    const int threads = options->threads > 0 ? options->threads : xc_core_count();
    memset(trial, 0, sizeof *trial);
    XC_TRY(xc_grid_build(config, options->folder, &grid, error));
    XC_TRY(refuse_lists(&grid, error));
    XC_TRY(set_folder(grid.trial, options->folder, error));
    XC_TRY(xc_sweep_check_folder(grid.trial->config, options->folder, error));
    claimed_before = xc_trial_has(grid.trial, XC_CONFIG_FILE);
    XC_TRY(xc_ground_open(&grid, options, &ground, error));
    XC_TRY(xc_sweep_claim_folder(grid.trial->config, &grid, options->folder, &lock, error));
    XC_TRY(xc_trial_read_results(grid.trial, error));
    if (xc_trial_ended(grid.trial))
        xc_log(XC_LOG_INFO, "%s: trained already", options->folder);
    else
        XC_TRY(train(&grid, &ground, threads, error));
    XC_TRY(measure(&grid, &ground, threads, error));
fail:
    if (status != XC_OK && status != XC_INTERRUPTED && lock >= 0 && !claimed_before) remove_claim(grid.trial);
    xc_sweep_leave_folder(&lock);
    xc_ground_close(&ground);
    if (grid.count == 1) {
        *trial = grid.trial[0];
        grid.trial[0] = (xc_trial){0};
    }
    xc_grid_free(&grid);
    return status;
}

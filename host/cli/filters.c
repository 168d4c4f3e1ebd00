/* filters.c: `expconv filters`: the first layer's filters of a trained network, or of every network of a sweep, as
 * motifs, compared with a database where one is named. Reads the trials and writes beside them, never into them: what a
 * sweep measured by its own config stays what it is.
 */
#include <stdlib.h>
#include <string.h>

#include "filters.h"

static const cli_option options[] = {
    {"out", "DIR", "folder for the files; of a sweep, each trial's in DIR/NAME"},
    {"data", "FILE.h5", "sequences to activate the filters with (default: those of the training)"},
    {"split", "NAME", "train, valid or test (default: test)"},
    {"x", "NAME", "dataset of the sequences (default: as in training, or searched)"},
    {"threshold", "NUMBER", "of a filter's largest activation, 0 to below 1 (default: 0.5)"},
    {"thresholds", "LIST", "others to measure beside it, as in 0.1,0.3,0.7"},
    {"window", "N", "positions of a motif before it is clipped; even, 2 to 64 (default: 20)"},
    {"motifs", "DB.meme", "database to compare with, MEME or JASPAR (default: the config's, or none)"},
    {"evalue", "NUMBER", "largest E-value of a match (default: 0.1)"},
    {"config", "CONFIG.yaml",
     "take the filters section, with its ground truth, from this config\n"
     "(default: the trial's own)"},
    {NULL, NULL, NULL},
};

/* ---- which networks ---------------------------------------------------------------------------------------------- */

static bool has_file(const char *folder, const char *name) {
    char *path = xc_path_join(folder, name);
    const bool exists = path && xc_path_exists(path);
    free(path);
    return exists;
}

/* The files of a trial's folder, this one's or another's, belong to its sweep, whose tables are made from them. */
static xc_status refuse_trial_folder(const filters_target *target, xc_error *error) {
    if (!has_file(target->out, "weights.h5")) return XC_OK;
    return xc_fail(error, XC_USAGE, "--out %s is the folder of a trial, whose files its training wrote; choose another",
                   target->out);
}

/* The last part of a path, to be freed. */
static char *last_part(const char *path) {
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    return strndup(path + start, end - start);
}

static xc_status find_trial(const char *operand, const char *out, filters_run *work, xc_error *error) {
    const xc_status status = xc_allocate(&work->target, 1, sizeof *work->target, "the trial", error);
    if (status != XC_OK) return status;
    work->count = 1;
    work->trial_name = last_part(operand);
    work->target[0] = (filters_target){work->trial_name, operand, strdup(out), {0}};
    if (work->trial_name && work->target[0].out) return XC_OK;
    return xc_fail(error, XC_MEMORY, "out of memory for the name of %s", out);
}

static size_t count_diverged(const xc_grid *grid) {
    size_t count = 0;
    for (size_t i = 0; i < grid->count; i++) count += grid->trial[i].status == XC_TRIAL_DIVERGED;
    return count;
}

static xc_status find_trials(const char *operand, const char *out, filters_run *work, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(xc_sweep_read(operand, &work->grid, error));
    XC_TRY(xc_allocate(&work->target, work->grid.count, sizeof *work->target, "the trials", error));
    for (size_t i = 0; i < work->grid.count; i++) {
        const xc_trial *trial = &work->grid.trial[i];
        if (trial->status != XC_TRIAL_DONE) continue;
        filters_target *target = &work->target[work->count++];
        *target = (filters_target){trial->name, trial->folder, xc_path_join(out, trial->name), {0}};
        if (target->out) continue;
        status = xc_fail(error, XC_MEMORY, "out of memory for the name of %s", trial->name);
        goto fail;
    }
    if (work->count == 0)
        status = xc_fail(error, XC_INPUT,
                         "%s: no trial of this sweep has a trained network: %zu of %zu diverged (manifest.tsv says "
                         "why); expconv sweep trains what is left",
                         operand, count_diverged(&work->grid), work->grid.count);
    else if (work->count < work->grid.count)
        xc_log(XC_LOG_NOTICE, "%s: %zu of %zu trials are trained; the others are left out", operand, work->count,
               work->grid.count);
fail:
    return status;
}

static xc_status find_targets(const cli_arguments *arguments, filters_run *work, xc_error *error) {
    xc_status status = XC_OK;
    const char *out;
    XC_TRY(cli_required(arguments, "out", &out, error));
    work->sweep = has_file(arguments->operand, "manifest.tsv");
    if (!work->sweep && !has_file(arguments->operand, "weights.h5")) {
        status =
            xc_fail(error, XC_INPUT,
                    "%s: neither the folder of a finished trial (weights.h5) nor of a sweep "
                    "(manifest.tsv)%s",
                    arguments->operand,
                    has_file(arguments->operand, "diverged.txt") ? "; this trial diverged, diverged.txt says why" : "");
        goto fail;
    }
    XC_TRY(work->sweep ? find_trials(arguments->operand, out, work, error)
                       : find_trial(arguments->operand, out, work, error));
    for (size_t i = 0; i < work->count; i++) XC_TRY(refuse_trial_folder(&work->target[i], error));
fail:
    return status;
}

/* What all networks share: settings, database, backend, sequences. */
static xc_status prepare(const cli_arguments *arguments, filters_run *work, xc_error *error) {
    xc_status status = XC_OK;
    xc_split_name which;
    const char *data = cli_value(arguments, "data");
    XC_TRY(xc_network_open(work->target[0].folder, &work->first, error));
    XC_TRY(filters_choose_settings(arguments, work, error));
    const xc_data_config *trained = &work->first.config->data;
    if (!data && !xc_path_exists(trained->file)) {
        status = xc_fail(error, XC_INPUT, "%s, which %s was trained with, is not there; name the sequences with --data",
                         trained->file, work->target[0].name);
        goto fail;
    }
    XC_TRY(xc_backend_open(arguments->device, &work->backend, error));
    XC_TRY(cli_read_split(arguments, data ? data : trained->file, &work->first, false, trained->reverse_complement,
                          &work->dataset, &which, error));
    work->split = &work->dataset.split[which];
fail:
    return status;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static xc_status write_kernels(const xc_network *network, const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    xc_motif_list kernels = {0};
    char *path = xc_path_join(folder, "kernels.meme");
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for a path in %s", folder);
    XC_TRY(xc_make_folder(folder, error));
    XC_TRY(xc_filters_kernels(network, &kernels, error));
    XC_TRY(xc_meme_write_file(path, &kernels, error));
fail:
    xc_motif_list_free(&kernels);
    free(path);
    return status;
}

static xc_status measure(const filters_run *work, filters_target *target, xc_error *error) {
    xc_status status = XC_OK;
    xc_network network = {0};
    const xc_motif_list *database = work->settings.motifs ? &work->database : NULL;
    XC_TRY(xc_network_open(target->folder, &network, error));
    XC_TRY(write_kernels(&network, target->out, error));
    XC_TRY(xc_filters_measure(&network, &work->settings, database, work->backend, work->split, work->threads,
                              target->out, &target->scores, error));
fail:
    xc_network_close(&network);
    return status;
}

static filters_target *take_target(filters_run *work) {
    filters_target *taken = NULL;
    pthread_mutex_lock(&work->lock);
    if (!work->failed && !xc_interrupted() && work->next < work->count) taken = &work->target[work->next++];
    pthread_mutex_unlock(&work->lock);
    return taken;
}

static void note_end(filters_run *work, xc_status status, const xc_error *error) {
    pthread_mutex_lock(&work->lock);
    work->done += status == XC_OK;
    if (status == XC_OK && work->sweep)
        xc_log_progress(work->done == work->count, "filters of %zu of %zu trials", work->done, work->count);
    if (status != XC_OK && status != XC_INTERRUPTED && !work->failed) {
        work->failed = true;
        work->first_failure = *error;
    }
    pthread_mutex_unlock(&work->lock);
}

static void measure_targets(void *context, int thread) {
    filters_run *work = context;
    (void)thread;
    for (filters_target *target; (target = take_target(work));) {
        xc_error error = {0};
        const xc_status status = measure(work, target, &error);
        note_end(work, status, &error);
    }
}

static xc_status measure_all(const cli_arguments *arguments, filters_run *work, xc_error *error) {
    const int threads = arguments->threads > 0 ? arguments->threads : xc_core_count();
    const int side_by_side = work->count < (size_t)threads ? (int)work->count : threads;
    work->threads = threads / side_by_side;
    xc_parallel(side_by_side, measure_targets, work);
    if (work->failed) {
        *error = work->first_failure;
        return error->status;
    }
    if (work->done == work->count) return XC_OK;
    return xc_fail(error, XC_INTERRUPTED, "interrupted: the filters of %zu of %zu trials are written", work->done,
                   work->count);
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static void close_run(filters_run *work) {
    for (size_t i = 0; work->target && i < work->count; i++) {
        free(work->target[i].out);
        xc_filter_scores_clear(&work->target[i].scores);
    }
    free(work->target);
    free(work->trial_name);
    free(work->thresholds);
    xc_network_close(&work->first);
    xc_motif_list_free(&work->database);
    xc_dataset_free(&work->dataset);
    xc_config_free(work->config);
    xc_grid_free(&work->grid);
    pthread_mutex_destroy(&work->lock);
}

static xc_status run(const cli_arguments *arguments, xc_error *error) {
    xc_status status = XC_OK;
    filters_run work = {.lock = PTHREAD_MUTEX_INITIALIZER};
    XC_TRY(find_targets(arguments, &work, error));
    XC_TRY(prepare(arguments, &work, error));
    xc_interrupt_install();
    XC_TRY(measure_all(arguments, &work, error));
    XC_TRY(filters_report(&work, cli_value(arguments, "out"), error));
fail:
    close_run(&work);
    return status;
}

const cli_command cli_filters = {
    .name = "filters",
    .operand = "TRIAL_DIR|SWEEP_DIR",
    .summary = "a trained network's filters as motifs, and what they match",
    .usage = "TRIAL_DIR|SWEEP_DIR [--data FILE.h5] [--motifs DB.meme] --out DIR [options]",
    .details =
        "Makes a motif of every filter of the first layer, from the sequences that activate it, and compares\n"
        "it with a database of motifs when there is one. Writes filters.meme, kernels.meme (the weights\n"
        "themselves), tomtom.tsv and filters.tsv: the fraction of filters that match anything and that match\n"
        "the ground truth of the config's filters section. Of a sweep, for every trained trial.\n",
    .examples =
        "  expconv filters mine --data task1.h5 --motifs JASPAR_CORE_2016_vertebrates.meme --out mine-filters\n"
        "  expconv filters sweep --config configs/paper/task1.yaml --thresholds 0.1,0.3,0.7 --out sweep-filters\n",
    .options = options,
    .common = CLI_THREADS | CLI_DEVICE,
    .run = run,
};

/* measure.c: the filters of a sweep's trials: what is checked before anything is trained, what is measured when a trial
 * ends, and what earlier runs have measured.
 *
 * A trial is done when it is trained and, where the config asks for it, its filters are measured. Until then its state
 * is running: filters.tsv decides, as metrics.tsv does for training.
 */
#include "../train/room.h"
#include "room.h"

const xc_filters_config *xc_grid_filters(const xc_grid *grid) { return grid->trial[0].config->filters; }

xc_status xc_measure_open(const xc_filters_config *config, xc_motif_list *database, xc_error *error) {
    xc_status status = XC_OK;
    if (!config || !config->motifs) return XC_OK;
    XC_TRY(xc_motif_read(config->motifs, database, error));
    XC_TRY(xc_filters_check(config, database, error));
fail:
    return status;
}

xc_status xc_measure_trial(const xc_ground *ground, const xc_trial *trial, int threads, xc_filter_scores *scores,
                           xc_error *error) {
    xc_status status = XC_OK;
    const xc_filters_config *config = trial->config->filters;
    const xc_motif_list *database = config->motifs ? &ground->database : NULL;
    xc_network network = {0};
    *scores = (xc_filter_scores){0};
    if (xc_interrupted()) return xc_fail(error, XC_INTERRUPTED, "interrupted");
    XC_TRY(xc_network_open(trial->folder, &network, error));
    XC_TRY(xc_filters_measure(&network, config, database, ground->backend, &ground->dataset.split[XC_TEST], threads,
                              trial->folder, scores, error));
fail:
    xc_network_close(&network);
    return status;
}

xc_status xc_measure_read(const xc_trial *trial, xc_filter_scores *scores, xc_error *error) {
    xc_filter_scores_clear(scores);
    if (trial->status != XC_TRIAL_DONE || !trial->config->filters) return XC_OK;
    return xc_filters_read_scores(trial->folder, trial->config->filters, scores, error);
}

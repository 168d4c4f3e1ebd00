/* measure.c: the filters and attribution maps of a sweep's trials: what is checked before anything is trained, what is
 * measured when a trial ends, and what earlier runs have measured.
 *
 * A trial is done when it is trained and all that its config asks for is measured. Until then its state is running:
 * filters.tsv and attribution.tsv decide, as metrics.tsv does for training.
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

bool xc_measure_lacks(const xc_trial *trial, const xc_filter_scores *filters, const xc_trial_attribution *attribution) {
    return (trial->config->filters && filters->filters == 0) || (trial->config->attribution && !attribution->measured);
}

xc_status xc_measure_trial(const xc_ground *ground, const xc_trial *trial, int threads, xc_measured *measured,
                           xc_error *error) {
    xc_status status = XC_OK;
    const xc_filters_config *filters = trial->config->filters;
    const xc_attribution_config *attribution = trial->config->attribution;
    const xc_split *test = &ground->dataset.split[XC_TEST];
    xc_network network = {0};
    XC_TRY(xc_go_on(error));
    XC_TRY(xc_network_open(trial->folder, &network, error));
    if (filters && measured->filters.filters == 0)
        XC_TRY(xc_filters_measure(&network, filters, filters->motifs ? &ground->database : NULL, ground->backend, test,
                                  threads, trial->folder, &measured->filters, error));
    if (attribution && !measured->attribution.measured)
        XC_TRY(xc_attribution_measure(&network, attribution, ground->backend, test, &ground->truth, threads,
                                      trial->folder, &measured->attribution, error));
fail:
    xc_network_close(&network);
    return status;
}

xc_status xc_measure_read(xc_grid *grid, size_t i, xc_error *error) {
    xc_status status = XC_OK;
    const xc_trial *trial = &grid->trial[i];
    const xc_config *config = trial->config;
    xc_filter_scores_clear(&grid->scores[i]);
    grid->attribution[i] = (xc_trial_attribution){0};
    if (trial->status != XC_TRIAL_DONE) return XC_OK;
    if (config->filters) XC_TRY(xc_filters_read_scores(trial->folder, config->filters, &grid->scores[i], error));
    if (config->attribution)
        XC_TRY(xc_attribution_read_scores(trial->folder, config->attribution, &grid->attribution[i], error));
fail:
    return status;
}

void xc_measure_remove(const char *folder) {
    xc_filters_remove(folder);
    xc_attribution_remove(folder);
}

/* measures.c: what trials are compared by, in the order in which the page shows it. A trial that has not ended well has
 * no value, nor has one whose filters were not compared with the motifs that the measure is about.
 */
#include <math.h>

#include "expconv/report.h"

static bool is_done(const xc_grid *grid, size_t trial) { return grid->trial[trial].status == XC_TRIAL_DONE; }

/* The scores of a trial's filters, NULL when they were not measured. */
static const xc_filter_scores *scores_of(const xc_grid *grid, size_t trial) {
    if (!is_done(grid, trial) || !grid->scores || grid->scores[trial].filters == 0) return NULL;
    return &grid->scores[trial];
}

static double match_ground_truth(const xc_grid *grid, size_t trial) {
    const xc_filter_scores *scores = scores_of(grid, trial);
    return scores ? scores->match_ground_truth : NAN;
}

static double match_any(const xc_grid *grid, size_t trial) {
    const xc_filter_scores *scores = scores_of(grid, trial);
    return scores ? scores->match_any : NAN;
}

static double coverage(const xc_grid *grid, size_t trial) {
    const xc_filter_scores *scores = scores_of(grid, trial);
    return scores ? scores->coverage : NAN;
}

static double test_metric(const xc_grid *grid, size_t trial, xc_metric metric) {
    return is_done(grid, trial) ? grid->trial[trial].test.mean[metric] : NAN;
}

static double test_auroc(const xc_grid *grid, size_t trial) { return test_metric(grid, trial, XC_METRIC_AUROC); }

static double test_aupr(const xc_grid *grid, size_t trial) { return test_metric(grid, trial, XC_METRIC_AUPR); }

/* Of interest where nothing is classified alone. */
static double test_pearson(const xc_grid *grid, size_t trial) {
    const bool regression = grid->trial[trial].config->train.loss == XC_LOSS_SQUARED;
    return regression ? test_metric(grid, trial, XC_METRIC_PEARSON) : NAN;
}

/* How well the maps of a method find what simulated sequences were made of. Figure 2 of Koo & Ploenzke 2021. */
static double map_auroc(const xc_grid *grid, size_t trial, xc_attribution_method method) {
    const xc_trial_attribution *measured = grid->attribution ? &grid->attribution[trial] : NULL;
    if (!is_done(grid, trial) || !measured || !measured->measured) return NAN;
    const xc_attribution_scores *scores = &measured->method[method];
    return scores->sequences > 0 ? scores->mean.auroc : NAN;
}

#define MAP_AUROC(name, word) \
    static double name##_auroc(const xc_grid *grid, size_t trial) { return map_auroc(grid, trial, name); }
XC_ATTRIBUTION_METHODS(MAP_AUROC)

const xc_measure xc_measures[] = {
    {"match_ground_truth", "filters that match a planted motif", true, match_ground_truth},
    {"match_any", "filters that match any motif", true, match_any},
    {"coverage", "planted motifs that a filter matches", true, coverage},
    {"saliency_auroc", "AUROC of saliency maps", true, XC_SALIENCY_auroc},
    {"mutagenesis_auroc", "AUROC of mutagenesis maps", true, XC_MUTAGENESIS_auroc},
    {"integrated_gradients_auroc", "AUROC of integrated gradients", true, XC_INTEGRATED_GRADIENTS_auroc},
    {"deepshap_auroc", "AUROC of DeepSHAP maps", true, XC_DEEPSHAP_auroc},
    {"test_auroc", "test AUROC", true, test_auroc},
    {"test_aupr", "test AUPR", true, test_aupr},
    {"test_pearson", "test Pearson correlation", false, test_pearson},
    {NULL, NULL, false, NULL},
};

/* score.c: what the matches of a trial's filters amount to: how many filters look like a motif of the database, how
 * many like one that was planted, and which of the planted ones were found. Counts alone: the files are measure.c's.
 *
 * Source: Koo & Ploenzke 2021; their code counts a filter by any of its matches, divides by all filters, flat ones too,
 * and takes a filter that matches nothing but MA0615.1 (Gmeb1, met by chance too often) for one without a match.
 */
#include "expconv/filters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void xc_filter_scores_clear(xc_filter_scores *scores) {
    free(scores->best_q);
    *scores = (xc_filter_scores){0};
}

static bool is_listed(const char *id, char *const *ids, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(id, ids[i]) == 0) return true;
    return false;
}

static bool has_motif(const xc_motif_list *database, const char *id) {
    for (size_t i = 0; i < database->count; i++)
        if (strcmp(id, database->motif[i].id) == 0) return true;
    return false;
}

xc_status xc_filters_check(const xc_filters_config *config, const xc_motif_list *database, xc_error *error) {
    for (uint32_t i = 0; i < config->ground_truth_count; i++) {
        const xc_ground_truth *truth = &config->ground_truth[i];
        uint32_t found = 0;
        for (uint32_t j = 0; j < truth->motifs_count; j++) found += has_motif(database, truth->motifs[j]);
        if (found == 0)
            return xc_fail(error, XC_INPUT,
                           "filters.ground_truth: none of the identifiers of %s (%s%s) is in %s; correct them, or name "
                           "the database they are of",
                           truth->name, truth->motifs[0], truth->motifs_count > 1 ? " ..." : "",
                           config->motifs ? config->motifs : "the database");
    }
    return XC_OK;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

enum { MATCHES_ANY = 1, MATCHES_GROUND_TRUTH = 2 };

/* Marks the filters that match anything beside ignore_alone. seen (filters). */
static void mark_any(const xc_filters_config *config, const xc_motif_list *database, const xc_tomtom_result *matches,
                     uint8_t *seen) {
    for (size_t i = 0; i < matches->count; i++) {
        const xc_tomtom_match *match = &matches->match[i];
        if ((double)match->e > config->evalue) continue;
        if (!is_listed(database->motif[match->target].id, config->ignore_alone, config->ignore_alone_count))
            seen[match->query] |= MATCHES_ANY;
    }
}

/* Marks those of them that match the ground truth, and takes the least q of each of its motifs; best_q stays infinite
 * where there is none. seen (filters). */
static void mark_ground_truth(const xc_filters_config *config, const xc_motif_list *database,
                              const xc_tomtom_result *matches, uint8_t *seen, double *best_q) {
    for (uint32_t k = 0; k < config->ground_truth_count; k++) {
        const xc_ground_truth *truth = &config->ground_truth[k];
        best_q[k] = INFINITY;
        for (size_t i = 0; i < matches->count; i++) {
            const xc_tomtom_match *match = &matches->match[i];
            if ((double)match->e > config->evalue || !(seen[match->query] & MATCHES_ANY)) continue;
            if (!is_listed(database->motif[match->target].id, truth->motifs, truth->motifs_count)) continue;
            seen[match->query] |= MATCHES_GROUND_TRUTH;
            if (match->q < best_q[k]) best_q[k] = match->q;
        }
    }
}

static double fraction_of(const uint8_t *seen, size_t filters, uint8_t mark) {
    size_t count = 0;
    for (size_t i = 0; i < filters; i++) count += (seen[i] & mark) != 0;
    return (double)count / (double)filters;
}

static void score_ground_truth(const xc_filters_config *config, const xc_motif_list *database,
                               const xc_tomtom_result *matches, uint8_t *seen, xc_filter_scores *scores) {
    size_t found = 0;
    mark_ground_truth(config, database, matches, seen, scores->best_q);
    for (uint32_t k = 0; k < config->ground_truth_count; k++) {
        found += isfinite(scores->best_q[k]);
        if (!isfinite(scores->best_q[k])) scores->best_q[k] = 1;
    }
    scores->match_ground_truth = fraction_of(seen, scores->filters, MATCHES_GROUND_TRUTH);
    scores->coverage = (double)found / (double)config->ground_truth_count;
}

xc_status xc_filters_score(const xc_filters_config *config, const xc_motif_list *filters, const xc_motif_list *database,
                           const xc_tomtom_result *matches, xc_filter_scores *scores, xc_error *error) {
    xc_status status = XC_OK;
    uint8_t *seen = NULL; /* (filters) */
    const uint32_t truths = config->ground_truth_count;
    *scores = (xc_filter_scores){
        .filters = (uint32_t)filters->count, .match_any = NAN, .match_ground_truth = NAN, .coverage = NAN};
    XC_TRY(xc_allocate(&scores->best_q, truths, sizeof *scores->best_q, "the scores of filters", error));
    for (uint32_t k = 0; k < truths; k++) scores->best_q[k] = NAN;
    if (!database || filters->count == 0) goto fail;

    XC_TRY(xc_allocate(&seen, filters->count, sizeof *seen, "the scores of filters", error));
    mark_any(config, database, matches, seen);
    scores->match_any = fraction_of(seen, filters->count, MATCHES_ANY);
    if (truths > 0) score_ground_truth(config, database, matches, seen, scores);
fail:
    free(seen);
    if (status != XC_OK) xc_filter_scores_clear(scores);
    return status;
}

/* filters.h: the first layer's filters of a trained network as motifs: position probability matrices from what
 * activates a filter, compared with a database, and scored as Koo & Ploenzke 2021 count them.
 */
#ifndef EXPCONV_FILTERS_H
#define EXPCONV_FILTERS_H

#include "expconv/motif.h"
#include "expconv/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- PPM from activations --------------------------------------------------------------------------------------- */

/* What the paper clips a PPM by: positions with more information than this (bits), and as many beside them. */
#define XC_FILTER_CLIP_BITS 0.5
#define XC_FILTER_CLIP_PADDING 3

typedef struct xc_filters_options {
    const double *threshold; /* (threshold_count) each in [0,1): of the filter's largest activation */
    uint32_t threshold_count;
    uint32_t window; /* even, at least 2, at most 64 */
    int threads;     /* at least 1; the result does not depend on it */
} xc_filters_options;

/* The motifs of every filter, for each threshold one list (threshold_count), from one reading of all items of a split.
 *
 * Of each filter: the positions where the first block's activation (before dropout and pool) is above the threshold
 * times the largest that the filter has anywhere in the split; a window around the middle of the kernel there, `window`
 * / 2 positions before it and as many from it on, when it starts after the sequence's first position and ends before
 * its last; the mean of the one-hot windows. N is left out of a position's mean. `sites` is the number of windows; a
 * filter with fewer than two is flat. Each PPM is then clipped (xc_motif_clip with the two numbers above).
 *
 * Memory does not grow with the split. Free each list with xc_motif_list_free, also on failure. Thread safe.
 * Source: Koo & Ploenzke 2021, methods; their window is 20 and their threshold 0.5. */
xc_status xc_filters_extract(const xc_network *network, const xc_backend *backend, const xc_split *split,
                             const xc_filters_options *options, xc_motif_list *motifs, xc_error *error);

/* The first layer's kernels themselves: each position's weights w as the probabilities exp(w_b) / sum exp(w), which is
 * what a filter means under an exponential activation. Not clipped; sites is 0. */
xc_status xc_filters_kernels(const xc_network *network, xc_motif_list *motifs, xc_error *error);

/* ---- scores ----------------------------------------------------------------------------------------------------- */

/* What the matches of a trial's filters amount to. Owned by the caller; xc_filter_scores_clear. */
typedef struct xc_filter_scores {
    uint32_t filters;          /* 0: not measured */
    double match_any;          /* fraction of filters that match any motif; NaN without a database, as the next two */
    double match_ground_truth; /* fraction of filters that match a ground truth motif; NaN when there is none */
    double coverage;           /* fraction of ground truth motifs that some filter matches */
    double *best_q;            /* (ground_truth_count) least q of a match with it; 1 when there is none */
} xc_filter_scores;
void xc_filter_scores_clear(xc_filter_scores *scores);

/* Counts matches (of E-value at most config->evalue) as the paper does: a filter matches the ground truth when any of
 * its matches, not only the best, is one of the identifiers; it matches nothing when all its matches are in
 * ignore_alone (the paper's MA0615.1, Gmeb1). */
xc_status xc_filters_score(const xc_filters_config *config, const xc_motif_list *filters, const xc_motif_list *database,
                           const xc_tomtom_result *matches, xc_filter_scores *scores, xc_error *error);

/* Refuses a ground truth motif none of whose identifiers is in the database, naming the first: no filter could ever
 * match it. Some may be missing: a release of JASPAR holds one version of each matrix, and a list may name all
 * versions. */
xc_status xc_filters_check(const xc_filters_config *config, const xc_motif_list *database, xc_error *error);

/* ---- a trial's files -------------------------------------------------------------------------------------------- */

#define XC_FILTERS_FILE "filters.meme"
#define XC_TOMTOM_FILE "tomtom.tsv"
#define XC_SCORES_FILE "filters.tsv"

/* Extracts, compares and scores, and writes into `folder` filters.meme, tomtom.tsv (with a database) and last
 * filters.tsv, a row a threshold; the other thresholds' motifs as filters-0.1.meme, tomtom-0.1.tsv and so on.
 * `database` may be NULL. *scores are those of config->threshold. */
xc_status xc_filters_measure(const xc_network *network, const xc_filters_config *config, const xc_motif_list *database,
                             const xc_backend *backend, const xc_split *split, int threads, const char *folder,
                             xc_filter_scores *scores, xc_error *error);

/* Bytes of backend memory that extracting, and so measuring, takes with so many threads. */
size_t xc_filters_bytes(const xc_model *model, const xc_backend *backend, const xc_split *split, int threads);

/* Reads filters.tsv back: the row of config->threshold. filters is 0 when there is no such file. */
xc_status xc_filters_read_scores(const char *folder, const xc_filters_config *config, xc_filter_scores *scores,
                                 xc_error *error);

/* Removes what xc_filters_measure writes, filters.tsv first. */
void xc_filters_remove(const char *folder);

#ifdef __cplusplus
}
#endif
#endif

/* report.h: what a sweep found, to be looked at: figures as SVG, PDF and PNG, and one page of HTML that holds them.
 */
#ifndef EXPCONV_REPORT_H
#define EXPCONV_REPORT_H

#include "expconv/sweep.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- figures ---------------------------------------------------------------------------------------------------- */

/* Each writes STEM.svg, STEM.pdf and STEM.png (2 pixels a point), each whole or not at all. Not thread safe. */

/* The logo of one motif: letters in the order of their height, the total of a position its information (0 to 2 bits).
 */
xc_status xc_figure_logo(const char *stem, const xc_motif *motif, xc_error *error);

/* What stands under a filter's logo. */
typedef struct xc_filter_match {
    char target[64]; /* name, or identifier when it has none; empty: no match */
    double q;
    bool ground_truth;
} xc_filter_match;

/* All filters of a trial as a sheet of logos, with the best match's name and q under each. match (filters->count);
 * NULL: the filters were compared with nothing, and nothing is said of matches. */
xc_status xc_figure_sheet(const char *stem, const char *title, const xc_motif_list *filters,
                          const xc_filter_match *match, xc_error *error);

/* Box plots of one measure by activation, one panel a model: median, quartiles, whiskers to the furthest value within
 * 1.5 times their distance, and every trial as a point. Source: figure 1 of Koo & Ploenzke 2021. */
typedef struct xc_measure {
    const char *word;  /* of file names and tables: "match_ground_truth", "test_auroc" */
    const char *label; /* of axes and headings: "filters that match a planted motif" */
    bool fraction;     /* the axis is 0 to 1 */
    double (*value)(const xc_grid *grid, size_t trial); /* NaN: not measured */
} xc_measure;
extern const xc_measure xc_measures[]; /* ends with a NULL word */

xc_status xc_figure_boxes(const char *stem, const xc_grid *grid, const xc_measure *measure, xc_error *error);

/* Training curves of all trials of one setting (seeds beginning with grid->trial[first]): training and validation loss,
 * and the monitored metric, by epoch. */
xc_status xc_figure_curves(const char *stem, const xc_grid *grid, size_t first, xc_error *error);

/* The activation functions themselves, those that the sweep compares; all there are when grid is NULL. */
xc_status xc_figure_activations(const char *stem, const xc_grid *grid, xc_error *error);

/* One map of a sequence on a sheet. */
typedef struct xc_attribution_track {
    const char *label;
    const float *values; /* (4,length) rows A C G T: signed heights, or probabilities */
    bool probabilities;  /* drawn as a logo, 0 to 2 bits */
} xc_attribution_track;

/* Maps of one sequence, or of `length` bases after its first `first`, beneath each other: letters above the line and,
 * upside down, below it, each map on its own scale. In lines of bases_per_line (0: 100). Refuses what is not finite. */
xc_status xc_figure_attribution(const char *stem, const char *title, uint32_t first, uint32_t length,
                                const xc_attribution_track *track, size_t tracks, uint32_t bases_per_line,
                                xc_error *error);

/* ---- the page --------------------------------------------------------------------------------------------------- */

/* Writes `page`, one self-contained HTML file about the sweep in `folder`, and all its figures into the folder
 * `figures` beside it. The page asks for nothing from anywhere, and needs no script to be read. */
xc_status xc_report_write(const char *folder, const char *page, xc_error *error);

#ifdef __cplusplus
}
#endif
#endif

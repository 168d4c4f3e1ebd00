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

/* A row of letters on a sheet of attributions. All three are borrowed. */
typedef struct xc_attribution_track {
    const char *label;   /* left of the row; what is behind a '\n' is a second line in a quieter colour */
    const float *values; /* (4,length) signed heights of A C G T */
    bool information;    /* they are probabilities, drawn as an information logo of 0 to 2 bits: a ground truth; a
                          * position of zeros is one of which nothing is known */
} xc_attribution_track;

/* Attribution logos of one sequence, or a window of it, one under another. A position is a stack of letters: those of
 * positive height stand on the zero line, those of negative height hang from it upside down, the largest outermost in
 * both. Each track has its own scale, the same on every line; positions are those of the sequence, `first_position`
 * (from 1) that of the window's first. Positions with more than 0.01 bits in the first track of information are shaded
 * in all tracks. `title` has one or two lines. `bases_per_line` 0: all on one line up to 120, otherwise lines of 100.
 *
 * Refuses (XC_INPUT): no tracks or no positions; values that are not finite, probabilities that are none or do not sum
 * to 1 (by 0.01), with track and position; more positions than fit a PNG of 16000 points. Source of the drawing: as
 * sequence logos, Schneider & Stephens, Nucleic Acids Research 18:6097 (1990), with signs. */
xc_status xc_figure_attribution(const char *stem, const char *title, uint32_t first_position, uint32_t length,
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

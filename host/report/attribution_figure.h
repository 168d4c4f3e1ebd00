/* attribution_figure.h: one track of an attribution sheet: its letters with signed heights, its scale, and its drawing.
 * Shared by attribution_logo.c, which has them, and attribution_sheet.c, which puts tracks one under another.
 */
#ifndef EXPCONV_REPORT_ATTRIBUTION_FIGURE_H
#define EXPCONV_REPORT_ATTRIBUTION_FIGURE_H

#include "axis.h"

#define XC_LEAST_LETTER 0.3 /* points: a lower letter cannot be seen, and is not drawn */

/* Between two heights of the track's scale. `from` is the end nearer to zero; a letter whose `to` is lower than its
 * `from` hangs below the zero line, upside down. */
typedef struct xc_attribution_letter {
    int base; /* 0 to 3 */
    double from, to;
} xc_attribution_letter;

/* The letters of one position: those above zero, then those below it, each from the one nearest to zero outwards, the
 * largest outermost. Letters lower than `least`, and those of no height, are left out. Returns how many. */
int xc_attribution_stack(const float height[4], double least, xc_attribution_letter letters[4]);

/* Signed heights of position `column`: the track's values, or bits where it is of probabilities. */
void xc_attribution_heights(const xc_attribution_track *track, uint32_t length, uint32_t column, float height[4]);

/* The track's scale: from its deepest stack to its highest, with zero inside or at an end; 0 to 2 of information. A
 * track of zeros has its zero in the middle, and no other tick. */
xc_ticks xc_attribution_ticks(const xc_attribution_track *track, uint32_t length);

/* The letters of `columns` positions, beginning with `first`, which share the plot's width, on its y scale. */
void xc_draw_attribution(cairo_t *cairo, const xc_theme *theme, const xc_attribution_track *track, uint32_t length,
                         uint32_t first, uint32_t columns, const xc_plot *plot);

/* Whether a ground truth says something there: information above 0.01 bits, as attributions are scored. */
bool xc_attribution_informative(const xc_attribution_track *truth, uint32_t length, uint32_t column);

/* Refuses values that cannot be drawn. `number` is that of the track in the figure, from 1, for the error's line. */
xc_status xc_attribution_check(const xc_attribution_track *track, size_t number, uint32_t length,
                               uint32_t first_position, xc_error *error);

#endif

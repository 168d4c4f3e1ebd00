/* axis.h: what the three plots share: round ticks, a plot's area with its grid lines and labels, lines that break where
 * a value is missing, and text cut to a width. Also the numbers behind the plots that a test wants to see. Units are
 * points, y grows downwards; values are those of the data.
 */
#ifndef EXPCONV_REPORT_AXIS_H
#define EXPCONV_REPORT_AXIS_H

#include "figure.h"

/* ---- sizes, the same in every plot ------------------------------------------------------------------------------- */

#define XC_TEXT_SIZE 8.0  /* names, headings */
#define XC_TICK_SIZE 7.0  /* tick labels, notes */
#define XC_TITLE_SIZE 9.5 /* of the whole figure */
#define XC_LINE 0.6       /* axes and grid */
#define XC_MARGIN 4.0     /* at the left of a figure */
#define XC_PAGE_WIDTH 540.0

/* ---- ticks ------------------------------------------------------------------------------------------------------- */

#define XC_TICKS_MOST 16

/* Values at equal steps of 1, 2 or 5 times a power of ten, from low to high. On a logarithmic axis they are powers of
 * ten, or 1, 2 and 5 times those when there are few. */
typedef struct xc_ticks {
    double low, high; /* limits of the axis */
    double value[XC_TICKS_MOST];
    int count;
    int decimals; /* that a label needs */
    bool logarithmic;
} xc_ticks;

/* Ticks around [least, largest], the first and the last at the axis' limits, with the finest step that is at least a
 * `wanted`-th of it; wanted is 1 to 10. Equal values get room around them; limits that are not finite, or in the wrong
 * order, give 0 to 1. */
xc_ticks xc_ticks_of(double least, double largest, int wanted);

/* The ticks within [least, largest], which are the axis' limits, with a finer step where fewer than three would be left
 * (two, when one step is wanted). */
xc_ticks xc_ticks_within(double least, double largest, int wanted);

/* The same within 0 and 1, for fractions; from 0 on when least is below a half. */
xc_ticks xc_ticks_of_fraction(double least, double largest, int wanted);

/* Logarithmic ticks; both limits are positive, otherwise those of xc_ticks_of. The axis' limits are 1, 2 or 5 times a
 * power of ten, with or without a tick. */
xc_ticks xc_ticks_of_logarithm(double least, double largest, int wanted);

/* "0.25", "−4", "2×10⁶". */
void xc_tick_label(const xc_ticks *ticks, int tick, char *text, size_t size);

/* Width of the widest label, in points. */
double xc_ticks_width(const xc_ticks *ticks);

/* ---- a plot's area ----------------------------------------------------------------------------------------------- */

typedef struct xc_plot {
    double left, top, width, height;
    xc_ticks x, y; /* count 0: the axis has no numbers */
} xc_plot;

/* Where a value stands, in points of the picture. NaN for NaN. */
double xc_plot_x(const xc_plot *plot, double value);
double xc_plot_y(const xc_plot *plot, double value);

/* Light lines at the ticks, tick labels beneath and to the left, and a base line where y is 0, or at the bottom. */
void xc_draw_plot(cairo_t *cairo, const xc_theme *theme, const xc_plot *plot);

/* Where the title of the x axis stands under tick labels: its baseline below the plot's bottom. */
#define XC_X_TITLE_DROP 24.0

/* A line through (x[i], y[i]), broken where either is NaN; a value between two NaN is a dot. */
void xc_draw_line(cairo_t *cairo, const xc_plot *plot, xc_colour colour, double width, const double *x, const double *y,
                  size_t count);

/* A disc; (x,y) in points. With a rim of paper it stands out from the line that it is on. */
void xc_draw_dot(cairo_t *cairo, const xc_theme *theme, xc_colour colour, double x, double y, double radius, bool rim);

/* A small remark on paper of its own, over whatever lines are there; (x,y) is at the middle of its height. */
void xc_draw_note(cairo_t *cairo, const xc_theme *theme, double x, double y, xc_align align, const char *text);

/* share of `over`, the rest `under`: a tint without transparency. */
xc_colour xc_mix(xc_colour over, xc_colour under, double share);

/* ---- text -------------------------------------------------------------------------------------------------------- */

#define XC_LABEL_SIZE 256 /* bytes of a label */

/* Width of a line of text before there is a picture to draw on. */
double xc_label_width(double size, bool bold, const char *text);

/* Cuts text (XC_LABEL_SIZE) so that with "…" at its end it is at most `width` wide; leaves it when it is. */
void xc_label_fit(char *text, double size, bool bold, double width);

/* What tells the setting of a trial from the others: "cnn-deep, exponential, scale 0.1" (XC_LABEL_SIZE), from those
 * columns that have more than one value in the grid; model and activation when none has. */
void xc_setting_label(const xc_grid *grid, size_t trial, char *text);

/* Whether a column has more than one value in the grid. */
bool xc_column_varies(const xc_grid *grid, const char *column);

/* A column's value as it is read without its heading: words as they are, numbers as "scale 0.1". */
void xc_value_label(const xc_trial *trial, const char *column, char *text, size_t size);

/* ---- boxes.c: the numbers of a box ------------------------------------------------------------------------------- */

/* Of which the least and the largest are whiskers: the furthest values within 1.5 times the distance of the quartiles
 * from them. */
typedef struct xc_box {
    size_t count; /* finite values */
    double lower_whisker, lower_quartile, median, upper_quartile, upper_whisker;
} xc_box;

/* Sorts `values` in place; NaN are left out. */
xc_box xc_box_of(double *values, size_t count);

/* The box in points along the plot's x axis. */
xc_box xc_box_place(const xc_box *box, const xc_plot *plot);

/* ---- activations.c: the numbers of a curve ----------------------------------------------------------------------- */

/* y = activation(x) as the reference backend computes it; x and y (count). */
xc_status xc_activation_values(const xc_activation *activation, const float *x, float *y, int32_t count,
                               xc_error *error);

#endif

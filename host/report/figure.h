/* figure.h: what the figures of this room share: colours, a picture that draws itself, and text. A picture is drawn by
 * the same function for SVG, PDF and PNG, and for the page in light and in dark. Units are points (1/72 inch), y grows
 * downwards, as in cairo.
 */
#ifndef EXPCONV_REPORT_FIGURE_H
#define EXPCONV_REPORT_FIGURE_H

#include <cairo.h>

#include "expconv/report.h"

/* ---- theme.c ---------------------------------------------------------------------------------------------------- */

typedef struct xc_colour {
    double red, green, blue; /* 0 to 1 */
} xc_colour;

#define XC_SERIES_COLOURS 8

typedef struct xc_theme {
    xc_colour paper, ink, muted, grid;   /* background, text, second text, lines that should not be seen first */
    xc_colour base[4];                   /* A C G T: green, blue, orange, red */
    xc_colour series[XC_SERIES_COLOURS]; /* told apart by the colour-blind as well */
} xc_theme;

/* Files are written in light; the page shows both. */
extern const xc_theme xc_theme_light, xc_theme_dark;

/* ---- figure.c --------------------------------------------------------------------------------------------------- */

typedef struct xc_picture xc_picture;

struct xc_picture {
    double width, height; /* points */
    void (*draw)(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme);
    void *content;                  /* owned by the picture */
    void (*release)(void *content); /* may be NULL */
};

/* STEM.svg, STEM.pdf and STEM.png, each whole or not at all; PNG at 2 pixels a point. Same picture, same bytes. */
xc_status xc_picture_write(const xc_picture *picture, const char *stem, xc_error *error);

/* The picture as SVG text, to be freed: without an XML declaration and with ids of its own, so that many can stand in
 * one HTML page as they are. */
xc_status xc_picture_svg(const xc_picture *picture, const xc_theme *theme, char **svg, xc_error *error);

void xc_picture_free(xc_picture *picture);

void xc_set_colour(cairo_t *cairo, xc_colour colour);

typedef enum xc_align { XC_ALIGN_LEFT, XC_ALIGN_CENTRE, XC_ALIGN_RIGHT } xc_align;

/* One line of text in the figures' one font; (x,y) is on its baseline. Returns its width. */
double xc_text(cairo_t *cairo, xc_colour colour, double size, bool bold, double x, double y, xc_align align,
               const char *text);

/* The same from x on, its end given up for three points where it would be wider than `room`. */
double xc_text_fit(cairo_t *cairo, xc_colour colour, double size, bool bold, double x, double y, double room,
                   const char *text);

/* How wide it would be. */
double xc_text_width(cairo_t *cairo, double size, bool bold, const char *text);

/* Cuts `text`, in its memory of `capacity` bytes (4 or more), so that with "…" at its end it is at most `room` wide;
 * leaves it when it is. */
void xc_text_cut(cairo_t *cairo, double size, bool bold, double room, char *text, size_t capacity);

/* Text without hints, which is as wide on pixels as it is on paper; what pictures are drawn with. */
void xc_set_exact_text(cairo_t *cairo);

/* A straight line in the colour and of the width that are set. */
void xc_draw_rule(cairo_t *cairo, double x1, double y1, double x2, double y2);

/* ---- the pictures: each fills *picture; xc_picture_free also on failure ----------------------------------------- */

/* logo.c, sheet.c */
xc_status xc_logo_picture(const xc_motif *motif, xc_picture *picture, xc_error *error);
xc_status xc_sheet_picture(const char *title, const xc_motif_list *filters, const xc_filter_match *match,
                           xc_picture *picture, xc_error *error);
/* attribution_sheet.c */
xc_status xc_attribution_picture(const char *title, uint32_t first_position, uint32_t length,
                                 const xc_attribution_track *track, size_t tracks, uint32_t bases_per_line,
                                 xc_picture *picture, xc_error *error);
/* boxes.c, curves.c, activations.c */
xc_status xc_boxes_picture(const xc_grid *grid, const xc_measure *measure, xc_picture *picture, xc_error *error);
xc_status xc_curves_picture(const xc_grid *grid, size_t first, xc_picture *picture, xc_error *error);
xc_status xc_activations_picture(const xc_grid *grid, xc_picture *picture, xc_error *error);

/* ---- logo.c: how letters stand, for cairo and for the page ------------------------------------------------------ */

typedef struct xc_logo_letter {
    int base;              /* 0 to 3 */
    double bottom, height; /* bits */
} xc_logo_letter;

/* The letters of one position from the lowest to the highest, heights p times the position's information; those lower
 * than 0.005 bits are left out. Returns how many. Source: Schneider & Stephens, Nucleic Acids Research 18:6097 (1990),
 * without the correction for small samples. */
int xc_logo_stack(const float ppm[4], xc_logo_letter letters[4]);

/* Outlines of A C G T as SVG path data in a box of 100 x 100, y downwards, with absolute M L C Z and whole numbers
 * alone; each fills the box from edge to edge. (letters.c) */
extern const char *const xc_letter_path[4];

/* Adds a letter's outline to cairo's path, stretched to fill a box exactly. */
void xc_letter_outline(cairo_t *cairo, int base, double x, double y, double width, double height);

/* Draws the logo without axes into a box: a position is width / positions wide, 2 bits are the box high. */
void xc_draw_logo(cairo_t *cairo, const xc_theme *theme, const xc_motif *motif, double x, double y, double width,
                  double height);

#endif

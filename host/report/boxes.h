/* boxes.h: a figure of box plots between its making (boxes.c) and its drawing (boxes_draw.c): what is measured and
 * where it stands. For those two files alone.
 */
#ifndef EXPCONV_REPORT_BOXES_H
#define EXPCONV_REPORT_BOXES_H

#include "axis.h"

#define XC_BOX_COLUMNS 7    /* all that varies but the seed */
#define XC_BOX_NOTE 128     /* bytes */
#define XC_BOX_NOTE_GAP 5.0 /* points beside a note */

typedef struct xc_box_cell {
    xc_box box;
    double *value; /* (seeds), in grid order */
    char note[XC_BOX_NOTE];
} xc_box_cell;

typedef struct xc_box_row {
    double middle; /* of its line, from the panel's top */
    char label[XC_BOX_COLUMNS][XC_LABEL_SIZE];
} xc_box_row;

typedef struct xc_boxes {
    char title[XC_LABEL_SIZE]; /* of the axis */
    size_t panels, rows, seeds, columns;
    const char *column[XC_BOX_COLUMNS]; /* names, static in the sweep room */
    double column_x[XC_BOX_COLUMNS];    /* left of each column; the last one's right */
    double box_height;
    double right;                 /* of the last panel abreast */
    bool notes_inside;            /* in the free end of their rows; otherwise to the right of the panel */
    char (*model)[XC_LABEL_SIZE]; /* (panels) */
    xc_plot *plot;                /* (panels) */
    xc_box_row *row;              /* (rows) */
    xc_box_cell *cell;            /* (panels,rows) */
    double *value;                /* (panels,rows,seeds) */
} xc_boxes;

/* The function of xc_picture: its content is an xc_boxes. */
void xc_boxes_draw(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme);

/* Whether the columns of labels have their names above them. */
bool xc_boxes_show_headings(const xc_boxes *boxes);

/* Whether a panel has any value. */
bool xc_boxes_any(const xc_boxes *boxes, size_t panel);

/* Where a note stands inside its panel, its left side as a distance from the panel's; negative when the values leave it
 * no room at either end. */
double xc_boxes_note_place(const xc_box_cell *cell, size_t seeds, const xc_plot *plot);

#endif

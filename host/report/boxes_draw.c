/* boxes_draw.c: draws a figure of box plots. Every number has its place already (boxes.c).
 */
#include <math.h>
#include <string.h>

#include "boxes.h"

#define BOX_FROM 4 /* trials; fewer are shown as points with their median */

static void draw_box(const xc_boxes *c, cairo_t *cairo, const xc_theme *theme, const xc_box *at, double middle) {
    const double top = middle - c->box_height / 2;
    cairo_rectangle(cairo, at->lower_quartile, top, at->upper_quartile - at->lower_quartile, c->box_height);
    xc_set_colour(cairo, xc_mix(theme->series[0], theme->paper, 0.22));
    cairo_fill_preserve(cairo);
    xc_set_colour(cairo, xc_mix(theme->series[0], theme->paper, 0.7));
    cairo_set_line_width(cairo, 0.7);
    cairo_stroke(cairo);
    xc_draw_rule(cairo, at->lower_whisker, middle, at->lower_quartile, middle);
    xc_draw_rule(cairo, at->upper_quartile, middle, at->upper_whisker, middle);
}

static void draw_cell(const xc_boxes *c, cairo_t *cairo, const xc_theme *theme, const xc_plot *plot,
                      const xc_box_cell *cell, double middle) {
    const xc_box at = xc_box_place(&cell->box, plot);
    const bool boxed = cell->box.count >= BOX_FROM;
    const double radius = boxed ? fmin(1.5, c->box_height / 7) : 2;
    if (cell->box.count == 0) return;
    if (boxed) draw_box(c, cairo, theme, &at, middle);
    for (size_t i = 0; i < c->seeds; i++) {
        /* Golden steps never meet again, and the same trial always stands in the same place. */
        const double jitter = fmod(0.5 + 0.618033988749895 * (double)i, 1) - 0.5;
        if (!isfinite(cell->value[i])) continue;
        xc_draw_dot(cairo, theme, theme->series[0], xc_plot_x(plot, cell->value[i]),
                    middle + 0.8 * jitter * c->box_height, radius, false);
    }
    xc_set_colour(cairo, theme->ink);
    cairo_set_line_width(cairo, 1.3);
    xc_draw_rule(cairo, at.median, middle - c->box_height / 2 - 1, at.median, middle + c->box_height / 2 + 1);
}

static void draw_note(const xc_boxes *c, cairo_t *cairo, const xc_theme *theme, const xc_plot *plot,
                      const xc_box_cell *cell, double middle) {
    if (!*cell->note) return;
    const double inside = c->notes_inside ? xc_boxes_note_place(cell, c->seeds, plot) : 0;
    const double x = plot->left + (c->notes_inside ? inside : plot->width + XC_BOX_NOTE_GAP);
    xc_draw_note(cairo, theme, x, middle, XC_ALIGN_LEFT, cell->note);
}

static void draw_panel(const xc_boxes *c, cairo_t *cairo, const xc_theme *theme, size_t panel) {
    const xc_plot *plot = &c->plot[panel];
    const double right = plot->left + plot->width;
    xc_draw_plot(cairo, theme, plot);
    xc_text(cairo, theme->ink, XC_TEXT_SIZE, true, plot->left, plot->top - 7, XC_ALIGN_LEFT, c->model[panel]);
    for (size_t r = 0; r < c->rows; r++) {
        const xc_box_cell *cell = &c->cell[panel * c->rows + r];
        const double middle = plot->top + c->row[r].middle;
        xc_set_colour(cairo, theme->grid);
        cairo_set_line_width(cairo, XC_LINE);
        xc_draw_rule(cairo, plot->left, middle, right, middle);
        draw_cell(c, cairo, theme, plot, cell, middle);
        draw_note(c, cairo, theme, plot, cell, middle);
    }
    if (!xc_boxes_any(c, panel))
        xc_draw_note(cairo, theme, plot->left + plot->width / 2, plot->top + plot->height / 2, XC_ALIGN_CENTRE,
                     "not measured");
}

/* Whether a row begins a run: its labels up to column k are not those of the row before. */
static bool begins_run(const xc_boxes *c, size_t r, size_t k) {
    for (size_t j = 0; r > 0 && j <= k; j++)
        if (strcmp(c->row[r].label[j], c->row[r - 1].label[j]) != 0) return true;
    return r == 0;
}

/* The rows' labels, left of the first panel abreast; a label of an outer column stands at the beginning of its run. */
static void draw_labels(const xc_boxes *c, cairo_t *cairo, const xc_theme *theme, double top) {
    for (size_t k = 0; k < c->columns; k++) {
        const bool last = k + 1 == c->columns;
        const xc_align align = last ? XC_ALIGN_RIGHT : XC_ALIGN_LEFT;
        if (xc_boxes_show_headings(c))
            xc_text(cairo, theme->muted, XC_TICK_SIZE, false, c->column_x[k], top - 7, align, c->column[k]);
        for (size_t r = 0; r < c->rows; r++) {
            if (!last && !begins_run(c, r, k)) continue;
            xc_text(cairo, theme->ink, XC_TEXT_SIZE, false, c->column_x[k],
                    top + c->row[r].middle + 0.36 * XC_TEXT_SIZE, align, c->row[r].label[k]);
        }
    }
}

void xc_boxes_draw(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const xc_boxes *c = picture->content;
    const double middle = (c->plot[0].left + c->right) / 2;
    double top = -1;
    for (size_t p = 0; p < c->panels; p++) {
        const xc_plot *plot = &c->plot[p];
        draw_panel(c, cairo, theme, p);
        if (plot->top > top) draw_labels(c, cairo, theme, plot->top);
        top = plot->top;
    }
    xc_text(cairo, theme->ink, XC_TEXT_SIZE, false, middle, picture->height - 6, XC_ALIGN_CENTRE, c->title);
}

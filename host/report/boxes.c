/* boxes.c: box plots of one measure: a panel a model, a row a setting, boxes lying so that the names of many
 * activations can be read. Here are their numbers and their places; boxes_draw.c draws them. What could not be measured
 * is said beside its row: trials that diverged, or that have not ended. Source: figure 1 of Koo & Ploenzke 2021.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "boxes.h"

#define PANELS_ABREAST 3
#define PANEL_GAP 16.0 /* at least; tick labels of neighbours keep apart */
#define TICK_GAP 6.0
#define EDGE 12.0 /* at the right */
#define PANEL_WIDEST 300.0
#define PANEL_NARROWEST 60.0
#define COLUMN_WIDEST 130.0
#define COLUMN_GAP 10.0
#define HEADING_HEIGHT 20.0
#define FOOT_HEIGHT 34.0
#define NOT_MEASURED "not measured"
#define RUN_GAP 5.0 /* between settings whose first column differs */

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

xc_box xc_box_of(double *values, size_t count) {
    const xc_statistics s = xc_statistics_of(values, count);
    xc_box box = {s.count, s.lower_quartile, s.lower_quartile, s.median, s.upper_quartile, s.upper_quartile};
    const double reach = 1.5 * (s.upper_quartile - s.lower_quartile);
    for (size_t i = 0; i < s.count; i++) { /* ascending now, the finite ones first */
        if (values[i] >= s.lower_quartile - reach) box.lower_whisker = fmin(box.lower_whisker, values[i]);
        if (values[i] <= s.upper_quartile + reach) box.upper_whisker = fmax(box.upper_whisker, values[i]);
    }
    return box;
}

xc_box xc_box_place(const xc_box *box, const xc_plot *plot) {
    return (xc_box){box->count,
                    xc_plot_x(plot, box->lower_whisker),
                    xc_plot_x(plot, box->lower_quartile),
                    xc_plot_x(plot, box->median),
                    xc_plot_x(plot, box->upper_quartile),
                    xc_plot_x(plot, box->upper_whisker)};
}

/* ---- content ----------------------------------------------------------------------------------------------------- */

static void release(void *picture_content) {
    xc_boxes *c = picture_content;
    if (!c) return;
    free(c->model);
    free(c->plot);
    free(c->row);
    free(c->cell);
    free(c->value);
    free(c);
}

/* Runs of one model: the zoo is the first column of a grid. */
static size_t count_panels(const xc_grid *grid) {
    char model[XC_LABEL_SIZE] = "", before[XC_LABEL_SIZE];
    size_t panels = 0;
    for (size_t i = 0; i < grid->count; i += grid->seeds) {
        memcpy(before, model, sizeof before);
        xc_grid_value(&grid->trial[i], "zoo", model, sizeof model);
        panels += i == 0 || strcmp(model, before) != 0;
    }
    return panels;
}

/* What varies within a panel; the activation when nothing does. */
static void choose_columns(xc_boxes *c, const xc_grid *grid) {
    for (int32_t i = 0; i < grid->varied_count; i++) {
        const char *column = grid->varied[i];
        if (strcmp(column, "zoo") == 0 || strcmp(column, "seed") == 0 || !xc_column_varies(grid, column)) continue;
        c->column[c->columns++] = column;
    }
    if (c->columns == 0) c->column[c->columns++] = "activation";
}

bool xc_boxes_any(const xc_boxes *c, size_t panel) {
    for (size_t r = 0; r < c->rows; r++)
        if (c->cell[panel * c->rows + r].box.count > 0) return true;
    return false;
}

static void write_note(xc_box_cell *cell, size_t measured, size_t diverged, size_t seeds) {
    char waiting[XC_BOX_NOTE / 2 - 1] = "", lost[XC_BOX_NOTE / 2 - 1] = "";
    if (measured + diverged < seeds && measured + diverged > 0)
        snprintf(waiting, sizeof waiting, "%zu of %zu", measured, seeds);
    else if (measured + diverged < seeds)
        snprintf(waiting, sizeof waiting, NOT_MEASURED);
    if (diverged) snprintf(lost, sizeof lost, "%zu diverged", diverged);
    snprintf(cell->note, sizeof cell->note, "%s%s%s", waiting, *waiting && *lost ? ", " : "", lost);
}

static xc_status fill_cell(xc_box_cell *cell, const xc_grid *grid, const xc_measure *measure, size_t first,
                           xc_error *error) {
    double *sorted;
    size_t diverged = 0;
    const xc_status status = xc_allocate(&sorted, grid->seeds, sizeof *sorted, "a box plot", error);
    if (status != XC_OK) return status;
    for (size_t i = 0; i < grid->seeds; i++) {
        sorted[i] = cell->value[i] = measure->value(grid, first + i);
        diverged += grid->trial[first + i].status == XC_TRIAL_DIVERGED;
    }
    cell->box = xc_box_of(sorted, grid->seeds);
    write_note(cell, cell->box.count, diverged, grid->seeds);
    free(sorted);
    return XC_OK;
}

/* A panel without any value says so once, not in every row. */
static void forget_waiting(xc_boxes *c, size_t panel) {
    for (size_t r = 0; r < c->rows; r++) {
        char *note = c->cell[panel * c->rows + r].note;
        if (strcmp(note, NOT_MEASURED) == 0) *note = 0;
    }
}

static xc_status fill(xc_boxes *c, const xc_grid *grid, const xc_measure *measure, xc_error *error) {
    xc_status status = XC_OK;
    snprintf(c->title, sizeof c->title, "%s", measure->label);
    c->seeds = grid->seeds;
    c->panels = count_panels(grid);
    c->rows = grid->count / grid->seeds / c->panels;
    choose_columns(c, grid);
    XC_TRY(xc_allocate(&c->model, c->panels, sizeof *c->model, "a box plot", error));
    XC_TRY(xc_allocate(&c->plot, c->panels, sizeof *c->plot, "a box plot", error));
    XC_TRY(xc_allocate(&c->row, c->rows, sizeof *c->row, "a box plot", error));
    XC_TRY(xc_allocate(&c->cell, c->panels * c->rows, sizeof *c->cell, "a box plot", error));
    XC_TRY(xc_allocate(&c->value, grid->count, sizeof *c->value, "a box plot", error));
    for (size_t i = 0; i < c->panels * c->rows; i++) {
        c->cell[i].value = c->value + i * c->seeds;
        XC_TRY(fill_cell(&c->cell[i], grid, measure, i * c->seeds, error));
    }
    for (size_t p = 0; p < c->panels; p++) {
        xc_grid_value(&grid->trial[p * c->rows * c->seeds], "zoo", c->model[p], XC_LABEL_SIZE);
        if (!xc_boxes_any(c, p)) forget_waiting(c, p);
    }
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t k = 0; k < c->columns; k++)
            xc_grid_value(&grid->trial[r * c->seeds], c->column[k], c->row[r].label[k], XC_LABEL_SIZE);
    }
fail:
    return status;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static double row_height(size_t rows) { return rows <= 4 ? 24 : rows <= 10 ? 18 : rows <= 20 ? 14 : 11.5; }

/* Heights of the rows, runs of the outermost column apart; returns the panel's height. */
static double place_rows(xc_boxes *c) {
    const double height = row_height(c->rows);
    double top = 3;
    c->box_height = 0.6 * height;
    for (size_t r = 0; r < c->rows; r++) {
        const bool new_run = r > 0 && strcmp(c->row[r].label[0], c->row[r - 1].label[0]) != 0;
        if (c->columns > 1 && new_run) top += RUN_GAP;
        c->row[r].middle = top + height / 2;
        top += height;
    }
    return top + 3;
}

bool xc_boxes_show_headings(const xc_boxes *c) { return c->columns > 1 || strcmp(c->column[0], "activation") != 0; }

/* Columns of labels from the left edge; returns where the panels begin. */
static double place_columns(xc_boxes *c) {
    double x = XC_MARGIN;
    for (size_t k = 0; k < c->columns; k++) {
        double width = xc_boxes_show_headings(c) ? xc_label_width(XC_TICK_SIZE, false, c->column[k]) : 0;
        for (size_t r = 0; r < c->rows; r++) {
            xc_label_fit(c->row[r].label[k], XC_TEXT_SIZE, false, COLUMN_WIDEST);
            width = fmax(width, xc_label_width(XC_TEXT_SIZE, false, c->row[r].label[k]));
        }
        c->column_x[k] = x;
        x += width + COLUMN_GAP;
    }
    c->column_x[c->columns - 1] = x - COLUMN_GAP; /* its right */
    return x;
}

static xc_ticks choose_ticks(const xc_boxes *c, const xc_measure *measure, double width) {
    double least = INFINITY, largest = -INFINITY;
    const int wanted = width < 90 ? 2 : 5;
    for (size_t i = 0; i < c->panels * c->rows * c->seeds; i++) {
        if (!isfinite(c->value[i])) continue;
        least = fmin(least, c->value[i]);
        largest = fmax(largest, c->value[i]);
    }
    if (!measure->fraction || least > largest) return xc_ticks_of(least, largest, wanted);
    return xc_ticks_of_fraction(least, largest, wanted);
}

double xc_boxes_note_place(const xc_box_cell *cell, size_t seeds, const xc_plot *plot) {
    const double room = 2 * XC_BOX_NOTE_GAP + xc_label_width(XC_TICK_SIZE, false, cell->note);
    double from = plot->left + plot->width, to = plot->left;
    for (size_t i = 0; i < seeds; i++) {
        if (!isfinite(cell->value[i])) continue;
        from = fmin(from, xc_plot_x(plot, cell->value[i]));
        to = fmax(to, xc_plot_x(plot, cell->value[i]));
    }
    if (plot->left + plot->width - to >= room) return plot->width - room + XC_BOX_NOTE_GAP;
    return from - plot->left >= room ? XC_BOX_NOTE_GAP : -1;
}

/* Where panels stand: so many abreast, apart by a gap, with a margin at the right. */
typedef struct panel_raster {
    size_t abreast;
    double left, gap, margin;
} panel_raster;

static double panel_width(const panel_raster *raster) {
    const double gaps = raster->gap * (double)(raster->abreast - 1);
    const double width = (XC_PAGE_WIDTH - raster->left - raster->margin - gaps) / (double)raster->abreast;
    return fmax(fmin(width, PANEL_WIDEST), PANEL_NARROWEST);
}

static void place_panels(xc_boxes *c, const panel_raster *raster, const xc_ticks *ticks, xc_picture *picture) {
    const double width = panel_width(raster), height = place_rows(c), down = HEADING_HEIGHT + height + FOOT_HEIGHT;
    for (size_t p = 0; p < c->panels; p++) {
        c->plot[p] = (xc_plot){.left = raster->left + (double)(p % raster->abreast) * (width + raster->gap),
                               .top = HEADING_HEIGHT + (double)(p / raster->abreast) * down,
                               .width = width,
                               .height = height,
                               .x = *ticks};
    }
    c->right = c->plot[raster->abreast - 1].left + width;
    picture->width = c->right + raster->margin;
    picture->height = c->plot[c->panels - 1].top + height + FOOT_HEIGHT;
}

static double widest_note(const xc_boxes *c) {
    double widest = 0;
    for (size_t i = 0; i < c->panels * c->rows; i++)
        widest = fmax(widest, xc_label_width(XC_TICK_SIZE, false, c->cell[i].note));
    return widest;
}

static bool notes_fit(const xc_boxes *c) {
    for (size_t i = 0; i < c->panels * c->rows; i++) {
        const xc_box_cell *cell = &c->cell[i];
        if (*cell->note && xc_boxes_note_place(cell, c->seeds, &c->plot[i / c->rows]) < 0) return false;
    }
    return true;
}

/* Notes stand inside the panels when all find room there, and have a column of their own otherwise. */
static void lay_out(xc_boxes *c, const xc_measure *measure, xc_picture *picture) {
    panel_raster raster = {.left = place_columns(c), .gap = PANEL_GAP, .margin = EDGE};
    raster.abreast = c->panels == 4 ? 2 : c->panels < PANELS_ABREAST ? c->panels : PANELS_ABREAST;
    const xc_ticks ticks = choose_ticks(c, measure, panel_width(&raster));
    const double label = xc_ticks_width(&ticks);
    raster.gap = fmax(raster.gap, label + TICK_GAP);
    raster.margin = fmax(raster.margin, label / 2 + 2);
    place_panels(c, &raster, &ticks, picture);
    c->notes_inside = notes_fit(c);
    if (!c->notes_inside) {
        const double column = XC_BOX_NOTE_GAP + widest_note(c);
        raster.gap = fmax(raster.gap, column + PANEL_GAP);
        raster.margin = fmax(raster.margin, column + 2);
        place_panels(c, &raster, &ticks, picture);
    }
    for (size_t p = 0; p < c->panels; p++) xc_label_fit(c->model[p], XC_TEXT_SIZE, true, c->plot[p].width);
}

/* ---- the picture ------------------------------------------------------------------------------------------------- */

xc_status xc_boxes_picture(const xc_grid *grid, const xc_measure *measure, xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    xc_boxes *boxes = NULL;
    *picture = (xc_picture){.draw = xc_boxes_draw, .release = release};
    if (grid->count == 0) return xc_fail(error, XC_INPUT, "a sweep without trials has no box plots");
    XC_TRY(xc_allocate(&boxes, 1, sizeof *boxes, "a box plot", error));
    picture->content = boxes;
    XC_TRY(fill(boxes, grid, measure, error));
    lay_out(boxes, measure, picture);
fail:
    return status;
}

xc_status xc_figure_boxes(const char *stem, const xc_grid *grid, const xc_measure *measure, xc_error *error) {
    xc_picture picture;
    xc_status status = xc_boxes_picture(grid, measure, &picture, error);
    if (status == XC_OK) status = xc_picture_write(&picture, stem, error);
    xc_picture_free(&picture);
    return status;
}

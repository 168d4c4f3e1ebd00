/* curves.c: how the trials of one setting trained: losses by epoch, and beside them the metric that decided when to
 * stop, a thin line a trial, the epoch of each trial's best value marked. From the trials' history.tsv; a trial that
 * has none yet is left out.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../train/room.h"
#include "axis.h"

#define PLOT_HEIGHT 140.0
#define TOP 44.0  /* title and headings */
#define FOOT 34.0 /* tick labels and title of the epochs */
#define PANEL_GAP 22.0
#define EDGE 10.0
#define LABEL_ROOM 50.0       /* beside the losses, for the names of the two lines */
#define LABEL_DISTANCE 9.5    /* of their baselines */
#define LOGARITHMIC_FROM 20.0 /* largest loss over least */

static const char *const metric_name[XC_METRIC_COUNT] = {
    [XC_METRIC_LOSS] = "loss",         [XC_METRIC_AUROC] = "AUROC",
    [XC_METRIC_AUPR] = "AUPR",         [XC_METRIC_AVERAGE_PRECISION] = "average precision",
    [XC_METRIC_ACCURACY] = "accuracy", [XC_METRIC_PEARSON] = "Pearson correlation",
};

enum { TRAINING, VALIDATION, MONITORED, LINES };

typedef struct trained {
    double *epoch, *line[LINES]; /* (epochs); one allocation, that of epoch */
    uint32_t epochs, best;       /* 0: not known yet */
} trained;

typedef struct content {
    char title[XC_LABEL_SIZE + 64], heading[2][XC_LABEL_SIZE];
    trained *run;
    size_t runs;
    int panels; /* 1 when the loss is what was monitored */
    xc_plot plot[2];
    bool drawn[LINES]; /* has any value */
    double label_y[2]; /* of "training", "validation" */
} content;

static void release(void *picture_content) {
    content *c = picture_content;
    if (!c) return;
    for (size_t i = 0; i < c->runs; i++) free(c->run[i].epoch);
    free(c->run);
    free(c);
}

static int panel_of(int line) { return line == MONITORED; }

/* ---- content ----------------------------------------------------------------------------------------------------- */

static xc_status read_run(const xc_trial *trial, trained *run, xc_error *error) {
    xc_status status = XC_OK;
    xc_history_row *rows = NULL;
    const xc_metric monitor = trial->config->train.monitor;
    if (!xc_trial_has(trial, XC_HISTORY_FILE)) return XC_OK;
    XC_TRY(xc_history_read(trial->folder, &rows, &run->epochs, error));
    XC_TRY(xc_allocate(&run->epoch, (size_t)run->epochs * (1 + LINES), sizeof *run->epoch, "training curves", error));
    for (int line = 0; line < LINES; line++) run->line[line] = run->epoch + (size_t)run->epochs * (size_t)(1 + line);
    for (uint32_t i = 0; i < run->epochs; i++) {
        run->epoch[i] = rows[i].epoch;
        run->line[TRAINING][i] = rows[i].loss;
        run->line[VALIDATION][i] = rows[i].valid[XC_METRIC_LOSS];
        run->line[MONITORED][i] = rows[i].valid[monitor];
    }
    run->best = trial->best_epoch;
fail:
    free(rows);
    return status;
}

static void write_title(content *c, const xc_grid *grid, size_t first, size_t seeds) {
    char setting[XC_LABEL_SIZE], count[64];
    xc_setting_label(grid, first, setting);
    if (c->runs == seeds)
        snprintf(count, sizeof count, ", %zu seed%s", seeds, seeds == 1 ? "" : "s");
    else
        snprintf(count, sizeof count, ", %zu of %zu seeds", c->runs, seeds);
    xc_label_fit(setting, XC_TITLE_SIZE, true, XC_PAGE_WIDTH - 120);
    snprintf(c->title, sizeof c->title, "%s%s", setting, count);
}

static xc_status fill(content *c, const xc_grid *grid, size_t first, xc_error *error) {
    xc_status status = XC_OK;
    const xc_metric monitor = grid->trial[first].config->train.monitor;
    const size_t left = grid->count - first, seeds = grid->seeds < left ? grid->seeds : left;
    XC_TRY(xc_allocate(&c->run, seeds, sizeof *c->run, "training curves", error));
    for (size_t i = 0; i < seeds; i++) {
        trained *next = &c->run[c->runs];
        c->runs++;
        XC_TRY(read_run(&grid->trial[first + i], next, error));
        if (next->epochs > 0) continue;
        free(next->epoch);
        *next = (trained){0};
        c->runs--;
    }
    c->panels = monitor == XC_METRIC_LOSS ? 1 : 2;
    snprintf(c->heading[1], XC_LABEL_SIZE, "validation %s", metric_name[monitor]);
    write_title(c, grid, first, seeds);
fail:
    return status;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

/* The least and the largest finite value of the lines of a panel; true when there is one. */
static bool range_of(content *c, int panel, double *least, double *largest) {
    *least = INFINITY, *largest = -INFINITY;
    for (int line = 0; line < LINES; line++) {
        for (size_t r = 0; r < c->runs && panel_of(line) == panel; r++) {
            for (uint32_t i = 0; i < c->run[r].epochs; i++) {
                const double value = c->run[r].line[line][i];
                if (!isfinite(value)) continue;
                c->drawn[line] = true;
                *least = fmin(*least, value), *largest = fmax(*largest, value);
            }
        }
    }
    return *least <= *largest;
}

static xc_ticks epoch_ticks(const content *c) {
    double last = 1;
    for (size_t r = 0; r < c->runs; r++) last = fmax(last, c->run[r].epoch[c->run[r].epochs - 1]);
    return xc_ticks_within(0, last, last < 5 ? (int)last : 5);
}

/* Where a name stands: at the middle of where its lines end. */
static double end_of_lines(const content *c, int line) {
    double end[64];
    size_t count = 0;
    for (size_t r = 0; r < c->runs && count < sizeof end / sizeof *end; r++)
        end[count++] = xc_plot_y(&c->plot[0], c->run[r].line[line][c->run[r].epochs - 1]);
    const xc_statistics s = xc_statistics_of(end, count);
    return s.count ? s.median : c->plot[0].top;
}

static void place_names(content *c) {
    double *training = &c->label_y[TRAINING], *validation = &c->label_y[VALIDATION];
    *training = end_of_lines(c, TRAINING), *validation = end_of_lines(c, VALIDATION);
    const double short_of = LABEL_DISTANCE - fabs(*training - *validation), side = *training > *validation ? 1 : -1;
    if (c->drawn[TRAINING] && c->drawn[VALIDATION] && short_of > 0)
        *training += side * short_of / 2, *validation -= side * short_of / 2;
    const double lowest = fmax(*training, *validation), bottom = c->plot[0].top + c->plot[0].height - 2;
    if (lowest > bottom) *training -= lowest - bottom, *validation -= lowest - bottom;
}

static void lay_out(content *c, xc_metric monitor, xc_picture *picture) {
    const bool fraction = monitor != XC_METRIC_PEARSON && monitor != XC_METRIC_LOSS;
    const xc_ticks epochs = epoch_ticks(c);
    double least, largest, left = XC_MARGIN;
    xc_ticks ticks[2];
    range_of(c, 0, &least, &largest);
    const bool logarithmic = least > 0 && largest / least >= LOGARITHMIC_FROM;
    ticks[0] = logarithmic ? xc_ticks_of_logarithm(least, largest, 5) : xc_ticks_of(least, largest, 5);
    snprintf(c->heading[0], XC_LABEL_SIZE, "loss%s", ticks[0].logarithmic ? ", logarithmic" : "");
    ticks[1] = range_of(c, 1, &least, &largest) && fraction ? xc_ticks_of_fraction(least, largest, 5)
                                                            : xc_ticks_of(least, largest, 5);
    const double gutter = fmax(xc_ticks_width(&ticks[0]), xc_ticks_width(&ticks[1])) + 6;
    const double width = (XC_PAGE_WIDTH - XC_MARGIN - 2 * gutter - LABEL_ROOM - PANEL_GAP - EDGE) / 2;
    for (int panel = 0; panel < c->panels; panel++) {
        left += gutter;
        c->plot[panel] = (xc_plot){left, TOP, width, PLOT_HEIGHT, epochs, ticks[panel]};
        left += width + (panel == 0 ? LABEL_ROOM : 0) + (panel + 1 < c->panels ? PANEL_GAP : 0);
    }
    picture->width = left + EDGE;
    picture->height = TOP + PLOT_HEIGHT + FOOT;
    if (c->runs) place_names(c);
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static xc_colour colour_of(const xc_theme *theme, int line) { return theme->series[line == TRAINING ? 0 : 1]; }

static void draw_best(const content *c, cairo_t *cairo, const xc_theme *theme, const xc_plot *plot, int line) {
    for (size_t r = 0; r < c->runs; r++) {
        const trained *run = &c->run[r];
        if (run->best == 0 || run->best > run->epochs) continue;
        const double x = xc_plot_x(plot, run->epoch[run->best - 1]),
                     y = xc_plot_y(plot, run->line[line][run->best - 1]);
        if (isfinite(y)) xc_draw_dot(cairo, theme, colour_of(theme, line), x, y, 2.4, true);
    }
}

/* "● best epoch", above the right end of a panel, where any epoch is marked. */
static void draw_key(const content *c, cairo_t *cairo, const xc_theme *theme, const xc_plot *plot) {
    const double right = plot->left + plot->width, y = plot->top - 8;
    bool marked = false;
    for (size_t r = 0; r < c->runs; r++) marked |= c->run[r].best > 0;
    if (!marked) return;
    const double width = xc_text(cairo, theme->muted, XC_TICK_SIZE, false, right, y, XC_ALIGN_RIGHT, "best epoch");
    xc_draw_dot(cairo, theme, colour_of(theme, MONITORED), right - width - 6, y - 0.36 * XC_TICK_SIZE, 2.4, true);
}

static void draw_panel(const content *c, cairo_t *cairo, const xc_theme *theme, int panel) {
    const xc_plot *plot = &c->plot[panel];
    bool any = false;
    xc_draw_plot(cairo, theme, plot);
    xc_text(cairo, theme->ink, XC_TEXT_SIZE, true, plot->left, plot->top - 8, XC_ALIGN_LEFT, c->heading[panel]);
    xc_text(cairo, theme->ink, XC_TEXT_SIZE, false, plot->left + plot->width / 2,
            plot->top + plot->height + XC_X_TITLE_DROP, XC_ALIGN_CENTRE, "epoch");
    for (int line = 0; line < LINES; line++) {
        if (panel_of(line) != panel || !c->drawn[line]) continue;
        any = true;
        for (size_t r = 0; r < c->runs; r++)
            xc_draw_line(cairo, plot, colour_of(theme, line), 0.8, c->run[r].epoch, c->run[r].line[line],
                         c->run[r].epochs);
        if (line != TRAINING) draw_best(c, cairo, theme, plot, line);
    }
    if (!any)
        xc_draw_note(cairo, theme, plot->left + plot->width / 2, plot->top + plot->height / 2, XC_ALIGN_CENTRE,
                     "not measured");
    if (any && panel + 1 == c->panels) draw_key(c, cairo, theme, plot);
}

static void draw_names(const content *c, cairo_t *cairo, const xc_theme *theme) {
    static const char *const name[] = {"training", "validation"};
    for (int line = TRAINING; line <= VALIDATION; line++) {
        const xc_colour colour = xc_mix(colour_of(theme, line), theme->ink, 0.75);
        if (c->drawn[line])
            xc_text(cairo, colour, XC_TICK_SIZE, false, c->plot[0].left + c->plot[0].width + 4,
                    c->label_y[line] + 0.36 * XC_TICK_SIZE, XC_ALIGN_LEFT, name[line]);
    }
}

static void draw(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const content *c = picture->content;
    xc_text(cairo, theme->ink, XC_TITLE_SIZE, true, XC_MARGIN, 12, XC_ALIGN_LEFT, c->title);
    for (int panel = 0; panel < c->panels; panel++) draw_panel(c, cairo, theme, panel);
    draw_names(c, cairo, theme);
}

xc_status xc_curves_picture(const xc_grid *grid, size_t first, xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    content *c = NULL;
    *picture = (xc_picture){.draw = draw, .release = release};
    if (first >= grid->count) return xc_fail(error, XC_INPUT, "the sweep has no trial number %zu", first);
    XC_TRY(xc_allocate(&c, 1, sizeof *c, "training curves", error));
    picture->content = c;
    XC_TRY(fill(c, grid, first, error));
    lay_out(c, grid->trial[first].config->train.monitor, picture);
fail:
    return status;
}

xc_status xc_figure_curves(const char *stem, const xc_grid *grid, size_t first, xc_error *error) {
    xc_picture picture;
    xc_status status = xc_curves_picture(grid, first, &picture, error);
    if (status == XC_OK) status = xc_picture_write(&picture, stem, error);
    xc_picture_free(&picture);
    return status;
}

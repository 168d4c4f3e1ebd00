/* activations.c: the activation functions themselves, a small plot each, on an axis of its own: some stay within 1,
 * some reach thousands. The values are those of the reference backend, so that what is shown is what is computed. An
 * exponential is shown with the scale and the clip of the trial that it is of.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"

#define SAMPLES 361
#define FROM (-6.0)
#define TO 6.0
#define TO_SHIFTED 12.0  /* for those that rise at 6 or 8 */
#define LOG_LEAST (-4.0) /* the logarithm's pit at 0 would leave nothing to see of the rest */
#define COLUMN_GAP 16.0
#define EDGE 8.0
#define HEADING 28.0
#define FOOT 20.0

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* One block that adds zeros: what is left of it is its activation. */
static const xc_block bare_activation = {.kind = XC_BLOCK_ADD,
                                         .length = 1,
                                         .width = 1,
                                         .conv_length = 1,
                                         .pool = 1,
                                         .out_length = 1,
                                         .before_norm = XC_LINEAR,
                                         .norm_epsilon = 1,
                                         .kernel = XC_ABSENT,
                                         .bias = XC_ABSENT,
                                         .gamma = XC_ABSENT,
                                         .beta = XC_ABSENT,
                                         .running = XC_ABSENT};

xc_status xc_activation_values(const xc_activation *activation, const float *x, float *y, int32_t count,
                               xc_error *error) {
    const xc_backend *backend = xc_backend_reference(); /* in host memory */
    xc_status status = XC_OK;
    xc_block block = bare_activation;
    xc_block_memory memory;
    void *saved = NULL, *scratch = NULL, *zeros = NULL;
    block.channels = block.filters = count;
    backend->block_memory(backend, &block, 1, &memory);
    XC_TRY(xc_allocate(&saved, 1, memory.saved, "an activation", error));
    XC_TRY(xc_allocate(&scratch, 1, memory.scratch, "an activation", error));
    XC_TRY(xc_allocate(&zeros, (size_t)count, sizeof *x, "an activation", error));
    const xc_block_args args = {.block = &block,
                                .trials = 1,
                                .batch = 1,
                                .x = x,
                                .x_skip = zeros,
                                .activation = activation,
                                .y = y,
                                .saved = saved,
                                .saved_stride = memory.saved,
                                .scratch = scratch};
    XC_TRY(backend->add_block_forward(backend, &args, error));
fail:
    free(saved);
    free(scratch);
    free(zeros);
    return status;
}

/* ---- content ----------------------------------------------------------------------------------------------------- */

typedef struct shown {
    xc_activation activation;
    char name[XC_LABEL_SIZE], note[XC_LABEL_SIZE];
    double x[SAMPLES], y[SAMPLES];
    double clip; /* where the exponential is clipped; NaN where that is outside the plot */
    xc_plot plot;
} shown;

typedef struct content {
    shown *curve;
    size_t count;
} content;

static void release(void *picture_content) {
    content *c = picture_content;
    if (!c) return;
    free(c->curve);
    free(c);
}

static bool same(const xc_activation *a, const xc_activation *b) {
    if (a->kind != b->kind) return false;
    return a->kind != XC_EXPONENTIAL || (a->beyond == b->beyond && a->scale == b->scale && a->clip == b->clip);
}

static void add(content *c, xc_activation activation) {
    for (size_t i = 0; i < c->count; i++)
        if (same(&c->curve[i].activation, &activation)) return;
    c->curve[c->count++].activation = activation;
}

static xc_status collect(content *c, const xc_grid *grid, xc_error *error) {
    const size_t most = grid ? grid->count : XC_ACTIVATION_COUNT;
    const xc_status status = xc_allocate(&c->curve, most, sizeof *c->curve, "the activations", error);
    if (status != XC_OK) return status;
    for (size_t i = 0; i < most; i++) {
        const xc_activation plain = {.kind = (xc_activation_kind)i, .scale = 1, .clip = FLT_MAX};
        add(c, grid ? xc_config_activation(grid->trial[i].config) : plain);
    }
    return XC_OK;
}

static bool rises_late(xc_activation_kind kind) {
    return kind == XC_SHIFT_SIGMOID || kind == XC_SHIFT_SCALE_SIGMOID || kind == XC_SHIFT_TANH ||
           kind == XC_SHIFT_SCALE_TANH;
}

static void describe(shown *curve) {
    const xc_activation *a = &curve->activation;
    snprintf(curve->name, sizeof curve->name, "%s", xc_activation_word(a->kind));
    curve->clip = NAN;
    if (a->kind != XC_EXPONENTIAL) return;
    const double clip = (double)a->clip / (double)a->scale;
    if (a->scale != 1) snprintf(curve->note, sizeof curve->note, "scale %g", (double)a->scale);
    if (clip > FROM && clip < TO) curve->clip = clip;
}

static xc_status evaluate(shown *curve, xc_error *error) {
    const double to = rises_late(curve->activation.kind) ? TO_SHIFTED : TO;
    float x[SAMPLES], y[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) x[i] = (float)(FROM + (to - FROM) * i / (SAMPLES - 1));
    const xc_status status = xc_activation_values(&curve->activation, x, y, SAMPLES, error);
    for (int i = 0; i < SAMPLES && status == XC_OK; i++) curve->x[i] = x[i], curve->y[i] = y[i];
    return status;
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static xc_ticks x_ticks(xc_activation_kind kind) {
    return (xc_ticks){.low = FROM,
                      .high = rises_late(kind) ? TO_SHIFTED : TO,
                      .value = {FROM, 0, TO, TO_SHIFTED},
                      .count = rises_late(kind) ? 4 : 3};
}

static xc_ticks y_ticks(const shown *curve) {
    double least = INFINITY, largest = -INFINITY;
    for (int i = 0; i < SAMPLES; i++) least = fmin(least, curve->y[i]), largest = fmax(largest, curve->y[i]);
    if (curve->activation.kind == XC_LOG) least = LOG_LEAST;
    const double room = 0.05 * (largest - least);
    return xc_ticks_within(least - (curve->activation.kind == XC_LOG ? 0 : room), largest + room, 3);
}

static void lay_out(content *c, xc_picture *picture) {
    const size_t columns = c->count <= 3 ? c->count : c->count <= 8 ? 4 : 5;
    double gutter = 0;
    bool notes = false;
    for (size_t i = 0; i < c->count; i++) {
        shown *curve = &c->curve[i];
        describe(curve);
        notes |= *curve->note != 0 || isfinite(curve->clip);
        curve->plot = (xc_plot){.x = x_ticks(curve->activation.kind), .y = y_ticks(curve)};
        gutter = fmax(gutter, 6 + xc_ticks_width(&curve->plot.y));
    }
    const double page = XC_PAGE_WIDTH - XC_MARGIN - EDGE + COLUMN_GAP;
    const double across = fmin(page / (double)columns, 170), width = across - gutter - COLUMN_GAP;
    const double height = fmin(0.72 * width, 100), top = notes ? HEADING : HEADING - 9, down = top + height + FOOT;
    for (size_t i = 0; i < c->count; i++) {
        xc_plot *plot = &c->curve[i].plot;
        plot->left = XC_MARGIN + (double)(i % columns) * across + gutter;
        plot->top = (double)(i / columns) * down + top;
        plot->width = width;
        plot->height = height;
    }
    picture->width = XC_MARGIN + (double)columns * across - COLUMN_GAP + EDGE;
    picture->height = (double)((c->count + columns - 1) / columns) * down;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static void draw_curve(cairo_t *cairo, const xc_theme *theme, const shown *curve, double gutter, double name_rise) {
    const xc_plot *plot = &curve->plot;
    const double left = plot->left - gutter;
    char note[XC_LABEL_SIZE];
    snprintf(note, sizeof note, "%.200s", curve->note);
    xc_draw_plot(cairo, theme, plot);
    xc_text(cairo, theme->ink, XC_TEXT_SIZE, false, left, plot->top - name_rise, XC_ALIGN_LEFT, curve->name);
    cairo_save(cairo);
    cairo_rectangle(cairo, plot->left - 1, plot->top - 1, plot->width + 2, plot->height + 2);
    cairo_clip(cairo);
    xc_draw_line(cairo, plot, theme->series[0], 1.4, curve->x, curve->y, SAMPLES);
    cairo_restore(cairo);
    if (isfinite(curve->clip)) {
        const double from = curve->x[0], step = curve->x[1] - from;
        const int sample = (int)((curve->clip - from) / step + 0.5);
        xc_draw_dot(cairo, theme, theme->series[1], xc_plot_x(plot, curve->x[sample]),
                    xc_plot_y(plot, curve->y[sample]), 2.4, true);
        snprintf(note, sizeof note, "%.200s%sclip %g", curve->note, *curve->note ? ", " : "",
                 (double)curve->activation.clip);
    }
    xc_text(cairo, theme->muted, XC_TICK_SIZE, false, left, plot->top - 8, XC_ALIGN_LEFT, note);
}

static void draw(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const content *c = picture->content;
    const double gutter = c->curve[0].plot.left - XC_MARGIN, name_rise = c->curve[0].plot.top > HEADING - 5 ? 17 : 8;
    for (size_t i = 0; i < c->count; i++) draw_curve(cairo, theme, &c->curve[i], gutter, name_rise);
}

xc_status xc_activations_picture(const xc_grid *grid, xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    content *c = NULL;
    *picture = (xc_picture){.draw = draw, .release = release};
    if (grid && grid->count == 0) return xc_fail(error, XC_INPUT, "a sweep without trials has no activations");
    XC_TRY(xc_allocate(&c, 1, sizeof *c, "the activations", error));
    picture->content = c;
    XC_TRY(collect(c, grid, error));
    for (size_t i = 0; i < c->count; i++) XC_TRY(evaluate(&c->curve[i], error));
    lay_out(c, picture);
fail:
    return status;
}

xc_status xc_figure_activations(const char *stem, const xc_grid *grid, xc_error *error) {
    xc_picture picture;
    xc_status status = xc_activations_picture(grid, &picture, error);
    if (status == XC_OK) status = xc_picture_write(&picture, stem, error);
    xc_picture_free(&picture);
    return status;
}

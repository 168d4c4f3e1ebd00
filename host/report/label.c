/* label.c: what a plot says in words: how wide text will be, text cut to a width, and the name of a trial's setting.
 * Nothing is drawn here.
 */
#include <string.h>

#include "axis.h"

/* ---- widths ------------------------------------------------------------------------------------------------------ */

/* What text is measured on while there is no picture yet; to be destroyed. */
static cairo_t *new_ruler(void) {
    cairo_surface_t *surface = cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, NULL);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface); /* which cairo holds */
    xc_set_exact_text(cairo);
    return cairo;
}

double xc_label_width(double size, bool bold, const char *text) {
    cairo_t *ruler = new_ruler();
    const double width = xc_text_width(ruler, size, bold, text);
    cairo_destroy(ruler);
    return width;
}

void xc_label_fit(char *text, double size, bool bold, double width) {
    cairo_t *ruler = new_ruler();
    xc_text_cut(ruler, size, bold, width, text, XC_LABEL_SIZE);
    cairo_destroy(ruler);
}

double xc_ticks_width(const xc_ticks *ticks) {
    double widest = 0;
    char text[64];
    for (int i = 0; i < ticks->count; i++) {
        xc_tick_label(ticks, i, text, sizeof text);
        const double width = xc_label_width(XC_TICK_SIZE, false, text);
        if (width > widest) widest = width;
    }
    return widest;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

bool xc_column_varies(const xc_grid *grid, const char *column) {
    char first[XC_LABEL_SIZE], value[XC_LABEL_SIZE];
    for (size_t i = 0; i < grid->count; i++) {
        xc_grid_value(&grid->trial[i], column, i ? value : first, XC_LABEL_SIZE);
        if (i && strcmp(first, value) != 0) return true;
    }
    return false;
}

void xc_value_label(const xc_trial *trial, const char *column, char *text, size_t size) {
    char value[XC_LABEL_SIZE / 2];
    xc_grid_value(trial, column, value, sizeof value);
    const bool number = strspn(value, "0123456789") > 0;
    const bool word = strcmp(column, "zoo") == 0 || !number;
    if (word)
        snprintf(text, size, "%s", value);
    else
        snprintf(text, size, "%s %s", strcmp(column, "learning_rate") == 0 ? "learning rate" : column, value);
}

static void append(char *text, const xc_trial *trial, const char *column) {
    const size_t length = strlen(text);
    char value[XC_LABEL_SIZE];
    xc_value_label(trial, column, value, sizeof value);
    snprintf(text + length, XC_LABEL_SIZE - length, "%s%s", length ? ", " : "", value);
}

void xc_setting_label(const xc_grid *grid, size_t trial, char *text) {
    *text = 0;
    for (int32_t i = 0; i < grid->varied_count; i++) {
        if (strcmp(grid->varied[i], "seed") != 0 && xc_column_varies(grid, grid->varied[i]))
            append(text, &grid->trial[trial], grid->varied[i]);
    }
    if (*text) return;
    append(text, &grid->trial[trial], "zoo");
    append(text, &grid->trial[trial], "activation");
}

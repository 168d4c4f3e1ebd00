/* axis.c: ticks at round numbers, and a plot's area with its lines and labels. It knows nothing of sweeps; what the
 * plots say in words is in label.c.
 */
#include "axis.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- ticks ------------------------------------------------------------------------------------------------------- */

#define ROUNDING 1e-9 /* of a step: what a limit may miss its tick by and still be on it */
#define FINEST 10     /* steps on an axis */
#define LARGEST 1e300 /* beyond it differences would overflow */
#define SMALLEST 1e-290

static const double STEPS[] = {1, 2, 5, 10};
enum { STEP_COUNT = 3 };

static double power_of_ten(int exponent) { return pow(10, exponent); }

/* multiple * mantissa * 10^exponent, rounded once, so that 3 steps of 0.1 are 0.3. */
static double step_multiple(double multiple, double mantissa, int exponent) {
    return exponent < 0 ? multiple * mantissa / power_of_ten(-exponent) : multiple * mantissa * power_of_ten(exponent);
}

static double within_reach(double value) { return fabs(value) < SMALLEST ? 0 : fmax(-LARGEST, fmin(value, LARGEST)); }

/* Room around values that are equal, or as good as equal; 0 to 1 where there is nothing to go by. */
static void widen(double *least, double *largest) {
    if (!isfinite(*least) || !isfinite(*largest) || *least > *largest) {
        *least = 0, *largest = 1;
        return;
    }
    *least = within_reach(*least), *largest = within_reach(*largest);
    const double magnitude = fmax(fabs(*least), fabs(*largest));
    if (*largest - *least > 1e-12 * magnitude) return;
    if (magnitude == 0) *largest = 1;
    *least -= 0.05 * magnitude, *largest += 0.05 * magnitude;
}

/* The limits at the outermost ticks. */
static xc_ticks with_limits(xc_ticks ticks) {
    ticks.low = ticks.value[0], ticks.high = ticks.value[ticks.count - 1];
    return ticks;
}

xc_ticks xc_ticks_of(double least, double largest, int wanted) {
    xc_ticks ticks = {.count = 0};
    widen(&least, &largest);
    /* What the limits' own rounding may make of a step. */
    const double noise = 4 * DBL_EPSILON * fmax(fabs(least), fabs(largest));
    const double finest = (largest - least - noise) / wanted;
    int exponent = (int)floor(log10(finest)), place = 0;
    while (place < STEP_COUNT && step_multiple(1, STEPS[place], exponent) < finest * (1 - ROUNDING)) place++;
    if (place == STEP_COUNT) place = 0, exponent++;
    const double step = step_multiple(1, STEPS[place], exponent);
    const double slack = ROUNDING + noise / step;
    const double from = floor(least / step + slack), to = ceil(largest / step - slack);
    for (double multiple = from; multiple <= to && ticks.count < XC_TICKS_MOST; multiple++)
        ticks.value[ticks.count++] = step_multiple(multiple, STEPS[place], exponent) + 0.0; /* no -0 */
    ticks.decimals = exponent < 0 ? -exponent : 0;
    return with_limits(ticks);
}

/* Leaves out the ticks beyond the limits, which are the axis' then. */
static xc_ticks cut(xc_ticks ticks, double least, double largest) {
    const double slack = ROUNDING * (largest - least);
    int kept = 0;
    for (int i = 0; i < ticks.count; i++) {
        if (ticks.value[i] >= least - slack && ticks.value[i] <= largest + slack) ticks.value[kept++] = ticks.value[i];
    }
    ticks.count = kept;
    ticks.low = least, ticks.high = largest;
    return ticks;
}

xc_ticks xc_ticks_within(double least, double largest, int wanted) {
    const int enough = wanted < 2 ? 2 : 3;
    widen(&least, &largest);
    xc_ticks ticks = cut(xc_ticks_of(least, largest, wanted), least, largest);
    for (int more = wanted + 1; ticks.count < enough && more <= FINEST; more++)
        ticks = cut(xc_ticks_of(least, largest, more), least, largest);
    return ticks;
}

xc_ticks xc_ticks_of_fraction(double least, double largest, int wanted) {
    if (!(least >= 0 && largest <= 1)) return xc_ticks_of(least, largest, wanted);
    if (least < 0.5) return xc_ticks_of(0, 1, wanted);
    widen(&least, &largest);
    return xc_ticks_of(least, fmin(largest, 1), wanted);
}

/* The largest 1, 2 or 5 times a power of ten that is at most value, or the next above it. */
static double round_logarithm(double value, bool up) {
    const int exponent = (int)floor(log10(value) + ROUNDING);
    int place = 0;
    while (place < STEP_COUNT && step_multiple(1, STEPS[place], exponent) < value * (1 - ROUNDING)) place++;
    const double above = step_multiple(1, STEPS[place], exponent);
    if (up || above <= value * (1 + ROUNDING)) return above;
    return step_multiple(1, STEPS[place - 1], exponent);
}

xc_ticks xc_ticks_of_logarithm(double least, double largest, int wanted) {
    if (!(least > 0 && isfinite(largest) && least <= largest)) return xc_ticks_of(least, largest, wanted);
    xc_ticks ticks = {
        .low = round_logarithm(least, false), .high = round_logarithm(largest, true), .logarithmic = true};
    const int from = (int)ceil(log10(ticks.low) - ROUNDING), to = (int)floor(log10(ticks.high) + ROUNDING);
    if (to - from >= 2) {
        const int stride = (to - from + wanted - 1) / wanted;
        for (int exponent = from; exponent <= to && ticks.count < XC_TICKS_MOST; exponent += stride)
            ticks.value[ticks.count++] = step_multiple(1, 1, exponent);
        return ticks;
    }
    double value = ticks.low;
    ticks.value[ticks.count++] = value;
    while (ticks.count < XC_TICKS_MOST && (value < ticks.high * (1 - ROUNDING) || ticks.count < 2)) {
        value = round_logarithm(value * 1.5, true);
        ticks.value[ticks.count++] = value;
    }
    return with_limits(ticks);
}

static void write_power(double value, char *text, size_t size) {
    static const char *const digit[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    const int exponent = (int)floor(log10(fabs(value)) + ROUNDING);
    char power[16], raised[64] = "", mantissa[32];
    snprintf(power, sizeof power, "%d", exponent);
    for (const char *c = power; *c; c++) strcat(raised, *c == '-' ? "⁻" : digit[*c - '0']);
    snprintf(mantissa, sizeof mantissa, "%.6g", step_multiple(fabs(value), 1, -exponent));
    const bool one = strcmp(mantissa, "1") == 0;
    snprintf(text, size, "%s%s%s10%s", value < 0 ? "−" : "", one ? "" : mantissa, one ? "" : "×", raised);
}

void xc_tick_label(const xc_ticks *ticks, int tick, char *text, size_t size) {
    const double value = ticks->value[tick];
    double magnitude = 0;
    for (int i = 0; i < ticks->count; i++) magnitude = fmax(magnitude, fabs(ticks->value[i]));
    const double shown = ticks->logarithmic ? fabs(value) : magnitude;
    if (value == 0)
        snprintf(text, size, "0");
    else if (shown >= 1e5 || shown < 1e-3)
        write_power(value, text, size);
    else if (ticks->logarithmic)
        snprintf(text, size, "%.6g", value);
    else
        snprintf(text, size, "%s%.*f", value < 0 ? "−" : "", ticks->decimals, fabs(value));
}

/* ---- a plot's area ----------------------------------------------------------------------------------------------- */

/* 0 at the lower limit, 1 at the upper. */
static double share_of(const xc_ticks *ticks, double value) {
    double from = ticks->low, to = ticks->high;
    if (ticks->logarithmic) value = log10(value), from = log10(from), to = log10(to);
    return (value - from) / (to - from);
}

double xc_plot_x(const xc_plot *plot, double value) { return plot->left + plot->width * share_of(&plot->x, value); }

double xc_plot_y(const xc_plot *plot, double value) {
    return plot->top + plot->height * (1 - share_of(&plot->y, value));
}

static void draw_rule(cairo_t *cairo, xc_colour colour, double x1, double y1, double x2, double y2) {
    xc_set_colour(cairo, colour);
    cairo_set_line_width(cairo, XC_LINE);
    xc_draw_rule(cairo, x1, y1, x2, y2);
}

void xc_draw_plot(cairo_t *cairo, const xc_theme *theme, const xc_plot *plot) {
    const double right = plot->left + plot->width, bottom = plot->top + plot->height;
    char text[64];
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_BUTT);
    for (int i = 0; i < plot->x.count; i++) {
        const double x = xc_plot_x(plot, plot->x.value[i]);
        draw_rule(cairo, theme->grid, x, plot->top, x, bottom);
        xc_tick_label(&plot->x, i, text, sizeof text);
        xc_text(cairo, theme->muted, XC_TICK_SIZE, false, x, bottom + XC_TICK_SIZE + 4, XC_ALIGN_CENTRE, text);
    }
    for (int i = 0; i < plot->y.count; i++) {
        const double y = xc_plot_y(plot, plot->y.value[i]);
        draw_rule(cairo, theme->grid, plot->left, y, right, y);
        xc_tick_label(&plot->y, i, text, sizeof text);
        xc_text(cairo, theme->muted, XC_TICK_SIZE, false, plot->left - 4, y + 0.36 * XC_TICK_SIZE, XC_ALIGN_RIGHT,
                text);
    }
    const bool zero = plot->y.count > 0 && !plot->y.logarithmic && plot->y.low <= 0 && plot->y.high >= 0;
    const double base = zero ? xc_plot_y(plot, 0) : bottom;
    draw_rule(cairo, theme->muted, plot->left, base, right, base);
}

void xc_draw_line(cairo_t *cairo, const xc_plot *plot, xc_colour colour, double width, const double *x, const double *y,
                  size_t count) {
    bool pen_down = false;
    xc_set_colour(cairo, colour);
    cairo_set_line_width(cairo, width);
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    for (size_t i = 0; i < count; i++) {
        const double across = xc_plot_x(plot, x[i]), down = xc_plot_y(plot, y[i]);
        const bool drawn = isfinite(across) && isfinite(down);
        if (drawn && !pen_down) cairo_move_to(cairo, across, down);
        if (drawn) cairo_line_to(cairo, across, down); /* to its own place too: a dot, should it stay alone */
        pen_down = drawn;
    }
    cairo_stroke(cairo);
}

void xc_draw_dot(cairo_t *cairo, const xc_theme *theme, xc_colour colour, double x, double y, double radius, bool rim) {
    cairo_new_path(cairo);
    cairo_arc(cairo, x, y, radius, 0, 2 * M_PI);
    xc_set_colour(cairo, colour);
    cairo_fill_preserve(cairo);
    if (!rim) cairo_new_path(cairo);
    xc_set_colour(cairo, theme->paper);
    cairo_set_line_width(cairo, 0.5);
    cairo_stroke(cairo);
}

void xc_draw_note(cairo_t *cairo, const xc_theme *theme, double x, double y, xc_align align, const char *text) {
    const double width = xc_text_width(cairo, XC_TICK_SIZE, false, text);
    const double left = x - (align == XC_ALIGN_RIGHT ? width : align == XC_ALIGN_CENTRE ? width / 2 : 0);
    if (!*text) return;
    xc_set_colour(cairo, theme->paper);
    cairo_rectangle(cairo, left - 2, y - 0.7 * XC_TICK_SIZE, width + 4, 1.4 * XC_TICK_SIZE);
    cairo_fill(cairo);
    xc_text(cairo, theme->muted, XC_TICK_SIZE, false, left, y + 0.36 * XC_TICK_SIZE, XC_ALIGN_LEFT, text);
}

xc_colour xc_mix(xc_colour over, xc_colour under, double share) {
    return (xc_colour){under.red + share * (over.red - under.red), under.green + share * (over.green - under.green),
                       under.blue + share * (over.blue - under.blue)};
}

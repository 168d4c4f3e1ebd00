/* attribution_logo.c: a track of letters with signed heights: how they stand on the zero line and hang from it, the
 * track's scale, and its drawing. A ground truth is such a track as well, whose heights are bits.
 */
#include <math.h>
#include <string.h>

#include "attribution_figure.h"

static const char letter_of[] = "ACGT";

/* ---- heights ---------------------------------------------------------------------------------------------------- */

/* Adds a letter behind those from `begin` on that are not larger. */
static int insert(xc_attribution_letter letters[4], int begin, int count, int base, double height) {
    int place = count;
    for (; place > begin && fabs(letters[place - 1].to) > fabs(height); place--) letters[place] = letters[place - 1];
    letters[place] = (xc_attribution_letter){.base = base, .to = height};
    return count + 1;
}

int xc_attribution_stack(const float height[4], double least, xc_attribution_letter letters[4]) {
    int count = 0;
    for (int sign = 1; sign >= -1; sign -= 2) {
        const int begin = count;
        double end = 0;
        for (int b = 0; b < 4; b++)
            if (sign * height[b] > 0 && fabs(height[b]) >= least) count = insert(letters, begin, count, b, height[b]);
        for (int i = begin; i < count; i++) {
            letters[i].from = end;
            end = letters[i].to += end;
        }
    }
    return count;
}

static void column_of(const xc_attribution_track *track, uint32_t length, uint32_t column, float value[4]) {
    for (size_t b = 0; b < 4; b++) value[b] = track->values[b * length + column];
}

void xc_attribution_heights(const xc_attribution_track *track, uint32_t length, uint32_t column, float height[4]) {
    xc_logo_letter letters[4];
    float value[4];
    column_of(track, length, column, value);
    memcpy(height, value, sizeof value);
    if (!track->information) return;
    memset(height, 0, sizeof value);
    for (int i = xc_logo_stack(value, letters) - 1; i >= 0; i--) height[letters[i].base] = (float)letters[i].height;
}

bool xc_attribution_informative(const xc_attribution_track *truth, uint32_t length, uint32_t column) {
    float p[4];
    column_of(truth, length, column, p);
    return p[0] + p[1] + p[2] + p[3] > 0 && xc_motif_information(p) > 0.01;
}

/* ---- scale ------------------------------------------------------------------------------------------------------ */

#define MOST_TICKS 4 /* a track is no higher than that many numbers can be read on */

xc_ticks xc_attribution_ticks(const xc_attribution_track *track, uint32_t length) {
    double low = 0, high = 0;
    if (track->information) return xc_ticks_of(0, 2, 2);
    for (uint32_t column = 0; column < length; column++) {
        xc_attribution_letter letters[4];
        float height[4];
        xc_attribution_heights(track, length, column, height);
        const int count = xc_attribution_stack(height, 0, letters);
        for (int i = 0; i < count; i++) low = fmin(low, letters[i].to), high = fmax(high, letters[i].to);
    }
    if (low == high) return (xc_ticks){.low = -1, .high = 1, .count = 1};
    const xc_ticks ticks = xc_ticks_within(low, high, 3);
    return ticks.count <= MOST_TICKS ? ticks : xc_ticks_within(low, high, 1);
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

void xc_draw_attribution(cairo_t *cairo, const xc_theme *theme, const xc_attribution_track *track, uint32_t length,
                         uint32_t first, uint32_t columns, const xc_plot *plot) {
    const double pitch = plot->width / columns, gap = 0.04 * pitch;
    const double least = XC_LEAST_LETTER * (plot->y.high - plot->y.low) / plot->height;
    cairo_new_path(cairo);
    for (uint32_t column = 0; column < columns; column++) {
        xc_attribution_letter letters[4];
        float height[4];
        xc_attribution_heights(track, length, first + column, height);
        const int count = xc_attribution_stack(height, least, letters);
        for (int i = 0; i < count; i++) {
            /* The top of a letter is at its outer end: what hangs has a negative height, and is upside down. */
            const double top = xc_plot_y(plot, letters[i].to), foot = xc_plot_y(plot, letters[i].from);
            xc_letter_outline(cairo, letters[i].base, plot->left + column * pitch + gap / 2, top, pitch - gap,
                              foot - top);
            xc_set_colour(cairo, theme->base[letters[i].base]);
            cairo_fill(cairo);
        }
    }
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

/* What the probabilities of a position may miss 0 and 1 by. */
#define ROUNDING 0.01

static xc_status check_column(const xc_attribution_track *track, uint32_t length, uint32_t column, xc_error *error) {
    double sum = 0;
    float value[4];
    column_of(track, length, column, value);
    for (int b = 0; b < 4; b++) {
        sum += value[b];
        if (!isfinite(value[b]))
            return xc_fail(error, XC_INPUT, "the height of %c is %g", letter_of[b], (double)value[b]);
        if (track->information && (value[b] < 0 || value[b] > 1 + ROUNDING))
            return xc_fail(error, XC_INPUT, "%g of %c is no probability", (double)value[b], letter_of[b]);
    }
    if (track->information && sum != 0 && fabs(sum - 1) > ROUNDING)
        return xc_fail(error, XC_INPUT, "the probabilities' sum is %g, not 1", sum);
    return XC_OK;
}

xc_status xc_attribution_check(const xc_attribution_track *track, size_t number, uint32_t length,
                               uint32_t first_position, xc_error *error) {
    for (uint32_t column = 0; column < length; column++) {
        const xc_status status = check_column(track, length, column, error);
        if (status == XC_OK) continue;
        return xc_fail_in(error, "track %zu (%.*s), position %llu", number, (int)strcspn(track->label, "\n"),
                          track->label, (unsigned long long)first_position + column);
    }
    return XC_OK;
}

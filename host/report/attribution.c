/* attribution.c: attribution maps of one sequence under each other, position by position: letters as high as what they
 * add, those that take away below the line and upside down; and the sequence's ground truth as a logo. A long sequence
 * is broken into lines. A map has one scale on all lines; maps, whose units differ, have their own.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"

/* All in points. */
#define MARGIN 16.0
#define LABELS 118.0 /* at the left, numbers included */
#define PITCH 7.5
#define TRACK_HEIGHT 38.0
#define TRACK_GAP 9.0
#define POSITIONS_HEIGHT 13.0
#define LINE_GAP 16.0
#define TITLE_SIZE 12.0
#define LABEL_SIZE 8.0
#define SECOND_SIZE 7.0
#define NUMBER_SIZE 6.5
#define SMALLEST_LETTER 0.3
#define USUAL_LINE 100 /* bases */

typedef struct map_track {
    char *label;
    float *values; /* (4,length) */
    bool probabilities;
    double low, high; /* of its scale: low <= 0 <= high, low < high */
} map_track;

typedef struct map_sheet {
    char *title;
    map_track *track; /* (tracks) */
    size_t tracks;
    uint32_t first, length, line; /* position before the first; bases; bases of a line */
} map_sheet;

static double line_height(const map_sheet *sheet) {
    return (double)sheet->tracks * (TRACK_HEIGHT + TRACK_GAP) + POSITIONS_HEIGHT;
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

/* The letters of position l, lowest first; heights are in the track's units, below 0 for those that take away. */
static int stack_of(const map_track *track, uint32_t length, uint32_t l, xc_logo_letter letters[4]) {
    float column[4];
    int count = 0;
    double above = 0, below = 0;
    for (int b = 0; b < 4; b++) column[b] = track->values[(size_t)b * length + l];
    if (track->probabilities) return xc_logo_stack(column, letters);
    for (int b = 0; b < 4; b++) {
        int place = count++;
        const double size = fabs((double)column[b]);
        for (; place > 0 && fabs(letters[place - 1].height) > size; place--) letters[place] = letters[place - 1];
        letters[place] = (xc_logo_letter){.base = b, .height = (double)column[b]};
    }
    for (int i = 0; i < count; i++) {
        double *const end = letters[i].height > 0 ? &above : &below;
        letters[i].bottom = *end;
        *end += letters[i].height;
    }
    return count;
}

static void draw_letters(cairo_t *cairo, const xc_theme *theme, const map_sheet *sheet, const map_track *track,
                         uint32_t l, double x, double y) {
    xc_logo_letter letters[4];
    const double unit = TRACK_HEIGHT / (track->high - track->low), zero = y + unit * track->high;
    const int count = stack_of(track, sheet->length, l, letters);
    for (int i = 0; i < count; i++) {
        const double from = zero - unit * letters[i].bottom, height = unit * letters[i].height;
        if (fabs(height) < SMALLEST_LETTER) continue;
        /* A height below 0 turns the letter over. */
        xc_letter_outline(cairo, letters[i].base, x + 0.02 * PITCH, from - height, 0.96 * PITCH, height);
        xc_set_colour(cairo, theme->base[letters[i].base]);
        cairo_fill(cairo);
    }
}

/* ---- a line ------------------------------------------------------------------------------------------------------ */

static void draw_scale(cairo_t *cairo, const xc_theme *theme, const map_track *track, double y, double right) {
    char number[32];
    const double unit = TRACK_HEIGHT / (track->high - track->low), zero = y + unit * track->high, left = LABELS;
    xc_set_colour(cairo, theme->grid);
    cairo_set_line_width(cairo, 0.5);
    xc_draw_rule(cairo, left, zero, right, zero);
    snprintf(number, sizeof number, track->probabilities ? "%.0f bits" : "%.2g", track->high);
    xc_text(cairo, theme->muted, NUMBER_SIZE, false, left - 4, y + 0.7 * NUMBER_SIZE, XC_ALIGN_RIGHT, number);
    if (-unit * track->low < NUMBER_SIZE) return;
    snprintf(number, sizeof number, "%.2g", track->low);
    xc_text(cairo, theme->muted, NUMBER_SIZE, false, left - 4, y + TRACK_HEIGHT, XC_ALIGN_RIGHT, number);
}

/* Every tenth position, counted from 1 in the whole sequence. */
static void draw_positions(cairo_t *cairo, const xc_theme *theme, const map_sheet *sheet, uint32_t begin, uint32_t end,
                           double y) {
    char number[16];
    for (uint32_t l = begin; l < end; l++) {
        const uint32_t position = sheet->first + l + 1;
        if (position % 10 != 0 && end - begin >= 10) continue;
        const double x = LABELS + ((double)(l - begin) + 0.5) * PITCH;
        snprintf(number, sizeof number, "%u", position);
        xc_text(cairo, theme->muted, NUMBER_SIZE, false, x, y + NUMBER_SIZE, XC_ALIGN_CENTRE, number);
    }
}

/* What stands before the first comma, and the rest below it. */
static void draw_label(cairo_t *cairo, const xc_theme *theme, const map_track *track, double middle) {
    char first[96];
    const double room = LABELS - MARGIN - 30;
    const char *comma = strchr(track->label, ',');
    snprintf(first, sizeof first, "%.*s", comma ? (int)(comma - track->label) : 90, track->label);
    const double y = comma ? middle - 1 : middle + 0.35 * LABEL_SIZE;
    xc_text_fit(cairo, theme->ink, LABEL_SIZE, false, MARGIN, y, room, first);
    if (!comma) return;
    while (*++comma == ' ') continue;
    xc_text_fit(cairo, theme->muted, SECOND_SIZE, false, MARGIN, y + LABEL_SIZE + 1.5, room, comma);
}

static void draw_line(cairo_t *cairo, const xc_theme *theme, const map_sheet *sheet, uint32_t begin, double y) {
    const uint32_t end = sheet->length - begin < sheet->line ? sheet->length : begin + sheet->line;
    for (size_t i = 0; i < sheet->tracks; i++, y += TRACK_HEIGHT + TRACK_GAP) {
        const map_track *track = &sheet->track[i];
        draw_label(cairo, theme, track, y + TRACK_HEIGHT / 2);
        draw_scale(cairo, theme, track, y, LABELS + (end - begin) * PITCH);
        for (uint32_t l = begin; l < end; l++)
            draw_letters(cairo, theme, sheet, track, l, LABELS + (l - begin) * PITCH, y);
    }
    draw_positions(cairo, theme, sheet, begin, end, y);
}

static void draw_sheet(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const map_sheet *sheet = picture->content;
    double y = MARGIN + TITLE_SIZE + 14;
    xc_text_fit(cairo, theme->ink, TITLE_SIZE, true, MARGIN, MARGIN + 0.8 * TITLE_SIZE, picture->width - 2 * MARGIN,
                sheet->title);
    for (uint32_t begin = 0; begin < sheet->length; begin += sheet->line, y += line_height(sheet) + LINE_GAP)
        draw_line(cairo, theme, sheet, begin, y);
}

/* ---- the picture ------------------------------------------------------------------------------------------------- */

static void release_sheet(void *content) {
    map_sheet *sheet = content;
    for (size_t i = 0; sheet->track && i < sheet->tracks; i++) {
        free(sheet->track[i].label);
        free(sheet->track[i].values);
    }
    free(sheet->track);
    free(sheet->title);
    free(sheet);
}

/* The least and the largest that a position's letters reach. */
static void set_scale(map_track *track, uint32_t length) {
    track->low = 0;
    track->high = track->probabilities ? 2 : 0;
    for (uint32_t l = 0; l < length && !track->probabilities; l++) {
        double above = 0, below = 0;
        for (size_t b = 0; b < 4; b++) {
            const double value = (double)track->values[b * length + l];
            *(value > 0 ? &above : &below) += value;
        }
        track->low = fmin(track->low, below);
        track->high = fmax(track->high, above);
    }
    if (track->high - track->low <= 0) track->high = 1; /* nothing but zeros */
}

static xc_status copy_track(const xc_attribution_track *from, uint32_t first, uint32_t length, map_track *track,
                            xc_error *error) {
    for (size_t e = 0; e < 4 * (size_t)length; e++)
        if (!isfinite(from->values[e]))
            return xc_fail(error, XC_INPUT, "the map \"%s\" is not finite at position %zu (%g); it cannot be drawn",
                           from->label, first + e % length + 1, (double)from->values[e]);
    track->probabilities = from->probabilities;
    track->label = strdup(from->label);
    const xc_status status = xc_allocate(&track->values, 4 * (size_t)length, sizeof(float), "a map", error);
    if (status != XC_OK || !track->label) return xc_fail(error, XC_MEMORY, "no memory for a sheet of maps");
    memcpy(track->values, from->values, 4 * (size_t)length * sizeof(float));
    set_scale(track, length);
    return XC_OK;
}

xc_status xc_attribution_picture(const char *title, uint32_t first, uint32_t length, const xc_attribution_track *track,
                                 size_t tracks, uint32_t bases_per_line, xc_picture *picture, xc_error *error) {
    xc_status status;
    map_sheet *sheet = NULL;
    *picture = (xc_picture){0};
    XC_TRY(xc_allocate(&sheet, 1, sizeof *sheet, "a sheet of maps", error));
    picture->content = sheet;
    picture->release = release_sheet;
    picture->draw = draw_sheet;
    sheet->first = first;
    sheet->length = length;
    sheet->line = bases_per_line > 0 ? bases_per_line : USUAL_LINE;
    if (sheet->line > length) sheet->line = length;
    sheet->title = strdup(title);
    if (!sheet->title) return xc_fail(error, XC_MEMORY, "no memory for a sheet of maps");
    XC_TRY(xc_allocate(&sheet->track, tracks, sizeof *sheet->track, "a sheet of maps", error));
    for (sheet->tracks = 0; sheet->tracks < tracks; sheet->tracks++)
        XC_TRY(copy_track(&track[sheet->tracks], first, length, &sheet->track[sheet->tracks], error));
    const double lines = (length + sheet->line - 1) / sheet->line;
    picture->width = LABELS + sheet->line * PITCH + MARGIN;
    picture->height = 2 * MARGIN + TITLE_SIZE + 14 + lines * (line_height(sheet) + LINE_GAP) - LINE_GAP;
fail:
    if (status != XC_OK && sheet && sheet->track && sheet->tracks < tracks) sheet->tracks++; /* half made */
    return status;
}

xc_status xc_figure_attribution(const char *stem, const char *title, uint32_t first, uint32_t length,
                                const xc_attribution_track *track, size_t tracks, uint32_t bases_per_line,
                                xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture;
    XC_TRY(xc_attribution_picture(title, first, length, track, tracks, bases_per_line, &picture, error));
    XC_TRY(xc_picture_write(&picture, stem, error));
fail:
    xc_picture_free(&picture);
    return status;
}

/* attribution_sheet.c: tracks of letters one under another, on the positions of one sequence: what several networks or
 * methods say of it, and the ground truth. A long sequence is broken into lines, each with all tracks of its window. A
 * track has the same scale on every line.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribution_figure.h"

/* All in points. */
#define MARGIN 18.0
#define TITLE_SIZE 13.0
#define SUBTITLE_SIZE 8.5
#define RIGHT 24.0 /* half a position number stands there */
#define LABEL_WIDEST 130.0
#define LABEL_GAP 12.0 /* between labels and numbers of the scale */
#define TICK_GAP 5.0
#define TRACK_HEIGHT 50.0
#define INFORMATION_HEIGHT 34.0
#define TRACK_GAP 11.0
#define NUMBERS_HEIGHT 13.0 /* positions, under a line */
#define LINE_GAP 22.0
#define FOOTER_HEIGHT 20.0
#define LINE_WIDTH 800.0 /* of letters, unless they become too wide or too narrow */
#define NARROWEST_PITCH 5.0
#define WIDEST_PITCH 14.0
#define NUMBERS_APART 45.0 /* from middle to middle, at least */
#define NARROWEST 460.0    /* the whole sheet, so that title and footer have room */
#define LARGEST 16000.0    /* PNG of two pixels a point has no more */

/* In bases. */
#define MOST_ON_ONE_LINE 120
#define BASES_PER_LINE 100

typedef struct sheet_row {
    xc_attribution_track track; /* whose label and values are these */
    char *label;
    const char *second; /* second line of the label, or "bits"; may be empty */
    float *values;      /* (4,length) */
    xc_ticks ticks;
    double top, height; /* below the line's top */
} sheet_row;

typedef struct attribution_sheet {
    char *title;
    const char *subtitle; /* second line, inside title's memory; may be empty */
    sheet_row *row;       /* (count) */
    size_t count;
    const xc_attribution_track *truth; /* the first of information; NULL: none */
    uint32_t first_position, length, per_line, lines;
    double pitch, left, top, line_height;
} attribution_sheet;

/* ---- layout ----------------------------------------------------------------------------------------------------- */

static void break_lines(attribution_sheet *sheet, uint32_t bases_per_line) {
    const uint32_t chosen = sheet->length <= MOST_ON_ONE_LINE ? sheet->length : BASES_PER_LINE;
    sheet->per_line = bases_per_line == 0 ? chosen : bases_per_line < sheet->length ? bases_per_line : sheet->length;
    sheet->lines = (sheet->length - 1) / sheet->per_line + 1;
    sheet->pitch = fmin(WIDEST_PITCH, fmax(NARROWEST_PITCH, LINE_WIDTH / sheet->per_line));
}

static void lay_out_rows(attribution_sheet *sheet) {
    double label = 0, ticks = 0, down = 0;
    for (size_t i = 0; i < sheet->count; i++) {
        sheet_row *here = &sheet->row[i];
        here->ticks = xc_attribution_ticks(&here->track, sheet->length);
        here->height = here->track.information ? INFORMATION_HEIGHT : TRACK_HEIGHT;
        here->top = down;
        down += here->height + (i + 1 < sheet->count ? TRACK_GAP : 0);
        label = fmax(label, xc_label_width(XC_TEXT_SIZE, false, here->label));
        label = fmax(label, xc_label_width(XC_TICK_SIZE, false, here->second));
        ticks = fmax(ticks, xc_ticks_width(&here->ticks));
    }
    sheet->left = MARGIN + fmin(label, LABEL_WIDEST) + LABEL_GAP + ticks + TICK_GAP;
    sheet->line_height = down + NUMBERS_HEIGHT;
}

static xc_status lay_out(attribution_sheet *sheet, uint32_t bases_per_line, xc_picture *picture, xc_error *error) {
    break_lines(sheet, bases_per_line);
    lay_out_rows(sheet);
    sheet->top = MARGIN + TITLE_SIZE + (*sheet->subtitle ? 15 : 0) + 16;
    picture->width = fmax(NARROWEST, sheet->left + sheet->per_line * sheet->pitch + RIGHT);
    picture->height = sheet->top + sheet->lines * (sheet->line_height + LINE_GAP) - LINE_GAP + FOOTER_HEIGHT + MARGIN;
    if (picture->width <= LARGEST && picture->height <= LARGEST) return XC_OK;
    return xc_fail(error, XC_INPUT,
                   "%zu tracks of %u positions, %u a line, are %.0f x %.0f points, and a picture has %.0f at most: "
                   "show fewer positions",
                   sheet->count, sheet->length, sheet->per_line, picture->width, picture->height, LARGEST);
}

/* ---- drawing: what is behind the letters ------------------------------------------------------------------------ */

/* Light columns through all tracks where the ground truth says something. */
static void draw_shade(cairo_t *cairo, const attribution_sheet *sheet, uint32_t first, uint32_t columns, double top,
                       double height, xc_colour shade) {
    xc_set_colour(cairo, shade);
    for (uint32_t i = 0, end; i < columns; i = end + 1) {
        for (end = i; end < columns && xc_attribution_informative(sheet->truth, sheet->length, first + end);) end++;
        if (end == i) continue;
        cairo_rectangle(cairo, sheet->left + i * sheet->pitch, top, (end - i) * sheet->pitch, height);
        cairo_fill(cairo);
    }
}

static xc_colour shade_of(const xc_theme *theme) { return xc_mix(theme->series[0], theme->paper, 0.1); }

static double write_number(cairo_t *cairo, uint64_t position, char number[32]) {
    snprintf(number, 32, "%llu", (unsigned long long)position);
    return xc_text_width(cairo, XC_TICK_SIZE, false, number);
}

/* Numbers at the multiples of 5, 10, 50, ... that leave them room, marks alone at the finer ones before, and a line's
 * first position where there is room for it. */
static void draw_positions(cairo_t *cairo, const xc_theme *theme, const attribution_sheet *sheet, uint32_t first,
                           uint32_t columns, double top) {
    const uint64_t from = (uint64_t)sheet->first_position + first, end = from + columns;
    uint64_t step = 5, mark = 1;
    char number[32];
    const double apart = fmax(NUMBERS_APART, write_number(cairo, end, number) + 12);
    for (uint32_t factor = 2; (double)step * sheet->pitch < apart; factor = 7 - factor) mark = step, step *= factor;
    for (uint64_t position = from; position < end; position = (position / mark + 1) * mark) {
        const double x = sheet->left + ((double)(position - from) + 0.5) * sheet->pitch;
        const bool round = position % step == 0, roomy = (double)(step - position % step) * sheet->pitch > 0.6 * apart;
        const bool numbered = round || (position == from && roomy);
        xc_set_colour(cairo, theme->muted);
        cairo_set_line_width(cairo, XC_LINE);
        if (numbered || position % mark == 0) xc_draw_rule(cairo, x, top, x, top + (numbered ? 3 : 1.5));
        if (!numbered) continue;
        write_number(cairo, position, number);
        xc_text(cairo, theme->muted, XC_TICK_SIZE, false, x, top + XC_TICK_SIZE + 5, XC_ALIGN_CENTRE, number);
    }
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

static void draw_label(cairo_t *cairo, const xc_theme *theme, const sheet_row *row, double middle) {
    const double baseline = middle + 0.36 * XC_TEXT_SIZE - (*row->second ? 5 : 0);
    xc_text_fit(cairo, theme->ink, XC_TEXT_SIZE, false, MARGIN, baseline, LABEL_WIDEST, row->label);
    xc_text_fit(cairo, theme->muted, XC_TICK_SIZE, false, MARGIN, baseline + 10.5, LABEL_WIDEST, row->second);
}

static void draw_line(cairo_t *cairo, const xc_theme *theme, const attribution_sheet *sheet, uint32_t line,
                      double top) {
    const uint32_t first = line * sheet->per_line, rest = sheet->length - first;
    const uint32_t columns = rest < sheet->per_line ? rest : sheet->per_line;
    const double bottom = top + sheet->line_height - NUMBERS_HEIGHT;
    if (sheet->truth) draw_shade(cairo, sheet, first, columns, top, bottom - top, shade_of(theme));
    for (size_t i = 0; i < sheet->count; i++) {
        const sheet_row *row = &sheet->row[i];
        const xc_plot plot = {sheet->left, top + row->top, columns * sheet->pitch,
                              row->height, {.count = 0},   row->ticks};
        xc_draw_plot(cairo, theme, &plot);
        xc_draw_attribution(cairo, theme, &row->track, sheet->length, first, columns, &plot);
        draw_label(cairo, theme, row, plot.top + plot.height / 2);
    }
    draw_positions(cairo, theme, sheet, first, columns, bottom + 1);
}

static void draw_footer(cairo_t *cairo, const xc_theme *theme, const attribution_sheet *sheet, double width, double y) {
    double x = MARGIN;
    if (sheet->truth) {
        xc_set_colour(cairo, shade_of(theme));
        cairo_rectangle(cairo, x, y - 6.5, 9, 8);
        cairo_fill(cairo);
        x += 13 +
             xc_text(cairo, theme->muted, XC_TICK_SIZE, false, x + 13, y, XC_ALIGN_LEFT,
                     "where the ground truth has information") +
             14;
    }
    xc_text_fit(cairo, theme->muted, XC_TICK_SIZE, false, x, y, width - MARGIN - x,
                "each track has its own scale; letters upside down are below zero");
}

static void draw_sheet(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const attribution_sheet *sheet = picture->content;
    const double room = picture->width - 2 * MARGIN, title = MARGIN + TITLE_SIZE - 3;
    xc_text_fit(cairo, theme->ink, TITLE_SIZE, true, MARGIN, title, room, sheet->title);
    xc_text_fit(cairo, theme->muted, SUBTITLE_SIZE, false, MARGIN, title + 15, room, sheet->subtitle);
    for (uint32_t line = 0; line < sheet->lines; line++)
        draw_line(cairo, theme, sheet, line, sheet->top + line * (sheet->line_height + LINE_GAP));
    draw_footer(cairo, theme, sheet, picture->width, picture->height - MARGIN);
}

/* ---- the picture ------------------------------------------------------------------------------------------------ */

static void release_sheet(void *content) {
    attribution_sheet *sheet = content;
    for (size_t i = 0; i < sheet->count; i++) {
        free(sheet->row[i].label);
        free(sheet->row[i].values);
    }
    free(sheet->row);
    free(sheet->title);
    free(sheet);
}

/* A copy of one or two lines of text; *second is the other line, inside the first one's memory, or empty. */
static xc_status copy_lines(const char *text, char **first, const char **second, xc_error *error) {
    *first = strdup(text);
    if (!*first) return xc_fail(error, XC_MEMORY, "out of memory for the words of a figure");
    char *end = *first + strcspn(*first, "\n");
    *second = *end ? end + 1 : end;
    *end = 0;
    return XC_OK;
}

static xc_status copy_track(sheet_row *row, const xc_attribution_track *track, uint32_t length, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(copy_lines(track->label, &row->label, &row->second, error));
    if (track->information && !*row->second) row->second = "bits";
    XC_TRY(xc_allocate(&row->values, length, 4 * sizeof(float), "a track of letters", error));
    memcpy(row->values, track->values, (size_t)length * 4 * sizeof(float));
    row->track = (xc_attribution_track){row->label, row->values, track->information};
fail:
    return status;
}

static xc_status check(uint32_t first_position, uint32_t length, const xc_attribution_track *track, size_t tracks,
                       xc_error *error) {
    xc_status status = XC_OK;
    if (length == 0 || tracks == 0) return xc_fail(error, XC_INPUT, "nothing to draw: no positions, or no tracks");
    for (size_t i = 0; i < tracks; i++) XC_TRY(xc_attribution_check(&track[i], i + 1, length, first_position, error));
fail:
    return status;
}

xc_status xc_attribution_picture(const char *title, uint32_t first_position, uint32_t length,
                                 const xc_attribution_track *track, size_t tracks, uint32_t bases_per_line,
                                 xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    attribution_sheet *sheet = NULL;
    *picture = (xc_picture){0};
    XC_TRY(check(first_position, length, track, tracks, error));
    XC_TRY(xc_allocate(&sheet, 1, sizeof *sheet, "a sheet of attributions", error));
    *picture = (xc_picture){.content = sheet, .release = release_sheet, .draw = draw_sheet};
    sheet->first_position = first_position;
    sheet->length = length;
    XC_TRY(copy_lines(title, &sheet->title, &sheet->subtitle, error));
    XC_TRY(xc_allocate(&sheet->row, tracks, sizeof *sheet->row, "a sheet of attributions", error));
    sheet->count = tracks; /* those not copied yet own nothing */
    for (size_t i = 0; i < tracks; i++) XC_TRY(copy_track(&sheet->row[i], &track[i], length, error));
    for (size_t i = tracks; i-- > 0;)
        if (sheet->row[i].track.information) sheet->truth = &sheet->row[i].track;
    XC_TRY(lay_out(sheet, bases_per_line, picture, error));
fail:
    return status;
}

xc_status xc_figure_attribution(const char *stem, const char *title, uint32_t first_position, uint32_t length,
                                const xc_attribution_track *track, size_t tracks, uint32_t bases_per_line,
                                xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture;
    XC_TRY(xc_attribution_picture(title, first_position, length, track, tracks, bases_per_line, &picture, error));
    XC_TRY(xc_picture_write(&picture, stem, error));
fail:
    xc_picture_free(&picture);
    return status;
}

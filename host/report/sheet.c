/* sheet.c: all filters of a trial on one sheet: a logo each, and under it the best match. All logos share one scale, so
 * that letters are as wide and bits as high everywhere. The sheet grows with the filters; its cells stay as they are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"

/* All in points. */
#define MARGIN 18.0
#define COLUMN_GAP 18.0
#define ROW_GAP 13.0
#define LABEL_HEIGHT 10.0 /* over the logo */
#define LOGO_HEIGHT 36.0  /* 2 bits */
#define MATCH_HEIGHT 13.0 /* under the logo */
#define PITCH 7.0
#define FEWEST_POSITIONS 18 /* a cell is at least as wide */
#define CELL_HEIGHT (LABEL_HEIGHT + LOGO_HEIGHT + MATCH_HEIGHT)
#define TITLE_SIZE 13.0
#define SUBTITLE_SIZE 8.5
#define LABEL_SIZE 6.5
#define MATCH_SIZE 8.0
#define FOOTER_HEIGHT 16.0
#define NARROWEST 420.0 /* the whole sheet, so that the title has room */

typedef struct filter_sheet {
    char *title;            /* first line */
    char *subtitle;         /* second line, inside title's memory; NULL: none */
    xc_motif *motif;        /* (count) */
    float *ppm;             /* of all motifs, one after another */
    xc_filter_match *match; /* (count); NULL: not compared */
    size_t count, columns;
    double cell_width, top; /* top: where the first row begins */
    bool ground_truth;      /* any */
} filter_sheet;

/* ---- layout ----------------------------------------------------------------------------------------------------- */

/* As many columns as make the sheet stand like a page, with few empty places in the last row; three where there are as
 * many filters. */
static size_t choose_columns(size_t count, double cell_width) {
    size_t best = count > 3 ? 3 : count > 0 ? count : 1;
    double least = INFINITY;
    for (size_t columns = best; columns <= count && columns <= 64; columns++) {
        const size_t rows = (count + columns - 1) / columns, empty = rows * columns - count;
        const double tall = (double)rows * (CELL_HEIGHT + ROW_GAP) / ((double)columns * (cell_width + COLUMN_GAP));
        const double fault = fabs(log(tall / 1.15)) + 0.4 * (double)empty / (double)columns;
        if (fault >= least) continue;
        least = fault;
        best = columns;
    }
    return best;
}

static void lay_out(filter_sheet *sheet, xc_picture *picture) {
    uint32_t widest = FEWEST_POSITIONS;
    for (size_t i = 0; i < sheet->count; i++)
        if (sheet->motif[i].width > widest) widest = sheet->motif[i].width;
    sheet->cell_width = PITCH * widest;
    sheet->columns = choose_columns(sheet->count, sheet->cell_width);
    sheet->top = MARGIN + TITLE_SIZE + (sheet->subtitle ? 15 : 0) + 17;
    const size_t rows = (sheet->count + sheet->columns - 1) / sheet->columns, wide = sheet->columns;
    picture->width = fmax(NARROWEST, 2 * MARGIN + (double)wide * (sheet->cell_width + COLUMN_GAP) - COLUMN_GAP);
    picture->height = sheet->top + (double)rows * (CELL_HEIGHT + ROW_GAP) + FOOTER_HEIGHT + MARGIN - ROW_GAP;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

/* "21,348 sites". */
static void write_sites(double sites, char text[48]) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.0f", fmin(fmax(sites, 0), 1e15));
    const size_t length = strlen(digits);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    snprintf(text + used, 48 - used, "%s", strcmp(digits, "1") == 0 ? " site" : " sites");
}

/* "filter 7" for filter7, and any other identifier as it is. */
static void write_name(const char *id, char text[80]) {
    const size_t word = strlen("filter");
    const bool plain = strncmp(id, "filter", word) == 0 && id[word] >= '0' && id[word] <= '9';
    snprintf(text, 80, plain ? "filter %s" : "%s", plain ? id + word : id);
}

static void draw_label(cairo_t *cairo, const xc_theme *theme, const xc_motif *motif, double x, double y, double width) {
    char name[80], sites[48] = "";
    write_name(motif->id, name);
    if (motif->sites > 0) write_sites(motif->sites, sites);
    const double used = xc_text(cairo, theme->muted, LABEL_SIZE, false, x + width, y, XC_ALIGN_RIGHT, sites);
    xc_text_fit(cairo, theme->muted, LABEL_SIZE, false, x, y, width - used - 6, name);
}

static void draw_line(cairo_t *cairo, xc_colour colour, double x, double y, double width) {
    xc_set_colour(cairo, colour);
    cairo_set_line_width(cairo, 0.5);
    xc_draw_rule(cairo, x, y, x + width, y);
}

/* What says: a motif that was planted. Returns its width. */
static double draw_mark(cairo_t *cairo, const xc_theme *theme, double x, double y) {
    xc_set_colour(cairo, theme->series[0]);
    cairo_arc(cairo, x + 2.3, y - 2.9, 2.3, 0, 2 * M_PI);
    cairo_fill(cairo);
    return 8;
}

static void draw_match(cairo_t *cairo, const xc_theme *theme, const xc_filter_match *match, double x, double y,
                       double width) {
    char q[32];
    if (!match->target[0]) {
        xc_text(cairo, theme->muted, MATCH_SIZE - 1, false, x, y, XC_ALIGN_LEFT, "no match");
        return;
    }
    snprintf(q, sizeof q, match->q > 0 && match->q < 0.001 ? "q %.0e" : "q %.1g", match->q);
    const double mark = match->ground_truth ? draw_mark(cairo, theme, x, y) : 0;
    const double used = xc_text(cairo, theme->muted, MATCH_SIZE - 1, false, x + width, y, XC_ALIGN_RIGHT, q);
    xc_text_fit(cairo, theme->ink, MATCH_SIZE, match->ground_truth, x + mark, y, width - used - mark - 6,
                match->target);
}

static void draw_cell(cairo_t *cairo, const xc_theme *theme, const filter_sheet *sheet, size_t i, double x, double y) {
    const xc_motif *motif = &sheet->motif[i];
    const double width = sheet->cell_width, top = y + LABEL_HEIGHT, floor = top + LOGO_HEIGHT;
    draw_label(cairo, theme, motif, x, y + LABEL_SIZE, width);
    draw_line(cairo, theme->grid, x, top, width);
    xc_draw_logo(cairo, theme, motif, x, top, PITCH * motif->width, LOGO_HEIGHT);
    draw_line(cairo, theme->grid, x, floor, width);
    draw_line(cairo, theme->muted, x, floor, PITCH * motif->width);
    if (sheet->match) draw_match(cairo, theme, &sheet->match[i], x, floor + MATCH_HEIGHT - 3, width);
}

static void draw_footer(cairo_t *cairo, const xc_theme *theme, const filter_sheet *sheet, double width, double y) {
    double x = MARGIN;
    if (sheet->ground_truth) {
        x += draw_mark(cairo, theme, x, y);
        x += xc_text(cairo, theme->muted, LABEL_SIZE, false, x, y, XC_ALIGN_LEFT, "matches a ground truth motif") + 12;
    }
    xc_text_fit(cairo, theme->muted, LABEL_SIZE, false, x, y, width - MARGIN - x,
                "letter height: information, each logo 0 to 2 bits");
}

static void draw_sheet(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const filter_sheet *sheet = picture->content;
    const double room = picture->width - 2 * MARGIN, title = MARGIN + TITLE_SIZE - 3;
    xc_text_fit(cairo, theme->ink, TITLE_SIZE, true, MARGIN, title, room, sheet->title);
    if (sheet->subtitle)
        xc_text_fit(cairo, theme->muted, SUBTITLE_SIZE, false, MARGIN, title + 15, room, sheet->subtitle);
    for (size_t i = 0; i < sheet->count; i++)
        draw_cell(cairo, theme, sheet, i, MARGIN + (double)(i % sheet->columns) * (sheet->cell_width + COLUMN_GAP),
                  sheet->top + (double)(i / sheet->columns) * (CELL_HEIGHT + ROW_GAP));
    draw_footer(cairo, theme, sheet, picture->width, picture->height - MARGIN);
}

/* ---- the picture ------------------------------------------------------------------------------------------------ */

static void release_sheet(void *content) {
    filter_sheet *sheet = content;
    free(sheet->title);
    free(sheet->motif);
    free(sheet->ppm);
    free(sheet->match);
    free(sheet);
}

static xc_status copy_title(filter_sheet *sheet, const char *title, xc_error *error) {
    sheet->title = strdup(title);
    if (!sheet->title) return xc_fail(error, XC_MEMORY, "out of memory for the title of a sheet of filters");
    sheet->subtitle = strchr(sheet->title, '\n');
    if (sheet->subtitle) *sheet->subtitle++ = 0;
    return XC_OK;
}

static xc_status copy_filters(filter_sheet *sheet, const xc_motif_list *filters, xc_error *error) {
    xc_status status = XC_OK;
    size_t positions = 0, used = 0;
    for (size_t i = 0; i < filters->count; i++) positions += filters->motif[i].width;
    XC_TRY(xc_allocate(&sheet->motif, filters->count, sizeof *sheet->motif, "a sheet of filters", error));
    XC_TRY(xc_allocate(&sheet->ppm, positions, 4 * sizeof(float), "a sheet of filters", error));
    for (size_t i = 0; i < filters->count; i++) {
        const size_t width = filters->motif[i].width;
        sheet->motif[i] = filters->motif[i];
        sheet->motif[i].written = NULL;
        sheet->motif[i].ppm = memcpy(sheet->ppm + 4 * used, filters->motif[i].ppm, 4 * width * sizeof(float));
        used += width;
    }
    sheet->count = filters->count;
fail:
    return status;
}

xc_status xc_sheet_picture(const char *title, const xc_motif_list *filters, const xc_filter_match *match,
                           xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    filter_sheet *sheet = NULL;
    *picture = (xc_picture){0};
    XC_TRY(xc_allocate(&sheet, 1, sizeof *sheet, "a sheet of filters", error));
    *picture = (xc_picture){.content = sheet, .release = release_sheet, .draw = draw_sheet};
    XC_TRY(copy_title(sheet, title, error));
    XC_TRY(copy_filters(sheet, filters, error));
    if (match) XC_TRY(xc_allocate(&sheet->match, filters->count, sizeof *match, "a sheet of filters", error));
    for (size_t i = 0; match && i < sheet->count; i++) {
        sheet->match[i] = match[i];
        sheet->ground_truth |= match[i].ground_truth;
    }
    lay_out(sheet, picture);
fail:
    return status;
}

xc_status xc_figure_sheet(const char *stem, const char *title, const xc_motif_list *filters,
                          const xc_filter_match *match, xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture;
    XC_TRY(xc_sheet_picture(title, filters, match, &picture, error));
    XC_TRY(xc_picture_write(&picture, stem, error));
fail:
    xc_picture_free(&picture);
    return status;
}

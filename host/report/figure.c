/* figure.c: a picture becomes SVG, PDF and PNG through cairo, and text stands in it. The same picture gives the same
 * bytes: no time of day goes into a PDF, and an SVG is cleaned by svg.c. What a picture shows is the business of the
 * files that draw it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cairo-pdf.h>
#include <cairo-svg.h>

#include "svg.h"

/* PNG pixels a point. */
#define PIXELS 2

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

static cairo_status_t append(void *context, const unsigned char *data, unsigned int length) {
    return xc_bytes_append(context, data, length) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

static xc_status cairo_failure(cairo_status_t reason, const char *what, xc_error *error) {
    if (reason == CAIRO_STATUS_SUCCESS) return XC_OK;
    if (reason == CAIRO_STATUS_NO_MEMORY) return xc_fail(error, XC_MEMORY, "out of memory for the figure's %s", what);
    return xc_fail(error, XC_IO, "cannot draw the figure as %s: %s", what, cairo_status_to_string(reason));
}

void xc_set_exact_text(cairo_t *cairo) {
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(cairo, options);
    cairo_font_options_destroy(options);
}

static cairo_status_t draw_on(cairo_surface_t *surface, const xc_picture *picture, const xc_theme *theme, double scale,
                              bool on_paper) {
    cairo_t *cairo = cairo_create(surface);
    xc_set_exact_text(cairo);
    cairo_scale(cairo, scale, scale);
    if (on_paper) {
        xc_set_colour(cairo, theme->paper);
        cairo_paint(cairo);
    }
    picture->draw(picture, cairo, theme);
    cairo_show_page(cairo);
    const cairo_status_t reason = cairo_status(cairo);
    cairo_destroy(cairo);
    return reason;
}

/* Ends a surface that writes into a stream; `reason` is what drawing on it came to. */
static xc_status finish(cairo_surface_t *surface, cairo_status_t reason, const char *what, xc_error *error) {
    cairo_surface_finish(surface);
    if (reason == CAIRO_STATUS_SUCCESS) reason = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    return cairo_failure(reason, what, error);
}

static xc_status render_pdf(const xc_picture *picture, const xc_theme *theme, xc_bytes *pdf, xc_error *error) {
    cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(append, pdf, picture->width, picture->height);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z");
    return finish(surface, draw_on(surface, picture, theme, 1, false), "PDF", error);
}

static xc_status render_png(const xc_picture *picture, const xc_theme *theme, xc_bytes *png, xc_error *error) {
    const int width = (int)(PIXELS * picture->width + 0.5), height = (int)(PIXELS * picture->height + 0.5);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_status_t reason = draw_on(surface, picture, theme, PIXELS, true);
    if (reason == CAIRO_STATUS_SUCCESS) reason = cairo_surface_write_to_png_stream(surface, append, png);
    return finish(surface, reason, "PNG", error);
}

static xc_status render_svg(const xc_picture *picture, const xc_theme *theme, xc_bytes *svg, xc_error *error) {
    xc_bytes raw = {0};
    cairo_surface_t *surface = cairo_svg_surface_create_for_stream(append, &raw, picture->width, picture->height);
    xc_status status = finish(surface, draw_on(surface, picture, theme, 1, false), "SVG", error);
    if (status == XC_OK && !xc_svg_clean(&raw, svg)) status = cairo_failure(CAIRO_STATUS_NO_MEMORY, "SVG", error);
    free(raw.data);
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static xc_status write_file(const char *stem, const char *ending, const xc_bytes *content, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    char *path;
    if (asprintf(&path, "%s%s", stem, ending) < 0) return xc_fail(error, XC_MEMORY, "out of memory for %s", stem);
    XC_TRY(xc_file_create(&file, path, true, error));
    if (fwrite(content->data, 1, content->count, file.stream) != content->count) {
        status = xc_fail(error, XC_IO, "%s: cannot write: %s; the file is as it was before", path, strerror(errno));
        goto fail;
    }
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    free(path);
    return status;
}

xc_status xc_picture_write(const xc_picture *picture, const char *stem, xc_error *error) {
    xc_status status = XC_OK;
    xc_bytes svg = {0}, pdf = {0}, png = {0};
    if (xc_svg_start(&svg))
        status = render_svg(picture, &xc_theme_light, &svg, error);
    else
        status = cairo_failure(CAIRO_STATUS_NO_MEMORY, "SVG", error);
    if (status == XC_OK) status = render_pdf(picture, &xc_theme_light, &pdf, error);
    if (status == XC_OK) status = render_png(picture, &xc_theme_light, &png, error);
    if (status != XC_OK) {
        xc_fail_in(error, "%s", stem);
        goto fail;
    }
    XC_TRY(write_file(stem, ".svg", &svg, error));
    XC_TRY(write_file(stem, ".pdf", &pdf, error));
    XC_TRY(write_file(stem, ".png", &png, error));
fail:
    free(svg.data);
    free(pdf.data);
    free(png.data);
    return status;
}

xc_status xc_picture_svg(const xc_picture *picture, const xc_theme *theme, char **svg, xc_error *error) {
    xc_bytes content = {0};
    const xc_status status = render_svg(picture, theme, &content, error);
    if (status != XC_OK) {
        free(content.data);
        content.data = NULL;
    }
    *svg = content.data;
    return status;
}

void xc_picture_free(xc_picture *picture) {
    if (picture->release) picture->release(picture->content);
    *picture = (xc_picture){0};
}

/* ---- colours, lines, text --------------------------------------------------------------------------------------- */

void xc_set_colour(cairo_t *cairo, xc_colour colour) {
    cairo_set_source_rgb(cairo, colour.red, colour.green, colour.blue);
}

void xc_draw_rule(cairo_t *cairo, double x1, double y1, double x2, double y2) {
    cairo_move_to(cairo, x1, y1);
    cairo_line_to(cairo, x2, y2);
    cairo_stroke(cairo);
}

#define TEXT_LENGTH 512

/* A name from a file may be anything, and cairo draws nothing more after text that is no UTF-8. */
static void make_drawable(cairo_t *cairo, const char *text, char drawable[TEXT_LENGTH]) {
    cairo_glyph_t *glyphs = NULL;
    int count = 0;
    snprintf(drawable, TEXT_LENGTH, "%s", text);
    const cairo_status_t reason = cairo_scaled_font_text_to_glyphs(cairo_get_scaled_font(cairo), 0, 0, drawable, -1,
                                                                   &glyphs, &count, NULL, NULL, NULL);
    cairo_glyph_free(glyphs);
    if (reason == CAIRO_STATUS_SUCCESS) return;
    for (char *c = drawable; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
}

static double prepare(cairo_t *cairo, double size, bool bold, const char *text, char drawable[TEXT_LENGTH]) {
    cairo_text_extents_t extents;
    cairo_select_font_face(cairo, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, size);
    make_drawable(cairo, text, drawable);
    cairo_text_extents(cairo, drawable, &extents);
    return extents.x_advance;
}

double xc_text_width(cairo_t *cairo, double size, bool bold, const char *text) {
    char drawable[TEXT_LENGTH];
    return prepare(cairo, size, bold, text, drawable);
}

double xc_text(cairo_t *cairo, xc_colour colour, double size, bool bold, double x, double y, xc_align align,
               const char *text) {
    char drawable[TEXT_LENGTH];
    const double width = prepare(cairo, size, bold, text, drawable);
    xc_set_colour(cairo, colour);
    cairo_move_to(cairo, x - (align == XC_ALIGN_RIGHT ? width : align == XC_ALIGN_CENTRE ? width / 2 : 0), y);
    cairo_show_text(cairo, drawable);
    cairo_new_path(cairo);
    return width;
}

void xc_text_cut(cairo_t *cairo, double size, bool bold, double room, char *text, size_t capacity) {
    static const char points[] = "…";
    for (size_t kept = strlen(text); kept > 0 && xc_text_width(cairo, size, bold, text) > room;) {
        /* A letter of several bytes goes whole, and the points find room in the memory. */
        do kept--;
        while (kept > 0 && ((text[kept] & 0xc0) == 0x80 || kept + sizeof points > capacity));
        memcpy(text + kept, points, sizeof points);
    }
}

double xc_text_fit(cairo_t *cairo, xc_colour colour, double size, bool bold, double x, double y, double room,
                   const char *text) {
    char shown[TEXT_LENGTH];
    snprintf(shown, sizeof shown, "%s", text);
    xc_text_cut(cairo, size, bold, room, shown, sizeof shown);
    return xc_text(cairo, colour, size, bold, x, y, XC_ALIGN_LEFT, shown);
}

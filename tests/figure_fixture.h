/* figure_fixture.h: what the tests of figures share: a canvas, filters and their matches, and a look at SVG text.
 * Included once by a test program, after cmocka.h.
 */
#ifndef EXPCONV_FIGURE_FIXTURE_H
#define EXPCONV_FIGURE_FIXTURE_H

#include <cairo.h>
#include <stdlib.h>
#include <string.h>

#include "../host/report/figure.h"

static xc_error error;

#define MUST(call)                                       \
    do {                                                 \
        error = (xc_error){0};                           \
        if ((call) != XC_OK) fail_msg("%s", error.text); \
    } while (0)

static inline cairo_t *new_canvas(int width, int height) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    return cairo;
}

/* `count` filters of widths 1 to `widest`, every fifth of them flat, the others with a clear base at each place. */
static inline void make_filters(size_t count, uint32_t widest, xc_motif_list *filters) {
    MUST(xc_motif_list_create(filters, count, widest, &error));
    for (size_t i = 0; i < count; i++) {
        xc_motif *motif = &filters->motif[i];
        motif->width = widest - (uint32_t)(i % widest);
        motif->sites = i % 5 ? 1234.0 * (double)i : 0;
        for (uint32_t k = 0; i % 5 && k < motif->width; k++)
            for (uint32_t base = 0; base < 4; base++) motif->ppm[4 * k + base] = base == (i + k) % 4 ? 0.7f : 0.1f;
    }
}

static inline void make_matches(size_t count, xc_filter_match match[]) {
    for (size_t i = 0; i < count; i++) {
        match[i] = (xc_filter_match){.q = 3e-5};
        if (i % 3)
            snprintf(match[i].target, sizeof match[i].target, "%s", i % 2 ? "CEBPB" : "Arntl(var.2)::NPAS2::MAX");
        match[i].ground_truth = i % 3 == 1;
    }
}

/* Nothing stands outside of the picture. */
static inline void expect_inside(const xc_picture *picture) {
    double x, y, width, height;
    cairo_surface_t *surface = cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, NULL);
    cairo_t *cairo = cairo_create(surface);
    picture->draw(picture, cairo, &xc_theme_light);
    assert_int_equal(cairo_status(cairo), CAIRO_STATUS_SUCCESS);
    cairo_recording_surface_ink_extents(surface, &x, &y, &width, &height);
    assert_true(x >= 0 && y >= 0 && x + width <= picture->width && y + height <= picture->height);
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
}

static inline size_t count_text(const char *text, const char *word) {
    size_t count = 0;
    for (; (text = strchr(text, word[0])); text++) count += strncmp(text, word, strlen(word)) == 0;
    return count;
}

/* Every tag closed by its own name, in order; attributes quoted. */
static inline void expect_well_formed(const char *text) {
    const char *open[32];
    size_t depth = 0;
    for (const char *tag = text; (tag = strchr(tag, '<')); tag++) {
        const char *end = strchr(tag, '>');
        assert_non_null(end);
        size_t quotes = 0;
        for (const char *c = tag; c < end; c++) quotes += *c == '"';
        assert_int_equal(quotes % 2, 0);
        if (tag[1] == '?') continue;
        if (tag[1] == '/') {
            const size_t length = (size_t)(end - tag) - 2;
            assert_true(depth > 0);
            assert_memory_equal(open[--depth], tag + 2, length);
            assert_non_null(strchr(" >", open[depth][length]));
        } else if (end[-1] != '/') {
            assert_true(depth < 32);
            open[depth++] = tag + 1;
        }
    }
    assert_int_equal(depth, 0);
}

#endif

/* logo.c: the sequence logo of a motif: how tall each letter stands, its drawing, and one logo as a figure with its
 * axes. Knows nothing of small samples: heights are those of the probabilities as they are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"

#define LOWEST_LETTER 0.005 /* bits */

/* ---- heights ---------------------------------------------------------------------------------------------------- */

/* xc_motif_information adds 1e-7 to each p, which makes a certain base taller than 2 bits. */
static double information_of(const float ppm[4]) {
    double bits = 2;
    for (int b = 0; b < 4; b++)
        if (ppm[b] > 0) bits += ppm[b] * log2(ppm[b]);
    return bits > 2 ? 2 : bits > 0 ? bits : 0;
}

int xc_logo_stack(const float ppm[4], xc_logo_letter letters[4]) {
    const double information = information_of(ppm);
    int count = 0;
    for (int b = 0; b < 4; b++) {
        const double height = ppm[b] * information;
        if (!(height >= LOWEST_LETTER)) continue;
        int place = count++;
        for (; place > 0 && letters[place - 1].height > height; place--) letters[place] = letters[place - 1];
        letters[place] = (xc_logo_letter){.base = b, .height = height};
    }
    double bottom = 0;
    for (int i = 0; i < count; i++) {
        letters[i].bottom = bottom;
        bottom += letters[i].height;
    }
    return count;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

void xc_draw_logo(cairo_t *cairo, const xc_theme *theme, const xc_motif *motif, double x, double y, double width,
                  double height) {
    const double pitch = width / motif->width, gap = 0.04 * pitch, bit = height / 2;
    cairo_new_path(cairo);
    for (uint32_t position = 0; position < motif->width; position++) {
        xc_logo_letter letters[4];
        const int count = xc_logo_stack(motif->ppm + 4 * (size_t)position, letters);
        for (int i = 0; i < count; i++) {
            const double top = y + height - bit * (letters[i].bottom + letters[i].height);
            xc_letter_outline(cairo, letters[i].base, x + position * pitch + gap / 2, top, pitch - gap,
                              bit * letters[i].height);
            xc_set_colour(cairo, theme->base[letters[i].base]);
            cairo_fill(cairo);
        }
    }
}

/* ---- one logo as a figure --------------------------------------------------------------------------------------- */

/* All in points. */
#define LEFT 36.0
#define RIGHT 16.0
#define TOP 28.0
#define BOTTOM 18.0
#define LOGO_HEIGHT 90.0
#define WIDEST_PITCH 22.0
#define WIDEST_LOGO 3600.0
#define NARROWEST 190.0 /* the whole figure, so that the name has room */
#define NUMBER_SIZE 8.0
#define NAME_SIZE 11.0

static double pitch_of(const xc_motif *motif) { return fmin(WIDEST_PITCH, WIDEST_LOGO / motif->width); }

static void draw_bits_axis(cairo_t *cairo, const xc_theme *theme, double right) {
    cairo_set_line_width(cairo, 0.75);
    for (int bits = 0; bits <= 2; bits++) {
        const double y = TOP + LOGO_HEIGHT * (1 - bits / 2.0);
        const char number[2] = {(char)('0' + bits), 0};
        if (bits > 0) {
            xc_set_colour(cairo, theme->grid);
            xc_draw_rule(cairo, LEFT, y, right, y);
        }
        xc_text(cairo, theme->muted, NUMBER_SIZE, false, LEFT - 7, y + 0.36 * NUMBER_SIZE, XC_ALIGN_RIGHT, number);
    }
    cairo_save(cairo);
    cairo_translate(cairo, 13, TOP + LOGO_HEIGHT / 2);
    cairo_rotate(cairo, -M_PI / 2);
    xc_text(cairo, theme->muted, NUMBER_SIZE, false, 0, 0, XC_ALIGN_CENTRE, "bits");
    cairo_restore(cairo);
}

/* Every position, or the multiples of 5, 10, 50, ... when numbers would touch. */
static void draw_positions(cairo_t *cairo, const xc_theme *theme, const xc_motif *motif, double pitch) {
    char number[16];
    snprintf(number, sizeof number, "%u", motif->width);
    const double room = xc_text_width(cairo, NUMBER_SIZE, false, number) + 3;
    uint32_t step = 1;
    for (uint32_t factor = 5; step * pitch < room; factor = 7 - factor) step *= factor;
    for (uint32_t position = step; position <= motif->width; position += step) {
        snprintf(number, sizeof number, "%u", position);
        xc_text(cairo, theme->muted, NUMBER_SIZE, false, LEFT + (position - 0.5) * pitch, TOP + LOGO_HEIGHT + 12,
                XC_ALIGN_CENTRE, number);
    }
}

/* The name, and after it the identifier in a quieter colour. */
static void draw_name(cairo_t *cairo, const xc_theme *theme, const xc_motif *motif, double room) {
    const char *name = motif->name[0] ? motif->name : motif->id;
    const double used = xc_text_fit(cairo, theme->ink, NAME_SIZE, true, LEFT, 16, room, name);
    if (!motif->name[0] || strcmp(motif->name, motif->id) == 0) return;
    if (room > used + 20) xc_text_fit(cairo, theme->muted, 9, false, LEFT + used + 7, 16, room - used - 7, motif->id);
}

static void draw_figure(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    const xc_motif *motif = picture->content;
    const double pitch = pitch_of(motif), width = pitch * motif->width, floor = TOP + LOGO_HEIGHT;
    draw_name(cairo, theme, motif, picture->width - LEFT - RIGHT);
    draw_bits_axis(cairo, theme, LEFT + width);
    draw_positions(cairo, theme, motif, pitch);
    xc_draw_logo(cairo, theme, motif, LEFT, TOP, width, LOGO_HEIGHT);
    xc_set_colour(cairo, theme->muted);
    xc_draw_rule(cairo, LEFT - 3, floor, LEFT + width, floor);
}

static void release_motif(void *content) {
    xc_motif *motif = content;
    free(motif->ppm);
    free(motif);
}

xc_status xc_logo_picture(const xc_motif *motif, xc_picture *picture, xc_error *error) {
    xc_status status = XC_OK;
    xc_motif *copy = NULL;
    *picture = (xc_picture){0};
    XC_TRY(xc_allocate(&copy, 1, sizeof *copy, "a logo", error));
    *copy = *motif;
    copy->written = NULL;
    copy->ppm = NULL;
    picture->content = copy;
    picture->release = release_motif;
    XC_TRY(xc_allocate(&copy->ppm, motif->width, 4 * sizeof(float), "a logo", error));
    memcpy(copy->ppm, motif->ppm, motif->width * 4 * sizeof(float));
    picture->width = fmax(NARROWEST, LEFT + pitch_of(motif) * motif->width + RIGHT);
    picture->height = TOP + LOGO_HEIGHT + BOTTOM;
    picture->draw = draw_figure;
fail:
    return status;
}

xc_status xc_figure_logo(const char *stem, const xc_motif *motif, xc_error *error) {
    xc_status status = XC_OK;
    xc_picture picture;
    XC_TRY(xc_logo_picture(motif, &picture, error));
    XC_TRY(xc_picture_write(&picture, stem, error));
fail:
    xc_picture_free(&picture);
    return status;
}

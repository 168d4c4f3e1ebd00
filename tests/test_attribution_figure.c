/* test_attribution_figure.c: letters with signed heights stand and hang as tall as their values say, in their colours;
 * tracks share positions and keep their scales on every line; what cannot be drawn is refused with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/report/attribution_figure.h"
#include "figure_fixture.h"
#include "folder_fixture.h"

/* ---- heights and scales ----------------------------------------------------------------------------------------- */

static void expect_letter(const xc_attribution_letter *letter, int base, double from, double to) {
    assert_int_equal(letter->base, base);
    assert_float_equal(letter->from, from, 1e-7);
    assert_float_equal(letter->to, to, 1e-7);
}

static void the_largest_is_outermost_on_both_sides(void **state) {
    (void)state;
    xc_attribution_letter letters[4];
    assert_int_equal(xc_attribution_stack((const float[]){2, -0.25f, 0.5f, -1}, 0, letters), 4);
    expect_letter(&letters[0], 2, 0, 0.5);
    expect_letter(&letters[1], 0, 0.5, 2.5);
    expect_letter(&letters[2], 1, 0, -0.25);
    expect_letter(&letters[3], 3, -0.25, -1.25);
    assert_int_equal(xc_attribution_stack((const float[]){4, 3, 2, 1}, 0, letters), 4);
    for (int i = 0; i < 4; i++) assert_int_equal(letters[i].base, 3 - i);
    expect_letter(&letters[3], 0, 6, 10);
    assert_int_equal(xc_attribution_stack((const float[]){-1, -1, -1, -1}, 0, letters), 4);
    for (int i = 0; i < 4; i++) expect_letter(&letters[i], i, -i, -i - 1); /* equals: in the order of the alphabet */
}

static void letters_too_low_to_be_seen_are_left_out(void **state) {
    (void)state;
    xc_attribution_letter letters[4];
    assert_int_equal(xc_attribution_stack((const float[]){0, -0.0f, 0, 0}, 0, letters), 0);
    assert_int_equal(xc_attribution_stack((const float[]){0.0999f, 0.25f, -0.0999f, -0.25f}, 0.1, letters), 2);
    expect_letter(&letters[0], 1, 0, 0.25); /* on the line, as if the others were not there */
    expect_letter(&letters[1], 3, 0, -0.25);
    assert_int_equal(xc_attribution_stack((const float[]){1e-42f, 0, 0, 0}, 0, letters), 1);
}

/* Zero and two or three more round numbers, for whatever is as large as a float can be. */
static void every_scale_has_its_zero_and_few_numbers(void **state) {
    (void)state;
    static const float size[] = {1e-42f, 3e-8f, 0.86f, 1, 1.7f, 999, FLT_MAX};
    static const float share[][2] = {{1, 0}, {0, -1}, {1, -1}, {1, -0.01f}, {0.3f, -1}, {0.9f, -0.66f}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        for (size_t k = 0; k < sizeof share / sizeof *share; k++) {
            const float up = size[i] * share[k][0], down = size[i] * share[k][1];
            const float values[8] = {up, 0, up, 0, 0, 0, 0, down}; /* A and C on one another in the first position */
            const xc_ticks ticks = xc_attribution_ticks(&(xc_attribution_track){"", values, false}, 2);
            bool zero = false;
            assert_float_equal(ticks.high / size[i], 2.0 * up / size[i], 1e-12);
            assert_float_equal(ticks.low / size[i], (double)down / size[i], 1e-12);
            assert_true(ticks.count >= 2 && ticks.count <= 4);
            for (int t = 0; t < ticks.count; t++) zero |= ticks.value[t] == 0;
            assert_true(zero);
        }
    }
}

static void a_track_of_zeros_has_its_line_in_the_middle(void **state) {
    (void)state;
    const float values[8] = {0};
    const xc_ticks ticks = xc_attribution_ticks(&(xc_attribution_track){"", values, false}, 2);
    assert_int_equal(ticks.count, 1);
    assert_true(ticks.value[0] == 0 && ticks.low == -ticks.high && ticks.high > 0);
}

/* The scale is that of bits, whatever the probabilities are. */
static void probabilities_become_bits(void **state) {
    (void)state;
    float height[4];
    /* Positions: a sure G; a half C, a half T; nothing known; all the same. */
    const float values[16] = {0, 0, 0, 0.25f, 0, 0.5f, 0, 0.25f, 1, 0, 0, 0.25f, 0, 0.5f, 0, 0.25f};
    static const float expected[4][4] = {{0, 0, 2, 0}, {0, 0.5f, 0, 0.5f}, {0}, {0}};
    const xc_attribution_track truth = {"", values, true};
    for (uint32_t column = 0; column < 4; column++) {
        xc_attribution_heights(&truth, 4, column, height);
        for (int b = 0; b < 4; b++) assert_float_equal(height[b], expected[column][b], 1e-6);
        assert_int_equal(xc_attribution_informative(&truth, 4, column), column < 2);
    }
    const xc_ticks ticks = xc_attribution_ticks(&truth, 4);
    assert_true(ticks.count == 3 && ticks.low == 0 && ticks.value[1] == 1 && ticks.high == 2);
}

/* ---- what an SVG shows ------------------------------------------------------------------------------------------ */

typedef struct shape {
    int base; /* 0 to 3; -1: of another colour */
    double left, top, right, bottom;
    double start; /* y of the outline's first point */
} shape;

/* The box around a path's points. */
static shape read_outline(const char *data) {
    shape box = {-1, INFINITY, INFINITY, -INFINITY, -INFINITY, NAN};
    for (bool across = true; *data != '"';) {
        char *end;
        const double value = strtod(data, &end);
        if (end == data) {
            data++;
            continue;
        }
        if (across) box.left = fmin(box.left, value), box.right = fmax(box.right, value);
        if (!across) box.top = fmin(box.top, value), box.bottom = fmax(box.bottom, value);
        if (!across && isnan(box.start)) box.start = value;
        across = !across;
        data = end;
    }
    return box;
}

static bool is_colour(const char *text, xc_colour colour) {
    double red, green, blue;
    if (sscanf(text, "%lf%%,%lf%%,%lf%%", &red, &green, &blue) != 3) return false;
    return fabs(red - 100 * colour.red) < 0.05 && fabs(green - 100 * colour.green) < 0.05 &&
           fabs(blue - 100 * colour.blue) < 0.05;
}

/* All paths that begin with `style`, to be freed. */
static shape *read_paths(const char *svg, const char *style, size_t *count) {
    shape *shapes = calloc(count_text(svg, style) + 1, sizeof *shapes);
    *count = 0;
    for (const char *path = svg; (path = strstr(path, style)); path++) {
        const char *colour = path + strlen(style), *data = strstr(path, " d=\"") + 4;
        shape *next = &shapes[(*count)++];
        *next = read_outline(data);
        for (int b = 0; b < 4; b++)
            if (is_colour(colour, xc_theme_light.base[b])) next->base = b;
    }
    return shapes;
}

/* Letters in the order in which they are drawn; *others counts what is filled with other colours. */
static shape *read_letters(const char *svg, size_t *count, size_t *others) {
    size_t all;
    shape *shapes = read_paths(svg, "<path style=\" fill:rgb(", &all);
    *count = *others = 0;
    for (size_t i = 0; i < all; i++) {
        *others += shapes[i].base < 0;
        if (shapes[i].base >= 0) shapes[(*count)++] = shapes[i];
    }
    return shapes;
}

/* y of the zero lines: the level ones in the second text's colour. */
static size_t read_zero_lines(const char *svg, double zero[], size_t most) {
    size_t all, count = 0;
    shape *shapes = read_paths(svg, "<path style=\"fill:none;stroke-width:0.6;stroke:rgb(39.22%,41.96%,45.88%);", &all);
    for (size_t i = 0; i < all && count < most; i++)
        if (shapes[i].right - shapes[i].left > 4) zero[count++] = shapes[i].top;
    free(shapes);
    return count;
}

static char *draw(const char *title, uint32_t first, uint32_t length, const xc_attribution_track *track, size_t tracks,
                  uint32_t per_line, xc_picture *picture) {
    char *svg;
    MUST(xc_attribution_picture(title, first, length, track, tracks, per_line, picture, &error));
    expect_inside(picture);
    MUST(xc_picture_svg(picture, &xc_theme_light, &svg, &error));
    expect_well_formed(svg);
    return svg;
}

static char *draw_freed(const char *title, uint32_t first, uint32_t length, const xc_attribution_track *track,
                        size_t tracks, uint32_t per_line) {
    xc_picture picture;
    char *svg = draw(title, first, length, track, tracks, per_line, &picture);
    xc_picture_free(&picture);
    return svg;
}

/* ---- letters ---------------------------------------------------------------------------------------------------- */

#define LENGTH 10

/* Values whose letter at position i is base i % 4: 1, -0.5, 1.5, -1, ... */
static float ladder_value(uint32_t i) { return (i % 2 ? -0.5f : 1) * (1 + (float)(i % 3) / 2); }

static void make_ladder(float values[4 * LENGTH]) {
    memset(values, 0, 4 * LENGTH * sizeof *values);
    for (uint32_t i = 0; i < LENGTH; i++) values[i % 4 * LENGTH + i] = ladder_value(i);
}

/* A T has its bar, and an A its point, at the outer end. */
static void letters_stand_on_the_line_or_hang_from_it(void **state) {
    (void)state;
    float values[4 * LENGTH];
    size_t count, others;
    double zero;
    make_ladder(values);
    char *svg = draw_freed("", 1, LENGTH, &(xc_attribution_track){"label", values, false}, 1, 0);
    assert_int_equal(read_zero_lines(svg, &zero, 1), 1);
    shape *letter = read_letters(svg, &count, &others);
    assert_int_equal(count, LENGTH);
    assert_int_equal(others, 0);
    const double unit = letter[0].bottom - letter[0].top, pitch = letter[1].left - letter[0].left;
    assert_true(unit > 10 && pitch > 5);
    for (uint32_t i = 0; i < LENGTH; i++) {
        const bool hangs = ladder_value(i) < 0;
        assert_int_equal(letter[i].base, i % 4);
        assert_float_equal(letter[i].left, letter[0].left + i * pitch, 0.05);
        assert_true(letter[i].right - letter[i].left < pitch && letter[i].right - letter[i].left > 0.9 * pitch);
        assert_float_equal(hangs ? letter[i].top : letter[i].bottom, zero, 0.05);
        assert_float_equal((letter[i].bottom - letter[i].top) / unit, fabsf(ladder_value(i)), 0.01);
        /* Outlines begin at the foot of an A and at the bar of a T. */
        const double outer = hangs ? letter[i].bottom : letter[i].top;
        if (i % 4 == 0) assert_float_equal(letter[i].start, hangs ? letter[i].top : letter[i].bottom, 0.001);
        if (i % 4 == 3) assert_float_equal(letter[i].start, outer, 0.001);
    }
    free(letter);
    free(svg);
}

static bool painted(cairo_t *cairo, int x, int y) {
    cairo_surface_t *surface = cairo_get_target(cairo);
    cairo_surface_flush(surface);
    uint32_t colour;
    memcpy(&colour, cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface) + 4 * x, 4);
    return (colour & 0xffffff) != 0xffffff;
}

/* Three T of 100 pixels a unit: one that stands, one that hangs, and one that hangs under another letter. */
static void pixels_are_upside_down_below_zero(void **state) {
    (void)state;
    const float values[12] = {0, 0, -0.5f, 0, 0, 0, 0, 0, 0, 1, -1, -1};
    const xc_plot plot = {10, 10, 300, 300, {.count = 0}, {.low = -2, .high = 1}};
    cairo_t *cairo = new_canvas(320, 320);
    xc_draw_attribution(cairo, &xc_theme_light, &(xc_attribution_track){"", values, false}, 3, 0, 3, &plot);
    assert_true(painted(cairo, 20, 15) && !painted(cairo, 20, 105) && painted(cairo, 60, 105));
    assert_true(painted(cairo, 120, 205) && !painted(cairo, 120, 115) && painted(cairo, 160, 115));
    assert_true(!painted(cairo, 160, 9) && !painted(cairo, 60, 111) && !painted(cairo, 160, 211));
    assert_true(painted(cairo, 220, 255) && !painted(cairo, 220, 175) && painted(cairo, 260, 165));
    assert_true(painted(cairo, 260, 157) && !painted(cairo, 230, 157)); /* the point of a hanging A */
    cairo_destroy(cairo);
}

static void what_is_too_low_is_not_drawn(void **state) {
    (void)state;
    float values[4 * LENGTH];
    size_t count, others;
    make_ladder(values);
    values[3 * LENGTH] = 1e-4f;
    values[3 * LENGTH + 4] = -1e-4f;
    char *svg = draw_freed("", 1, LENGTH, &(xc_attribution_track){"label", values, false}, 1, 0);
    free(read_letters(svg, &count, &others));
    assert_int_equal(count, LENGTH);
    free(svg);
}

/* ---- sheets ----------------------------------------------------------------------------------------------------- */

#define LONG 250

typedef struct sample {
    float values[4][4 * LONG], truth[4 * LONG];
    xc_attribution_track track[5]; /* the last is the truth, sure of two bases of a motif at 20, 120 and 220 */
    size_t letters[4];             /* of each base */
} sample;

static const char *const labels[] = {"relu, saliency", "relu, deepshap", "exponential", "zeros", "ground truth"};

/* Letters of each base at one in `k + 2` positions, with no pattern that lines could share; the fourth track is 0. */
static sample *new_sample(void) {
    sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (uint32_t k = 0; k < 3; k++)
        for (uint32_t i = 0; i < LONG; i += k + 2) {
            const uint32_t base = (i * i + k) % 7 % 4;
            s->values[k][base * LONG + i] = (i % 3 ? 1.0f : -0.7f) * (1 + (float)(i % 11)) * (k + 1);
            s->letters[base]++;
        }
    for (uint32_t i = 0; i < LONG; i++) {
        const bool motif = i % 100 == 20 || i % 100 == 21;
        for (uint32_t b = 0; b < 4; b++) s->truth[b * LONG + i] = !motif ? 0.25f : b == 1 + i % 2 ? 1 : 0;
        if (motif) s->letters[1 + i % 2]++;
    }
    for (int k = 0; k < 5; k++)
        s->track[k] = (xc_attribution_track){labels[k], k < 4 ? s->values[k] : s->truth, k == 4};
    return s;
}

static void expect_letters(const char *svg, const sample *s, size_t shades) {
    size_t count, others, found[4] = {0};
    shape *letter = read_letters(svg, &count, &others);
    for (size_t i = 0; i < count; i++) found[letter[i].base]++;
    for (int b = 0; b < 4; b++) assert_int_equal(found[b], s->letters[b]);
    assert_int_equal(others, shades);
    free(letter);
}

/* Each line has five zero lines; the shades are those of three motifs and of the footer. */
static void every_letter_is_on_one_of_the_lines(void **state) {
    (void)state;
    static const struct {
        uint32_t length, per_line, lines;
    } cases[] = {{LONG, 0, 3},  {LONG, 100, 3}, {LONG, 125, 2}, {LONG, 50, 5},
                 {LONG, 7, 36}, {LONG, 250, 1}, {LONG, 9999, 1}};
    sample *s = new_sample();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double zero[200];
        char *svg = draw_freed("title", 1, cases[i].length, s->track, 5, cases[i].per_line);
        /* Lines of 7 break a motif in two at 20 | 21. */
        expect_letters(svg, s, 3 + 1 + (cases[i].per_line == 7));
        assert_int_equal(read_zero_lines(svg, zero, 200), 5 * cases[i].lines);
        free(svg);
    }
    free(s);
}

static uint32_t lines_of(uint32_t length, uint32_t per_line) {
    double zero[200];
    float *values = calloc(length, 4 * sizeof *values);
    char *svg = draw_freed("", 1, length, &(xc_attribution_track){"", values, false}, 1, per_line);
    const size_t lines = read_zero_lines(svg, zero, 200);
    free(svg);
    free(values);
    return (uint32_t)lines;
}

static void long_sequences_are_broken_into_lines(void **state) {
    (void)state;
    static const uint32_t cases[][3] = {{3, 0, 1},     {100, 0, 1},  {120, 0, 1},   {121, 0, 2},
                                        {200, 0, 2},   {201, 0, 3},  {1000, 0, 10}, {200, 200, 1},
                                        {200, 199, 2}, {200, 50, 4}, {3, 1, 3},     {1000, 1000, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(lines_of(cases[i][0], cases[i][1]), cases[i][2]);
}

/* A letter of the same value is as high on the first line as on the second, which holds nothing larger. */
static void a_track_has_one_scale_on_all_lines(void **state) {
    (void)state;
    float values[4 * 20] = {0};
    size_t count, others;
    double zero[2];
    values[0] = 1, values[5] = 4, values[10] = 1; /* A at 1, 6 and 11 */
    char *svg = draw_freed("", 1, 20, &(xc_attribution_track){"", values, false}, 1, 10);
    assert_int_equal(read_zero_lines(svg, zero, 2), 2);
    shape *letter = read_letters(svg, &count, &others);
    assert_int_equal(count, 3);
    assert_float_equal(letter[2].left, letter[0].left, 0.01); /* on its own line, at the same place */
    assert_float_equal(letter[2].bottom - letter[2].top, letter[0].bottom - letter[0].top, 0.02);
    assert_float_equal(letter[1].bottom - letter[1].top, 4 * (letter[0].bottom - letter[0].top), 0.05);
    assert_float_equal(letter[2].bottom - letter[0].bottom, zero[1] - zero[0], 0.02);
    free(letter);
    free(svg);
}

/* What is small in one track and large in another fills both. */
static void each_track_has_its_own_scale(void **state) {
    (void)state;
    float values[2][4 * LENGTH];
    size_t count, others;
    make_ladder(values[0]);
    for (int i = 0; i < 4 * LENGTH; i++) values[1][i] = 1e-6f * values[0][i];
    const xc_attribution_track track[] = {{"large", values[0], false}, {"small", values[1], false}};
    char *svg = draw_freed("", 1, LENGTH, track, 2, 0);
    shape *letter = read_letters(svg, &count, &others);
    assert_int_equal(count, 2 * LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        const shape *a = &letter[i], *b = &letter[LENGTH + i];
        assert_float_equal(a->left, b->left, 0.001);
        assert_float_equal(a->bottom - a->top, b->bottom - b->top, 0.03);
        assert_true(b->top > a->bottom);
    }
    free(letter);
    free(svg);
}

/* C and G at the fourth and fifth position of a line of nine, G at the first of the next: all of the column is shaded,
 * in the other track as well, and no more of it. */
static void shades_are_where_the_truth_has_letters(void **state) {
    (void)state;
    float truth[4 * 12], values[4 * 12] = {0};
    size_t count;
    for (int i = 0; i < 12; i++)
        for (int b = 0; b < 4; b++) truth[b * 12 + i] = i == 3 || i == 4 || i == 9 ? b == (i == 3 ? 1 : 2) : 0.25f;
    const xc_attribution_track track[] = {{"", values, false}, {"", truth, true}};
    char *svg = draw_freed("", 1, 12, track, 2, 9);
    shape *found = read_paths(svg, "<path style=\" fill:rgb(", &count);
    assert_int_equal(count, 6); /* a shade, its two letters; a shade, its letter; the footer's */
    assert_true(found[0].base == -1 && found[1].base == 1 && found[2].base == 2);
    assert_true(found[3].base == -1 && found[4].base == 2 && found[5].base == -1);
    const double pitch = found[2].left - found[1].left;
    assert_float_equal(found[0].right - found[0].left, 2 * pitch, 0.03);
    assert_float_equal(found[3].right - found[3].left, pitch, 0.03);
    assert_float_equal(found[0].left + found[0].right, found[1].left + found[2].right, 0.03);
    assert_float_equal(found[3].left + found[3].right, found[4].left + found[4].right, 0.03);
    assert_true(found[0].top < found[1].top - 40 && found[3].top < found[4].top - 40 && found[3].top > found[0].bottom);
    assert_float_equal(found[0].bottom, found[1].bottom, 0.03);
    free(found);
    free(svg);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static size_t glyphs_of(const char *title, const char *label, uint32_t first, uint32_t length) {
    static const float values[4 * 200] = {0};
    char *svg = draw_freed(title, first, length, &(xc_attribution_track){label, values, false}, 1, 100);
    const size_t glyphs = count_text(svg, "<use ");
    free(svg);
    return glyphs;
}

/* Text is drawn as glyphs: what is told by counting them is that all are there, on every line. */
static void titles_labels_and_positions_are_there(void **state) {
    (void)state;
    const size_t none = glyphs_of("", "", 1, 100);
    assert_int_equal(glyphs_of("A title", "", 1, 100) - none, 7);
    assert_int_equal(glyphs_of("A title\nand more", "", 1, 100) - none, 15);
    assert_int_equal(glyphs_of("", "relu, saliency", 1, 100) - none, 14);
    assert_int_equal(glyphs_of("", "relu\nsaliency", 1, 100) - none, 12);
    assert_int_equal(glyphs_of("", "relu\nsaliency", 1, 200) - glyphs_of("", "", 1, 200), 24);
    /* 1 10 20 ... 100 become 101 110 ... 200; 7 10 ... 100 has no room for the 7. */
    assert_int_equal(glyphs_of("", "", 101, 100) - none, 11 * 3 - (1 + 9 * 2 + 3));
    assert_int_equal(none - glyphs_of("", "", 7, 94), 1);
    assert_int_equal(glyphs_of("", "", 1, 200) - none, 11 * 3 + 1); /* and the second line's 0 of its scale */
}

static void bits_are_named_and_information_is_shaded(void **state) {
    (void)state;
    size_t glyphs[2];
    for (int i = 0; i < 2; i++) {
        float values[8] = {1, 0.25f, 0, 0.25f, 0, 0.25f, 0, 0.25f};
        size_t letters, shades;
        char *svg = draw_freed("", 1, 2, &(xc_attribution_track){i ? "truth" : "truth\nof some", values, true}, 1, 0);
        free(read_letters(svg, &letters, &shades));
        assert_int_equal(letters, 1);
        assert_int_equal(shades, 2);
        glyphs[i] = count_text(svg, "<use ");
        free(svg);
    }
    assert_int_equal(glyphs[0] - glyphs[1], strlen("of some") - strlen("bits"));
}

static void any_words_can_be_drawn(void **state) {
    (void)state;
    static const float values[4] = {0, 1, 0, 0};
    static const char *const words[] = {"", "\n", "G\xe9ne <&> \"quoted\"\n\xff\xfe", "\n\n\n",
                                        "a label that is longer than any that has a good reason to stand there alone"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t letters, others;
        char *svg = draw_freed(words[i], UINT32_MAX, 1, &(xc_attribution_track){words[i], values, false}, 1, 0);
        free(read_letters(svg, &letters, &others));
        assert_int_equal(letters, 1);
        free(svg);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static const char *const endings[] = {".svg", ".pdf", ".png"};

static char *content_of(const char *stem, const char *ending, size_t *size) {
    char path[160], *content;
    snprintf(path, sizeof path, "%s%s", stem, ending);
    MUST(xc_file_read(path, 1 << 26, &content, size, &error));
    return content;
}

static xc_status write_sample(const char *stem, const sample *s) {
    error = (xc_error){0};
    return xc_figure_attribution(stem, "a sample\nof noise", 1, LONG, s->track, 5, 0, &error);
}

static uint32_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void three_files_show_what_the_picture_shows(void **state) {
    (void)state;
    char stem[128], *content;
    size_t size;
    xc_picture picture;
    sample *s = new_sample();
    snprintf(stem, sizeof stem, "%s/sheet", folder);
    assert_int_equal(write_sample(stem, s), XC_OK);
    assert_int_equal(count_files(), 3);
    content = content_of(stem, ".svg", NULL);
    expect_well_formed(content);
    expect_letters(content, s, 4);
    free(content);
    content = content_of(stem, ".pdf", &size);
    assert_memory_equal(content, "%PDF-1.", 7);
    assert_memory_equal(content + size - 6, "%%EOF\n", 6);
    free(content);
    MUST(xc_attribution_picture("a sample\nof noise", 1, LONG, s->track, 5, 0, &picture, &error));
    content = content_of(stem, ".png", &size);
    assert_memory_equal(content, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(big_endian(content + 16), lround(2 * picture.width));
    assert_int_equal(big_endian(content + 20), lround(2 * picture.height));
    free(content);
    xc_picture_free(&picture);
    free(s);
}

/* With another picture between them, and with all that the first was made from gone. */
static void the_same_tracks_give_the_same_bytes(void **state) {
    (void)state;
    char stem[3][128];
    xc_picture picture;
    sample *s = new_sample();
    for (int i = 0; i < 3; i++) snprintf(stem[i], sizeof stem[i], "%s/%d", folder, i);
    assert_int_equal(write_sample(stem[0], s), XC_OK);
    MUST(xc_attribution_picture("a sample\nof noise", 1, LONG, s->track, 5, 0, &picture, &error));
    s->values[0][0] += 1000;
    assert_int_equal(write_sample(stem[2], s), XC_OK);
    memset(s, 0xff, sizeof *s); /* a picture owns what it shows */
    free(s);
    usleep(1100000);
    MUST(xc_picture_write(&picture, stem[1], &error));
    xc_picture_free(&picture);
    for (int i = 0; i < 3; i++) {
        size_t sizes[3];
        char *content[3];
        for (int k = 0; k < 3; k++) content[k] = content_of(stem[k], endings[i], &sizes[k]);
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(content[0], content[1], sizes[0]);
        assert_true(sizes[0] != sizes[2] || memcmp(content[0], content[2], sizes[0]) != 0);
        for (int k = 0; k < 3; k++) free(content[k]);
    }
}

/* Two sheets can stand in one page: no id of one is an id of the other, and every id used is defined. */
static void ids_are_a_sheet_s_own(void **state) {
    (void)state;
    char prefix[2][16];
    sample *s = new_sample();
    for (int i = 0; i < 2; i++) {
        char *svg = draw_freed(i ? "one" : "two", 1, LONG, s->track, 5, 0);
        snprintf(prefix[i], sizeof prefix[i], "%.10s", strstr(svg, "id=\"") + 4);
        assert_true(prefix[i][0] == 'i' && prefix[i][9] == '-');
        for (const char *use = svg; (use = strstr(use, "href=\"#")); use++) {
            char id[64], definition[80];
            assert_int_equal(sscanf(use, "href=\"#%63[^\"]", id), 1);
            assert_memory_equal(id, prefix[i], 10);
            snprintf(definition, sizeof definition, "id=\"%s\"", id);
            assert_int_equal(count_text(svg, definition), 1);
        }
        free(svg);
    }
    assert_string_not_equal(prefix[0], prefix[1]);
    free(s);
}

/* A child whose files may not grow past 2 KiB stands for a full disk. */
static void a_failing_write_leaves_nothing(void **state) {
    (void)state;
    char below[128], stem[160];
    sample *s = new_sample();
    snprintf(below, sizeof below, "%s/below", folder);
    snprintf(stem, sizeof stem, "%s/sheet", below);
    assert_int_equal(write_sample(stem, s), XC_IO); /* no such folder */
    assert_non_null(strstr(error.text, "below/sheet.svg"));
    assert_int_equal(count_files(), 0);
    assert_int_equal(mkdir(below, 0777), 0);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {2048, 2048};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(write_sample(stem, s) == XC_IO && strstr(error.text, "cannot write: File too large") ? 0 : 1);
    }
    int result;
    waitpid(child, &result, 0);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    assert_int_equal(rmdir(below), 0); /* is empty, of hidden files as well */
    free(s);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void expect_refused(const sample *s, uint32_t first, const char *line) {
    char stem[128];
    snprintf(stem, sizeof stem, "%s/never", folder);
    error = (xc_error){0};
    assert_int_equal(xc_figure_attribution(stem, "", first, LONG, s->track, 5, 0, &error), XC_INPUT);
    assert_string_equal(error.text, line);
    assert_int_equal(count_files(), 0);
}

static void values_that_cannot_be_drawn_are_named_with_their_place(void **state) {
    (void)state;
    static const struct {
        int track, base;
        float value;
        const char *line;
    } cases[] = {{1, 2, NAN, "track 2 (relu, deepshap), position 1008: the height of G is nan"},
                 {0, 3, INFINITY, "track 1 (relu, saliency), position 1008: the height of T is inf"},
                 {3, 0, -INFINITY, "track 4 (zeros), position 1008: the height of A is -inf"},
                 {4, 1, NAN, "track 5 (ground truth), position 1008: the height of C is nan"},
                 {4, 1, -0.25f, "track 5 (ground truth), position 1008: -0.25 of C is no probability"},
                 {4, 1, 1.5f, "track 5 (ground truth), position 1008: 1.5 of C is no probability"},
                 {4, 1, 1, "track 5 (ground truth), position 1008: the probabilities' sum is 1.75, not 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample *s = new_sample();
        float *values = cases[i].track < 4 ? s->values[cases[i].track] : s->truth;
        values[cases[i].base * LONG + 7] = cases[i].value;
        expect_refused(s, 1001, cases[i].line);
        free(s);
    }
    /* A label of two lines is named by its first; numbers that do not fit 32 bits are right as well. */
    sample *s = new_sample();
    s->track[0].label = "relu\nsaliency";
    s->values[0][LONG - 1] = NAN;
    expect_refused(s, UINT32_MAX, "track 1 (relu), position 4294967544: the height of A is nan");
    free(s);
}

static void nothing_and_too_much_are_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t length, per_line;
        size_t tracks;
        const char *word;
    } cases[] = {{0, 0, 1, "nothing to draw"},
                 {9, 0, 0, "nothing to draw"},
                 {20000, 20000, 1, "show fewer positions"},
                 {20000, 10, 1, "show fewer positions"}};
    float *values = calloc(20000, 4 * sizeof *values);
    const xc_attribution_track track = {"", values, false};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xc_picture picture;
        error = (xc_error){0};
        assert_int_equal(xc_attribution_picture("", 1, cases[i].length, &track, cases[i].tracks, cases[i].per_line,
                                                &picture, &error),
                         XC_INPUT);
        assert_non_null(strstr(error.text, cases[i].word));
        assert_null(strchr(error.text, '\n'));
        xc_picture_free(&picture);
    }
    free(values);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_is_outermost_on_both_sides),
        cmocka_unit_test(letters_too_low_to_be_seen_are_left_out),
        cmocka_unit_test(every_scale_has_its_zero_and_few_numbers),
        cmocka_unit_test(a_track_of_zeros_has_its_line_in_the_middle),
        cmocka_unit_test(probabilities_become_bits),
        cmocka_unit_test(letters_stand_on_the_line_or_hang_from_it),
        cmocka_unit_test(pixels_are_upside_down_below_zero),
        cmocka_unit_test(what_is_too_low_is_not_drawn),
        cmocka_unit_test(every_letter_is_on_one_of_the_lines),
        cmocka_unit_test(long_sequences_are_broken_into_lines),
        cmocka_unit_test(a_track_has_one_scale_on_all_lines),
        cmocka_unit_test(each_track_has_its_own_scale),
        cmocka_unit_test(shades_are_where_the_truth_has_letters),
        cmocka_unit_test(titles_labels_and_positions_are_there),
        cmocka_unit_test(bits_are_named_and_information_is_shaded),
        cmocka_unit_test(any_words_can_be_drawn),
        IN_FOLDER(three_files_show_what_the_picture_shows),
        IN_FOLDER(the_same_tracks_give_the_same_bytes),
        cmocka_unit_test(ids_are_a_sheet_s_own),
        IN_FOLDER(a_failing_write_leaves_nothing),
        IN_FOLDER(values_that_cannot_be_drawn_are_named_with_their_place),
        cmocka_unit_test(nothing_and_too_much_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

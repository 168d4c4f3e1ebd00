/* test_logo.c: letters stand as high as their information says and fill their boxes; logos and sheets show all that
 * they should, to scale, and nothing outside of the picture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "figure_fixture.h"

/* ---- heights ---------------------------------------------------------------------------------------------------- */

static void expect_letter(const xc_logo_letter *letter, int base, double bottom, double height) {
    assert_int_equal(letter->base, base);
    assert_float_equal(letter->bottom, bottom, 1e-6);
    assert_float_equal(letter->height, height, 1e-6);
}

static void heights_are_those_of_the_hand(void **state) {
    (void)state;
    xc_logo_letter letters[4];
    /* 1.75 bits of entropy leave 0.25; the lower of equals is the first of the alphabet. */
    assert_int_equal(xc_logo_stack((const float[]){0.5f, 0.25f, 0.125f, 0.125f}, letters), 4);
    expect_letter(&letters[0], 2, 0, 0.03125);
    expect_letter(&letters[1], 3, 0.03125, 0.03125);
    expect_letter(&letters[2], 1, 0.0625, 0.0625);
    expect_letter(&letters[3], 0, 0.125, 0.125);
    assert_int_equal(xc_logo_stack((const float[]){0.1f, 0.1f, 0.1f, 0.7f}, letters), 4);
    expect_letter(&letters[0], 0, 0, 0.0643220);
    expect_letter(&letters[3], 3, 3 * 0.0643220, 0.4502542);
    assert_int_equal(xc_logo_stack((const float[]){0, 0.5f, 0, 0.5f}, letters), 2);
    expect_letter(&letters[0], 1, 0, 0.5);
    expect_letter(&letters[1], 3, 0.5, 0.5);
}

static void what_says_nothing_has_no_letters(void **state) {
    (void)state;
    xc_logo_letter letters[4];
    assert_int_equal(xc_logo_stack((const float[]){0.25f, 0.25f, 0.25f, 0.25f}, letters), 0);
    assert_int_equal(xc_logo_stack((const float[]){0, 0, 0, 0}, letters), 0);
    assert_int_equal(xc_logo_stack((const float[]){NAN, NAN, NAN, NAN}, letters), 0);
    /* 0.002 of 1.98 bits is left out, and the rest stands on the floor. */
    assert_int_equal(xc_logo_stack((const float[]){0.002f, 0.998f, 0, 0}, letters), 1);
    assert_float_equal(letters[0].bottom, 0, 0);
}

static void no_stack_is_higher_than_2_bits(void **state) {
    (void)state;
    xc_logo_letter letters[4];
    for (int base = 0; base < 4; base++) {
        float ppm[4] = {0};
        ppm[base] = 1;
        assert_int_equal(xc_logo_stack(ppm, letters), 1);
        assert_int_equal(letters[0].base, base);
        assert_true(letters[0].height == 2);
    }
}

/* ---- letters ---------------------------------------------------------------------------------------------------- */

static void letters_fill_their_box(void **state) {
    (void)state;
    cairo_t *cairo = new_canvas(10, 10);
    for (int base = 0; base < 4; base++) {
        double left, top, right, bottom;
        assert_int_equal(strspn(xc_letter_path[base], "MLCZ 0123456789"), strlen(xc_letter_path[base]));
        assert_int_equal(xc_letter_path[base][strlen(xc_letter_path[base]) - 1], 'Z');
        cairo_new_path(cairo);
        xc_letter_outline(cairo, base, 0, 0, 100, 100);
        cairo_path_extents(cairo, &left, &top, &right, &bottom);
        assert_true(left == 0 && top == 0 && right == 100 && bottom == 100);
        cairo_new_path(cairo);
        xc_letter_outline(cairo, base, 30, -7, 5, 64);
        cairo_path_extents(cairo, &left, &top, &right, &bottom);
        assert_true(left == 30 && top == -7 && right == 35 && bottom == 57);
    }
    cairo_destroy(cairo);
}

static void letters_can_be_told_apart(void **state) {
    (void)state;
    /* The middle, the gap at the right, the bar of the G, the lower left corner, the upper left one. */
    static const double place[5][2] = {{50, 50}, {97, 42}, {90, 55}, {5, 97}, {5, 5}};
    static const bool inside[4][5] = {{false, false, false, true, false},
                                      {false, false, false, false, false},
                                      {false, false, true, false, false},
                                      {true, false, false, false, true}};
    cairo_t *cairo = new_canvas(10, 10);
    for (int base = 0; base < 4; base++) {
        cairo_new_path(cairo);
        xc_letter_outline(cairo, base, 0, 0, 100, 100);
        for (int i = 0; i < 5; i++) assert_int_equal(cairo_in_fill(cairo, place[i][0], place[i][1]), inside[base][i]);
    }
    cairo_destroy(cairo);
}

/* ---- pictures --------------------------------------------------------------------------------------------------- */

static uint32_t pixel(cairo_t *cairo, int x, int y) {
    cairo_surface_t *surface = cairo_get_target(cairo);
    cairo_surface_flush(surface);
    uint32_t colour;
    memcpy(&colour, cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface) + 4 * x, 4);
    return colour & 0xffffff;
}

static uint32_t hex_of(xc_colour colour) {
    return (uint32_t)lround(255 * colour.red) << 16 | (uint32_t)lround(255 * colour.green) << 8 |
           (uint32_t)lround(255 * colour.blue);
}

/* A T of 2 bits, then a C and a T of half a bit each, 200 pixels for 2 bits: the stem of a T is in its column's middle,
 * the C is widest at half its height. */
static void a_logo_is_drawn_to_scale(void **state) {
    (void)state;
    float ppm[8] = {0, 0, 0, 1, 0, 0.5f, 0, 0.5f};
    const xc_motif motif = {.width = 2, .ppm = ppm};
    const uint32_t c = hex_of(xc_theme_light.base[1]), t = hex_of(xc_theme_light.base[3]), paper = 0xffffff;
    cairo_t *cairo = new_canvas(220, 220);
    xc_draw_logo(cairo, &xc_theme_light, &motif, 10, 10, 200, 200);
    assert_int_equal(pixel(cairo, 60, 9), paper);
    assert_int_equal(pixel(cairo, 60, 10), t);
    assert_int_equal(pixel(cairo, 60, 209), t);
    assert_int_equal(pixel(cairo, 60, 210), paper);
    assert_int_equal(pixel(cairo, 160, 109), paper);
    assert_int_equal(pixel(cairo, 160, 110), t);
    assert_int_equal(pixel(cairo, 160, 159), t);
    assert_int_equal(pixel(cairo, 160, 164), c);
    assert_int_equal(pixel(cairo, 120, 185), c);
    assert_int_equal(pixel(cairo, 200, 185), paper);
    cairo_destroy(cairo);
}

static size_t count_letters(const xc_motif_list *filters) {
    xc_logo_letter letters[4];
    size_t count = 0;
    for (size_t i = 0; i < filters->count; i++)
        for (uint32_t k = 0; k < filters->motif[i].width; k++)
            count += (size_t)xc_logo_stack(filters->motif[i].ppm + 4 * k, letters);
    return count;
}

static void a_logo_has_its_letters(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 8, 20, 300, 10000};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        xc_motif_list list;
        xc_picture picture;
        char *svg;
        make_filters(2, widths[i], &list);
        list.motif[1].width = widths[i];
        snprintf(list.motif[1].name, sizeof list.motif[1].name, "%s",
                 "A name that is as long as a name can be, or longer");
        for (uint32_t k = 0; k < 4 * widths[i]; k++) list.motif[1].ppm[k] = k % 4 == k / 4 % 4 ? 0.7f : 0.1f;
        MUST(xc_logo_picture(&list.motif[1], &picture, &error));
        xc_motif_list_free(&list); /* a picture owns what it shows */
        expect_inside(&picture);
        if (widths[i] <= 300) {
            MUST(xc_picture_svg(&picture, &xc_theme_dark, &svg, &error));
            assert_memory_equal(svg, "<svg", 4);
            expect_well_formed(svg);
            assert_int_equal(count_text(svg, "<path style=\" fill:rgb("), 4 * widths[i]);
            free(svg);
        }
        xc_picture_free(&picture);
    }
}

static void a_sheet_holds_every_filter(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 24, 32, 300, 600};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const size_t count = counts[i];
        xc_motif_list filters;
        xc_picture picture;
        char *svg;
        xc_filter_match *match = calloc(count + 1, sizeof *match);
        make_filters(count, count == 32 ? 64 : 20, &filters);
        make_matches(count, match);
        const size_t marks = (count + 1) / 3 + (count > 1), letters = count_letters(&filters);
        MUST(xc_sheet_picture("a trial\nand what came of it", &filters, match, &picture, &error));
        xc_motif_list_free(&filters);
        free(match);
        expect_inside(&picture);
        MUST(xc_picture_svg(&picture, &xc_theme_light, &svg, &error));
        expect_well_formed(svg);
        assert_int_equal(count_text(svg, "<path style=\" fill:rgb("), letters + marks);
        free(svg);
        xc_picture_free(&picture);
    }
}

static void thirty_two_filters_are_four_by_eight(void **state) {
    (void)state;
    xc_motif_list filters;
    xc_picture picture, wide;
    xc_filter_match match[32];
    make_filters(32, 20, &filters);
    make_matches(32, match);
    MUST(xc_sheet_picture("a trial", &filters, match, &picture, &error));
    assert_float_equal(picture.width, 2 * 18 + 4 * 140 + 3 * 18, 1e-9);
    /* One motif more than 20 wide makes every cell wider; a second line only makes room above. */
    xc_motif_list_free(&filters);
    make_filters(32, 23, &filters);
    MUST(xc_sheet_picture("a trial\nsecond line", &filters, match, &wide, &error));
    assert_float_equal(wide.width, picture.width + 4 * 3 * 7, 1e-9);
    assert_float_equal(wide.height, picture.height + 15, 1e-9);
    xc_motif_list_free(&filters);
    xc_picture_free(&picture);
    xc_picture_free(&wide);
}

/* Of filters that were compared with nothing it is not said that they match nothing. */
static void a_sheet_says_nothing_of_matches_that_were_not_looked_for(void **state) {
    (void)state;
    const xc_filter_match none[2] = {{.q = NAN}, {.q = NAN}};
    const xc_filter_match *const match[] = {none, NULL};
    size_t glyphs[2];
    for (int i = 0; i < 2; i++) {
        xc_motif_list filters;
        xc_picture picture;
        char *svg;
        make_filters(2, 20, &filters);
        MUST(xc_sheet_picture("a trial", &filters, match[i], &picture, &error));
        MUST(xc_picture_svg(&picture, &xc_theme_light, &svg, &error));
        glyphs[i] = count_text(svg, "<use ");
        free(svg);
        xc_motif_list_free(&filters);
        xc_picture_free(&picture);
    }
    assert_int_equal(glyphs[0] - glyphs[1], 2 * strlen("no match"));
}

/* A name that is no UTF-8 must not take the rest of the picture with it. */
static void any_name_can_be_drawn(void **state) {
    (void)state;
    float ppm[4] = {0, 0, 1, 0};
    xc_motif motif = {.id = "G\xe9ne <&> \"quoted\"", .name = "\xff\xfe", .width = 1, .ppm = ppm};
    xc_picture picture;
    char *svg;
    MUST(xc_logo_picture(&motif, &picture, &error));
    MUST(xc_picture_svg(&picture, &xc_theme_light, &svg, &error));
    expect_well_formed(svg);
    assert_int_equal(count_text(svg, "<path style=\" fill:rgb("), 1);
    free(svg);
    xc_picture_free(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heights_are_those_of_the_hand),
        cmocka_unit_test(what_says_nothing_has_no_letters),
        cmocka_unit_test(no_stack_is_higher_than_2_bits),
        cmocka_unit_test(letters_fill_their_box),
        cmocka_unit_test(letters_can_be_told_apart),
        cmocka_unit_test(a_logo_is_drawn_to_scale),
        cmocka_unit_test(a_logo_has_its_letters),
        cmocka_unit_test(a_sheet_holds_every_filter),
        cmocka_unit_test(thirty_two_filters_are_four_by_eight),
        cmocka_unit_test(a_sheet_says_nothing_of_matches_that_were_not_looked_for),
        cmocka_unit_test(any_name_can_be_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

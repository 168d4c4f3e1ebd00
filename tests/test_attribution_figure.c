/* test_attribution_figure.c: sheets of attribution maps: letters above and below the line, lines, refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../host/report/figure.h"

enum { LENGTH = 30 };

static int count_of(const char *text, const char *part) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) count++;
    return count;
}

/* The SVG of a sheet, to be freed. */
static char *draw(const xc_attribution_track *tracks, size_t count, uint32_t line, double *height) {
    xc_picture picture;
    xc_error error = {0};
    char *svg = NULL;
    if (xc_attribution_picture("A title", 100, LENGTH, tracks, count, line, &picture, &error) != XC_OK ||
        xc_picture_svg(&picture, &xc_theme_light, &svg, &error) != XC_OK)
        fail_msg("%s", error.text);
    *height = picture.height;
    xc_picture_free(&picture);
    return svg;
}

/* The first y of the first path of a colour: where a T's bar begins, at the far end from the line it stands on. */
static double first_y(const char *svg, const char *colour) {
    const char *at = strstr(svg, colour);
    double x, y = NAN;
    if (!at || sscanf(strstr(at, "d=\"M"), "d=\"M%lf %lf", &x, &y) != 2) fail_msg("no path of %s", colour);
    return y;
}

#define A_GREEN "rgb(5.49%,47.84%,27.45%)"
#define G_ORANGE "rgb(81.57%,51.37%,0%)"
#define T_RED "rgb(78.43%,6.27%,16.47%)"

/* A adds, T takes away, a G is too small to be seen; zeros have no letters. */
static void test_letters(void **state) {
    (void)state;
    float values[4 * LENGTH] = {0};
    const xc_attribution_track track = {.label = "relu, saliency", .values = values};
    double height;
    char *empty = draw(&track, 1, 0, &height);
    assert_int_equal(count_of(empty, A_GREEN) + count_of(empty, T_RED) + count_of(empty, G_ORANGE), 0);
    values[0 * LENGTH + 3] = 1;
    values[3 * LENGTH + 7] = -1;
    values[2 * LENGTH + 9] = 1e-4f;
    char *down = draw(&track, 1, 0, &height), *again = draw(&track, 1, 0, &height);
    assert_string_equal(down, again);
    assert_int_equal(count_of(down, A_GREEN), 1);
    assert_int_equal(count_of(down, T_RED), 1);
    assert_int_equal(count_of(down, G_ORANGE), 0);
    values[3 * LENGTH + 7] = 1;
    values[3 * LENGTH + 8] = -1; /* the same scale */
    char *up = draw(&track, 1, 0, &height);
    assert_true(first_y(up, T_RED) < first_y(down, T_RED)); /* y grows downwards */
    free(empty);
    free(down);
    free(again);
    free(up);
}

static void test_lines(void **state) {
    (void)state;
    float values[4 * LENGTH], probabilities[4 * LENGTH];
    for (int e = 0; e < 4 * LENGTH; e++) values[e] = e / LENGTH == e % 4 ? 1 : 0, probabilities[e] = values[e];
    const xc_attribution_track tracks[] = {{.label = "a", .values = values},
                                           {.label = "truth", .values = probabilities, .probabilities = true}};
    double one, three;
    char *whole = draw(tracks, 2, 0, &one), *broken = draw(tracks, 2, 10, &three);
    assert_true(three > 2 * one);
    free(whole);
    free(broken);
}

static void test_refusals(void **state) {
    (void)state;
    float values[4 * LENGTH] = {0};
    const xc_attribution_track track = {.label = "bad", .values = values};
    xc_error error = {0};
    values[2 * LENGTH + 5] = NAN;
    assert_int_equal(xc_figure_attribution("/tmp/expconv-none", "t", 100, LENGTH, &track, 1, 0, &error), XC_INPUT);
    assert_non_null(strstr(error.text, "the map \"bad\" is not finite at position 106"));
    values[2 * LENGTH + 5] = 0;
    assert_int_equal(xc_figure_attribution("/none/expconv", "t", 0, LENGTH, &track, 1, 0, &error), XC_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

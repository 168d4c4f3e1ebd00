/* test_figure.c: text is as wide on every surface, colours stand out from their paper, and figures reach the disk
 * whole, the same bytes each time, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/report/svg.h"
#include "figure_fixture.h"
#include "folder_fixture.h"

/* ---- text and colours ------------------------------------------------------------------------------------------- */

static double measured[8];
static size_t measurements;

static void measure(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    (void)picture;
    measured[measurements++] = xc_text(cairo, theme->ink, 7, true, 5, 10, XC_ALIGN_LEFT, "Wide as it is: fj 0.001");
    double left, top, right, bottom;
    cairo_path_extents(cairo, &left, &top, &right, &bottom);
    assert_true(left == 0 && right == 0 && top == 0 && bottom == 0); /* leaves no path behind */
}

static void text_is_as_wide_in_every_file(void **state) {
    (void)state;
    const xc_picture picture = {.width = 200, .height = 20, .draw = measure};
    char stem[128];
    snprintf(stem, sizeof stem, "%s/text", folder);
    measurements = 0;
    MUST(xc_picture_write(&picture, stem, &error));
    assert_int_equal(measurements, 3);
    assert_true(measured[0] > 50);
    assert_float_equal(measured[1], measured[0], 1e-9);
    assert_float_equal(measured[2], measured[0], 1e-9);
}

static void text_is_cut_to_its_room(void **state) {
    (void)state;
    cairo_t *cairo = new_canvas(10, 10);
    const double whole = xc_text_width(cairo, 8, false, "µµµµµµµµ");
    assert_float_equal(xc_text_fit(cairo, xc_theme_light.ink, 8, false, 0, 0, whole, "µµµµµµµµ"), whole, 1e-9);
    const double cut = xc_text_fit(cairo, xc_theme_light.ink, 8, false, 0, 0, whole / 2, "µµµµµµµµ");
    assert_true(cut <= whole / 2 && cut > whole / 4);
    assert_int_equal(cairo_status(cairo), CAIRO_STATUS_SUCCESS);
    cairo_destroy(cairo);
}

static double linear(double channel) {
    return channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4);
}

/* Contrast as the web's accessibility guidelines define it. */
static double contrast(xc_colour a, xc_colour b) {
    const double x = 0.2126 * linear(a.red) + 0.7152 * linear(a.green) + 0.0722 * linear(a.blue) + 0.05;
    const double y = 0.2126 * linear(b.red) + 0.7152 * linear(b.green) + 0.0722 * linear(b.blue) + 0.05;
    return x > y ? x / y : y / x;
}

static void colours_stand_out_from_their_paper(void **state) {
    (void)state;
    const xc_theme *const themes[] = {&xc_theme_light, &xc_theme_dark};
    for (int i = 0; i < 2; i++) {
        const xc_theme *theme = themes[i];
        assert_true(contrast(theme->ink, theme->paper) >= 12);
        assert_true(contrast(theme->muted, theme->paper) >= 4.5);
        assert_true(contrast(theme->grid, theme->paper) < 2);
        for (int b = 0; b < 4; b++) assert_true(contrast(theme->base[b], theme->paper) >= 3);
        for (int s = 0; s < XC_SERIES_COLOURS; s++) assert_true(contrast(theme->series[s], theme->paper) >= 3);
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

static xc_status write_logo(const char *stem) {
    float ppm[12] = {0.7f, 0.1f, 0.1f, 0.1f, 0, 0.5f, 0.5f, 0, 0.25f, 0.25f, 0.25f, 0.25f};
    const xc_motif motif = {.id = "MA0000.1", .name = "NAME", .width = 3, .ppm = ppm};
    error = (xc_error){0};
    return xc_figure_logo(stem, &motif, &error);
}

static uint32_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void three_files_are_what_they_say(void **state) {
    (void)state;
    char stem[128];
    xc_picture picture;
    xc_motif_list filters;
    xc_filter_match match[7];
    make_filters(7, 12, &filters);
    make_matches(7, match);
    snprintf(stem, sizeof stem, "%s/sheet", folder);
    MUST(xc_sheet_picture("a trial", &filters, match, &picture, &error));
    MUST(xc_figure_sheet(stem, "a trial", &filters, match, &error));
    assert_int_equal(count_files(), 3);

    size_t size;
    char *svg = content_of(stem, ".svg", NULL);
    assert_memory_equal(svg, "<?xml version=\"1.0\"", 19);
    expect_well_formed(svg);
    free(svg);
    char *pdf = content_of(stem, ".pdf", &size);
    assert_memory_equal(pdf, "%PDF-1.", 7);
    assert_memory_equal(pdf + size - 6, "%%EOF\n", 6);
    free(pdf);
    char *png = content_of(stem, ".png", &size);
    assert_true(size > 1000);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(big_endian(png + 16), lround(2 * picture.width));
    assert_int_equal(big_endian(png + 20), lround(2 * picture.height));
    free(png);
    xc_picture_free(&picture);
    xc_motif_list_free(&filters);
}

/* More than a second lies between the two, and another picture. */
static void the_same_picture_gives_the_same_bytes(void **state) {
    (void)state;
    char first[128], second[128];
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    assert_int_equal(write_logo(first), XC_OK);
    text_is_as_wide_in_every_file(NULL);
    usleep(1100000);
    assert_int_equal(write_logo(second), XC_OK);
    for (int i = 0; i < 3; i++) {
        size_t sizes[2];
        char *a = content_of(first, endings[i], &sizes[0]), *b = content_of(second, endings[i], &sizes[1]);
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(a, b, sizes[0]);
        free(a);
        free(b);
    }
}

static void write_line(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    xc_text(cairo, theme->ink, 8, false, 2, 10, XC_ALIGN_LEFT, picture->content);
}

/* Glyphs are called the same in every SVG that cairo writes; in one page they would be one another's. */
static void pictures_share_no_names(void **state) {
    (void)state;
    xc_picture picture = {.width = 50, .height = 20, .draw = write_line};
    char *svg[2], *names[2];
    for (int i = 0; i < 2; i++) {
        picture.content = i ? "one" : "two";
        MUST(xc_picture_svg(&picture, &xc_theme_light, &svg[i], &error));
        names[i] = strstr(svg[i], "id=\"");
        assert_non_null(names[i]);
        names[i][strcspn(names[i], "-")] = 0;
        assert_null(strstr(names[i] + strlen(names[i]) + 1, "surface"));
    }
    assert_string_not_equal(names[0], names[1]);
    free(svg[0]);
    free(svg[1]);
}

static void expect_cleaned(const char *text, const char *expected) {
    char raw[256];
    xc_bytes clean = {0};
    snprintf(raw, sizeof raw, "<?xml?><svg %s/>", text);
    assert_true(xc_svg_clean(&(xc_bytes){.data = raw, .count = strlen(raw)}, &clean));
    snprintf(raw, sizeof raw, "<svg %s/>", expected);
    assert_string_equal(clean.data, raw);
    free(clean.data);
}

static void numbers_are_rounded_to_what_is_seen(void **state) {
    (void)state;
    expect_cleaned("d=\"M 12.345678 -0.456789 L 1.5 7 0.25\"", "d=\"M12.35 -0.457L1.5 7 0.25\"");
    expect_cleaned("d=\"9.996000 0.999900 100.000001 0.000000\"", "d=\"10 1 100 0\"");
    expect_cleaned("transform=\"matrix(0.000123456,0,0,0.75,12,8.126)\"",
                   "transform=\"matrix(0.000123,0,0,0.75,12,8.13)\"");
    expect_cleaned("r=\"0.0000123456\"", "r=\"0.0000123\""); /* no exponent */
    expect_cleaned("version=\"1.1\" fill=\"rgb(12.156863%,100%,0%)\"", "version=\"1.1\" fill=\"rgb(12.16%,100%,0%)\"");
    expect_cleaned("", "");
}

static void paths_are_written_without_what_draws_nothing(void **state) {
    (void)state;
    expect_cleaned("d=\"M 1 2 L 3 -4 C 1 2 3 4 5 6 Z M 1 2 \"", "d=\"M1 2L3 -4C1 2 3 4 5 6Z\"");
    expect_cleaned("d=\"M 1 2 L 3 4 Z M 1.5 2 L 7 7 \"", "d=\"M1 2L3 4ZM1.5 2L7 7 \""); /* goes on drawing */
}

static void expect_one_line(const char *word) {
    assert_non_null(strstr(error.text, word));
    assert_null(strchr(error.text, '\n'));
}

static void a_folder_that_is_not_there_is_one_line(void **state) {
    (void)state;
    char stem[128];
    snprintf(stem, sizeof stem, "%s/missing/logo", folder);
    assert_int_equal(write_logo(stem), XC_IO);
    expect_one_line("missing/logo.svg");
    assert_int_equal(count_files(), 0);
}

static void a_name_that_is_taken_is_one_line(void **state) {
    (void)state;
    char stem[128], path[160];
    snprintf(stem, sizeof stem, "%s/logo", folder);
    snprintf(path, sizeof path, "%s.pdf", stem);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(write_logo(stem), XC_IO);
    expect_one_line("logo.pdf");
    assert_int_equal(count_files(), 2); /* the whole SVG, and the folder in the way */
    char *svg = content_of(stem, ".svg", NULL);
    expect_well_formed(svg);
    free(svg);
}

/* A child whose files may not grow past 2 KiB stands for a full disk. */
static void a_full_disk_leaves_the_old_figure(void **state) {
    (void)state;
    char stem[128];
    size_t before, after;
    snprintf(stem, sizeof stem, "%s/logo", folder);
    assert_int_equal(write_logo(stem), XC_OK);
    char *old = content_of(stem, ".svg", &before);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {2048, 2048};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        const xc_status result = write_logo(stem);
        _exit(result == XC_IO && strstr(error.text, "logo.svg: cannot write: File too large") ? 0 : 1);
    }
    int result;
    waitpid(child, &result, 0);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    char *now = content_of(stem, ".svg", &after);
    assert_int_equal(before, after);
    assert_memory_equal(old, now, before);
    assert_int_equal(count_files(), 3);
    free(old);
    free(now);
}

static void fail_to_draw(const xc_picture *picture, cairo_t *cairo, const xc_theme *theme) {
    (void)picture, (void)theme;
    cairo_restore(cairo); /* without a save */
}

static void what_cannot_be_drawn_is_one_line(void **state) {
    (void)state;
    const xc_picture picture = {.width = 10, .height = 10, .draw = fail_to_draw};
    /* PNG has a largest size. */
    const xc_picture huge = {.width = 40000, .height = 10, .draw = write_line, .content = "wide"};
    char stem[128];
    snprintf(stem, sizeof stem, "%s/never", folder);
    error = (xc_error){0};
    assert_int_equal(xc_picture_write(&picture, stem, &error), XC_IO);
    expect_one_line("never: cannot draw the figure as SVG: cairo_restore");
    assert_int_equal(xc_picture_write(&huge, stem, &error), XC_IO);
    expect_one_line("never: cannot draw the figure as PNG");
    assert_int_equal(count_files(), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(text_is_as_wide_in_every_file),
        cmocka_unit_test(text_is_cut_to_its_room),
        cmocka_unit_test(colours_stand_out_from_their_paper),
        IN_FOLDER(three_files_are_what_they_say),
        IN_FOLDER(the_same_picture_gives_the_same_bytes),
        cmocka_unit_test(pictures_share_no_names),
        cmocka_unit_test(numbers_are_rounded_to_what_is_seen),
        cmocka_unit_test(paths_are_written_without_what_draws_nothing),
        IN_FOLDER(a_folder_that_is_not_there_is_one_line),
        IN_FOLDER(a_name_that_is_taken_is_one_line),
        IN_FOLDER(a_full_disk_leaves_the_old_figure),
        IN_FOLDER(what_cannot_be_drawn_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

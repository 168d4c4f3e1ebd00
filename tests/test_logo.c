/* test_logo.c: letters stand as high as their information says and fill their boxes, sheets hold every filter, and
 * figures reach the disk whole, the same bytes each time, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairo.h>

#include "../host/report/figure.h"
#include "folder_fixture.h"

static xc_error error;

#define MUST(call)                                       \
    do {                                                 \
        error = (xc_error){0};                           \
        if ((call) != XC_OK) fail_msg("%s", error.text); \
    } while (0)

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

static cairo_t *new_canvas(int width, int height) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    return cairo;
}

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

/* `count` filters of widths 1 to `widest`, every fifth of them flat, the others with a certain base at each position.
 */
static void make_filters(size_t count, uint32_t widest, xc_motif_list *filters) {
    MUST(xc_motif_list_create(filters, count, widest, &error));
    for (size_t i = 0; i < count; i++) {
        xc_motif *motif = &filters->motif[i];
        motif->width = widest - (uint32_t)(i % widest);
        motif->sites = i % 5 ? 1234.0 * (double)i : 0;
        for (uint32_t k = 0; i % 5 && k < motif->width; k++)
            for (uint32_t base = 0; base < 4; base++) motif->ppm[4 * k + base] = base == (i + k) % 4 ? 0.7f : 0.1f;
    }
}

static void make_matches(size_t count, xc_filter_match match[]) {
    for (size_t i = 0; i < count; i++) {
        match[i] = (xc_filter_match){.q = 3e-5};
        if (i % 3)
            snprintf(match[i].target, sizeof match[i].target, "%s", i % 2 ? "CEBPB" : "Arntl(var.2)::NPAS2::MAX");
        match[i].ground_truth = i % 3 == 1;
    }
}

static size_t count_letters(const xc_motif_list *filters) {
    xc_logo_letter letters[4];
    size_t count = 0;
    for (size_t i = 0; i < filters->count; i++)
        for (uint32_t k = 0; k < filters->motif[i].width; k++)
            count += (size_t)xc_logo_stack(filters->motif[i].ppm + 4 * k, letters);
    return count;
}

static size_t count_text(const char *text, const char *word) {
    size_t count = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) count++;
    return count;
}

/* Every tag closed by its own name, in order; attributes quoted. */
static void expect_well_formed(const char *text) {
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

/* Nothing stands outside of the picture. */
static void expect_inside(const xc_picture *picture) {
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
        MUST(xc_picture_svg(&picture, &xc_theme_dark, &svg, &error));
        assert_memory_equal(svg, "<svg", 4);
        expect_well_formed(svg);
        assert_int_equal(count_text(svg, "<path style=\" fill:rgb("), 4 * widths[i]);
        free(svg);
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
        make_filters(count, i % 2 ? 20 : 64, &filters);
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

static int count_files(void) {
    int count = 0;
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream));) count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

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
        cmocka_unit_test(heights_are_those_of_the_hand),
        cmocka_unit_test(what_says_nothing_has_no_letters),
        cmocka_unit_test(no_stack_is_higher_than_2_bits),
        cmocka_unit_test(letters_fill_their_box),
        cmocka_unit_test(letters_can_be_told_apart),
        cmocka_unit_test(a_logo_is_drawn_to_scale),
        cmocka_unit_test(a_logo_has_its_letters),
        cmocka_unit_test(a_sheet_holds_every_filter),
        cmocka_unit_test(thirty_two_filters_are_four_by_eight),
        cmocka_unit_test(any_name_can_be_drawn),
        IN_FOLDER(text_is_as_wide_in_every_file),
        cmocka_unit_test(text_is_cut_to_its_room),
        cmocka_unit_test(colours_stand_out_from_their_paper),
        IN_FOLDER(three_files_are_what_they_say),
        IN_FOLDER(the_same_picture_gives_the_same_bytes),
        cmocka_unit_test(pictures_share_no_names),
        IN_FOLDER(a_folder_that_is_not_there_is_one_line),
        IN_FOLDER(a_name_that_is_taken_is_one_line),
        IN_FOLDER(a_full_disk_leaves_the_old_figure),
        IN_FOLDER(what_cannot_be_drawn_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_report.c: how the page writes text and numbers, so that nothing of the user's becomes markup, and what it spares
 * the browser in a big sweep. The whole page is looked at in test_cli_report.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../host/report/page.h"
#include "folder_fixture.h"

/* What a writer of the page writes for a text, to be freed. */
static char *written(void (*write)(FILE *, const char *), const char *text) {
    char *result = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&result, &size);
    assert_non_null(stream);
    write(stream, text);
    assert_int_equal(fclose(stream), 0);
    return result;
}

static void expect(void (*write)(FILE *, const char *), const char *text, const char *expected) {
    char *result = written(write, text);
    assert_string_equal(result, expected);
    free(result);
}

static void test_text_is_not_markup(void **state) {
    (void)state;
    expect(xc_page_text, "a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&#39;");
    expect(xc_page_text, "</noscript><script>alert(1)</script>",
           "&lt;/noscript&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(xc_page_text, "tab\tbell\aline\nnext é", "tab bell line\nnext é");
}

static void base64(FILE *stream, const char *text) { xc_page_base64(stream, text, strlen(text)); }

/* The vectors of RFC 4648. */
static void test_base64(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) expect(base64, pairs[i][0], pairs[i][1]);
    char bytes[] = {'\xff', '\xfe', '\xfd', 0};
    expect(base64, bytes, "//79");
}

static void test_small_numbers(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{3.14e-7, "3e-07"}, {0.000999, "1e-03"}, {0.001, "0.001"},     {0.0342, "0.034"}, {0.5, "0.5"},
                 {1, "1"},           {0, "< 1e-307"},     {1.6e-176, "2e-176"}, {NAN, "–"}};
    char text[XC_PAGE_SMALL];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(xc_page_small(cases[i].value, text), cases[i].text);
    assert_string_equal(xc_page_why_no_p(1, 5), "too few trials");
    assert_string_equal(xc_page_why_no_p(2, 2), "both constant");
}

/* The part of the page about every network, of a sweep of so many that have not begun; to be freed. */
static char *write_networks(int seeds) {
    char yaml[256], path[128], *text = NULL;
    size_t size = 0;
    xc_error error = {0};
    xc_config *config;
    xc_grid grid;
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    snprintf(yaml, sizeof yaml, "data: {file: \"</noscript><b>.h5\"}\nsweep: {seeds: %d}\n", seeds);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(yaml, file);
    assert_int_equal(fclose(file), 0);
    if (xc_config_read(path, NULL, 0, &config, &error) != XC_OK) fail_msg("%s", error.text);
    if (xc_grid_build(config, folder, &grid, &error) != XC_OK) fail_msg("%s", error.text);
    xc_page page = {.stream = open_memstream(&text, &size), .grid = &grid, .folder = folder};
    assert_non_null(page.stream);
    if (xc_page_trials(&page, &error) != XC_OK) fail_msg("%s", error.text);
    assert_int_equal(fclose(page.stream), 0);
    xc_grid_free(&grid);
    xc_config_free(config);
    return text;
}

static int count_parts(const char *text, const char *part) {
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

/* In a big sweep what is behind each fold is packed, whole and once, and nothing of the user's ends the packing. */
static void test_many_networks_are_packed(void **state) {
    (void)state;
    for (int seeds = XC_PAGE_MANY; seeds <= XC_PAGE_MANY + 1; seeds++) {
        const int packed = seeds > XC_PAGE_MANY ? seeds : 0;
        char *text = write_networks(seeds);
        assert_int_equal(count_parts(text, "<details class=\"trial\">"), seeds);
        assert_int_equal(count_parts(text, "</span></summary>\n<noscript><div class=\"body\">\n"), packed);
        assert_int_equal(count_parts(text, "</div></noscript>\n</details>\n"), packed);
        assert_int_equal(count_parts(text, "noscript>"), 2 * packed);
        assert_int_equal(count_parts(text, "&lt;/noscript&gt;&lt;b&gt;.h5"), seeds);
        assert_int_equal(count_parts(text, "<div class=\"body\">"), seeds);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_not_markup),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_small_numbers),
        cmocka_unit_test_setup_teardown(test_many_networks_are_packed, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

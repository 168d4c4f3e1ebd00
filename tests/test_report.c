/* test_report.c: how the page writes text, numbers and pictures: nothing of the user's becomes markup, and a number
 * that is rounded for the page stays the number it was. The whole page is looked at in test_cli_report.c.
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

static void shorten(FILE *stream, const char *text) {
    char *copy = strdup(text);
    xc_page_shorten(copy);
    fputs(copy, stream);
    free(copy);
}

static void test_numbers_of_a_picture_are_rounded(void **state) {
    (void)state;
    expect(shorten, "M 12.345678 -0.456789 L 1.5 7", "M 12.35 -0.457 L 1.5 7");
    expect(shorten, "9.996000 0.999900 100.000001", "10 1 100");
    expect(shorten, "matrix(0.000123456,0,0,0.75,12,8.125)", "matrix(0.000123,0,0,0.75,12,8.12)");
    expect(shorten, "0.0000123456", "0.00001235"); /* never an exponent, which some readers of SVG do not know */
    expect(shorten, "id=\"i674f0121-0\" version=\"1.1\" rgb(12.156863%,100%,0%)",
           "id=\"i674f0121-0\" version=\"1.1\" rgb(12.16%,100%,0%)");
    expect(shorten, "", "");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_not_markup),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_numbers_of_a_picture_are_rounded),
        cmocka_unit_test(test_small_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

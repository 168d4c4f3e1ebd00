/* test_statistics.c: Welch's t-test against numbers of an arbitrary-precision library (60 digits), which scipy agrees
 * with as far as its own precision goes, down to p-values that hardly fit a double; and the samples that have none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "expconv/sweep.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_close(double got, double expected) {
    if (!(fabs(got - expected) <= 1e-12 * fabs(expected))) fail_msg("%.17g instead of %.17g", got, expected);
}

static void check(const double *first, size_t first_count, const double *second, size_t second_count, double t,
                  double degrees, double p) {
    const xc_welch welch = xc_welch_test(first, first_count, second, second_count);
    assert_close(welch.t, t);
    assert_close(welch.degrees, degrees);
    assert_close(welch.p, p);
    const xc_welch swapped = xc_welch_test(second, second_count, first, first_count);
    assert_close(swapped.t, -t);
    assert_close(swapped.degrees, degrees);
    assert_close(swapped.p, p);
}
#define CHECK(first, second, t, degrees, p) check(first, COUNT(first), second, COUNT(second), t, degrees, p)

static void test_against_many_digits(void **state) {
    (void)state;
    const double few[] = {0.97, 0.94, 1.0}, low[] = {0.0, 0.03125, 0.0};
    CHECK(few, low, 47.476967820598663, 3.2793900626338419, 9.0879345850771855e-6);
    const double a1[] = {27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
    const double a2[] = {27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.0, 23.9};
    CHECK(a1, a2, -2.8352638006644825, 27.713625968118758, 0.0084527324374434278);
}

static void test_tiny_p(void **state) {
    (void)state;
    const double high[] = {0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99};
    const double low[] = {0.0, 0.01, 0.02, 0.03, 0.0, 0.01, 0.02, 0.03, 0.04, 0.05};
    CHECK(high, low, 84.58455820085323, 13.97915505247595, 2.4011076916122838e-20);
    double one[40], other[35];
    for (int i = 0; i < 40; i++) one[i] = 1.0 + i % 7 * 1e-4;
    for (int i = 0; i < 35; i++) other[i] = 0.9 + i % 5 * 1e-4;
    CHECK(one, other, 2519.7143076615659, 70.550987967217679, 1.6373703720365714e-176);
}

/* t = 0 has p = 1 exactly; numbers too small to be squared are numbers. */
static void test_ends_of_the_range(void **state) {
    (void)state;
    const double up[] = {1, 2, 3}, down[] = {3, 2, 1};
    CHECK(up, down, 0.0, 4.0, 1.0);
    const double small[] = {1e-200, 3e-200, 2e-200}, larger[] = {5e-200, 9e-200, 8e-200};
    CHECK(small, larger, -4.0, 2.8764044943820223, 0.030276367530350404);
    double wide[2000], shifted[2000];
    for (int i = 0; i < 2000; i++) wide[i] = i % 2 ? 1 : -1, shifted[i] = wide[i] + 1e-4;
    const xc_welch near = xc_welch_test(wide, 2000, shifted, 2000);
    assert_close(near.p, 0.99747766027311563);
}

/* One constant sample is enough to vary for both; two are not, though their means may not be exact numbers. */
static void test_constant_samples(void **state) {
    (void)state;
    const double constant[] = {0.5, 0.5, 0.5}, varied[] = {0.1, 0.2, 0.3, 0.4};
    CHECK(constant, varied, 3.8729833462074167, 3.0, 0.030466291662170996);
    const double tenths[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, sevenths[] = {1.0 / 7, 1.0 / 7, 1.0 / 7};
    const xc_welch none = xc_welch_test(tenths, 6, sevenths, 3);
    assert_true(isnan(none.t) && isnan(none.degrees) && isnan(none.p));
}

static void test_too_few(void **state) {
    (void)state;
    const double two[] = {1, 2}, one[] = {1, NAN}, gaps[] = {NAN, 1, INFINITY, 2};
    assert_true(isnan(xc_welch_test(two, 2, one, 2).p));
    assert_true(isnan(xc_welch_test(one, 2, two, 2).t));
    assert_true(isnan(xc_welch_test(two, 2, NULL, 0).degrees));
    CHECK(two, gaps, 0.0, 2.0, 1.0); /* what is not finite is left out */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_many_digits),
        cmocka_unit_test(test_tiny_p),
        cmocka_unit_test(test_ends_of_the_range),
        cmocka_unit_test(test_constant_samples),
        cmocka_unit_test(test_too_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

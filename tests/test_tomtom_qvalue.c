/* test_tomtom_qvalue.c: q-values and the random numbers behind them, against their definitions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "tomtom_fixture.h"

/* ---- q-values --------------------------------------------------------------------------------------------------- */

static void qvalues_of_few(void **state) {
    (void)state;
    static const float p[4] = {0.0078125f, 0.015625f, 0.5f, 0.5f};
    static const double expected[4] = {0.03125, 0.03125, 0.5, 0.5}; /* p x 4 / rank, then the least from there on */
    xc_tomtom_random random;
    uint8_t classes[4];
    double q[4];
    xc_tomtom_random_start(&random);
    xc_tomtom_qvalues(p, 4, &random, classes, q);
    for (int i = 0; i < 4; i++) assert_float_equal(q[i], expected[i], 1e-15);
    xc_tomtom_qvalues(p, 1, &random, classes, q);
    assert_float_equal(q[0], 0.0078125, 0);
}

/* A third of 300 p-values is far below all lambdas; the rest is uniform: pi_0 is two thirds. */
static void qvalues_of_many(void **state) {
    (void)state;
    enum { COUNT = 300, TRUE = 100 };
    float p[COUNT];
    double q[COUNT];
    uint8_t classes[COUNT];
    xc_tomtom_random random, skipped;
    for (int i = 0; i < TRUE; i++) p[i] = 1e-9f * (float)(i + 1);
    for (int i = TRUE; i < COUNT; i++) p[i] = ((float)(i - TRUE) + 0.5f) / (COUNT - TRUE);
    xc_tomtom_random_start(&random);
    skipped = random;
    xc_tomtom_qvalues(p, COUNT, &random, classes, q);
    const double pi_zero = q[COUNT - 1] / (double)p[COUNT - 1];
    assert_float_equal(pi_zero, 2.0 / 3, 0.02);
    for (int i = 0; i < COUNT; i++) assert_true(q[i] <= pi_zero * (double)p[i] * COUNT / (i + 1) * (1 + 1e-12));
    for (int i = 1; i < COUNT; i++) assert_true(q[i] >= q[i - 1]);
    xc_tomtom_random_skip(&skipped, COUNT);
    xc_tomtom_qvalues(p, COUNT, &random, classes, q);
    double again[COUNT];
    xc_tomtom_qvalues(p, COUNT, &skipped, classes, again);
    assert_memory_equal(q, again, sizeof q);
    assert_memory_equal(&random, &skipped, sizeof random);
}

/* The first numbers that the generator's authors published for this seed. */
static void random_is_the_published(void **state) {
    (void)state;
    static const uint32_t expected[5] = {3510405877u, 4290933890u, 2191955339u, 564929546u, 152112058u};
    xc_tomtom_random random;
    xc_tomtom_random_start(&random);
    for (int i = 0; i < 5; i++) {
        uint32_t value = random.word[i];
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c5680u;
        value ^= (value << 15) & 0xefc60000u;
        assert_int_equal(value ^ (value >> 18), expected[i]);
    }
}

/* ---- pi_0 by its definition ------------------------------------------------------------------------------------- */

/* The generator as its authors published it. */
typedef struct plain_random {
    uint32_t word[624];
    int next;
} plain_random;

static uint32_t plain_word(plain_random *random) {
    if (random->next == 624) {
        for (int i = 0; i < 624; i++) {
            const uint32_t mixed = (random->word[i] & 0x80000000u) | (random->word[(i + 1) % 624] & 0x7fffffffu);
            random->word[i] = random->word[(i + 397) % 624] ^ (mixed >> 1) ^ (mixed & 1 ? 0x9908b0dfu : 0);
        }
        random->next = 0;
    }
    uint32_t value = random->word[random->next++];
    value ^= value >> 11;
    value ^= (value << 7) & 0x9d2c5680u;
    value ^= (value << 15) & 0xefc60000u;
    return value ^ (value >> 18);
}

static plain_random start_plain(void) {
    plain_random random = {.next = 624};
    for (uint32_t i = 0, value = 4357; i < 624; i++, value *= 69069) random.word[i] = value;
    return random;
}

/* Counts in *carried when the first word alone would give another place. */
static size_t plain_draw(plain_random *random, size_t count, int *carried) {
    const uint64_t high = plain_word(random), low = plain_word(random);
    const size_t place = (size_t)((double)(high << 32 | low) / 18446744073709551616.0 * (double)count);
    *carried += place != high * count >> 32;
    return place;
}

/* Each draw is where both of its words put it; with so many to draw from, the second now and then decides. */
static void draws_by_definition(void **state) {
    (void)state;
    static const size_t counts[] = {101, 1036, 65535, 65536, 100000, 10000000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const size_t count = counts[c];
        uint8_t *classes = malloc(count);
        plain_random plain = start_plain();
        xc_tomtom_random random;
        int carried = 0;
        for (size_t i = 0; i < count; i++) classes[i] = (uint8_t)(i % TOMTOM_CLASSES); /* neighbours differ */
        xc_tomtom_random_start(&random);
        for (int k = 0; k < 1000; k++) {
            uint32_t found[TOMTOM_CLASSES], expected[TOMTOM_CLASSES] = {0};
            xc_tomtom_resample(&random, classes, count, found);
            for (int i = 0; i < TOMTOM_DRAWS; i++) expected[plain_draw(&plain, count, &carried) % TOMTOM_CLASSES]++;
            assert_memory_equal(found, expected, sizeof found);
        }
        if (count == 65535 || count == 10000000) assert_true(carried > 0);
        free(classes);
    }
}

static double plain_pi_zero(const float *p, size_t count, double lambda) {
    size_t above = 0;
    for (size_t i = 0; i < count; i++) above += (double)p[i] >= lambda;
    return above ? (double)above / ((1 - lambda) * (double)count) : HUGE_VAL;
}

/* Storey's bootstrap: the lambda with the least mean square error against the least of all estimates. */
static double bootstrap(plain_random *random, const float *p, size_t count) {
    double least = HUGE_VAL, error[100] = {0};
    int best = 0, carried = 0;
    for (int i = 0; i < 100; i++) least = fmin(least, plain_pi_zero(p, count, (i + 1) / 100.0 * 0.5));
    for (int k = 0; k < 100; k++) {
        float drawn[1000];
        for (int i = 0; i < 1000; i++) {
            drawn[i] = p[plain_draw(random, count, &carried)];
        }
        for (int i = 0; i < 100; i++) {
            const double off = plain_pi_zero(drawn, 1000, (i + 1) / 100.0 * 0.5) - least;
            error[i] += off * off;
        }
    }
    for (int i = 1; i < 100; i++)
        if (error[i] < error[best]) best = i;
    return fmin(1, plain_pi_zero(p, count, (best + 1) / 100.0 * 0.5));
}

/* One stream for all queries; also with more p-values than the fast way can take. */
static void qvalues_by_definition(void **state) {
    (void)state;
    static const size_t counts[] = {101, 1036, 1036, 65535, 100000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const size_t count = counts[c];
        float *p = malloc(count * sizeof *p);
        double *q = malloc(count * sizeof *q), least = 1;
        uint8_t *classes = malloc(count);
        xc_tomtom_random random;
        plain_random plain = start_plain();
        for (size_t i = 0; i < count; i++) p[i] = (float)pow((double)(i + 1) / (double)count, 1.5 + (double)c / 10);
        xc_tomtom_random_start(&random);
        for (int query = 0; query < 3; query++) {
            const double pi_zero = bootstrap(&plain, p, count);
            xc_tomtom_qvalues(p, count, &random, classes, q);
            least = 1;
            for (size_t i = count; i-- > 0;) {
                least = fmin(least, pi_zero * (double)p[i] * (double)count / (double)(i + 1));
                if (q[i] != least) fail_msg("q[%zu] of %zu is %.17g, not %.17g", i, count, q[i], least);
            }
        }
        free(p);
        free(q);
        free(classes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qvalues_of_few),          cmocka_unit_test(qvalues_of_many),
        cmocka_unit_test(random_is_the_published), cmocka_unit_test(draws_by_definition),
        cmocka_unit_test(qvalues_by_definition),
    };
    return cmocka_run_group_tests_name("tomtom_qvalue", tests, fixture_open, fixture_close);
}

/* test_shuffle.c: backgrounds: what a shuffle keeps, that all orders are as likely, that nothing else matters. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/attribution.h"

typedef void shuffle(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number,
                     uint8_t *to, void *work);

enum { LONGEST = 300 };

static void draw(uint8_t *codes, uint32_t length, uint64_t seed) {
    xc_random_sequence random = {.seed = seed, .stream = XC_STREAM_SIMULATE};
    for (uint32_t l = 0; l < length; l++)
        codes[l] = xc_random_below(&random, 25) == 0 ? XC_BASE_N : (uint8_t)xc_random_below(&random, 4);
}

static void count_pairs(const uint8_t *codes, uint32_t length, int letters[5], int pairs[25]) {
    memset(letters, 0, 5 * sizeof *letters);
    memset(pairs, 0, 25 * sizeof *pairs);
    for (uint32_t l = 0; l < length; l++) letters[codes[l]]++;
    for (uint32_t l = 0; l + 1 < length; l++) pairs[5 * codes[l] + codes[l + 1]]++;
}

static void test_counts(void **state) {
    (void)state;
    uint8_t codes[LONGEST], to[LONGEST], again[LONGEST];
    int letters[5], pairs[25], after[5], pairs_after[25];
    for (uint32_t length = 1; length <= LONGEST; length += length < 12 ? 1 : 96)
        for (uint32_t number = 0; number < 20; number++) {
            void *work = malloc(xc_shuffle_work(length)), *other = malloc(xc_shuffle_work(length));
            memset(work, 0xA5, xc_shuffle_work(length));
            memset(other, 0, xc_shuffle_work(length));
            draw(codes, length, length);
            count_pairs(codes, length, letters, pairs);
            xc_shuffle(codes, length, 1, 2, number, to, work);
            count_pairs(to, length, after, pairs_after);
            assert_memory_equal(letters, after, sizeof letters);
            xc_shuffle(codes, length, 1, 2, number, again, other);
            assert_memory_equal(to, again, length);
            xc_shuffle_dinucleotides(codes, length, 1, 2, number, to, work);
            count_pairs(to, length, after, pairs_after);
            assert_memory_equal(pairs, pairs_after, sizeof pairs);
            assert_true(to[0] == codes[0] && to[length - 1] == codes[length - 1]);
            xc_shuffle_dinucleotides(codes, length, 1, 2, number, again, other);
            assert_memory_equal(to, again, length);
            free(work);
            free(other);
        }
}

static void test_differ(void **state) {
    (void)state;
    uint8_t codes[LONGEST], one[LONGEST], other[LONGEST];
    shuffle *const kinds[] = {xc_shuffle, xc_shuffle_dinucleotides};
    void *work = malloc(xc_shuffle_work(LONGEST));
    draw(codes, LONGEST, 3);
    for (int k = 0; k < 2; k++) {
        kinds[k](codes, LONGEST, 1, 2, 3, one, work);
        assert_memory_not_equal(one, codes, LONGEST);
        kinds[k](codes, LONGEST, 9, 2, 3, other, work);
        assert_memory_not_equal(one, other, LONGEST);
        kinds[k](codes, LONGEST, 1, 9, 3, other, work);
        assert_memory_not_equal(one, other, LONGEST);
        kinds[k](codes, LONGEST, 1, 2, 9, other, work);
        assert_memory_not_equal(one, other, LONGEST);
    }
    free(work);
}

/* Chi square of how often each order comes; `orders` is filled as they are met. */
static double chi_square(shuffle *kind, const uint8_t *codes, uint32_t length, int draws, int *orders) {
    enum { MOST = 200 };
    static uint8_t seen[MOST][16];
    int count[MOST] = {0};
    uint8_t to[16];
    void *work = malloc(xc_shuffle_work(length));
    *orders = 0;
    for (int i = 0; i < draws; i++) {
        int at = 0;
        kind(codes, length, 7, (uint64_t)i / 10, (uint32_t)i % 10, to, work);
        while (at < *orders && memcmp(seen[at], to, length) != 0) at++;
        if (at == *orders) memcpy(seen[(*orders)++], to, length);
        count[at]++;
    }
    free(work);
    double sum = 0;
    const double expected = (double)draws / *orders;
    for (int i = 0; i < *orders; i++) sum += (count[i] - expected) * (count[i] - expected) / expected;
    return sum;
}

/* All orders of distinct letters, and all Euler paths, of ACGTACGATA: from A, with the pairs
 * AC 2, CG 2, GT 1, TA 2, GA 1, AT 1, a search of all walks finds 6 sequences. Limits: 1 in 10,000 by chance. */
static void test_uniform(void **state) {
    (void)state;
    int orders;
    const uint8_t four[] = {0, 1, 2, 3}, path[] = {0, 1, 2, 3, 0, 1, 2, 0, 3, 0};
    const double permutations = chi_square(xc_shuffle, four, 4, 24000, &orders);
    assert_int_equal(orders, 24);
    assert_true(permutations < 57.0);
    const double paths = chi_square(xc_shuffle_dinucleotides, path, 10, 24000, &orders);
    print_message("%d Euler paths, chi square %.1f\n", orders, paths);
    assert_int_equal(orders, 6);
    assert_true(paths < 25.7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_differ),
        cmocka_unit_test(test_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

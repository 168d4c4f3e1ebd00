/* test_philox.c: Philox4x32-10 against the known answers of its authors, and the sequences made from it.
 *
 * Known answers: Random123 1.14.0, tests/kat_vectors (Salmon et al., BSD licence).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expconv/philox.h"

typedef struct known {
    uint32_t counter[4], key[2], words[4];
} known;

static const known KNOWN[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, /* digits of pi */
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_known_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        const known *k = &KNOWN[i];
        const xc_philox_words out =
            xc_philox4x32(k->counter[0], k->counter[1], k->counter[2], k->counter[3], k->key[0], k->key[1]);
        for (int w = 0; w < 4; w++) assert_int_equal(out.word[w], k->words[w]);
    }
}

/* Where seed, stream, substream and index go is part of the reproducibility contract. */
static void test_placement(void **state) {
    (void)state;
    const xc_philox_words a = xc_random(0x299f31d0a4093822u, (xc_stream)0x03707344, 0x13198a2e, 0x85a308d3243f6a88u);
    for (int w = 0; w < 4; w++) assert_int_equal(a.word[w], KNOWN[2].words[w]);
    assert_int_equal(XC_STREAM_WEIGHTS, 1);
    assert_int_equal(XC_STREAM_ORDER, 2);
    assert_int_equal(XC_STREAM_DROPOUT, 3);
    assert_int_equal(XC_STREAM_SIMULATE, 4);
    assert_int_equal(XC_STREAM_SHUFFLE, 5);
}

static void test_sequence(void **state) {
    (void)state;
    xc_random_sequence sequence = {.seed = 42, .stream = XC_STREAM_ORDER, .substream = 7};
    for (uint64_t i = 0; i < 40; i++) {
        const xc_philox_words words = xc_random(42, XC_STREAM_ORDER, 7, i / 4);
        assert_int_equal(xc_random_next(&sequence), words.word[i % 4]);
    }
}

static void test_below(void **state) {
    (void)state;
    xc_random_sequence sequence = {.seed = 1, .stream = XC_STREAM_SIMULATE};
    enum { BOUND = 12, DRAWS = 120000 };
    double counts[BOUND] = {0}, chi_square = 0;
    for (int i = 0; i < DRAWS; i++) {
        const uint32_t drawn = xc_random_below(&sequence, BOUND);
        assert_true(drawn < BOUND);
        counts[drawn]++;
    }
    for (int i = 0; i < BOUND; i++) {
        const double expected = (double)DRAWS / BOUND;
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    assert_true(chi_square < 31.3); /* 11 degrees of freedom, p = 0.001 */
    for (int i = 0; i < 100; i++) assert_int_equal(xc_random_below(&sequence, 1), 0);
}

static void test_uniform(void **state) {
    (void)state;
    assert_true(xc_uniform(0) == 0);
    assert_true(xc_uniform(0xffffffffu) < 1);
    assert_true(xc_uniform(0x80000000u) == 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_placement), cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_below),         cmocka_unit_test(test_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_shuffle.c: shuffled sequences as backgrounds. What must be kept is kept: bases, pairs of neighbours, both ends.
 * All that could come out is enumerated for short sequences, and each comes out as often as any other, whichever of
 * seed, sequence and number is counted up. Nothing depends on what was in the work memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/attribution.h"
#include "expconv/philox.h"

enum { LETTERS = XC_BASE_N + 1, LONGEST = 1000, SHORT = 16, MOST_OUTCOMES = 4096 };

typedef void shuffle(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number,
                     uint8_t *to, void *work);

/* Of text in ACGTN. Returns the length. */
static uint32_t codes_of(const char *text, uint8_t *codes) {
    static const char letters[] = "ACGTN";
    for (size_t l = 0; text[l]; l++) codes[l] = (uint8_t)(strchr(letters, text[l]) - letters);
    return (uint32_t)strlen(text);
}

/* With work memory of the size that is asked for and no byte more, filled with `junk`. */
static void shuffle_with(shuffle *how, const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence,
                         uint32_t number, int junk, uint8_t *to) {
    const size_t bytes = xc_shuffle_work(length);
    void *work = test_malloc(bytes);
    memset(work, junk, bytes);
    how(codes, length, seed, sequence, number, to, work);
    test_free(work);
}

static void random_codes(uint8_t *codes, uint32_t length, uint32_t substream, uint32_t letters) {
    xc_random_sequence draw = {.seed = 17, .stream = XC_STREAM_SIMULATE, .substream = substream};
    for (uint32_t l = 0; l < length; l++) codes[l] = (uint8_t)xc_random_below(&draw, letters);
}

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static void assert_kept(const uint8_t *codes, const uint8_t *to, uint32_t length, bool pairs) {
    int bases[LETTERS] = {0}, neighbours[LETTERS][LETTERS] = {{0}};
    for (uint32_t l = 0; l < length; l++) {
        assert_true(to[l] < LETTERS);
        bases[codes[l]]++, bases[to[l]]--;
        if (l) neighbours[codes[l - 1]][codes[l]]++, neighbours[to[l - 1]][to[l]]--;
    }
    for (int i = 0; i < LETTERS; i++) {
        assert_int_equal(bases[i], 0);
        for (int j = 0; pairs && j < LETTERS; j++) assert_int_equal(neighbours[i][j], 0);
    }
    if (!pairs) return;
    assert_int_equal(to[0], codes[0]);
    assert_int_equal(to[length - 1], codes[length - 1]);
}

/* One letter alone, two, ..., all five: at all lengths to 40 and at some more. */
static void test_kept(void **state) {
    (void)state;
    uint8_t codes[LONGEST], to[LONGEST];
    for (uint32_t length = 1; length <= LONGEST; length += length < 40 ? 1 : 96)
        for (uint32_t letters = 1; letters <= LETTERS; letters++)
            for (uint32_t number = 0; number < 20; number++) {
                random_codes(codes, length, 100 * length + letters, letters);
                shuffle_with(xc_shuffle, codes, length, 3, 5, number, 0xff, to);
                assert_kept(codes, to, length, false);
                shuffle_with(xc_shuffle_dinucleotides, codes, length, 3, 5, number, 0xff, to);
                assert_kept(codes, to, length, true);
            }
}

static void test_input_is_left_alone(void **state) {
    (void)state;
    uint8_t codes[LONGEST], before[LONGEST], to[LONGEST];
    random_codes(codes, LONGEST, 1, LETTERS);
    memcpy(before, codes, sizeof codes);
    shuffle_with(xc_shuffle, codes, LONGEST, 1, 2, 3, 0, to);
    shuffle_with(xc_shuffle_dinucleotides, codes, LONGEST, 1, 2, 3, 0, to);
    assert_memory_equal(codes, before, sizeof codes);
}

/* Sequences that have one arrangement of their pairs: themselves. Of two bases, both orders come of a shuffle. */
static void test_shortest(void **state) {
    (void)state;
    static const char *const rigid[] = {"A", "N", "AC", "NN", "AAA", "ACG", "NTN", "AAAC", "ACACAC", "ACGTN"};
    uint8_t codes[SHORT], to[SHORT];
    for (size_t i = 0; i < sizeof rigid / sizeof *rigid; i++)
        for (uint32_t number = 0; number < 50; number++) {
            const uint32_t length = codes_of(rigid[i], codes);
            shuffle_with(xc_shuffle_dinucleotides, codes, length, 1, 0, number, 0x7f, to);
            assert_memory_equal(to, codes, length);
        }
    codes_of("AC", codes);
    int turned = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        shuffle_with(xc_shuffle, codes, 2, 1, 0, number, 0, to);
        assert_int_equal(to[0] + to[1], 1);
        turned += to[0] == 1;
    }
    assert_in_range(turned, 440, 560);
    shuffle_with(xc_shuffle, codes, 1, 1, 0, 0, 0, to);
    assert_int_equal(to[0], codes[0]);
    to[0] = 9;
    shuffle_with(xc_shuffle, codes, 0, 1, 0, 0, 0, to);
    shuffle_with(xc_shuffle_dinucleotides, codes, 0, 1, 0, 0, 0, to);
    assert_int_equal(to[0], 9);
}

/* ---- how often each comes out ------------------------------------------------------------------------------------ */

/* All that can come out, each once, and how often it did. */
static struct {
    uint8_t codes[MOST_OUTCOMES][SHORT];
    int seen[MOST_OUTCOMES], count;
    uint32_t length;
} outcomes;

/* Lays one more letter wherever the counts that are left allow it: counts of bases or of pairs. */
static void enumerate(int left[LETTERS][LETTERS], bool pairs, uint8_t *codes, uint32_t at) {
    if (at == outcomes.length) {
        assert_true(outcomes.count < MOST_OUTCOMES);
        memcpy(outcomes.codes[outcomes.count++], codes, at);
        return;
    }
    for (uint8_t letter = 0; letter < LETTERS; letter++) {
        int *count = &left[pairs ? codes[at - 1] : 0][letter];
        if (*count == 0) continue;
        --*count;
        codes[at] = letter;
        enumerate(left, pairs, codes, at + 1);
        ++*count;
    }
}

static void enumerate_all(const uint8_t *codes, uint32_t length, bool pairs) {
    int left[LETTERS][LETTERS] = {{0}};
    uint8_t walk[SHORT] = {codes[0]};
    memset(&outcomes, 0, sizeof outcomes);
    outcomes.length = length;
    for (uint32_t l = pairs; l < length; l++) left[pairs ? codes[l - 1] : 0][codes[l]]++;
    enumerate(left, pairs, walk, pairs);
}

static void count_outcome(const uint8_t *to) {
    for (int i = 0; i < outcomes.count; i++)
        if (memcmp(outcomes.codes[i], to, outcomes.length) == 0) {
            outcomes.seen[i]++;
            return;
        }
    fail_msg("a shuffle is none of the %d that there are", outcomes.count);
}

/* Chi-square against all alike, as a standard normal deviate (Wilson and Hilferty 1931). */
static double deviate(int draws) {
    const double expected = (double)draws / outcomes.count, freedom = outcomes.count - 1;
    double chi_square = 0;
    for (int i = 0; i < outcomes.count; i++) chi_square += pow(outcomes.seen[i] - expected, 2) / expected;
    return (cbrt(chi_square / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
}

/* 200 draws an outcome, counting up number, sequence or seed. */
static void check_uniform(const char *text, bool pairs, int wanted) {
    uint8_t codes[SHORT], to[SHORT];
    const uint32_t length = codes_of(text, codes);
    for (int axis = 0; axis < 3; axis++) {
        enumerate_all(codes, length, pairs);
        assert_int_equal(outcomes.count, wanted);
        const int draws = 200 * outcomes.count;
        for (int i = 0; i < draws; i++) {
            const uint64_t seed = 7 + (axis == 2 ? (uint64_t)i : 0), sequence = axis == 1 ? (uint64_t)i : 4;
            shuffle_with(pairs ? xc_shuffle_dinucleotides : xc_shuffle, codes, length, seed, sequence,
                         axis == 0 ? (uint32_t)i : 2, 0x55, to);
            count_outcome(to);
        }
        const double z = deviate(draws);
        if (!(fabs(z) < 3.3)) fail_msg("%s: %d outcomes are not alike: z = %.2f, axis %d", text, wanted, z, axis);
    }
}

static void test_permutations_are_alike(void **state) {
    (void)state;
    check_uniform("ACG", false, 6);
    check_uniform("ACGTN", false, 120);
    check_uniform("AACCGG", false, 90);
    check_uniform("AAAAACGT", false, 336);
}

/* The numbers of outcomes are those of arrangements with the same pairs; some trees of last exits are rarer than others
 * (the letters of the last two leave each other in loops before they come to the end). */
static void test_euler_paths_are_alike(void **state) {
    (void)state;
    check_uniform("ACAGA", true, 2);
    check_uniform("ACAGATA", true, 6);
    check_uniform("AACAGGATA", true, 24);
    check_uniform("ACGACTAGCA", true, 30);
    check_uniform("ACGTACTGAC", true, 6);
    check_uniform("ANCNANGNAN", true, 12);
    check_uniform("CGCGAGCACGT", true, 21);
    check_uniform("GATTACAGATTACA", true, 90);
}

/* ---- what it depends on ------------------------------------------------------------------------------------------ */

static void test_work_does_not_matter(void **state) {
    (void)state;
    uint8_t codes[LONGEST], one[LONGEST], other[LONGEST];
    shuffle *const both[] = {xc_shuffle, xc_shuffle_dinucleotides};
    random_codes(codes, LONGEST, 2, LETTERS);
    for (int how = 0; how < 2; how++)
        for (uint32_t length = 1; length <= LONGEST; length += 111) {
            shuffle_with(both[how], codes, length, 1, 2, 3, 0, one);
            for (int junk = 1; junk < 256; junk += 127) {
                shuffle_with(both[how], codes, length, 1, 2, 3, junk, other);
                assert_memory_equal(one, other, length);
            }
        }
}

/* Every bit of seed, sequence and number counts. */
static void test_different_numbers_differ(void **state) {
    (void)state;
    enum { SIZE = 200, KINDS = 1 + 64 + 64 + 32 };
    static uint8_t to[KINDS][SIZE];
    uint8_t codes[SIZE];
    shuffle *const both[] = {xc_shuffle, xc_shuffle_dinucleotides};
    random_codes(codes, SIZE, 3, 4);
    for (int how = 0; how < 2; how++) {
        for (int i = 0; i < KINDS; i++) {
            const uint64_t seed = 1 <= i && i <= 64 ? (uint64_t)1 << (i - 1) : 0;
            const uint64_t sequence = 65 <= i && i <= 128 ? (uint64_t)1 << (i - 65) : 0;
            const uint32_t number = i > 128 ? (uint32_t)1 << (i - 129) : 0;
            shuffle_with(both[how], codes, SIZE, seed, sequence, number, 0, to[i]);
            assert_memory_not_equal(to[i], codes, SIZE);
            for (int j = 0; j < i; j++) assert_memory_not_equal(to[i], to[j], SIZE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_input_is_left_alone),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_permutations_are_alike),
        cmocka_unit_test(test_euler_paths_are_alike),
        cmocka_unit_test(test_work_does_not_matter),
        cmocka_unit_test(test_different_numbers_differ),
    };
    return cmocka_run_group_tests_name("shuffle", tests, NULL, NULL);
}

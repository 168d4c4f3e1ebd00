/* rank.c: AUROC, AUPR and average precision of one column of scores, exact, with ties as scikit-learn has them.
 *
 * Only the order of the scores matters, so positives and negatives are turned to integer keys, radix sorted apart, and
 * walked together from the largest score down, one group of equal scores after another. Nothing here reads NaN: callers
 * look for it first.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

/* Unsigned integers in the order of the floats; -0 equals 0, the infinities are the ends. */
static uint32_t key_of(float score) {
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

enum { RADIX_BITS = 11, RADIX_PASSES = 3, RADIX_BINS = 1 << RADIX_BITS };

static uint32_t digit_of(uint32_t key, int pass) { return (key >> (pass * RADIX_BITS)) & (RADIX_BINS - 1); }

/* Sorts keys (n) ascending, with spare (n); returns which of the two holds the result. */
static uint32_t *sort_keys(uint32_t *keys, uint32_t *spare, size_t n) {
    uint32_t count[RADIX_PASSES][RADIX_BINS];
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++)
        for (int pass = 0; pass < RADIX_PASSES; pass++) count[pass][digit_of(keys[i], pass)]++;
    for (int pass = 0; pass < RADIX_PASSES && n > 0; pass++) {
        if (count[pass][digit_of(keys[0], pass)] == n) continue; /* this digit is the same everywhere */
        uint32_t place = 0;
        for (int bin = 0; bin < RADIX_BINS; bin++) {
            const uint32_t here = count[pass][bin];
            count[pass][bin] = place;
            place += here;
        }
        for (size_t i = 0; i < n; i++) spare[count[pass][digit_of(keys[i], pass)]++] = keys[i];
        uint32_t *const sorted = spare;
        spare = keys;
        keys = sorted;
    }
    return keys;
}

/* Keys of the scores with the given label, written from `keys` on; returns how many. */
static size_t gather_keys(const float *scores, const float *labels, size_t n, bool positive, uint32_t *keys) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if ((labels[i] > 0.5f) == positive) keys[count++] = key_of(scores[i]);
    return count;
}

/* Source: AUROC is the Mann-Whitney statistic over positives times negatives, a tie counting half, summed in integers.
 * AUPR and average precision run over scikit-learn's precision_recall_curve: one point for each distinct score, and
 * (recall 0, precision 1) before the first. */
static xc_ranking walk_down(const uint32_t *positive, size_t positives, const uint32_t *negative, size_t negatives) {
    uint64_t twice_pairs = 0;
    double aupr = 0, average_precision = 0, last_recall = 0, last_precision = 1;
    size_t true_positives = 0, false_positives = 0;
    while (true_positives < positives || false_positives < negatives) {
        uint32_t key = 0;
        if (true_positives < positives) key = positive[positives - 1 - true_positives];
        if (false_positives < negatives && negative[negatives - 1 - false_positives] > key)
            key = negative[negatives - 1 - false_positives];
        const size_t before = true_positives, false_before = false_positives;
        while (true_positives < positives && positive[positives - 1 - true_positives] == key) true_positives++;
        while (false_positives < negatives && negative[negatives - 1 - false_positives] == key) false_positives++;

        twice_pairs += (uint64_t)(false_positives - false_before) * (before + true_positives);
        const double precision = (double)true_positives / (double)(true_positives + false_positives);
        const double recall = (double)true_positives / (double)positives;
        aupr += (recall - last_recall) * (precision + last_precision) / 2;
        average_precision += (recall - last_recall) * precision;
        last_recall = recall;
        last_precision = precision;
    }
    xc_ranking ranking = {NAN, NAN, NAN};
    if (positives > 0) {
        ranking.aupr = aupr;
        ranking.average_precision = average_precision;
        if (negatives > 0) ranking.auroc = (double)twice_pairs / (2.0 * (double)positives * (double)negatives);
    }
    return ranking;
}

xc_ranking xc_rank(const float *scores, const float *labels, size_t n, uint32_t *keys) {
    uint32_t *spare = keys + n;
    const size_t positives = gather_keys(scores, labels, n, true, keys);
    const size_t negatives = gather_keys(scores, labels, n, false, keys + positives);
    const uint32_t *const positive = sort_keys(keys, spare, positives);
    const uint32_t *const negative = sort_keys(keys + positives, spare + positives, negatives);
    return walk_down(positive, positives, negative, negatives);
}

/* A column on its own: NaN scores, and memory that is not there, make everything NaN. */
static xc_ranking rank_alone(const float *scores, const float *labels, size_t n) {
    xc_ranking ranking = {NAN, NAN, NAN};
    for (size_t i = 0; i < n; i++)
        if (isnan(scores[i])) return ranking;
    uint32_t *keys = malloc((2 * n + 1) * sizeof *keys);
    if (keys) ranking = xc_rank(scores, labels, n, keys);
    free(keys);
    return ranking;
}

double xc_auroc(const float *scores, const float *labels, size_t n) { return rank_alone(scores, labels, n).auroc; }

double xc_aupr(const float *scores, const float *labels, size_t n) { return rank_alone(scores, labels, n).aupr; }

double xc_average_precision(const float *scores, const float *labels, size_t n) {
    return rank_alone(scores, labels, n).average_precision;
}

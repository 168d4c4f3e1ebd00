/* tomtom_qvalue.c: q-values of a list of p-values: Storey, J. R. Statist. Soc. B 64:479 (2002), with his bootstrap
 * estimate of pi_0 when there are more than 100. The estimate draws random numbers, so they are the ones that the MEME
 * suite draws: the Mersenne Twister (Matsumoto & Nishimura, ACM TOMACS 8:3, 1998) seeded with 4357 by its first
 * published method, two words a draw, one stream for all queries in their order.
 */
#include <math.h>
#include <string.h>

#include "tomtom.h"

enum { WORDS = 624, MIDDLE = 397, FEWEST = 100, LAMBDAS = 100, BOOTSTRAPS = 100, DRAWS = 1000 };
#define LARGEST_LAMBDA 0.5

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

static inline uint32_t twist(uint32_t here, uint32_t next, uint32_t far) {
    const uint32_t mixed = (here & 0x80000000u) | (next & 0x7fffffffu);
    return far ^ (mixed >> 1) ^ (-(mixed & 1) & 0x9908b0dfu);
}

TOMTOM_CLONES
static void refill(uint32_t *word) {
    uint32_t fresh[WORDS + 1];
    memcpy(fresh, word, WORDS * sizeof *word);
    for (int i = 0; i < WORDS - MIDDLE; i++) word[i] = twist(fresh[i], fresh[i + 1], fresh[i + MIDDLE]);
    fresh[WORDS] = word[0];
    /* The rest refers to words already made, 227 back: in two runs that each read only what the one before wrote. */
    for (int i = WORDS - MIDDLE; i < 2 * (WORDS - MIDDLE); i++)
        fresh[i - (WORDS - MIDDLE)] = twist(fresh[i], fresh[i + 1], word[i - (WORDS - MIDDLE)]);
    memcpy(word + (WORDS - MIDDLE), fresh, (WORDS - MIDDLE) * sizeof *word);
    for (int i = 2 * (WORDS - MIDDLE); i < WORDS; i++)
        fresh[i - 2 * (WORDS - MIDDLE)] = twist(fresh[i], fresh[i + 1], word[i - (WORDS - MIDDLE)]);
    memcpy(word + 2 * (WORDS - MIDDLE), fresh, (WORDS - 2 * (WORDS - MIDDLE)) * sizeof *word);
}

void xc_tomtom_random_start(xc_tomtom_random *random) {
    uint32_t value = 4357;
    for (int i = 0; i < WORDS; i++, value *= 69069) random->word[i] = value;
    refill(random->word);
    random->next = 0;
}

static inline uint32_t temper(uint32_t value) {
    value ^= value >> 11;
    value ^= (value << 7) & 0x9d2c5680u;
    value ^= (value << 15) & 0xefc60000u;
    return value ^ (value >> 18);
}

void xc_tomtom_random_skip(xc_tomtom_random *random, size_t count) {
    if (count <= FEWEST) return;
    size_t next = random->next + (size_t)2 * BOOTSTRAPS * DRAWS;
    for (; next > WORDS; next -= WORDS) refill(random->word);
    random->next = (uint32_t)next;
}

/* index[i] = floor(u * count) for u uniform in [0,1) from two words. The first word alone decides, unless the second
 * could carry; returns whether it could for any. */
TOMTOM_CLONES
static bool draw_fast(const uint32_t *restrict word, size_t draws, uint32_t count, uint32_t *restrict index) {
    const uint32_t last = 0xffffffffu - count - 1;
    uint32_t doubtful = 0;
    for (size_t i = 0; i < draws; i++) {
        const uint64_t product = (uint64_t)temper(word[2 * i]) * count;
        index[i] = (uint32_t)(product >> 32);
        doubtful |= (uint32_t)product > last;
    }
    return doubtful;
}

static void draw_exact(const uint32_t *word, size_t draws, uint32_t count, uint32_t *index) {
    for (size_t i = 0; i < draws; i++) {
        const uint64_t both = (uint64_t)temper(word[2 * i]) << 32 | temper(word[2 * i + 1]);
        const uint32_t at = (uint32_t)((double)both * 0x1p-64 * count);
        index[i] = at < count ? at : count - 1;
    }
}

static void draw(xc_tomtom_random *random, size_t draws, uint32_t count, uint32_t *index) {
    while (draws > 0) {
        if (random->next == WORDS) {
            refill(random->word);
            random->next = 0;
        }
        const size_t left = (WORDS - random->next) / 2, now = draws < left ? draws : left;
        const uint32_t *word = random->word + random->next;
        if (draw_fast(word, now, count, index)) draw_exact(word, now, count, index);
        random->next += (uint32_t)(2 * now);
        index += now;
        draws -= now;
    }
}

/* ---- pi_0 -------------------------------------------------------------------------------------------------------- */

static double lambda_at(int i) { return (double)(i + 1) / LAMBDAS * LARGEST_LAMBDA; }

/* pi_0 for each lambda, from how many of `total` p-values lie in each class: `found[c]` are at least c lambdas. */
static void estimate(const uint32_t found[LAMBDAS + 1], double total, double pi_zero[LAMBDAS]) {
    uint32_t above = 0;
    for (int i = LAMBDAS - 1; i >= 0; i--) {
        above += found[i + 1];
        pi_zero[i] = above ? above / ((1 - lambda_at(i)) * total) : HUGE_VAL;
    }
}

static double estimate_pi_zero(const float *p, size_t count, xc_tomtom_random *random, uint8_t *classes) {
    uint32_t found[LAMBDAS + 1] = {0};
    double plain[LAMBDAS], sampled[LAMBDAS], error[LAMBDAS] = {0};
    for (size_t i = 0, lambdas = 0; i < count; i++) {
        while (lambdas < LAMBDAS && (double)p[i] >= lambda_at((int)lambdas)) lambdas++;
        classes[i] = (uint8_t)lambdas;
        found[lambdas]++;
    }
    estimate(found, (double)count, plain);
    double least = plain[0];
    for (int i = 1; i < LAMBDAS; i++)
        if (plain[i] < least) least = plain[i];
    for (int k = 0; k < BOOTSTRAPS; k++) {
        uint32_t drawn[4][LAMBDAS + 1] = {{0}}, index[DRAWS];
        draw(random, DRAWS, (uint32_t)count, index);
        for (int i = 0; i < DRAWS; i++) drawn[i % 4][classes[index[i]]]++;
        for (int i = 0; i <= LAMBDAS; i++) drawn[0][i] += drawn[1][i] + drawn[2][i] + drawn[3][i];
        estimate(drawn[0], DRAWS, sampled);
        for (int i = 0; i < LAMBDAS; i++) error[i] += (sampled[i] - least) * (sampled[i] - least);
    }
    int best = 0;
    for (int i = 1; i < LAMBDAS; i++)
        if (error[i] < error[best]) best = i;
    return plain[best] < 1 ? plain[best] : 1;
}

void xc_tomtom_qvalues(const float *p, size_t count, xc_tomtom_random *random, uint8_t *classes, double *q) {
    const double pi_zero = count > FEWEST ? estimate_pi_zero(p, count, random, classes) : 1;
    for (size_t i = 0; i < count; i++) {
        const double rate = pi_zero * (double)p[i] * (double)count / (double)(i + 1);
        q[i] = rate < 1 ? rate : 1;
    }
    for (size_t i = count - 1; i-- > 0;)
        if (q[i + 1] < q[i]) q[i] = q[i + 1];
}

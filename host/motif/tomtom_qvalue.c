/* tomtom_qvalue.c: q-values of a list of p-values: Storey, J. R. Statist. Soc. B 64:479 (2002), with his bootstrap
 * estimate of pi_0 when there are more than 100. The estimate draws random numbers, so they are the ones that the MEME
 * suite draws: the Mersenne Twister (Matsumoto & Nishimura, ACM TOMACS 8:3, 1998) seeded with 4357 by its first
 * published method, two words a draw, one stream for all queries in their order.
 */
#include <math.h>
#include <string.h>

#include "tomtom.h"

enum { WORDS = 624, MIDDLE = 397, FEWEST = 100, LAMBDAS = 100, BOOTSTRAPS = 100, DRAWS = TOMTOM_DRAWS };
#define LARGEST_LAMBDA 0.5

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

typedef uint32_t lanes __attribute__((vector_size(32), aligned(4), may_alias));
enum { LANES = 8 };

static inline uint32_t twist(uint32_t here, uint32_t next, uint32_t far) {
    const uint32_t mixed = (here & 0x80000000u) | (next & 0x7fffffffu);
    return far ^ (mixed >> 1) ^ (-(mixed & 1) & 0x9908b0dfu);
}

/* word[i] for i = from..to-1, of the word after it and the one `far` from it. */
static inline void twist_words(uint32_t *word, int from, int to, int far) {
    int i = from;
    for (; i + LANES <= to; i += LANES) {
        lanes *const here = (lanes *)(word + i);
        const lanes next = *(const lanes *)(word + i + 1), mixed = (*here & 0x80000000u) | (next & 0x7fffffffu);
        *here = *(const lanes *)(word + i + far) ^ (mixed >> 1) ^ (-(next & 1) & 0x9908b0dfu);
    }
    for (; i < to; i++) word[i] = twist(word[i], word[i + 1], word[i + far]);
}

/* In place: what a word needs is either not yet made anew, or at least 227 words back. */
TOMTOM_CLONES
static void refill(uint32_t *word) {
    twist_words(word, 0, WORDS - MIDDLE, MIDDLE);
    twist_words(word, WORDS - MIDDLE, WORDS - 1, MIDDLE - WORDS);
    word[WORDS - 1] = twist(word[WORDS - 1], word[0], word[MIDDLE - 1]);
}

void xc_tomtom_random_start(xc_tomtom_random *random) {
    uint32_t value = 4357;
    for (int i = 0; i < WORDS; i++, value *= 69069) random->word[i] = value;
    refill(random->word);
    random->next = 0;
}

/* For one word or several. */
#define TEMPER(value)                             \
    do {                                          \
        (value) ^= (value) >> 11;                 \
        (value) ^= ((value) << 7) & 0x9d2c5680u;  \
        (value) ^= ((value) << 15) & 0xefc60000u; \
        (value) ^= (value) >> 18;                 \
    } while (0)

static uint32_t temper(uint32_t value) {
    TEMPER(value);
    return value;
}

void xc_tomtom_random_skip(xc_tomtom_random *random, size_t count) {
    if (count <= FEWEST) return;
    size_t next = random->next + (size_t)2 * BOOTSTRAPS * DRAWS;
    for (; next > WORDS; next -= WORDS) refill(random->word);
    random->next = (uint32_t)next;
}

/* ---- pi_0 -------------------------------------------------------------------------------------------------------- */

static double lambda_at(int i) { return (double)(i + 1) / LAMBDAS * LARGEST_LAMBDA; }

/* p-values in classes by how many lambdas they are not below; the last class, which is the largest by far, is several,
 * so that counting rarely waits for the count before. */
enum { SAME = 8, CLASSES = TOMTOM_CLASSES, TABLES = 8 };
_Static_assert(CLASSES == LAMBDAS + SAME, "the last class is several");

/* pi_0 for each lambda, from how many p-values lie in each class; expected[i] are above lambda i when pi_0 is 1. */
TOMTOM_CLONES
static void estimate(const uint32_t found[CLASSES], const double expected[LAMBDAS], double pi_zero[LAMBDAS]) {
    int32_t above[LAMBDAS], sum = 0;
    for (int i = LAMBDAS; i < CLASSES; i++) sum += (int32_t)found[i];
    for (int i = LAMBDAS - 1; i >= 0; i--) {
        above[i] = sum;
        sum += (int32_t)found[i];
    }
    for (int i = 0; i < LAMBDAS; i++) pi_zero[i] = above[i] ? above[i] / expected[i] : HUGE_VAL;
}

TOMTOM_CLONES
static void add_squares(const double sampled[LAMBDAS], double least, double error[LAMBDAS]) {
    for (int i = 0; i < LAMBDAS; i++) error[i] += (sampled[i] - least) * (sampled[i] - least);
}

typedef uint16_t counts[TABLES][CLASSES];
_Static_assert(DRAWS % LANES == 0 && WORDS / 2 % LANES == 0, "draws come in whole vectors");

/* LANES draws: floor(u * count) for u uniform in [0,1), of two words each. The first word alone decides, unless the
 * second could carry: then `doubt` is set. `count` is below 2^16, and words are multiplied in halves. The order of the
 * draws is that of the words within a vector, which is no matter. */
static inline lanes draw(const uint32_t *word, uint32_t count, lanes *doubt) {
    const lanes *words = (const lanes *)word;
    lanes first = __builtin_shufflevector(words[0], words[1], 0, 2, 8, 10, 4, 6, 12, 14);
    TEMPER(first);
    const lanes product = (first >> 16) * count + ((first & 0xffff) * count >> 16); /* without its last 16 bits */
    *doubt |= (lanes)((product & 0xffff) == 0xffff);
    return product >> 16;
}

/* Counts the classes of `draws` draws; returns whether any is in doubt. */
TOMTOM_CLONES
static bool count_classes(const uint32_t *word, size_t draws, const uint8_t *classes, uint32_t count, counts drawn) {
    lanes doubt = {0}, index[WORDS / 2 / LANES];
    const uint32_t *at = (const uint32_t *)index;
    for (size_t i = 0; i < draws; i += LANES) index[i / LANES] = draw(word + 2 * i, count, &doubt);
    for (size_t i = 0; i < draws; i += TABLES)
        for (size_t k = 0; k < TABLES; k++) drawn[k][classes[at[i + k]]]++;
    uint32_t any = 0;
    for (int k = 0; k < LANES; k++) any |= doubt[k];
    return any;
}

/* The same with both words; where the first alone has counted, only what is in doubt is taken back and counted anew. */
static void count_exactly(const uint32_t *word, size_t draws, const uint8_t *classes, uint32_t count, bool counted,
                          counts drawn) {
    for (size_t i = 0; i < draws; i++) {
        const uint32_t first = temper(word[2 * i]);
        const uint64_t product = (uint64_t)first * count;
        if (counted && (uint32_t)product >> 16 != 0xffff) continue;
        const uint64_t both = (uint64_t)first << 32 | temper(word[2 * i + 1]);
        const uint32_t at = (uint32_t)((double)both * 0x1p-64 * count);
        if (counted) drawn[0][classes[product >> 32]]--;
        drawn[0][classes[at < count ? at : count - 1]]++;
    }
}

void xc_tomtom_resample(xc_tomtom_random *random, const uint8_t *classes, size_t count, uint32_t found[CLASSES]) {
    counts drawn = {{0}};
    for (size_t left = DRAWS; left > 0;) {
        if (random->next == WORDS) {
            refill(random->word);
            random->next = 0;
        }
        const size_t fresh = (WORDS - random->next) / 2, draws = left < fresh ? left : fresh;
        const uint32_t *word = random->word + random->next;
        const bool few = count < 1 << 16;
        if (!few || count_classes(word, draws, classes, (uint32_t)count, drawn))
            count_exactly(word, draws, classes, (uint32_t)count, few, drawn);
        random->next += (uint32_t)(2 * draws);
        left -= draws;
    }
    for (int i = 0; i < CLASSES; i++) {
        uint16_t sum = 0; /* one table may be below 0 */
        for (int table = 0; table < TABLES; table++) sum = (uint16_t)(sum + drawn[table][i]);
        found[i] = sum;
    }
}

static double estimate_pi_zero(const float *p, size_t count, xc_tomtom_random *random, uint8_t *classes) {
    uint32_t found[CLASSES] = {0};
    double plain[LAMBDAS], sampled[LAMBDAS], error[LAMBDAS] = {0}, expected[LAMBDAS];
    for (size_t i = 0, lambdas = 0; i < count; i++) {
        while (lambdas < LAMBDAS && (double)p[i] >= lambda_at((int)lambdas)) lambdas++;
        classes[i] = (uint8_t)(lambdas < LAMBDAS ? lambdas : LAMBDAS + i % SAME);
        found[classes[i]]++;
    }
    for (int i = 0; i < LAMBDAS; i++) expected[i] = (1 - lambda_at(i)) * (double)count;
    estimate(found, expected, plain);
    double least = plain[0];
    for (int i = 1; i < LAMBDAS; i++)
        if (plain[i] < least) least = plain[i];
    for (int i = 0; i < LAMBDAS; i++) expected[i] = (1 - lambda_at(i)) * DRAWS;
    for (int k = 0; k < BOOTSTRAPS; k++) {
        xc_tomtom_resample(random, classes, count, found);
        estimate(found, expected, sampled);
        add_squares(sampled, least, error);
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

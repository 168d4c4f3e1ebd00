/* motif_counts.c: how often a tap reads a letter, and two taps read two letters, over all positions of a batch: what
 * batch norm's statistics need of the sequences. All in integers, so the order of sequences does not matter.
 *
 * Pairs of taps with one distance between them see the same pairs of letters but for those at the ends. So pairs are
 * counted once a distance, for tap 0 and tap d, by popcounts of shifted bit masks; moving both taps on by one loses
 * what they read at the first position and wins what they then read at the last. Those come from masks with one bit a
 * sequence.
 */
#include "motif.h"

#define PAIRS 16 /* of letters A C G T */
_Static_assert(MOTIF_PAIRED_WIDTH <= 64, "a shift is less than a word");

typedef uint64_t vlong __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
#define WORDS (VECTOR_BYTES / 8) /* of a vector */

/* Words of the masks of one sequence, and of all together, up to whole vectors and with one more to shift in. */
static size_t mask_words(const cpu_trial *b) { return (b->conv_length + b->width - 1 + 63) / 64; }
static size_t total_words(const cpu_trial *b) { return round_up(b->batch * mask_words(b) + 1, WORDS); }
/* Words of masks of one bit a sequence. */
static size_t batch_words(const cpu_trial *b) { return round_up((b->batch + 63) / 64, WORDS); }

/* ---- popcounts --------------------------------------------------------------------------------------------------- */

/* Bits set in each byte. */
INLINE vlong ones_of(vlong bits) {
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

INLINE int64_t sum_of_bytes(vlong bytes) {
    const vlong pairs = (bytes & 0x00ff00ff00ff00ffu) + (bytes >> 8 & 0x00ff00ff00ff00ffu);
    uint64_t sum = 0;
    for (size_t i = 0; i < WORDS; i++) sum += pairs[i] * 0x0001000100010001u >> 48;
    return (int64_t)sum;
}

/* A bitwise sum of three: returns the low bits, and puts the carries to `high`. */
INLINE vlong carry_save(vlong *high, vlong a, vlong b, vlong c) {
    const vlong either = a ^ b;
    *high = (a & b) | (either & c);
    return either ^ c;
}

/* How many bits two masks of whole vectors share. Eight vectors are added bitwise before their bits are counted (Harley
 * and Seal; Warren, Hacker's Delight, section 5-1), and counts stay in bytes as long as these can hold them. */
static int64_t shared_bits(const uint64_t *first, const uint64_t *second, size_t words) {
#define BOTH(i) (*(const vlong *)(first + w + (i)*WORDS) & *(const vlong *)(second + w + (i)*WORDS))
    vlong one = {0}, two = {0}, four = {0}, rest = {0};
    int64_t count = 0;
    size_t w = 0;
    while (w + 8 * WORDS <= words) {
        vlong eights = {0};
        for (int i = 0; i < 255 / 8 && w + 8 * WORDS <= words; i++, w += 8 * WORDS) {
            vlong a, b, c, d, eight;
            one = carry_save(&a, one, BOTH(0), BOTH(1));
            one = carry_save(&b, one, BOTH(2), BOTH(3));
            two = carry_save(&c, two, a, b);
            one = carry_save(&a, one, BOTH(4), BOTH(5));
            one = carry_save(&b, one, BOTH(6), BOTH(7));
            two = carry_save(&d, two, a, b);
            four = carry_save(&eight, four, c, d);
            eights += ones_of(eight);
        }
        count += 8 * sum_of_bytes(eights);
    }
    for (; w < words; w += WORDS) rest += ones_of(BOTH(0));
    if (words >= 8 * WORDS) rest += 4 * ones_of(four) + 2 * ones_of(two) + ones_of(one);
    return count + sum_of_bytes(rest);
#undef BOTH
}

/* Adds sign times how often a letter of `first` (4,words) stands where one of `second` (4,words) does. */
static void add_pairs(int64_t *pairs, const uint64_t *first, const uint64_t *second, size_t words, int64_t sign) {
    for (size_t a = 0; a < 4; a++)
        for (size_t c = 0; c < 4; c++)
            pairs[a * 4 + c] += sign * shared_bits(first + a * words, second + c * words, words);
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

/* Bit i of each of eight letters, as eight bits. */
INLINE uint64_t plane(uint64_t letters, int i) {
    return ((letters >> i & 0x0101010101010101u) * 0x0102040810204080u) >> 56;
}

/* Word w of the masks of the letters, and the same of the first `limit` letters alone; masks are `stride` apart. */
static void make_masks(const uint8_t *letters, size_t w, size_t limit, size_t stride, uint64_t *masks,
                       uint64_t *limited) {
    uint64_t bit[3] = {0};
    for (size_t i = 0; i < 8; i++) {
        uint64_t eight;
        memcpy(&eight, letters + w * 64 + i * 8, 8);
        for (int p = 0; p < 3; p++) bit[p] |= plane(eight, p) << 8 * i;
    }
    const uint64_t all = ~UINT64_C(0), begun = limit > w * 64 ? all : 0;
    const uint64_t within = limit >= w * 64 + 64 ? all : begun & ~(all << limit % 64);
    const uint64_t of[4] = {~bit[2] & ~bit[1] & ~bit[0], ~bit[1] & bit[0], bit[1] & ~bit[0], bit[1] & bit[0]};
    for (size_t a = 0; a < 4; a++) {
        masks[a * stride] = of[a];
        limited[a * stride] = of[a] & within;
    }
}

/* Bits of sequences n - n mod 8 .. in byte n / 8 of the masks (width,4,batch words) of what the taps read from
 * letters[0] on; a byte is one thread's. */
static void add_edge(const cpu_trial *b, uint64_t *edge, size_t n, const uint8_t *letters) {
    const size_t bytes = batch_words(b) * 8;
    uint8_t *mask = (uint8_t *)edge + n / 8;
    for (size_t k = 0; k + 1 < b->width; k++)
        for (size_t a = 0; a < 4; a++, mask += bytes) {
            if (n % 8 == 0) *mask = 0;
            *mask |= (uint8_t)((letters[k] == a) << n % 8);
        }
}

void xc_cpu_motif_mask(cpu_trial *b, size_t n, const uint8_t *letters) {
    const size_t words = mask_words(b), total = total_words(b), half = b->width * 4 * batch_words(b);
    uint64_t *masks = b->motif.masks + n * words, *limited = masks + 4 * total;
    for (size_t w = 0; w < words; w++) make_masks(letters, w, b->conv_length, total, masks + w, limited + w);
    add_edge(b, b->motif.edges, n, letters);
    add_edge(b, b->motif.edges + half, n, letters + b->conv_length);
}

/* What no sequence has written. */
static void clear_ends(cpu_trial *b) {
    const size_t written = b->batch * mask_words(b), total = total_words(b), bytes = (b->batch + 7) / 8;
    for (size_t i = 0; i < 8; i++)
        memset(b->motif.masks + i * total + written, 0, (total - written) * sizeof(uint64_t));
    for (size_t i = 0; i < 2 * b->width * 4; i++)
        memset((uint8_t *)(b->motif.edges + i * batch_words(b)) + bytes, 0, batch_words(b) * 8 - bytes);
}

/* ---- the batch --------------------------------------------------------------------------------------------------- */

/* Counts of every tap's letters: the first tap's, and going on by one loses a letter at one end and wins one. */
static void count_letters(cpu_trial *b) {
    const size_t words = batch_words(b), total = total_words(b);
    const uint64_t *limited = b->motif.masks + 4 * total, *first = b->motif.edges;
    const uint64_t *last = first + b->width * 4 * words;
    for (size_t k = 0; k < b->width; k++) {
        double *counts = b->motif.counts + k * MOTIF_LETTERS;
        counts[4] = (double)(b->batch * b->conv_length);
        for (size_t a = 0; a < 4; a++) {
            const size_t before = ((k - 1) * 4 + a) * words;
            if (k == 0)
                counts[a] = (double)shared_bits(limited + a * total, limited + a * total, total);
            else
                counts[a] = counts[a - MOTIF_LETTERS] - (double)shared_bits(first + before, first + before, words) +
                            (double)shared_bits(last + before, last + before, words);
            counts[4] -= counts[a];
        }
    }
}

/* Puts the pairs of letters of taps k and m, and with them those that N is part of, both ways round. */
static void put_pairs(cpu_trial *b, size_t k, size_t m, const int64_t *pairs) {
    const size_t stride = round_up(motif_tap_rows(b), 4);
    const double *first = b->motif.counts + k * MOTIF_LETTERS, *second = b->motif.counts + m * MOTIF_LETTERS;
    double table[MOTIF_LETTERS][MOTIF_LETTERS];
    for (size_t a = 0; a < 4; a++) {
        table[a][4] = first[a];
        table[4][a] = second[a];
    }
    table[4][4] = first[4];
    for (size_t a = 0; a < 4; a++)
        for (size_t c = 0; c < 4; c++) {
            table[a][c] = (double)pairs[a * 4 + c];
            table[a][4] -= table[a][c];
            table[4][c] -= table[a][c];
        }
    for (size_t c = 0; c < 4; c++) table[4][4] -= table[4][c];
    for (size_t a = 0; a < MOTIF_LETTERS; a++)
        for (size_t c = 0; c < MOTIF_LETTERS; c++) {
            b->motif.pairs[(k * MOTIF_LETTERS + a) * stride + m * MOTIF_LETTERS + c] = table[a][c];
            b->motif.pairs[(m * MOTIF_LETTERS + c) * stride + k * MOTIF_LETTERS + a] = table[a][c];
        }
}

/* The pairs of taps at distance d, from those of taps 0 and d on. */
static void put_distance(cpu_trial *b, size_t d, int64_t *pairs) {
    const size_t words = batch_words(b), left = (size_t)b->block->pad_left;
    const uint64_t *first = b->motif.edges, *last = first + b->width * 4 * words;
    for (size_t k = 0; k + d < b->width; k++) {
        put_pairs(b, k, k + d, pairs);
        if (k + d + 1 == b->width) break;
        const size_t one = k * 4 * words, other = (k + d) * 4 * words;
        if (k >= left) add_pairs(pairs, first + one, first + other, words, -1); /* else tap k read beyond the end */
        if (b->conv_length + k + d < left + b->length) add_pairs(pairs, last + one, last + other, words, 1);
    }
}

/* Every letter d places on: what stood at place d stands at 0. */
static void shift_masks(const cpu_trial *b, size_t d, uint64_t *shifted) {
    const size_t total = total_words(b), words = b->batch * mask_words(b);
    for (size_t a = 0; a < 4; a++) {
        const uint64_t *mask = b->motif.masks + a * total;
        for (size_t w = 0; w < words; w++) shifted[a * total + w] = mask[w] >> d | mask[w + 1] << 1 << (63 - d);
        memset(shifted + a * total + words, 0, (total - words) * sizeof(uint64_t));
    }
}

void xc_cpu_motif_count(cpu_trial *b, int thread, int threads) {
    const size_t total = total_words(b);
    const xc_range distances = xc_share(b->width, thread, threads);
    if (thread == 0) {
        clear_ends(b);
        count_letters(b);
    }
    xc_team_barrier(b->team);
    for (size_t d = distances.begin; d < distances.end; d++) {
        int64_t pairs[PAIRS] = {0};
        shift_masks(b, d, b->motif.shifted);
        add_pairs(pairs, b->motif.masks + 4 * total, b->motif.shifted, total, 1);
        put_distance(b, d, pairs);
    }
    xc_team_barrier(b->team);
}

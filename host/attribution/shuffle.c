/* shuffle.c: backgrounds that are made of the sequence itself: its bases in another order, with or without its pairs of
 * neighbours kept.
 *
 * Pairs are kept by a walk that leaves each letter by the same exits as the sequence does, in another order. Any order
 * makes a whole walk as long as the last exits of all letters lead to the end; those are a random tree, drawn as a
 * random walk's path without its loops, and all other exits are shuffled. So each walk is as likely as any other.
 * Sources: Altschul & Erickson 1985; Wilson 1996; Propp & Wilson 1998 for trees of a directed graph.
 */
#include <string.h>

#include "expconv/attribution.h"
#include "expconv/philox.h"

enum { LETTERS = XC_BASE_N + 1 };

/* The numbers of one background. A key is drawn for the sequence, so that all 64 bits of its number count; within it,
 * backgrounds are substreams. */
static xc_random_sequence numbers_of(uint64_t seed, uint64_t sequence, uint32_t number) {
    const xc_philox_words key = xc_random(seed, XC_STREAM_SHUFFLE, 0, sequence);
    return (xc_random_sequence){
        .seed = (uint64_t)key.word[1] << 32 | key.word[0], .stream = XC_STREAM_SHUFFLE, .substream = number};
}

static void swap_codes(uint8_t *codes, uint32_t i, uint32_t j) {
    const uint8_t code = codes[i];
    codes[i] = codes[j];
    codes[j] = code;
}

/* Fisher-Yates. */
static void permute(uint8_t *codes, uint32_t count, xc_random_sequence *random) {
    for (uint32_t left = count; left > 1; left--) swap_codes(codes, left - 1, xc_random_below(random, left));
}

size_t xc_shuffle_work(uint32_t length) { return (size_t)length + 1; }

void xc_shuffle(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number, uint8_t *to,
                void *work) {
    (void)work;
    xc_random_sequence random = numbers_of(seed, sequence, number);
    if (length) memcpy(to, codes, length);
    permute(to, length, &random);
}

/* Each letter's exits: the letters that follow it, as often as they do, at exits + first[letter] .. first[letter+1]. */
typedef struct walk {
    uint8_t *exits; /* (length - 1) */
    uint32_t first[LETTERS + 1];
} walk;

static void gather_exits(walk *w, const uint8_t *codes, uint32_t length) {
    uint32_t place[LETTERS];
    memset(w->first, 0, sizeof w->first);
    for (uint32_t l = 0; l + 1 < length; l++) w->first[codes[l] + 1]++;
    for (int letter = 0; letter < LETTERS; letter++) w->first[letter + 1] += w->first[letter];
    memcpy(place, w->first, sizeof place);
    for (uint32_t l = 0; l + 1 < length; l++) w->exits[place[codes[l]]++] = codes[l + 1];
}

static uint32_t count_exits(const walk *w, int letter) { return w->first[letter + 1] - w->first[letter]; }

/* Draws a last exit (its place) for every letter that has exits but the end: a random walk goes from each until it is
 * where another's last exits lead to the end. A letter that it comes to again draws again, which cuts the loop. */
static void draw_last_exits(const walk *w, int end, xc_random_sequence *random, uint32_t last[LETTERS]) {
    bool leads[LETTERS] = {false};
    leads[end] = true;
    for (int start = 0; start < LETTERS; start++) {
        if (count_exits(w, start) == 0) continue;
        for (int at = start; !leads[at]; at = w->exits[last[at]])
            last[at] = w->first[at] + xc_random_below(random, count_exits(w, at));
        for (int at = start; !leads[at]; at = w->exits[last[at]]) leads[at] = true;
    }
}

void xc_shuffle_dinucleotides(const uint8_t *codes, uint32_t length, uint64_t seed, uint64_t sequence, uint32_t number,
                              uint8_t *to, void *work) {
    if (length < 2) {
        if (length) to[0] = codes[0];
        return;
    }
    xc_random_sequence random = numbers_of(seed, sequence, number);
    walk w = {.exits = work};
    uint32_t last[LETTERS] = {0}, next[LETTERS];
    const int end = codes[length - 1];
    gather_exits(&w, codes, length);
    draw_last_exits(&w, end, &random, last);
    for (int letter = 0; letter < LETTERS; letter++) {
        uint32_t loose = count_exits(&w, letter);
        if (letter != end && loose) swap_codes(w.exits, last[letter], w.first[letter] + --loose);
        permute(w.exits + w.first[letter], loose, &random);
    }
    memcpy(next, w.first, sizeof next);
    to[0] = codes[0];
    for (uint32_t l = 0; l + 1 < length; l++) to[l + 1] = w.exits[next[to[l]]++];
}

/* ppm_count.c: counts the bases of windows, sixteen counters at a time: a byte of packed DNA is four bases, whose
 * one-hot columns are 16 bytes of a table. Bytes are added up to 255 times and then widened.
 *
 * N is packed as A: it is counted as one, and taken out again for sequences that have any.
 */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "ppm.h"

#define INLINE static inline __attribute__((always_inline))

/* A 64-bit word holds 7 whole bytes wherever in its first byte a window begins. */
#define WORD_BYTES 7
#define WINDOW_BYTES (XC_PPM_WIDEST / 4)
#define MOST_SUMS 255

typedef uint8_t sixteen __attribute__((vector_size(16), may_alias));

xc_status xc_ppm_counts_open(xc_ppm_counts *counts, const xc_ppm_plan *plan, xc_error *error) {
    xc_status status;
    const size_t rows = (size_t)plan->filters * plan->thresholds;
    XC_TRY(xc_allocate(&counts->sites, rows, sizeof *counts->sites, "counts of windows", error));
    XC_TRY(xc_allocate(&counts->bases, rows * plan->window * 4, sizeof *counts->bases, "counts of windows", error));
fail:
    return status;
}

void xc_ppm_counts_close(xc_ppm_counts *counts) {
    free(counts->sites);
    free(counts->bases);
}

/* 8 bytes of packed DNA; beyond `end` there are none, and no window reaches there. */
INLINE uint64_t load_word(const uint8_t *at, const uint8_t *end) {
    uint64_t word = 0;
    if (end - at >= (ptrdiff_t)sizeof word)
        memcpy(&word, at, sizeof word);
    else if (at < end)
        memcpy(&word, at, (size_t)(end - at));
    return le64toh(word);
}

/* Hits whose activation is above one threshold, and not above the next. */
typedef struct range {
    float above, most;
} range;

INLINE bool is_in(const range *in, const xc_ppm_hit *hit) {
    return hit->activation > in->above && hit->activation <= in->most;
}

/* Adds to sums (bytes,16) the `bytes` bytes at `bases` + place of the hits in range, of at most MOST_SUMS; returns how
 * many these were. */
INLINE uint32_t add_bytes(const int bytes, const xc_ppm_plan *plan, const uint8_t *bases, const xc_ppm_hit *hit,
                          uint32_t count, const range *in, uint32_t *sums) {
    const sixteen *one_hot = (const sixteen *)plan->one_hot;
    const uint8_t *end = plan->dna->bases + (size_t)plan->dna->sequences * plan->dna->row_bytes;
    sixteen sum[WORD_BYTES] = {{0}};
    _Alignas(16) uint8_t narrow[WORD_BYTES * 16];
    uint32_t added = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_in(in, hit + i)) continue;
        const uint64_t word = load_word(bases + hit[i].place / 4, end) >> 2 * (hit[i].place % 4);
        for (int b = 0; b < bytes; b++) sum[b] += one_hot[word >> 8 * b & 255];
        added++;
    }
    for (int b = 0; b < bytes; b++) *(sixteen *)(narrow + 16 * b) = sum[b];
    for (int i = 0; i < 16 * bytes; i++) sums[i] += narrow[i];
    return added;
}

/* The same with the number of bytes a constant, so that the sums stay in registers. */
static uint32_t add_some_bytes(uint32_t bytes, const xc_ppm_plan *plan, const uint8_t *bases, const xc_ppm_hit *hit,
                               uint32_t count, const range *in, uint32_t *sums) {
    switch (bytes) {
#define CASE(n) \
    case n:     \
        return add_bytes(n, plan, bases, hit, count, in, sums);
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
#undef CASE
        default:
            assert(false);
            return 0;
    }
}

/* Windows of the hits in range into sums (WINDOW_BYTES,16), where what is beyond the window is nobody's; returns how
 * many. */
static uint32_t add_windows(const xc_ppm_plan *plan, uint32_t sequence, const xc_ppm_hit *hit, uint32_t count,
                            const range *in, uint32_t *sums) {
    const uint8_t *bases = plan->dna->bases + (size_t)sequence * plan->dna->row_bytes;
    const uint32_t bytes = (plan->window + 3) / 4;
    uint32_t windows = 0;
    for (uint32_t i = 0; i < count; i += MOST_SUMS) {
        const uint32_t some = count - i < MOST_SUMS ? count - i : MOST_SUMS;
        for (uint32_t b = 0; b < bytes; b += WORD_BYTES) {
            const uint32_t together = bytes - b < WORD_BYTES ? bytes - b : WORD_BYTES;
            const uint32_t added = add_some_bytes(together, plan, bases + b, hit + i, some, in, sums + 16 * b);
            if (b == 0) windows += added;
        }
    }
    return windows;
}

/* Takes the N of a window out of sums, where they were counted as A. */
static void remove_unknown(const xc_ppm_plan *plan, uint32_t from, uint32_t place, uint32_t *sums) {
    const xc_dna_view *dna = plan->dna;
    const uint32_t row = 4 * dna->row_bytes;
    const uint32_t sequence = from + place / row, start = place % row, end = start + plan->window;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) {
        const uint32_t first = dna->runs[r] >> XC_RUN_SHIFT, last = first + (dna->runs[r] & XC_RUN_LONGEST);
        for (uint32_t l = first > start ? first : start; l < last && l < end; l++) sums[4 * (l - start)]--;
    }
}

/* Counts of windows on the forward strand, sums (WINDOW_BYTES,16), to those of a filter, bases (window,4). */
static void add_sums(const xc_ppm_plan *plan, const uint32_t *sums, bool reverse, uint64_t *bases) {
    const uint32_t last = 4 * plan->window - 1; /* the complement of base b is 3 - b: all is read backwards */
    for (uint32_t i = 0; i <= last; i++) bases[reverse ? last - i : i] += sums[i];
}

void xc_ppm_count(const xc_ppm_plan *plan, const xc_ppm_chunk *chunk, uint32_t count, uint32_t filter, float largest,
                  const xc_ppm_counts *counts) {
    for (uint32_t t = 0; t < plan->thresholds; t++) {
        uint32_t sums[WINDOW_BYTES * 16] = {0};
        const size_t row = (size_t)filter * plan->thresholds + t;
        const bool last = t + 1 == plan->thresholds;
        const range in = {plan->fraction[t] * largest, last ? largest : plan->fraction[t + 1] * largest};
        const uint32_t windows = add_windows(plan, chunk->sequence, chunk->hit, count, &in, sums);
        if (windows == 0) continue;
        for (uint32_t i = 0; plan->dna->run_start && i < count; i++)
            if (is_in(&in, &chunk->hit[i])) remove_unknown(plan, chunk->sequence, chunk->hit[i].place, sums);
        add_sums(plan, sums, chunk->reverse, counts->bases + row * plan->window * 4);
        counts->sites[row] += windows;
    }
}

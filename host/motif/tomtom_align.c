/* tomtom_align.c: the best offset of a query on each strand of each target. All strands lie side by side with gaps of
 * zeros (what an unaligned column scores), so that the complete scores of all offsets are one sum over shifted rows.
 */
#include <string.h>

#include "tomtom.h"

/* Copies or clears in whole chunks: up to a chunk too much, which costs less than to stop in time. */
enum { CHUNK = TOMTOM_CHUNK };

static inline void copy_chunks(int8_t *to, const int8_t *from, size_t size) {
    size_t i = 0;
    do memcpy(to + i, from + i, CHUNK);
    while ((i += CHUNK) < size);
}

static inline void clear_chunks(int8_t *to, size_t size) {
    size_t i = 0;
    do memset(to + i, 0, CHUNK);
    while ((i += CHUNK) < size);
}

/* One row of scores with a gap before, between and after the strands. What is written too much is written again: by
 * what comes next in the row, and by the next row. */
TOMTOM_CLONES
static void spread_row(const xc_tomtom_targets *targets, const int8_t *from, size_t gap, int8_t *to) {
    clear_chunks(to, gap);
    to += gap;
    for (size_t strand = 0; strand < targets->count; strand++) {
        const size_t width = targets->width[strand];
        copy_chunks(to, from, width);
        from += width;
        to += width;
        clear_chunks(to, gap);
        to += gap;
    }
}

/* Scores of all window starts, summed over the rows of `spread`; `sum` is worked on in pieces that stay in the cache.
 */
TOMTOM_CLONES
static void sum_rows(const int8_t *restrict spread, size_t stride, uint32_t width, size_t count,
                     int16_t *restrict sum) {
    enum { PIECE = 2048 };
    for (size_t from = 0; from < count; from += PIECE) {
        const size_t piece = count - from < PIECE ? count - from : PIECE;
        int16_t *to = sum + from;
        memset(to, 0, piece * sizeof *to);
        for (uint32_t row = 0; row < width; row++) {
            const int8_t *restrict add = spread + row * stride + row + from;
            for (size_t i = 0; i < piece; i++) to[i] = (int16_t)(to[i] + add[i]);
        }
    }
}

static int32_t overlap_at(int32_t place, int32_t query, int32_t target) {
    const int32_t offset = place + 1 - query, end = offset + query < target ? offset + query : target;
    return end - (offset > 0 ? offset : 0);
}

/* A place's claim to be the best: its score, then its overlap, then that it is the first. */
enum { PLACE_BITS = 10, OVERLAP_BITS = 7, SCORE = 1 << (PLACE_BITS + OVERLAP_BITS), LAST = TOMTOM_PLACES - 1 };
_Static_assert(TOMTOM_PLACES == 1 << PLACE_BITS && XC_TOMTOM_WIDEST < 1 << OVERLAP_BITS &&
                   XC_TOMTOM_WIDEST * TOMTOM_BINS <= INT32_MAX / SCORE,
               "a claim is 32 bits");

/* The greatest claim of `count` >= 8 places; the last eight may be looked at twice. */
TOMTOM_CLONES
static int32_t greatest_claim(const int16_t *restrict sum, const int32_t *restrict tie, size_t count) {
    int32_t best[8];
    for (size_t k = 0; k < 8; k++) best[k] = sum[k] * SCORE + tie[k];
    for (size_t i = 8; i < count; i += 8) {
        const size_t at = i + 8 <= count ? i : count - 8;
        for (size_t k = 0; k < 8; k++) {
            const int32_t claim = sum[at + k] * SCORE + tie[at + k];
            best[k] = claim > best[k] ? claim : best[k];
        }
    }
    int32_t greatest = best[0];
    for (size_t k = 1; k < 8; k++) greatest = best[k] > greatest ? best[k] : greatest;
    return greatest;
}

/* The same for as many or as few places as there are. */
static size_t find_best(const int16_t *sum, size_t count, int32_t query, int32_t target) {
    size_t best = 0;
    for (size_t place = 1; place < count; place++) {
        if (sum[place] < sum[best]) continue;
        if (sum[place] > sum[best] ||
            overlap_at((int32_t)place, query, target) > overlap_at((int32_t)best, query, target))
            best = place;
    }
    return best;
}

/* What a place claims beside its score, for each width of target. */
static void fill_ties(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    const int32_t width = (int32_t)query->width;
    for (size_t i = 0; i < targets->width_count; i++) {
        int32_t *tie = query->tie + i * TOMTOM_PLACES, target = (int32_t)targets->widths[i];
        for (int32_t place = 0; place < width + target - 1 && place <= LAST; place++)
            tie[place] = overlap_at(place, width, target) << PLACE_BITS | (LAST - place);
    }
}

static void find_all_best(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    const int32_t width = (int32_t)query->width;
    const int16_t *sum = query->sum;
    fill_ties(query);
    for (size_t strand = 0; strand < targets->count; strand++) {
        const int32_t target = (int32_t)targets->width[strand];
        const size_t count = (size_t)(width + target - 1);
        const int32_t *tie = query->tie + targets->width_place[strand] * TOMTOM_PLACES;
        const size_t best = count < 8 || count > TOMTOM_PLACES
                                ? find_best(sum, count, width, target)
                                : (size_t)(LAST - (greatest_claim(sum, tie, count) & LAST));
        query->best[strand] = sum[best];
        query->offset[strand] = (int32_t)best + 1 - width;
        query->overlap[strand] = (uint32_t)overlap_at((int32_t)best, width, target);
        sum += count;
    }
}

void xc_tomtom_align(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    const size_t gap = query->width - 1;
    const size_t stride = targets->columns + (targets->count + 1) * gap;
    for (uint32_t row = 0; row < query->width; row++)
        spread_row(targets, query->shifted + row * targets->columns, gap, query->spread + row * stride);
    sum_rows(query->spread, stride, query->width, stride - gap, query->sum);
    find_all_best(query);
}

/* tomtom_align.c: the best offset of a query on each strand of each target. All strands lie side by side with gaps of
 * zeros (what an unaligned column scores), so that the complete scores of all offsets are one sum over shifted rows.
 */
#include <string.h>

#include "tomtom.h"

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

static uint32_t overlap_at(int32_t offset, int32_t query, int32_t target) {
    const int32_t end = offset + query < target ? offset + query : target;
    return (uint32_t)(end - (offset > 0 ? offset : 0));
}

/* The best of the sums of one strand; of equal ones the larger overlap, then the first. */
static void find_best(const int16_t *sum, xc_tomtom_query *query, size_t strand) {
    const int32_t width = (int32_t)query->width, target = (int32_t)query->targets->width[strand];
    int32_t best = sum[0], at = 1 - width;
    uint32_t overlap = overlap_at(at, width, target);
    for (int32_t offset = 2 - width; offset < target; offset++) {
        const int32_t score = sum[offset + width - 1];
        if (score < best) continue;
        const uint32_t here = overlap_at(offset, width, target);
        if (score == best && here <= overlap) continue;
        best = score;
        at = offset;
        overlap = here;
    }
    query->best[strand] = best;
    query->offset[strand] = at;
    query->overlap[strand] = overlap;
}

void xc_tomtom_align(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    const size_t gap = query->width - 1;
    const size_t stride = targets->columns + (targets->count + 1) * gap;
    for (uint32_t row = 0; row < query->width; row++) {
        int8_t *to = query->spread + row * stride;
        const int8_t *from = query->shifted + row * targets->columns;
        memset(to, 0, gap);
        to += gap;
        for (size_t strand = 0; strand < targets->count; strand++) {
            memcpy(to, from + targets->first[strand], targets->width[strand]);
            to += targets->width[strand];
            memset(to, 0, gap);
            to += gap;
        }
    }
    sum_rows(query->spread, stride, query->width, stride - gap, query->sum);
    size_t place = 0;
    for (size_t strand = 0; strand < targets->count; strand++) {
        find_best(query->sum + place, query, strand);
        place += targets->width[strand] + gap;
    }
}

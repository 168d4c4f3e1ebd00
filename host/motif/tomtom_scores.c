/* tomtom_scores.c: the scores of every query column against every target column, shifted by their median and in bins on
 * the common scale of a query, whose factor and offset are whole numbers.
 *
 * Scores are worked out in single precision, whose error is bounded; where that leaves open which score is the largest
 * or which bin a score falls into, and only there, in double precision. So what comes out is what double precision
 * gives everywhere.
 */
#include <math.h>

#include "tomtom.h"

/* ---- the scale --------------------------------------------------------------------------------------------------- */

TOMTOM_CLONES
static bool any_between(const float *far, size_t count, float low, float high) {
    int any = 0;
    for (size_t i = 0; i < count; i++) any |= (far[i] >= low) & (far[i] <= high);
    return any;
}

/* The least (or greatest) exact score among the columns of a row whose `far` is within low..high. */
static double exact_extreme(const xc_tomtom_query *query, uint32_t row, float low, float high, bool greatest) {
    enum { PIECE = 64 };
    const xc_tomtom_targets *targets = query->targets;
    const float *far = query->far + row * targets->columns;
    double extreme = greatest ? -INFINITY : INFINITY;
    for (size_t from = 0; from < targets->columns; from += PIECE) {
        const size_t to = targets->columns - from < PIECE ? targets->columns : from + PIECE;
        if (!any_between(far + from, to - from, low, high)) continue;
        for (size_t i = from; i < to; i++) {
            if (far[i] < low || far[i] > high) continue;
            const double score = xc_tomtom_score(targets, query->column + 4 * (size_t)row, i);
            if (greatest ? score > extreme : score < extreme) extreme = score;
        }
    }
    return extreme;
}

/* The least and greatest score above its median, over all query columns. */
static void find_range(const xc_tomtom_query *query, const double *median, const float *nearest, const float *farthest,
                       double *least, double *most) {
    const double zero = xc_tomtom_far_at_zero(query->targets->distance), slack = 2 * (double)TOMTOM_FAR_ERROR;
    double low = INFINITY, high = -INFINITY; /* within TOMTOM_FAR_ERROR */
    for (uint32_t row = 0; row < query->width; row++) {
        low = fmin(low, zero - (double)farthest[row] - median[row]);
        high = fmax(high, zero - (double)nearest[row] - median[row]);
    }
    *least = INFINITY;
    *most = -INFINITY;
    for (uint32_t row = 0; row < query->width; row++) {
        if (zero - (double)farthest[row] - median[row] <= low + slack)
            *least =
                fmin(*least, exact_extreme(query, row, farthest[row] - 2 * TOMTOM_FAR_ERROR, farthest[row], false) -
                                 median[row]);
        if (zero - (double)nearest[row] - median[row] >= high - slack)
            *most = fmax(*most, exact_extreme(query, row, nearest[row], nearest[row] + 2 * TOMTOM_FAR_ERROR, true) -
                                    median[row]);
    }
    if (*least == *most) *least = *most - 1;
}

/* ---- bins -------------------------------------------------------------------------------------------------------- */

enum { BLOCK = 32 };

typedef struct binning {
    double median, offset, scale;
    float start, slope; /* bin = start - slope * far, cut */
    float doubt;        /* how near to the next bin `far` cannot tell which it is */
    int null;
} binning;

static int exact_bin(const binning *bins, double score) {
    return (int)(((score - bins->median) - bins->offset) * bins->scale + 0.5) - bins->null;
}

/* Bins of whole blocks; notes the blocks with a bin in doubt. */
TOMTOM_CLONES
static void bin_blocks(const float *restrict far, size_t blocks, const binning *bins, int8_t *restrict shifted,
                       uint8_t *restrict doubtful) {
    const float start = bins->start, slope = bins->slope, low = bins->doubt, high = 1 - bins->doubt;
    const int null = bins->null;
    for (size_t block = 0; block < blocks; block++) {
        int doubts = 0;
        for (size_t i = BLOCK * block; i < BLOCK * (block + 1); i++) {
            const float at = start - slope * far[i];
            const int bin = (int)at;
            const float rest = at - (float)bin;
            doubts |= (rest < low) | (rest > high);
            shifted[i] = (int8_t)(bin - null);
        }
        doubtful[block] = doubts != 0;
    }
}

static void put_into_bins(xc_tomtom_query *query, uint32_t row, const binning *bins) {
    const xc_tomtom_targets *targets = query->targets;
    const size_t count = targets->columns, blocks = bins->doubt < 0.5f ? count / BLOCK : 0;
    const float *far = query->far + row * count;
    int8_t *shifted = query->shifted + row * count;
    bin_blocks(far, blocks, bins, shifted, query->doubtful);
    for (size_t from = 0; from < count; from += BLOCK) {
        if (from < BLOCK * blocks && !query->doubtful[from / BLOCK]) continue;
        for (size_t i = from; i < from + BLOCK && i < count; i++) {
            const float at = bins->start - bins->slope * far[i], rest = at - floorf(at);
            if (from < BLOCK * blocks && rest >= bins->doubt && rest <= 1 - bins->doubt) continue;
            shifted[i] = (int8_t)exact_bin(bins, xc_tomtom_score(targets, query->column + 4 * (size_t)row, i));
        }
    }
}

/* Four counts at a time, because scores near each other are often alike. */
static void count_bins(const int8_t *shifted, size_t count, int null, double *density) {
    uint32_t bins[4][256] = {{0}};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++) bins[k][(uint8_t)shifted[i + k]]++;
    for (; i < count; i++) bins[0][(uint8_t)shifted[i]]++;
    for (int bin = 0; bin <= TOMTOM_BINS; bin++) {
        const uint8_t at = (uint8_t)(int8_t)(bin - null);
        density[bin] = (double)(bins[0][at] + bins[1][at] + bins[2][at] + bins[3][at]) / (double)count;
    }
}

void xc_tomtom_scores(xc_tomtom_query *query) {
    const size_t count = query->targets->columns;
    double median[XC_TOMTOM_WIDEST], least, most;
    float nearest[XC_TOMTOM_WIDEST], farthest[XC_TOMTOM_WIDEST];
    xc_tomtom_far(query, nearest, farthest);
    for (uint32_t row = 0; row < query->width; row++) median[row] = xc_tomtom_median(query, row);
    find_range(query, median, nearest, farthest, &least, &most);
    const double offset = floor(least), scale = floor(TOMTOM_BINS / (most - offset));
    query->null = (int)(-offset * scale);
    for (uint32_t row = 0; row < query->width; row++) {
        const double zero = xc_tomtom_far_at_zero(query->targets->distance);
        binning bins = {.median = median[row], .offset = offset, .scale = scale, .null = query->null};
        bins.start = (float)(((zero - median[row]) - offset) * scale + 0.5);
        bins.slope = (float)scale;
        bins.doubt = (float)(2 * TOMTOM_FAR_ERROR * scale); /* half of it for the rounding of numbers up to 5 * scale */
        put_into_bins(query, row, &bins);
        count_bins(query->shifted + row * count, count, query->null, query->density + row * (TOMTOM_BINS + 1));
    }
}

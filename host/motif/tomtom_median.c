/* tomtom_median.c: the median of a query column's scores over all target columns, the lower one, as in double
 * precision.
 *
 * The bucket that it is in is found by counting in single precision; only the scores in this bucket are worked out
 * exactly. The outcome tells whether the error of single precision could have misled; then all are worked out.
 */
#include <string.h>

#include "tomtom.h"

/* The value of this rank (0: the least). Reorders the values. */
static double select_rank(double *value, size_t count, size_t rank) {
    size_t low = 0, high = count - 1;
    while (low < high) {
        const double pivot = value[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (value[i] < pivot) i++;
            while (value[j] > pivot) j--;
            if (i >= j) break;
            const double swap = value[i];
            value[i++] = value[j];
            value[j--] = swap;
        }
        /* value[low..i-1] <= pivot <= value[j+1..high]; between them, at most the pivot itself */
        if (i == j) {
            if (rank == i) return value[i];
            i++, j--;
        }
        if (rank <= j && j != (size_t)-1)
            high = j;
        else
            low = i;
    }
    return value[rank];
}

/* How many buckets are less than this one. */
TOMTOM_CLONES
static size_t count_below(const int8_t *bucket, size_t count, int8_t limit) {
    typedef int8_t lanes __attribute__((vector_size(32), aligned(1), may_alias));
    enum { LANES = 32, MOST = 127 };
    size_t below = 0, i = 0;
    while (count - i >= LANES) {
        const size_t vectors = (count - i) / LANES < MOST ? (count - i) / LANES : MOST;
        lanes sum = {0};
        for (size_t k = 0; k < vectors; k++, i += LANES) sum -= *(const lanes *)(bucket + i) < limit;
        int total = 0;
        for (int k = 0; k < LANES; k++) total += sum[k];
        below += (size_t)total;
    }
    for (; i < count; i++) below += bucket[i] < limit;
    return below;
}

/* Places of the columns in one bucket, eight at a time by the zero bytes of a word; returns how many. */
static size_t find_bucket(const int8_t *bucket, size_t count, int8_t wanted, uint32_t *place) {
    const uint64_t ones = 0x0101010101010101u, low = 0x7f * ones, pattern = (uint8_t)wanted * ones;
    size_t found = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, bucket + i, 8);
        word ^= pattern;
        const uint64_t zero = ~(((word & low) + low) | word | low);
        if (zero == 0) continue;
        for (size_t k = 0; k < 8; k++)
            if (bucket[i + k] == wanted) place[found++] = (uint32_t)(i + k);
    }
    for (; i < count; i++)
        if (bucket[i] == wanted) place[found++] = (uint32_t)i;
    return found;
}

/* The score of the median's rank within its bucket; near the bucket's edge, it might have this rank in another. */
double xc_tomtom_median(xc_tomtom_query *query, uint32_t row) {
    const xc_tomtom_targets *targets = query->targets;
    const size_t count = targets->columns, rank = count - count / 2; /* of `far`: the score's, from above */
    const int8_t *bucket = query->shifted + row * count;
    const double *column = query->column + 4 * (size_t)row;
    const xc_tomtom_buckets in = xc_tomtom_choose_buckets(targets->distance);
    int low = -128, high = 127;
    size_t below = 0;
    while (low < high) {
        const int middle = (low + high + 1) >> 1;
        const size_t less = count_below(bucket, count, (int8_t)middle);
        if (less > rank)
            high = middle - 1;
        else
            low = middle, below = less;
    }
    const size_t kept = find_bucket(bucket, count, (int8_t)low, query->place);
    for (size_t i = 0; i < kept; i++) query->scratch[i] = xc_tomtom_score(targets, column, query->place[i]);
    const double median = select_rank(query->scratch, kept, kept - 1 - (rank - below));
    const double far = xc_tomtom_far_at_zero(targets->distance) - median;
    const double start = (double)in.from + (low + 128) / (double)in.rate, end = start + 1 / (double)in.rate;
    const bool after_start = low == -128 || far > start + 2 * (double)TOMTOM_FAR_ERROR;
    const bool before_end = low == 127 || far < end - 2 * (double)TOMTOM_FAR_ERROR;
    if (after_start && before_end) return median;
    for (size_t i = 0; i < count; i++) query->scratch[i] = xc_tomtom_score(targets, column, i);
    return select_rank(query->scratch, count, count / 2 - 1);
}

/* tomtom_null.c: how large would the best complete score be by chance? For each run of query columns the exact
 * distribution of its score, were every column of the database equally likely at each position; from these, for each
 * width of target, the distribution of the best over all offsets and both strands.
 *
 * Upper tails are combined as s + t (1 - s), which is 1 - (1 - s)(1 - t) without losing small ones.
 */
#include <string.h>

#include "tomtom.h"

/* to[k] = sum over s of density[s] * from[k - s], for begin <= k < end and s <= span. `from` is zero for BINS places
 * before its start and up to `end` after it; `to` is written up to a whole block. */
TOMTOM_CLONES
static void convolve(const double *restrict from, const double *restrict density, int span, size_t begin, size_t end,
                     double *restrict to) {
    typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
    enum { VECTORS = 6, BLOCK = 4 * VECTORS };
    for (size_t k = begin; k < end; k += BLOCK) {
        four sum[VECTORS] = {{0}};
        for (int s = 0; s <= span; s++) {
            const double weight = density[s];
            const double *at = from + k - s;
            for (int v = 0; v < VECTORS; v++) sum[v] += weight * *(const four *)(at + 4 * v);
        }
        for (int v = 0; v < VECTORS; v++) *(four *)(to + k + 4 * v) = sum[v];
    }
}

TOMTOM_CLONES
static void combine(const double *restrict tail, size_t from, size_t to, double *restrict upper) {
    for (size_t k = from; k < to; k++) upper[k] += tail[k] * (1 - upper[k]);
}

typedef struct run {
    size_t least, most;   /* the scores (sum of bins) that can be */
    const double *chance; /* of each, from the least on */
} run;

/* P(complete score >= k) for k = from..to-1, of a run of `length` query columns. */
static void sum_tail(const xc_tomtom_query *query, const run *scores, uint32_t length, size_t from, size_t to) {
    const size_t shift = (query->width - length) * (size_t)query->null;
    const size_t least = scores->least + shift, above_most = scores->most + 1 + shift;
    double sum = 0;
    size_t k = to;
    for (size_t above = above_most; above > to && above > least; above--) /* more than anything observed */
        sum += scores->chance[above - 1 - least];
    for (; k > from && k > above_most; k--) query->tail[k - 1] = 0;
    for (; k > from && k > least; k--) {
        sum += scores->chance[k - 1 - least];
        query->tail[k - 1] = sum < 1 ? sum : 1;
    }
    for (; k > from; k--) query->tail[k - 1] = 1;
}

static bool is_width(const xc_tomtom_targets *targets, uint32_t width) {
    for (size_t i = 0; i < targets->width_count; i++)
        if (targets->widths[i] == width) return true;
    return false;
}

/* The columns' scores that can be: first and last bin with a chance. */
static void find_support(const double *density, int *low, int *high) {
    for (*low = 0; density[*low] == 0; (*low)++)
        ;
    for (*high = TOMTOM_BINS; density[*high] == 0; (*high)--)
        ;
}

/* The smallest score of each run from `start` on that matters: that a run's complete score reaches `from`, its own or
 * that of a longer run at best. */
static void find_needed(const xc_tomtom_query *query, const int *high, uint32_t start, int32_t from, int32_t *needed) {
    for (uint32_t end = query->width; end-- > start;) {
        const int32_t unaligned = (int32_t)(query->width - (end - start + 1)), own = from - unaligned * query->null;
        needed[end] = own;
        if (end + 1 == query->width) continue;
        const int32_t longer = needed[end + 1] - high[end + 1];
        if (longer < own) needed[end] = longer;
    }
}

/* Fills edge[n] (the run of n columns at each end, n < width) and window[n] (all runs of n columns). */
static void sum_runs(xc_tomtom_query *query, size_t stride, size_t from, size_t to) {
    const uint32_t width = query->width;
    bool wanted[XC_TOMTOM_WIDEST + 1];
    int low[XC_TOMTOM_WIDEST], high[XC_TOMTOM_WIDEST];
    int32_t needed[XC_TOMTOM_WIDEST];
    for (uint32_t n = 0; n <= width; n++) wanted[n] = n == width || is_width(query->targets, n);
    for (uint32_t i = 0; i < width; i++) find_support(query->density + i * (TOMTOM_BINS + 1), &low[i], &high[i]);
    for (uint32_t start = 0; start < width; start++) {
        double *old = query->chain[0] + TOMTOM_PADDING, *new = query->chain[1] + TOMTOM_PADDING;
        size_t most = 0, least = 0;
        find_needed(query, high, start, (int32_t)from, needed);
        memset(old, 0, 2 * TOMTOM_PADDING * sizeof *old);
        old[0] = 1;
        for (uint32_t end = start; end < width; end++) {
            const uint32_t length = end - start + 1;
            least += (size_t)low[end];
            most += (size_t)high[end];
            const size_t begin = needed[end] > (int32_t)least ? (size_t)needed[end] - least : 0;
            convolve(old, query->density + end * (TOMTOM_BINS + 1) + low[end], high[end] - low[end], begin,
                     most - least + 1, new);
            memset(new + (most - least + 1), 0, TOMTOM_PADDING * sizeof *new);
            const run scores = {least, most, new};
            const bool edge = length < width && (start == 0 || end + 1 == width);
            if (edge || wanted[length]) sum_tail(query, &scores, length, from, to);
            if (edge) combine(query->tail, from, to, query->edge + length * stride);
            if (wanted[length]) combine(query->tail, from, to, query->window + length * stride);
            double *swap = old;
            old = new;
            new = swap;
        }
    }
}

void xc_tomtom_null(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    const uint32_t width = query->width;
    const size_t stride = (size_t)width * 2 * TOMTOM_BINS + 1;
    int32_t least = query->best[0], most = least;
    for (size_t strand = 0; strand < targets->count; strand++) {
        if (query->best[strand] < least) least = query->best[strand];
        if (query->best[strand] > most) most = query->best[strand];
    }
    const size_t from = (size_t)(least + (int32_t)width * query->null);
    const size_t to = (size_t)(most + (int32_t)width * query->null) + 1;
    for (size_t n = 0; n <= width; n++) {
        memset(query->edge + n * stride + from, 0, (to - from) * sizeof *query->edge);
        memset(query->window + n * stride + from, 0, (to - from) * sizeof *query->window);
    }
    sum_runs(query, stride, from, to);

    /* Of a target of width w: both ends of 1..min(w,width)-1 columns, and each run of w columns; where the target is
     * as wide as the query or wider, the whole query w - width + 1 times. edge[0] and window[0] are running results. */
    double *edges = query->edge, *whole = query->window;
    uint32_t edges_done = 1, whole_done = 0;
    for (size_t i = 0; i < targets->width_count; i++) {
        const uint32_t target = targets->widths[i];
        double *upper = query->upper + i * stride;
        for (; edges_done < target && edges_done < width; edges_done++)
            combine(query->edge + edges_done * stride, from, to, edges);
        for (; whole_done + width < target + 1; whole_done++) combine(query->window + width * stride, from, to, whole);
        memcpy(upper + from, edges + from, (to - from) * sizeof *upper);
        combine(target < width ? query->window + target * stride : whole, from, to, upper);
        for (size_t k = from; k < to; k++) upper[k] += upper[k] * (1 - upper[k]); /* the other strand */
    }
}

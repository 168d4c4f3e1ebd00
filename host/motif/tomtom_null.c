/* tomtom_null.c: how large would the best complete score be by chance? For each run of query columns the exact
 * distribution of its score, were every column of the database equally likely at each position; from these, for each
 * width of target, the distribution of the best over all offsets and both strands.
 *
 * Upper tails are combined as s + t (1 - s), which is 1 - (1 - s)(1 - t) without losing small ones.
 */
#include <string.h>

#include "tomtom.h"

/* to[k] = sum over s of density[s] * from[k - s], for k < count. `from` is zero for BINS places before its start and up
 * to `count` after it; `to` is written up to a whole block. */
TOMTOM_CLONES
static void convolve(const double *restrict from, const double *restrict density, int low, int high, size_t count,
                     double *restrict to) {
    typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
    enum { VECTORS = 6, BLOCK = 4 * VECTORS };
    for (size_t k = 0; k < count; k += BLOCK) {
        four sum[VECTORS] = {{0}};
        for (int s = low; s <= high; s++) {
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
    const double *chance; /* of each score */
} run;

/* P(complete score >= k) for k = from..to-1, of a run of `length` query columns. */
static void sum_tail(const xc_tomtom_query *query, const run *scores, uint32_t length, size_t from, size_t to) {
    const size_t shift = (query->width - length) * (size_t)query->null;
    double sum = 0;
    size_t k = to;
    for (size_t above = scores->most + 1 + shift; above > to; above--) /* more than anything observed */
        if (above - 1 >= scores->least + shift) sum += scores->chance[above - 1 - shift];
    for (; k > from && k > scores->most + 1 + shift; k--) query->tail[k - 1] = 0;
    for (; k > from && k > scores->least + shift; k--) {
        sum += scores->chance[k - 1 - shift];
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

/* Fills edge[n] (the run of n columns at each end, n < width) and window[n] (all runs of n columns). */
static void sum_runs(xc_tomtom_query *query, size_t stride, size_t from, size_t to) {
    const uint32_t width = query->width;
    bool wanted[XC_TOMTOM_WIDEST + 1];
    for (uint32_t n = 0; n <= width; n++) wanted[n] = n == width || is_width(query->targets, n);
    for (uint32_t start = 0; start < width; start++) {
        double *old = query->chain[0] + TOMTOM_PADDING, *new = query->chain[1] + TOMTOM_PADDING;
        size_t most = 0, least = 0;
        memset(old, 0, 2 * TOMTOM_PADDING * sizeof *old);
        old[0] = 1;
        for (uint32_t end = start; end < width; end++) {
            const double *density = query->density + end * (TOMTOM_BINS + 1);
            const uint32_t length = end - start + 1;
            int low, high;
            find_support(density, &low, &high);
            least += (size_t)low;
            most += (size_t)high;
            convolve(old, density, low, high, most + 1, new);
            memset(new + most + 1, 0, TOMTOM_PADDING * sizeof *new);
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
    memset(query->edge, 0, (width + 1) * stride * sizeof *query->edge);
    memset(query->window, 0, (width + 1) * stride * sizeof *query->window);
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

/* tomtom_columns.c: from motifs to scores in bins: pseudocounts, both strands of all targets as one array of
 * columns, the score of every query column against every one of them, its median, and the common scale of a query.
 *
 * The arithmetic follows the MEME suite's step by step, so that a score falls into the same bin: sites are cut to a
 * whole number, the scale and its offset are whole numbers, and the median is the lower one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tomtom.h"

#define PSEUDOCOUNT 0.1
#define SITES_WHEN_UNKNOWN 20 /* as Tomtom assumes */

/* ---- frequencies ------------------------------------------------------------------------------------------------- */

void xc_tomtom_background(const xc_motif_list *motifs, double background[4]) {
    const double *given = motifs->background;
    for (int base = 0; base < 4; base++) background[base] = given[0] > 0 ? (given[base] + given[3 - base]) / 2 : 0.25;
}

void xc_tomtom_frequencies(const xc_motif *motif, const double background[4], bool reverse, double *column) {
    const double sites = motif->sites >= 1 ? floor(motif->sites) : SITES_WHEN_UNKNOWN;
    for (uint32_t i = 0; i < motif->width; i++) {
        double *to = column + 4 * (size_t)(reverse ? motif->width - 1 - i : i);
        for (int base = 0; base < 4; base++) {
            const size_t place = 4 * (size_t)i + (size_t)base;
            const double count = (motif->written ? motif->written[place] : (double)motif->ppm[place]) * sites;
            to[reverse ? 3 - base : base] = (count + PSEUDOCOUNT * background[base]) / (sites + PSEUDOCOUNT);
        }
    }
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    const xc_motif *x = *(const xc_motif *const *)a, *y = *(const xc_motif *const *)b;
    const int order = strcmp(x->id, y->id);
    return order ? order : (x > y) - (x < y);
}

/* rank, by_rank and same: "+" comes before "-", so all forward strands are before all reverse ones. */
static xc_status rank_targets(const xc_motif_list *motifs, xc_tomtom_targets *targets, xc_error *error) {
    xc_status status = XC_OK;
    const xc_motif **sorted = NULL;
    XC_TRY(xc_allocate(&sorted, motifs->count, sizeof *sorted, "the targets", error));
    for (size_t i = 0; i < motifs->count; i++) sorted[i] = &motifs->motif[i];
    qsort(sorted, motifs->count, sizeof *sorted, compare_ids);
    size_t first = 0;
    for (size_t place = 0; place < motifs->count; place++) {
        const size_t i = (size_t)(sorted[place] - motifs->motif);
        if (strcmp(sorted[first]->id, sorted[place]->id) != 0) first = place;
        targets->same[i] = (uint32_t)(sorted[first] - motifs->motif);
        for (size_t reverse = 0; reverse < 2; reverse++) {
            targets->rank[2 * i + reverse] = (uint32_t)(place + reverse * motifs->count);
            targets->by_rank[place + reverse * motifs->count] = (uint32_t)(2 * i + reverse);
        }
    }
fail:
    free(sorted);
    return status;
}

static int compare_widths(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void list_widths(xc_tomtom_targets *targets) {
    memcpy(targets->widths, targets->width, targets->count * sizeof *targets->widths);
    qsort(targets->widths, targets->count, sizeof *targets->widths, compare_widths);
    for (size_t i = 0; i < targets->count; i++)
        if (i == 0 || targets->widths[i] != targets->widths[targets->width_count - 1])
            targets->widths[targets->width_count++] = targets->widths[i];
    for (size_t i = 0; i < targets->count; i++) {
        const uint32_t *place =
            bsearch(&targets->width[i], targets->widths, targets->width_count, sizeof *targets->widths, compare_widths);
        targets->width_place[i] = (uint32_t)(place - targets->widths);
    }
}

xc_status xc_tomtom_targets_make(const xc_motif_list *motifs, const double background[4], xc_tomtom_targets *targets,
                                 xc_error *error) {
    xc_status status = XC_OK;
    double *column = NULL; /* (widest,4) */
    uint32_t widest = 1;
    *targets = (xc_tomtom_targets){.count = 2 * motifs->count};
    for (size_t i = 0; i < motifs->count; i++) {
        targets->columns += 2 * (size_t)motifs->motif[i].width;
        if (motifs->motif[i].width > widest) widest = motifs->motif[i].width;
    }
    XC_TRY(xc_allocate(&column, 4 * (size_t)widest, sizeof *column, "the targets", error));
    XC_TRY(xc_allocate(&targets->value, 4 * targets->columns, sizeof *targets->value, "the targets", error));
    XC_TRY(xc_allocate(&targets->first, targets->count, sizeof *targets->first, "the targets", error));
    uint32_t **const arrays[] = {&targets->width, &targets->widths,  &targets->width_place,
                                 &targets->rank,  &targets->by_rank, &targets->same};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        XC_TRY(xc_allocate(arrays[i], targets->count, sizeof **arrays[i], "the targets", error));
    for (size_t strand = 0, place = 0; strand < targets->count; strand++) {
        const xc_motif *motif = &motifs->motif[strand / 2];
        targets->width[strand] = motif->width;
        targets->first[strand] = place;
        xc_tomtom_frequencies(motif, background, strand % 2, column);
        for (uint32_t i = 0; i < motif->width; i++, place++)
            for (size_t base = 0; base < 4; base++)
                targets->value[base * targets->columns + place] = column[4 * (size_t)i + base];
    }
    list_widths(targets);
    XC_TRY(rank_targets(motifs, targets, error));
fail:
    free(column);
    return status;
}

void xc_tomtom_targets_free(xc_tomtom_targets *targets) {
    free(targets->value);
    free(targets->width);
    free(targets->first);
    free(targets->widths);
    free(targets->width_place);
    free(targets->rank);
    free(targets->by_rank);
    free(targets->same);
    *targets = (xc_tomtom_targets){0};
}

/* ---- scores of one query column ---------------------------------------------------------------------------------- */

TOMTOM_CLONES
static void score_euclidean(const double *restrict column, const double *restrict value, size_t count,
                            double *restrict score) {
    const double *a = value, *c = value + count, *g = value + 2 * count, *t = value + 3 * count;
    for (size_t i = 0; i < count; i++) {
        const double da = column[0] - a[i], dc = column[1] - c[i], dg = column[2] - g[i], dt = column[3] - t[i];
        score[i] = -sqrt(((da * da + dc * dc) + dg * dg) + dt * dt);
    }
}

/* Means are 1/4, whatever the columns sum to. A flat column correlates with nothing. */
TOMTOM_CLONES
static void score_pearson(const double *restrict column, const double *restrict value, size_t count,
                          double *restrict score) {
    const double *a = value, *c = value + count, *g = value + 2 * count, *t = value + 3 * count;
    const double qa = column[0] - 0.25, qc = column[1] - 0.25, qg = column[2] - 0.25, qt = column[3] - 0.25;
    const double query = ((qa * qa + qc * qc) + qg * qg) + qt * qt;
    for (size_t i = 0; i < count; i++) {
        const double ta = a[i] - 0.25, tc = c[i] - 0.25, tg = g[i] - 0.25, tt = t[i] - 0.25;
        const double target = ((ta * ta + tc * tc) + tg * tg) + tt * tt;
        const double product = ((qa * ta + qc * tc) + qg * tg) + qt * tt, norm = sqrt(query * target);
        score[i] = norm != 0 ? product / norm : 0;
    }
}

TOMTOM_CLONES
static void find_extremes(const double *restrict score, size_t count, double *least, double *most) {
    double low[8], high[8];
    for (int k = 0; k < 8; k++) low[k] = high[k] = score[0];
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int k = 0; k < 8; k++) low[k] = score[i + (size_t)k] < low[k] ? score[i + (size_t)k] : low[k];
        for (int k = 0; k < 8; k++) high[k] = score[i + (size_t)k] > high[k] ? score[i + (size_t)k] : high[k];
    }
    for (; i < count; i++) {
        low[0] = score[i] < low[0] ? score[i] : low[0];
        high[0] = score[i] > high[0] ? score[i] : high[0];
    }
    *least = low[0];
    *most = high[0];
    for (int k = 1; k < 8; k++) {
        if (low[k] < *least) *least = low[k];
        if (high[k] > *most) *most = high[k];
    }
}

/* ---- the median -------------------------------------------------------------------------------------------------- */

/* The value of this rank (0: the least). Reorders the values. */
static double select_small(double *value, size_t count, size_t rank) {
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

enum { SAMPLE = 256, MARGIN = 24 }; /* the margin is three standard deviations of the sample's median */

/* Brackets the value of this rank by a sample. */
static void bracket(const double *value, size_t count, size_t rank, double *low, double *high) {
    double sample[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++) sample[i] = value[i * count / SAMPLE];
    const size_t middle = rank * SAMPLE / count;
    *low = select_small(sample, SAMPLE, middle > MARGIN ? middle - MARGIN : 0);
    *high = select_small(sample, SAMPLE, middle + MARGIN < SAMPLE ? middle + MARGIN : SAMPLE - 1);
}

/* Moves what is in low..high to `kept`, which may be `value` itself; returns how many, and in *below how many are less.
 * Four at a time, so that no place waits for the one before it longer than it must. */
static size_t keep_between(const double *value, size_t count, double low, double high, double *kept, size_t *below) {
    size_t place = 0, less = 0, i = 0;
    for (; i + 4 <= count; i += 4) {
        const double a = value[i], b = value[i + 1], c = value[i + 2], d = value[i + 3];
        const size_t in_a = (a >= low) & (a <= high), in_b = (b >= low) & (b <= high);
        const size_t in_c = (c >= low) & (c <= high), in_d = (d >= low) & (d <= high);
        kept[place] = a;
        kept[place + in_a] = b;
        kept[place + in_a + in_b] = c;
        kept[place + in_a + in_b + in_c] = d;
        place += in_a + in_b + in_c + in_d;
        less += (size_t)((a < low) + (b < low)) + (size_t)((c < low) + (d < low));
    }
    for (; i < count; i++) {
        const double x = value[i];
        kept[place] = x;
        place += (x >= low) & (x <= high);
        less += x < low;
    }
    *below = less;
    return place;
}

/* The same for many values, which stay as they are; `scratch` has room for as many. */
static double select_large(const double *value, size_t count, size_t rank, double *scratch) {
    const double *from = value;
    size_t left = count, wanted = rank;
    while (left > 2 * SAMPLE) {
        double low, high;
        size_t below;
        bracket(from, left, wanted, &low, &high);
        const size_t kept = keep_between(from, left, low, high, scratch, &below);
        const bool lost = wanted < below || wanted - below >= kept, stuck = kept == left;
        if (lost || stuck) break;
        from = scratch;
        left = kept;
        wanted -= below;
    }
    if (left <= 2 * SAMPLE && from == scratch) return select_small(scratch, left, wanted);
    memcpy(scratch, value, count * sizeof *value); /* few values, many alike, or a sample that misled */
    return select_small(scratch, count, rank);
}

/* ---- bins -------------------------------------------------------------------------------------------------------- */

TOMTOM_CLONES
static void put_into_bins(const double *restrict score, size_t count, double median, double offset, double scale,
                          int null, int8_t *restrict shifted) {
    for (size_t i = 0; i < count; i++)
        shifted[i] = (int8_t)((int)(((score[i] - median) - offset) * scale + 0.5) - null);
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

void xc_tomtom_scores(xc_tomtom_query *query, xc_tomtom_distance distance) {
    const xc_tomtom_targets *targets = query->targets;
    const size_t count = targets->columns;
    double median[XC_TOMTOM_WIDEST], least = INFINITY, most = -INFINITY;
    for (uint32_t i = 0; i < query->width; i++) {
        double *score = query->score + i * count, low, high;
        (distance == XC_TOMTOM_EUCLIDEAN ? score_euclidean : score_pearson)(query->column + 4 * (size_t)i,
                                                                            targets->value, count, score);
        median[i] = select_large(score, count, count / 2 - 1, query->scratch);
        find_extremes(score, count, &low, &high);
        if (low - median[i] < least) least = low - median[i];
        if (high - median[i] > most) most = high - median[i];
    }
    if (least == most) least = most - 1;
    const double offset = floor(least), scale = floor(TOMTOM_BINS / (most - offset));
    query->null = (int)(-offset * scale);
    for (uint32_t i = 0; i < query->width; i++) {
        int8_t *shifted = query->shifted + i * count;
        put_into_bins(query->score + i * count, count, median[i], offset, scale, query->null, shifted);
        count_bins(shifted, count, query->null, query->density + i * (TOMTOM_BINS + 1));
    }
}

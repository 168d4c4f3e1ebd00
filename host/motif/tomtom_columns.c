/* tomtom_columns.c: from motifs to columns: pseudocounts, and both strands of all targets as one array of columns, with
 * what is looked up in it: widths, and the order of the names.
 *
 * The arithmetic follows the MEME suite's step by step, so that a score falls into the same bin: sites are cut to a
 * whole number.
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

/* by_rank and same: "+" comes before "-", so all forward strands are before all reverse ones. */
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
        for (size_t reverse = 0; reverse < 2; reverse++)
            targets->by_rank[place + reverse * motifs->count] = (uint32_t)(2 * i + reverse);
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

xc_status xc_tomtom_targets_make(const xc_motif_list *motifs, const double background[4], xc_tomtom_distance distance,
                                 xc_tomtom_targets *targets, xc_error *error) {
    xc_status status = XC_OK;
    double *column = NULL; /* (widest,4) */
    uint32_t widest = 1;
    *targets = (xc_tomtom_targets){.distance = distance, .count = 2 * motifs->count};
    for (size_t i = 0; i < motifs->count; i++) {
        targets->columns += 2 * (size_t)motifs->motif[i].width;
        if (motifs->motif[i].width > widest) widest = motifs->motif[i].width;
    }
    XC_TRY(xc_allocate(&column, 4 * (size_t)widest, sizeof *column, "the targets", error));
    XC_TRY(xc_allocate(&targets->value, 4 * targets->columns, sizeof *targets->value, "the targets", error));
    XC_TRY(xc_allocate(&targets->near, 4 * targets->columns, sizeof *targets->near, "the targets", error));
    XC_TRY(xc_allocate(&targets->first, targets->count, sizeof *targets->first, "the targets", error));
    uint32_t **const arrays[] = {&targets->width, &targets->widths, &targets->width_place, &targets->by_rank,
                                 &targets->same};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        XC_TRY(xc_allocate(arrays[i], targets->count, sizeof **arrays[i], "the targets", error));
    for (size_t strand = 0, place = 0; strand < targets->count; strand++) {
        const xc_motif *motif = &motifs->motif[strand / 2];
        targets->width[strand] = motif->width;
        targets->first[strand] = place;
        xc_tomtom_frequencies(motif, background, strand % 2, column);
        for (uint32_t i = 0; i < motif->width; i++, place++) {
            float near[4];
            xc_tomtom_near(distance, column + 4 * (size_t)i, near);
            for (size_t base = 0; base < 4; base++) {
                targets->value[base * targets->columns + place] = column[4 * (size_t)i + base];
                targets->near[base * targets->columns + place] = near[base];
            }
        }
    }
    list_widths(targets);
    XC_TRY(rank_targets(motifs, targets, error));
fail:
    free(column);
    return status;
}

void xc_tomtom_targets_free(xc_tomtom_targets *targets) {
    free(targets->value);
    free(targets->near);
    free(targets->width);
    free(targets->first);
    free(targets->widths);
    free(targets->width_place);
    free(targets->by_rank);
    free(targets->same);
    *targets = (xc_tomtom_targets){0};
}

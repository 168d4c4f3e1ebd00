/* tomtom.c: compares each query with each target: one query after another on as many threads as wanted, and what comes
 * out put together in the order of the queries. The steps of a query are in the other files tomtom_*.c.
 *
 * Source: Gupta et al., Genome Biology 8:R24 (2007); Tanaka et al., Bioinformatics 27:1603 (2011) for complete scores.
 * Definitions where these are silent (bins, ties, pseudocounts, pi_0) are those of the MEME suite's program.
 */
#include "tomtom.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What one query gives, until all are put together. */
typedef struct matches {
    xc_tomtom_match *match;
    size_t count;
} matches;

typedef struct search_state {
    const xc_motif_list *queries;
    const xc_tomtom_options *options;
    xc_tomtom_targets targets;
    double background[4];
    uint32_t widest;
    xc_tomtom_random *random; /* (queries) where the stream is when a query's turn comes */
    matches *found;           /* (queries) */
    atomic_size_t next;
    atomic_flag failed;
    xc_error *error;
    xc_status status;
} search_state;

/* ---- room -------------------------------------------------------------------------------------------------------- */

xc_status xc_tomtom_query_open(const xc_tomtom_targets *targets, uint32_t room, xc_tomtom_query *query,
                               xc_error *error) {
    static const char what[] = "the tables of a query";
    xc_status status = XC_OK;
    const size_t scores = (size_t)room * 2 * TOMTOM_BINS + 1, chain = (size_t)room * TOMTOM_BINS + 1;
    const size_t spread = targets->columns + (targets->count + 1) * room;
    *query = (xc_tomtom_query){.targets = targets, .room = room};
    XC_TRY(xc_allocate(&query->column, (size_t)room * 4, sizeof *query->column, what, error));
    XC_TRY(xc_allocate(&query->score, room * targets->columns, sizeof *query->score, what, error));
    XC_TRY(xc_allocate(&query->scratch, targets->columns, sizeof *query->scratch, what, error));
    XC_TRY(xc_allocate(&query->shifted, room * targets->columns, sizeof *query->shifted, what, error));
    XC_TRY(xc_allocate(&query->density, (size_t)room * (TOMTOM_BINS + 1), sizeof *query->density, what, error));
    XC_TRY(xc_allocate(&query->spread, room * spread, sizeof *query->spread, what, error));
    XC_TRY(xc_allocate(&query->sum, spread, sizeof *query->sum, what, error));
    XC_TRY(xc_allocate(&query->best, targets->count, sizeof *query->best, what, error));
    XC_TRY(xc_allocate(&query->offset, targets->count, sizeof *query->offset, what, error));
    XC_TRY(xc_allocate(&query->overlap, targets->count, sizeof *query->overlap, what, error));
    for (int i = 0; i < 2; i++)
        XC_TRY(xc_allocate(&query->chain[i], chain + 4 * TOMTOM_PADDING, sizeof *query->chain[i], what, error));
    XC_TRY(xc_allocate(&query->tail, scores, sizeof *query->tail, what, error));
    XC_TRY(xc_allocate(&query->edge, (room + 1) * scores, sizeof *query->edge, what, error));
    XC_TRY(xc_allocate(&query->window, (room + 1) * scores, sizeof *query->window, what, error));
    XC_TRY(xc_allocate(&query->upper, targets->width_count * scores, sizeof *query->upper, what, error));
    XC_TRY(xc_allocate(&query->key, targets->count, sizeof *query->key, what, error));
    XC_TRY(xc_allocate(&query->p, targets->count, sizeof *query->p, what, error));
    XC_TRY(xc_allocate(&query->q, targets->count, sizeof *query->q, what, error));
    XC_TRY(xc_allocate(&query->classes, targets->count, sizeof *query->classes, what, error));
    XC_TRY(xc_allocate(&query->seen, targets->count / 2, sizeof *query->seen, what, error));
fail:
    return status;
}

void xc_tomtom_query_close(xc_tomtom_query *query) {
    void *const arrays[] = {
        query->column, query->score,  query->scratch, query->shifted, query->density,  query->spread,   query->sum,
        query->best,   query->offset, query->overlap, query->tail,    query->chain[0], query->chain[1], query->edge,
        query->window, query->upper,  query->key,     query->p,       query->q,        query->classes,  query->seen};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

/* ---- one query --------------------------------------------------------------------------------------------------- */

static float p_value(const xc_tomtom_query *query, size_t strand) {
    const size_t stride = (size_t)query->width * 2 * TOMTOM_BINS + 1;
    const size_t place = (size_t)(query->best[strand] + (int32_t)query->width * query->null);
    return (float)query->upper[query->targets->width_place[strand] * stride + place];
}

static int compare_keys(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Strands in their order: p, then the larger overlap, then the name. A key is these three as one number: positive
 * floats order like their bits. */
enum { RANK_BITS = 24 };

static void sort_strands(xc_tomtom_query *query) {
    const xc_tomtom_targets *targets = query->targets;
    for (size_t strand = 0; strand < targets->count; strand++) {
        const float p = p_value(query, strand);
        uint32_t bits;
        memcpy(&bits, &p, sizeof bits);
        query->key[strand] =
            (uint64_t)bits << 32 | (uint64_t)(255 - query->overlap[strand]) << RANK_BITS | targets->rank[strand];
    }
    qsort(query->key, targets->count, sizeof *query->key, compare_keys);
    for (size_t i = 0; i < targets->count; i++) {
        const uint32_t bits = (uint32_t)(query->key[i] >> 32);
        memcpy(&query->p[i], &bits, sizeof bits);
    }
}

/* The first of each target's strands, as long as the threshold allows. */
static xc_status keep_matches(xc_tomtom_query *query, uint32_t number, const xc_tomtom_options *options, matches *found,
                              xc_error *error) {
    const xc_tomtom_targets *targets = query->targets;
    const xc_status status = xc_allocate(&found->match, targets->count / 2, sizeof *found->match, "the matches", error);
    if (status != XC_OK) return status;
    memset(query->seen, 0, targets->count / 2 * sizeof *query->seen);
    for (size_t i = 0; i < targets->count; i++) {
        const uint32_t strand = targets->by_rank[query->key[i] & ((1u << RANK_BITS) - 1)];
        const uint32_t target = strand / 2, same = targets->same[target];
        const float e = query->p[i] * (float)targets->count / 2;
        if ((options->by_evalue ? (double)e : query->q[i]) > options->threshold) break;
        if (query->seen[same]) continue;
        query->seen[same] = true;
        found->match[found->count++] = (xc_tomtom_match){.query = number,
                                                         .target = target,
                                                         .offset = query->offset[strand],
                                                         .overlap = query->overlap[strand],
                                                         .reverse = strand % 2,
                                                         .p = query->p[i],
                                                         .e = e,
                                                         .q = query->q[i]};
    }
    xc_tomtom_match *fitting = realloc(found->match, found->count ? found->count * sizeof *fitting : 1);
    if (fitting) found->match = fitting;
    return XC_OK;
}

static xc_status compare_query(search_state *search, xc_tomtom_query *query, uint32_t number, xc_error *error) {
    const xc_motif *motif = &search->queries->motif[number];
    if (motif->width > XC_TOMTOM_WIDEST) return XC_OK;
    query->width = motif->width;
    xc_tomtom_frequencies(motif, search->background, false, query->column);
    xc_tomtom_scores(query, search->options->distance);
    xc_tomtom_align(query);
    xc_tomtom_null(query);
    sort_strands(query);
    xc_tomtom_qvalues(query->p, search->targets.count, &search->random[number], query->classes, query->q);
    return keep_matches(query, number, search->options, &search->found[number], error);
}

static void work(void *context, int thread) {
    (void)thread;
    search_state *search = context;
    xc_tomtom_query query;
    xc_error error = {0};
    xc_status status = xc_tomtom_query_open(&search->targets, search->widest, &query, &error);
    while (status == XC_OK) {
        const size_t number = atomic_fetch_add(&search->next, 1);
        if (number >= search->queries->count) break;
        status = compare_query(search, &query, (uint32_t)number, &error);
    }
    xc_tomtom_query_close(&query);
    if (status == XC_OK || atomic_flag_test_and_set(&search->failed)) return;
    search->status = status;
    if (search->error) *search->error = error;
}

/* ---- all queries ------------------------------------------------------------------------------------------------- */

/* Warns of what is skipped, and says how wide the widest of the others is. */
static uint32_t find_widest(const xc_motif_list *queries) {
    uint32_t widest = 0;
    for (size_t i = 0; i < queries->count; i++) {
        const xc_motif *motif = &queries->motif[i];
        if (motif->width > XC_TOMTOM_WIDEST)
            xc_log(XC_LOG_WARNING, "query %s is left out: its width is %u, and %d is the most that can be compared",
                   motif->id, motif->width, XC_TOMTOM_WIDEST);
        else if (motif->width > widest)
            widest = motif->width;
    }
    return widest;
}

static xc_status place_random(search_state *search, xc_error *error) {
    xc_tomtom_random random;
    const xc_status status =
        xc_allocate(&search->random, search->queries->count, sizeof *search->random, "the random numbers", error);
    if (status != XC_OK) return status;
    xc_tomtom_random_start(&random);
    for (size_t i = 0; i < search->queries->count; i++) {
        search->random[i] = random;
        if (search->queries->motif[i].width <= XC_TOMTOM_WIDEST) xc_tomtom_random_skip(&random, search->targets.count);
    }
    return XC_OK;
}

static xc_status put_together(const search_state *search, xc_tomtom_result *result, xc_error *error) {
    size_t count = 0;
    for (size_t i = 0; i < search->queries->count; i++) count += search->found[i].count;
    const xc_status status = xc_allocate(&result->match, count, sizeof *result->match, "the matches", error);
    if (status != XC_OK) return status;
    for (size_t i = 0; i < search->queries->count; i++) {
        const matches *found = &search->found[i];
        if (found->count > 0) memcpy(result->match + result->count, found->match, found->count * sizeof *found->match);
        result->count += found->count;
    }
    return XC_OK;
}

xc_status xc_tomtom(const xc_motif_list *queries, const xc_motif_list *targets, const xc_tomtom_options *options,
                    xc_tomtom_result *result, xc_error *error) {
    xc_status status = XC_OK;
    search_state search = {.queries = queries, .options = options, .failed = ATOMIC_FLAG_INIT, .error = error};
    *result = (xc_tomtom_result){0};
    if (targets->count == 0 || 2 * targets->count >= 1u << RANK_BITS)
        return xc_fail(error, XC_INPUT, "%zu target motifs; 1 to %u can be searched", targets->count,
                       (1u << (RANK_BITS - 1)) - 1);
    search.widest = find_widest(queries);
    xc_tomtom_background(queries, search.background);
    XC_TRY(xc_tomtom_targets_make(targets, search.background, &search.targets, error));
    XC_TRY(xc_allocate(&search.found, queries->count, sizeof *search.found, "the matches", error));
    XC_TRY(place_random(&search, error));
    if (search.widest == 0) goto fail;
    const size_t threads = options->threads > 1 ? (size_t)options->threads : 1;
    xc_parallel((int)(threads < queries->count ? threads : queries->count), work, &search);
    XC_TRY(search.status);
    XC_TRY(put_together(&search, result, error));
fail:
    for (size_t i = 0; search.found && i < queries->count; i++) free(search.found[i].match);
    free(search.found);
    free(search.random);
    xc_tomtom_targets_free(&search.targets);
    return status;
}

void xc_tomtom_free(xc_tomtom_result *result) {
    free(result->match);
    *result = (xc_tomtom_result){0};
}

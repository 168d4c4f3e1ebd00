/* tomtom.c: compares each query with each target: one query after another on as many threads as wanted, and what comes
 * out put together in the order of the queries. The steps of a query are in the other files tomtom_*.c.
 *
 * Source: Gupta et al., Genome Biology 8:R24 (2007); Tanaka et al., Bioinformatics 27:1603 (2011) for complete scores.
 * Definitions where these are silent (bins, ties, pseudocounts, pi_0) are those of the MEME suite's program.
 */
#include "tomtom.h"

#include <pthread.h>
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
    matches *found; /* (queries) */
    size_t threads;
    pthread_mutex_t turn;    /* for what follows */
    size_t next;             /* query */
    xc_tomtom_random random; /* as that query finds it */
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
    XC_TRY(xc_allocate(&query->far, room * targets->columns, sizeof *query->far, what, error));
    XC_TRY(xc_allocate(&query->scratch, targets->columns, sizeof *query->scratch, what, error));
    XC_TRY(xc_allocate(&query->place, targets->columns, sizeof *query->place, what, error));
    XC_TRY(xc_allocate(&query->doubtful, targets->columns / 32 + 1, sizeof *query->doubtful, what, error));
    XC_TRY(
        xc_allocate(&query->shifted, room * targets->columns + 2 * TOMTOM_CHUNK, sizeof *query->shifted, what, error));
    XC_TRY(xc_allocate(&query->density, (size_t)room * (TOMTOM_BINS + 1), sizeof *query->density, what, error));
    XC_TRY(xc_allocate(&query->spread, room * spread + 2 * TOMTOM_CHUNK, sizeof *query->spread, what, error));
    XC_TRY(xc_allocate(&query->sum, spread, sizeof *query->sum, what, error));
    XC_TRY(xc_allocate(&query->tie, targets->width_count * TOMTOM_PLACES, sizeof *query->tie, what, error));
    XC_TRY(xc_allocate(&query->best, targets->count, sizeof *query->best, what, error));
    XC_TRY(xc_allocate(&query->offset, targets->count, sizeof *query->offset, what, error));
    XC_TRY(xc_allocate(&query->overlap, targets->count, sizeof *query->overlap, what, error));
    for (int i = 0; i < 2; i++)
        XC_TRY(xc_allocate(&query->chain[i], chain + 4 * TOMTOM_PADDING, sizeof *query->chain[i], what, error));
    XC_TRY(xc_allocate(&query->tail, scores, sizeof *query->tail, what, error));
    XC_TRY(xc_allocate(&query->edge, (room + 1) * scores, sizeof *query->edge, what, error));
    XC_TRY(xc_allocate(&query->window, (room + 1) * scores, sizeof *query->window, what, error));
    XC_TRY(xc_allocate(&query->upper, targets->width_count * scores, sizeof *query->upper, what, error));
    for (int i = 0; i < 2; i++) XC_TRY(xc_allocate(&query->key[i], targets->count, sizeof *query->key[i], what, error));
    XC_TRY(xc_allocate(&query->p, targets->count, sizeof *query->p, what, error));
    XC_TRY(xc_allocate(&query->q, targets->count, sizeof *query->q, what, error));
    XC_TRY(xc_allocate(&query->classes, targets->count, sizeof *query->classes, what, error));
    XC_TRY(xc_allocate(&query->seen, targets->count / 2, sizeof *query->seen, what, error));
fail:
    return status;
}

void xc_tomtom_query_close(xc_tomtom_query *query) {
    void *const arrays[] = {query->column,   query->far,     query->tie,     query->scratch, query->place,
                            query->doubtful, query->shifted, query->density, query->spread,  query->sum,
                            query->best,     query->offset,  query->overlap, query->tail,    query->chain[0],
                            query->chain[1], query->edge,    query->window,  query->upper,   query->key[0],
                            query->key[1],   query->p,       query->q,       query->classes, query->seen};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

/* ---- one query --------------------------------------------------------------------------------------------------- */

static float p_value(const xc_tomtom_query *query, size_t strand) {
    const size_t stride = (size_t)query->width * 2 * TOMTOM_BINS + 1;
    const size_t place = (size_t)(query->best[strand] + (int32_t)query->width * query->null);
    return (float)query->upper[query->targets->width_place[strand] * stride + place];
}

/* Sorts by the bits from `first` on, a byte at a time from the lowest; what is alike there keeps its order. Returns
 * which of the two arrays holds the outcome. */
static uint64_t *sort_keys(uint64_t *key, uint64_t *other, size_t count, int first) {
    for (int shift = first; shift < 64; shift += 8) {
        uint32_t place[256] = {0}, next = 0;
        for (size_t i = 0; i < count; i++) place[key[i] >> shift & 255]++;
        if (place[key[0] >> shift & 255] == count) continue;
        for (int digit = 0; digit < 256; digit++) {
            const uint32_t here = place[digit];
            place[digit] = next;
            next += here;
        }
        for (size_t i = 0; i < count; i++) other[place[key[i] >> shift & 255]++] = key[i];
        uint64_t *swap = key;
        key = other;
        other = swap;
    }
    return key;
}

/* Strands in their order: p, then the larger overlap, then the name. A key is the first two as one number, and the
 * strand; positive floats order like their bits. */
enum { STRAND_BITS = 24 };

static void sort_strands(xc_tomtom_query *query) {
    const size_t count = query->targets->count;
    for (size_t rank = 0; rank < count; rank++) {
        const uint32_t strand = query->targets->by_rank[rank];
        const float p = p_value(query, strand);
        uint32_t bits;
        memcpy(&bits, &p, sizeof bits);
        query->key[0][rank] = (uint64_t)bits << 32 | (uint64_t)(255 - query->overlap[strand]) << STRAND_BITS | strand;
    }
    query->sorted = sort_keys(query->key[0], query->key[1], count, STRAND_BITS);
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)(query->sorted[i] >> 32);
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
        const uint32_t strand = (uint32_t)query->sorted[i] & ((1u << STRAND_BITS) - 1);
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

static xc_status compare_query(search_state *search, xc_tomtom_query *query, uint32_t number, xc_tomtom_random *random,
                               xc_error *error) {
    const xc_motif *motif = &search->queries->motif[number];
    if (motif->width > XC_TOMTOM_WIDEST) return XC_OK;
    query->width = motif->width;
    xc_tomtom_frequencies(motif, search->background, false, query->column);
    xc_tomtom_scores(query);
    xc_tomtom_align(query);
    xc_tomtom_null(query);
    sort_strands(query);
    xc_tomtom_qvalues(query->p, search->targets.count, random, query->classes, query->q);
    return keep_matches(query, number, search->options, &search->found[number], error);
}

/* The number of a thread's next query, and the random numbers as this query finds them. A single thread has them as the
 * query before left them; several pass over what is being used elsewhere. */
static size_t take_query(search_state *search, xc_tomtom_random *random) {
    pthread_mutex_lock(&search->turn);
    const size_t number = search->next++;
    if (number == 0 || search->threads > 1) *random = search->random;
    if (search->threads > 1 && number < search->queries->count &&
        search->queries->motif[number].width <= XC_TOMTOM_WIDEST)
        xc_tomtom_random_skip(&search->random, search->targets.count);
    pthread_mutex_unlock(&search->turn);
    return number;
}

static void work(void *context, int thread) {
    (void)thread;
    search_state *search = context;
    xc_tomtom_query query;
    xc_tomtom_random random;
    xc_error error = {0};
    xc_status status = xc_tomtom_query_open(&search->targets, search->widest, &query, &error);
    while (status == XC_OK) {
        const size_t number = take_query(search, &random);
        if (number >= search->queries->count) break;
        status = compare_query(search, &query, (uint32_t)number, &random, &error);
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
    search_state search = {.queries = queries,
                           .options = options,
                           .failed = ATOMIC_FLAG_INIT,
                           .error = error,
                           .turn = PTHREAD_MUTEX_INITIALIZER};
    *result = (xc_tomtom_result){0};
    if (targets->count == 0 || 2 * targets->count >= 1u << STRAND_BITS)
        return xc_fail(error, XC_INPUT, "%zu target motifs; 1 to %u can be searched", targets->count,
                       (1u << (STRAND_BITS - 1)) - 1);
    search.widest = find_widest(queries);
    xc_tomtom_background(queries, search.background);
    XC_TRY(xc_tomtom_targets_make(targets, search.background, options->distance, &search.targets, error));
    XC_TRY(xc_allocate(&search.found, queries->count, sizeof *search.found, "the matches", error));
    if (search.widest == 0) goto fail;
    xc_tomtom_random_start(&search.random);
    search.threads = options->threads > 1 ? (size_t)options->threads : 1;
    if (search.threads > queries->count) search.threads = queries->count;
    xc_parallel((int)search.threads, work, &search);
    XC_TRY(search.status);
    XC_TRY(put_together(&search, result, error));
fail:
    for (size_t i = 0; search.found && i < queries->count; i++) free(search.found[i].match);
    free(search.found);
    xc_tomtom_targets_free(&search.targets);
    return status;
}

void xc_tomtom_free(xc_tomtom_result *result) {
    free(result->match);
    *result = (xc_tomtom_result){0};
}

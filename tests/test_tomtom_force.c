/* test_tomtom_force.c: Tomtom against the plainest way to the same: every score in double precision, every alignment,
 * every combination of columns, and E and q by their definitions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "tomtom_fixture.h"

#define EVEN "0.2 0.3 0.3 0.2\n"
#define MANY EVEN EVEN EVEN EVEN EVEN EVEN EVEN EVEN

/* ---- the plainest way ------------------------------------------------------------------------------------------- */

enum { MOST_COLUMNS = 4096, MOST_SCORES = 2001 };

/* A query's scores worked out anew, in the plainest way. */
typedef struct plain {
    int width, columns, null;
    int bin[8][MOST_COLUMNS];
    double median[8];
} plain;

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double column_score(const double *x, const double *y, bool pearson) {
    double sum = 0, xx = 0, yy = 0, xy = 0;
    for (int base = 0; base < 4; base++) {
        sum += (x[base] - y[base]) * (x[base] - y[base]);
        xx += (x[base] - 0.25) * (x[base] - 0.25);
        yy += (y[base] - 0.25) * (y[base] - 0.25);
        xy += (x[base] - 0.25) * (y[base] - 0.25);
    }
    if (!pearson) return -sqrt(sum);
    return xx * yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static plain plain_scores(const xc_motif *query, const xc_motif_list *targets, bool pearson) {
    static const double even[4] = {0.25, 0.25, 0.25, 0.25};
    plain result = {.width = (int)query->width};
    static double column[8][4], target[MOST_COLUMNS][4], score[8][MOST_COLUMNS];
    double least = 9, most = -9;
    xc_tomtom_frequencies(query, even, false, column[0]);
    for (size_t i = 0; i < targets->count; i++)
        for (int reverse = 0; reverse < 2; reverse++) {
            xc_tomtom_frequencies(&targets->motif[i], even, reverse, target[result.columns]);
            result.columns += (int)targets->motif[i].width;
        }
    for (int q = 0; q < result.width; q++) {
        double sorted[MOST_COLUMNS];
        for (int t = 0; t < result.columns; t++) sorted[t] = score[q][t] = column_score(column[q], target[t], pearson);
        qsort(sorted, (size_t)result.columns, sizeof *sorted, compare_doubles);
        result.median[q] = sorted[result.columns / 2 - 1];
        for (int t = 0; t < result.columns; t++) {
            score[q][t] -= result.median[q];
            if (score[q][t] < least) least = score[q][t];
            if (score[q][t] > most) most = score[q][t];
        }
    }
    if (least == most) least = most - 1;
    const double offset = floor(least), scale = floor(100 / (most - offset));
    result.null = (int)(-offset * scale);
    for (int q = 0; q < result.width; q++)
        for (int t = 0; t < result.columns; t++) result.bin[q][t] = (int)((score[q][t] - offset) * scale + 0.5);
    return result;
}

/* chance[k] = P(complete score = k) of query columns start..end, by going through every combination of columns. */
static void enumerate(const plain *scores, int start, int end, double chance[MOST_SCORES]) {
    int place[8] = {0};
    const int length = end - start + 1;
    memset(chance, 0, MOST_SCORES * sizeof *chance);
    for (;;) {
        int sum = (scores->width - length) * scores->null;
        for (int i = 0; i < length; i++) sum += scores->bin[start + i][place[i]];
        chance[sum] += pow(scores->columns, -length);
        int i = 0;
        while (i < length && ++place[i] == scores->columns) place[i++] = 0;
        if (i == length) return;
    }
}

/* P(best of all offsets and strands >= k) for a target of this width: offsets are taken as independent. */
static void plain_upper(const plain *scores, int target, double upper[MOST_SCORES]) {
    double chance[MOST_SCORES], below[MOST_SCORES];
    for (int k = 0; k < MOST_SCORES; k++) below[k] = 1;
    for (int offset = 1 - scores->width; offset < target; offset++) {
        const int start = offset < 0 ? -offset : 0;
        const int end = (scores->width < target - offset ? scores->width : target - offset) - 1;
        enumerate(scores, start, end, chance);
        double sum = 0;
        for (int k = 0; k < MOST_SCORES; k++) {
            below[k] *= sum * sum;
            sum += chance[k];
        }
    }
    for (int k = 0; k < MOST_SCORES; k++) upper[k] = 1 - below[k];
}

static void check_by_force(const char *query_text, const char *target_text, xc_tomtom_distance distance) {
    static const double even[4] = {0.25, 0.25, 0.25, 0.25};
    xc_motif_list queries = read_text("query", query_text), motifs = read_text("targets", target_text);
    xc_tomtom_targets targets;
    xc_tomtom_query query;
    int compared = 0;
    MUST(xc_tomtom_targets_make(&motifs, even, distance, &targets, error));
    MUST(xc_tomtom_query_open(&targets, 6, &query, error));
    query.width = queries.motif[0].width;
    xc_tomtom_frequencies(&queries.motif[0], even, false, query.column);
    xc_tomtom_scores(&query);
    const plain expected = plain_scores(&queries.motif[0], &motifs, distance == XC_TOMTOM_PEARSON);
    assert_int_equal(query.null, expected.null);
    for (int q = 0; q < expected.width; q++)
        for (int t = 0; t < expected.columns; t++)
            assert_int_equal(query.shifted[q * expected.columns + t] + query.null, expected.bin[q][t]);
    xc_tomtom_align(&query);
    int32_t least = query.best[0], most = least;
    for (size_t i = 0; i < targets.count; i++) {
        least = query.best[i] < least ? query.best[i] : least;
        most = query.best[i] > most ? query.best[i] : most;
    }
    xc_tomtom_null(&query);
    for (size_t i = 0; i < targets.width_count; i++) {
        double upper[MOST_SCORES];
        plain_upper(&expected, (int)targets.widths[i], upper);
        const double *ours = query.upper + i * (query.width * 2 * TOMTOM_BINS + 1);
        for (int k = least + expected.width * expected.null; k <= most + expected.width * expected.null; k++) {
            assert_float_equal(ours[k], upper[k], 1e-9);
            if (k > least + expected.width * expected.null) assert_true(ours[k] <= ours[k - 1]);
            compared++;
        }
    }
    assert_true(compared > 20);
    xc_tomtom_query_close(&query);
    xc_tomtom_targets_free(&targets);
    xc_motif_list_free(&motifs);
    xc_motif_list_free(&queries);
}

static const char few_targets[] = MEME MOTIF("t1", 2) A "0.1 0.6 0.1 0.2\n" MOTIF("t2", 3)
    MIXED G FLAT MOTIF("t3", 1) "0.4 0.1 0.1 0.4\n" MOTIF("t4", 5) C C MIXED T A;

static void equals_enumeration(void **state) {
    (void)state;
    for (int distance = 0; distance < 2; distance++) {
        check_by_force(MEME MOTIF("q", 3) A MIXED "0.1 0.2 0.3 0.4\n", few_targets, (xc_tomtom_distance)distance);
        check_by_force(MEME MOTIF("q", 4) C MIXED FLAT T, few_targets, (xc_tomtom_distance)distance);
        check_by_force(MEME MOTIF("q", 1) MIXED, few_targets, (xc_tomtom_distance)distance);
    }
}

/* The best offset of every strand, by trying all; of equal ones the larger overlap, then the first. */
static void check_alignments(const char *query_text, const char *target_text) {
    static const double even[4] = {0.25, 0.25, 0.25, 0.25};
    xc_motif_list queries = read_text("query", query_text), motifs = read_text("targets", target_text);
    xc_tomtom_targets targets;
    xc_tomtom_query query;
    const int width = (int)queries.motif[0].width;
    MUST(xc_tomtom_targets_make(&motifs, even, XC_TOMTOM_EUCLIDEAN, &targets, error));
    MUST(xc_tomtom_query_open(&targets, queries.motif[0].width, &query, error));
    query.width = queries.motif[0].width;
    xc_tomtom_frequencies(&queries.motif[0], even, false, query.column);
    xc_tomtom_scores(&query);
    xc_tomtom_align(&query);
    for (size_t strand = 0; strand < targets.count; strand++) {
        int best = INT32_MIN, at = 0, overlap = 0;
        for (int offset = 1 - width; offset < (int)targets.width[strand]; offset++) {
            int sum = 0, here = 0;
            for (int q = 0; q < width; q++) {
                if (q + offset < 0 || q + offset >= (int)targets.width[strand]) continue;
                sum += query.shifted[(size_t)q * targets.columns + targets.first[strand] + (size_t)(q + offset)];
                here++;
            }
            if (sum < best || (sum == best && here <= overlap)) continue;
            best = sum, at = offset, overlap = here;
        }
        assert_int_equal(query.best[strand], best);
        assert_int_equal(query.offset[strand], at);
        assert_int_equal(query.overlap[strand], overlap);
    }
    xc_tomtom_query_close(&query);
    xc_tomtom_targets_free(&targets);
    xc_motif_list_free(&motifs);
    xc_motif_list_free(&queries);
}

/* ---- motifs that a program writes ------------------------------------------------------------------------------- */

typedef enum column_kind { SMOOTH, COUNTS, CERTAIN, ALIKE } column_kind;

/* ALIKE columns are so nearly as far as each other from a certain A, on both strands, that single precision cannot tell
 * which is farther; and this is just where a bucket of the search for the median begins, at 0.72500005. */
static void write_column(FILE *stream, column_source *source, column_kind kind) {
    double column[4] = {0}, sum = 0;
    for (int base = 0; base < 4; base++)
        if (kind == SMOOTH) column[base] = pow(next_number(source, 1000) / 1000.0, 3) + 1e-6;
    for (int i = 0; i < 10 && kind == COUNTS; i++) column[next_number(source, 4)]++;
    if (kind == CERTAIN) column[next_number(source, 4)] = 1;
    if (kind == ALIKE) {
        const double far = 0.72500005 * 20.1 / 20 + 1e-9 * next_number(source, 100) - 5e-8;
        const double outer = 0.4125 + 1.5e-5 * next_number(source, 1000), half = (1 - 2 * outer) / 2;
        const double square = far * far - (1 - outer) * (1 - outer) - outer * outer;
        column[0] = column[3] = outer;
        column[1] = half + sqrt(square / 2 - half * half);
        column[2] = half - sqrt(square / 2 - half * half);
    }
    for (int base = 0; base < 4; base++) sum += column[base];
    for (int base = 0; base < 4; base++) fprintf(stream, "%.10f ", column[base] / sum);
    fputc('\n', stream);
}

static char *write_motifs(column_source *source, uint32_t count, uint32_t narrowest, uint32_t widest,
                          column_kind kind) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    fputs(MEME, stream);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t width = narrowest + next_number(source, widest - narrowest + 1);
        fprintf(stream, "MOTIF m%u\nletter-probability matrix: alength= 4 w= %u nsites= 20\n", i, width);
        for (uint32_t k = 0; k < width; k++) write_column(stream, source, kind);
    }
    fclose(stream);
    return text;
}

static void aligns_as_by_trying_all(void **state) {
    (void)state;
    static const struct {
        uint32_t query, narrowest, widest;
        column_kind kind;
    } cases[] = {{1, 1, 9, COUNTS},   {4, 1, 6, CERTAIN},      {7, 1, 40, SMOOTH},      {20, 5, 21, COUNTS},
                 {100, 1, 3, SMOOTH}, {100, 90, 140, CERTAIN}, {5, 1010, 1030, CERTAIN}};
    check_alignments(MEME MOTIF("q", 4) C MIXED FLAT T, few_targets);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        column_source source = {(uint32_t)i};
        char *query = write_motifs(&source, 1, cases[i].query, cases[i].query, cases[i].kind);
        char *targets = write_motifs(&source, 30, cases[i].narrowest, cases[i].widest, cases[i].kind);
        check_alignments(query, targets);
        free(query);
        free(targets);
    }
}

/* ---- bins ------------------------------------------------------------------------------------------------------- */

static int check_bins(const char *query_text, const char *target_text, xc_tomtom_distance distance) {
    static const double even[4] = {0.25, 0.25, 0.25, 0.25};
    xc_motif_list queries = read_text("query", query_text), motifs = read_text("targets", target_text);
    xc_tomtom_targets targets;
    xc_tomtom_query query;
    MUST(xc_tomtom_targets_make(&motifs, even, distance, &targets, error));
    MUST(xc_tomtom_query_open(&targets, 8, &query, error));
    for (size_t i = 0; i < queries.count; i++) {
        query.width = queries.motif[i].width;
        xc_tomtom_frequencies(&queries.motif[i], even, false, query.column);
        const plain expected = plain_scores(&queries.motif[i], &motifs, distance == XC_TOMTOM_PEARSON);
        float nearest[8], farthest[8];
        xc_tomtom_far(&query, nearest, farthest);
        for (uint32_t row = 0; row < query.width; row++)
            assert_true(xc_tomtom_median(&query, row) == expected.median[row]);
        xc_tomtom_scores(&query);
        assert_int_equal(query.null, expected.null);
        for (int row = 0; row < expected.width; row++) {
            double chance[TOMTOM_BINS + 1] = {0};
            for (int t = 0; t < expected.columns; t++) {
                assert_int_equal(query.shifted[row * expected.columns + t] + query.null, expected.bin[row][t]);
                chance[expected.bin[row][t]]++;
            }
            for (int bin = 0; bin <= TOMTOM_BINS; bin++)
                assert_float_equal(query.density[row * (TOMTOM_BINS + 1) + bin], chance[bin] / expected.columns, 1e-15);
        }
    }
    const int columns = (int)targets.columns;
    xc_tomtom_query_close(&query);
    xc_tomtom_targets_free(&targets);
    xc_motif_list_free(&motifs);
    xc_motif_list_free(&queries);
    return columns;
}

/* Medians, the scale and all bins are what double precision gives, whatever is worked out in less. */
static void bins_are_those_of_double_precision(void **state) {
    (void)state;
    for (int distance = 0; distance < 2; distance++)
        for (uint32_t kind = 0; kind < 4; kind++)
            for (uint32_t among = 0; among < 4; among++) {
                column_source source = {10 * kind + among};
                char *query = write_motifs(&source, 6, 1, 8, (column_kind)kind);
                char *targets = write_motifs(&source, 120, 6, 14, (column_kind)among);
                assert_true(check_bins(query, targets, (xc_tomtom_distance)distance) > 2000);
                free(query);
                free(targets);
            }
    check_bins(MEME MOTIF("q", 1) A, MEME MOTIF("t", 1) A, XC_TOMTOM_EUCLIDEAN);
    check_bins(MEME MOTIF("q", 2) FLAT FLAT, MEME MOTIF("t", 3) FLAT FLAT FLAT, XC_TOMTOM_EUCLIDEAN);
    check_bins(MEME MOTIF("q", 2) FLAT FLAT, MEME MOTIF("t", 3) FLAT FLAT FLAT, XC_TOMTOM_PEARSON);
    /* More than half is as far as any, and the rest so little nearer that the scale is 10^9. */
    check_bins(MEME MOTIF("q", 1) A,
               MEME MOTIF("t", 33) MANY MANY MANY EVEN EVEN EVEN EVEN EVEN EVEN
               "0.2000001 0.2999999 0.2999999 0.2000001\n" EVEN EVEN,
               XC_TOMTOM_EUCLIDEAN);
    check_bins(MEME MOTIF("q", 3) FLAT MIXED A, MEME MOTIF("t", 3) MIXED MIXED MIXED, XC_TOMTOM_PEARSON);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

typedef struct plain_match {
    int target, offset, overlap, reverse;
    const char *id;
    float p;
    double q;
} plain_match;

/* p, then the larger overlap, then forward strands, then the name. */
static int compare_matches(const void *a, const void *b) {
    const plain_match *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    if (x->overlap != y->overlap) return y->overlap - x->overlap;
    return x->reverse != y->reverse ? x->reverse - y->reverse : strcmp(x->id, y->id);
}

/* One strand: its best alignment by trying all, and how likely one as good is by enumeration. */
static plain_match plain_strand(const plain *scores, const double upper[MOST_SCORES], int first, int width) {
    plain_match match = {0};
    int best = INT32_MIN;
    for (int offset = 1 - scores->width; offset < width; offset++) {
        int sum = 0, overlap = 0;
        for (int i = 0; i < scores->width; i++) {
            const bool aligned = i + offset >= 0 && i + offset < width;
            sum += aligned ? scores->bin[i][first + i + offset] : scores->null;
            overlap += aligned;
        }
        if (sum < best || (sum == best && overlap <= match.overlap)) continue;
        best = sum, match.offset = offset, match.overlap = overlap;
    }
    match.p = (float)upper[best];
    return match;
}

/* All strands in their order, with q: the least p x strands / place from its place on. */
static int plain_matches(const xc_motif *query, const xc_motif_list *targets, bool pearson, plain_match *match) {
    static double upper[MOST_SCORES];
    const plain scores = plain_scores(query, targets, pearson);
    int count = 0, first = 0;
    for (size_t i = 0; i < targets->count; i++) {
        const int width = (int)targets->motif[i].width;
        plain_upper(&scores, width, upper);
        for (int reverse = 0; reverse < 2; reverse++, first += width) {
            match[count] = plain_strand(&scores, upper, first, width);
            match[count].target = (int)i;
            match[count].reverse = reverse;
            match[count++].id = targets->motif[i].id;
        }
    }
    qsort(match, (size_t)count, sizeof *match, compare_matches);
    double least = 1;
    for (int i = count; i-- > 0;) {
        const double rate = (double)match[i].p * count / (i + 1);
        if (rate < least) least = rate;
        match[i].q = least;
    }
    return count;
}

static void check_whole(const char *query_text, const char *target_text, xc_tomtom_distance distance) {
    xc_motif_list query = read_text("query", query_text), targets = read_text("targets", target_text);
    const xc_tomtom_options options = {.distance = distance, .threshold = 1, .threads = 2};
    plain_match expected[64];
    xc_tomtom_result result;
    size_t found = 0;
    bool seen[32] = {false};
    MUST(xc_tomtom(&query, &targets, &options, &result, error));
    const int count = plain_matches(&query.motif[0], &targets, distance == XC_TOMTOM_PEARSON, expected);
    for (int i = 0; i < count; i++) {
        if (seen[expected[i].target]) continue;
        seen[expected[i].target] = true;
        const xc_tomtom_match *match = &result.match[found++];
        assert_true(found <= result.count);
        assert_int_equal(match->target, expected[i].target);
        assert_int_equal(match->reverse, expected[i].reverse);
        assert_int_equal(match->offset, expected[i].offset);
        assert_int_equal(match->overlap, expected[i].overlap);
        assert_float_equal(match->p, expected[i].p, 1e-7);
        assert_float_equal(match->e, match->p * (float)targets.count, 0);
        assert_float_equal(match->q, expected[i].q, 1e-6);
    }
    assert_int_equal(found, result.count);
    xc_tomtom_free(&result);
    xc_motif_list_free(&query);
    xc_motif_list_free(&targets);
}

static void whole_result_is_that_of_brute_force(void **state) {
    (void)state;
    for (int distance = 0; distance < 2; distance++) {
        check_whole(MEME MOTIF("q", 3) A MIXED "0.1 0.2 0.3 0.4\n", few_targets, (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("q", 4) C MIXED FLAT T, few_targets, (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("q", 2) FLAT FLAT, few_targets, (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("q", 3) A C G, MEME MOTIF("one", 2) A C, (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("q", 1) MIXED, MEME MOTIF("one", 1) MIXED, (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("wider", 6) A MIXED G FLAT C T, MEME MOTIF("a", 2) A C MOTIF("b", 1) G, /* than all */
                    (xc_tomtom_distance)distance);
        check_whole(MEME MOTIF("q", 2) A MIXED, MEME MOTIF("b", 3) MIXED MIXED MIXED MOTIF("a", 3) MIXED MIXED MIXED,
                    (xc_tomtom_distance)distance); /* all alike: the name decides */
        for (uint32_t i = 0; i < 12; i++) {
            column_source source = {100 + i};
            char *query = write_motifs(&source, 1, 1, 3, (column_kind)(i % 3));
            char *targets = write_motifs(&source, 6, 1, 6, (column_kind)(i / 3 % 3));
            check_whole(query, targets, (xc_tomtom_distance)distance);
            free(query);
            free(targets);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_enumeration),
        cmocka_unit_test(aligns_as_by_trying_all),
        cmocka_unit_test(bins_are_those_of_double_precision),
        cmocka_unit_test(whole_result_is_that_of_brute_force),
    };
    return cmocka_run_group_tests_name("tomtom_force", tests, fixture_open, fixture_close);
}

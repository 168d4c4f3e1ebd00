/* test_tomtom.c: Tomtom against enumeration of every combination of columns, against a case worked out by hand, against
 * rows of the MEME suite's program on real motifs, and for what must hold of any result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "../host/motif/tomtom.h"
#include "data_fixture.h"

#define MEME "MEME version 4\n\nALPHABET= ACGT\n\n"
#define MOTIF(id, w) "MOTIF " id "\nletter-probability matrix: alength= 4 w= " #w " nsites= 20 E= 0\n"
#define A "1 0 0 0\n"
#define C "0 1 0 0\n"
#define G "0 0 1 0\n"
#define T "0 0 0 1\n"
#define FLAT "0.25 0.25 0.25 0.25\n"
#define MIXED "0.7 0.1 0.15 0.05\n"

static xc_motif_list read_text(const char *name, const char *text) {
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_text(name, text), &motifs, error));
    return motifs;
}

static xc_tomtom_result compare(const xc_motif_list *queries, const xc_motif_list *targets, double threshold) {
    const xc_tomtom_options options = {.threshold = threshold, .threads = 1};
    xc_tomtom_result result;
    MUST(xc_tomtom(queries, targets, &options, &result, error));
    return result;
}

/* ---- by hand ---------------------------------------------------------------------------------------------------- */

/* One column each. The columns of both strands are A, T, C, G; the query is A. Three of four distances are the same, so
 * the lower median is theirs, and A alone scores: 100 of 100 bins. P(A) is 1/4, and of the best of two strands
 * 1 - (3/4)^2 = 7/16. Of four p-values (two targets, two strands), q = 4 x 7/16 is above 1. */
static void worked_by_hand(void **state) {
    (void)state;
    xc_motif_list query = read_text("query", MEME MOTIF("q", 1) A),
                  targets = read_text("targets", MEME MOTIF("c", 1) C MOTIF("a", 1) A);
    xc_tomtom_result result = compare(&query, &targets, 1);
    assert_int_equal(result.count, 2);
    assert_int_equal(result.match[0].target, 1);
    assert_false(result.match[0].reverse);
    assert_int_equal(result.match[0].offset, 0);
    assert_int_equal(result.match[0].overlap, 1);
    assert_true(result.match[0].p == 0.4375f);
    assert_true(result.match[0].e == 0.875f);
    assert_true(result.match[0].q == 1);
    assert_int_equal(result.match[1].target, 0);
    assert_true(result.match[1].p == 1 && result.match[1].e == 2 && result.match[1].q == 1);
    xc_tomtom_free(&result);

    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    result = compare(&query, &targets, 1);
    MUST(xc_tomtom_write(stream, &query, &targets, &result, error));
    fclose(stream);
    const char *expected =
        "Query_ID\tTarget_ID\tOptimal_offset\tp-value\tE-value\tq-value\tOverlap\tQuery_consensus\tTarget_consensus\t"
        "Orientation\n"
        "q\ta\t0\t0.4375\t0.875\t1\t1\tA\tA\t+\n"
        "q\tc\t0\t1\t2\t1\t1\tA\tC\t+\n\n#";
    assert_memory_equal(text, expected, strlen(expected));
    free(text);
    xc_tomtom_free(&result);

    const xc_tomtom_options by_e = {.threshold = 0.875, .by_evalue = true, .threads = 1};
    MUST(xc_tomtom(&query, &targets, &by_e, &result, error));
    assert_int_equal(result.count, 1); /* the threshold itself is let in */
    xc_tomtom_free(&result);
    result = compare(&query, &targets, 0.999);
    assert_int_equal(result.count, 0);
    xc_tomtom_free(&result);
    xc_motif_list_free(&query);
    xc_motif_list_free(&targets);
}

/* ---- by brute force --------------------------------------------------------------------------------------------- */

enum { MOST_COLUMNS = 64, MOST_SCORES = 2001 };

/* A query's scores worked out anew, in the plainest way. */
typedef struct plain {
    int width, columns, null;
    int bin[8][MOST_COLUMNS];
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
    double column[8][4], target[MOST_COLUMNS][4], score[8][MOST_COLUMNS], least = 9, most = -9;
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
        for (int t = 0; t < result.columns; t++) {
            score[q][t] -= sorted[result.columns / 2 - 1];
            if (score[q][t] < least) least = score[q][t];
            if (score[q][t] > most) most = score[q][t];
        }
    }
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
    MUST(xc_tomtom_targets_make(&motifs, even, &targets, error));
    MUST(xc_tomtom_query_open(&targets, 6, &query, error));
    query.width = queries.motif[0].width;
    xc_tomtom_frequencies(&queries.motif[0], even, false, query.column);
    xc_tomtom_scores(&query, distance);
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

/* The best offset of every strand, by trying all. */
static void aligns_as_by_trying_all(void **state) {
    (void)state;
    static const double even[4] = {0.25, 0.25, 0.25, 0.25};
    xc_motif_list queries = read_text("query", MEME MOTIF("q", 4) C MIXED FLAT T);
    xc_motif_list motifs = read_text("targets", few_targets);
    xc_tomtom_targets targets;
    xc_tomtom_query query;
    MUST(xc_tomtom_targets_make(&motifs, even, &targets, error));
    MUST(xc_tomtom_query_open(&targets, 4, &query, error));
    query.width = 4;
    xc_tomtom_frequencies(&queries.motif[0], even, false, query.column);
    xc_tomtom_scores(&query, XC_TOMTOM_EUCLIDEAN);
    xc_tomtom_align(&query);
    for (size_t strand = 0; strand < targets.count; strand++) {
        int best = -1000, at = 0, overlap = 0;
        for (int offset = -3; offset < (int)targets.width[strand]; offset++) {
            int sum = 0, here = 0;
            for (int q = 0; q < 4; q++) {
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

/* ---- strands and offsets ---------------------------------------------------------------------------------------- */

static void finds_itself_and_its_reverse(void **state) {
    (void)state;
    xc_motif_list query = read_text("query", MEME MOTIF("q", 5) A C C G MIXED);
    xc_motif_list targets = read_text(
        "targets", MEME MOTIF("same", 5) A C C G MIXED MOTIF("reverse", 5) "0.05 0.15 0.1 0.7\n" C G G T MOTIF(
                       "later", 8) T T A C C G MIXED G MOTIF("within", 3) C C G MOTIF("other", 4) T T T T);
    xc_tomtom_result result = compare(&query, &targets, 1);
    assert_int_equal(result.count, 5);
    bool seen[5] = {false};
    float p[5];
    for (size_t i = 0; i < result.count; i++) {
        static const int offset[4] = {0, 0, 2, -1}, overlap[4] = {5, 5, 5, 3};
        const xc_tomtom_match *match = &result.match[i];
        assert_false(seen[match->target]);
        seen[match->target] = true;
        p[match->target] = match->p;
        if (i) assert_true(match->p >= match[-1].p && match->q >= match[-1].q);
        assert_true(match->e == match->p * 5);
        if (match->target == 4) continue;
        assert_int_equal(match->offset, offset[match->target]);
        assert_int_equal(match->overlap, overlap[match->target]);
        assert_int_equal(match->reverse, match->target == 1);
    }
    assert_true(p[0] == p[1]);
    assert_true(p[0] < p[2] && p[0] < p[3] && p[3] < p[4]); /* the longer target has more places to match by chance */
    xc_tomtom_free(&result);
    xc_motif_list_free(&targets);
    xc_motif_list_free(&query);
}

/* ---- q-values --------------------------------------------------------------------------------------------------- */

static void qvalues_of_few(void **state) {
    (void)state;
    static const float p[4] = {0.0078125f, 0.015625f, 0.5f, 0.5f};
    static const double expected[4] = {0.03125, 0.03125, 0.5, 0.5}; /* p x 4 / rank, then the least from there on */
    xc_tomtom_random random;
    uint8_t classes[4];
    double q[4];
    xc_tomtom_random_start(&random);
    xc_tomtom_qvalues(p, 4, &random, classes, q);
    for (int i = 0; i < 4; i++) assert_float_equal(q[i], expected[i], 1e-15);
    xc_tomtom_qvalues(p, 1, &random, classes, q);
    assert_float_equal(q[0], 0.0078125, 0);
}

/* A third of 300 p-values is far below all lambdas; the rest is uniform: pi_0 is two thirds. */
static void qvalues_of_many(void **state) {
    (void)state;
    enum { COUNT = 300, TRUE = 100 };
    float p[COUNT];
    double q[COUNT];
    uint8_t classes[COUNT];
    xc_tomtom_random random, skipped;
    for (int i = 0; i < TRUE; i++) p[i] = 1e-9f * (float)(i + 1);
    for (int i = TRUE; i < COUNT; i++) p[i] = ((float)(i - TRUE) + 0.5f) / (COUNT - TRUE);
    xc_tomtom_random_start(&random);
    skipped = random;
    xc_tomtom_qvalues(p, COUNT, &random, classes, q);
    const double pi_zero = q[COUNT - 1] / (double)p[COUNT - 1];
    assert_float_equal(pi_zero, 2.0 / 3, 0.02);
    for (int i = 0; i < COUNT; i++) assert_true(q[i] <= pi_zero * (double)p[i] * COUNT / (i + 1) * (1 + 1e-12));
    for (int i = 1; i < COUNT; i++) assert_true(q[i] >= q[i - 1]);
    xc_tomtom_random_skip(&skipped, COUNT);
    xc_tomtom_qvalues(p, COUNT, &random, classes, q);
    double again[COUNT];
    xc_tomtom_qvalues(p, COUNT, &skipped, classes, again);
    assert_memory_equal(q, again, sizeof q);
    assert_memory_equal(&random, &skipped, sizeof random);
}

/* The first numbers that the generator's authors published for this seed. */
static void random_is_the_published(void **state) {
    (void)state;
    static const uint32_t expected[5] = {3510405877u, 4290933890u, 2191955339u, 564929546u, 152112058u};
    xc_tomtom_random random;
    xc_tomtom_random_start(&random);
    for (int i = 0; i < 5; i++) {
        uint32_t value = random.word[i];
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c5680u;
        value ^= (value << 15) & 0xefc60000u;
        assert_int_equal(value ^ (value >> 18), expected[i]);
    }
}

/* ---- real motifs ------------------------------------------------------------------------------------------------ */

static char *write_table(xc_motif_list *queries, const xc_motif_list *targets, int threads, double threshold) {
    const xc_tomtom_options options = {.threshold = threshold, .threads = threads};
    xc_tomtom_result result;
    char *text = NULL;
    size_t size;
    MUST(xc_tomtom(queries, targets, &options, &result, error));
    FILE *stream = open_memstream(&text, &size);
    MUST(xc_tomtom_write(stream, queries, targets, &result, error));
    fclose(stream);
    xc_tomtom_free(&result);
    return text;
}

/* Rows as the MEME suite's tomtom writes them with -thresh 1, for the first queries of the database against all of it.
 */
static const char *const meme_rows[] = {
    "MA0002.2\tMA0002.2\t0\t1.23513e-40\t6.39799e-38\t1.2761e-37\t11\tGTCTGTGGTTT\tGTCTGTGGTTT\t+\n",
    "MA0002.2\tMA0684.1\t-1\t1.19996e-06\t0.000621578\t0.000619877\t10\tGTCTGTGGTTT\tTTTGCGGTTT\t-\n",
    "MA0018.2\tMA0525.2\t4\t0.555267\t287.628\t0.963208\t8\tTGACGTCA\tGACATGTCCCAACATGTT\t-\n",
    "MA0058.3\tMA0819.1\t0\t2.93978e-08\t1.52281e-05\t4.49174e-06\t10\tACCACGTGCT\tAACACGTGTT\t+\n",
    "MA0006.1\tMA0832.1\t4\t0.999573\t517.779\t0.969273\t6\tTGCGTG\tGCAACAGCTGTTGT\t+\n",
    "MA0031.1\tMA0878.1\t3\t0.08977\t46.5008\t0.983683\t6\tGTAAACAT\tGCAATAAAA\t+\n",
    "MA0004.1\tMA0464.2\t2\t6.28182e-06\t0.00325398\t0.000493571\t6\tCACGTG\tGTCACGTGAT\t-\n",
    "MA0004.1\tMA0058.3\t2\t1.35257e-05\t0.00700629\t0.000582721\t6\tCACGTG\tAGCACGTGGT\t-\n",
    "MA0062.2\tMA0655.1\t-2\t0.99997\t517.984\t0.978832\t9\tCCGGAAGTGGC\tATGAGTCAT\t-\n",
    "MA0062.2\tMA0080.4\t5\t0.00036307\t0.18807\t0.0167354\t9\tCCGGAAGTGGC\tAAAAAGCGGAAGTA\t+\n",
};

static void writes_what_meme_writes(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &motifs, error));
    xc_motif_list queries = motifs;
    queries.count = 40;
    char *one = write_table(&queries, &motifs, 1, 1), *three = write_table(&queries, &motifs, 3, 1);
    assert_string_equal(one, three);
    for (size_t i = 0; i < sizeof meme_rows / sizeof *meme_rows; i++)
        if (!strstr(one, meme_rows[i])) fail_msg("missing: %s", meme_rows[i]);
    size_t lines = 0;
    for (const char *c = one; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 40 * 518 + 3);
    free(one);
    free(three);
    xc_motif_list_free(&motifs);
}

/* ---- odd input -------------------------------------------------------------------------------------------------- */

static void refuses_nothing_to_search(void **state) {
    (void)state;
    xc_motif_list query = read_text("query", MEME MOTIF("q", 1) A), none = {0};
    const xc_tomtom_options options = {.threshold = 1, .threads = 1};
    xc_tomtom_result result;
    MUST_FAIL(xc_tomtom(&query, &none, &options, &result, error), XC_INPUT, "0 target motifs");
    xc_tomtom_free(&result);
    MUST(xc_tomtom(&none, &query, &options, &result, error));
    assert_int_equal(result.count, 0);
    xc_tomtom_free(&result);
    xc_motif_list_free(&query);
}

static void leaves_out_wide_queries(void **state) {
    (void)state;
    char text[16384] = MEME "MOTIF wide\nletter-probability matrix: alength= 4 w= 101\n";
    for (int i = 0; i < 101; i++) strcat(text, i % 3 ? C : MIXED);
    strcat(text, MOTIF("widest", 100));
    for (int i = 0; i < 100; i++) strcat(text, i % 3 ? C : MIXED);
    xc_motif_list motifs = read_text("wide", text);
    xc_log_set_quiet(false);
    xc_tomtom_result result = compare(&motifs, &motifs, 1);
    assert_int_equal(result.count, 2); /* both are targets, one is a query */
    for (size_t i = 0; i < result.count; i++) assert_int_equal(result.match[i].query, 1);
    assert_int_equal(result.match[0].overlap, 100);
    assert_true(result.match[0].p >= 0 && result.match[0].p < 1e-20f);
    xc_tomtom_free(&result);
    xc_motif_list_free(&motifs);
}

/* Columns that are all alike: no score tells anything, and nothing divides by zero. */
static void flat_says_nothing(void **state) {
    (void)state;
    xc_motif_list motifs = read_text("flat", MEME MOTIF("f", 3) FLAT FLAT FLAT);
    for (int distance = 0; distance < 2; distance++) {
        const xc_tomtom_options options = {.distance = (xc_tomtom_distance)distance, .threshold = 1, .threads = 1};
        xc_tomtom_result result;
        MUST(xc_tomtom(&motifs, &motifs, &options, &result, error));
        assert_int_equal(result.count, 1);
        assert_true(result.match[0].p == 1);
        assert_int_equal(result.match[0].overlap, 3);
        xc_tomtom_free(&result);
    }
    xc_motif_list_free(&motifs);
}

/* A second target with an id that was there before is the same target. */
static void names_count_once(void **state) {
    (void)state;
    xc_motif_list motifs = read_text("twice", MEME MOTIF("a", 2) A C MOTIF("a", 2) A C MOTIF("b", 2) G G);
    xc_tomtom_result result = compare(&motifs, &motifs, 1);
    assert_int_equal(result.count, 6);
    xc_tomtom_free(&result);
    xc_motif_list_free(&motifs);
}

static void background_is_read(void **state) {
    (void)state;
    xc_motif_list motifs =
        read_text("bg", MEME "Background letter frequencies (from x):\nA 0.4 C 0.2\nG 0.1 T 0.3\n\n" MOTIF("a", 1) A);
    double background[4];
    assert_int_equal(motifs.count, 1);
    assert_float_equal(motifs.background[1], 0.2, 1e-15);
    xc_tomtom_background(&motifs, background); /* the same on both strands */
    assert_float_equal(background[0], 0.35, 1e-15);
    assert_float_equal(background[2], 0.15, 1e-15);
    xc_motif_list_free(&motifs);
    motifs = read_text("bg", MEME "Background letter frequencies\nA 0.4 C 0.2\n" MOTIF("a", 1) A);
    assert_int_equal(motifs.count, 1);
    assert_float_equal(motifs.background[0], 0, 0);
    xc_motif_list_free(&motifs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_by_hand),
        cmocka_unit_test(equals_enumeration),
        cmocka_unit_test(aligns_as_by_trying_all),
        cmocka_unit_test(finds_itself_and_its_reverse),
        cmocka_unit_test(qvalues_of_few),
        cmocka_unit_test(qvalues_of_many),
        cmocka_unit_test(random_is_the_published),
        cmocka_unit_test(writes_what_meme_writes),
        cmocka_unit_test(refuses_nothing_to_search),
        cmocka_unit_test(leaves_out_wide_queries),
        cmocka_unit_test(flat_says_nothing),
        cmocka_unit_test(names_count_once),
        cmocka_unit_test(background_is_read),
    };
    return cmocka_run_group_tests_name("tomtom", tests, fixture_open, fixture_close);
}

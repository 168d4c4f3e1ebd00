/* test_tomtom.c: Tomtom against a case worked out by hand, against what the MEME suite's program writes of real motifs,
 * and for what must hold of any result. Brute force is in test_tomtom_force.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tomtom_fixture.h"

#define EIGHT FLAT FLAT FLAT FLAT FLAT FLAT FLAT FLAT
#define TEN EIGHT FLAT FLAT

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

/* ---- real motifs ------------------------------------------------------------------------------------------------ */

static char *write_table(const xc_motif_list *queries, const xc_motif_list *targets, xc_tomtom_distance distance,
                         int threads) {
    const xc_tomtom_options options = {.distance = distance, .threshold = 1, .threads = threads};
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

/* FNV-1a of all rows. */
static uint64_t hash_rows(const char *table) {
    uint64_t hash = 0xcbf29ce484222325u;
    const char *end = strstr(table, "\n\n");
    for (const char *c = strchr(table, '\n') + 1; c <= end; c++) hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return hash;
}

/* Every letter of what MEME's tomtom writes: the hashes are of its own rows. */
static void writes_what_meme_writes(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &motifs, error));
    xc_motif_list queries = motifs;
    queries.count = 40;
    char *one = write_table(&queries, &motifs, XC_TOMTOM_EUCLIDEAN, 1);
    char *three = write_table(&queries, &motifs, XC_TOMTOM_EUCLIDEAN, 3);
    assert_string_equal(one, three);
    for (size_t i = 0; i < sizeof meme_rows / sizeof *meme_rows; i++)
        if (!strstr(one, meme_rows[i])) fail_msg("missing: %s", meme_rows[i]);
    assert_true(hash_rows(one) == 0x51704a7339b1e901u);
    queries.count = 10;
    char *pearson = write_table(&queries, &motifs, XC_TOMTOM_PEARSON, 2);
    assert_true(hash_rows(pearson) == 0xd27e212684158f88u);
    free(one);
    free(three);
    free(pearson);
    xc_motif_list_free(&motifs);
}

/* What a filter that never fires becomes, and one that is flat but for its middle: without sites, 20 wide. */
static void dead_filters_are_as_in_meme(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &motifs, error));
    xc_motif_list filters =
        read_text("dead", MEME "MOTIF dead\nletter-probability matrix: alength= 4 w= 20 nsites= 0 E= 0\n" TEN TEN
                               "MOTIF part\nletter-probability matrix: alength= 4 w= 20 nsites= 0 "
                               "E= 0\n" EIGHT A G C "0.1 0.1 0.1 0.7\n" EIGHT);
    char *table = write_table(&filters, &motifs, XC_TOMTOM_EUCLIDEAN, 1);
    assert_non_null(strstr(table, "dead\tMA0140.2\t-5\t0.0137096\t7.10156\t1\t15\tAAAAAAAAAAAAAAAAAAAA\t"));
    assert_non_null(strstr(table, "part\tMA0140.2\t-5\t6.0912e-05\t0.0315524\t0.0339239\t15\t"));
    assert_true(hash_rows(table) == 0xf0c33cc86a343c2du);
    free(table);
    xc_motif_list_free(&filters);
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

/* A second motif with an id that was there before is not compared: the reader leaves it out. */
static void names_count_once(void **state) {
    (void)state;
    xc_motif_list motifs = read_text("twice", MEME MOTIF("a", 2) A C MOTIF("a", 2) A C MOTIF("b", 2) G G);
    assert_int_equal(motifs.count, 2);
    assert_string_equal(motifs.motif[1].id, "b");
    xc_tomtom_result result = compare(&motifs, &motifs, 1);
    assert_int_equal(result.count, 4);
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
        cmocka_unit_test(finds_itself_and_its_reverse),
        cmocka_unit_test(writes_what_meme_writes),
        cmocka_unit_test(dead_filters_are_as_in_meme),
        cmocka_unit_test(refuses_nothing_to_search),
        cmocka_unit_test(leaves_out_wide_queries),
        cmocka_unit_test(flat_says_nothing),
        cmocka_unit_test(names_count_once),
        cmocka_unit_test(background_is_read),
    };
    return cmocka_run_group_tests_name("tomtom", tests, fixture_open, fixture_close);
}

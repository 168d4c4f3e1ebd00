/* test_filter_scores.c: what matches amount to, from matches made by hand, and filters.tsv written, read back, spoilt
 * and removed. Filters of trained networks are in test_cli_filters.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <sys/stat.h>

#include "data_fixture.h"
#include "expconv/filters.h"
#include "../host/motif/measure.h"

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

/* Targets by their place in the database. */
enum { MAX_OLD, MAX_NEW, SP1, NOISE, OTHER, MOTIFS };
enum { FILTERS = 8 };

static xc_motif database_motifs[MOTIFS] = {
    {.id = "MA0058.1"}, {.id = "MA0058.3"}, {.id = "MA0079.3"}, {.id = "MA0615.1"}, {.id = "MA0002.2"}};
static const xc_motif_list database = {.motif = database_motifs, .count = MOTIFS};
static xc_motif filter_motifs[FILTERS];
static const xc_motif_list filters = {.motif = filter_motifs, .count = FILTERS};

static char *max_ids[] = {"MA0058.1", "MA0058.3"}, *sp1_ids[] = {"MA0079.3"}, *ignored[] = {"MA0615.1"};
static xc_ground_truth truths[] = {{"MAX", max_ids, 2}, {"SP1", sp1_ids, 1}};
static const xc_filters_config config = {.motifs = "db.meme",
                                         .threshold = 0.5,
                                         .window = 20,
                                         .evalue = 0.1,
                                         .ground_truth = truths,
                                         .ground_truth_count = 2,
                                         .ignore_alone = ignored,
                                         .ignore_alone_count = 1};

static xc_tomtom_match match_of(uint32_t filter, uint32_t target, double q) {
    return (xc_tomtom_match){.query = filter, .target = target, .p = 1e-5f, .e = 0.05f, .q = q};
}

static xc_filter_scores score(const xc_filters_config *how, xc_tomtom_match *match, size_t count) {
    const xc_tomtom_result matches = {match, count};
    xc_filter_scores scores;
    MUST(xc_filters_score(how, &filters, &database, &matches, &scores, error));
    assert_int_equal(scores.filters, FILTERS);
    return scores;
}

/* Filters 0 to 5 match something; 6 and 7, flat ones say, match nothing and are counted in the denominator. */
static void counts_as_the_paper(void **state) {
    (void)state;
    xc_tomtom_match matches[] = {
        match_of(0, MAX_NEW, 0.01),                              /* ground truth */
        match_of(1, NOISE, 0.001),                               /* ignored alone: matches nothing */
        match_of(2, NOISE, 0.001),  match_of(2, OTHER, 0.02),    /* two, one of which is ignored: matches */
        match_of(3, OTHER, 0.001),  match_of(3, MAX_OLD, 0.004), /* ground truth by the second best */
        match_of(4, NOISE, 0.001),  match_of(4, MAX_NEW, 0.2),   /* ground truth beside an ignored one */
        match_of(5, OTHER, 0.3),                                 /* known, but not planted */
    };
    xc_filter_scores scores = score(&config, matches, sizeof matches / sizeof *matches);
    assert_float_equal(scores.match_any, 5.0 / FILTERS, 0);
    assert_float_equal(scores.match_ground_truth, 3.0 / FILTERS, 0);
    assert_float_equal(scores.coverage, 0.5, 0);
    assert_float_equal(scores.best_q[0], 0.004, 0);
    assert_float_equal(scores.best_q[1], 1, 0);
    xc_filter_scores_clear(&scores);
    assert_int_equal(scores.filters, 0);
}

static void one_filter_may_match_two_truths(void **state) {
    (void)state;
    xc_tomtom_match matches[] = {match_of(7, SP1, 0.03), match_of(7, MAX_OLD, 0.04), match_of(7, MAX_NEW, 0.05)};
    xc_filter_scores scores = score(&config, matches, 3);
    assert_float_equal(scores.match_ground_truth, 1.0 / FILTERS, 0);
    assert_float_equal(scores.match_any, 1.0 / FILTERS, 0);
    assert_float_equal(scores.coverage, 1, 0);
    assert_float_equal(scores.best_q[0], 0.04, 0);
    assert_float_equal(scores.best_q[1], 0.03, 0);
    xc_filter_scores_clear(&scores);
}

/* A match counts by its E-value whatever its q, and not when the E-value is above the config's. */
static void counts_by_evalue(void **state) {
    (void)state;
    xc_tomtom_match matches[] = {match_of(0, MAX_NEW, 1), match_of(1, SP1, 0.001)};
    matches[1].e = 0.11f;
    xc_filter_scores scores = score(&config, matches, 2);
    assert_float_equal(scores.match_any, 1.0 / FILTERS, 0);
    assert_float_equal(scores.coverage, 0.5, 0);
    assert_float_equal(scores.best_q[0], 1, 0);
    assert_float_equal(scores.best_q[1], 1, 0);
    xc_filter_scores_clear(&scores);
}

/* The ground truth is seen through the same threshold, also in a filter that matches something else. */
static void weak_ground_truth_does_not_count(void **state) {
    (void)state;
    xc_tomtom_match matches[] = {match_of(2, OTHER, 0.01), match_of(2, SP1, 0.02)};
    matches[1].e = 0.11f;
    xc_filter_scores scores = score(&config, matches, 2);
    assert_float_equal(scores.match_any, 1.0 / FILTERS, 0);
    assert_true(scores.match_ground_truth == 0 && scores.coverage == 0);
    xc_filter_scores_clear(&scores);

    /* Nor does a motif that is ignored alone, should it be both. */
    xc_filters_config both = config;
    both.ignore_alone = sp1_ids;
    matches[0] = match_of(2, SP1, 0.01);
    scores = score(&both, matches, 1);
    assert_true(scores.match_any == 0 && scores.match_ground_truth == 0 && scores.coverage == 0);
    xc_filter_scores_clear(&scores);
}

static void counts_nothing(void **state) {
    (void)state;
    xc_filter_scores scores = score(&config, NULL, 0);
    assert_true(scores.match_any == 0 && scores.match_ground_truth == 0 && scores.coverage == 0);
    assert_true(scores.best_q[0] == 1 && scores.best_q[1] == 1);
    xc_filter_scores_clear(&scores);

    xc_tomtom_match alone[] = {match_of(0, NOISE, 0.1), match_of(1, NOISE, 0.1)};
    scores = score(&config, alone, 2);
    assert_true(scores.match_any == 0);
    xc_filter_scores_clear(&scores);
    xc_filters_config all = config;
    all.ignore_alone_count = 0;
    scores = score(&all, alone, 2);
    assert_float_equal(scores.match_any, 2.0 / FILTERS, 0);
    xc_filter_scores_clear(&scores);
}

static void without_truth_or_database(void **state) {
    (void)state;
    xc_tomtom_match matches[] = {match_of(0, MAX_NEW, 0.01)};
    xc_filters_config plain = config;
    plain.ground_truth_count = 0;
    xc_filter_scores scores = score(&plain, matches, 1);
    assert_float_equal(scores.match_any, 1.0 / FILTERS, 0);
    assert_true(isnan(scores.match_ground_truth) && isnan(scores.coverage));
    xc_filter_scores_clear(&scores);

    const xc_tomtom_result none = {NULL, 0};
    MUST(xc_filters_score(&config, &filters, NULL, &none, &scores, error));
    assert_int_equal(scores.filters, FILTERS);
    assert_true(isnan(scores.match_any) && isnan(scores.match_ground_truth) && isnan(scores.coverage));
    assert_true(isnan(scores.best_q[0]) && isnan(scores.best_q[1]));
    xc_filter_scores_clear(&scores);
}

/* A filter that nothing activates is flat. It has no match, and counts among the filters. */
static void flat_filters_match_nothing(void **state) {
    (void)state;
    const xc_tomtom_options options = {.by_evalue = true, .threshold = 0.1, .threads = 1};
    xc_motif_list flat, jaspar;
    xc_tomtom_result matches;
    xc_filter_scores scores;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &jaspar, error));
    MUST(xc_motif_list_create(&flat, 3, 20, error));
    MUST(xc_tomtom(&flat, &jaspar, &options, &matches, error));
    MUST(xc_filters_score(&config, &flat, &jaspar, &matches, &scores, error));
    assert_int_equal(scores.filters, 3);
    assert_true(scores.match_any == 0 && scores.match_ground_truth == 0);
    xc_filter_scores_clear(&scores);
    xc_tomtom_free(&matches);
    xc_motif_list_free(&flat);
    xc_motif_list_free(&jaspar);
}

/* ---- identifiers ------------------------------------------------------------------------------------------------- */

static void check_names_what_is_missing(void **state) {
    (void)state;
    MUST(xc_filters_check(&config, &database, error));
    char *wrong[] = {"MA0058.3", "MA0058.9", "ma0058.1"};
    xc_ground_truth truth[] = {truths[1], {"MAX", wrong, 2}};
    xc_filters_config bad = config;
    bad.ground_truth = truth;
    MUST(xc_filters_check(&bad, &database, error)); /* a version of another release may be missing */
    truth[1].motifs = wrong + 1;
    MUST_FAIL(xc_filters_check(&bad, &database, error), XC_INPUT,
              "filters.ground_truth: none of the identifiers of MAX (MA0058.9 ...) is in db.meme; correct them");
    truth[1].motifs = wrong + 2; /* identifiers are exact */
    truth[1].motifs_count = 1;
    MUST_FAIL(xc_filters_check(&bad, &database, error), XC_INPUT, "identifiers of MAX (ma0058.1) is in db.meme");
}

/* ---- filters.tsv ------------------------------------------------------------------------------------------------- */

static void scores_are_read_back(void **state) {
    (void)state;
    xc_filter_scores rows[2] = {{3, 1.0 / 3, 2.0 / 3, 0.5, NULL}, {3, 0, NAN, 1, NULL}}, scores;
    double q[2][2] = {{1e-20, 1}, {0.25, NAN}};
    const double threshold[2] = {0.5, 0.1};
    rows[0].best_q = q[0];
    rows[1].best_q = q[1];
    MUST(xc_filters_read_scores(fixture_folder, &config, &scores, error));
    assert_int_equal(scores.filters, 0); /* no such file */
    MUST(xc_filter_scores_write(fixture_folder, &config, threshold, rows, 2, error));
    char *text;
    MUST(xc_file_read(fixture_path(XC_SCORES_FILE), 4096, &text, NULL, error));
    assert_string_equal(text,
                        "threshold\tfilters\tmatch_any\tmatch_ground_truth\tcoverage\tq_MAX\tq_SP1\n"
                        "0.5\t3\t0.333333333\t0.666666667\t0.5\t1e-20\t1\n"
                        "0.1\t3\t0\tnan\t1\t0.25\tnan\n");
    free(text);
    MUST(xc_filters_read_scores(fixture_folder, &config, &scores, error));
    assert_int_equal(scores.filters, 3);
    assert_float_equal(scores.match_any, 0.333333333, 0);
    assert_float_equal(scores.best_q[0], 1e-20, 0);
    xc_filter_scores_clear(&scores);
    xc_filters_config other = config;
    other.threshold = 0.1;
    MUST(xc_filters_read_scores(fixture_folder, &other, &scores, error));
    assert_true(isnan(scores.match_ground_truth) && isnan(scores.best_q[1]) && scores.best_q[0] == 0.25);
    xc_filter_scores_clear(&scores);
    other.threshold = 0.3;
    MUST_FAIL(xc_filters_read_scores(fixture_folder, &other, &scores, error), XC_INPUT, "not the scores of filters");
}

#define HEADER "threshold\tfilters\tmatch_any\tmatch_ground_truth\tcoverage\tq_MAX\tq_SP1\n"

static void spoilt_scores_are_refused(void **state) {
    (void)state;
    static const char *const spoilt[] = {
        "",
        "threshold",
        HEADER,
        HEADER "0.5\t3\t0.1\t0.1\t0.1\t1\n",       /* a column less */
        HEADER "0.5\t3\t0.1\t0.1\t0.1\t1\t1\t1\n", /* one more */
        HEADER "0.5\t3\t0.1\t0.1\t0.1\t1\t1",      /* cut */
        HEADER "0.5\t3\t0.1\tx\t0.1\t1\t1\n",      /* a word */
        HEADER "0.5\t3\t1.1\t0.1\t0.1\t1\t1\n",    /* not a fraction */
        HEADER "0.5\t3\t-0.1\t0.1\t0.1\t1\t1\n",   /* nor this */
        HEADER "0.5\t0\t0.1\t0.1\t0.1\t1\t1\n",    /* no filters */
        HEADER "0.5\t-3\t0.1\t0.1\t0.1\t1\t1\n",   /* fewer */
        HEADER "0.55\t3\t0.1\t0.1\t0.1\t1\t1\n",   /* another threshold */
        "threshold\tfilters\tmatch_any\tmatch_ground_truth\tcoverage\tq_SP1\tq_MAX\n"
        "0.5\t3\t0.1\t0.1\t0.1\t1\t1\n", /* another order */
    };
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        xc_filter_scores scores;
        fixture_text(XC_SCORES_FILE, spoilt[i]);
        MUST_FAIL(xc_filters_read_scores(fixture_folder, &config, &scores, error), XC_INPUT,
                  "not the scores of filters");
        assert_int_equal(scores.filters, 0);
        assert_null(scores.best_q);
    }
    fixture_files(true);
}

static void remove_takes_what_measure_writes(void **state) {
    (void)state;
    static const char *const ours[] = {"filters.tsv",    "filters.meme",   "tomtom.tsv",   "filters-0.1.meme",
                                       "tomtom-0.1.tsv", "filters-0.meme", "tomtom-0.tsv", "filters-1e-05.meme"};
    static const char *const users[] = {"filters-old.meme", "filters-.meme",       "filters-0.10.meme",
                                        "tomtom-0.1.meme",  "kernels.meme",        "tomtom2.tsv",
                                        "myfilters.meme",   "filters-0.1.meme.bak"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) fixture_text(ours[i], "x\n");
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) fixture_text(users[i], "x\n");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) assert_true(xc_filters_writes(ours[i]));
    xc_filters_remove(fixture_folder);
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) assert_int_equal(access(fixture_path(users[i]), F_OK), 0);
    assert_int_equal(fixture_files(true), sizeof users / sizeof *users);
    xc_filters_remove(fixture_folder); /* nothing there */
    xc_filters_remove(fixture_path("nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_the_paper),
        cmocka_unit_test(one_filter_may_match_two_truths),
        cmocka_unit_test(counts_by_evalue),
        cmocka_unit_test(weak_ground_truth_does_not_count),
        cmocka_unit_test(counts_nothing),
        cmocka_unit_test(without_truth_or_database),
        cmocka_unit_test(flat_filters_match_nothing),
        cmocka_unit_test(check_names_what_is_missing),
        cmocka_unit_test(scores_are_read_back),
        cmocka_unit_test(spoilt_scores_are_refused),
        cmocka_unit_test(remove_takes_what_measure_writes),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}

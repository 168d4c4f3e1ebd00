/* test_config_filters.c: the filters section of a config: what it may say and what is refused with which line, its
 * defaults, overrides, copies, its text, and that a config without it is written as ever; and what the shipped
 * experiments say in it. Runs in the repository's root.
 */
#include "config_fixture.h"

#define DATABASE "  motifs: db.meme\n"

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static const refusal refusals[] = {
    /* keys and types */
    {DATA "filters:\n  threshhold: 0.4\n", 0, ":3: unknown key \"threshhold\" in filters; did you mean \"threshold\"?"},
    {DATA "filters: {motif: db.meme}\n", 0, ":2: unknown key \"motif\" in filters; did you mean \"motifs\"?"},
    {DATA "filter: {}\n", 0, ":2: unknown key \"filter\"; did you mean \"filters\"?"},
    {DATA "evalue: 0.1\n", 0, ":2: unknown key \"evalue\"; did you mean \"filters.evalue\"?"},
    {DATA "filters: db.meme\n", 0, ":2: filters must be a section with keys, such as {motifs: ...}"},
    {DATA "filters: {thresholds: 0.1}\n", 0, ":2: filters.thresholds must be a list, such as [0.1]"},
    {DATA "filters: {thresholds: []}\n", 0,
     ":2: filters.thresholds is an empty list; put something in or leave it out"},
    {DATA "filters: {threshold: half}\n", 0, ":2: \"half\" is not a number (filters.threshold)"},
    {DATA "filters: {window: 20.5}\n", 0, ":2: \"20.5\" is not a whole number (filters.window)"},
    {DATA "filters: {motifs: \"\"}\n", 0, ":2: filters.motifs is empty"},
    {DATA "filters:\n  threshold: 0.4\n  threshold: 0.3\n", 0, ":4: key \"threshold\" is given twice in filters"},
    {DATA "filters:\n" DATABASE "  ground_truth: [MAX]\n", 0,
     ":4: filters.ground_truth[0] must be a section with keys, such as {name: ...}"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: MAX, motif: [a]}\n", 0,
     ":5: unknown key \"motif\" in filters.ground_truth[0]; did you mean \"motifs\"?"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: MAX, motifs: a}\n", 0,
     ":5: filters.ground_truth[0].motifs must be a list, such as [a]"},
    /* numbers */
    {DATA "filters:\n  threshold: 1\n", 0, ":3: filters.threshold is 1; it must be at least 0 and below 1"},
    {DATA "filters: {threshold: -0.1}\n", 0, ":2: filters.threshold is -0.1; it must be at least 0 and below 1"},
    {DATA "filters:\n  thresholds: [0.1,\n   1.5]\n", 0,
     ":4: filters.thresholds[1] is 1.5; it must be at least 0 and below 1"},
    {DATA "filters: {thresholds: [-1]}\n", 0, ":2: filters.thresholds[0] is -1; it must be at least 0 and below 1"},
    {DATA "filters: {thresholds: [0.1, 0.2, 1e-1]}\n", 0,
     ":2: filters.thresholds has 0.1 twice; every entry is measured once"},
    {DATA "filters: {thresholds: [0.1, 0.1000000001]}\n", 0,
     ":2: filters.thresholds has 0.1 twice; every entry is measured once"},
    {DATA "filters:\n  thresholds: [0.1,\n    0.5]\n", 0,
     ":4: filters.thresholds has 0.5, which is filters.threshold; list the others alone"},
    {DATA "filters: {window: 21}\n", 0, ":2: filters.window is 21; it must be even, from 2 to 64"},
    {DATA "filters: {window: 0}\n", 0, ":2: filters.window is 0; it must be even, from 2 to 64"},
    {DATA "filters: {window: 1}\n", 0, ":2: filters.window is 1; it must be even, from 2 to 64"},
    {DATA "filters:\n\n  window: 66\n", 0, ":4: filters.window is 66; it must be even, from 2 to 64"},
    {DATA "filters: {window: -2}\n", 0, ":2: filters.window is -2; it cannot be negative"},
    {DATA "filters: {evalue: 0}\n", 0, ":2: filters.evalue is 0; it must be above 0"},
    {DATA "filters: {evalue: -1}\n", 0, ":2: filters.evalue is -1; it must be above 0"},
    {DATA "filters: {evalue: 1e999}\n", 0, ":2: filters.evalue is 1e999; it must be finite"},
    {DATA "filters: {evalue: nan}\n", 0, ":2: \"nan\" is not a number (filters.evalue)"},
    /* ground truth */
    {DATA "filters:\n  ground_truth: [{name: MAX, motifs: [MA0058.1]}]\n", 0,
     ":3: filters.ground_truth needs filters.motifs, the file of the database that has these identifiers"},
    {DATA "filters:\n  ignore_alone: [MA0615.1]\n", 0,
     ":3: filters.ignore_alone changes nothing: it is for filters.motifs, which is not given"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {motifs: [a]}\n", 0,
     ":5: filters.ground_truth[0] needs a name, such as {name: MAX, motifs: [MA0058.1]}"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: '', motifs: [a]}\n", 0,
     ":5: filters.ground_truth[0].name is empty"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: a b, motifs: [a]}\n", 0,
     ":5: filters.ground_truth[0].name has a space or a control character; it becomes the column q_NAME"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: [a]}\n  - name: \"b\\tc\"\n    motifs: [b]\n",
     0, ":6: filters.ground_truth[1].name has a space or a control character; it becomes the column q_NAME"},
    {DATA "filters:\n" DATABASE "  ground_truth: [{name: \"b\\n\", motifs: [b]}]\n", 0,
     ":4: filters.ground_truth[0].name has a space or a control character; it becomes the column q_NAME"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: [a]}\n  - {name: A, motifs: [b]}\n", 0,
     ":6: filters.ground_truth has A twice; give all its motifs in one entry"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: []}\n", 0,
     ":5: filters.ground_truth[0].motifs is an empty list; put something in or leave it out"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A}\n", 0,
     ":5: filters.ground_truth[0] (A) needs motifs, the identifiers that the database has of it"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: ['']}\n", 0,
     ":5: filters.ground_truth[0].motifs is empty"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: [x, y]}\n  - {name: B, motifs: [z,\n    y]}\n",
     0, ":7: filters.ground_truth: y is a motif of both A and B; a match must mean one"},
    {DATA "filters:\n" DATABASE "  ground_truth:\n  - {name: A, motifs: [x, y, x]}\n", 0,
     ":5: filters.ground_truth: A has x twice"},
    /* overrides */
    {DATA, "filters.window=3", "filters.window=3: filters.window is 3; it must be even, from 2 to 64"},
    {DATA, "filters=db.meme", "filters=db.meme: write --set section.key=value, such as --set train.epochs=50"},
    {DATA, "filter={}", "filter={}: unknown key \"filter\"; did you mean \"filters\"?"},
    {DATA, "filters={window: 3}", "filters={window: 3}: filters.window is 3; it must be even, from 2 to 64"},
    {DATA, "filters.treshold=0.4",
     "filters.treshold=0.4: unknown key \"treshold\" in filters; did you mean \"threshold\"?"},
    {DATA, "filters.ground_truth=[{name: MAX, motifs: [a]}]",
     "filters.ground_truth=[{name: MAX, motifs: [a]}]: filters.ground_truth needs filters.motifs, the file of the "
     "database that has these identifiers"},
    {DATA "filters: {motifs: db.meme, ground_truth: [{name: A, motifs: [a]}]}\n", "filters.motifs=null",
     0}, /* the list is the file's, and so is the line */
};

static void every_fault_is_one_line(void **state) {
    (void)state;
    assert_each_refused(refusals, sizeof refusals / sizeof *refusals);
}

/* The beginnings of a config, and the config with any byte replaced, are configs or one line; under a sanitizer, this
 * also proves that no path leaks or reads beyond its memory. */
static void damaged_sections_are_configs_or_one_line(void **state) {
    (void)state;
    static const char text[] = DATA
        "filters: {motifs: db, thresholds: [0.1, 0.2], window: 8,\n"
        " ground_truth: [{name: A, motifs: [x, y]}, {name: B, motifs: &b [z]}], ignore_alone: *b}\n";
    char damaged[sizeof text];
    for (size_t i = 0; i < 2 * (sizeof text - 1); i++) {
        const size_t at = i / 2;
        memcpy(damaged, text, sizeof text);
        damaged[at] = i % 2 ? "{}[]:,\"\t0-\n&*~"[at % 14] : 0;
        xc_config *config = NULL;
        xc_error error = {0};
        if (read_config(damaged, NULL, &config, &error) != XC_OK) {
            assert_non_null(strstr(error.text, SWEEP));
            assert_null(strchr(error.text, '\n'));
        }
        xc_config_free(config);
    }
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void an_empty_section_has_the_papers_defaults(void **state) {
    (void)state;
    xc_config *config = good(DATA "filters: {}\n", NULL);
    const xc_filters_config *filters = config->filters;
    assert_non_null(filters);
    assert_null(filters->motifs);
    assert_true(filters->threshold == 0.5 && filters->evalue == 0.1);
    assert_int_equal(filters->window, 20);
    assert_null(filters->thresholds);
    assert_null(filters->ground_truth);
    assert_null(filters->ignore_alone);
    assert_int_equal(filters->thresholds_count + filters->ground_truth_count + filters->ignore_alone_count, 0);
    xc_config_free(config);
}

static void without_a_section_nothing_is_written(void **state) {
    (void)state;
    static const char *const texts[] = {DATA, DATA "filters:\n", DATA "filters: ~\n"};
    xc_config *with = good(DATA "filters: {threshold: 0.3}\n", "filters=null");
    char *none = text_of(with);
    assert_null(with->filters);
    assert_null(strstr(none, "filters"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        xc_config *config = good(texts[i], NULL);
        char *text = text_of(config);
        assert_null(config->filters);
        assert_string_equal(text, none);
        free(text);
        xc_config_free(config);
    }
    free(none);
    xc_config_free(with);
}

static void the_edges_of_ranges_are_taken(void **state) {
    (void)state;
    xc_config *config = good(DATA "filters: {threshold: 0, window: 2, evalue: 1.0e-300, thresholds: [0.999]}\n", NULL);
    assert_true(config->filters->threshold == 0 && config->filters->thresholds[0] == 0.999);
    assert_int_equal(config->filters->window, 2);
    assert_true(config->filters->evalue == 1e-300);
    xc_config_free(config);
    config = good(DATA "filters: {window: 64, evalue: 518}\n", NULL);
    assert_int_equal(config->filters->window, 64);
    assert_true(config->filters->evalue == 518);
    xc_config_free(config);
}

static void overrides_make_and_change_the_section(void **state) {
    (void)state;
    xc_config *config = good(DATA, "filters.motifs=DB.meme");
    assert_non_null(config->filters);
    assert_string_equal(config->filters->motifs, "DB.meme");
    assert_true(config->filters->threshold == 0.5);
    xc_config_free(config);

    config = good(DATA, "filters={}");
    assert_non_null(config->filters);
    assert_null(config->filters->motifs);
    xc_config_free(config);

    config = good(DATA "filters: {motifs: db, ground_truth: [{name: A, motifs: [x]}, {name: B, motifs: [y]}]}\n",
                  "filters.ground_truth=[{name: MAX, motifs: [MA0058.1]}]");
    assert_int_equal(config->filters->ground_truth_count, 1);
    assert_string_equal(config->filters->ground_truth[0].name, "MAX");
    assert_int_equal(config->filters->ground_truth[0].motifs_count, 1);
    assert_string_equal(config->filters->ground_truth[0].motifs[0], "MA0058.1");
    assert_string_equal(config->filters->motifs, "db");
    xc_config_free(config);
}

/* ---- text and copies -------------------------------------------------------------------------------------------- */

/* No member has its default. */
static const char unusual[] = DATA
    "sweep: {activation: [relu, tanh], seeds: 2}\n"
    "filters:\n"
    "  ignore_alone: [MA0615.1, 'null', a b]\n"
    "  ground_truth: [{motifs: [MA0151.1, PB0001.1], name: Arid3a}, {name: '1:\"x\"', motifs: ['7']}]\n"
    "  thresholds: [0.1, 0.3333333333333333, 0]\n"
    "  motifs: 'my motifs/JASPAR #1.meme'\n"
    "  evalue: 1.0e-7\n  threshold: 0.25\n  window: 18\n";

static const char section[] =
    "filters:\n"
    "  motifs: \"my motifs/JASPAR #1.meme\"\n"
    "  threshold: 0.25\n"
    "  thresholds: [0.1, 0.3333333333333333, 0]\n"
    "  window: 18\n"
    "  evalue: 1.0e-7\n"
    "  ground_truth:\n"
    "    - {name: Arid3a, motifs: [MA0151.1, PB0001.1]}\n"
    "    - {name: \"1:\\\"x\\\"\", motifs: [\"7\"]}\n"
    "  ignore_alone: [MA0615.1, \"null\", \"a b\"]\n";

static void the_section_is_written_last_and_complete(void **state) {
    (void)state;
    xc_config *config = good(unusual, NULL), *bare = good(unusual, "filters=null");
    char *text = text_of(config), *before = text_of(bare), *again;
    assert_memory_equal(text, before, strlen(before)); /* nothing else is written otherwise */
    assert_string_equal(text + strlen(before), section);
    xc_config_free(config);
    xc_config_free(bare);
    config = good(text, NULL);
    again = text_of(config);
    assert_string_equal(again, text);
    xc_config_free(config);
    free(text);
    free(again);
    free(before);

    config = good(DATA, "filters={}");
    text = text_of(config);
    assert_string_equal(strstr(text, "filters"), "filters:\n  threshold: 0.5\n  window: 20\n  evalue: 0.1\n");
    free(text);
    xc_config_free(config);
}

static void copies_are_deep(void **state) {
    (void)state;
    xc_config *config = good(unusual, NULL), *copy = NULL;
    xc_error error = {0};
    assert_int_equal(xc_config_copy(config, &copy, &error), XC_OK);
    char *before = text_of(copy);
    config->filters->motifs[0] = 'M';
    config->filters->ground_truth[0].motifs[1][0] = 'Z';
    config->filters->ignore_alone[0][0] = 'Z';
    config->filters->thresholds[0] = 0.9;
    xc_config_free(config);
    assert_string_equal(copy->filters->ground_truth[1].name, "1:\"x\"");
    assert_true(copy->filters->thresholds[0] == 0.1);
    char *after = text_of(copy);
    assert_string_equal(before, after);
    assert_string_equal(strstr(after, "filters"), section);
    assert_null(strstr(after, "sweep:"));
    free(before);
    free(after);
    xc_config_free(copy);
}

/* ---- shipped configs -------------------------------------------------------------------------------------------- */

/* Experiments on task 1; the number of thresholds beside 0.5. */
static const struct {
    const char *path;
    uint32_t thresholds;
} shipped[] = {{"configs/paper/task1.yaml", 0},  {"configs/paper/initialisations.yaml", 0},
               {"configs/paper/stddev.yaml", 0}, {"configs/paper/initialisations-nobn.yaml", 0},
               {"configs/paper/scale.yaml", 0},  {"configs/paper/thresholds.yaml", 8}};

/* The table of the paper's methods. */
static const char *const truths[] = {"Arid3a MA0151.1 MA0601.1 PB0001.1",
                                     "CEBPB MA0466.1 MA0466.2",
                                     "FOSL1 MA0477.1",
                                     "Gabpa MA0062.1 MA0062.2",
                                     "MAFK MA0496.1 MA0496.2",
                                     "MAX MA0058.1 MA0058.2 MA0058.3",
                                     "MEF2A MA0052.1 MA0052.2 MA0052.3",
                                     "NFYB MA0502.1 MA0060.1 MA0060.2",
                                     "SP1 MA0079.1 MA0079.2 MA0079.3",
                                     "SRF MA0083.1 MA0083.2 MA0083.3",
                                     "STAT1 MA0137.1 MA0137.2 MA0137.3 MA0660.1 MA0773.1",
                                     "YY1 MA0095.1 MA0095.2"};

static void task_1_is_measured_by_the_papers_ground_truth(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        xc_config *config = NULL;
        xc_error error = {0};
        if (xc_config_read(shipped[i].path, NULL, 0, &config, &error) != XC_OK) fail_msg("refused: %s", error.text);
        const xc_filters_config *filters = config->filters;
        assert_non_null(filters);
        assert_string_equal(config->data.file, "task1.h5");
        assert_string_equal(filters->motifs, "JASPAR_CORE_2016_vertebrates.meme");
        assert_true(filters->threshold == 0.5 && filters->evalue == 0.1 && filters->window == 20);
        assert_int_equal(filters->thresholds_count, shipped[i].thresholds);
        assert_int_equal(filters->ignore_alone_count, 1);
        assert_string_equal(filters->ignore_alone[0], "MA0615.1");
        assert_int_equal(filters->ground_truth_count, sizeof truths / sizeof *truths);
        for (uint32_t t = 0; t < filters->ground_truth_count; t++) {
            const xc_ground_truth *truth = &filters->ground_truth[t];
            char line[256];
            int used = snprintf(line, sizeof line, "%s", truth->name);
            for (uint32_t m = 0; m < truth->motifs_count; m++)
                used += snprintf(line + used, sizeof line - (size_t)used, " %s", truth->motifs[m]);
            assert_string_equal(line, truths[t]);
        }
        xc_config_free(config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_one_line),
        cmocka_unit_test(damaged_sections_are_configs_or_one_line),
        cmocka_unit_test(an_empty_section_has_the_papers_defaults),
        cmocka_unit_test(without_a_section_nothing_is_written),
        cmocka_unit_test(the_edges_of_ranges_are_taken),
        cmocka_unit_test(overrides_make_and_change_the_section),
        cmocka_unit_test(the_section_is_written_last_and_complete),
        cmocka_unit_test(copies_are_deep),
        cmocka_unit_test(task_1_is_measured_by_the_papers_ground_truth),
    };
    return cmocka_run_group_tests(tests, make_config_folder, NULL);
}

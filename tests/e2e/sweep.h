/* sweep.h: a small sweep for the command-line tests, and its tables read back. */
#ifndef EXPCONV_TESTS_SWEEP_H
#define EXPCONV_TESTS_SWEEP_H

#include "cli.h"

enum { TRIALS = 6 };

static const char *const trial_names[TRIALS] = {
    "tiny.relu.glorot_uniform.s000",        "tiny.relu.glorot_uniform.s001",
    "tiny.relu.glorot_uniform.s002",        "tiny.exponential.glorot_uniform.s000",
    "tiny.exponential.glorot_uniform.s001", "tiny.exponential.glorot_uniform.s002"};

/* Two activations, three seeds; trials stop at different epochs, so packs shrink as they go. */
static inline const char *make_sweep(int epochs, int patience) {
    char more[512];
    snprintf(more, sizeof more,
             "train: {epochs: %d, batch: 30, learning_rate: 0.02, early_stop: {patience: %d}}\n"
             "sweep: {activation: [relu, exponential], seeds: 3}\n",
             epochs, patience);
    return make_config("sweep.yaml", make_data("data.h5"), more);
}

static inline void assert_same_sweep(const char *one, const char *other) {
    static const char *const tables[] = {"results.tsv", "summary.tsv", "config.yaml"};
    static const char *const files[] = {"weights.h5", "history.tsv", "metrics.tsv", "config.yaml"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_same_bytes(in_folder("%s/%s", one, tables[i]), in_folder("%s/%s", other, tables[i]));
    for (int t = 0; t < TRIALS; t++)
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            assert_same_bytes(in_folder("%s/trials/%s/%s", one, trial_names[t], files[i]),
                              in_folder("%s/trials/%s/%s", other, trial_names[t], files[i]));
}

static inline void sweep_into(const char *config, const char *name, const char *options) {
    outcome result = run("sweep %s --quiet --out %s %s", config, in_folder("%s", name), options);
    assert_done(&result);
    assert_string_equal(result.err, "");
    end(&result);
}

static inline int count_lines(const char *text) {
    int count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

/* The cell of a column in row `row` (0: the first after the header) of a TSV text. */
static inline const char *cell(const char *text, int row, const char *column) {
    static char value[128];
    const size_t width = strcspn(text, "\n");
    int index = 0;
    const char *at = text;
    for (;; index++) {
        const size_t length = strcspn(at, "\t\n");
        if (length == strlen(column) && strncmp(at, column, length) == 0) break;
        if (at + length >= text + width) fail_msg("no column %s", column);
        at += length + 1;
    }
    at = text;
    for (int i = 0; i <= row; i++) at = strchr(at, '\n') + 1;
    for (int i = 0; i < index; i++) at = strchr(at, '\t') + 1;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\t\n"), at);
    return value;
}

#endif

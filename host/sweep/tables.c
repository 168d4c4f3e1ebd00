/* tables.c: results.tsv and summary.tsv, from the finished trials of a grid.
 *
 * Numbers have nine significant digits and nan is written nan. A trial that diverged has its row, with nan for what was
 * never measured, and is counted in its setting but left out of the statistics.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../train/room.h"
#include "room.h"

/* The measured columns, in this order; metrics come twice, for the validation and the test split. What follows
 * TRAINING_COLUMNS is there when filters are compared with a database, and from MATCH_GROUND_TRUTH on when there is a
 * ground truth; BEST_Q stands for one column of each of its motifs. Behind them are three of each attribution method.
 */
enum {
    EPOCHS,
    BEST_EPOCH,
    TRAIN_LOSS,
    VALID,
    TEST = VALID + XC_METRIC_COUNT,
    CLIP_FRACTION = TEST + XC_METRIC_COUNT,
    TRAINING_COLUMNS,
    MATCH_ANY = TRAINING_COLUMNS,
    MATCH_GROUND_TRUTH,
    COVERAGE,
    BEST_Q
};

enum { VALUE_LENGTH = 128 };

static int filter_columns(const xc_grid *grid) {
    const xc_filters_config *filters = xc_grid_filters(grid);
    if (!filters || !filters->motifs) return TRAINING_COLUMNS;
    return filters->ground_truth_count > 0 ? BEST_Q + (int)filters->ground_truth_count : MATCH_ANY + 1;
}

static const xc_attribution_config *attribution_of(const xc_grid *grid) { return grid->trial[0].config->attribution; }

static const char *const attribution_words[] = {"auroc", "aupr", "signal_to_noise"};
enum { EACH_METHOD = sizeof attribution_words / sizeof *attribution_words };

static int count_columns(const xc_grid *grid) {
    const xc_attribution_config *attribution = attribution_of(grid);
    return filter_columns(grid) + (attribution ? (int)attribution->methods_count * EACH_METHOD : 0);
}

/* Writes a column's name with `ending` behind it. */
static void write_heading(FILE *stream, const xc_grid *grid, int column, const char *ending) {
    static const char *const words[] = {
        [EPOCHS] = "epochs",         [BEST_EPOCH] = "best_epoch",
        [TRAIN_LOSS] = "train_loss", [CLIP_FRACTION] = "clip_fraction",
        [MATCH_ANY] = "match_any",   [MATCH_GROUND_TRUTH] = "match_ground_truth",
        [COVERAGE] = "coverage",
    };
    const char *prefix = "", *word;
    const int attribution = column - filter_columns(grid);
    if (attribution >= 0) {
        fprintf(stream, "%s_", xc_method_word(attribution_of(grid)->methods[attribution / EACH_METHOD]));
        word = attribution_words[attribution % EACH_METHOD];
    } else if (column >= BEST_Q) {
        prefix = "q_";
        word = xc_grid_filters(grid)->ground_truth[column - BEST_Q].name;
    } else if (column >= VALID && column < CLIP_FRACTION) {
        prefix = column >= TEST ? "test_" : "valid_";
        word = xc_metric_word((xc_metric)(column - (column >= TEST ? TEST : VALID)));
    } else {
        word = words[column];
    }
    fputs(prefix, stream);
    xc_sweep_write_field(stream, word);
    fputs(ending, stream);
}

static double filter_value(const xc_filter_scores *scores, int column) {
    if (scores->filters == 0) return NAN; /* of a trial that diverged */
    if (column == MATCH_ANY) return scores->match_any;
    if (column == MATCH_GROUND_TRUTH) return scores->match_ground_truth;
    return column == COVERAGE ? scores->coverage : scores->best_q[column - BEST_Q];
}

static double attribution_value(const xc_grid *grid, size_t place, int column) {
    const xc_trial_attribution *measured = &grid->attribution[place];
    const xc_attribution_score *mean = &measured->method[attribution_of(grid)->methods[column / EACH_METHOD]].mean;
    if (!measured->measured) return NAN;
    const double values[EACH_METHOD] = {mean->auroc, mean->aupr, mean->signal_to_noise};
    return values[column % EACH_METHOD];
}

/* Of trial number `place`. */
static double column_value(const xc_grid *grid, size_t place, int column) {
    const xc_trial *trial = &grid->trial[place];
    if (column == EPOCHS) return trial->epochs;
    if (column == BEST_EPOCH) return trial->best_epoch;
    if (column == TRAIN_LOSS) return trial->train_loss;
    if (column == CLIP_FRACTION) return trial->clip_fraction;
    if (column >= filter_columns(grid)) return attribution_value(grid, place, column - filter_columns(grid));
    if (column >= TRAINING_COLUMNS) return filter_value(&grid->scores[place], column);
    return column >= TEST ? trial->test.mean[column - TEST] : trial->valid.mean[column - VALID];
}

static void write_number(FILE *stream, double value) {
    fputc('\t', stream);
    xc_number_write(stream, value);
}

void xc_sweep_write_field(FILE *stream, const char *text) {
    for (; *text; text++) fputc(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text, stream);
}

static void write_varied(FILE *stream, const xc_grid *grid, const xc_trial *trial, int32_t columns) {
    char value[VALUE_LENGTH];
    for (int32_t i = 0; i < columns; i++) {
        xc_grid_value(trial, grid->varied[i], value, sizeof value);
        if (i > 0) fputc('\t', stream);
        xc_sweep_write_field(stream, value);
    }
}

/* Opens FOLDER/NAME for a table; the caller commits. */
static xc_status open_table(const char *folder, const char *name, xc_file *file, xc_error *error) {
    char *path = xc_path_join(folder, name);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of %s", name);
    const xc_status status = xc_file_create(file, path, true, error);
    free(path);
    return status;
}

xc_status xc_sweep_write_results(const xc_grid *grid, const char *folder, xc_error *error) {
    xc_file file;
    const int columns = count_columns(grid);
    const xc_status status = open_table(folder, "results.tsv", &file, error);
    if (status != XC_OK) return status;
    for (int32_t i = 0; i < grid->varied_count; i++) fprintf(file.stream, "%s\t", grid->varied[i]);
    fputs("state", file.stream);
    for (int column = 0; column < columns; column++) {
        fputc('\t', file.stream);
        write_heading(file.stream, grid, column, "");
    }
    fputc('\n', file.stream);
    for (size_t i = 0; i < grid->count; i++) {
        const xc_trial *trial = &grid->trial[i];
        if (!xc_trial_ended(trial)) continue;
        write_varied(file.stream, grid, trial, grid->varied_count);
        fprintf(file.stream, "\t%s", xc_trial_status_word(trial->status));
        for (int column = 0; column < columns; column++) write_number(file.stream, column_value(grid, i, column));
        fputc('\n', file.stream);
    }
    return xc_file_commit(&file, error);
}

/* ---- summary ---------------------------------------------------------------------------------------------------- */

static const char *const statistic_endings[] = {"_mean", "_sd", "_median", "_q1", "_q3"};

static bool summarised(int column) { return column == EPOCHS || (column >= TEST && column != CLIP_FRACTION); }

static void write_summary_header(FILE *stream, const xc_grid *grid, int32_t settings) {
    const int columns = count_columns(grid);
    for (int32_t i = 0; i < settings; i++) fprintf(stream, "%s\t", grid->varied[i]);
    fputs("trials\tdiverged", stream);
    for (int column = 0; column < columns; column++) {
        if (!summarised(column)) continue;
        for (size_t i = 0; i < sizeof statistic_endings / sizeof *statistic_endings; i++) {
            fputc('\t', stream);
            write_heading(stream, grid, column, statistic_endings[i]);
        }
    }
    fputc('\n', stream);
}

/* One setting: trials first .. first + count - 1. `values` (count) is scratch. */
static void write_setting(FILE *stream, const xc_grid *grid, int32_t settings, size_t first, size_t count,
                          double *values) {
    size_t ended = 0, diverged = 0;
    const int columns = count_columns(grid);
    for (size_t i = first; i < first + count; i++) {
        ended += xc_trial_ended(&grid->trial[i]);
        diverged += grid->trial[i].status == XC_TRIAL_DIVERGED;
    }
    if (ended == 0) return;
    write_varied(stream, grid, &grid->trial[first], settings);
    fprintf(stream, "%s%zu\t%zu", settings > 0 ? "\t" : "", ended, diverged);
    for (int column = 0; column < columns; column++) {
        if (!summarised(column)) continue;
        size_t used = 0;
        for (size_t i = first; i < first + count; i++)
            if (grid->trial[i].status == XC_TRIAL_DONE) values[used++] = column_value(grid, i, column);
        const xc_statistics statistics = xc_statistics_of(values, used);
        write_number(stream, statistics.mean);
        write_number(stream, statistics.deviation);
        write_number(stream, statistics.median);
        write_number(stream, statistics.lower_quartile);
        write_number(stream, statistics.upper_quartile);
    }
    fputc('\n', stream);
}

xc_status xc_sweep_write_summary(const xc_grid *grid, const char *folder, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    double *values = NULL;
    /* The seed is the last varied column and the fastest, so a setting is a run of trials. */
    const int32_t settings = grid->varied_count - 1;
    XC_TRY(xc_allocate(&values, grid->count, sizeof *values, "the summary", error));
    XC_TRY(open_table(folder, "summary.tsv", &file, error));
    write_summary_header(file.stream, grid, settings);
    for (size_t first = 0; first < grid->count; first += grid->seeds)
        write_setting(file.stream, grid, settings, first, grid->seeds, values);
    XC_TRY(xc_file_commit(&file, error));
fail:
    free(values);
    return status;
}

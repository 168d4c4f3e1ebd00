/* results.c: a finished trial read back from its folder, which says itself what state the trial is in. Done: weights.h5
 * and metrics.tsv, which is written last. Diverged: diverged.txt. Running: checkpoint.h5.
 *
 * The numbers of a finished trial are always those of its files, so a table made after a resume has the same bytes as
 * one made in one go.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

bool xc_trial_has(const xc_trial *trial, const char *name) {
    char *path = xc_path_join(trial->folder, name);
    const bool exists = path && xc_path_exists(path);
    free(path);
    return exists;
}

/* The numbers of a line of metrics.tsv after "split<TAB>class". */
static bool parse_metrics(const char *at, double value[XC_METRIC_COUNT]) {
    for (int m = 0; m < XC_METRIC_COUNT; m++) {
        char *after;
        if (*at++ != '\t') return false;
        value[m] = strtod(at, &after);
        if (after == at) return false;
        at = after;
    }
    return *at == '\n';
}

/* Means of one split, the number of its classes, and how many had no AUROC. */
static bool read_split(const char *text, const char *split, xc_metrics *metrics) {
    bool found = false;
    xc_metrics_free(metrics);
    xc_metrics_none(metrics);
    for (const char *line = text; *line; line += xc_line_length(line) + (line[xc_line_length(line)] == '\n')) {
        const size_t word = strcspn(line, "\t\n");
        if (word != strlen(split) || memcmp(line, split, word) != 0 || line[word] != '\t') continue;
        const char *class_word = line + word + 1;
        const char *numbers = class_word + strcspn(class_word, "\t\n");
        double value[XC_METRIC_COUNT];
        if (!parse_metrics(numbers, value)) return false;
        if (strncmp(class_word, "mean\t", 5) == 0) {
            memcpy(metrics->mean, value, sizeof value);
            found = true;
        } else {
            metrics->classes++;
            metrics->one_label += value[XC_METRIC_AUROC] != value[XC_METRIC_AUROC];
        }
    }
    return found;
}

/* The numbers stand in the tables, but the network must be there as well. */
static xc_status check_weights(const xc_trial *trial, xc_error *error) {
    int32_t length, classes;
    char *path = xc_path_join(trial->folder, XC_WEIGHTS_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    xc_error damage = {0};
    const xc_status status = xc_weights_shape(path, &length, &classes, &damage);
    free(path);
    if (status == XC_OK) return XC_OK;
    return xc_fail(error, status, "%s; put it back, or remove %s to train again", damage.text, trial->folder);
}

static xc_status read_metrics(xc_trial *trial, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *path = xc_path_join(trial->folder, XC_METRICS_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    XC_TRY(xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error));
    if (!read_split(text, xc_split_word(XC_VALID), &trial->valid) ||
        !read_split(text, xc_split_word(XC_TEST), &trial->test))
        status = xc_fail(error, XC_INPUT, "%s: not the metrics of a trial; remove its folder and train again", path);
fail:
    free(text);
    free(path);
    return status;
}

/* Epochs, the best of them, and the numbers of the last: the callbacks are played again over the history. */
static xc_status read_history(xc_trial *trial, xc_error *error) {
    xc_history_row *rows;
    uint32_t count;
    const xc_train_config *config = &trial->config->train;
    const xc_status status = xc_history_read(trial->folder, &rows, &count, error);
    if (status != XC_OK) return status;
    xc_callbacks callbacks;
    xc_callbacks_start(&callbacks, config);
    for (uint32_t i = 0; i < count; i++) {
        bool new_best;
        xc_callbacks_epoch(&callbacks, config, i + 1, rows[i].valid[config->monitor], &new_best);
    }
    trial->epochs = count;
    trial->best_epoch = callbacks.best_epoch;
    trial->train_loss = count > 0 ? rows[count - 1].loss : NAN;
    trial->clip_fraction = count > 0 ? rows[count - 1].clip_fraction : NAN;
    free(rows);
    return XC_OK;
}

static xc_status read_reason(xc_trial *trial, xc_error *error) {
    char *text = NULL, *path = xc_path_join(trial->folder, XC_DIVERGED_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    const xc_status status = xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error);
    if (status == XC_OK) snprintf(trial->reason, sizeof trial->reason, "%.*s", (int)xc_line_length(text), text);
    free(text);
    free(path);
    return status;
}

xc_status xc_trial_read_results(xc_trial *trial, xc_error *error) {
    xc_status status = XC_OK;
    if (xc_trial_has(trial, XC_METRICS_FILE) && xc_trial_has(trial, XC_WEIGHTS_FILE)) {
        XC_TRY(check_weights(trial, error));
        XC_TRY(read_metrics(trial, error));
        XC_TRY(read_history(trial, error));
        trial->reason[0] = 0;
        trial->status = XC_TRIAL_DONE;
    } else if (xc_trial_has(trial, XC_DIVERGED_FILE)) {
        XC_TRY(read_reason(trial, error));
        XC_TRY(read_history(trial, error));
        xc_metrics_free(&trial->valid);
        xc_metrics_free(&trial->test);
        xc_metrics_none(&trial->valid);
        xc_metrics_none(&trial->test);
        trial->status = XC_TRIAL_DIVERGED;
    } else {
        trial->status = xc_trial_has(trial, XC_CHECKPOINT_FILE) ? XC_TRIAL_RUNNING : XC_TRIAL_WAITING;
    }
fail:
    return status;
}

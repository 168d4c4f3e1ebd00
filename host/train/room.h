/* room.h: what the files of the training room share and nobody else sees: the ranking of one column of scores,
 * inference over a whole split, the history's rows, one running trial, and the files that a trial's folder holds.
 *
 * The public face is expconv/train.h.
 */
#ifndef EXPCONV_TRAIN_ROOM_H
#define EXPCONV_TRAIN_ROOM_H

#include <string.h>

#include "expconv/train.h"

/* ---- files of a trial's folder ---------------------------------------------------------------------------------- */

#define XC_CONFIG_FILE "config.yaml"
#define XC_WEIGHTS_FILE "weights.h5"
#define XC_HISTORY_FILE "history.tsv"
#define XC_METRICS_FILE "metrics.tsv"
#define XC_CHECKPOINT_FILE "checkpoint.h5"
#define XC_DIVERGED_FILE "diverged.txt" /* one line: why; the trial has no weights.h5 then */

/* Length of the line that begins here, without its end. */
static inline size_t xc_line_length(const char *line) { return strcspn(line, "\n"); }

/* Whether the trial's folder has a file of that name. */
bool xc_trial_has(const xc_trial *trial, const char *name);

/* No text file that this room reads back is larger. */
#define XC_TEXT_LIMIT ((size_t)64 << 20)

/* Writes %.9g, or `nan` whatever its sign. */
static inline void xc_number_write(FILE *stream, double number) {
    if (number != number)
        fputs("nan", stream);
    else
        fprintf(stream, "%.9g", number);
}

/* Writes "\tname" for each metric, with `prefix` before the name: the headings of history and metrics. */
void xc_metric_headings(FILE *stream, const char *prefix);

/* Whether larger values of a metric are better. */
bool xc_metric_larger(xc_metric metric);

/* ---- ranking (rank.c) ------------------------------------------------------------------------------------------- */

/* The three metrics that depend on the order of the scores alone. NaN where undefined. */
typedef struct xc_ranking {
    double auroc, aupr, average_precision;
} xc_ranking;

/* Scores (n) without NaN, labels (n) positive above 0.5; keys (2 n) is scratch. */
xc_ranking xc_rank(const float *scores, const float *labels, size_t n, uint32_t *keys);

/* ---- metrics (metrics.c) ---------------------------------------------------------------------------------------- */

/* As xc_metrics_compute, but the labels have `label_rows` rows that repeat: a split's reverse complements share the
 * labels of their sequences, so no second copy is made. */
typedef struct xc_metrics_input {
    xc_loss_kind loss;
    const double *class_weights; /* (classes) or NULL */
    const float *logits;         /* (items,classes) */
    const float *labels;         /* (label_rows,classes) */
    size_t items, label_rows;
    int32_t classes;
} xc_metrics_input;

xc_status xc_metrics_of(const xc_metrics_input *input, bool per_class, xc_metrics *metrics, xc_error *error);

/* All metrics NaN: of a split that is not there, or a trial that diverged. */
void xc_metrics_none(xc_metrics *metrics);

/* ---- order and inference (order.c, inference.c) ----------------------------------------------------------------- */

/* The index words of all items of a split in the order of `epoch` (from 0) of the trial with this seed: Fisher-Yates
 * from the identity, a function of (seed, epoch) alone. order (xc_split_items). */
void xc_epoch_order(const xc_split *split, uint64_t seed, uint32_t epoch, uint32_t *order);

/* The largest batch that there can be: the config's, or fewer items when no split has so many. At least 1. */
int32_t xc_batch_needed(const xc_train_config *config, const xc_dataset *dataset);

/* Scratch for inference over a split; batch is the pack's. */
typedef struct xc_inference {
    int32_t batch, trials;
    uint32_t *index;     /* (trials,batch) */
    float *batch_logits; /* (trials,batch,classes) */
} xc_inference;
xc_status xc_inference_open(xc_inference *inference, int32_t trials, int32_t batch, int32_t classes, xc_error *error);
void xc_inference_close(xc_inference *inference);

/* Logits of items first..end-1 (end - first at most the batch) for every trial of the pack. Trial t's go to
 * logits + t * trial_stride + item * classes. */
xc_status xc_inference_batch(xc_inference *inference, xc_pack *pack, const xc_device_split *device,
                             const xc_split *split, size_t first, size_t end, float *logits, size_t trial_stride,
                             xc_error *error);

/* Logits of all items of a split, in batches: (T,items,classes). */
xc_status xc_inference_split(xc_inference *inference, xc_pack *pack, const xc_device_split *device,
                             const xc_split *split, float *logits, xc_error *error);

/* ---- history (history.c): train.h has its rows and how they are read ----------------------------------------------
 */

xc_status xc_history_write(const char *folder, const xc_history_row *rows, uint32_t count, xc_error *error);

/* The number as the history shows it. The callbacks are fed with this, so the history alone tells what they did. */
double xc_history_rounded(double value);

/* ---- one running trial (runner.c) ------------------------------------------------------------------------------- */

typedef struct xc_runner {
    xc_trial *trial;
    xc_model *model; /* by the trial's own config: the trials of a pack share the shape alone */
    xc_callbacks callbacks;
    uint32_t epoch;       /* complete epochs */
    xc_history_row *rows; /* (trial->config->train.epochs) */
    xc_trial_state state; /* host copy: at the start, and of each epoch for the checkpoint */
    float *best;          /* (parameter_count + running_count) of the best epoch, when config wants them; or NULL */
    uint32_t *order;      /* (train items) of the current epoch */
    double loss_sum;      /* of the current epoch, weighted by batch size */
    double seconds;       /* spent in earlier runs */
    bool diverged;        /* the reason stands in trial->reason */
} xc_runner;

/* Memory and initial state, or what the trial's checkpoint says. Of `shape`, the pack's model, length and classes are
 * taken. `train_items` must be what it was. */
xc_status xc_runner_open(xc_runner *runner, xc_trial *trial, const xc_model *shape, size_t train_items,
                         xc_error *error);
void xc_runner_close(xc_runner *runner);

/* Writes checkpoint.h5 from the runner's state. */
xc_status xc_runner_checkpoint(const xc_runner *runner, size_t train_items, double seconds, xc_error *error);

/* Takes the state of an epoch as the best so far. */
void xc_runner_keep_best(xc_runner *runner);

/* ---- a pack and its memory (loop.c, memory.c) -------------------------------------------------------------------- */

/* As xc_train_pack, which calls it with fewer trials where these are more than the backend has memory for: XC_MEMORY
 * then, and each trial stands where its folder says. */
xc_status xc_train_at_once(const xc_backend *backend, const xc_train_data *data, xc_trial *const *trials, int32_t count,
                           const xc_train_events *events, xc_error *error);

/* Bytes of the backend's memory that so many trials of this config, whose model this is, take in one pack: the pack,
 * its orders, and the inference at the end of each trial. */
size_t xc_train_bytes(const xc_backend *backend, const xc_train_data *data, const xc_config *config,
                      const xc_model *model, int32_t trials);

/* XC_MEMORY, saying that not even one trial has the `wanted` bytes that it takes, how many are free, and what to do. */
xc_status xc_train_refuse_memory(const xc_backend *backend, const xc_model *model, int32_t batch, size_t wanted,
                                 xc_error *error);

/* "12.1 GB", "310 MB", "2.5 MB". */
void xc_bytes_write(size_t bytes, char text[24]);

/* ---- the end of a trial (finish.c) ------------------------------------------------------------------------------ */

/* Measures the kept weights on valid and test with the threads of a team, writes weights.h5 and then metrics.tsv,
 * removes the checkpoint, and reads the results back into the trial. */
xc_status xc_finish_done(xc_runner *runner, const xc_backend *backend, const xc_train_data *data, xc_team *team,
                         xc_error *error);

/* Removes the checkpoint that a kill after the last file left behind. */
void xc_finish_clean(const xc_trial *trial);

/* Writes history.tsv and the reason, removes the checkpoint, and reads the results back. */
xc_status xc_finish_diverged(xc_runner *runner, xc_error *error);

#endif

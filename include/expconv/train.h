/* train.h: from a pack of trials to trained networks and measured results: metrics, callbacks with Keras' meaning, the
 * loop, and the trial's folder.
 */
#ifndef EXPCONV_TRAIN_H
#define EXPCONV_TRAIN_H

#include "expconv/data.h"
#include "expconv/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

/* Exact, ties handled as scikit-learn does. A value that does not exist (AUROC of a class with one label only) is NaN
 * and left out of the mean. A NaN among a class' scores makes that class and the means NaN. The softmax's mean loss and
 * accuracy are of whole rows; a squared error has no accuracy, and ranks only when its labels are 0 or 1. */
typedef struct xc_metrics {
    int32_t classes;
    int32_t one_label; /* classes with one label only */
    double mean[XC_METRIC_COUNT];
    double *per_class; /* (XC_METRIC_COUNT, classes); owned; NULL when not asked for */
} xc_metrics;

/* logits and labels (items,classes). The mean loss uses the class weights (NULL: all 1). With per_class == false no
 * memory is kept. Sources: AUROC as the Mann-Whitney statistic; AUPR as scikit-learn's auc(precision_recall_curve). */
xc_status xc_metrics_compute(xc_loss_kind loss, const double *class_weights, const float *logits, const float *labels,
                             size_t items, int32_t classes, bool per_class, xc_metrics *metrics, xc_error *error);
void xc_metrics_free(xc_metrics *metrics);

/* Of one column, scores and 0/1 labels (n). NaN when undefined. */
double xc_auroc(const float *scores, const float *labels, size_t n);
double xc_aupr(const float *scores, const float *labels, size_t n);
double xc_average_precision(const float *scores, const float *labels, size_t n);

/* Logits to probabilities in place (items,classes): sigmoid, softmax, or nothing for the squared error. */
void xc_link(xc_loss_kind loss, float *logits, size_t items, int32_t classes);

/* ---- callbacks -------------------------------------------------------------------------------------------------- */

/* Keras' EarlyStopping and ReduceLROnPlateau on one monitored number an epoch. Plain data: part of the checkpoint. */
typedef struct xc_callbacks {
    double stop_best, reduce_best;
    uint32_t stop_wait, reduce_wait, cooldown_left;
    uint32_t best_epoch; /* from 1; epoch of stop_best */
    double learning_rate;
} xc_callbacks;

void xc_callbacks_start(xc_callbacks *callbacks, const xc_train_config *config);

/* Call after each epoch (from 1) with the monitored value (NaN counts as no improvement). Updates the learning rate;
 * `*new_best` tells whether this is the best epoch so far. Returns true when training should stop. */
bool xc_callbacks_epoch(xc_callbacks *callbacks, const xc_train_config *config, uint32_t epoch, double value,
                        bool *new_best);

/* ---- trials ----------------------------------------------------------------------------------------------------- */

/* X(ENUM, "word in manifest.tsv"). */
#define XC_TRIAL_STATES(X)                                                                 \
    X(XC_TRIAL_WAITING, "waiting")                                                         \
    X(XC_TRIAL_RUNNING, "running") /* started; has a checkpoint when it was interrupted */ \
    X(XC_TRIAL_DONE, "done")                                                               \
    X(XC_TRIAL_DIVERGED, "diverged") /* a loss that is not finite; the reason says where */

#define XC_TRIAL_ENUM(name, word) name,
typedef enum xc_trial_status { XC_TRIAL_STATES(XC_TRIAL_ENUM) } xc_trial_status;
#undef XC_TRIAL_ENUM
const char *xc_trial_status_word(xc_trial_status status);

/* One network to train once. Owned by whoever made it; xc_trial_clear. */
typedef struct xc_trial {
    char *name;
    char *folder;      /* its files: config.yaml weights.h5 history.tsv metrics.tsv, checkpoint.h5 while running */
    xc_config *config; /* complete, without lists */

    /* Results, filled by training. */
    xc_trial_status status;
    uint32_t epochs, best_epoch;      /* epochs trained; the epoch of the best monitored value */
    double train_loss, clip_fraction; /* of the last epoch */
    xc_metrics valid, test;           /* means; of the weights that are kept */
    double seconds;
    char reason[256]; /* why it diverged; or empty */
} xc_trial;

/* Whether nothing is left to train: done, or diverged. */
bool xc_trial_ended(const xc_trial *trial);
void xc_trial_clear(xc_trial *trial);

/* What the loop tells its caller; called from the training thread. Members may be NULL. */
typedef struct xc_train_events {
    void *context;
    void (*sequences)(void *context, size_t count); /* so many more sequences were trained on */
    void (*epoch)(void *context, const xc_trial *trial, uint32_t epoch, double train_loss, double monitored);
    xc_status (*finished)(void *context, xc_trial *trial, xc_error *error); /* done or diverged; files are written */
    int (*threads)(
        void *context); /* how many threads the pack may have from now on; asked before each epoch; NULL: 1 */
} xc_train_events;

/* The three splits as the backend reads them, shared by all packs. */
typedef struct xc_train_data {
    const xc_dataset *dataset;
    xc_device_split split[XC_SPLIT_COUNT];
} xc_train_data;
xc_status xc_train_data_open(const xc_backend *backend, const xc_dataset *dataset, xc_train_data *data,
                             xc_error *error);
void xc_train_data_close(xc_train_data *data);

/* Checks that the labels fit the loss, and logs classes that have one label only. */
xc_status xc_train_data_check(const xc_dataset *dataset, xc_loss_kind loss, xc_error *error);

/* Whether the monitored metric exists for the labels of the valid split; warns when it does not and anything depends on
 * it: training then ends after its patience, as in Keras. Of data that xc_train_data_check has passed. */
xc_status xc_train_monitor_check(const xc_dataset *dataset, const xc_train_config *config, bool *exists,
                                 xc_error *error);

/* Checks the labels of one split (it has some) for a loss: 0 or 1, or one 1 among zeros; names the first that is not as
 * `where: ...`. */
xc_status xc_split_check_labels(const xc_split *split, xc_loss_kind loss, const char *where, xc_error *error);

/* Trains `count` trials of one shape (same model, batch, loss, optimizer, data) in lockstep to their ends, going on
 * from each trial's checkpoint when there is one. After every epoch each trial's checkpoint and history are written. A
 * trial that diverges ends alone. Where a device has no memory for all at once they train in parts, one after another,
 * with the same results; XC_MEMORY when it has none for one trial. When xc_interrupted() the checkpoints stand, and
 * XC_INTERRUPTED is returned. Thread safe for different trials. */
xc_status xc_train_pack(const xc_backend *backend, const xc_train_data *data, xc_trial *const *trials, int32_t count,
                        const xc_train_events *events, xc_error *error);

/* Whether two trials can share a pack. */
bool xc_trials_fit(const xc_config *a, const xc_config *b);

/* Refuses a folder that holds another config, naming the first key that differs; how a network is measured is not
 * looked at, as it says how a trained network is measured and not how it is trained. Writes nothing. Thread safe. */
xc_status xc_trial_check_folder(const xc_trial *trial, xc_error *error);

/* Writes folder/config.yaml, or checks that the one there is the same; another config's folder is refused. Where the
 * section `filters` alone differs, `stale` removes what was measured by the other one, and only then is the new
 * config.yaml written: whenever the process is killed, measures stand beside the config that they were made by. Without
 * `stale` (NULL) such a folder is refused too. Not to be called by two threads or processes for one folder. */
xc_status xc_trial_claim_folder(const xc_trial *trial, void (*stale)(const char *folder), xc_error *error);

/* Reads the results of a finished trial back: done when metrics.tsv and weights.h5 exist, diverged when diverged.txt
 * does (its one line is the reason). XC_TRIAL_RUNNING when there is a checkpoint, XC_TRIAL_WAITING otherwise. Refuses a
 * weights.h5 that is none. */
xc_status xc_trial_read_results(xc_trial *trial, xc_error *error);

/* ---- history ---------------------------------------------------------------------------------------------------- */

/* One epoch of history.tsv; all doubles, so that rows are compared and stored as bytes. */
typedef struct xc_history_row {
    double epoch, loss; /* epoch from 1; mean training loss without the L2 term */
    double valid[XC_METRIC_COUNT];
    double learning_rate, clip_fraction; /* the rate this epoch was trained with */
} xc_history_row;

/* The rows of a trial's folder, to be freed. */
xc_status xc_history_read(const char *folder, xc_history_row **rows, uint32_t *count, xc_error *error);

/* ---- using a trained trial -------------------------------------------------------------------------------------- */

/* A trained network from its folder: config, model, parameters. */
typedef struct xc_network {
    xc_config *config;
    xc_model model;
    xc_trial_state state; /* no moments */
} xc_network;
xc_status xc_network_open(const char *folder, xc_network *network, xc_error *error);
void xc_network_close(xc_network *network);

/* Logits (items,classes) of all items of a split, in order, with `threads` threads; the same bytes for any number. */
xc_status xc_network_logits(const xc_network *network, const xc_backend *backend, const xc_split *split, int threads,
                            float *logits, xc_error *error);

/* Labels (items,classes) of all items of a split: the reverse complements repeat their sequences'. */
void xc_split_labels(const xc_split *split, float *labels);

/* Writes metrics as TSV: header `split class metric...`, a row `mean` and a row a class. */
xc_status xc_metrics_write(FILE *stream, const char *split, const xc_metrics *metrics, bool header);

#ifdef __cplusplus
}
#endif
#endif

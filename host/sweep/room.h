/* room.h: what the files of the sweep room share: the three tables, the folder, the ground that trials stand on, and
 * the progress line. Nothing here is for other rooms.
 */
#ifndef EXPCONV_SWEEP_ROOM_H
#define EXPCONV_SWEEP_ROOM_H

#include <pthread.h>

#include "expconv/sweep.h"

#define XC_MANIFEST_FILE "manifest.tsv"

/* ---- tables.c, manifest.c: written whole or not at all, from a grid that no thread changes meanwhile ------------- */

/* results.tsv: a row a finished trial, in grid order. No clock and no path goes into it, so that the same config gives
 * the same bytes for any number of threads, and after any interruption. */
xc_status xc_sweep_write_results(const xc_grid *grid, const char *folder, xc_error *error);

/* summary.tsv: a row a setting (trials that differ in the seed alone), statistics over its finished trials. */
xc_status xc_sweep_write_summary(const xc_grid *grid, const char *folder, xc_error *error);

/* manifest.tsv: every trial with state, epochs, seconds, reason. */
xc_status xc_sweep_write_manifest(const xc_grid *grid, const char *folder, xc_error *error);

/* Takes from an earlier run's manifest what no trial's folder holds: the seconds. A missing manifest is none. */
xc_status xc_sweep_read_manifest(xc_grid *grid, const char *folder, xc_error *error);

/* A text for a TSV field: tabs and line ends become spaces. */
void xc_sweep_write_field(FILE *stream, const char *text);

/* ---- folder.c ---------------------------------------------------------------------------------------------------- */

/* Refuses a folder that belongs to another config. Writes nothing. */
xc_status xc_sweep_check_folder(const xc_config *config, const char *folder, xc_error *error);

/* Makes the folder, locks it against a second process until xc_sweep_leave_folder, writes config.yaml, and clears it
 * and the trials' folders of what a killed process left half written, and of what was measured by another filters
 * section than this config's, which their config.yaml then have. */
xc_status xc_sweep_claim_folder(const xc_config *config, const xc_grid *grid, const char *folder, int *lock,
                                xc_error *error);
void xc_sweep_leave_folder(int *lock);

/* ---- ground.c ---------------------------------------------------------------------------------------------------- */

/* What all trials of a grid share: the backend, the data and the database of motifs, read once. Must not be moved while
 * it is open. */
typedef struct xc_ground {
    const xc_backend *backend;
    xc_dataset dataset;
    xc_train_data data;
    xc_motif_list database;     /* of the config's filters section; empty when it names none */
    xc_attribution_truth truth; /* of its attribution section; empty when there is none */
} xc_ground;

/* Reads the data and checks it, and every trial's model, against each other, and the ground truth against the database,
 * so that what cannot work is refused before anything is written. Free with xc_ground_close, also on failure. */
xc_status xc_ground_open(const xc_grid *grid, const xc_sweep_options *options, xc_ground *ground, xc_error *error);
void xc_ground_close(xc_ground *ground);

/* ---- packs.c ----------------------------------------------------------------------------------------------------- */

typedef struct xc_queued_pack {
    size_t first, count; /* of queue.trial */
} xc_queued_pack;

/* Unfinished trials in the packs that they are trained in. */
typedef struct xc_queue {
    xc_trial **trial; /* borrowed from the grid, pack by pack */
    size_t trials;
    xc_queued_pack *pack; /* with room for as many more as train together on a device */
    size_t packs;
    int together; /* packs that may train at the same time */
} xc_queue;

/* Packs of `pack` trials, or of as many as the backend takes (0): of a device's free memory the log then tells. Refuses
 * a model of which no single trial fits. `threads` are those of the whole sweep. Free with xc_queue_free, also on
 * failure. */
xc_status xc_queue_build(const xc_grid *grid, const xc_ground *ground, int32_t pack, int threads, xc_queue *queue,
                         xc_error *error);
void xc_queue_free(xc_queue *queue);

/* ---- measure.c --------------------------------------------------------------------------------------------------- */

/* The filters section that all trials of a grid share; NULL when the config has none. */
const xc_filters_config *xc_grid_filters(const xc_grid *grid);

/* Reads the database that a filters section (NULL: none) names, and checks the ground truth against it. Free with
 * xc_motif_list_free, also on failure. */
xc_status xc_measure_open(const xc_filters_config *config, xc_motif_list *database, xc_error *error);

/* What was measured of a trial beside its training. */
typedef struct xc_measured {
    xc_filter_scores filters;
    xc_trial_attribution attribution;
} xc_measured;

/* Whether something that the trial's config asks for was not measured. */
bool xc_measure_lacks(const xc_trial *trial, const xc_filter_scores *filters, const xc_trial_attribution *attribution);

/* Measures on the test split what the config of a trained trial asks for and `measured` does not have yet, with so many
 * threads. XC_INTERRUPTED leaves it unmeasured. Thread safe for different trials. */
xc_status xc_measure_trial(const xc_ground *ground, const xc_trial *trial, int threads, xc_measured *measured,
                           xc_error *error);

/* What earlier runs measured of the grid's trial number i, whose results have been read, into the grid. */
xc_status xc_measure_read(xc_grid *grid, size_t i, xc_error *error);

/* Removes what was measured from a trial's folder. */
void xc_measure_remove(const char *folder);

/* ---- progress.c -------------------------------------------------------------------------------------------------- */

/* The progress line, fed by the training threads. Time left is an upper bound: no trial trains longer than its config's
 * epochs, and most stop early. */
typedef struct xc_progress {
    pthread_mutex_t lock;
    const xc_trial *trial; /* (count) the grid's, for the place of a trial in it */
    uint32_t *epochs;      /* (count) epochs done by each, this run and earlier ones */
    bool *ended;           /* (count) */
    size_t count, done, running;
    double items;          /* sequences an epoch */
    double sequences;      /* trained on in this run */
    double started, shown; /* seconds */
    char detail[128];      /* of a single trial: the last epoch's numbers */
} xc_progress;

xc_status xc_progress_open(xc_progress *progress, const xc_grid *grid, size_t items, xc_error *error);
void xc_progress_close(xc_progress *progress);

void xc_progress_pack_started(xc_progress *progress, size_t trials);
void xc_progress_pack_ended(xc_progress *progress, size_t trials_unfinished);
void xc_progress_sequences(xc_progress *progress, size_t count);
void xc_progress_epoch(xc_progress *progress, const xc_trial *trial, uint32_t epoch, double train_loss,
                       double monitored);
void xc_progress_finished(xc_progress *progress, const xc_trial *trial);

/* Ends the line when anything was shown. */
void xc_progress_last(xc_progress *progress);

#endif

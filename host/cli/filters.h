/* filters.h: what the files of `expconv filters` share: the networks, the settings, and what their threads need. */
#ifndef EXPCONV_CLI_FILTERS_H
#define EXPCONV_CLI_FILTERS_H

#include <pthread.h>

#include "cli.h"

/* One network: where it is, where its motifs go, and what they are worth. */
typedef struct filters_target {
    const char *name, *folder;
    char *out;
    xc_filter_scores scores;
} filters_target;

/* Everything of a run. The threads share it; what changes meanwhile is under the lock. */
typedef struct filters_run {
    xc_grid grid; /* of a sweep; empty for a trial */
    filters_target *target;
    size_t count;
    bool sweep;
    char *trial_name; /* of the operand, when it is a trial */
    xc_network first; /* of the first target, which stands for all of a sweep where they are alike */

    xc_config *config;          /* of --config, or NULL */
    xc_filters_config settings; /* borrows from a config and from the arguments */
    double *thresholds;         /* of --thresholds, or NULL */
    xc_motif_list database;
    const xc_backend *backend;
    xc_dataset dataset;
    const xc_split *split;
    int threads; /* of one target */

    pthread_mutex_t lock;
    size_t next, done;
    bool failed;
    xc_error first_failure;
} filters_run;

/* filters_settings.c: fills settings and database: the filters section of --config, or the first network's, or the
 * defaults, and over it what the options say. */
xc_status filters_choose_settings(const cli_arguments *arguments, filters_run *work, xc_error *error);

/* filters_table.c: writes OUT/scores.tsv of a sweep, and prints a table and where the files are. */
xc_status filters_report(const filters_run *work, const char *out, xc_error *error);

#endif

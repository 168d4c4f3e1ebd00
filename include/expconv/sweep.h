/* sweep.h: from a config with lists to a folder of trained trials and three tables: the grid, the schedule of packs
 * over threads, the manifest that makes a second run do only what is missing, and the statistics of each setting. Where
 * the config asks for it, a trial that ends has its filters (filters.h) and its attribution maps (attribution.h)
 * measured before it is counted as done.
 */
#ifndef EXPCONV_SWEEP_H
#define EXPCONV_SWEEP_H

#include "expconv/attribution.h"
#include "expconv/filters.h"
#include "expconv/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- grid ------------------------------------------------------------------------------------------------------- */

/* The product of the config's lists, in the order zoo, activation, init, stddev, scale, clip, learning_rate, seed (last
 * fastest). Names say what varied: "cnn-deep.exponential.glorot_uniform.s003", with ".scale0.1" and the like before the
 * seed where such a list was given. */
typedef struct xc_grid {
    xc_trial *trial;
    size_t count;
    size_t seeds;          /* trials of one setting: they stand together, and count is a multiple */
    const char *varied[8]; /* headings of the columns that results.tsv begins with: zoo activation init ... seed */
    int32_t varied_count;
    xc_filter_scores *scores; /* (count) of the trials whose filters were measured; filters is 0 of the others */
    xc_trial_attribution *attribution; /* (count) likewise; `measured` is false of the others */
} xc_grid;

/* Builds the trials; nothing is read from the disk. Trials get folders FOLDER/trials/NAME. Free with xc_grid_free, also
 * on failure. */
xc_status xc_grid_build(const xc_config *config, const char *folder, xc_grid *grid, xc_error *error);
void xc_grid_free(xc_grid *grid);

/* The value of a varied column for a trial, as text. */
void xc_grid_value(const xc_trial *trial, const char *column, char *text, size_t size);

/* ---- the sweep -------------------------------------------------------------------------------------------------- */

typedef struct xc_sweep_options {
    const char *folder;
    const char *device; /* auto, cpu, cuda, ref */
    int threads;        /* 0: all cores */
    int32_t pack;       /* trials a pack; 0: chosen by the backend (1 on the CPU, what fits on a device) */
} xc_sweep_options;

/* Trains what the folder does not hold yet. Writes manifest.tsv (every trial and its state) and results.tsv (one row a
 * finished trial, in grid order) as trials end, and summary.tsv (mean, standard deviation, median, quartiles, count
 * diverged for each setting) at the end. Refuses a folder that belongs to another config. Returns XC_INTERRUPTED, with
 * the state saved, when interrupted. */
xc_status xc_sweep_run(const xc_config *config, const xc_sweep_options *options, xc_error *error);

/* A sweep's folder as it stands: the grid of its config.yaml with the results of every trial, its seconds and reason,
 * and its filters' scores. Changes nothing, and needs no data file. Refuses a folder without a sweep's config.yaml and
 * manifest.tsv. Free with xc_grid_free, also on failure. */
xc_status xc_sweep_read(const char *folder, xc_grid *grid, xc_error *error);

/* `expconv train`: trains the one trial of a config in options->folder itself, and fills *trial with its results (name,
 * folder, config too; xc_trial_clear, also on failure). Refuses a config with lists of more than one value. Goes on
 * from the checkpoint; when all was done already, only reads the results. XC_INTERRUPTED as above; a trial that
 * diverged is XC_OK, its status tells. */
xc_status xc_sweep_single(const xc_config *config, const xc_sweep_options *options, xc_trial *trial, xc_error *error);

/* ---- statistics ------------------------------------------------------------------------------------------------- */

typedef struct xc_statistics {
    size_t count; /* finite values */
    double mean, deviation, median, lower_quartile,
        upper_quartile; /* deviation with n-1; quartiles as numpy's default */
} xc_statistics;

/* Sorts `values` in place; NaN are left out. */
xc_statistics xc_statistics_of(double *values, size_t count);

/* Welch's two-sided t-test of two samples; NaN when either has fewer than two finite values or neither varies. */
typedef struct xc_welch {
    double t, degrees, p; /* t is positive when the first mean is larger; degrees of freedom by Welch & Satterthwaite */
} xc_welch;
xc_welch xc_welch_test(const double *first, size_t first_count, const double *second, size_t second_count);

#ifdef __cplusplus
}
#endif
#endif

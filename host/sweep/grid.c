/* grid.c: the product of a config's lists, as named trials.
 *
 * An axis is one thing that can vary. The trials run through the axes like the digits of a clock, the seed fastest, so
 * the order of the tables follows from the config alone. That lists hold nothing twice, that names can be folders and
 * that the product is not absurd, the config room has checked. Nothing is read from or written to the disk here.
 */
#include "expconv/sweep.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ZOO, ACTIVATION, INIT, STDDEV, SCALE, CLIP, LEARNING_RATE, SEED, AXIS_COUNT };

static const char *const axis_name[AXIS_COUNT] = {"zoo",   "activation", "init",          "stddev",
                                                  "scale", "clip",       "learning_rate", "seed"};

/* How many values the config lists for an axis; 0 when it has the one value of its section. */
static uint32_t axis_listed(const xc_sweep_config *sweep, int axis) {
    const uint32_t listed[AXIS_COUNT] = {
        sweep->zoo_count,   sweep->activation_count, sweep->init_count,          sweep->stddev_count,
        sweep->scale_count, sweep->clip_count,       sweep->learning_rate_count, sweep->seeds};
    return listed[axis];
}

static xc_status axis_apply(const xc_sweep_config *sweep, int axis, uint32_t i, xc_config *config, xc_error *error) {
    switch (axis) {
        case ZOO:
            return xc_config_set_zoo(config, sweep->zoo[i], error);
        case ACTIVATION:
            config->model.activation = sweep->activation[i];
            break;
        case INIT:
            config->model.init = sweep->init[i];
            break;
        case STDDEV:
            config->model.stddev = sweep->stddev[i];
            break;
        case SCALE:
            config->exponential.scale = sweep->scale[i];
            break;
        case CLIP:
            config->exponential.clip = sweep->clip[i];
            break;
        case LEARNING_RATE:
            config->train.learning_rate = sweep->learning_rate[i];
            break;
        case SEED:
            config->train.seed += i;
            break;
    }
    return XC_OK;
}

/* The shortest text that reads back as the same number: 30, not 3e+01. */
static void write_number(char *text, size_t size, double value) {
    char candidate[32];
    snprintf(text, size, "%.17g", value);
    for (int digits = 16; digits >= 1; digits--) {
        snprintf(candidate, sizeof candidate, "%.*g", digits, value);
        if (strtod(candidate, NULL) == value && strlen(candidate) <= strlen(text))
            snprintf(text, size, "%s", candidate);
    }
}

static void axis_value(const xc_config *config, int axis, char *text, size_t size) {
    switch (axis) {
        case ZOO:
            snprintf(text, size, "%s", config->model.zoo && *config->model.zoo ? config->model.zoo : "model");
            break;
        case ACTIVATION:
            snprintf(text, size, "%s", xc_activation_word(config->model.activation));
            break;
        case INIT:
            snprintf(text, size, "%s", xc_init_word(config->model.init));
            break;
        case STDDEV:
            write_number(text, size, config->model.stddev);
            break;
        case SCALE:
            write_number(text, size, config->exponential.scale);
            break;
        case CLIP:
            write_number(text, size, config->exponential.clip);
            break;
        case LEARNING_RATE:
            write_number(text, size, config->train.learning_rate);
            break;
        case SEED:
            snprintf(text, size, "%03" PRIu64, config->train.seed);
            break;
    }
}

void xc_grid_value(const xc_trial *trial, const char *column, char *text, size_t size) {
    snprintf(text, size, "nan");
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        if (strcmp(column, axis_name[axis]) != 0) continue;
        if (axis == SEED)
            snprintf(text, size, "%" PRIu64, trial->config->train.seed);
        else
            axis_value(trial->config, axis, text, size);
    }
}

/* "cnn-deep.exponential.glorot_uniform.scale0.1.s003". */
static xc_status name_trial(const xc_config *config, const xc_sweep_config *sweep, char **name, xc_error *error) {
    char text[512], value[128];
    size_t length = 0;
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        const bool always = axis <= INIT || axis == SEED;
        if (!always && axis_listed(sweep, axis) == 0) continue;
        axis_value(config, axis, value, sizeof value);
        const char *prefix = axis == SEED ? "s" : always ? "" : axis_name[axis];
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s%s", axis ? "." : "", prefix, value);
    }
    *name = strdup(text);
    return *name ? XC_OK : xc_fail(error, XC_MEMORY, "no memory for the name of trial %s", text);
}

/* Trial number `index` of the product; `trial` is zeroed and stays valid for xc_trial_clear on failure. */
static xc_status build_trial(const xc_config *config, const char *trials_folder, size_t index, xc_trial *trial,
                             xc_error *error) {
    xc_status status = XC_OK;
    uint32_t place[AXIS_COUNT];
    for (int axis = AXIS_COUNT - 1; axis >= 0; axis--) {
        const uint32_t listed = axis_listed(&config->sweep, axis), count = listed ? listed : 1;
        place[axis] = (uint32_t)(index % count);
        index /= count;
    }
    XC_TRY(xc_config_copy(config, &trial->config, error));
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        if (axis_listed(&config->sweep, axis) == 0) continue;
        XC_TRY(axis_apply(&config->sweep, axis, place[axis], trial->config, error));
    }
    XC_TRY(name_trial(trial->config, &config->sweep, &trial->name, error));
    trial->folder = xc_path_join(trials_folder, trial->name);
    if (!trial->folder) status = xc_fail(error, XC_MEMORY, "no memory for the folder of trial %s", trial->name);
fail:
    return status;
}

static size_t count_trials(const xc_sweep_config *sweep) {
    size_t product = 1;
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        const uint32_t listed = axis_listed(sweep, axis);
        product *= listed ? listed : 1;
    }
    return product;
}

xc_status xc_grid_build(const xc_config *config, const char *folder, xc_grid *grid, xc_error *error) {
    xc_status status = XC_OK;
    char *trials_folder = NULL;
    memset(grid, 0, sizeof *grid);
    const size_t count = count_trials(&config->sweep);
    grid->seeds = config->sweep.seeds ? config->sweep.seeds : 1;
    XC_TRY(xc_allocate(&grid->trial, count, sizeof *grid->trial, "the trials of the sweep", error));
    XC_TRY(xc_allocate(&grid->scores, count, sizeof *grid->scores, "the trials of the sweep", error));
    XC_TRY(xc_allocate(&grid->attribution, count, sizeof *grid->attribution, "the trials of the sweep", error));
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        if (axis == SEED || axis_listed(&config->sweep, axis)) grid->varied[grid->varied_count++] = axis_name[axis];
    }
    trials_folder = xc_path_join(folder, "trials");
    if (!trials_folder) {
        status = xc_fail(error, XC_MEMORY, "no memory for the name of the folder %s/trials", folder);
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        grid->count = i + 1;
        XC_TRY(build_trial(config, trials_folder, i, &grid->trial[i], error));
    }
fail:
    free(trials_folder);
    return status;
}

void xc_grid_free(xc_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) {
        xc_trial_clear(&grid->trial[i]);
        if (grid->scores) xc_filter_scores_clear(&grid->scores[i]);
    }
    free(grid->trial);
    free(grid->scores);
    free(grid->attribution);
    memset(grid, 0, sizeof *grid);
}

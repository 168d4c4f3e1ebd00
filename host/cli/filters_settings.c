/* filters_settings.c: how `expconv filters` measures: the filters section of a config, and what the options say
 * instead.
 */
#include <stdlib.h>
#include <string.h>

#include "filters.h"

/* Reads a threshold that ends with the text or at a comma, and moves behind it. */
static bool read_threshold(const char **text, double *threshold) {
    char *end;
    *threshold = strtod(*text, &end);
    if (end == *text || (*end && *end != ',')) return false;
    *text = *end ? end + 1 : end;
    return *threshold >= 0 && *threshold < 1;
}

static xc_status read_thresholds(const cli_arguments *arguments, filters_run *work, xc_error *error) {
    xc_status status = XC_OK;
    xc_filters_config *settings = &work->settings;
    const char *one = cli_value(arguments, "threshold"), *list = cli_value(arguments, "thresholds"), *at = one;
    if (one && (strchr(one, ',') || !read_threshold(&at, &settings->threshold)))
        return xc_fail(error, XC_USAGE, "--threshold %s: must be a number from 0 to below 1", one);
    if (!list) return XC_OK;
    XC_TRY(xc_allocate(&work->thresholds, strlen(list) + 1, sizeof *work->thresholds, "--thresholds", error));
    settings->thresholds = work->thresholds;
    settings->thresholds_count = 0;
    for (at = list; *at;)
        if (!read_threshold(&at, &work->thresholds[settings->thresholds_count++]))
            return xc_fail(error, XC_USAGE, "--thresholds %s: must be numbers from 0 to below 1, as in 0.1,0.3,0.7",
                           list);
fail:
    return status;
}

static xc_status read_window(const cli_arguments *arguments, uint32_t *window, xc_error *error) {
    uint64_t number = *window;
    const xc_status status = cli_number(arguments, "window", 2, 64, &number, error);
    if (status != XC_OK) return status;
    if (number % 2) return xc_fail(error, XC_USAGE, "--window %u: must be even", (unsigned)number);
    *window = (uint32_t)number;
    return XC_OK;
}

/* What the options stand on. */
static xc_status take_section(const char *path, filters_run *work, xc_error *error) {
    const xc_filters_config *section = work->first.config->filters;
    if (path) {
        const xc_status status = xc_config_read(path, NULL, 0, &work->config, error);
        if (status != XC_OK) return status;
        section = work->config->filters;
        if (!section)
            return xc_fail(error, XC_USAGE, "--config %s: has no filters section; add one, or leave --config out",
                           path);
    }
    work->settings = section ? *section : (xc_filters_config){.threshold = 0.5, .window = 20, .evalue = 0.1};
    return XC_OK;
}

xc_status filters_choose_settings(const cli_arguments *arguments, filters_run *work, xc_error *error) {
    xc_status status = XC_OK;
    xc_filters_config *settings = &work->settings;
    const char *motifs = cli_value(arguments, "motifs");
    XC_TRY(take_section(cli_value(arguments, "config"), work, error));
    XC_TRY(read_thresholds(arguments, work, error));
    XC_TRY(read_window(arguments, &settings->window, error));
    XC_TRY(cli_real(arguments, "evalue", &settings->evalue, error));
    if (motifs) settings->motifs = (char *)motifs;
    if (!settings->motifs) goto fail;
    XC_TRY(xc_motif_read(settings->motifs, &work->database, error));
    XC_TRY(xc_filters_check(settings, &work->database, error));
fail:
    return status;
}

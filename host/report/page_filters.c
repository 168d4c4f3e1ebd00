/* page_filters.c: reads a trial's filters.meme and tomtom.tsv back as what the page and the sheet show: each filter's
 * best match by name, and whether any of its matches is a ground truth motif. Matches above the config's E-value, which
 * a table made by hand may hold, are left out, as the scores leave them out.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

enum { LARGEST_TABLE = 256 << 20, FIELDS = 10 };
enum { QUERY = 0, TARGET = 1, E_VALUE = 4, Q_VALUE = 5 }; /* columns of MEME's tomtom.tsv */

static xc_status read_motifs(const xc_trial *trial, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    char *path = xc_path_join(trial->folder, XC_FILTERS_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of " XC_FILTERS_FILE);
    if (xc_path_exists(path)) status = xc_motif_read(path, motifs, error);
    free(path);
    return status;
}

/* The ground truth motif that an identifier stands for; NULL when it is none. */
static const char *truth_of(const xc_filters_config *config, const char *id) {
    for (uint32_t i = 0; i < config->ground_truth_count; i++)
        for (uint32_t j = 0; j < config->ground_truth[i].motifs_count; j++)
            if (strcmp(config->ground_truth[i].motifs[j], id) == 0) return config->ground_truth[i].name;
    return NULL;
}

static bool ignored_alone(const xc_filters_config *config, const char *id) {
    for (uint32_t i = 0; i < config->ignore_alone_count; i++)
        if (strcmp(config->ignore_alone[i], id) == 0) return true;
    return false;
}

/* The place of a query's filter, tried first where the last one was: the rows stand in the order of the filters. */
static size_t find_filter(const xc_motif_list *motifs, const char *id, size_t hint) {
    for (size_t i = 0; i < motifs->count; i++) {
        const size_t place = (hint + i) % motifs->count;
        if (strcmp(motifs->motif[place].id, id) == 0) return place;
    }
    return motifs->count;
}

static void take_row(const xc_page *page, const xc_filters_config *config, char *const *field, size_t place,
                     xc_page_filters *filters) {
    xc_filter_match *match = &filters->match[place];
    if (!*match->target) {
        const xc_motif *target = xc_motif_find(&page->database, field[TARGET]);
        const char *name = target && *target->name ? target->name : field[TARGET];
        snprintf(match->target, sizeof match->target, "%s", name);
        match->q = strtod(field[Q_VALUE], NULL);
    }
    if (filters->truth[place]) return;
    filters->truth[place] = truth_of(config, field[TARGET]);
}

/* A filter that matches nothing but what is ignored counts as matching nothing. */
static void drop_ignored(xc_page_filters *filters, const bool *counted) {
    for (size_t i = 0; i < filters->motifs.count; i++) {
        if (!counted[i]) filters->truth[i] = NULL;
        if (!counted[i]) filters->match[i].target[0] = 0;
        filters->match[i].ground_truth = filters->truth[i] != NULL;
    }
}

static xc_status read_matches(const xc_page *page, const xc_trial *trial, xc_page_filters *filters, xc_error *error) {
    xc_status status = XC_OK;
    const xc_filters_config *config = trial->config->filters;
    bool *counted = NULL;
    char *text = NULL, *path = xc_path_join(trial->folder, XC_TOMTOM_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for the name of " XC_TOMTOM_FILE);
    if (!config || !xc_path_exists(path)) goto fail;
    XC_TRY(xc_allocate(&counted, filters->motifs.count, sizeof *counted, "the matches of the filters", error));
    XC_TRY(xc_file_read(path, LARGEST_TABLE, &text, NULL, error));
    char *rest = text, *line = strsep(&rest, "\n"), *field[FIELDS];
    for (size_t place = 0; (line = strsep(&rest, "\n"));) {
        if (xc_cut_fields(line, field, FIELDS) < FIELDS || *line == '#' ||
            strtod(field[E_VALUE], NULL) > config->evalue)
            continue;
        const size_t found = find_filter(&filters->motifs, field[QUERY], place);
        if (found == filters->motifs.count) continue;
        place = found;
        counted[place] = counted[place] || !ignored_alone(config, field[TARGET]);
        take_row(page, config, field, place, filters);
    }
    drop_ignored(filters, counted);
fail:
    free(counted);
    free(text);
    free(path);
    return status;
}

xc_status xc_page_filters_read(const xc_page *page, const xc_trial *trial, xc_page_filters *filters, xc_error *error) {
    xc_status status = XC_OK;
    memset(filters, 0, sizeof *filters);
    XC_TRY(read_motifs(trial, &filters->motifs, error));
    if (filters->motifs.count == 0) return XC_OK;
    XC_TRY(xc_allocate(&filters->match, filters->motifs.count, sizeof *filters->match, "the matches of the filters",
                       error));
    XC_TRY(xc_allocate(&filters->truth, filters->motifs.count, sizeof *filters->truth, "the matches of the filters",
                       error));
    for (size_t i = 0; i < filters->motifs.count; i++) filters->match[i].q = NAN;
    XC_TRY(read_matches(page, trial, filters, error));
fail:
    return status;
}

void xc_page_filters_free(xc_page_filters *filters) {
    xc_motif_list_free(&filters->motifs);
    free(filters->match);
    free(filters->truth);
    memset(filters, 0, sizeof *filters);
}

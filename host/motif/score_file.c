/* score_file.c: filters.tsv, the scores of a trial's filters: a row a threshold, the config's own first. The columns
 * are the config's too, so a file that was made by other ground truth motifs is told apart and refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#include "../train/room.h"

/* The header's line without its end, to be freed; NULL when there is no memory. */
static char *make_header(const xc_filters_config *config) {
    char *header = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&header, &size);
    if (!stream) return NULL;
    fputs("threshold\tfilters\tmatch_any\tmatch_ground_truth\tcoverage", stream);
    for (uint32_t i = 0; i < config->ground_truth_count; i++) fprintf(stream, "\tq_%s", config->ground_truth[i].name);
    if (fclose(stream) == 0) return header;
    free(header);
    return NULL;
}

static void write_cell(FILE *stream, double value) {
    fputc('\t', stream);
    xc_number_write(stream, value);
}

static void write_row(FILE *stream, double threshold, const xc_filter_scores *scores, uint32_t truths) {
    fprintf(stream, XC_THRESHOLD_FORMAT "\t%u", threshold, scores->filters);
    write_cell(stream, scores->match_any);
    write_cell(stream, scores->match_ground_truth);
    write_cell(stream, scores->coverage);
    for (uint32_t i = 0; i < truths; i++) write_cell(stream, scores->best_q[i]);
    fputc('\n', stream);
}

xc_status xc_filter_scores_write(const char *folder, const xc_filters_config *config, const double *threshold,
                                 const xc_filter_scores *scores, uint32_t count, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    char *header = make_header(config), *path = xc_path_join(folder, XC_SCORES_FILE);
    if (!header || !path) {
        status = xc_fail(error, XC_MEMORY, "no memory for the scores of filters in %s", folder);
        goto fail;
    }
    XC_TRY(xc_file_create(&file, path, true, error));
    fprintf(file.stream, "%s\n", header);
    for (uint32_t i = 0; i < count; i++) write_row(file.stream, threshold[i], &scores[i], config->ground_truth_count);
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    free(header);
    free(path);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* A number from 0 to 1, or nan, after a tab. */
static bool read_cell(const char **at, double *value) {
    char *after;
    if (*(*at)++ != '\t') return false;
    *value = strtod(*at, &after);
    if (after == *at) return false;
    *at = after;
    return isnan(*value) || (*value >= 0 && *value <= 1);
}

/* What stands behind a row's threshold. */
static bool read_row(const char *at, uint32_t truths, xc_filter_scores *scores) {
    char *after;
    const unsigned long filters = strtoul(at, &after, 10);
    if (after == at || filters == 0 || filters > UINT32_MAX) return false;
    at = after;
    scores->filters = (uint32_t)filters;
    bool good = read_cell(&at, &scores->match_any) && read_cell(&at, &scores->match_ground_truth) &&
                read_cell(&at, &scores->coverage);
    for (uint32_t i = 0; good && i < truths; i++) good = read_cell(&at, &scores->best_q[i]);
    return good && *at == '\n';
}

/* Finds the row of a threshold in a table with this header. */
static bool find_row(const char *text, const char *header, double threshold, uint32_t truths,
                     xc_filter_scores *scores) {
    char wanted[32];
    const size_t length = (size_t)snprintf(wanted, sizeof wanted, XC_THRESHOLD_FORMAT "\t", threshold);
    if (strncmp(text, header, strlen(header)) != 0 || text[strlen(header)] != '\n') return false;
    for (const char *line = strchr(text, '\n'); line; line = strchr(line, '\n'))
        if (strncmp(++line, wanted, length) == 0) return read_row(line + length, truths, scores);
    return false;
}

xc_status xc_filters_read_scores(const char *folder, const xc_filters_config *config, xc_filter_scores *scores,
                                 xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *header = make_header(config), *path = xc_path_join(folder, XC_SCORES_FILE);
    *scores = (xc_filter_scores){0};
    if (!header || !path) {
        status = xc_fail(error, XC_MEMORY, "no memory for the scores of filters in %s", folder);
        goto fail;
    }
    if (!xc_path_exists(path)) goto fail;
    XC_TRY(xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error));
    XC_TRY(xc_allocate(&scores->best_q, config->ground_truth_count, sizeof *scores->best_q, "the scores", error));
    if (!find_row(text, header, config->threshold, config->ground_truth_count, scores))
        status = xc_fail(error, XC_INPUT,
                         "%s: not the scores of filters by this config; remove it, and the filters are measured again",
                         path);
fail:
    if (status != XC_OK) xc_filter_scores_clear(scores);
    free(text);
    free(header);
    free(path);
    return status;
}

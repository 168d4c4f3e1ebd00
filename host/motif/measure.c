/* measure.c: the filters of one trained network as files: motifs, their matches in a database, and what both amount to.
 *
 * filters.tsv is removed before any other file is touched and written after all others, so where it stands the rest is
 * whole and of the same settings, whenever the process was killed.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* PREFIX-0.1SUFFIX, the number as XC_THRESHOLD_FORMAT writes it: a user's filters-old.meme is not ours. */
static bool has_threshold(const char *name, const char *prefix, const char *suffix) {
    char number[32], written[32];
    const size_t before = strlen(prefix), after = strlen(suffix), length = strlen(name);
    if (length <= before + after || length - before - after >= sizeof number) return false;
    if (strncmp(name, prefix, before) != 0 || strcmp(name + length - after, suffix) != 0) return false;
    snprintf(number, sizeof number, "%.*s", (int)(length - before - after), name + before);
    snprintf(written, sizeof written, XC_THRESHOLD_FORMAT, strtod(number, NULL));
    return isdigit((unsigned char)*number) && strcmp(number, written) == 0;
}

bool xc_filters_writes(const char *name) {
    static const char *const names[] = {XC_SCORES_FILE, XC_FILTERS_FILE, XC_TOMTOM_FILE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return has_threshold(name, "filters-", ".meme") || has_threshold(name, "tomtom-", ".tsv");
}

void xc_filters_remove(const char *folder) {
    DIR *listing = opendir(folder);
    if (!listing) return;
    (void)unlinkat(dirfd(listing), XC_SCORES_FILE, 0);
    for (struct dirent *entry; (entry = readdir(listing));)
        if (xc_filters_writes(entry->d_name)) (void)unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
}

/* folder/filters.meme of the config's threshold, folder/filters-0.1.meme of another; to be freed. */
static xc_status name_file(const char *folder, const char *stem, const char *suffix, const double *other, char **path,
                           xc_error *error) {
    char name[64], number[32] = "";
    if (other) snprintf(number, sizeof number, "-" XC_THRESHOLD_FORMAT, *other);
    snprintf(name, sizeof name, "%s%s%s", stem, number, suffix);
    *path = xc_path_join(folder, name);
    return *path ? XC_OK : xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
}

/* ---- thresholds -------------------------------------------------------------------------------------------------- */

/* The config's threshold and then the others, each once: (*count), to be freed. */
static xc_status list_thresholds(const xc_filters_config *config, double **list, uint32_t *count, xc_error *error) {
    const xc_status status =
        xc_allocate(list, (size_t)config->thresholds_count + 1, sizeof **list, "the thresholds", error);
    if (status != XC_OK) return status;
    *count = 0;
    (*list)[(*count)++] = config->threshold;
    for (uint32_t i = 0; i < config->thresholds_count; i++) {
        bool listed = false;
        for (uint32_t j = 0; j < *count; j++) listed |= xc_thresholds_same((*list)[j], config->thresholds[i]);
        if (!listed) (*list)[(*count)++] = config->thresholds[i];
    }
    return XC_OK;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static xc_status write_matches(const char *path, const xc_motif_list *filters, const xc_motif_list *database,
                               const xc_tomtom_result *matches, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    XC_TRY(xc_file_create(&file, path, true, error));
    XC_TRY(xc_tomtom_write(file.stream, filters, database, matches, error));
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    return status;
}

/* Writes and scores the motifs of one threshold; `other`: the threshold when it is not the config's, or NULL. */
static xc_status measure_threshold(const xc_filters_config *config, const xc_motif_list *filters,
                                   const xc_motif_list *database, int threads, const char *folder, const double *other,
                                   xc_filter_scores *scores, xc_error *error) {
    xc_status status = XC_OK;
    xc_tomtom_result matches = {0};
    char *motifs_path = NULL, *matches_path = NULL;
    const xc_tomtom_options options = {.distance = XC_TOMTOM_EUCLIDEAN,
                                       .by_evalue = true,
                                       .threshold = config->evalue,
                                       .threads = threads > 1 ? threads : 1};
    XC_TRY(xc_go_on(error));
    XC_TRY(name_file(folder, "filters", ".meme", other, &motifs_path, error));
    XC_TRY(name_file(folder, "tomtom", ".tsv", other, &matches_path, error));
    XC_TRY(xc_meme_write_file(motifs_path, filters, error));
    if (database) {
        XC_TRY(xc_tomtom(filters, database, &options, &matches, error));
        XC_TRY(write_matches(matches_path, filters, database, &matches, error));
    }
    XC_TRY(xc_filters_score(config, filters, database, &matches, scores, error));
fail:
    xc_tomtom_free(&matches);
    free(motifs_path);
    free(matches_path);
    return status;
}

xc_status xc_filters_measure(const xc_network *network, const xc_filters_config *config, const xc_motif_list *database,
                             const xc_backend *backend, const xc_split *split, int threads, const char *folder,
                             xc_filter_scores *scores, xc_error *error) {
    xc_status status = XC_OK;
    uint32_t count = 0;
    double *threshold = NULL;      /* (count) */
    xc_motif_list *motifs = NULL;  /* (count) */
    xc_filter_scores *rows = NULL; /* (count) */
    *scores = (xc_filter_scores){0};
    XC_TRY(xc_go_on(error));
    XC_TRY(list_thresholds(config, &threshold, &count, error));
    XC_TRY(xc_allocate(&motifs, count, sizeof *motifs, "the motifs of filters", error));
    XC_TRY(xc_allocate(&rows, count, sizeof *rows, "the scores of filters", error));
    const xc_filters_options options = {threshold, count, config->window, threads > 1 ? threads : 1};
    XC_TRY(xc_filters_extract(network, backend, split, &options, motifs, error));

    XC_TRY(xc_make_folder(folder, error));
    xc_filters_remove(folder);
    for (uint32_t i = 0; i < count; i++)
        XC_TRY(measure_threshold(config, &motifs[i], database, threads, folder, i > 0 ? &threshold[i] : NULL, &rows[i],
                                 error));
    XC_TRY(xc_filter_scores_write(folder, config, threshold, rows, count, error));
    /* The scores are always those of the file, so a table made after a kill has the bytes of one made in one go. */
    XC_TRY(xc_filters_read_scores(folder, config, scores, error));
fail:
    for (uint32_t i = 0; i < count; i++) {
        if (motifs) xc_motif_list_free(&motifs[i]);
        if (rows) xc_filter_scores_clear(&rows[i]);
    }
    free(motifs);
    free(rows);
    free(threshold);
    return status;
}

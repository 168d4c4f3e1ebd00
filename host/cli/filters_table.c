/* filters_table.c: what `expconv filters` found as tables: scores.tsv of a sweep, and a short one for people. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "filters.h"

enum { LARGEST_TABLE = 64 << 20 };

/* Appends a trial's filters.tsv, each line behind the trial's name, and its header too when it is the first. */
static xc_status append_table(FILE *stream, const filters_target *target, bool first, xc_error *error) {
    char *text = NULL, *path = xc_path_join(target->out, XC_SCORES_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for a path in %s", target->out);
    const xc_status status = xc_file_read(path, LARGEST_TABLE, &text, NULL, error);
    free(path);
    if (status != XC_OK) return status;
    char *rest = text, *header = strsep(&rest, "\n");
    if (first) fprintf(stream, "trial\t%s\n", header);
    for (char *line; (line = strsep(&rest, "\n")) && *line;) fprintf(stream, "%s\t%s\n", target->name, line);
    free(text);
    return XC_OK;
}

static xc_status write_scores(const filters_run *work, const char *out, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    char *path = xc_path_join(out, "scores.tsv");
    if (!path) return xc_fail(error, XC_MEMORY, "out of memory for a path in %s", out);
    XC_TRY(xc_file_create(&file, path, true, error));
    for (size_t i = 0; i < work->count; i++) XC_TRY(append_table(file.stream, &work->target[i], i == 0, error));
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    free(path);
    return status;
}

static void write_fraction(FILE *stream, double value) {
    if (isnan(value))
        fputs("\tnan", stream);
    else
        fprintf(stream, "\t%.4f", value);
}

static xc_status print_table(const filters_run *work, xc_error *error) {
    char *text = NULL;
    size_t size = 0;
    const bool compared = work->settings.motifs, truth = compared && work->settings.ground_truth_count > 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return xc_fail(error, XC_MEMORY, "out of memory for the table of scores");
    fprintf(stream, "trial\tfilters%s%s\n", compared ? "\tmatch_any" : "",
            truth ? "\tmatch_ground_truth\tcoverage" : "");
    for (size_t i = 0; i < work->count; i++) {
        const xc_filter_scores *scores = &work->target[i].scores;
        fprintf(stream, "%s\t%u", work->target[i].name, scores->filters);
        if (compared) write_fraction(stream, scores->match_any);
        if (truth) write_fraction(stream, scores->match_ground_truth);
        if (truth) write_fraction(stream, scores->coverage);
        fputc('\n', stream);
    }
    fclose(stream);
    const xc_status status = cli_print_columns(stdout, text, error);
    free(text);
    return status;
}

xc_status filters_report(const filters_run *work, const char *out, xc_error *error) {
    xc_status status = XC_OK;
    const char *slash = out[strlen(out) - 1] == '/' ? "" : "/", *name = work->sweep ? "NAME/" : "";
    if (work->sweep) XC_TRY(write_scores(work, out, error));
    XC_TRY(print_table(work, error));
    printf("\n%s%s%s%s  the filters as motifs\n", out, slash, name, XC_FILTERS_FILE);
    if (work->settings.motifs) printf("%s%s%s%s  their matches\n", out, slash, name, XC_TOMTOM_FILE);
    if (work->sweep) printf("%s%sscores.tsv  one row a trial and threshold\n", out, slash);
fail:
    return status;
}

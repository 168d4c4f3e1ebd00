/* history.c: history.tsv, one row an epoch, written whole each time. It holds no clock, so that two runs of the same
 * trial have the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

enum { HISTORY_COLUMNS = sizeof(xc_history_row) / sizeof(double) };

static void write_row(FILE *stream, const xc_history_row *row) {
    fprintf(stream, "%.0f\t", row->epoch);
    xc_number_write(stream, row->loss);
    for (int m = 0; m < XC_METRIC_COUNT; m++) {
        fputc('\t', stream);
        xc_number_write(stream, row->valid[m]);
    }
    fputc('\t', stream);
    xc_number_write(stream, row->learning_rate);
    fputc('\t', stream);
    xc_number_write(stream, row->clip_fraction);
    fputc('\n', stream);
}

xc_status xc_history_write(const char *folder, const xc_history_row *rows, uint32_t count, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    char *path = xc_path_join(folder, XC_HISTORY_FILE);
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
    XC_TRY(xc_file_create(&file, path, true, error));
    fputs("epoch\tloss", file.stream);
    xc_metric_headings(file.stream, "val_");
    fputs("\tlearning_rate\tclip_fraction\n", file.stream);
    for (uint32_t i = 0; i < count; i++) write_row(file.stream, &rows[i]);
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    free(path);
    return status;
}

/* The numbers of one line into a row; false when it has not exactly one for each column. */
static bool parse_row(const char *line, xc_history_row *row) {
    double *const number = &row->epoch;
    const char *at = line;
    for (int column = 0; column < HISTORY_COLUMNS; column++) {
        char *after;
        number[column] = strtod(at, &after);
        if (after == at || *after != (column == HISTORY_COLUMNS - 1 ? '\n' : '\t')) return false;
        at = after + 1;
    }
    return true;
}

xc_status xc_history_read(const char *folder, xc_history_row **rows, uint32_t *count, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL, *path = xc_path_join(folder, XC_HISTORY_FILE);
    *rows = NULL;
    *count = 0;
    if (!path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", folder);
    XC_TRY(xc_file_read(path, XC_TEXT_LIMIT, &text, NULL, error));
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    XC_TRY(xc_allocate(rows, lines, sizeof **rows, "history", error));
    const char *line = text;
    for (size_t i = 0; i < lines; i++, line = strchr(line, '\n') + 1) {
        if (i == 0) continue; /* the headings */
        if (!parse_row(line, &(*rows)[i - 1])) {
            status = xc_fail(error, XC_INPUT, "%s:%zu: not a row of a history; remove the folder and train again", path,
                             i + 1);
            goto fail;
        }
    }
    *count = lines > 0 ? (uint32_t)(lines - 1) : 0;
fail:
    if (status != XC_OK) {
        free(*rows);
        *rows = NULL;
    }
    free(text);
    free(path);
    return status;
}

double xc_history_rounded(double value) {
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return strtod(text, NULL);
}

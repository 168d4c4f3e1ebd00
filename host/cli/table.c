/* table.c: TSV as columns for people. Widths count characters, not bytes, so that a ± takes one place. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_COLUMNS = 64 };

static int character_count(const char *text) {
    int count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static bool is_number(const char *text) {
    char *end;
    (void)strtod(text, &end);
    return end != text && (*end == 0 || *end == ' ');
}

/* Cuts the text into cells, in place; rows of fewer cells end with empty ones. */
static int split_rows(char *tsv, char *(*rows)[MOST_COLUMNS], int *columns) {
    int count = 0;
    *columns = 0;
    for (char *line; (line = strsep(&tsv, "\n")) && *line; count++) {
        const int cells = xc_cut_fields(line, rows[count], MOST_COLUMNS);
        if (cells > *columns) *columns = cells;
    }
    return count;
}

static void print_cell(FILE *stream, const char *cell, int width, bool right, bool last) {
    const int padding = width - character_count(cell);
    if (right)
        fprintf(stream, "%*s%s", padding, "", cell);
    else
        fprintf(stream, "%s%*s", cell, last ? 0 : padding, "");
    fputs(last ? "\n" : "  ", stream);
}

xc_status cli_print_columns(FILE *stream, char *tsv, xc_error *error) {
    xc_status status = XC_OK;
    size_t lines = 1;
    for (const char *c = tsv; *c; c++) lines += *c == '\n';
    char *(*rows)[MOST_COLUMNS] = NULL;
    int width[MOST_COLUMNS] = {0}, columns;
    bool right[MOST_COLUMNS] = {false};
    XC_TRY(xc_allocate(&rows, lines, sizeof *rows, "a table", error));
    const int count = split_rows(tsv, rows, &columns);
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < columns; j++) {
            if (!rows[i][j]) rows[i][j] = "";
            if (character_count(rows[i][j]) > width[j]) width[j] = character_count(rows[i][j]);
            if (i == 1) right[j] = is_number(rows[i][j]);
        }
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < columns; j++) print_cell(stream, rows[i][j], width[j], right[j], j + 1 == columns);
fail:
    free(rows);
    return status;
}

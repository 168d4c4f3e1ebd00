/* jaspar.c: parses JASPAR's position frequency matrices: ">id name", then one row for each of A C G T, either as
 * "A  [ 1 2 3 ]" or as plain numbers. Counts become probabilities without pseudocounts.
 *
 * Source: the downloads of jaspar.elixir.no (JASPAR and raw PFM format).
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* Which base the row is for: by its letter, or, in a row of plain numbers, by its place. Moves *row past the letter. */
static int row_base(char **row, int place) {
    static const char letters[] = "ACGT";
    const char *found = isalpha((unsigned char)**row) ? strchr(letters, toupper((unsigned char)**row)) : NULL;
    if (!isalpha((unsigned char)**row)) return place;
    if (!found) return -1;
    ++*row;
    return (int)(found - letters);
}

/* The counts of one motif as they are read. */
typedef struct count_rows {
    double *value; /* (4,stride), of which each row's first `width` are set */
    size_t stride; /* enough for any row that the file can have */
} count_rows;

/* The counts of one row into counts (*width, or any number up to the widest when *width is 0). */
static xc_status read_counts(const xc_lines *lines, char *row, double *counts, uint32_t *width, xc_error *error) {
    uint32_t count = 0;
    for (;;) {
        row += strspn(row, " \t[]");
        if (!*row) break;
        char *end;
        const double value = strtod(row, &end);
        if (end == row || (*end && !strchr(" \t[]", *end)))
            return xc_lines_fail(lines, error, "\"%.20s\" is not a count", row);
        if (!(value >= 0 && isfinite(value)))
            return xc_lines_fail(lines, error, "count %g is negative or not a number", value);
        if (count == XC_MOTIF_WIDEST) return xc_lines_fail(lines, error, "more than %u positions", XC_MOTIF_WIDEST);
        counts[count++] = value;
        row = end;
    }
    if (count == 0) return xc_lines_fail(lines, error, "a row without counts");
    if (*width && count != *width)
        return xc_lines_fail(lines, error, "this row has %u counts, the one before it %u", count, *width);
    *width = count;
    return XC_OK;
}

/* Counts to probabilities. */
static xc_status normalise(const xc_lines *lines, const count_rows *counts, xc_motif *motif, xc_error *error) {
    xc_status status = xc_allocate(&motif->ppm, (size_t)motif->width * 4, sizeof *motif->ppm, "a motif", error);
    if (status == XC_OK)
        status = xc_allocate(&motif->written, (size_t)motif->width * 4, sizeof *motif->written, "a motif", error);
    for (uint32_t position = 0; status == XC_OK && position < motif->width; position++) {
        double sum = 0;
        for (size_t base = 0; base < 4; base++) sum += counts->value[base * counts->stride + position];
        if (!(sum > 0 && isfinite(sum)))
            return xc_lines_fail(lines, error, "motif %s has no counts at position %u", motif->id, position + 1);
        for (size_t base = 0; base < 4; base++) {
            const double share = counts->value[base * counts->stride + position] / sum;
            motif->written[(size_t)4 * position + base] = share;
            motif->ppm[(size_t)4 * position + base] = (float)share;
        }
        motif->sites = fmax(motif->sites, sum);
    }
    return status;
}

/* The four rows after a header, into `motif`. */
static xc_status read_matrix(xc_lines *lines, xc_motif *motif, const count_rows *counts, xc_error *error) {
    unsigned seen = 0;
    for (int place = 0; place < 4; place++) {
        if (!xc_lines_next_filled(lines) || *lines->line == '>')
            return xc_lines_fail(lines, error, "motif %s ends after %d of 4 rows", motif->id, place);
        char *row = lines->line;
        const int base = row_base(&row, place);
        if (base < 0)
            return xc_lines_fail(lines, error, "a row must begin with A, C, G, T or a number, not \"%.20s\"", row);
        if (seen & (1u << base)) return xc_lines_fail(lines, error, "a second row %c", "ACGT"[base]);
        seen |= 1u << base;
        const xc_status status =
            read_counts(lines, row, counts->value + (size_t)base * counts->stride, &motif->width, error);
        if (status != XC_OK) return status;
    }
    return normalise(lines, counts, motif, error);
}

xc_status xc_jaspar_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    const size_t most = strlen(lines->next) / strlen("1 ") + 1;
    count_rows counts = {.stride = most < XC_MOTIF_WIDEST ? most : XC_MOTIF_WIDEST};
    XC_TRY(xc_allocate(&counts.value, 4 * counts.stride, sizeof *counts.value, "motif counts", error));
    while (xc_lines_next_filled(lines)) {
        if (*lines->line != '>') {
            status = xc_lines_fail(lines, error, "a header \">id name\" is needed here, not \"%.20s\"", lines->line);
            goto fail;
        }
        char *rest = lines->line + 1;
        const char *id = xc_word_cut(&rest);
        const char *name = xc_word_cut(&rest);
        if (!*id) {
            status = xc_lines_fail(lines, error, "this header has no identifier");
            goto fail;
        }
        xc_motif *motif;
        XC_TRY(xc_motif_append(lines, motifs, id, name, &motif, error));
        XC_TRY(read_matrix(lines, motif, &counts, error));
    }
fail:
    free(counts.value);
    return status;
}

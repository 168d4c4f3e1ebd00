/* meme.c: parses MEME motif files, version 4 and later, minimal or as MEME, DREME and STREME write them: finds the
 * MOTIF lines and the sections that count (meme_header.c, meme_matrix.c), and passes over everything else, as the MEME
 * suite does.
 *
 * Source: "MEME motif format" in the MEME suite's manual.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* A file as far as it has been read. */
typedef struct meme_reader {
    xc_lines *lines;
    xc_motif_list *motifs;
    xc_motif *motif; /* the one whose matrices are being read; NULL before the first */
    xc_meme_matrix probabilities, scores;
    bool ahead; /* the current line has not been looked at, or the file is at its end */
} meme_reader;

static xc_status check_version(const xc_lines *lines, xc_error *error) {
    const char *version = xc_line_after(lines->line, "MEME version");
    if (strtod(version, NULL) >= 4) return XC_OK;
    return xc_lines_fail(lines, error, "MEME version 4 or later is needed, this says \"%.40s\"", lines->line);
}

/* Makes the open motif, if there is one, of the matrices that it had. */
static xc_status close_motif(meme_reader *reader, xc_error *error) {
    xc_status status = XC_OK;
    xc_motif *motif = reader->motif;
    if (!motif) return XC_OK;
    if (!reader->probabilities.width && !reader->scores.width)
        return reader->lines->line
                   ? xc_lines_fail(reader->lines, error, "motif %s before this has no matrix", motif->id)
                   : xc_lines_fail(reader->lines, error, "the file ends before the matrix of motif %s", motif->id);
    XC_TRY(xc_meme_matrix_use(reader->lines, &reader->probabilities, &reader->scores, reader->motifs->background, motif,
                              error));
    reader->motif = NULL;
    reader->probabilities.width = reader->scores.width = 0;
    reader->probabilities.sites = 0;
fail:
    return status;
}

/* The second word of a MOTIF line; MEME's own output goes on with "width = 19 ...", which is no name. */
static const char *cut_name(char **rest) {
    const char *name = xc_word_cut(rest);
    const char *next = *rest + strspn(*rest, " \t");
    return strchr(name, '=') || *next == '=' ? "" : name;
}

/* `rest` is what follows "MOTIF". */
static xc_status open_motif(meme_reader *reader, char *rest, xc_error *error) {
    xc_status status = XC_OK;
    XC_TRY(close_motif(reader, error));
    const char *id = xc_word_cut(&rest);
    if (!*id) return xc_lines_fail(reader->lines, error, "this MOTIF has no identifier; write \"MOTIF id name\"");
    XC_TRY(xc_motif_append(reader->lines, reader->motifs, id, cut_name(&rest), &reader->motif, error));
fail:
    return status;
}

static xc_status read_matrix(meme_reader *reader, const char *keys, xc_meme_kind kind, xc_error *error) {
    xc_meme_matrix *matrix = kind == XC_MEME_SCORES ? &reader->scores : &reader->probabilities;
    if (!reader->motif) return xc_lines_fail(reader->lines, error, "a matrix without a MOTIF line before it");
    if (matrix->width)
        return xc_lines_fail(reader->lines, error, "a second matrix of motif %s; a MOTIF line is missing before it",
                             reader->motif->id);
    reader->ahead = true;
    return xc_meme_matrix_read(reader->lines, keys, reader->motif->id, kind, matrix, error);
}

/* What follows MOTIF; NULL when the line is none. Only capitals: MEME's output has lines that begin with "Motif". Its
 * lines "BL   MOTIF id" repeat the motif that is open, and are passed over. */
static char *after_motif(char *line) {
    return strncmp(line, "MOTIF", 5) == 0 && (isspace((unsigned char)line[5]) || !line[5]) ? line + 5 : NULL;
}

static xc_status read_section(meme_reader *reader, xc_error *error) {
    xc_lines *lines = reader->lines;
    const char *rest;
    char *motif;
    if (xc_line_after(lines->line, "MEME version")) return check_version(lines, error);
    if ((rest = xc_line_after(lines->line, "ALPHABET")) && (!*rest || strchr("= \t", *rest)))
        return xc_meme_alphabet(lines, error);
    if (xc_line_after(lines->line, "Background letter frequencies")) {
        double ignored[4]; /* after the first motif: files put together */
        reader->ahead = true;
        return xc_meme_background(lines, reader->motifs->count ? ignored : reader->motifs->background, error);
    }
    if ((motif = after_motif(lines->line))) return open_motif(reader, motif, error);
    if ((rest = xc_line_after(lines->line, "letter-probability matrix")))
        return read_matrix(reader, rest + (*rest == ':'), XC_MEME_PROBABILITIES, error);
    if ((rest = xc_line_after(lines->line, "log-odds matrix")))
        return read_matrix(reader, rest + (*rest == ':'), XC_MEME_SCORES, error);
    return XC_OK;
}

xc_status xc_meme_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    meme_reader reader = {.lines = lines, .motifs = motifs};
    const size_t text = strlen(lines->next) / strlen("1 0 0 0\n") + 1; /* rows that it may hold */
    const size_t values = 4 * (text < XC_MOTIF_WIDEST ? text : XC_MOTIF_WIDEST);
    XC_TRY(xc_allocate(&reader.probabilities.value, values, sizeof(double), "a motif", error));
    XC_TRY(xc_allocate(&reader.scores.value, values, sizeof(double), "a motif", error));
    for (bool more = xc_lines_next_filled(lines); more;) {
        reader.ahead = false;
        XC_TRY(read_section(&reader, error));
        more = reader.ahead ? lines->line != NULL : xc_lines_next_filled(lines);
    }
    XC_TRY(close_motif(&reader, error));
fail:
    free(reader.probabilities.value);
    free(reader.scores.value);
    return status;
}

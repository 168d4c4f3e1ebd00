/* meme.c: parses MEME motif files, version 4 and later, minimal or as MEME and DREME write them. Reads the alphabet,
 * the MOTIF lines and the letter-probability matrices; everything else in such files is passed over, as the MEME suite
 * does.
 *
 * Source: "MEME motif format" in the MEME suite's manual.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parse.h"

/* A row nearer to 1 is left as it is in `written`. */
#define ROW_ROUNDING 1e-5

/* How far a row's sum may be from 1: files written with two decimals are seen in the wild. */
#define ROW_TOLERANCE 0.02

static bool starts(const char *line, const char *word) { return strncmp(line, word, strlen(word)) == 0; }

static xc_status check_version(const xc_lines *lines, xc_error *error) {
    const double version = strtod(lines->line + strlen("MEME version"), NULL);
    if (version >= 4) return XC_OK;
    return xc_lines_fail(lines, error, "MEME version 4 or later is needed, this says \"%.40s\"", lines->line);
}

/* "ALPHABET= ACGT", or the later form "ALPHABET "DNA" DNA-LIKE". */
static xc_status check_alphabet(const xc_lines *lines, xc_error *error) {
    const char *letters = lines->line + strlen("ALPHABET");
    letters += strspn(letters, "= \t");
    const size_t count = strcspn(letters, " \t");
    const bool dna =
        (count == 4 && strncasecmp(letters, "ACGT", 4) == 0) || starts(letters, "\"DNA\"") || starts(letters, "DNA");
    if (dna) return XC_OK;
    return xc_lines_fail(lines, error, "the alphabet is \"%.40s\"; only DNA (ACGT) can be read", letters);
}

/* "A 0.25 C 0.25 G 0.25 T 0.25", on one line or several, after the line that announces it. What is not four positive
 * numbers is passed over: it says nothing. Leaves the cursor on the line after it. */
static void read_background(xc_lines *lines, double background[4]) {
    static const char letters[] = "ACGT";
    double value[4] = {0}, sum = 0;
    while (xc_lines_next_filled(lines) && strlen(lines->line) > 1 && isblank((unsigned char)lines->line[1])) {
        for (char *rest = lines->line; *rest;) {
            const char *letter = xc_word_cut(&rest);
            const char *place = *letter ? strchr(letters, toupper((unsigned char)*letter)) : NULL;
            const double number = strtod(xc_word_cut(&rest), NULL);
            if (place && number > 0 && isfinite(number)) value[place - letters] = number;
        }
    }
    for (int base = 0; base < 4; base++) sum += value[base];
    for (int base = 0; base < 4; base++)
        if (!(value[base] > 0)) return;
    for (int base = 0; base < 4; base++) background[base] = value[base] / sum;
}

/* "MOTIF id [name]"; MEME's own output goes on with "width = 19 ...", which is no name. */
static xc_status open_motif(xc_lines *lines, xc_motif_list *motifs, xc_motif **motif, xc_error *error) {
    char *rest = lines->line + strlen("MOTIF");
    const char *id = xc_word_cut(&rest);
    const char *name = xc_word_cut(&rest);
    if (!*id) return xc_lines_fail(lines, error, "this MOTIF has no identifier");
    return xc_motif_append(motifs, id, starts(name, "width") ? "" : name, motif, error);
}

/* The number after `key` in "alength= 4 w= 11 nsites= 20", NAN when the key is not there. */
static double matrix_value(const char *line, const char *key) {
    for (const char *at = line; (at = strstr(at, key)); at++) {
        if (isalnum((unsigned char)at[-1])) continue; /* the tail of a longer key */
        const char *value = at + strlen(key);
        value += strspn(value, " \t");
        if (*value == '=') return strtod(value + 1, NULL);
    }
    return NAN;
}

/* Four probabilities from the current line into row (4), normalised, and written (4). */
static xc_status read_row(const xc_lines *lines, float *row, double *written, xc_error *error) {
    char *rest = lines->line;
    double value[4], sum = 0;
    for (int base = 0; base < 4; base++) {
        char *end;
        value[base] = strtod(rest, &end);
        if (end == rest)
            return xc_lines_fail(lines, error, "four probabilities are needed, found \"%.40s\"", lines->line);
        if (!(value[base] >= 0))
            return xc_lines_fail(lines, error, "probability %g is not between 0 and 1", value[base]);
        sum += value[base];
        rest = end;
    }
    rest += strspn(rest, " \t");
    if (*rest) return xc_lines_fail(lines, error, "\"%.40s\" after four probabilities", rest);
    if (!(fabs(sum - 1) <= ROW_TOLERANCE))
        return xc_lines_fail(lines, error, "the probabilities sum to %g, not 1", sum);
    for (int base = 0; base < 4; base++) row[base] = (float)(value[base] / sum);
    for (int base = 0; base < 4; base++)
        written[base] = fabs(sum - 1) > ROW_ROUNDING ? value[base] * (1 / sum) : value[base];
    return XC_OK;
}

/* The rows after a "letter-probability matrix" line. Without w= the matrix ends where the numbers do; the cursor is
 * then on the line after it (*ahead). */
static xc_status read_matrix(xc_lines *lines, xc_motif *motif, bool *ahead, xc_error *error) {
    xc_status status = XC_OK;
    const double letters = matrix_value(lines->line, "alength"), width = matrix_value(lines->line, "w");
    const double sites = matrix_value(lines->line, "nsites");
    *ahead = false;
    if (letters != 4 && !isnan(letters))
        return xc_lines_fail(lines, error, "motif %s has %g letters; only DNA (4) can be read", motif->id, letters);
    if (!isnan(width) && !(width >= 1 && width <= XC_MOTIF_WIDEST && width == floor(width)))
        return xc_lines_fail(lines, error, "motif %s has width %g; 1 to %u can be read", motif->id, width,
                             XC_MOTIF_WIDEST);
    const uint32_t wanted = isnan(width) ? XC_MOTIF_WIDEST : (uint32_t)width;
    motif->sites = sites > 0 && isfinite(sites) ? sites : 0;
    XC_TRY(xc_allocate(&motif->ppm, (size_t)wanted * 4, sizeof *motif->ppm, "a motif", error));
    XC_TRY(xc_allocate(&motif->written, (size_t)wanted * 4, sizeof *motif->written, "a motif", error));
    for (;;) {
        if (motif->width == wanted && !isnan(width)) break;
        if (!xc_lines_next_filled(lines)) break;
        if (!strchr("0123456789.+-", *lines->line) && !starts(lines->line, "nan")) {
            *ahead = true;
            break;
        }
        if (motif->width == wanted)
            return xc_lines_fail(lines, error, "motif %s has a width above %u", motif->id, XC_MOTIF_WIDEST);
        XC_TRY(read_row(lines, motif->ppm + (size_t)4 * motif->width, motif->written + (size_t)4 * motif->width,
                        error));
        motif->width++;
    }
    if (motif->width == 0 || (!isnan(width) && motif->width < wanted))
        return xc_lines_fail(lines, error, "the matrix of motif %s ends after %u of %.0f positions", motif->id,
                             motif->width, isnan(width) ? 1 : width);
    float *fitting = realloc(motif->ppm, (size_t)motif->width * 4 * sizeof *fitting);
    if (fitting) motif->ppm = fitting;
    double *fitting_written = realloc(motif->written, (size_t)motif->width * 4 * sizeof *fitting_written);
    if (fitting_written) motif->written = fitting_written;
fail:
    return status;
}

xc_status xc_meme_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    xc_motif *motif = NULL; /* the one whose matrix is to come */
    bool ahead = false;     /* the current line has not been looked at */
    while (ahead || xc_lines_next_filled(lines)) {
        ahead = false;
        if (starts(lines->line, "Background letter frequencies")) {
            read_background(lines, motifs->background);
            if (!lines->line) break;
        }
        if (starts(lines->line, "MEME version")) {
            XC_TRY(check_version(lines, error));
        } else if (starts(lines->line, "ALPHABET")) {
            XC_TRY(check_alphabet(lines, error));
        } else if (starts(lines->line, "MOTIF") && isspace((unsigned char)lines->line[5])) {
            if (motif) return xc_lines_fail(lines, error, "motif %s before this has no matrix", motif->id);
            XC_TRY(open_motif(lines, motifs, &motif, error));
        } else if (starts(lines->line, "letter-probability matrix")) {
            if (!motif) return xc_lines_fail(lines, error, "a matrix without a MOTIF line before it");
            XC_TRY(read_matrix(lines, motif, &ahead, error));
            motif = NULL;
        }
    }
    if (motif) return xc_lines_fail(lines, error, "the file ends before the matrix of motif %s", motif->id);
fail:
    return status;
}

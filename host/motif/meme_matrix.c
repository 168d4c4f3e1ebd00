/* meme_matrix.c: reads the matrices of a MEME file, letter probabilities or log-odds, and makes a motif's probabilities
 * of them. Numbers are kept as the file has them until then, because the MEME suite normalises a row only when its sum
 * is more than a rounding away from 1, and a comparison in bins of score sees the difference.
 *
 * Source: MEME suite 5.4.1, motif-in-meme-text.c and convert_scores_into_freqs; "MEME motif format" in its manual.
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

/* With what the suite made scores of probabilities, and takes back. */
#define SCORE_SITES 100.0
#define SCORE_PSEUDOCOUNT 0.01

/* ---- "alength= 4 w= 11 nsites= 20 E= 0" ---------------------------------------------------------------------------
 */

static size_t word_length(const char *text) { return strcspn(text, " \t="); }
static const char *past_blanks(const char *text) { return text + strspn(text, " \t"); }

/* The value after `key`, of *length characters; NULL when the key is not there or has no value. */
static const char *find_value(const char *keys, const char *key, size_t *length) {
    for (const char *at = past_blanks(keys); *at;) {
        const size_t size = word_length(at);
        const bool found = size == strlen(key) && strncasecmp(at, key, size) == 0;
        const char *sign = past_blanks(at + size);
        if (*sign != '=') {
            at = sign;
            continue;
        }
        const char *value = past_blanks(sign + 1);
        *length = word_length(value);
        const char *next = past_blanks(value + *length);
        if (*next == '=') next = value, *length = 0; /* "nsites= E= 0": that was a key */
        if (found) return *length ? value : NULL;
        at = next;
        if (*at == '=') at++;
    }
    return NULL;
}

/* The number after `key` into *number; it stays as it is when there is none. */
static xc_status read_number(const xc_lines *lines, const char *keys, const char *key, const char *id, double *number,
                             xc_error *error) {
    size_t length;
    const char *value = find_value(keys, key, &length);
    char *end;
    if (!value) return XC_OK;
    *number = strtod(value, &end);
    if (end == value + length && isfinite(*number)) return XC_OK;
    return xc_lines_fail(lines, error, "%s= of motif %s is \"%.*s\"; a number is needed", key, id,
                         length < 20 ? (int)length : 20, value);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* Whether the line begins with a number, be it one that is refused. */
static bool is_row(const char *line) {
    char *end;
    strtod(line, &end);
    return end != line && !isalpha((unsigned char)*end);
}

/* Four numbers from the current line into value (4). */
static xc_status read_row(const xc_lines *lines, xc_meme_kind kind, double value[4], xc_error *error) {
    const char *rest = lines->line, *what = kind == XC_MEME_SCORES ? "scores" : "probabilities";
    double sum = 0;
    for (int base = 0; base < 4; base++) {
        char *end;
        value[base] = strtod(rest, &end);
        if (end == rest || (*end && !isspace((unsigned char)*end)))
            return xc_lines_fail(lines, error, "four %s are needed, found \"%.40s\"", what, lines->line);
        if (kind == XC_MEME_PROBABILITIES && !(value[base] >= 0))
            return xc_lines_fail(lines, error, "probability %g is not between 0 and 1", value[base]);
        if (kind == XC_MEME_SCORES && !isfinite(value[base]))
            return xc_lines_fail(lines, error, "score %g is not a number", value[base]);
        sum += value[base];
        rest = end;
    }
    rest = past_blanks(rest);
    if (*rest) return xc_lines_fail(lines, error, "\"%.40s\" after four %s", rest, what);
    if (kind == XC_MEME_PROBABILITIES && !(fabs(sum - 1) <= ROW_TOLERANCE))
        return xc_lines_fail(lines, error, "the probabilities sum to %g, not 1", sum);
    return XC_OK;
}

xc_status xc_meme_matrix_read(xc_lines *lines, const char *keys, const char *id, xc_meme_kind kind,
                              xc_meme_matrix *matrix, xc_error *error) {
    xc_status status = XC_OK;
    double letters = NAN, width = NAN;
    XC_TRY(read_number(lines, keys, "alength", id, &letters, error));
    XC_TRY(read_number(lines, keys, "w", id, &width, error));
    if (kind == XC_MEME_PROBABILITIES) XC_TRY(read_number(lines, keys, "nsites", id, &matrix->sites, error));
    if (isnan(letters))
        return xc_lines_fail(lines, error,
                             "the matrix of motif %s has no alength=; write \"alength= 4\" if its columns are A C G T",
                             id);
    if (letters != 4)
        return xc_lines_fail(lines, error, "motif %s has %g letters%s; only DNA (4) can be read", id, letters,
                             letters == 20 ? " (protein)" : "");
    if (!isnan(width) && !(width >= 1 && width <= XC_MOTIF_WIDEST && width == floor(width)))
        return xc_lines_fail(lines, error, "motif %s has width %g; 1 to %u can be read", id, width, XC_MOTIF_WIDEST);
    if (matrix->sites < 0)
        return xc_lines_fail(lines, error, "nsites= of motif %s is %g; it cannot be negative", id, matrix->sites);
    const uint32_t wanted = isnan(width) ? XC_MOTIF_WIDEST : (uint32_t)width;
    while (xc_lines_next_filled(lines) && is_row(lines->line)) {
        if (matrix->width == wanted)
            return isnan(width) ? xc_lines_fail(lines, error, "motif %s has a width above %u", id, XC_MOTIF_WIDEST)
                                : xc_lines_fail(lines, error, "motif %s has more rows than its w= %u", id, wanted);
        XC_TRY(read_row(lines, kind, matrix->value + (size_t)4 * matrix->width, error));
        matrix->width++;
    }
    if (matrix->width == 0 || (!isnan(width) && matrix->width < wanted))
        return xc_lines_fail(lines, error, "the matrix of motif %s ends after %u of %.0f positions", id, matrix->width,
                             isnan(width) ? 1 : width);
fail:
    return status;
}

/* ---- the motif -------------------------------------------------------------------------------------------------- */

/* The probabilities that scores (4) in hundredths of a bit were made of; false when none is above 0. The suite makes
 * the background equal on both strands first. */
static bool row_from_scores(const double score[4], const double background[4], double row[4]) {
    double sum = 0;
    for (int base = 0; base < 4; base++) {
        const double chance = background[0] > 0 ? (background[base] + background[3 - base]) / 2 : 0.25;
        const double share = exp2(score[base] / 100) * chance;
        const double count = share * (SCORE_SITES + SCORE_PSEUDOCOUNT) - chance * SCORE_PSEUDOCOUNT;
        row[base] = fmin(fmax(count / SCORE_SITES, 0), 1);
        sum += row[base];
    }
    for (int base = 0; base < 4; base++) row[base] /= sum;
    return sum > 0;
}

xc_status xc_meme_matrix_use(const xc_lines *lines, const xc_meme_matrix *probabilities, const xc_meme_matrix *scores,
                             const double background[4], xc_motif *motif, xc_error *error) {
    xc_status status = XC_OK;
    const bool by_score = probabilities->width == 0;
    const xc_meme_matrix *matrix = by_score ? scores : probabilities;
    if (!by_score && scores->width && scores->width != probabilities->width)
        return xc_lines_fail(lines, error, "the matrices of motif %s before this have %u and %u positions", motif->id,
                             probabilities->width, scores->width);
    XC_TRY(xc_allocate(&motif->ppm, (size_t)4 * matrix->width, sizeof *motif->ppm, "a motif", error));
    XC_TRY(xc_allocate(&motif->written, (size_t)4 * matrix->width, sizeof *motif->written, "a motif", error));
    motif->width = matrix->width;
    motif->sites = probabilities->sites;
    for (uint32_t i = 0; i < motif->width; i++) {
        double *row = motif->written + (size_t)4 * i, sum = 0;
        memcpy(row, matrix->value + (size_t)4 * i, 4 * sizeof *row);
        if (by_score && !row_from_scores(matrix->value + (size_t)4 * i, background, row))
            return xc_lines_fail(lines, error, "the log-odds of motif %s leave no probability at position %u",
                                 motif->id, i + 1);
        for (int base = 0; base < 4; base++) sum += row[base];
        for (int base = 0; base < 4; base++) {
            motif->ppm[(size_t)4 * i + (size_t)base] = (float)(row[base] / sum);
            if (fabs(sum - 1) > ROW_ROUNDING) row[base] *= 1 / sum;
        }
    }
fail:
    return status;
}

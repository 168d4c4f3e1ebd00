/* meme_header.c: what a MEME file says before its motifs: the alphabet, in both forms, and the background. An alphabet
 * other than DNA is refused by its name, for its matrices would be read as something else.
 *
 * Source: "MEME motif format" and "alphabet format" in the MEME suite's manual; version 5.4.1 for what it lets pass.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parse.h"

/* What the MEME suite adds to each frequency, so that none is zero. */
#define SMALLEST_FREQUENCY 5e-7

/* How far the sum of the frequencies may be from 1. */
#define SUM_TOLERANCE 0.1

/* The place of a letter in ACGT, in either case; -1 for any other character. */
static int base_of(char letter) {
    static const char letters[] = "ACGT";
    const char *found = letter ? strchr(letters, toupper((unsigned char)letter)) : NULL;
    return found ? (int)(found - letters) : -1;
}

/* ---- alphabet --------------------------------------------------------------------------------------------------- */

static xc_status refuse_alphabet(const xc_lines *lines, const char *name, xc_error *error) {
    static const char *const known[][2] = {{"ACDEFGHIKLMNPQRSTVWY", "protein "}, {"ACGU", "RNA "}};
    const char *kind = "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(name, known[i][0]) == 0) kind = known[i][1];
    return xc_lines_fail(lines, error, "the alphabet is %s%.40s; only DNA (ACGT) can be read", kind, name);
}

/* The character after "=" or "~" in a line of an alphabet, which is put into *sign; 0 without one. Names may hold both
 * signs between quotes. */
static char after_sign(const char *line, char *sign) {
    bool quoted = false;
    *sign = 0;
    for (; *line; line++) {
        if (quoted && *line == '\\' && line[1])
            line++;
        else if (*line == '"')
            quoted = !quoted;
        else if (!quoted && (*line == '=' || *line == '~'))
            break;
    }
    if (!*line) return 0;
    *sign = *line++;
    while (isblank((unsigned char)*line)) line++;
    return *line;
}

/* One line of an alphabet: A "Adenine" CC0000 ~ T "Thymine" 008000, or a code of several bases (N = ACGT), which is
 * passed over. Marks the bases that are there. */
static xc_status read_symbol(const xc_lines *lines, bool seen[4], xc_error *error) {
    const char *line = lines->line;
    char sign;
    if (line[1] && !isblank((unsigned char)line[1]) && line[1] != '=' && line[1] != '~')
        return xc_lines_fail(lines, error, "\"%.40s\" inside an alphabet; END ALPHABET is missing before it", line);
    const char partner = after_sign(line, &sign);
    if (sign == '=') return XC_OK;
    const int base = base_of(*line), other = sign ? base_of(partner) : 3 - base;
    if (base < 0 || other < 0)
        return xc_lines_fail(lines, error, "the alphabet has \"%.40s\"; only DNA (ACGT) can be read", line);
    if (base + other != 3)
        return xc_lines_fail(lines, error, "the alphabet pairs %c with %c; only DNA (A with T, C with G) can be read",
                             "ACGT"[base], "ACGT"[other]);
    seen[base] = true;
    if (sign) seen[other] = true;
    return XC_OK;
}

/* The lines from after ALPHABET to END ALPHABET, or to a line of asterisks as in MEME's own output. The order of the
 * lines does not count: the suite sorts the symbols. */
static xc_status read_symbols(xc_lines *lines, xc_error *error) {
    bool seen[4] = {false}, any = false;
    for (;;) {
        if (!xc_lines_next_filled(lines)) return xc_lines_fail(lines, error, "the file ends inside the alphabet");
        const bool rule = strncmp(lines->line, "***", 3) == 0;
        if (xc_line_after(lines->line, "END ALPHABET") || (rule && any)) break;
        if (rule) continue;
        const xc_status status = read_symbol(lines, seen, error);
        if (status != XC_OK) return status;
        any = true;
    }
    for (int base = 0; base < 4; base++)
        if (!seen[base])
            return xc_lines_fail(lines, error, "the alphabet has no %c; only DNA (ACGT) can be read", "ACGT"[base]);
    return XC_OK;
}

xc_status xc_meme_alphabet(xc_lines *lines, xc_error *error) {
    char *rest = lines->line + strlen("ALPHABET");
    rest += strspn(rest, " \t");
    const bool letters = *rest == '=';
    if (letters) rest += 1 + strspn(rest + 1, " \t");
    if (letters || (*rest && *rest != '"' && !strcasestr(rest, "-LIKE"))) {
        const char *word = xc_word_cut(&rest);
        if (strcasecmp(word, "ACGT") == 0 || strcasecmp(word, "DNA") == 0) return XC_OK;
        return refuse_alphabet(lines, word, error);
    }
    if (strcasestr(rest, "RNA-LIKE") || strcasestr(rest, "PROTEIN-LIKE")) return refuse_alphabet(lines, rest, error);
    return read_symbols(lines, error);
}

/* ---- background ------------------------------------------------------------------------------------------------- */

/* "A 0.25 C 0.25 ...": the frequencies of one line into frequency (4). */
static xc_status read_frequencies(const xc_lines *lines, double frequency[4], xc_error *error) {
    for (char *rest = lines->line;;) {
        const char *letter = xc_word_cut(&rest);
        if (!*letter) return XC_OK;
        const char *number = xc_word_cut(&rest);
        char *end;
        const double value = strtod(number, &end);
        if (letter[1] || base_of(*letter) < 0)
            return xc_lines_fail(lines, error, "the background has the letter \"%.20s\"; only DNA (ACGT) can be read",
                                 letter);
        if (end == number || *end || !(value >= 0 && value <= 1))
            return xc_lines_fail(lines, error, "the background of %s is \"%.20s\", not a number between 0 and 1",
                                 letter, number);
        frequency[base_of(*letter)] = value;
    }
}

xc_status xc_meme_background(xc_lines *lines, double background[4], xc_error *error) {
    double frequency[4] = {NAN, NAN, NAN, NAN}, sum = 0, least = 1;
    while (xc_lines_next_filled(lines) && isalpha((unsigned char)*lines->line) &&
           isblank((unsigned char)lines->line[1])) {
        const xc_status status = read_frequencies(lines, frequency, error);
        if (status != XC_OK) return status;
    }
    for (int base = 0; base < 4; base++) {
        sum += frequency[base];
        least = fmin(least, frequency[base]);
    }
    if (isnan(sum)) return XC_OK; /* not all are there: it says nothing */
    if (!(fabs(sum - 1) <= SUM_TOLERANCE))
        return xc_lines_fail(lines, error, "the background frequencies before this line sum to %g, not 1", sum);
    const double added = least > 0 ? 0 : SMALLEST_FREQUENCY;
    for (int base = 0; base < 4; base++) background[base] = (frequency[base] + added) / (sum + 4 * added);
    return XC_OK;
}

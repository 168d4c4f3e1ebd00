/* parse.h: what the two motif parsers share: a cursor over the lines of a text, and a list that grows.
 *
 * A parser reads from the cursor, appends to the list, and fails with "file:line: what". It owns nothing: the caller
 * frees the list, also on failure.
 */
#ifndef EXPCONV_HOST_MOTIF_PARSE_H
#define EXPCONV_HOST_MOTIF_PARSE_H

#include "expconv/motif.h"

#define XC_MOTIF_WIDEST 10000u

/* Lines of a text, one after another, without their line end (LF or CRLF) and without leading blanks. */
typedef struct xc_lines {
    const char *path; /* for error lines */
    char *next;       /* the text after the current line; written to: line ends become 0 */
    char *line;       /* the current line; NULL after the last */
    unsigned number;  /* of the current line, from 1 */
} xc_lines;

/* Moves to the next line; false, with line == NULL, when there is none. */
bool xc_lines_next(xc_lines *lines);

/* Moves to the next line that is neither blank nor a comment (#). */
bool xc_lines_next_filled(xc_lines *lines);

/* "file:line: what", XC_INPUT. */
xc_status xc_lines_fail(const xc_lines *lines, xc_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Cuts the next word off *text, blanks around it skipped; "" at the end. Writes to the text. */
char *xc_word_cut(char **text);

/* Appends a motif with this id and name (cut to fit) and no positions yet. */
xc_status xc_motif_append(xc_motif_list *motifs, const char *id, const char *name, xc_motif **motif, xc_error *error);

xc_status xc_meme_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error);
xc_status xc_jaspar_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error);

#endif

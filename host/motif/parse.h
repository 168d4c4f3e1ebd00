/* parse.h: what the readers of motif files share: a cursor over the lines of a text, a list that grows, and the parts
 * of the MEME format.
 *
 * A parser reads from the cursor, appends to the list, and fails with "file:line: what". It owns nothing: the caller
 * frees the list, also on failure.
 */
#ifndef EXPCONV_HOST_MOTIF_PARSE_H
#define EXPCONV_HOST_MOTIF_PARSE_H

#include "expconv/motif.h"

#define XC_MOTIF_WIDEST 9999u
#define XC_MOTIF_MOST 1000000u /* motifs in a file; a database has thousands */

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

/* "file:line: what", XC_INPUT. Control characters in the text become blanks: the line stays one line. */
xc_status xc_lines_fail(const xc_lines *lines, xc_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Cuts the next word off *text, blanks around it skipped; "" at the end. Writes to the text. */
char *xc_word_cut(char **text);

/* What follows `words` at the start of `line`; NULL when the line does not begin so. Case does not count; a blank in
 * `words` stands for one or more. */
const char *xc_line_after(const char *line, const char *words);

/* Appends a motif with this id and name and no positions yet. Refuses an id that does not fit, for two could become
 * equal, and more motifs than XC_MOTIF_MOST; cuts the name. */
xc_status xc_motif_append(const xc_lines *lines, xc_motif_list *motifs, const char *id, const char *name,
                          xc_motif **motif, xc_error *error);

/* xc_motif_read on a text in memory, but motifs of equal ids are all kept. text: `size` bytes and a 0 after them;
 * written to. `path` is for error lines. */
xc_status xc_motif_parse(const char *path, char *text, size_t size, xc_motif_list *motifs, xc_error *error);

xc_status xc_meme_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error);
xc_status xc_jaspar_parse(xc_lines *lines, xc_motif_list *motifs, xc_error *error);

/* ---- parts of a MEME file --------------------------------------------------------------------------------------- */

/* At a line "ALPHABET= letters" or "ALPHABET "name" DNA-LIKE"; the latter's lines are read up to END ALPHABET. Refuses
 * what is not DNA, by name. */
xc_status xc_meme_alphabet(xc_lines *lines, xc_error *error);

/* The frequencies after the line that announces them, on one line or several; `background` stays as it is unless all
 * four are there. Leaves the cursor on the line after them, or at the end. */
xc_status xc_meme_background(xc_lines *lines, double background[4], xc_error *error);

typedef enum xc_meme_kind { XC_MEME_PROBABILITIES, XC_MEME_SCORES } xc_meme_kind;

/* One matrix of numbers as the file has them. */
typedef struct xc_meme_matrix {
    double *value;  /* (most,4), of which `width` rows are set; the caller's, with room for any the file can have */
    uint32_t width; /* 0: there was none */
    double sites;   /* nsites; 0 when the file says nothing */
} xc_meme_matrix;

/* The rows after a "letter-probability matrix: ..." or "log-odds matrix: ..." line, the current one, of motif `id`.
 * `keys` is what follows the colon. Leaves the cursor on the line after the rows, or at the end. */
xc_status xc_meme_matrix_read(xc_lines *lines, const char *keys, const char *id, xc_meme_kind kind,
                              xc_meme_matrix *matrix, xc_error *error);

/* Fills the motif from its probabilities, or, where there are none, from its scores and the background of its file. */
xc_status xc_meme_matrix_use(const xc_lines *lines, const xc_meme_matrix *probabilities, const xc_meme_matrix *scores,
                             const double background[4], xc_motif *motif, xc_error *error);

#endif

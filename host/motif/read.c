/* read.c: opens a motif file, tells MEME from JASPAR by its content, and looks motifs up by name. The formats
 * themselves are in meme.c and jaspar.c.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parse.h"

#define LARGEST_FILE ((size_t)64 << 20)

/* ---- lines and words -------------------------------------------------------------------------------------------- */

bool xc_lines_next(xc_lines *lines) {
    lines->line = NULL;
    if (!*lines->next) return false;
    char *line = lines->next;
    char *end = strchr(line, '\n');
    lines->next = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    else
        end = lines->next;
    while (end > line && end[-1] == '\r') *--end = 0;
    while (isblank((unsigned char)*line)) line++;
    lines->line = line;
    lines->number++;
    return true;
}

bool xc_lines_next_filled(xc_lines *lines) {
    while (xc_lines_next(lines))
        if (*lines->line && *lines->line != '#') return true;
    return false;
}

xc_status xc_lines_fail(const xc_lines *lines, xc_error *error, const char *format, ...) {
    char what[XC_ERROR_LENGTH / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    for (char *c = what; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = ' ';
    return xc_fail(error, XC_INPUT, "%s:%u: %s", lines->path, lines->number, what);
}

char *xc_word_cut(char **text) {
    char *word = *text;
    while (isspace((unsigned char)*word)) word++;
    char *end = word;
    while (*end && !isspace((unsigned char)*end)) end++;
    *text = *end ? end + 1 : end;
    *end = 0;
    return word;
}

const char *xc_line_after(const char *line, const char *words) {
    for (; *words; words++) {
        if (*words == ' ') {
            if (!isblank((unsigned char)*line)) return NULL;
            while (isblank((unsigned char)*line)) line++;
        } else if (tolower((unsigned char)*line++) != tolower((unsigned char)*words)) {
            return NULL;
        }
    }
    return line;
}

/* ---- the list --------------------------------------------------------------------------------------------------- */

/* Copies what fits, without half a UTF-8 character at the end. */
static void copy_cut(char *to, size_t size, const char *from) {
    size_t length = strnlen(from, size);
    if (length == size)
        for (length = size - 1; length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80;) length--;
    memcpy(to, from, length);
    to[length] = 0;
}

xc_status xc_motif_append(const xc_lines *lines, xc_motif_list *motifs, const char *id, const char *name,
                          xc_motif **motif, xc_error *error) {
    if (strlen(id) >= sizeof(*motif)->id)
        return xc_lines_fail(lines, error, "the identifier \"%.40s...\" has %zu characters; give it at most %zu", id,
                             strlen(id), sizeof(*motif)->id - 1);
    if (motifs->count == XC_MOTIF_MOST)
        return xc_lines_fail(lines, error, "more than %u motifs; split the file", XC_MOTIF_MOST);
    /* Room grows by doubling at the powers of two, so that no capacity need be kept. */
    if ((motifs->count & (motifs->count - 1)) == 0) {
        const size_t capacity = motifs->count ? 2 * motifs->count : 1;
        xc_motif *larger = realloc(motifs->motif, capacity * sizeof *larger);
        if (!larger) return xc_fail(error, XC_MEMORY, "out of memory for %zu motifs", capacity);
        motifs->motif = larger;
    }
    *motif = &motifs->motif[motifs->count++];
    memset(*motif, 0, sizeof **motif);
    copy_cut((*motif)->id, sizeof(*motif)->id, id);
    copy_cut((*motif)->name, sizeof(*motif)->name, name);
    return XC_OK;
}

void xc_motif_list_free(xc_motif_list *motifs) {
    for (size_t i = 0; i < motifs->count; i++) {
        free(motifs->motif[i].ppm);
        free(motifs->motif[i].written);
    }
    free(motifs->motif);
    *motifs = (xc_motif_list){0};
}

const xc_motif *xc_motif_find(const xc_motif_list *motifs, const char *name) {
    for (size_t i = 0; i < motifs->count; i++)
        if (strcasecmp(motifs->motif[i].name, name) == 0 || strcasecmp(motifs->motif[i].id, name) == 0)
            return &motifs->motif[i];
    return NULL;
}

/* ---- equal identifiers ------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    const xc_motif *x = *(const xc_motif *const *)a, *y = *(const xc_motif *const *)b;
    const int order = strcmp(x->id, y->id);
    return order ? order : (x > y) - (x < y);
}

/* Keeps the first motif of each identifier, as the MEME suite does: counted twice, one would change what all others
 * are worth. */
static xc_status leave_out_repeated(const char *path, xc_motif_list *motifs, xc_error *error) {
    xc_motif **sorted = NULL;
    const xc_status status = xc_allocate(&sorted, motifs->count, sizeof *sorted, "the motifs", error);
    if (status != XC_OK) return status;
    for (size_t i = 0; i < motifs->count; i++) sorted[i] = &motifs->motif[i];
    qsort(sorted, motifs->count, sizeof *sorted, compare_ids);
    size_t kept = 0;
    for (size_t i = 1, first = 0; i < motifs->count; i++) {
        if (strcmp(sorted[i]->id, sorted[first]->id) != 0)
            first = i;
        else
            sorted[i]->width = 0; /* no motif that was read has width 0 */
    }
    free(sorted);
    for (size_t i = 0; i < motifs->count; i++) {
        xc_motif *motif = &motifs->motif[i];
        if (motif->width > 0) {
            motifs->motif[kept++] = *motif;
            continue;
        }
        if (kept == i)
            xc_log(XC_LOG_WARNING,
                   "%s: a second motif %s; of equal identifiers the first one counts, the others are left out", path,
                   motif->id);
        free(motif->ppm);
        free(motif->written);
    }
    motifs->count = kept;
    return XC_OK;
}

/* ---- which format ----------------------------------------------------------------------------------------------- */

/* Bytes that no text has: neither of these formats, and nothing that may reach a terminal in an error line. */
static bool is_text(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (iscntrl((unsigned char)text[i]) && !isspace((unsigned char)text[i])) return false;
    return true;
}

/* Whether a line begins with "MEME version". It need not be the first: full MEME output has a banner before it. */
static bool is_meme(const char *text) {
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, " \t\r\n");
        if (xc_line_after(line, "MEME version")) return true;
        if (*line == '>') return false;
        if (!*line) break;
    }
    return false;
}

/* The first character of the first line that says something. */
static char first_letter(const char *text) {
    for (;;) {
        text += strspn(text, " \t\r\n");
        if (*text != '#') return *text;
        text += strcspn(text, "\n");
    }
}

xc_status xc_motif_parse(const char *path, char *text, size_t size, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    *motifs = (xc_motif_list){0};
    if (!is_text(text, size))
        return xc_fail(error, XC_INPUT, "%s: not a text file; give a MEME or JASPAR motif file", path);
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3; /* a byte order mark */
    xc_lines lines = {.path = path, .next = text};
    if (first_letter(text) == 0)
        status = xc_fail(error, XC_INPUT, "%s: is empty; give a MEME or JASPAR motif file", path);
    else if (first_letter(text) == '<')
        status =
            xc_fail(error, XC_INPUT, "%s: HTML or XML; give the same motifs as text (meme.txt, or minimal MEME)", path);
    else if (is_meme(text))
        status = xc_meme_parse(&lines, motifs, error);
    else if (first_letter(text) == '>')
        status = xc_jaspar_parse(&lines, motifs, error);
    else
        status =
            xc_fail(error, XC_INPUT,
                    "%s: neither a MEME file (a line \"MEME version 4\") nor JASPAR counts (lines \">id name\")", path);
    if (status == XC_OK && motifs->count == 0)
        status = xc_fail(error, XC_INPUT, "%s: holds no motif; a line \"MOTIF id name\" begins one", path);
    return status;
}

xc_status xc_motif_read(const char *path, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL;
    size_t size;
    *motifs = (xc_motif_list){0};
    XC_TRY(xc_file_read(path, LARGEST_FILE, &text, &size, error));
    XC_TRY(xc_motif_parse(path, text, size, motifs, error));
    XC_TRY(leave_out_repeated(path, motifs, error));
fail:
    free(text);
    return status;
}

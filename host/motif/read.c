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
    if (end > line && end[-1] == '\r') end[-1] = 0;
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

xc_status xc_motif_append(xc_motif_list *motifs, const char *id, const char *name, xc_motif **motif, xc_error *error) {
    /* Room grows by doubling at the powers of two, so that no capacity need be kept. */
    if ((motifs->count & (motifs->count - 1)) == 0) {
        const size_t capacity = motifs->count ? 2 * motifs->count : 1;
        xc_motif *larger = realloc(motifs->motif, capacity * sizeof *larger);
        if (!larger) return xc_fail(error, XC_MEMORY, "out of memory for %zu motifs", capacity);
        motifs->motif = larger;
    }
    *motif = &motifs->motif[motifs->count++];
    memset(*motif, 0, sizeof **motif);
    snprintf((*motif)->id, sizeof(*motif)->id, "%s", id);
    snprintf((*motif)->name, sizeof(*motif)->name, "%s", name);
    return XC_OK;
}

/* Whether a line begins with "MEME version". It need not be the first: full MEME output has a banner before it. */
static bool is_meme(const char *text) {
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, " \t\r\n");
        if (strncmp(line, "MEME version", 12) == 0) return true;
        if (*line == '>') return false;
        if (!*line) break;
    }
    return false;
}

/* Whether the first line that says something is a JASPAR header. */
static bool is_jaspar(const char *text) {
    for (;;) {
        text += strspn(text, " \t\r\n");
        if (*text != '#') return *text == '>';
        text += strcspn(text, "\n");
    }
}

xc_status xc_motif_read(const char *path, xc_motif_list *motifs, xc_error *error) {
    xc_status status = XC_OK;
    char *text = NULL;
    size_t size;
    *motifs = (xc_motif_list){0};
    XC_TRY(xc_file_read(path, LARGEST_FILE, &text, &size, error));
    xc_lines lines = {.path = path, .next = text};
    if (memchr(text, 0, size)) {
        status = xc_fail(error, XC_INPUT, "%s: not a text file; give a MEME or JASPAR motif file", path);
    } else if (is_meme(text)) {
        status = xc_meme_parse(&lines, motifs, error);
    } else if (is_jaspar(text)) {
        status = xc_jaspar_parse(&lines, motifs, error);
    } else {
        status =
            xc_fail(error, XC_INPUT,
                    "%s: neither a MEME file (a line \"MEME version 4\") nor JASPAR counts (lines \">id name\")", path);
    }
    if (status == XC_OK && motifs->count == 0) status = xc_fail(error, XC_INPUT, "%s: holds no motif", path);
fail:
    free(text);
    return status;
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

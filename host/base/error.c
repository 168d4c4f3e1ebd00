/* error.c: errors as values, the nearest word for "did you mean", and the fields of a line.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/base.h"

xc_status xc_fail(xc_error *error, xc_status status, const char *format, ...) {
    if (!error) return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    /* A file name may hold anything; the user is promised one line. */
    for (char *c = error->text; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    return status;
}

xc_status xc_fail_in(xc_error *error, const char *format, ...) {
    if (!error) return XC_INPUT;
    char line[XC_ERROR_LENGTH], prefix[XC_ERROR_LENGTH / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    memcpy(line, error->text, sizeof line);
    return xc_fail(error, error->status, "%s: %s", prefix, line);
}

const char *xc_status_word(xc_status status) {
#define XC_STATUS_WORD(name, word) word,
    static const char *const words[] = {XC_STATUSES(XC_STATUS_WORD)};
#undef XC_STATUS_WORD
    return words[status];
}

xc_status xc_allocate(void *out, size_t count, size_t size, const char *what, xc_error *error) {
    void *memory = NULL;
    size_t bytes;
    const bool overflow = __builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2;
    if (!overflow) {
        bytes = bytes ? (bytes + 63) / 64 * 64 : 64;
        memory = aligned_alloc(64, bytes);
    }
    if (memory) memset(memory, 0, bytes);
    memcpy(out, &memory, sizeof memory);
    if (memory) return XC_OK;
    return xc_fail(error, XC_MEMORY, "out of memory: %zu × %zu bytes for %s", count, size, what);
}

/* Levenshtein's distance, one row at a time; words beyond the row's length are cut. */
static size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 127 };
    size_t row[LONGEST + 1];
    size_t width = strlen(b);
    if (width > LONGEST) width = LONGEST;
    for (size_t j = 0; j <= width; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            const size_t above = row[j];
            const bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + !same;
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[width];
}

const char *xc_nearest(const char *word, const char *const *names) {
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (; *names; names++) {
        const size_t distance = edit_distance(word, *names);
        if (distance < best_distance) {
            best_distance = distance;
            best = *names;
        }
    }
    return best;
}

int xc_cut_fields(char *line, char **field, int most) {
    int count = 0;
    for (char *rest = line; rest && count < most;) field[count++] = strsep(&rest, "\t");
    return count;
}

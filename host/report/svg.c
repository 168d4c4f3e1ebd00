/* svg.c: makes an SVG that cairo wrote shorter, and gives its ids new names. Cairo numbers surfaces through the life of
 * the process, so that the same picture differs from one time to the next, and it calls the glyphs of every picture the
 * same, so that two pictures in one page would draw each other's letters. The new names are a hash of the picture and a
 * number. Knows the SVG that cairo writes, and no other.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"

bool xc_bytes_append(xc_bytes *buffer, const void *data, size_t length) {
    if (buffer->capacity - buffer->count <= length) {
        const size_t capacity = 2 * buffer->capacity + length + 4096;
        char *grown = realloc(buffer->data, capacity);
        if (!grown) return false;
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->count, data, length);
    buffer->count += length;
    buffer->data[buffer->count] = 0;
    return true;
}

static bool append_text(xc_bytes *buffer, const char *text) { return xc_bytes_append(buffer, text, strlen(text)); }

/* ---- shorter ---------------------------------------------------------------------------------------------------- */

/* What a style says anyway when it says nothing. */
static const char *const defaults[] = {"fill-rule:nonzero;",
                                       "fill-opacity:1;",
                                       "stroke:none;",
                                       "stroke-opacity:1;",
                                       "stroke-linecap:butt;",
                                       "stroke-linejoin:miter;",
                                       NULL};

static size_t default_at(const char *text) {
    for (int i = 0; defaults[i]; i++)
        if (strncmp(text, defaults[i], strlen(defaults[i])) == 0) return strlen(defaults[i]);
    return 0;
}

/* Rounds a number of more than two decimals to two, a hundredth of a point being finer than eyes; below 1, where it may
 * be a factor, to three digits. Never writes an exponent, which some readers of SVG do not know. Returns what is behind
 * it. */
static const char *append_number(const char *text, xc_bytes *out, bool *good) {
    char number[64];
    const size_t whole = strspn(text, "0123456789");
    const size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    const size_t length = whole + (fraction ? 1 + fraction : 0);
    if (fraction < 3 || length >= sizeof number) {
        *good = xc_bytes_append(out, text, length);
        return text + length;
    }
    const bool below_one = strspn(text, "0") == whole;
    const size_t decimals = below_one ? strspn(text + whole + 1, "0") + 3 : 2;
    snprintf(number, sizeof number, "%.*s", (int)length, text);
    size_t kept = (size_t)snprintf(number, sizeof number, "%.*f", (int)decimals, strtod(number, NULL));
    while (number[kept - 1] == '0') kept--;
    if (number[kept - 1] == '.') kept--;
    *good = xc_bytes_append(out, number, kept);
    return text + length;
}

/* A path that is closed and then goes somewhere without drawing: the length of that last step, " M 38.86 93.68". */
static size_t idle_step_at(const char *text) {
    if (text[-1] != 'Z' || strncmp(text, " M ", 3) != 0) return 0;
    const size_t length = 3 + strspn(text + 3, "-.0123456789 ");
    return text[length] == '"' ? length : 0;
}

/* A space beside a command of a path, which parts nothing. */
static size_t idle_space_at(const char *text) {
    return *text == ' ' && (strchr("MLCZ", text[-1]) || (text[1] && strchr("MLCZ", text[1])));
}

static bool shorten(const char *text, xc_bytes *out) {
    bool good = true;
    for (const char *start = text; good && *text;) {
        size_t passed = text > start && strchr("; \"", text[-1]) ? default_at(text) : 0;
        if (passed == 0 && text > start) passed = idle_step_at(text);
        if (passed == 0 && text > start) passed = idle_space_at(text);
        if (passed > 0) {
            text += passed;
        } else if (isdigit((unsigned char)*text)) {
            text = append_number(text, out, &good);
        } else {
            good = xc_bytes_append(out, text++, 1);
        }
    }
    return good;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* The next id, where it is defined or used; NULL at the end. Cairo writes text as glyphs, so that none of the three
 * marks can stand for anything else. */
static const char *next_id(const char *text) {
    for (; (text = strpbrk(text, "\"(")); text++) {
        if (text[1] == '#') return text + 2;
        if (*text == '"' && memcmp(text - 4, " id=", 4) == 0) return text + 1;
    }
    return NULL;
}

typedef struct name {
    const char *text; /* inside the SVG */
    size_t length;
} name;

/* The place of a name in the order in which names appear; grows the list. -1 when there is no memory. */
static long number_of(name **names, size_t *count, const char *text, size_t length) {
    for (size_t i = 0; i < *count; i++)
        if ((*names)[i].length == length && memcmp((*names)[i].text, text, length) == 0) return (long)i;
    if ((*count & (*count - 1)) == 0) {
        name *grown = realloc(*names, (*count ? 2 * *count : 1) * sizeof **names);
        if (!grown) return -1;
        *names = grown;
    }
    (*names)[*count] = (name){text, length};
    return (long)(*count)++;
}

static bool rename_ids(const char *text, const char *prefix, xc_bytes *out) {
    name *names = NULL;
    size_t count = 0;
    bool good = true;
    for (const char *id; good && (id = next_id(text));) {
        const size_t length = strcspn(id, "\")");
        const long number = number_of(&names, &count, id, length);
        char fresh[64];
        snprintf(fresh, sizeof fresh, "%s%ld", prefix, number);
        good = number >= 0 && xc_bytes_append(out, text, (size_t)(id - text)) && append_text(out, fresh);
        text = id + length;
    }
    free(names);
    return good && append_text(out, text);
}

/* FNV-1a. */
static uint64_t hash_of(const xc_bytes *content) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < content->count; i++) hash = (hash ^ (unsigned char)content->data[i]) * 1099511628211u;
    return hash;
}

bool xc_svg_start(xc_bytes *svg) { return append_text(svg, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"); }

bool xc_svg_clean(const xc_bytes *raw, xc_bytes *clean) {
    xc_bytes brief = {0}, plain = {0};
    const char *start = strstr(raw->data, "<svg");
    bool good = start && shorten(start, &brief) && rename_ids(brief.data, "i", &plain);
    if (good) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "i%08x-", (unsigned)(hash_of(&plain) >> 32));
        good = rename_ids(plain.data, prefix, clean);
    }
    free(brief.data);
    free(plain.data);
    return good;
}

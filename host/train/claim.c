/* claim.c: a trial's folder belongs to one config. It is claimed by writing config.yaml, and refused to every other
 * config, saying where the two differ. The text is compared, not the values: the same config always writes the same
 * text, and one that an earlier version wrote is written anew first, with the defaults of the keys it did not know. The
 * sections of measures (filters, attribution) may change, at the price of what was measured by them: training does not
 * depend on them. What those
 * measures are, the caller knows.
 */
#include <stdlib.h>
#include <string.h>

#include "room.h"

static size_t indentation(const char *line) { return strspn(line, " -"); }

/* Length of the key of "  key: value", from its first letter; 0 when the line has none, or is a whole mapping in
 * braces. */
static size_t key_length(const char *line) {
    const char *key = line + indentation(line);
    const size_t length = strcspn(key, ":\n");
    return key[length] == ':' && key[0] != '{' ? length : 0;
}

/* The key under which `line` of `text` stands, the last line before it that is indented less; NULL at the top. */
static const char *parent_of(const char *text, const char *line) {
    const char *parent = NULL;
    for (const char *at = text; at < line; at += xc_line_length(at) + 1)
        if (indentation(at) < indentation(line) && key_length(at) > 0) parent = at;
    return parent;
}

/* Says how the config there (in `path`) differs from the one here: at the first line that is not the same. */
static xc_status refuse_folder(const char *folder, const char *there, const char *here, xc_error *error) {
    const char *a = there, *b = here;
    int line = 1;
    while (*a && *b && xc_line_length(a) == xc_line_length(b) && memcmp(a, b, xc_line_length(a)) == 0) {
        const bool last = a[xc_line_length(a)] == 0 || b[xc_line_length(b)] == 0;
        a += xc_line_length(a);
        b += xc_line_length(b);
        if (last) break;
        a++, b++, line++;
    }
    const char *key_a = a + indentation(a), *key_b = b + indentation(b);
    const size_t length = key_length(a);
    if (length > 0 && length == key_length(b) && memcmp(key_a, key_b, length) == 0) {
        const char *parent = parent_of(here, b);
        const char *value_a = key_a + length + 1 + strspn(key_a + length + 1, " ");
        const char *value_b = key_b + length + 1 + strspn(key_b + length + 1, " ");
        return xc_fail(error, XC_INPUT,
                       "%s belongs to another config: %.*s%s%.*s is %.*s there and %.*s here; choose another --out or "
                       "remove it",
                       folder, parent ? (int)key_length(parent) : 0, parent ? parent + indentation(parent) : "",
                       parent ? "." : "", (int)length, key_b, (int)xc_line_length(value_a), value_a,
                       (int)xc_line_length(value_b), value_b);
    }
    return xc_fail(
        error, XC_INPUT,
        "%s belongs to another config: line %d of its %s is \"%.*s\" there and \"%.*s\" here; choose another "
        "--out or remove it",
        folder, line, XC_CONFIG_FILE, (int)xc_line_length(key_a), key_a, (int)xc_line_length(key_b), key_b);
}

static xc_status write_text(const char *path, const char *text, xc_error *error) {
    xc_status status = XC_OK;
    xc_file file = {0};
    XC_TRY(xc_file_create(&file, path, true, error));
    fputs(text, file.stream);
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    return status;
}

static bool begins_measure(const char *line) {
    static const char *const sections[] = {"filters:", "attribution:"};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strncmp(line, sections[i], strlen(sections[i])) == 0) return true;
    return false;
}

/* The text without its sections of measures, to be freed. They are the last that are written, so other lines keep their
 * numbers. */
static char *without_measures(const char *text) {
    char *rest = malloc(strlen(text) + 1), *end = rest;
    bool inside = false;
    for (const char *line = text; rest && *line;) {
        const size_t length = xc_line_length(line) + (line[xc_line_length(line)] == '\n');
        if (indentation(line) == 0) inside = begins_measure(line);
        if (!inside) {
            memcpy(end, line, length);
            end += length;
        }
        line += length;
    }
    if (rest) *end = 0;
    return rest;
}

/* What a folder has, against what a trial would write. Texts are NULL without a config.yaml; close_claim frees. */
typedef struct folder_claim {
    char *path;
    char *there, *here;                 /* config.yaml, and what it should be */
    char *trained_there, *trained_here; /* both without how they are measured */
} folder_claim;

static void close_claim(folder_claim *claim) {
    free(claim->path);
    free(claim->there);
    free(claim->here);
    free(claim->trained_there);
    free(claim->trained_here);
}

/* The text there as this version writes it; as it is when it is no config. */
static void renew_text(folder_claim *claim) {
    xc_config *config = NULL;
    xc_error ignored = {0};
    char *text = NULL;
    if (xc_config_read(claim->path, NULL, 0, &config, &ignored) == XC_OK &&
        xc_config_write(config, &text, &ignored) == XC_OK) {
        free(claim->there);
        claim->there = text;
    }
    xc_config_free(config);
}

/* Refuses a folder whose networks are trained otherwise. */
static xc_status open_claim(const xc_trial *trial, folder_claim *claim, xc_error *error) {
    xc_status status = XC_OK;
    claim->path = xc_path_join(trial->folder, XC_CONFIG_FILE);
    if (!claim->path) return xc_fail(error, XC_MEMORY, "no memory for a path in %s", trial->folder);
    XC_TRY(xc_config_write(trial->config, &claim->here, error));
    if (!xc_path_exists(claim->path)) return XC_OK;
    XC_TRY(xc_file_read(claim->path, XC_TEXT_LIMIT, &claim->there, NULL, error));
    if (strcmp(claim->here, claim->there) != 0) renew_text(claim);
    claim->trained_there = without_measures(claim->there);
    claim->trained_here = without_measures(claim->here);
    if (!claim->trained_there || !claim->trained_here)
        return xc_fail(error, XC_MEMORY, "no memory for the text of %s", claim->path);
    if (strcmp(claim->trained_here, claim->trained_there) != 0)
        status = refuse_folder(trial->folder, claim->trained_there, claim->trained_here, error);
fail:
    return status;
}

xc_status xc_trial_check_folder(const xc_trial *trial, xc_error *error) {
    folder_claim claim = {0};
    const xc_status status = open_claim(trial, &claim, error);
    close_claim(&claim);
    return status;
}

xc_status xc_trial_claim_folder(const xc_trial *trial, void (*stale)(const char *folder), xc_error *error) {
    xc_status status = XC_OK;
    folder_claim claim = {0};
    XC_TRY(open_claim(trial, &claim, error));
    if (!claim.there) {
        XC_TRY(xc_make_folder(trial->folder, error));
        XC_TRY(write_text(claim.path, claim.here, error));
    } else if (strcmp(claim.here, claim.there) != 0) {
        if (!stale) XC_TRY(refuse_folder(trial->folder, claim.there, claim.here, error));
        stale(trial->folder);
        XC_TRY(write_text(claim.path, claim.here, error));
    }
fail:
    close_claim(&claim);
    return status;
}

/* config_refuse.c: walks a YAML tree beside libcyaml's schema and refuses, with the place and a proposal, what the
 * schema does not have: unknown and repeated keys, wrong kinds of values, words that are no number, unknown names. It
 * judges form alone; whether a number makes sense is config_check.c's business.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"

enum { LONGEST_PATH = 128, MOST_NAMES = 64 };

static xc_status check_value(const xc_document *document, int id, const cyaml_schema_value_t *schema, const char *path,
                             xc_error *error);

/* ---- scalars ---------------------------------------------------------------------------------------------------- */

static xc_status check_whole(const xc_document *document, int id, const char *text, uint32_t bytes, const char *path,
                             xc_error *error) {
    char *end;
    if (text[0] == '-' && text[1] && strspn(text + 1, "0123456789") == strlen(text + 1))
        return xc_document_refuse(document, id, error, "%s is %s; it cannot be negative", path, text);
    /* A leading zero would be octal to libcyaml. */
    if (!*text || strspn(text, "0123456789") != strlen(text) || (text[0] == '0' && text[1]))
        return xc_document_refuse(document, id, error, "\"%s\" is not a whole number (%s)", text, path);
    const uint64_t most = bytes == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * bytes)) - 1;
    errno = 0;
    if (strtoull(text, &end, 10) > most || errno)
        return xc_document_refuse(document, id, error, "%s is %s; it can be at most %" PRIu64, path, text, most);
    return XC_OK;
}

static xc_status check_number(const xc_document *document, int id, const char *text, const char *path,
                              xc_error *error) {
    char *end = NULL;
    const double value = strtod(text, &end);
    /* strtod also takes hexadecimals, "nan" and "infinity". */
    if (!*text || *end || strspn(text, "0123456789+-.eE") != strlen(text))
        return xc_document_refuse(document, id, error, "\"%s\" is not a number (%s)", text, path);
    if (!isfinite(value)) return xc_document_refuse(document, id, error, "%s is %s; it must be finite", path, text);
    return XC_OK;
}

/* "exp" means exponential, though elu is fewer letters away. */
static const char *propose(const char *text, const char *const *names) {
    for (const char *const *name = names; *name; name++)
        if (strlen(text) > 2 && strncasecmp(*name, text, strlen(text)) == 0) return *name;
    return xc_nearest(text, names);
}

static xc_status check_word(const xc_document *document, int id, const char *text, const cyaml_schema_value_t *schema,
                            const char *path, xc_error *error) {
    const char *names[MOST_NAMES] = {0};
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        if (strcasecmp(schema->enumeration.strings[i].str, text) == 0) return XC_OK;
        if (i + 1 < MOST_NAMES) names[i] = schema->enumeration.strings[i].str;
    }
    if (schema->enumeration.strings == xc_truth_words)
        return xc_document_refuse(document, id, error, "\"%s\" is not true or false (%s)", text, path);
    const char *dot = strrchr(path, '.');
    return xc_document_refuse(document, id, error, "unknown %s \"%s\" in %.*s; did you mean \"%s\"?",
                              dot ? dot + 1 : path, text, dot ? (int)(dot - path) : 0, path, propose(text, names));
}

static xc_status check_scalar(const xc_document *document, int id, const cyaml_schema_value_t *schema, const char *path,
                              xc_error *error) {
    const char *text = xc_document_text(document, id);
    if (!text) return xc_document_refuse(document, id, error, "%s must be one value, not a list or a section", path);
    if (strlen(text) != xc_document_node(document, id)->data.scalar.length)
        return xc_document_refuse(document, id, error, "%s contains a zero byte", path);
    switch (schema->type) {
        case CYAML_UINT:
            return check_whole(document, id, text, schema->data_size, path, error);
        case CYAML_FLOAT:
            return check_number(document, id, text, path, error);
        case CYAML_ENUM:
            return check_word(document, id, text, schema, path, error);
        default:
            return *text ? XC_OK : xc_document_refuse(document, id, error, "%s is empty", path);
    }
}

/* ---- sections --------------------------------------------------------------------------------------------------- */

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key) {
    for (; fields->key; fields++)
        if (strcmp(fields->key, key) == 0) return fields;
    return NULL;
}

/* The section within these fields that has the key, as when "epochs" is written beside "train" instead of under it. */
static const cyaml_schema_field_t *find_inside(const cyaml_schema_field_t *fields, const char *key) {
    for (; fields->key; fields++)
        if (fields->value.type == CYAML_MAPPING && find_field(fields->value.mapping.fields, key)) return fields;
    return NULL;
}

/* As find_inside, or in another section of the config when the key was met in one. */
static const cyaml_schema_field_t *find_home(const cyaml_schema_field_t *fields, const char *key, const char *path) {
    const cyaml_schema_field_t *inside = find_inside(fields, key);
    return inside || !*path ? inside : find_inside(xc_config_schema.mapping.fields, key);
}

static xc_status refuse_key(const xc_document *document, int id, const char *key, const cyaml_schema_field_t *fields,
                            const char *path, xc_error *error) {
    const cyaml_schema_field_t *inside = find_home(fields, key, path);
    const char *in = *path ? " in " : "";
    if (inside)
        return xc_document_refuse(document, id, error, "unknown key \"%s\"%s%s; did you mean \"%s.%s\"?", key, in, path,
                                  inside->key, key);
    const char *names[MOST_NAMES] = {0};
    for (int i = 0; fields[i].key && i + 1 < MOST_NAMES; i++) names[i] = fields[i].key;
    return xc_document_refuse(document, id, error, "unknown key \"%s\"%s%s; did you mean \"%s\"?", key, in, path,
                              xc_nearest(key, names));
}

static xc_status check_mapping(const xc_document *document, int id, const cyaml_schema_field_t *fields,
                               const char *path, xc_error *error) {
    xc_status status = XC_OK;
    const yaml_node_t *node = xc_document_node(document, id);
    if (node->type != YAML_MAPPING_NODE)
        return xc_document_refuse(document, id, error, "%s must be a section with keys, such as {%s: ...}", path,
                                  fields[0].key);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const char *key = xc_document_text(document, pair->key);
        if (!key) return xc_document_refuse(document, pair->key, error, "a key must be one word");
        const cyaml_schema_field_t *field = find_field(fields, key);
        if (!field) return refuse_key(document, pair->key, key, fields, path, error);
        for (const yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair; other++)
            if (strcmp(xc_document_text(document, other->key), key) == 0)
                return xc_document_refuse(document, pair->key, error, "key \"%s\" is given twice%s%s", key,
                                          *path ? " in " : "", path);
        if (xc_document_null(document, pair->value)) continue;
        char below[LONGEST_PATH];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key);
        XC_TRY(check_value(document, pair->value, &field->value, below, error));
    }
fail:
    return status;
}

static xc_status check_list(const xc_document *document, int id, const cyaml_schema_value_t *schema, const char *path,
                            xc_error *error) {
    xc_status status = XC_OK;
    const yaml_node_t *node = xc_document_node(document, id);
    const cyaml_schema_value_t *entry = schema->sequence.entry;
    if (node->type != YAML_SEQUENCE_NODE) {
        const char *text = xc_document_text(document, id);
        return xc_document_refuse(document, id, error, "%s must be a list, such as [%s]", path, text ? text : "...");
    }
    const int *items = node->data.sequence.items.start;
    const size_t count = (size_t)(node->data.sequence.items.top - items);
    if (count == 0)
        return xc_document_refuse(document, id, error, "%s is an empty list; put something in or leave it out", path);
    for (size_t i = 0; i < count; i++) {
        char below[LONGEST_PATH];
        snprintf(below, sizeof below, entry->type == CYAML_MAPPING ? "%s[%zu]" : "%s", path, i);
        XC_TRY(check_value(document, items[i], entry, below, error));
    }
fail:
    return status;
}

static xc_status check_value(const xc_document *document, int id, const cyaml_schema_value_t *schema, const char *path,
                             xc_error *error) {
    if (schema->type == CYAML_MAPPING) return check_mapping(document, id, schema->mapping.fields, path, error);
    if (schema->type == CYAML_SEQUENCE) return check_list(document, id, schema, path, error);
    return check_scalar(document, id, schema, path, error);
}

xc_status xc_document_check(const xc_document *document, const cyaml_schema_value_t *schema, xc_error *error) {
    return check_value(document, 1, schema, "", error);
}

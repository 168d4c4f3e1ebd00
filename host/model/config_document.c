/* config_document.c: the YAML tree of config_document.h: parsing by libyaml, overrides, defaults, and the hand-over to
 * libcyaml. libcyaml's own refusals are not used: it knows no --set, takes "1x" for 1 and any word for true, and
 * spreads an error over several log lines; the tree is checked before (config_refuse.c), so that libcyaml has nothing
 * to refuse.
 */
#include "config_document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const cyaml_config_t xc_document_cyaml = {.mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};

/* ---- reading the tree ------------------------------------------------------------------------------------------- */

yaml_node_t *xc_document_node(const xc_document *document, int id) {
    /* libyaml looks and changes nothing. */
    return id > 0 ? yaml_document_get_node((yaml_document_t *)&document->yaml, id) : NULL;
}

const char *xc_document_text(const xc_document *document, int id) {
    const yaml_node_t *node = xc_document_node(document, id);
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

bool xc_document_null(const xc_document *document, int id) {
    const char *text = xc_document_text(document, id);
    if (!text || xc_document_node(document, id)->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    return !*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

/* The pair of a key, or NULL. */
static yaml_node_pair_t *find_pair(const xc_document *document, int mapping, const char *key) {
    const yaml_node_t *node = xc_document_node(document, mapping);
    if (!node || node->type != YAML_MAPPING_NODE) return NULL;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const char *text = xc_document_text(document, pair->key);
        if (text && strcmp(text, key) == 0) return pair;
    }
    return NULL;
}

int xc_document_value(const xc_document *document, int mapping, const char *key) {
    const yaml_node_pair_t *pair = find_pair(document, mapping, key);
    return pair ? pair->value : 0;
}

bool xc_document_written(const xc_document *document, int node) {
    const int count = document->override_count;
    return node > 0 && node <= (count ? document->override_end[count - 1] : document->file_end);
}

int xc_document_find(const xc_document *document, const char *path) {
    int found = 0, node = 1;
    while (*path) {
        const size_t length = strcspn(path, ".[]");
        char step[128];
        snprintf(step, sizeof step, "%.*s", (int)length, path);
        path += length;
        path += strspn(path, ".[]");
        const yaml_node_t *here = xc_document_node(document, node);
        if (here && here->type == YAML_SEQUENCE_NODE) {
            const long index = atol(step), count = here->data.sequence.items.top - here->data.sequence.items.start;
            node = index < count ? here->data.sequence.items.start[index] : 0;
        } else {
            node = xc_document_value(document, node, step);
        }
        if (!xc_document_written(document, node)) break;
        found = node;
    }
    return found;
}

/* ---- refusing --------------------------------------------------------------------------------------------------- */

xc_status xc_document_refuse(const xc_document *document, int node, xc_error *error, const char *format, ...) {
    char line[XC_ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!xc_document_written(document, node)) return xc_fail(error, XC_INPUT, "%s: %s", document->name, line);
    if (node <= document->file_end) {
        const size_t number = xc_document_node(document, node)->start_mark.line + 1;
        return xc_fail(error, XC_INPUT, "%s:%zu: %s", document->name, number, line);
    }
    int i = 0;
    while (document->override_end[i] < node) i++;
    return xc_fail(error, XC_USAGE, "--set %s: %s", document->overrides[i], line);
}

/* ---- parsing ---------------------------------------------------------------------------------------------------- */

/* Whether line `number` (from 0) has a tab before its first word, the commonest reason for text that is not YAML. */
static bool indented_by_tab(const char *text, size_t size, size_t number) {
    const char *end = text + size;
    for (; number > 0 && text < end; text++) number -= *text == '\n';
    while (text < end && *text == ' ') text++;
    return text < end && *text == '\t';
}

/* Parses the first document of a text; `where` begins the error line, `lines`: followed by the line's number. */
static xc_status parse(const char *where, bool lines, xc_status kind, const char *text, size_t size,
                       yaml_document_t *out, xc_error *error) {
    yaml_parser_t parser;
    yaml_document_t second;
    xc_status status = XC_OK;
    memset(out, 0, sizeof *out);
    if (!yaml_parser_initialize(&parser)) return xc_fail(error, XC_MEMORY, "%s: out of memory", where);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool good = yaml_parser_load(&parser, out);
    if (good && yaml_document_get_root_node(out)) {
        good = yaml_parser_load(&parser, &second);
        const yaml_node_t *root = good ? yaml_document_get_root_node(&second) : NULL;
        if (root)
            status = xc_fail(error, kind, "%s:%zu: a second YAML document begins here; keep one a file", where,
                             root->start_mark.line + 1);
        if (good) yaml_document_delete(&second);
    }
    if (!good && !parser.problem) { /* its only fault without a description */
        status = xc_fail(error, XC_MEMORY, "%s: out of memory", where);
    } else if (!good) {
        const bool known = parser.error != YAML_READER_ERROR;
        const size_t line = known ? parser.problem_mark.line : 0;
        char number[32] = "";
        if (known && lines) snprintf(number, sizeof number, ":%zu", line + 1);
        status = xc_fail(error, kind, "%s%s: not YAML: %s%s", where, number, parser.problem,
                         known && indented_by_tab(text, size, line) ? "; indent with spaces, not with tabs" : "");
    }
    yaml_parser_delete(&parser);
    if (status != XC_OK) {
        yaml_document_delete(out);
        memset(out, 0, sizeof *out);
    }
    return status;
}

static int node_count(const yaml_document_t *yaml) { return (int)(yaml->nodes.top - yaml->nodes.start); }

xc_status xc_document_open(xc_document *document, const char *name, const char *text, size_t size, xc_error *error) {
    *document = (xc_document){.name = name};
    const xc_status status = parse(name, true, XC_INPUT, text, size, &document->yaml, error);
    if (status != XC_OK) return status;
    document->open = true;
    document->file_end = node_count(&document->yaml);
    const yaml_node_t *root = xc_document_node(document, 1);
    if (!root) return xc_fail(error, XC_INPUT, "%s: is empty; nothing is described here", name);
    if (root->type != YAML_MAPPING_NODE)
        return xc_document_refuse(document, 1, error, "must be sections with keys, such as \"data: {file: task1.h5}\"");
    return XC_OK;
}

void xc_document_close(xc_document *document) {
    if (document->open) yaml_document_delete(&document->yaml);
    free(document->override_end);
    *document = (xc_document){0};
}

/* ---- adding to the tree ----------------------------------------------------------------------------------------- */

static int add_scalar(yaml_document_t *to, const char *text, size_t length, yaml_scalar_style_t style) {
    return yaml_document_add_scalar(to, NULL, (const yaml_char_t *)text, (int)length, style);
}

/* Copies a node of another tree with all below it. Returns its number, 0 without memory. An alias is copied each time
 * it is met; `depth` ends a tree that holds itself. */
static int copy_node(yaml_document_t *to, yaml_document_t *from, int id, int depth) {
    const yaml_node_t *node = yaml_document_get_node(from, id);
    if (depth == 0) return 0;
    if (node->type == YAML_SCALAR_NODE)
        return add_scalar(to, (const char *)node->data.scalar.value, node->data.scalar.length, node->data.scalar.style);
    if (node->type == YAML_SEQUENCE_NODE) {
        const int list = yaml_document_add_sequence(to, NULL, YAML_FLOW_SEQUENCE_STYLE);
        for (const int *item = node->data.sequence.items.start; list && item < node->data.sequence.items.top; item++) {
            const int copy = copy_node(to, from, *item, depth - 1);
            if (!copy || !yaml_document_append_sequence_item(to, list, copy)) return 0;
        }
        return list;
    }
    const int mapping = yaml_document_add_mapping(to, NULL, YAML_FLOW_MAPPING_STYLE);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; mapping && pair < node->data.mapping.pairs.top;
         pair++) {
        const int key = copy_node(to, from, pair->key, depth - 1);
        const int value = key ? copy_node(to, from, pair->value, depth - 1) : 0;
        if (!value || !yaml_document_append_mapping_pair(to, mapping, key, value)) return 0;
    }
    return mapping;
}

enum { DEEPEST = 8 }; /* a config's values are at most four levels deep */

/* Sets a key of a mapping to a node, whether or not it was there. */
static bool put(xc_document *document, int mapping, const char *key, size_t length, int value) {
    char word[128];
    if (!value || length >= sizeof word) return false;
    snprintf(word, sizeof word, "%.*s", (int)length, key);
    yaml_node_pair_t *pair = find_pair(document, mapping, word);
    if (pair) {
        pair->value = value;
        return true;
    }
    const int node = add_scalar(&document->yaml, key, length, YAML_PLAIN_SCALAR_STYLE);
    return node && yaml_document_append_mapping_pair(&document->yaml, mapping, node, value);
}

/* The mapping under a key of a mapping, made when there is none. */
static xc_status enter(xc_document *document, const char *where, const char *key, size_t length, int *mapping,
                       xc_error *error) {
    char step[128];
    snprintf(step, sizeof step, "%.*s", (int)length, key);
    int next = xc_document_value(document, *mapping, step);
    if (!next || xc_document_null(document, next)) {
        next = yaml_document_add_mapping(&document->yaml, NULL, YAML_FLOW_MAPPING_STYLE);
        if (!put(document, *mapping, key, length, next)) return xc_fail(error, XC_MEMORY, "%s: out of memory", where);
    } else if (xc_document_node(document, next)->type != YAML_MAPPING_NODE) {
        return xc_fail(error, XC_USAGE, "%s: %s has no keys of its own", where, step);
    }
    *mapping = next;
    return XC_OK;
}

/* Sets a key of a mapping to a value written as YAML; no text is "not given". */
static xc_status assign(xc_document *document, const char *where, int mapping, const char *key, size_t length,
                        const char *text, xc_error *error) {
    yaml_document_t value;
    xc_status status = parse(where, false, XC_USAGE, text, strlen(text), &value, error);
    if (status != XC_OK) return status;
    errno = 0;
    const int node = yaml_document_get_root_node(&value) ? copy_node(&document->yaml, &value, 1, DEEPEST)
                                                         : add_scalar(&document->yaml, "", 0, YAML_PLAIN_SCALAR_STYLE);
    if (!put(document, mapping, key, length, node))
        status = errno == ENOMEM ? xc_fail(error, XC_MEMORY, "%s: out of memory", where)
                                 : xc_fail(error, XC_USAGE, "%s: the value is too deep", where);
    yaml_document_delete(&value);
    return status;
}

/* Whether a value is meant for a whole section: keys in braces, or null for "not given". */
static bool is_section(const char *value) {
    return value[0] == '{' || strcmp(value, "null") == 0 || strcmp(value, "~") == 0;
}

static xc_status override_one(xc_document *document, const char *override, xc_error *error) {
    char where[256];
    int mapping = 1;
    snprintf(where, sizeof where, "--set %s", override);
    for (const char *key = override;;) {
        const size_t length = strcspn(key, ".=");
        const bool last = key[length] == '=';
        if (length == 0 || length > 100 || !key[length] || (last && key == override && !is_section(key + length + 1)))
            return xc_fail(error, XC_USAGE, "%s: write --set section.key=value, such as --set train.epochs=50", where);
        if (last) return assign(document, where, mapping, key, length, key + length + 1, error);
        const xc_status status = enter(document, where, key, length, &mapping, error);
        if (status != XC_OK) return status;
        key += length + 1;
    }
}

xc_status xc_document_override(xc_document *document, const char *const *overrides, int count, xc_error *error) {
    xc_status status = XC_OK;
    if (count == 0) return XC_OK;
    XC_TRY(xc_allocate(&document->override_end, (size_t)count, sizeof *document->override_end, "overrides", error));
    document->overrides = overrides;
    for (int i = 0; i < count; i++) {
        XC_TRY(override_one(document, overrides[i], error));
        document->override_end[i] = node_count(&document->yaml);
        document->override_count = i + 1;
    }
fail:
    return status;
}

/* ---- defaults --------------------------------------------------------------------------------------------------- */

static bool complete(xc_document *document, int mapping, yaml_document_t *defaults, int id) {
    const yaml_node_t *from = yaml_document_get_node(defaults, id);
    for (const yaml_node_pair_t *pair = from->data.mapping.pairs.start; pair < from->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(defaults, pair->key);
        const char *word = (const char *)key->data.scalar.value;
        const int present = xc_document_value(document, mapping, word);
        if (!present || xc_document_null(document, present)) {
            const int value = copy_node(&document->yaml, defaults, pair->value, DEEPEST);
            if (!put(document, mapping, word, key->data.scalar.length, value)) return false;
        } else if (xc_document_node(document, present)->type == YAML_MAPPING_NODE) {
            if (!complete(document, present, defaults, pair->value)) return false;
        }
    }
    return true;
}

xc_status xc_document_complete(xc_document *document, int node, const char *defaults, xc_error *error) {
    yaml_document_t tree;
    xc_status status = parse("defaults", true, XC_INPUT, defaults, strlen(defaults), &tree, error);
    if (status != XC_OK) return status;
    if (!complete(document, node, &tree, 1)) status = xc_fail(error, XC_MEMORY, "%s: out of memory", document->name);
    yaml_document_delete(&tree);
    return status;
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

void xc_document_quote(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            fprintf(stream, "\\x%02X", c);
        else if (c == '"' || c == '\\')
            fprintf(stream, "\\%c", c);
        else
            fputc(c, stream);
    }
    fputc('"', stream);
}

/* Writes a checked tree as one line of JSON, which is YAML; pairs that stand for "not given" are left out. */
static void write_node(const xc_document *document, int id, FILE *stream) {
    const yaml_node_t *node = xc_document_node(document, id);
    const char *separator = "";
    if (node->type == YAML_SCALAR_NODE) {
        xc_document_quote(stream, (const char *)node->data.scalar.value);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        fputc('[', stream);
        for (const int *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
            fputs(separator, stream);
            write_node(document, *item, stream);
            separator = ", ";
        }
        fputc(']', stream);
    } else {
        fputc('{', stream);
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
             pair++) {
            if (xc_document_null(document, pair->value)) continue;
            fputs(separator, stream);
            write_node(document, pair->key, stream);
            fputs(": ", stream);
            write_node(document, pair->value, stream);
            separator = ", ";
        }
        fputc('}', stream);
    }
}

xc_status xc_document_load(const xc_document *document, const cyaml_schema_value_t *schema, void **data,
                           xc_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return xc_fail(error, XC_MEMORY, "%s: out of memory", document->name);
    write_node(document, 1, stream);
    const bool good = !ferror(stream);
    if (fclose(stream) != 0 || !good || !text) {
        free(text);
        return xc_fail(error, XC_MEMORY, "%s: out of memory", document->name);
    }
    *data = NULL;
    const cyaml_err_t problem =
        cyaml_load_data((const uint8_t *)text, size, &xc_document_cyaml, schema, (cyaml_data_t **)data, NULL);
    free(text);
    if (problem == CYAML_OK && *data) return XC_OK;
    /* What it could refuse was refused before; libyaml below it reports exhausted memory in several ways. */
    return xc_fail(error, XC_MEMORY, "%s: out of memory (libcyaml: %s)", document->name, cyaml_strerror(problem));
}

/* config_write.c: a config as YAML, every default written out, by a walk over the schema: sections in block style,
 * small ones and blocks on one line. What is absent (NULL, an empty list, an optional 0) is left out, as is a sweep of
 * one trial. The same config gives the same text.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_schema.h"

void xc_config_number(double value, char text[32]) {
    int digits = 1;
    do snprintf(text, 32, "%.*e", digits - 1, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    char *mark = strchr(text, 'e');
    if (!mark) return; /* not finite */
    const int exponent = atoi(mark + 1), decimals = digits - 1 - exponent;
    if (exponent >= -5 && exponent < 15)
        snprintf(text, 32, "%.*f", decimals > 0 ? decimals : 0, value);
    else /* YAML 1.1 takes 1e-7 for a word and 1.0e-7 for a number */
        snprintf(mark, 8, "%se%d", digits == 1 ? ".0" : "", exponent);
}

static void write_string(FILE *stream, const char *text) {
    static const char *const taken[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789_./-";
    bool plain = strchr(letters, text[0]) != NULL && text[0];
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) plain = plain && strcasecmp(text, taken[i]) != 0;
    for (const char *c = text; plain && *c; c++) plain = strchr(letters, *c) || strchr(others, *c);
    if (plain)
        fputs(text, stream);
    else
        xc_document_quote(stream, text);
}

/* An unsigned number or enumeration of `size` bytes, or a list's count. */
static uint64_t whole_at(const void *data, uint32_t size) {
    uint8_t one;
    uint32_t four;
    uint64_t eight;
    switch (size) {
        case 1:
            return memcpy(&one, data, 1), one;
        case 4:
            return memcpy(&four, data, 4), four;
        default:
            return memcpy(&eight, data, 8), eight;
    }
}

static const char *word_of(const cyaml_schema_value_t *schema, uint64_t value) {
    for (uint32_t i = 0; i < schema->enumeration.count; i++)
        if ((uint64_t)schema->enumeration.strings[i].val == value) return schema->enumeration.strings[i].str;
    return "";
}

static void write_scalar(FILE *stream, const cyaml_schema_value_t *schema, const void *data) {
    char number[32];
    double value;
    switch (schema->type) {
        case CYAML_UINT:
            fprintf(stream, "%llu", (unsigned long long)whole_at(data, schema->data_size));
            break;
        case CYAML_ENUM:
            fputs(word_of(schema, whole_at(data, schema->data_size)), stream);
            break;
        case CYAML_FLOAT:
            memcpy(&value, data, sizeof value);
            xc_config_number(value, number);
            fputs(number, stream);
            break;
        default:
            write_string(stream, data);
            break;
    }
}

/* Where a field's value is: behind the pointer, when it is one. NULL: absent. */
static const void *value_of(const cyaml_schema_field_t *field, const char *section) {
    const void *data = section + field->data_offset;
    if (field->value.flags & CYAML_FLAG_POINTER) memcpy(&data, data, sizeof data);
    return data;
}

static bool is_absent(const cyaml_schema_field_t *field, const char *section) {
    if (!value_of(field, section)) return true;
    if (field->value.type == CYAML_SEQUENCE) return whole_at(section + field->count_offset, field->count_size) == 0;
    return field->value.type == CYAML_UINT && (field->value.flags & CYAML_FLAG_OPTIONAL) &&
           whole_at(section + field->data_offset, field->value.data_size) == 0;
}

static void write_flow(FILE *stream, const cyaml_schema_value_t *schema, const char *section);

/* A list of mappings has one a line; others stand in brackets. */
static void write_list(FILE *stream, const cyaml_schema_value_t *entry, const char *items, uint64_t count) {
    const bool mappings = entry->type == CYAML_MAPPING, pointers = entry->flags & CYAML_FLAG_POINTER;
    if (!mappings) fputs(" [", stream);
    for (uint64_t i = 0; i < count; i++) {
        const char *item = items + i * (pointers ? sizeof(char *) : entry->data_size);
        if (pointers) memcpy(&item, item, sizeof item);
        if (mappings) {
            fputs("\n    - ", stream);
            write_flow(stream, entry, item);
        } else {
            fputs(i ? ", " : "", stream);
            write_scalar(stream, entry, item);
        }
    }
    fputs(mappings ? "" : "]", stream);
}

/* What follows "key:" of a list or a scalar. */
static void write_value(FILE *stream, const cyaml_schema_field_t *field, const char *section) {
    const void *value = value_of(field, section);
    if (field->value.type == CYAML_SEQUENCE) {
        write_list(stream, field->value.sequence.entry, value,
                   whole_at(section + field->count_offset, field->count_size));
    } else {
        fputc(' ', stream);
        write_scalar(stream, &field->value, value);
    }
}

static void write_flow(FILE *stream, const cyaml_schema_value_t *schema, const char *section) {
    const bool block = schema->mapping.fields == xc_block_fields;
    const char *separator = "{";
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key; field++) {
        if (is_absent(field, section)) continue;
        if (block && !xc_block_takes((const xc_block_config *)section, field->key)) continue;
        fprintf(stream, "%s%s:", separator, field->key);
        write_value(stream, field, section);
        separator = ", ";
    }
    fputc('}', stream);
}

static void write_section(FILE *stream, const cyaml_schema_field_t *fields, const char *section, const char *indent) {
    for (const cyaml_schema_field_t *field = fields; field->key; field++) {
        if (is_absent(field, section)) continue;
        const void *value = value_of(field, section);
        fprintf(stream, "%s%s:", indent, field->key);
        if (field->value.type != CYAML_MAPPING) {
            write_value(stream, field, section);
        } else if (field->value.flags & CYAML_FLAG_FLOW) {
            fputc(' ', stream);
            write_flow(stream, &field->value, value);
        } else {
            fputc('\n', stream);
            write_section(stream, field->value.mapping.fields, value, "  ");
            continue;
        }
        fputc('\n', stream);
    }
}

static bool sweeps(const xc_sweep_config *sweep) {
    return sweep->zoo_count || sweep->activation_count || sweep->init_count || sweep->stddev_count ||
           sweep->scale_count || sweep->clip_count || sweep->learning_rate_count || sweep->seeds != 1;
}

xc_status xc_config_write(const xc_config *config, char **text, xc_error *error) {
    size_t size = 0;
    *text = NULL;
    FILE *stream = open_memstream(text, &size);
    if (!stream) return xc_fail(error, XC_MEMORY, "out of memory for the text of a config");
    for (const cyaml_schema_field_t *section = xc_config_schema.mapping.fields; section->key; section++) {
        if (strcmp(section->key, "sweep") == 0 && !sweeps(&config->sweep)) continue;
        const cyaml_schema_field_t one[] = {*section, {0}};
        write_section(stream, one, (const char *)config, "");
    }
    const bool good = !ferror(stream);
    if (fclose(stream) == 0 && good && *text) return XC_OK;
    free(*text);
    *text = NULL;
    return xc_fail(error, XC_MEMORY, "out of memory for the text of a config");
}

/* config_document.h: a YAML text as a tree that remembers where every value came from, so that each refusal can name
 * the file and line, or the --set, that caused it. Shared by the config*.c files alone; a document belongs to one
 * thread.
 *
 * The way of a config: open (libyaml) -> override -> check against the schema -> complete with defaults -> load
 * (libcyaml).
 */
#ifndef EXPCONV_CONFIG_DOCUMENT_H
#define EXPCONV_CONFIG_DOCUMENT_H

#include <cyaml/cyaml.h>
#include <yaml.h>

#include "expconv/base.h"

typedef struct xc_document {
    yaml_document_t yaml;
    bool open;
    const char *name;             /* of the file, for error lines; borrowed */
    const char *const *overrides; /* (override_count) "section.key=value"; borrowed */
    int *override_end; /* (override_count) nodes after the previous end up to this one are of this override */
    int override_count;
    int file_end; /* nodes 1 .. file_end are of the file */
} xc_document;

/* Parses one YAML document; its root is a mapping. Close it also on failure. */
xc_status xc_document_open(xc_document *document, const char *name, const char *text, size_t size, xc_error *error);
void xc_document_close(xc_document *document);

/* Puts "section.key=value" into the tree, in order; the last one for a key wins. */
xc_status xc_document_override(xc_document *document, const char *const *overrides, int count, xc_error *error);

/* Refuses unknown and repeated keys and values of a wrong kind, by libcyaml's own schema of the root. */
xc_status xc_document_check(const xc_document *document, const cyaml_schema_value_t *schema, xc_error *error);

/* Adds to the mapping `node` each pair of the mapping in `defaults` (YAML) that it lacks, sections within sections. */
xc_status xc_document_complete(xc_document *document, int node, const char *defaults, xc_error *error);

/* Loads the tree into fresh memory by the schema; release it with cyaml_free. */
xc_status xc_document_load(const xc_document *document, const cyaml_schema_value_t *schema, void **data,
                           xc_error *error);

/* The node at "section.key[3]" (list entries from 0), or the deepest one on the way that the user wrote; 0: the file.
 */
int xc_document_find(const xc_document *document, const char *path);

/* The node of a key's value in a mapping; 0 when there is none. */
int xc_document_value(const xc_document *document, int mapping, const char *key);

/* Node `id`, or NULL. The pointer is good until the next node is added. */
yaml_node_t *xc_document_node(const xc_document *document, int id);

/* Whether the user, not a default, wrote the node. */
bool xc_document_written(const xc_document *document, int node);

/* The text of a scalar, NULL of other nodes; and whether it is a plain ~, null or nothing, which stands for "not
 * given". */
const char *xc_document_text(const xc_document *document, int node);
bool xc_document_null(const xc_document *document, int node);

/* Fails with "FILE:LINE: ..." or "--set OVERRIDE: ...": XC_INPUT for the file, XC_USAGE for the command line. */
xc_status xc_document_refuse(const xc_document *document, int node, xc_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* Writes a text in double quotes, with YAML's escapes. */
void xc_document_quote(FILE *stream, const char *text);

/* The functions with which libcyaml allocates and logs; its log is kept silent. */
extern const cyaml_config_t xc_document_cyaml;

#endif

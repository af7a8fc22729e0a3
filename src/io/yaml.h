/* io/yaml.h: a YAML text, flattened to names and texts: what Marian keeps its settings and vocabularies in.
 *
 *     models: [a.npz]         gives   "models.0"  "a.npz"
 *     beam: {size: 6}                 "beam.size" "6"
 *
 * Values are texts as they stand, whatever a YAML reader would make of ~, yes or 012. */
#ifndef ATTN_IO_YAML_H
#define ATTN_IO_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct attn_yaml attn_yaml;

/* `where` names the file in messages, with the line. ATTN_ERR_FORMAT: no YAML, nested too deep, more than one
 * document, no map or list; ATTN_ERR_UNSUPPORTED: aliases, with which a short text can stand for a huge one,
 * and keys that are no scalars. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_yaml_parse(const char *text, size_t size, const char *where,
                                            attn_yaml **out, attn_error *error);
void attn_yaml_free(attn_yaml *yaml);

/* Entry i in the order of the text; false past the end. What is returned lives as long as yaml. */
bool attn_yaml_at(const attn_yaml *yaml, size_t index, const char **name, const char **value);
size_t attn_yaml_count(const attn_yaml *yaml);
/* The value of a name, the first where there are several; NULL when there is none. */
const char *attn_yaml_find(const attn_yaml *yaml, const char *name);

#endif

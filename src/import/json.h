/* import/json.h: settings in JSON, as transformers and CTranslate2 write them. */
#ifndef ATTN_IMPORT_JSON_H
#define ATTN_IMPORT_JSON_H

#include <jansson.h>

#include "io/bundle.h"

/* A file of the bundle; *out is freed with json_decref. ATTN_ERR_FORMAT: no JSON, or neither an object nor a list. */
ATTN_MUST_CHECK attn_status attn_import_json(attn_bundle *bundle, const char *name, json_t **out,
                                             attn_error *error);
/* The value of a key, or the default when it is missing or of another type. */
int64_t attn_json_number(const json_t *object, const char *key, int64_t otherwise);
bool attn_json_flag(const json_t *object, const char *key, bool otherwise);
const char *attn_json_text(const json_t *object, const char *key, const char *otherwise);

#endif

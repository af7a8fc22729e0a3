/* import/json.c: see json.h. */
#include "import/json.h"

#include "base/fail.h"
#include "base/memory.h"

enum { LIMIT = 256 << 20 };

attn_status attn_import_json(attn_bundle *bundle, const char *name, json_t **out,
                             attn_error *error) {
    char *text;
    size_t size;
    json_error_t cause = {.text = ""};
    *out = NULL;
    attn_status status = attn_bundle_read(bundle, name, LIMIT, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &cause);
    attn_free(text);
    if (*out == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, cause.line, NULL, "%s", cause.text);
    }
    return ATTN_OK;
}

int64_t attn_json_number(const json_t *object, const char *key, int64_t otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

bool attn_json_flag(const json_t *object, const char *key, bool otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *attn_json_text(const json_t *object, const char *key, const char *otherwise) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : otherwise;
}

/* import/json.c: see json.h. */
#include "import/json.h"

#include "base/fail.h"
#include "base/memory.h"

enum { LIMIT = 256 << 20 };
static const double MOST = 9007199254740992.0; /* 2^53: whole numbers below it are exact */

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
    if (*out == NULL && json_error_code(&cause) == json_error_numeric_overflow) {
        /* transformers writes 10^30 for "no limit" */
        *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &cause);
    }
    attn_free(text);
    if (*out == NULL) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, cause.line, NULL, "%s", cause.text);
    }
    return ATTN_OK;
}

int64_t attn_json_number(const json_t *object, const char *key, int64_t otherwise) {
    const json_t *value = json_object_get(object, key);
    double real = json_is_real(value) ? json_real_value(value) : 0.5;
    if (real > -MOST && real < MOST && real == (double)(int64_t)real) {
        return (int64_t)real; /* of a file with a number that no integer holds */
    }
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

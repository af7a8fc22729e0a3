/* io/ctranslate2.c: the file is a version, the name and revision of the specification, a list of variables
 * (name, rank, dimensions, type, bytes) and a list of aliases (name, name of a variable).
 *
 * Version 1 names no specification, 1 and 2 have no aliases, 1 to 3 give the width of an element for its
 * type, and a count for the bytes. */
#include "io/ctranslate2.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "io/cursor.h"
#include "io/dtype.h"

enum { NEWEST = 6, NAMES_SPEC = 2, HAS_ALIASES = 3, HAS_TYPES = 4 };

typedef struct reader {
    attn_cursor at;
    attn_tensor_list *list;
    attn_error *error;
    uint64_t version;
} reader;

bool attn_ctranslate2_begins(const void *bytes, size_t size) {
    const unsigned char *b = bytes;
    return size >= 8 && b[0] >= 1 && b[0] <= NEWEST && b[1] == 0 && b[2] == 0 && b[3] == 0;
}

static attn_status read_number(reader *r, size_t width, const char *what, uint64_t *value) {
    return attn_cursor_number(&r->at, width, value) ? ATTN_OK
                                                    : attn_cursor_short(&r->at, what, r->error);
}

/* A string is its length with the NUL, its bytes, and the NUL. */
static attn_status read_string(reader *r, const char *what, const char **text) {
    uint64_t length = 0;
    attn_status status = read_number(r, 2, what, &length);
    if (status != ATTN_OK) {
        return status;
    }
    const char *bytes = (const char *)attn_cursor_take(&r->at, length);
    if (bytes == NULL) {
        return attn_cursor_short(&r->at, what, r->error);
    }
    if (length == 0 || strnlen(bytes, (size_t)length) != length - 1) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->at.where, attn_cursor_position(&r->at),
                         "the file is damaged", "%s does not end where its length says", what);
    }
    *text = bytes;
    return ATTN_OK;
}

static attn_status add_number(reader *r, const char *key, uint64_t value) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    return attn_tensor_list_add_text(r->list, key, digits, (size_t)length, r->error);
}

static attn_status read_start(reader *r) {
    const char *spec = NULL;
    uint64_t revision = 1;
    attn_status status = read_number(r, 4, "the version", &r->version);
    if (status == ATTN_OK && (r->version < 1 || r->version > NEWEST)) {
        return attn_fail(r->error, ATTN_ERR_UNSUPPORTED, r->at.where, 0,
                         "convert the model again with CTranslate2 4",
                         "version %" PRIu64 " of model.bin; 1 to %d can be read", r->version,
                         NEWEST);
    }
    if (status == ATTN_OK && r->version >= NAMES_SPEC) {
        status = read_string(r, "the name of the specification", &spec);
        status = status == ATTN_OK
                     ? attn_tensor_list_add_text(r->list, "spec", spec, strlen(spec), r->error)
                     : status;
        status = status == ATTN_OK ? read_number(r, 4, "the revision", &revision) : status;
    }
    status = status == ATTN_OK ? add_number(r, "revision", revision) : status;
    return status == ATTN_OK ? add_number(r, "binary_version", r->version) : status;
}

/* ---- variables ---- */

static attn_status bad_type(reader *r, const char *name, const char *field, uint64_t value) {
    char quoted[120];
    return attn_fail(r->error, ATTN_ERR_FORMAT, r->at.where, attn_cursor_position(&r->at),
                     "the file is damaged", "variable \"%s\" has the %s %" PRIu64,
                     attn_utf8_quote(quoted, sizeof quoted, name), field, value);
}

static attn_status read_shape(reader *r, attn_tensor_info *v) {
    uint64_t rank = 0;
    attn_status status = read_number(r, 1, "a rank", &rank);
    if (status == ATTN_OK && rank > ATTN_MAX_RANK) {
        return bad_type(r, v->name, "rank", rank);
    }
    for (v->rank = 0; status == ATTN_OK && v->rank < (int)rank; v->rank++) {
        uint64_t size = 0;
        status = read_number(r, 4, "a dimension", &size);
        v->shape[v->rank] = (int64_t)size;
    }
    return status;
}

/* The type, and how many bytes follow. */
static attn_status read_type(reader *r, attn_tensor_info *v, uint64_t *bytes) {
    static const attn_dtype types[] = {ATTN_DTYPE_F32, ATTN_DTYPE_I8,  ATTN_DTYPE_I16,
                                       ATTN_DTYPE_I32, ATTN_DTYPE_F16, ATTN_DTYPE_BF16};
    uint64_t type = 0;
    attn_status status = read_number(r, 1, "a type", &type);
    status = status == ATTN_OK ? read_number(r, 4, "a size", bytes) : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (r->version >= HAS_TYPES) {
        if (type >= sizeof types / sizeof *types) {
            return bad_type(r, v->name, "type", type);
        }
        v->dtype = types[type];
        return ATTN_OK;
    }
    if (type != 1 && type != 2 && type != 4) {
        return bad_type(r, v->name, "width", type);
    }
    v->dtype = type == 4 ? ATTN_DTYPE_F32 : type == 2 ? ATTN_DTYPE_I16 : ATTN_DTYPE_I8;
    *bytes *= type;
    return ATTN_OK;
}

static attn_status read_variable(reader *r) {
    attn_tensor_info v = {.name = ""};
    uint64_t bytes = 0;
    size_t needed = 0;
    int64_t position = attn_cursor_position(&r->at);
    attn_status status = read_string(r, "the name of a variable", &v.name);
    status = status == ATTN_OK ? read_shape(r, &v) : status;
    status = status == ATTN_OK ? read_type(r, &v, &bytes) : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_tensor_bytes(v.dtype, v.rank, v.shape, &needed) && bytes != needed) {
        return bad_type(r, v.name, "wrong size", bytes);
    }
    v.data = attn_cursor_take(&r->at, bytes);
    if (v.data == NULL) {
        return attn_cursor_short(&r->at, v.name, r->error);
    }
    return attn_tensor_list_add(r->list, &v, (size_t)bytes, position, r->error);
}

static attn_status read_variables(reader *r) {
    uint64_t count = 0;
    attn_status status = read_number(r, 4, "the number of variables", &count);
    if (status == ATTN_OK && count == 0) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->at.where, attn_cursor_position(&r->at),
                         "is it the file with the weights?", "a model without a variable");
    }
    for (uint64_t i = 0; status == ATTN_OK && i < count; i++) {
        status = read_variable(r);
    }
    return status == ATTN_OK ? attn_tensor_list_finish(r->list, r->error) : status;
}

/* ---- aliases ---- */

static attn_status add_again(reader *r, const char *alias, const attn_tensor_info *variable,
                             int64_t position) {
    attn_tensor_info v = *variable;
    v.name = alias;
    return attn_tensor_list_add(r->list, &v, v.size, position, r->error);
}

static attn_status read_alias(reader *r) {
    const char *alias = NULL, *name = NULL;
    char quoted[120];
    int64_t position = attn_cursor_position(&r->at);
    attn_status status = read_string(r, "the name of an alias", &alias);
    status = status == ATTN_OK ? read_string(r, "the variable of an alias", &name) : status;
    if (status != ATTN_OK) {
        return status;
    }
    const attn_tensor_info *variable = attn_tensor_list_find(r->list, name);
    if (variable == NULL) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->at.where, position, "the file is damaged",
                         "an alias stands for \"%s\", which is not there",
                         attn_utf8_quote(quoted, sizeof quoted, name));
    }
    return add_again(r, alias, variable, position);
}

/* What stands for a quantised variable stands for its scale as well, unless the file says so itself. */
static attn_status alias_scale(reader *r, const char *alias, const char *name) {
    char scale_alias[ATTN_TENSOR_NAME_LIMIT + 8], scale_name[ATTN_TENSOR_NAME_LIMIT + 8];
    snprintf(scale_alias, sizeof scale_alias, "%s_scale", alias);
    snprintf(scale_name, sizeof scale_name, "%s_scale", name);
    const attn_tensor_info *scale = attn_tensor_list_find(r->list, scale_name);
    if (scale == NULL || attn_tensor_list_find(r->list, scale_alias) != NULL) {
        return ATTN_OK;
    }
    return add_again(r, scale_alias, scale, attn_cursor_position(&r->at));
}

static attn_status alias_scales(reader *r, const unsigned char *start, uint64_t count) {
    attn_status status = attn_tensor_list_finish(r->list, r->error);
    r->at.at = start;
    for (uint64_t i = 0; status == ATTN_OK && i < count; i++) {
        const char *alias = NULL, *name = NULL;
        status = read_string(r, "the name of an alias", &alias);
        status = status == ATTN_OK ? read_string(r, "the variable of an alias", &name) : status;
        status = status == ATTN_OK ? alias_scale(r, alias, name) : status;
    }
    return status == ATTN_OK ? attn_tensor_list_finish(r->list, r->error) : status;
}

static attn_status read_aliases(reader *r) {
    uint64_t count = 0;
    attn_status status = read_number(r, 4, "the number of aliases", &count);
    const unsigned char *start = r->at.at;
    for (uint64_t i = 0; status == ATTN_OK && i < count; i++) {
        status = read_alias(r);
    }
    return status == ATTN_OK ? alias_scales(r, start, count) : status;
}

attn_status attn_ctranslate2_read(const void *bytes, size_t size, attn_tensor_list *list,
                                  attn_error *error) {
    reader r = {.at = attn_cursor_over(bytes, size, list->where), .list = list, .error = error};
    attn_status status = read_start(&r);
    status = status == ATTN_OK ? read_variables(&r) : status;
    if (status == ATTN_OK && r.version >= HAS_ALIASES) {
        status = read_aliases(&r);
    }
    if (status == ATTN_OK && attn_cursor_left(&r.at) > 0) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, list->where, attn_cursor_position(&r.at),
                      "the file is damaged", "%zu bytes follow the model", attn_cursor_left(&r.at));
    }
    return status;
}

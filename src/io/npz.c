/* io/npz.c: an array is "\x93NUMPY", two bytes of version, the length of a header, the header and the data.
 * The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }. */
#include "io/npz.h"

#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "io/cursor.h"
#include "io/strided.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC_SIZE = sizeof magic - 1, STRING_SIZE = 32, QUOTE_SIZE = 120 };

typedef struct reader {
    const char *name;     /* of the array */
    const char *at, *end; /* of the header */
    bool fortran;
    attn_tensor_info array;
    attn_tensor_list *list;
    attn_error *error;
} reader;

static attn_status bad_array(reader *r, attn_status status, const char *hint, const char *what) {
    char quoted[QUOTE_SIZE];
    return attn_fail(r->error, status, r->list->where, -1, hint, "array \"%s\" %s",
                     attn_utf8_quote(quoted, sizeof quoted, r->name), what);
}

static attn_status bad_header(reader *r) {
    return bad_array(r, ATTN_ERR_FORMAT, "the file is damaged: fetch it again",
                     "has a header that numpy would not write");
}

/* ---- the header ---- */

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t')) {
        r->at++;
    }
}

/* Steps over one character, if it is next. */
static bool skip(reader *r, char wanted) {
    skip_space(r);
    bool there = r->at < r->end && *r->at == wanted;
    r->at += there;
    return there;
}

static bool skip_word(reader *r, const char *word) {
    size_t length = strlen(word);
    skip_space(r);
    bool there = (size_t)(r->end - r->at) >= length && memcmp(r->at, word, length) == 0;
    r->at += there ? length : 0;
    return there;
}

static bool read_string(reader *r, char text[STRING_SIZE]) {
    char quote = skip(r, '\'') ? '\'' : skip(r, '"') ? '"' : '\0';
    const char *end = quote != '\0' ? memchr(r->at, quote, (size_t)(r->end - r->at)) : NULL;
    if (end == NULL || end - r->at >= STRING_SIZE) {
        return false;
    }
    memcpy(text, r->at, (size_t)(end - r->at));
    text[end - r->at] = '\0';
    r->at = end + 1;
    return true;
}

static bool read_number(reader *r, int64_t *value) {
    skip_space(r);
    const char *start = r->at;
    *value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *r->at - '0', value)) {
            return false;
        }
        r->at++;
    }
    skip(r, 'L'); /* Python 2 wrote 3L */
    return r->at > start;
}

/* (), (3,) or (2, 3) */
static bool read_shape(reader *r) {
    attn_tensor_info *a = &r->array;
    if (!skip(r, '(')) {
        return false;
    }
    for (a->rank = 0; !skip(r, ')'); a->rank++) {
        if (a->rank == ATTN_MAX_RANK || (a->rank > 0 && !skip(r, ','))) {
            return false;
        }
        if (skip(r, ')')) {
            break;
        }
        if (!read_number(r, &a->shape[a->rank])) {
            return false;
        }
    }
    return true;
}

static attn_status read_type(reader *r) {
    static const struct {
        const char *name;
        attn_dtype dtype;
    } types[] = {{"f4", ATTN_DTYPE_F32}, {"f8", ATTN_DTYPE_F64}, {"f2", ATTN_DTYPE_F16},
                 {"i1", ATTN_DTYPE_I8},  {"u1", ATTN_DTYPE_U8},  {"i2", ATTN_DTYPE_I16},
                 {"i4", ATTN_DTYPE_I32}, {"i8", ATTN_DTYPE_I64}, {"b1", ATTN_DTYPE_U8}};
    char text[STRING_SIZE];
    if (skip(r, '[') || !read_string(r, text)) {
        return bad_array(r, ATTN_ERR_UNSUPPORTED, "save plain arrays of numbers",
                         "has a type of several fields");
    }
    bool swapped = text[0] == '>' && strcmp(text, ">i1") != 0 && strcmp(text, ">u1") != 0;
    for (size_t i = 0; !swapped && i < sizeof types / sizeof *types; i++) {
        if (text[0] != '\0' && strcmp(text + 1, types[i].name) == 0) {
            r->array.dtype = types[i].dtype;
            return ATTN_OK;
        }
    }
    return swapped ? bad_array(r, ATTN_ERR_UNSUPPORTED, "save it as little-endian",
                               "has its bytes in the other order")
                   : bad_array(r, ATTN_ERR_UNSUPPORTED, "save plain arrays of numbers",
                               "has a type that is no common number");
}

static attn_status read_header(reader *r) {
    bool type = false, order = false, shape = false;
    char key[STRING_SIZE];
    if (!skip(r, '{')) {
        return bad_header(r);
    }
    while (!skip(r, '}')) {
        if (!read_string(r, key) || !skip(r, ':')) {
            return bad_header(r);
        }
        if (strcmp(key, "descr") == 0 && !type) {
            type = true;
            attn_status status = read_type(r);
            if (status != ATTN_OK) {
                return status;
            }
        } else if (strcmp(key, "fortran_order") == 0 && !order) {
            order = true;
            r->fortran = skip_word(r, "True");
            if (!r->fortran && !skip_word(r, "False")) {
                return bad_header(r);
            }
        } else if (strcmp(key, "shape") != 0 || shape || !(shape = read_shape(r))) {
            return bad_header(r);
        }
        skip(r, ',');
    }
    skip_space(r);
    return type && order && shape && r->at == r->end ? ATTN_OK : bad_header(r);
}

/* ---- the data ---- */

/* In Fortran's order the first index moves fastest. */
static attn_status add_fortran(reader *r, size_t available) {
    attn_tensor_info *a = &r->array;
    int64_t stride[ATTN_MAX_RANK], next = 1;
    size_t bytes = 0;
    if (!attn_tensor_bytes(a->dtype, a->rank, a->shape, &bytes) || bytes > available) {
        return bad_array(r, ATTN_ERR_FORMAT, "the file is damaged: fetch it again",
                         "has not the bytes that its shape needs");
    }
    for (int d = 0; d < a->rank; d++) {
        stride[d] = next;
        next *= a->shape[d];
    }
    void *copy = NULL;
    attn_status status = attn_tensor_list_block(r->list, bytes, &copy, r->error);
    if (status == ATTN_OK) {
        a->size = bytes;
        attn_copy_strided(a, stride, a->data, copy);
        a->data = copy;
        status = attn_tensor_list_add(r->list, a, bytes, -1, r->error);
    }
    return status;
}

attn_status attn_npy_read(const char *name, const void *bytes, size_t size, attn_tensor_list *list,
                          attn_error *error) {
    attn_cursor c = attn_cursor_over(bytes, size, list->where);
    reader r = {.name = name, .array.name = name, .list = list, .error = error};
    uint64_t version = 0, length = 0;
    const unsigned char *start = attn_cursor_take(&c, MAGIC_SIZE);
    if (start == NULL || memcmp(start, magic, MAGIC_SIZE) != 0 ||
        !attn_cursor_number(&c, 2, &version) || (version & 0xFF) < 1 || (version & 0xFF) > 3 ||
        !attn_cursor_number(&c, (version & 0xFF) == 1 ? 2 : 4, &length)) {
        return bad_header(&r);
    }
    r.at = (const char *)attn_cursor_take(&c, length);
    if (r.at == NULL) {
        return attn_cursor_short(&c, name, error);
    }
    r.end = r.at + length;
    attn_status status = read_header(&r);
    if (status != ATTN_OK) {
        return status;
    }
    r.array.data = c.at;
    if (attn_tensor_is_special(&r.array)) {
        return attn_tensor_list_add_special(list, name, c.at, attn_cursor_left(&c), error);
    }
    return r.fortran && r.array.rank > 1
               ? add_fortran(&r, attn_cursor_left(&c))
               : attn_tensor_list_add(list, &r.array, attn_cursor_left(&c), -1, error);
}

/* ---- the archive ---- */

static bool is_array_name(const char *name) {
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0;
}

bool attn_npz_is(const attn_archive *archive) {
    for (size_t i = 0; i < attn_archive_count(archive); i++) {
        if (is_array_name(attn_archive_name(archive, i))) {
            return true;
        }
    }
    return false;
}

static attn_status read_member(attn_archive *archive, size_t index, attn_tensor_list *list,
                               attn_error *error) {
    char name[ATTN_TENSOR_NAME_LIMIT + 8];
    char *bytes = NULL;
    size_t size = 0;
    const char *member = attn_archive_name(archive, index);
    if (!is_array_name(member) || strlen(member) >= sizeof name) {
        return attn_fail(error, ATTN_ERR_FORMAT, list->where, -1, "is it a model of numpy arrays?",
                         "member %zu has not the name of an array (NAME.npy)", index);
    }
    size_t length = strlen(member) - strlen(".npy");
    memcpy(name, member, length);
    name[length] = '\0';
    attn_status status = attn_archive_read(archive, index, 0, &bytes, &size, error);
    if (status == ATTN_OK) {
        status = attn_tensor_list_adopt(list, bytes, error);
    }
    return status == ATTN_OK ? attn_npy_read(name, bytes, size, list, error) : status;
}

attn_status attn_npz_read(attn_archive *archive, attn_tensor_list *list, attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < attn_archive_count(archive); i++) {
        status = read_member(archive, i, list, error);
    }
    return status == ATTN_OK ? attn_tensor_list_finish(list, error) : status;
}

/* io/marian_bin.c: the file is the version, the number N of items, N heads (length of the name, type, rank,
 * bytes of data), all names, all shapes, padding up to a multiple of 256, then all data.
 *
 * Every number is 64 bits wide except the dimensions, which are 32. */
#include "io/marian_bin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "io/cursor.h"
#include "io/dtype.h"

enum { VERSION = 1, HEAD_SIZE = 32, INTGEMM = 0x4000, PACKED = 0x3800 | 0x8000 };

/* The type of an item: a kind in the upper bits, the width in bytes in the lower eight. */
static const struct {
    uint64_t code;
    attn_dtype dtype;
} types[] = {
    {0x101, ATTN_DTYPE_I8},           {0x102, ATTN_DTYPE_I16},
    {0x104, ATTN_DTYPE_I32},          {0x108, ATTN_DTYPE_I64},
    {0x201, ATTN_DTYPE_U8},           {0x402, ATTN_DTYPE_F16},
    {0x404, ATTN_DTYPE_F32},          {0x408, ATTN_DTYPE_F64},
    {INTGEMM | 0x101, ATTN_DTYPE_I8}, {INTGEMM | 0x102, ATTN_DTYPE_I16},
};

typedef struct reader {
    attn_cursor heads, names, shapes, data;
    attn_tensor_list *list;
    attn_error *error;
} reader;

bool attn_marian_bin_begins(const void *bytes, size_t size) {
    static const unsigned char version[8] = {VERSION};
    return size >= sizeof version && memcmp(bytes, version, sizeof version) == 0;
}

typedef struct item {
    attn_tensor_info tensor;
    uint64_t name_size, type, rank, data_size;
    int64_t position;
} item;

static bool read_head(reader *r, item *i) {
    i->position = attn_cursor_position(&r->heads);
    return attn_cursor_number(&r->heads, 8, &i->name_size) &&
           attn_cursor_number(&r->heads, 8, &i->type) &&
           attn_cursor_number(&r->heads, 8, &i->rank) &&
           attn_cursor_number(&r->heads, 8, &i->data_size);
}

/* ---- where names, shapes and data begin ---- */

/* Steps over the part of a file in which each item has as many bytes as `size` says. */
static attn_status step_over(reader *r, attn_cursor *at, uint64_t count, bool names,
                             const char *what) {
    attn_cursor heads = r->heads;
    item i;
    for (uint64_t n = 0; n < count && read_head(r, &i); n++) {
        uint64_t size = names ? i.name_size : i.rank * 4;
        if ((!names && i.rank > ATTN_MAX_RANK) || attn_cursor_take(at, size) == NULL) {
            at->at = r->heads.at - HEAD_SIZE; /* that is what is wrong */
            return attn_fail(r->error, ATTN_ERR_FORMAT, r->list->where, attn_cursor_position(at),
                             "the file is damaged or was cut short: fetch it again",
                             "item %" PRIu64 " has %s of %" PRIu64 " bytes", n, what, size);
        }
    }
    r->heads = heads;
    return ATTN_OK;
}

static attn_status find_parts(reader *r, attn_cursor *file, uint64_t *count) {
    uint64_t version = 0, padding = 0;
    if (!attn_cursor_number(file, 8, &version) || !attn_cursor_number(file, 8, count) ||
        *count > attn_cursor_left(file) / HEAD_SIZE) {
        return attn_cursor_short(file, "the list of items", r->error);
    }
    r->heads = *file;
    file->at += *count * HEAD_SIZE;
    r->names = *file;
    attn_status status = step_over(r, file, *count, true, "a name");
    r->shapes = *file;
    status = status == ATTN_OK ? step_over(r, file, *count, false, "a shape") : status;
    if (status != ATTN_OK) {
        return status;
    }
    if (!attn_cursor_number(file, 8, &padding) || attn_cursor_take(file, padding) == NULL) {
        return attn_cursor_short(file, "the padding before the data", r->error);
    }
    r->data = *file;
    return ATTN_OK;
}

/* ---- items ---- */

static attn_status bad_item(reader *r, const item *i, attn_status status, const char *hint,
                            const char *what) {
    char quoted[120];
    return attn_fail(r->error, status, r->list->where, i->position, hint, "item \"%s\" %s",
                     attn_utf8_quote(quoted, sizeof quoted, i->tensor.name), what);
}

static attn_status read_name(reader *r, item *i) {
    /* step_over has seen that all of it is there. */
    const char *name = (const char *)attn_cursor_take(&r->names, i->name_size);
    if (i->name_size == 0 || strnlen(name, (size_t)i->name_size) != i->name_size - 1) {
        i->tensor.name = "";
        return bad_item(r, i, ATTN_ERR_FORMAT, "the file is damaged",
                        "has a name that does not end where its length says");
    }
    i->tensor.name = name;
    return ATTN_OK;
}

static void read_shape(reader *r, item *i) {
    i->tensor.rank = (int)i->rank;
    for (int d = 0; d < i->tensor.rank; d++) {
        uint64_t size = 0;
        attn_cursor_number(&r->shapes, 4, &size);
        i->tensor.shape[d] = (int32_t)(uint32_t)size;
    }
}

static attn_status read_type(reader *r, item *i) {
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        if (types[t].code == i->type) {
            i->tensor.dtype = types[t].dtype;
            return ATTN_OK;
        }
    }
    if ((i->type & PACKED) != 0 && i->type <= 0xFFFFF) {
        return bad_item(r, i, ATTN_ERR_UNSUPPORTED,
                        "convert the model with --gemm-type float32 or intgemm8",
                        "is packed for one kind of processor");
    }
    return bad_item(r, i, ATTN_ERR_FORMAT, "the file is damaged", "has a type that is none");
}

/* The matrix lies transposed: what the model calls [in, out] is stored as [out, in]. */
static void transpose_shape(attn_tensor_info *t) {
    if (strstr(t->name, "Wemb") == NULL && t->rank >= 2) {
        int64_t columns = t->shape[t->rank - 1];
        t->shape[t->rank - 1] = t->shape[t->rank - 2];
        t->shape[t->rank - 2] = columns;
    }
}

static attn_status add_multiplier(reader *r, const item *i) {
    char name[ATTN_TENSOR_NAME_LIMIT + 16];
    const attn_tensor_info *t = &i->tensor;
    size_t size = 0;
    attn_tensor_info multiplier = {.name = name, .dtype = ATTN_DTYPE_F32, .rank = 0};
    if (!attn_tensor_bytes(t->dtype, t->rank, t->shape, &size) || size > i->data_size ||
        i->data_size - size < sizeof(float)) {
        return bad_item(r, i, ATTN_ERR_FORMAT, "the file is damaged",
                        "has no multiplier behind its integers");
    }
    snprintf(name, sizeof name, "%s.multiplier", t->name);
    multiplier.data = (const char *)t->data + size;
    return attn_tensor_list_add(r->list, &multiplier, sizeof(float), i->position, r->error);
}

static attn_status read_item(reader *r) {
    item i = {.type = 0};
    read_head(r, &i);
    attn_status status = read_name(r, &i);
    status = status == ATTN_OK ? read_type(r, &i) : status;
    if (status != ATTN_OK) {
        return status;
    }
    read_shape(r, &i);
    i.tensor.data = attn_cursor_take(&r->data, i.data_size);
    if (i.tensor.data == NULL) {
        return attn_cursor_short(&r->data, i.tensor.name, r->error);
    }
    if (attn_tensor_is_special(&i.tensor)) {
        return attn_tensor_list_add_special(r->list, i.tensor.name, i.tensor.data,
                                            (size_t)i.data_size, r->error);
    }
    bool quantised = (i.type & INTGEMM) != 0;
    if (quantised) {
        transpose_shape(&i.tensor);
    }
    status = attn_tensor_list_add(r->list, &i.tensor, (size_t)i.data_size, i.position, r->error);
    return status == ATTN_OK && quantised ? add_multiplier(r, &i) : status;
}

attn_status attn_marian_bin_read(const void *bytes, size_t size, attn_tensor_list *list,
                                 attn_error *error) {
    reader r = {.list = list, .error = error};
    attn_cursor file = attn_cursor_over(bytes, size, list->where);
    uint64_t count = 0;
    attn_status status = find_parts(&r, &file, &count);
    for (uint64_t n = 0; status == ATTN_OK && n < count; n++) {
        status = read_item(&r);
    }
    return status == ATTN_OK ? attn_tensor_list_finish(list, error) : status;
}

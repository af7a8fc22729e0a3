/* io/torch_flatten.c: what a checkpoint nests, under dotted names. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "io/dtype.h"
#include "io/strided.h"
#include "io/torch_parts.h"

/* One value may stand in many places, and those places in many others: a pickle of a few lines can stand for more
 * than any memory holds. So there is a limit on how many places are seen, on the bytes of their texts, and on the
 * copies that are made of views. */
enum { MOST_PLACES = 1 << 22, MOST_LEVELS = 100, FREE_SIZE = 1 << 26, MOST_COPIED = 4 };

typedef struct walker {
    const attn_torch_storages *storages;
    attn_tensor_list *list;
    attn_error *error;
    char path[ATTN_TENSOR_NAME_LIMIT + 1];
    size_t length; /* of the path; more than the limit when it does not fit */
    size_t places, text_bytes, copied;
} walker;

static attn_status refuse(walker *w, attn_status status, const char *what) {
    char quoted[160];
    return attn_fail(w->error, status, w->list->where, -1,
                     "if you trust the file, load it in Python and save its state_dict alone",
                     "\"%s\": %s", attn_utf8_quote(quoted, sizeof quoted, w->path), what);
}

/* ---- tensors ---- */

/* Shape or strides: a tuple of as many integers as the tensor has dimensions. */
static bool read_sizes(const attn_pickle_value *sizes, int rank, int64_t out[ATTN_MAX_RANK]) {
    if (sizes == NULL || sizes->as.items.count != (size_t)rank) {
        return false;
    }
    for (int d = 0; d < rank; d++) {
        const attn_pickle_value *size = attn_pickle_item(sizes, (size_t)d, ATTN_PICKLE_INTEGER);
        if (size == NULL) {
            return false;
        }
        out[d] = size->as.integer;
    }
    return true;
}

/* torch.Size is a list here, and plain tuples occur too. */
static const attn_pickle_value *sizes_of(const attn_pickle_value *arguments, size_t index) {
    const attn_pickle_value *tuple = attn_pickle_item(arguments, index, ATTN_PICKLE_TUPLE);
    return tuple != NULL ? tuple : attn_pickle_item(arguments, index, ATTN_PICKLE_LIST);
}

static attn_status copy_view(walker *w, attn_tensor_info *t, const int64_t *stride,
                             const char *data) {
    void *copy = NULL;
    w->copied += t->size;
    if (t->size > w->storages->bytes || w->copied / MOST_COPIED > w->storages->bytes) {
        return refuse(w, ATTN_ERR_FORMAT, "views of it are far larger than what the file holds");
    }
    attn_status status = attn_tensor_list_block(w->list, t->size, &copy, w->error);
    if (status == ATTN_OK) {
        attn_copy_strided(t, stride, data, copy);
        t->data = copy;
    }
    return status;
}

/* Points the tensor at its elements: all that the strides reach has to be in the storage. */
static attn_status place_view(walker *w, attn_tensor_info *t, const int64_t *stride,
                              const attn_torch_storage *storage, int64_t first) {
    int64_t last = 0;
    t->data = storage->data;
    if (t->size == 0) {
        return ATTN_OK;
    }
    if (first < 0 || !attn_strides_reach(t, stride, &last) || first >= storage->count ||
        last >= storage->count - first) {
        return refuse(w, ATTN_ERR_FORMAT, "the tensor leaves its storage: the file is damaged");
    }
    const char *data = (const char *)storage->data + (size_t)first * attn_dtype_size(t->dtype);
    t->data = data;
    return attn_strides_are_plain(t, stride) ? ATTN_OK : copy_view(w, t, stride, data);
}

static attn_status add_tensor(walker *w, const attn_pickle_value *arguments) {
    const attn_pickle_value *id = attn_pickle_item(arguments, 0, ATTN_PICKLE_PERSISTENT);
    const attn_pickle_value *offset = attn_pickle_item(arguments, 1, ATTN_PICKLE_INTEGER);
    const attn_pickle_value *shape = sizes_of(arguments, 2);
    int64_t stride[ATTN_MAX_RANK], first = 0;
    attn_torch_storage named;
    if (id == NULL || offset == NULL || shape == NULL) {
        return refuse(w, ATTN_ERR_FORMAT, "a tensor without storage or shape");
    }
    if (shape->as.items.count > ATTN_MAX_RANK) {
        return refuse(w, ATTN_ERR_UNSUPPORTED, "a tensor of more than 8 dimensions");
    }
    attn_status status = attn_torch_storage_of(id->as.of, w->list->where, &named, &first, w->error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tensor_info t = {
        .name = w->path, .dtype = named.dtype, .rank = (int)shape->as.items.count};
    if (w->length > ATTN_TENSOR_NAME_LIMIT || strlen(w->path) != w->length ||
        !read_sizes(shape, t.rank, t.shape) ||
        !read_sizes(sizes_of(arguments, 3), t.rank, stride) ||
        !attn_tensor_bytes(t.dtype, t.rank, t.shape, &t.size) ||
        __builtin_add_overflow(first, offset->as.integer, &first)) {
        return refuse(w, ATTN_ERR_FORMAT, "a tensor whose name, shape or strides are none");
    }
    status = place_view(w, &t, stride, attn_torch_find(w->storages, named.key), first);
    return status == ATTN_OK ? attn_tensor_list_add(w->list, &t, t.size, -1, w->error) : status;
}

/* ---- texts ---- */

/* Settings that cannot be held as texts are no reason to refuse the weights beside them. */
static attn_status add_text(walker *w, const char *text, size_t size) {
    if (w->length > ATTN_TENSOR_NAME_LIMIT || w->length == 0 || strlen(w->path) != w->length ||
        !attn_utf8_whole(w->path, w->length) || memchr(text, '\0', size) != NULL ||
        !attn_utf8_whole(text, size)) {
        return ATTN_OK;
    }
    w->text_bytes += w->length + size;
    if (w->text_bytes > FREE_SIZE) {
        return refuse(w, ATTN_ERR_UNSUPPORTED, "more than 64 MiB of texts");
    }
    return attn_tensor_list_add_text(w->list, w->path, text, size, w->error);
}

static attn_status add_printed(walker *w, const attn_pickle_value *v) {
    char text[40];
    int length = v->kind == ATTN_PICKLE_FLOAT
                     ? snprintf(text, sizeof text, "%.17g", v->as.number)
                     : snprintf(text, sizeof text, "%" PRId64, v->as.integer);
    if (v->kind == ATTN_PICKLE_BOOL) {
        return v->as.integer != 0 ? add_text(w, "true", 4) : add_text(w, "false", 5);
    }
    return add_text(w, text, (size_t)length);
}

/* ---- the walk ---- */

/* Adds ".part" to the path; a path that gets too long stays as it is, but its length tells. */
static void step_down(walker *w, const char *part, size_t size) {
    size_t dot = w->length > 0;
    if (w->length <= ATTN_TENSOR_NAME_LIMIT && size <= ATTN_TENSOR_NAME_LIMIT &&
        w->length + dot + size <= ATTN_TENSOR_NAME_LIMIT) {
        w->path[w->length] = '.';
        memcpy(w->path + w->length + dot, part, size);
        w->length += dot + size;
        w->path[w->length] = '\0';
    } else {
        w->length = ATTN_TENSOR_NAME_LIMIT + 1;
    }
}

static attn_status visit(walker *w, attn_pickle_value *v, int depth);

/* An entry without a key is called by its place; one whose key is neither text nor integer is left out. */
static attn_status visit_entry(walker *w, const attn_pickle_entry *entry, size_t index, int depth) {
    char digits[24];
    size_t length = w->length;
    const attn_pickle_value *key = entry->key;
    if (key != NULL && key->kind == ATTN_PICKLE_TEXT) {
        step_down(w, key->as.text.bytes, key->as.text.size);
    } else if (key == NULL || key->kind == ATTN_PICKLE_INTEGER) {
        int64_t number = key != NULL ? key->as.integer : (int64_t)index;
        step_down(w, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, number));
    } else {
        return ATTN_OK;
    }
    attn_status status = visit(w, entry->value, depth + 1);
    w->length = length;
    if (length <= ATTN_TENSOR_NAME_LIMIT) {
        w->path[length] = '\0';
    }
    return status;
}

/* A value may hold itself: the way into it is not gone twice. */
static attn_status visit_entries(walker *w, attn_pickle_value *v, int depth) {
    attn_status status = ATTN_OK;
    if (depth == MOST_LEVELS) {
        return refuse(w, ATTN_ERR_UNSUPPORTED, "it nests too deep");
    }
    v->visiting = true;
    for (size_t i = 0; status == ATTN_OK && i < v->as.items.count; i++) {
        status = visit_entry(w, &v->as.items.entries[i], i, depth);
    }
    v->visiting = false;
    return status;
}

static attn_status visit(walker *w, attn_pickle_value *v, int depth) {
    if (++w->places > MOST_PLACES) {
        return refuse(w, ATTN_ERR_UNSUPPORTED, "the same values stand in too many places");
    }
    switch (v->kind) {
    case ATTN_PICKLE_LIST:
    case ATTN_PICKLE_TUPLE:
    case ATTN_PICKLE_DICT:
    case ATTN_PICKLE_OBJECT:
        return v->visiting ? ATTN_OK : visit_entries(w, v, depth);
    case ATTN_PICKLE_TENSOR:
        return add_tensor(w, v->as.of);
    case ATTN_PICKLE_TEXT:
        return add_text(w, v->as.text.bytes, v->as.text.size);
    case ATTN_PICKLE_BOOL:
    case ATTN_PICKLE_INTEGER:
    case ATTN_PICKLE_FLOAT:
        return add_printed(w, v);
    case ATTN_PICKLE_NONE:
    case ATTN_PICKLE_BYTES:
    case ATTN_PICKLE_GLOBAL:
    case ATTN_PICKLE_PERSISTENT:
        break;
    }
    return ATTN_OK;
}

attn_status attn_torch_flatten(attn_pickle_value *root, const attn_torch_storages *storages,
                               attn_tensor_list *list, attn_error *error) {
    walker w = {.storages = storages, .list = list, .error = error};
    /* A tensor saved alone needs a name. */
    if (root->kind == ATTN_PICKLE_TENSOR || root->kind < ATTN_PICKLE_LIST) {
        step_down(&w, "value", strlen("value"));
    }
    return visit(&w, root, 0);
}

/* io/torch_file.c: where a checkpoint keeps its pickle and its storages.
 *
 * A zip file has NAME/data.pkl, NAME/data/KEY for each storage, and NAME/byteorder. The older kind is pickles one
 * after another (a magic number, a version, the machine, the objects, the keys of the storages in order) and then
 * the storages, each behind its number of elements. */
#include "io/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "io/cursor.h"
#include "io/dtype.h"
#include "io/torch_parts.h"

static const char data_name[] = "data.pkl";
enum { MEMBER_SIZE = 512 };

static attn_status damaged(const char *where, const char *what, attn_error *error) {
    return attn_fail(error, ATTN_ERR_FORMAT, where, -1,
                     "the file is damaged or was cut short: fetch it again", "%s", what);
}

/* ---- the storages that a pickle names ---- */

static const attn_pickle_value *text_or_null(const attn_pickle_value *id, size_t index) {
    return attn_pickle_item(id, index, ATTN_PICKLE_TEXT);
}

static attn_status storage_type(const attn_pickle_value *type, const char *where, attn_dtype *dtype,
                                attn_error *error) {
    static const struct {
        const char *name;
        attn_dtype dtype;
    } types[] = {{"Float", ATTN_DTYPE_F32}, {"Double", ATTN_DTYPE_F64},
                 {"Half", ATTN_DTYPE_F16},  {"BFloat16", ATTN_DTYPE_BF16},
                 {"Char", ATTN_DTYPE_I8},   {"Byte", ATTN_DTYPE_U8},
                 {"Short", ATTN_DTYPE_I16}, {"Int", ATTN_DTYPE_I32},
                 {"Long", ATTN_DTYPE_I64},  {"Bool", ATTN_DTYPE_U8}};
    const char *name = type->as.text.bytes;
    const char *dot = strrchr(name, '.');
    const char *kind = dot != NULL ? dot + 1 : name;
    for (size_t i = 0; strncmp(name, "torch.", 6) == 0 && i < sizeof types / sizeof *types; i++) {
        size_t length = strlen(types[i].name);
        if (strncmp(kind, types[i].name, length) == 0 && strcmp(kind + length, "Storage") == 0) {
            *dtype = types[i].dtype;
            return ATTN_OK;
        }
    }
    char quoted[120];
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, where, -1, "save it as float32",
                     "a tensor of the type %s",
                     attn_utf8_quote(quoted, sizeof quoted, type->as.text.bytes));
}

attn_status attn_torch_storage_of(const attn_pickle_value *id, const char *where,
                                  attn_torch_storage *storage, int64_t *first, attn_error *error) {
    const attn_pickle_value *type = attn_pickle_item(id, 1, ATTN_PICKLE_GLOBAL);
    const attn_pickle_value *key = text_or_null(id, 2);
    const attn_pickle_value *count = attn_pickle_item(id, 4, ATTN_PICKLE_INTEGER);
    const attn_pickle_value *view = attn_pickle_item(id, 5, ATTN_PICKLE_TUPLE);
    const attn_pickle_value *begin = attn_pickle_item(view, 1, ATTN_PICKLE_INTEGER);
    size_t bytes = 0;
    if (!attn_pickle_is(text_or_null(id, 0), ATTN_PICKLE_TEXT, "storage") || type == NULL ||
        key == NULL || count == NULL || (view != NULL && begin == NULL) ||
        key->as.text.size >= ATTN_STORAGE_KEY_LIMIT ||
        memchr(key->as.text.bytes, '\0', key->as.text.size) != NULL) {
        return damaged(where, "its pickle names a storage that is none", error);
    }
    attn_status status = storage_type(type, where, &storage->dtype, error);
    if (status != ATTN_OK) {
        return status;
    }
    memcpy(storage->key, key->as.text.bytes, key->as.text.size);
    storage->key[key->as.text.size] = '\0';
    storage->count = count->as.integer;
    storage->data = NULL;
    *first = begin != NULL ? begin->as.integer : 0;
    return attn_tensor_bytes(storage->dtype, 1, &storage->count, &bytes)
               ? ATTN_OK
               : damaged(where, "a storage has a size that cannot be", error);
}

static int compare_storages(const void *a, const void *b) {
    const attn_torch_storage *x = a, *y = b;
    return strcmp(x->key, y->key);
}

attn_torch_storage *attn_torch_find(const attn_torch_storages *storages, const char *key) {
    attn_torch_storage wanted = {.data = NULL};
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    return storages->count > 0
               ? bsearch(&wanted, storages->items, storages->count, sizeof wanted, compare_storages)
               : NULL;
}

/* Sorts them, and keeps one of each key: all that bear it have to say the same. */
static attn_status unite(attn_torch_storages *s, const char *where, attn_error *error) {
    size_t kept = 0;
    if (s->count > 0) {
        qsort(s->items, s->count, sizeof *s->items, compare_storages);
    }
    for (size_t i = 0; i < s->count; i++) {
        attn_torch_storage *last = kept > 0 ? &s->items[kept - 1] : NULL;
        if (last == NULL || strcmp(last->key, s->items[i].key) != 0) {
            s->items[kept++] = s->items[i];
        } else if (last->dtype != s->items[i].dtype || last->count != s->items[i].count) {
            return damaged(where, "a storage has two types or sizes", error);
        }
    }
    s->count = kept;
    return ATTN_OK;
}

static attn_status list_storages(const attn_pickle *pickle, const char *where,
                                 attn_torch_storages *s, attn_error *error) {
    size_t count = 0;
    int64_t first = 0;
    while (attn_pickle_persistent(pickle, count) != NULL) {
        count++;
    }
    s->items = attn_alloc_zero(count, sizeof *s->items);
    if (s->items == NULL) {
        return attn_fail_memory(error, count * sizeof *s->items);
    }
    attn_status status = ATTN_OK;
    for (; status == ATTN_OK && s->count < count; s->count++) {
        const attn_pickle_value *p = attn_pickle_persistent(pickle, s->count);
        status = attn_torch_storage_of(p->as.of, where, &s->items[s->count], &first, error);
    }
    return status == ATTN_OK ? unite(s, where, error) : status;
}

static size_t bytes_of(const attn_torch_storage *storage) {
    return (size_t)storage->count * attn_dtype_size(storage->dtype);
}

/* ---- a zip file ---- */

/* The bytes of "NAME/" of the member NAME/data.pkl; 0 when there is none. */
static size_t find_data(const attn_archive *archive, size_t *index) {
    for (size_t i = 0; i < attn_archive_count(archive); i++) {
        const char *name = attn_archive_name(archive, i);
        const char *slash = strchr(name, '/');
        if (slash != NULL && strcmp(slash + 1, data_name) == 0) {
            *index = i;
            return (size_t)(slash + 1 - name);
        }
    }
    return 0;
}

bool attn_torch_is(const attn_archive *archive) {
    size_t index;
    return find_data(archive, &index) > 0;
}

/* A member of the checkpoint's folder by its name there, kept as long as the list. *data stays NULL when there is
 * none. */
static attn_status read_member(attn_archive *archive, const char *folder, size_t folder_size,
                               const char *name, attn_tensor_list *list, char **data, size_t *size,
                               attn_error *error) {
    char member[MEMBER_SIZE];
    size_t index = 0;
    *data = NULL;
    int length = snprintf(member, sizeof member, "%.*s%s", (int)folder_size, folder, name);
    if (length >= MEMBER_SIZE || !attn_archive_find(archive, member, &index)) {
        return ATTN_OK;
    }
    attn_status status = attn_archive_read(archive, index, 0, data, size, error);
    return status == ATTN_OK ? attn_tensor_list_adopt(list, *data, error) : status;
}

static attn_status check_order(attn_archive *archive, const char *folder, size_t folder_size,
                               attn_tensor_list *list, attn_error *error) {
    char *order = NULL;
    size_t size = 0;
    attn_status status =
        read_member(archive, folder, folder_size, "byteorder", list, &order, &size, error);
    if (status == ATTN_OK && order != NULL && strncmp(order, "little", 6) != 0) {
        status = attn_fail(error, ATTN_ERR_UNSUPPORTED, list->where, -1,
                           "save it on a little-endian machine",
                           "the numbers have their bytes in the other order");
    }
    return status;
}

static attn_status read_storages(attn_archive *archive, const char *folder, size_t folder_size,
                                 attn_torch_storages *s, attn_tensor_list *list,
                                 attn_error *error) {
    attn_status status = ATTN_OK;
    for (size_t i = 0; status == ATTN_OK && i < s->count; i++) {
        char name[ATTN_STORAGE_KEY_LIMIT + 8], *data = NULL;
        size_t size = 0, needed = bytes_of(&s->items[i]);
        snprintf(name, sizeof name, "data/%s", s->items[i].key);
        status = read_member(archive, folder, folder_size, name, list, &data, &size, error);
        if (status == ATTN_OK && (data == NULL || size < needed)) {
            char quoted[120];
            status = attn_fail(error, ATTN_ERR_FORMAT, list->where, -1,
                               "the file is damaged or was cut short: fetch it again",
                               "storage \"%s\" needs %zu bytes and has %zu",
                               attn_utf8_quote(quoted, sizeof quoted, s->items[i].key), needed,
                               data != NULL ? size : 0);
        }
        s->items[i].data = data;
        s->bytes += needed;
    }
    return status;
}

attn_status attn_torch_read_zip(attn_archive *archive, attn_tensor_list *list, attn_error *error) {
    attn_pickle *pickle = NULL;
    attn_torch_storages s = {NULL, 0, 0};
    size_t index = 0, size = 0, folder_size = find_data(archive, &index);
    const char *folder = attn_archive_name(archive, index);
    char *bytes = NULL;
    attn_status status = check_order(archive, folder, folder_size, list, error);
    status =
        status == ATTN_OK ? attn_archive_read(archive, index, 0, &bytes, &size, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    attn_cursor at = attn_cursor_over(bytes, size, list->where);
    status = attn_pickle_read(&at, &pickle, error);
    status = status == ATTN_OK ? list_storages(pickle, list->where, &s, error) : status;
    status =
        status == ATTN_OK ? read_storages(archive, folder, folder_size, &s, list, error) : status;
    status =
        status == ATTN_OK ? attn_torch_flatten(attn_pickle_root(pickle), &s, list, error) : status;
    attn_free(s.items);
    attn_pickle_free(pickle);
    attn_free(bytes);
    return status;
}

/* ---- the older kind ---- */

bool attn_torch_begins(const void *bytes, size_t size) {
    const unsigned char *b = bytes;
    return size >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5;
}

static attn_status check_magic(const attn_pickle *pickle, const char *where, attn_error *error) {
    static const char magic[] = "\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19";
    if (attn_pickle_is(attn_pickle_root(pickle), ATTN_PICKLE_BYTES, magic)) {
        return ATTN_OK;
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, where, 0, "save its tensors with torch.save",
                     "a pickle, but no checkpoint of PyTorch");
}

/* The machine that wrote it: {"little_endian": True, ...}. */
static attn_status check_machine(const attn_pickle *pickle, const char *where, attn_error *error) {
    const attn_pickle_value *root = attn_pickle_root(pickle);
    for (size_t i = 0; root->kind == ATTN_PICKLE_DICT && i < root->as.items.count; i++) {
        const attn_pickle_entry *e = &root->as.items.entries[i];
        if (attn_pickle_is(e->key, ATTN_PICKLE_TEXT, "little_endian") &&
            e->value->kind == ATTN_PICKLE_BOOL && e->value->as.integer == 1) {
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, where, -1, "save it on a little-endian machine",
                     "the numbers have their bytes in the other order");
}

/* The magic number, the version (which says nothing), and the machine. */
static attn_status read_preface(attn_cursor *at, attn_error *error) {
    attn_status status = ATTN_OK;
    for (int part = 0; status == ATTN_OK && part < 3; part++) {
        attn_pickle *pickle = NULL;
        status = attn_pickle_read(at, &pickle, error);
        if (status == ATTN_OK && part == 0) {
            status = check_magic(pickle, at->where, error);
        } else if (status == ATTN_OK && part == 2) {
            status = check_machine(pickle, at->where, error);
        }
        attn_pickle_free(pickle);
    }
    return status;
}

/* The number of elements, then the elements, at any address: copied where that does not suit their type. */
static attn_status place_storage(attn_cursor *at, attn_torch_storage *storage,
                                 attn_tensor_list *list, attn_error *error) {
    uint64_t count = 0;
    size_t size = bytes_of(storage);
    if (!attn_cursor_number(at, 8, &count)) {
        return attn_cursor_short(at, "a storage", error);
    }
    if (count != (uint64_t)storage->count || storage->data != NULL) {
        return damaged(at->where, "a storage has not the size that the pickle says", error);
    }
    const unsigned char *bytes = attn_cursor_take(at, size);
    if (bytes == NULL) {
        return attn_cursor_short(at, "a storage", error);
    }
    storage->data = bytes;
    if ((uintptr_t)bytes % attn_dtype_size(storage->dtype) != 0) {
        void *copy = NULL;
        attn_status status = attn_tensor_list_block(list, size, &copy, error);
        if (status != ATTN_OK) {
            return status;
        }
        storage->data = memcpy(copy, bytes, size);
    }
    return ATTN_OK;
}

static attn_status place_storages(attn_cursor *at, const attn_pickle_value *keys,
                                  attn_torch_storages *s, attn_tensor_list *list,
                                  attn_error *error) {
    attn_status status = ATTN_OK;
    size_t placed = 0;
    for (; status == ATTN_OK && keys->kind == ATTN_PICKLE_LIST && placed < keys->as.items.count;
         placed++) {
        char name[ATTN_STORAGE_KEY_LIMIT];
        const attn_pickle_value *key = text_or_null(keys, placed);
        attn_torch_storage *storage = NULL;
        if (key != NULL && key->as.text.size < sizeof name) {
            memcpy(name, key->as.text.bytes, key->as.text.size);
            name[key->as.text.size] = '\0';
            storage = attn_torch_find(s, name);
        }
        if (storage == NULL) {
            return damaged(at->where, "a storage that no tensor has", error);
        }
        s->bytes += bytes_of(storage);
        status = place_storage(at, storage, list, error);
    }
    return status == ATTN_OK && placed != s->count
               ? damaged(at->where, "a storage of a tensor is missing", error)
               : status;
}

attn_status attn_torch_read_old(const void *bytes, size_t size, attn_tensor_list *list,
                                attn_error *error) {
    attn_cursor at = attn_cursor_over(bytes, size, list->where);
    attn_pickle *objects = NULL, *keys = NULL;
    attn_torch_storages s = {NULL, 0, 0};
    attn_status status = read_preface(&at, error);
    status = status == ATTN_OK ? attn_pickle_read(&at, &objects, error) : status;
    status = status == ATTN_OK ? attn_pickle_read(&at, &keys, error) : status;
    status = status == ATTN_OK ? list_storages(objects, list->where, &s, error) : status;
    status =
        status == ATTN_OK ? place_storages(&at, attn_pickle_root(keys), &s, list, error) : status;
    status =
        status == ATTN_OK ? attn_torch_flatten(attn_pickle_root(objects), &s, list, error) : status;
    attn_free(s.items);
    attn_pickle_free(objects);
    attn_pickle_free(keys);
    return status;
}

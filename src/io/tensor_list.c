/* io/tensor_list.c: see tensor_list.h. */
#include "io/tensor_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/grow.h"
#include "base/utf8.h"
#include "io/dtype.h"

enum { QUOTE_SIZE = 120 };

void attn_tensor_list_free(attn_tensor_list *list) {
    for (size_t i = 0; i < list->owned_count; i++) {
        attn_free(list->owned[i]);
    }
    attn_free(list->owned);
    attn_free(list->tensors);
    attn_free(list->texts);
    attn_free(list->by_name);
    attn_free(list->by_key);
    attn_arena_free(&list->strings);
    *list = (attn_tensor_list){.where = list->where};
}

bool attn_tensor_bytes(attn_dtype dtype, int rank, const int64_t *shape, size_t *bytes) {
    size_t product = attn_dtype_size(dtype);
    if (rank < 0 || rank > ATTN_MAX_RANK || product == 0) {
        return false;
    }
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || (uint64_t)shape[i] > SIZE_MAX ||
            !attn_size_mul(product, (size_t)shape[i], &product)) {
            return false;
        }
    }
    *bytes = product;
    return true;
}

/* ---- memory ---- */

attn_status attn_tensor_list_adopt(attn_tensor_list *list, void *block, attn_error *error) {
    if (!attn_grow(&list->owned, &list->owned_room, list->owned_count + 1, sizeof *list->owned)) {
        attn_free(block);
        return attn_fail_memory(error, sizeof *list->owned);
    }
    list->owned[list->owned_count++] = block;
    return ATTN_OK;
}

attn_status attn_tensor_list_block(attn_tensor_list *list, size_t size, void **out,
                                   attn_error *error) {
    *out = attn_alloc(size);
    return *out != NULL ? attn_tensor_list_adopt(list, *out, error) : attn_fail_memory(error, size);
}

static attn_status copy_string(attn_tensor_list *list, const char *text, size_t length,
                               const char **copy, attn_error *error) {
    char *bytes = attn_arena_alloc(&list->strings, length + 1);
    if (bytes == NULL) {
        return attn_fail_memory(error, length + 1);
    }
    memcpy(bytes, text, length);
    bytes[length] = '\0';
    *copy = bytes;
    return ATTN_OK;
}

/* ---- adding ---- */

static bool good_name(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= ATTN_TENSOR_NAME_LIMIT && attn_utf8_whole(name, length);
}

static attn_status bad_name(const attn_tensor_list *list, const char *name, int64_t position,
                            attn_error *error) {
    char quoted[QUOTE_SIZE];
    return attn_fail(error, ATTN_ERR_FORMAT, list->where, position, NULL,
                     "\"%s\" cannot be a name: it has to be 1 to %d bytes of UTF-8",
                     attn_utf8_quote(quoted, sizeof quoted, name), ATTN_TENSOR_NAME_LIMIT);
}

static attn_status check_tensor(const attn_tensor_list *list, attn_tensor_info *tensor,
                                size_t available, int64_t position, attn_error *error) {
    char quoted[QUOTE_SIZE];
    if (!good_name(tensor->name)) {
        return bad_name(list, tensor->name, position, error);
    }
    attn_utf8_quote(quoted, sizeof quoted, tensor->name);
    if (!attn_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &tensor->size)) {
        return attn_fail(error, ATTN_ERR_FORMAT, list->where, position,
                         "the file is damaged or none of its kind",
                         "the shape of tensor \"%s\" is none: a dimension is negative, there are "
                         "more than %d, or their product does not fit",
                         quoted, ATTN_MAX_RANK);
    }
    if (tensor->size > available) {
        return attn_fail(error, ATTN_ERR_FORMAT, list->where, position,
                         "the file is damaged or was cut short: fetch it again",
                         "tensor \"%s\" needs %zu bytes; the file has %zu for it", quoted,
                         tensor->size, available);
    }
    return ATTN_OK;
}

static attn_status align_data(attn_tensor_list *list, attn_tensor_info *tensor, attn_error *error) {
    if (tensor->size == 0 || (uintptr_t)tensor->data % attn_dtype_size(tensor->dtype) == 0) {
        return ATTN_OK;
    }
    void *copy = NULL;
    attn_status status = attn_tensor_list_block(list, tensor->size, &copy, error);
    if (status == ATTN_OK) {
        memcpy(copy, tensor->data, tensor->size);
        tensor->data = copy;
    }
    return status;
}

attn_status attn_tensor_list_add(attn_tensor_list *list, const attn_tensor_info *tensor,
                                 size_t available, int64_t position, attn_error *error) {
    attn_tensor_info added = *tensor;
    attn_status status = check_tensor(list, &added, available, position, error);
    if (status == ATTN_OK) {
        status = align_data(list, &added, error);
    }
    if (status == ATTN_OK) {
        status = copy_string(list, tensor->name, strlen(tensor->name), &added.name, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    if (!attn_grow(&list->tensors, &list->room, list->count + 1, sizeof *list->tensors)) {
        return attn_fail_memory(error, list->count * sizeof *list->tensors);
    }
    list->tensors[list->count++] = added;
    return ATTN_OK;
}

attn_status attn_tensor_list_add_text(attn_tensor_list *list, const char *key, const char *text,
                                      size_t length, attn_error *error) {
    char quoted[QUOTE_SIZE];
    if (!good_name(key)) {
        return bad_name(list, key, -1, error);
    }
    if (memchr(text, '\0', length) != NULL || !attn_utf8_whole(text, length)) {
        return attn_fail(error, ATTN_ERR_FORMAT, list->where, -1, "the file is damaged",
                         "what is called \"%s\" is no UTF-8 text",
                         attn_utf8_quote(quoted, sizeof quoted, key));
    }
    if (!attn_grow(&list->texts, &list->text_room, list->text_count + 1, sizeof *list->texts)) {
        return attn_fail_memory(error, list->text_count * sizeof *list->texts);
    }
    attn_metadata added;
    attn_status status = copy_string(list, key, strlen(key), &added.key, error);
    if (status == ATTN_OK) {
        status = copy_string(list, text, length, &added.value, error);
    }
    if (status == ATTN_OK) {
        list->texts[list->text_count++] = added;
    }
    return status;
}

bool attn_tensor_is_special(const attn_tensor_info *tensor) {
    return strncmp(tensor->name, "special:", 8) == 0 &&
           (tensor->dtype == ATTN_DTYPE_I8 || tensor->dtype == ATTN_DTYPE_U8);
}

attn_status attn_tensor_list_add_special(attn_tensor_list *list, const char *name,
                                         const void *bytes, size_t size, attn_error *error) {
    const char *end = memchr(bytes, '\0', size);
    return attn_tensor_list_add_text(
        list, name, bytes, end != NULL ? (size_t)(end - (const char *)bytes) : size, error);
}

/* ---- finding ---- */

static int compare_names(const void *a, const void *b) {
    const attn_tensor_info *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Of one key the first comes first. */
static int compare_keys(const void *a, const void *b) {
    const attn_metadata *const *x = a, *const *y = b;
    int order = strcmp((*x)->key, (*y)->key);
    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

static attn_status refuse_twice(const attn_tensor_list *list, attn_error *error) {
    char quoted[QUOTE_SIZE];
    for (size_t i = 1; i < list->count; i++) {
        const char *name = list->by_name[i]->name;
        if (strcmp(list->by_name[i - 1]->name, name) == 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, list->where, -1, "the file is damaged",
                             "two tensors are called \"%s\"",
                             attn_utf8_quote(quoted, sizeof quoted, name));
        }
    }
    return ATTN_OK;
}

attn_status attn_tensor_list_finish(attn_tensor_list *list, attn_error *error) {
    attn_free(list->by_name);
    attn_free(list->by_key);
    list->by_name = attn_alloc_zero(list->count, sizeof *list->by_name);
    list->by_key = attn_alloc_zero(list->text_count, sizeof *list->by_key);
    if (list->by_name == NULL || list->by_key == NULL) {
        return attn_fail_memory(error, list->count * sizeof *list->by_name);
    }
    for (size_t i = 0; i < list->count; i++) {
        list->by_name[i] = &list->tensors[i];
    }
    for (size_t i = 0; i < list->text_count; i++) {
        list->by_key[i] = &list->texts[i];
    }
    qsort(list->by_name, list->count, sizeof *list->by_name, compare_names);
    qsort(list->by_key, list->text_count, sizeof *list->by_key, compare_keys);
    return refuse_twice(list, error);
}

const attn_tensor_info *attn_tensor_list_find(const attn_tensor_list *list, const char *name) {
    const attn_tensor_info wanted = {.name = name}, *key = &wanted;
    const attn_tensor_info **found =
        bsearch(&key, list->by_name, list->count, sizeof *list->by_name, compare_names);
    return found != NULL ? *found : NULL;
}

const char *attn_tensor_list_text(const attn_tensor_list *list, const char *key) {
    size_t low = 0, high = list->text_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->by_key[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < list->text_count && strcmp(list->by_key[low]->key, key) == 0;
    return found ? list->by_key[low]->value : NULL;
}

/* io/tensor_list.h: what every reader of a foreign file fills: tensors and texts by name, and the memory
 * that they lie in.
 *
 * A reader adds, then calls finish once; after that everything can be found and nothing is added. Whoever
 * made the list frees it, also after a failure. Next: io/tensor_file.h, which hands it out. */
#ifndef ATTN_IO_TENSOR_LIST_H
#define ATTN_IO_TENSOR_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/safetensors.h"
#include "base/memory.h"

enum { ATTN_TENSOR_NAME_LIMIT = 1024 }; /* bytes of a name */

/* A zeroed list with `where` set (and living as long) is ready for use. */
typedef struct attn_tensor_list {
    const char *where; /* the file, for messages */
    attn_tensor_info *tensors;
    size_t count, room;
    attn_metadata *texts;
    size_t text_count, text_room;
    attn_arena strings; /* names and texts */
    void **owned;       /* blocks of tensor bytes */
    size_t owned_count, owned_room;
    const attn_tensor_info **by_name; /* sorted by finish */
    const attn_metadata **by_key;
} attn_tensor_list;

void attn_tensor_list_free(attn_tensor_list *list);

/* The bytes that a tensor needs; false when the rank is over ATTN_MAX_RANK, a dimension is negative or
 * the product does not fit. */
bool attn_tensor_bytes(attn_dtype dtype, int rank, const int64_t *shape, size_t *bytes);

/* Takes over a block from attn_alloc, also on failure. */
ATTN_MUST_CHECK attn_status attn_tensor_list_adopt(attn_tensor_list *list, void *block,
                                                   attn_error *error);
/* A new block of `size` bytes that dies with the list. */
ATTN_MUST_CHECK attn_status attn_tensor_list_block(attn_tensor_list *list, size_t size, void **out,
                                                   attn_error *error);

/* Adds a tensor; the name is copied. data, of `available` bytes, has to outlive the list and may lie at any
 * address: what is not aligned for its type is copied. size is worked out here. ATTN_ERR_FORMAT, at
 * `position` of the file: a name that is empty, too long or not UTF-8, a shape that is none, too few bytes. */
ATTN_MUST_CHECK attn_status attn_tensor_list_add(attn_tensor_list *list,
                                                 const attn_tensor_info *tensor, size_t available,
                                                 int64_t position, attn_error *error);
/* Adds a text of `length` bytes, both copied. What cannot be a text (not UTF-8, a NUL inside) is an
 * ATTN_ERR_FORMAT, as is such a key. */
ATTN_MUST_CHECK attn_status attn_tensor_list_add_text(attn_tensor_list *list, const char *key,
                                                      const char *text, size_t length,
                                                      attn_error *error);
/* Marian keeps its configuration as the bytes of a tensor "special:...": true when this is one. It then
 * belongs into the texts, up to its first NUL. */
bool attn_tensor_is_special(const attn_tensor_info *tensor);
ATTN_MUST_CHECK attn_status attn_tensor_list_add_special(attn_tensor_list *list, const char *name,
                                                         const void *bytes, size_t size,
                                                         attn_error *error);

/* Makes all findable. ATTN_ERR_FORMAT: two tensors of one name. May be called again after more was added. */
ATTN_MUST_CHECK attn_status attn_tensor_list_finish(attn_tensor_list *list, attn_error *error);
/* NULL when there is none. Of texts with one key the first is found. */
const attn_tensor_info *attn_tensor_list_find(const attn_tensor_list *list, const char *name);
const char *attn_tensor_list_text(const attn_tensor_list *list, const char *key);

#endif

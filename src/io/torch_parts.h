/* io/torch_parts.h: the storages of a checkpoint, and how torch_file.c (which reads them) leaves it to
 * torch_flatten.c to name what lies in them. */
#ifndef ATTN_IO_TORCH_PARTS_H
#define ATTN_IO_TORCH_PARTS_H

#include "io/pickle.h"
#include "io/tensor_list.h"

enum { ATTN_STORAGE_KEY_LIMIT = 64 };

/* A run of numbers that tensors are views of. */
typedef struct attn_torch_storage {
    char key[ATTN_STORAGE_KEY_LIMIT];
    attn_dtype dtype;
    int64_t count;    /* of elements */
    const void *data; /* aligned; NULL: not read yet */
} attn_torch_storage;

typedef struct attn_torch_storages {
    attn_torch_storage *items; /* sorted by key */
    size_t count;
    size_t bytes; /* of all of them */
} attn_torch_storages;

/* Reads what the id of a storage says: ("storage", type, key, place, count, view). first: where the view of an
 * old checkpoint begins in it. */
ATTN_MUST_CHECK attn_status attn_torch_storage_of(const attn_pickle_value *id, const char *where,
                                                  attn_torch_storage *storage, int64_t *first,
                                                  attn_error *error);
attn_torch_storage *attn_torch_find(const attn_torch_storages *storages, const char *key);

/* Adds all tensors and texts below a value to the list. */
ATTN_MUST_CHECK attn_status attn_torch_flatten(attn_pickle_value *root,
                                               const attn_torch_storages *storages,
                                               attn_tensor_list *list, attn_error *error);

#endif

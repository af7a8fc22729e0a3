/* base/grow.h: arrays that grow by doubling. */
#ifndef ATTN_BASE_GROW_H
#define ATTN_BASE_GROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/shared.h"

/* Makes sure that an array from attn_alloc (or NULL) holds at least `wanted` elements of `size` bytes.
 * array: the address of the pointer; *room: how many it holds. The elements stay, new ones are not
 * cleared. false, and the array as it was, when out of memory. */
ATTN_SHARED bool attn_grow(void *array, size_t *room, size_t wanted, size_t size);

#endif

/* base/grow.c: see grow.h. */
#include "base/grow.h"

#include <string.h>

#include "base/memory.h"

bool attn_grow(void *array, size_t *room, size_t wanted, size_t size) {
    void *old, *grown;
    size_t most, bytes;
    if (wanted <= *room) {
        return true;
    }
    if (!attn_size_mul(wanted, 2, &most) || !attn_size_mul(most, size, &bytes)) {
        return false;
    }
    memcpy(&old, array,
           sizeof old); /* whatever it points to, without breaking the rules of aliasing */
    grown = attn_alloc(bytes);
    if (grown == NULL) {
        return false;
    }
    if (*room > 0) {
        memcpy(grown, old, *room * size);
    }
    attn_free(old);
    memcpy(array, &grown, sizeof grown);
    *room = most;
    return true;
}

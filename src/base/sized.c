/* base/sized.c: structs that may grow, by their size. */
#include "base/sized.h"

#include <string.h>

#include "base/fail.h"

enum { MOST_GROWTH = 4096 }; /* bytes that later versions may add; a size beyond is no size */

void attn_sized_init(void *given, size_t size, const void *defaults, size_t own) {
    memset(given, 0, size);
    memcpy(given, defaults, size < own ? size : own);
    memcpy(given, &size, sizeof size);
}

static attn_status check(const void *given, size_t own, size_t first, const char *name,
                         size_t *size, attn_error *error) {
    if (given == NULL) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL, "the %s is NULL", name);
    }
    memcpy(size, given, sizeof *size);
    if (*size < first || *size > own + MOST_GROWTH) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, NULL,
                         "the %s has no size that can be: initialise it with %s_init", name, name);
    }
    return ATTN_OK;
}

attn_status attn_sized_read(const void *given, void *out, size_t own, size_t first,
                            const char *name, attn_error *error) {
    size_t size = 0;
    attn_status status = check(given, own, first, name, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    const unsigned char *bytes = given;
    for (size_t i = own; i < size; i++) {
        if (bytes[i] != 0) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, NULL, -1, "use a newer library",
                             "the %s sets an option that this library does not know", name);
        }
    }
    memcpy(out, given, size < own ? size : own);
    memcpy(out, &own, sizeof own);
    return ATTN_OK;
}

attn_status attn_sized_write(void *given, const void *filled, size_t own, size_t first,
                             const char *name, attn_error *error) {
    size_t size = 0;
    attn_status status = check(given, own, first, name, &size, error);
    if (status == ATTN_OK) {
        attn_sized_init(given, size, filled, own);
    }
    return status;
}

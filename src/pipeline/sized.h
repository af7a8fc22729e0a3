/* pipeline/sized.h: options whose struct may grow: the first member is the size that its caller knew.
 *
 * A program built against an older header gives a shorter struct; what it lacks keeps its default. */
#ifndef ATTN_PIPELINE_SIZED_H
#define ATTN_PIPELINE_SIZED_H

#include <string.h>

#include "attn/status.h"
#include "base/fail.h"

/* What an init gives a caller that knows `size` bytes of the struct. */
static inline void attn_sized_init(void *options, size_t size, const void *defaults, size_t known) {
    memset(options, 0, size);
    memcpy(options, defaults, size < known ? size : known);
    memcpy(options, &size, sizeof size);
}

/* Lays the caller's options over *mine, which holds the defaults. given: NULL for none. */
static inline attn_status attn_sized_read(void *mine, size_t known, const void *given,
                                          const char *init, attn_error *error) {
    size_t size;
    if (given == NULL) {
        return ATTN_OK;
    }
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > 65536) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, init, -1, "make the options with it",
                         "the options were not initialised");
    }
    memcpy(mine, given, size < known ? size : known);
    return ATTN_OK;
}

#endif

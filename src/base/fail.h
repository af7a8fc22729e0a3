/* base/fail.h: filling in an attn_error. */
#ifndef ATTN_BASE_FAIL_H
#define ATTN_BASE_FAIL_H

#include <stddef.h>

#include "attn/status.h"
#include "base/shared.h"

/* Fills error (when not NULL) and returns status, so that `return attn_fail(...)` reads as one
 * step. where and hint may be NULL; position -1 means none. */
ATTN_SHARED ATTN_PRINTF(6, 7) attn_status
    attn_fail(attn_error *error, attn_status status, const char *where, int64_t position,
              const char *hint, const char *what, ...);

/* The two most common failures. bytes: 0 when it is not known how many. */
ATTN_SHARED attn_status attn_fail_memory(attn_error *error, size_t bytes);
ATTN_SHARED attn_status attn_fail_errno(attn_error *error, const char *where, const char *doing);

#endif

/* base/sized.h: structs that callers fill and that a later version of the library may extend.
 *
 * Such a struct begins with `size_t size`. Its init, inline in the public header, hands over the sizeof
 * that the caller was compiled with; every function that takes the struct reads no more than that,
 * over the defaults of what the caller did not know. So a program runs with a newer library; and with
 * an older one as long as what that library does not know is 0. */
#ifndef ATTN_BASE_SIZED_H
#define ATTN_BASE_SIZED_H

#include <stddef.h>

#include "attn/status.h"
#include "base/shared.h"

/* The size of a struct whose last member is this one: what its first version was. */
#define ATTN_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* Fills `size` bytes at `given` from the defaults (own bytes): the rest is 0; given->size is size. */
ATTN_SHARED void attn_sized_init(void *given, size_t size, const void *defaults, size_t own);

/* Reads a caller's struct `given`, called `name`, over the defaults that lie in `out` (own bytes).
 * first: the size of its first version. ATTN_ERR_ARGUMENT: given is NULL, its size is none that any
 * version has, or it sets something that this version does not know. */
ATTN_SHARED ATTN_MUST_CHECK attn_status attn_sized_read(const void *given, void *out, size_t own,
                                                        size_t first, const char *name,
                                                        attn_error *error);

/* The reverse, for a struct that the library fills: writes what the caller's version knows of
 * `filled`. */
ATTN_MUST_CHECK attn_status attn_sized_write(void *given, const void *filled, size_t own,
                                             size_t first, const char *name, attn_error *error);

#endif

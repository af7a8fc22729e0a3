/* attn/memory.h: where the library's memory comes from.
 *
 * The allocator is one for the process, not one for each caller: where a program and one of its
 * libraries both use attn, both get their memory from what was set last. Only the program itself, which
 * knows when nothing of attn is alive, should set it. */
#ifndef ATTN_MEMORY_H
#define ATTN_MEMORY_H

#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces malloc and free for everything the library allocates from now on. allocate may return
 * NULL, which the library reports as ATTN_ERR_MEMORY; no alignment beyond malloc's is needed. NULL
 * for both returns to malloc and free. Call it before any other attn function, or when nothing the
 * library allocated is alive. Not thread-safe; but the two functions are called by several threads
 * at once. */
ATTN_API void attn_set_allocator(void *(*allocate)(size_t size, void *context),
                                 void (*release)(void *pointer, void *context), void *context);

#ifdef __cplusplus
}
#endif
#endif

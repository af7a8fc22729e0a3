/* attn/memory.h: where the library's memory comes from.
 *
 * The process has one allocator, not one per caller. If a program and one of its libraries both use
 * attn, both get their memory from the allocator that was set last. Only the program itself knows
 * when nothing of attn is alive, so only it should set the allocator. */
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
 * library allocated is alive. Not thread-safe; the two functions must be, because several threads
 * call them at once. */
ATTN_API void attn_set_allocator(void *(*allocate)(size_t size, void *context),
                                 void (*release)(void *pointer, void *context), void *context);

#ifdef __cplusplus
}
#endif
#endif

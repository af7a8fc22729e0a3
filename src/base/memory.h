/* base/memory.h: every heap allocation of the library goes through here.
 *
 * attn_alloc: aligned to 64 bytes, through the allocator hook, NULL when out of memory.
 * attn_scratch: one buffer that grows and is kept, for a kernel's temporary space.
 * attn_arena: many allocations that die together, for a training or decoding step. */
#ifndef ATTN_BASE_MEMORY_H
#define ATTN_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/memory.h"
#include "base/shared.h"

/* size 0 gives a valid pointer. The memory is not cleared. */
ATTN_SHARED void *attn_alloc(size_t size);
/* count * size bytes, all zero; NULL also when the product overflows. */
ATTN_SHARED void *attn_alloc_zero(size_t count, size_t size);
/* The same for much memory that is read again and again: asks the system for large pages. */
void *attn_alloc_large(size_t size);
/* NULL is allowed. */
ATTN_SHARED void attn_free(void *pointer);

/* *out = a * b (or a + b); false, and *out untouched, when it does not fit. */
ATTN_SHARED bool attn_size_mul(size_t a, size_t b, size_t *out);
ATTN_SHARED bool attn_size_add(size_t a, size_t b, size_t *out);

typedef struct attn_scratch {
    void *data;
    size_t size;
} attn_scratch;

/* At least size bytes, aligned to 64, contents undefined, valid until the next call on the same
 * scratch. NULL when out of memory (the old buffer stays). */
ATTN_SHARED void *attn_scratch_get(attn_scratch *scratch, size_t size);
ATTN_SHARED void attn_scratch_free(attn_scratch *scratch);

typedef struct attn_arena_block attn_arena_block;
typedef struct attn_arena {
    attn_arena_block *first; /* newest block */
    size_t used;             /* bytes handed out since the last reset, over all blocks */
    size_t peak;             /* the most that `used` has been */
} attn_arena;

/* Aligned to 64; not cleared; lives until the next reset. NULL when out of memory. A zeroed
 * attn_arena is ready for use. */
void *attn_arena_alloc(attn_arena *arena, size_t size);
/* Forgets everything; keeps one block that is large enough for the peak, so that a repeated step
 * of the same size allocates nothing. */
void attn_arena_reset(attn_arena *arena);
void attn_arena_free(attn_arena *arena);

#endif

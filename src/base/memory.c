/* base/memory.c: the allocator hook, scratch buffers and arenas. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { ALIGNMENT = 64, MIN_BLOCK = 1 << 16 };

static void *default_allocate(size_t size, void *context) {
    (void)context;
    return malloc(size);
}

static void default_release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static struct {
    void *(*allocate)(size_t, void *);
    void (*release)(void *, void *);
    void *context;
} hook = {default_allocate, default_release, NULL};

void attn_set_allocator(void *(*allocate)(size_t, void *), void (*release)(void *, void *),
                        void *context) {
    bool custom = allocate != NULL && release != NULL;
    hook.allocate = custom ? allocate : default_allocate;
    hook.release = custom ? release : default_release;
    hook.context = custom ? context : NULL;
}

bool attn_size_mul(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

bool attn_size_add(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

/* The hook's own pointer is kept just below the aligned one. */
void *attn_alloc(size_t size) {
    size_t total;
    if (__builtin_add_overflow(size, (size_t)ALIGNMENT + sizeof(void *), &total)) {
        return NULL;
    }
    char *raw = hook.allocate(total, hook.context);
    if (raw == NULL) {
        return NULL;
    }
    uintptr_t start = (uintptr_t)raw + sizeof(void *);
    char *aligned = raw + ((start + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - (uintptr_t)raw);
    memcpy(aligned - sizeof(void *), &raw, sizeof raw);
    return aligned;
}

void *attn_alloc_zero(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *pointer = attn_alloc(total);
    if (pointer != NULL) {
        memset(pointer, 0, total);
    }
    return pointer;
}

void *attn_alloc_large(size_t size) {
    void *pointer = attn_alloc(size);
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)1 << 21;
    uintptr_t start = ((uintptr_t)pointer + page - 1) / page * page;
    uintptr_t end = pointer != NULL ? ((uintptr_t)pointer + size) / page * page : 0;
    if (start < end) {
        (void)madvise((void *)start, end - start,
                      MADV_HUGEPAGE); /* a wish: refusing does no harm */
    }
#endif
    return pointer;
}

void attn_free(void *pointer) {
    if (pointer == NULL) {
        return;
    }
    void *raw;
    memcpy(&raw, (char *)pointer - sizeof raw, sizeof raw);
    hook.release(raw, hook.context);
}

void *attn_scratch_get(attn_scratch *scratch, size_t size) {
    if (scratch->data != NULL && scratch->size >= size) {
        return scratch->data;
    }
    void *grown = attn_alloc_large(size);
    if (grown == NULL) {
        return NULL;
    }
    attn_free(scratch->data);
    scratch->data = grown;
    scratch->size = size;
    return grown;
}

void attn_scratch_free(attn_scratch *scratch) {
    attn_free(scratch->data);
    *scratch = (attn_scratch){NULL, 0};
}

struct attn_arena_block {
    attn_arena_block *next;
    size_t capacity;
    size_t used;
    void *data;
};

static attn_arena_block *block_new(size_t capacity) {
    attn_arena_block *block = attn_alloc(sizeof *block);
    if (block == NULL) {
        return NULL;
    }
    *block = (attn_arena_block){.capacity = capacity, .data = attn_alloc_large(capacity)};
    if (block->data == NULL) {
        attn_free(block);
        return NULL;
    }
    return block;
}

static void blocks_free(attn_arena_block *block) {
    while (block != NULL) {
        attn_arena_block *next = block->next;
        attn_free(block->data);
        attn_free(block);
        block = next;
    }
}

void *attn_arena_alloc(attn_arena *arena, size_t size) {
    size_t rounded;
    if (__builtin_add_overflow(size, (size_t)ALIGNMENT - 1, &rounded)) {
        return NULL;
    }
    rounded = rounded / ALIGNMENT * ALIGNMENT;
    attn_arena_block *block = arena->first;
    if (block == NULL || block->capacity - block->used < rounded) {
        size_t capacity = block != NULL ? block->capacity : MIN_BLOCK;
        block = block_new(rounded > capacity ? rounded : capacity);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->first;
        arena->first = block;
    }
    void *pointer = (char *)block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
    return pointer;
}

void attn_arena_reset(attn_arena *arena) {
    if (arena->first != NULL && arena->first->next != NULL) {
        blocks_free(arena->first);
        /* When this fails the arena is empty, and the next allocation starts a block again. */
        arena->first = block_new(arena->peak);
    }
    if (arena->first != NULL) {
        arena->first->used = 0;
    }
    arena->used = 0;
}

void attn_arena_free(attn_arena *arena) {
    blocks_free(arena->first);
    *arena = (attn_arena){NULL, 0, 0};
}

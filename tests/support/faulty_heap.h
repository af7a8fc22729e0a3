/* tests/support/faulty_heap.h: an allocator of which one allocation fails, and which fills what it gives
 * with NaN.
 *
 *     attn_set_allocator(faulty_allocate, faulty_release, &heap);
 *     heap = (faulty){.fail_at = n};
 */
#ifndef ATTN_TESTS_FAULTY_HEAP_H
#define ATTN_TESTS_FAULTY_HEAP_H

#include <stdlib.h>
#include <string.h>

#include "attn/memory.h"

typedef struct faulty {
    _Atomic long calls, live; /* several threads may allocate */
    long fail_at;             /* 0: never */
} faulty;

static faulty heap;

static inline void *faulty_allocate(size_t size, void *context) {
    faulty *f = context;
    if (++f->calls == f->fail_at) {
        return NULL;
    }
    void *memory = malloc(size);
    if (memory != NULL) {
        memset(memory, 0xFF, size);
        f->live++;
    }
    return memory;
}

static inline void faulty_release(void *pointer, void *context) {
    faulty *f = context;
    f->live--;
    free(pointer);
}

#endif

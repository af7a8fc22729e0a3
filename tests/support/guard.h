/* tests/support/guard.h: memory between two pages that may not be touched.
 *
 *     guard_memory x = guard_new(bytes, GUARD_ABOVE);
 *     float *values = x.data;
 *     ...
 *     guard_free(&x);
 *
 * GUARD_ABOVE: the data ends exactly where the upper guard page starts, so one byte too far dies.
 * GUARD_BELOW: it starts exactly where the lower one ends. Include cmocka.h first. */
#ifndef ATTN_TESTS_GUARD_H
#define ATTN_TESTS_GUARD_H

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef enum guard_side { GUARD_ABOVE, GUARD_BELOW } guard_side;

typedef struct guard_memory {
    void *data; /* filled with 0xA5 bytes */
    char *mapping;
    size_t mapped;
} guard_memory;

static inline guard_memory guard_new(size_t size, guard_side side) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (size + page - 1) / page * page;
    size_t mapped = inside + 2 * page;
    char *mapping = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(mapping != MAP_FAILED);
    char *start = mapping + page, *end = start + inside;
    memset(start, 0xA5, inside);
    assert_int_equal(mprotect(mapping, page, PROT_NONE), 0);
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    return (guard_memory){side == GUARD_ABOVE ? end - size : start, mapping, mapped};
}

static inline void guard_free(guard_memory *memory) {
    assert_int_equal(munmap(memory->mapping, memory->mapped), 0);
    *memory = (guard_memory){NULL, NULL, 0};
}

#endif

/* tests/support/faulty_life.h: every allocation of a model's life fails once.
 *
 * The life is run with its first allocation failing, then its second, and so on until one run needs no more. Each
 * failure must be reported as such, and nothing may be left behind. What memory holds before it is written to is NaN,
 * so a result that reads it is not that of the first run. */
#ifndef ATTN_TESTS_FAULTY_LIFE_H
#define ATTN_TESTS_FAULTY_LIFE_H

#include <unistd.h>

#include "attn/threads.h"
#include "support/faulty_heap.h"

/* Makes a model, runs it, saves it to `path` and loads it again. out: all that it computes. */
typedef attn_status (*faulty_life)(const void *what, const char *path, void *out);

/* expected and got have room for `size` bytes; a life takes more than `least` allocations. */
static inline void check_faulty_life(faulty_life life, const void *what, void *expected, void *got,
                                     size_t size, long least) {
    char path[] = "/tmp/attn-test-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    attn_set_threads(1);
    memset(expected, 0, size);
    assert_int_equal(life(what, path, expected), ATTN_OK);
    attn_set_allocator(faulty_allocate, faulty_release, &heap);
    attn_status status = ATTN_ERR_MEMORY;
    for (long n = 1; status != ATTN_OK; n++) {
        heap = (faulty){.fail_at = n};
        memset(got, 0, size);
        status = life(what, path, got);
        if (heap.live != 0 || (heap.calls >= n && status != ATTN_ERR_MEMORY)) {
            attn_set_allocator(NULL, NULL, NULL);
            fail_msg("allocation %ld failed: status %d, %ld pieces left", n, status, heap.live);
        }
    }
    attn_set_allocator(NULL, NULL, NULL);
    assert_true(heap.calls > least);
    assert_memory_equal(got, expected, size);
    attn_set_threads(0);
    unlink(path);
}

#endif

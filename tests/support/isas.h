/* tests/support/isas.h: runs one computation on every instruction set of this machine, and on one
 * and on several threads, for results that must not change by a bit.
 *
 *     for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) { ... }
 *
 * The first step is plain C on one thread. Include cmocka.h first. */
#ifndef ATTN_TESTS_ISAS_H
#define ATTN_TESTS_ISAS_H

#include <stdbool.h>

#include "attn/threads.h"
#include "kernels/table.h"

typedef struct isa_walk {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count, step;
} isa_walk;

static inline void isa_set(const isa_walk *w) {
    if (w->step < 2 * w->count) {
        assert_int_equal(attn_set_isa(w->list[w->step / 2]->isa, NULL), ATTN_OK);
        attn_set_threads(w->step % 2 == 0 ? 1 : 3);
    }
}

static inline isa_walk isa_first(void) {
    isa_walk w = {.step = 0};
    w.count = attn_kernels_list(w.list, ATTN_KERNELS_MAX);
    isa_set(&w);
    return w;
}

static inline bool isa_more(const isa_walk *w) {
    if (w->step < 2 * w->count) {
        return true;
    }
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
    return false;
}

static inline void isa_next(isa_walk *w) {
    w->step++;
    isa_set(w);
}

#endif

/* tests/support/values.h: arrays of random floats between guard pages, for kernel tests.
 *
 *     values x = values_new(100, GUARD_ABOVE, 7, -2.0f, 2.0f);   the numbers depend on 7, the key
 *     ... x.at[0] ...
 *     values_free(&x);
 *
 * Include cmocka.h first. Next: tests/support/guard.h. */
#ifndef ATTN_TESTS_VALUES_H
#define ATTN_TESTS_VALUES_H

#include <stdint.h>

#include "base/random.h"
#include "support/guard.h"

typedef struct values {
    float *at;
    int64_t count;
    guard_memory memory;
} values;

/* Uniform on low .. high. */
static inline values values_new(int64_t count, guard_side side, uint64_t key, float low,
                                float high) {
    values made = {.count = count, .memory = guard_new((size_t)count * sizeof(float), side)};
    made.at = made.memory.data;
    attn_random random = attn_random_start(key);
    for (int64_t i = 0; i < count; i++) {
        made.at[i] = low + (high - low) * (float)attn_random_uniform(&random);
    }
    return made;
}

static inline void values_free(values *array) {
    guard_free(&array->memory);
}

static inline void values_assert_equal(const values *a, const values *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->at, b->at, (size_t)a->count * sizeof(float));
}

#endif

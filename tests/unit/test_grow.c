/* Arrays that grow: what is in them stays, and a failure leaves them as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/grow.h"
#include "base/memory.h"
#include "base/minmax.h"

static void *no_memory(size_t size, void *context) {
    (void)size, (void)context;
    return NULL;
}
static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static void elements_stay(void **state) {
    (void)state;
    int32_t *number = NULL;
    size_t room = 0, times = 0;
    for (size_t i = 0; i < 1000; i++) {
        size_t before = room;
        assert_true(attn_grow(&number, &room, i + 1, sizeof *number));
        assert_true(room > i);
        times += room != before;
        number[i] = (int32_t)i;
    }
    for (int32_t i = 0; i < 1000; i++) {
        assert_int_equal(number[i], i);
    }
    assert_true(times < 12); /* by doubling */
    attn_free(number);
}

static void a_failure_leaves_the_array(void **state) {
    (void)state;
    double *number = NULL;
    size_t room = 0;
    assert_true(attn_grow(&number, &room, 1, sizeof *number));
    double *before = number;
    size_t had = room;
    number[0] = 7;
    assert_false(attn_grow(&number, &room, SIZE_MAX / 4, sizeof *number));
    assert_false(attn_grow(&number, &room, SIZE_MAX, sizeof *number));
    attn_set_allocator(no_memory, release, NULL);
    assert_false(attn_grow(&number, &room, 100, sizeof *number));
    assert_true(attn_grow(&number, &room, had, sizeof *number)); /* nothing to do */
    attn_set_allocator(NULL, NULL, NULL);
    assert_ptr_equal(number, before);
    assert_true(room == had && number[0] == 7);
    attn_free(number);
}

static void rounding_up(void **state) {
    (void)state;
    assert_true(attn_min(-1, 2) == -1 && attn_min(2, -1) == -1);
    assert_true(attn_max(-1, 2) == 2 && attn_max(2, -1) == 2);
    assert_true(attn_ceil_div(0, 8) == 0 && attn_ceil_div(1, 8) == 1);
    assert_true(attn_ceil_div(8, 8) == 1 && attn_ceil_div(9, 8) == 2);
    assert_true(attn_round_up(0, 8) == 0 && attn_round_up(9, 8) == 16 &&
                attn_round_up(16, 8) == 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_stay),
        cmocka_unit_test(a_failure_leaves_the_array),
        cmocka_unit_test(rounding_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The plan of a call: what it tells is what the call then does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "attn/memory.h"
#include "attn/threads.h"
#include "base/memory.h"
#include "kernels/table.h"

static size_t largest;

static void *note_size(size_t size, void *context) {
    (void)context;
    largest = size > largest ? size : largest;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}
static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static attn_plan plan_of(const attn_attention *a, bool backward) {
    attn_plan plan;
    attn_plan_init(&plan);
    assert_int_equal(attn_attention_plan(a, backward, &plan, NULL), ATTN_OK);
    assert_true(strlen(plan.isa_reason) > 0 && strlen(plan.threads_reason) > 0 &&
                strlen(plan.division_reason) > 0);
    return plan;
}

/* The largest block that a forward or backward asks for, its bookkeeping aside. */
static size_t memory_of(const attn_attention *a, bool backward, size_t bookkeeping) {
    size_t count = (size_t)(a->batch * a->heads * (a->query_length + a->key_length) *
                            (a->head_size + a->value_size + 1));
    float *x = calloc(count, sizeof *x), *y = calloc(count, sizeof *y);
    float *dq = calloc(count, sizeof *dq), *dk = calloc(count, sizeof *dk);
    float *dv = calloc(count, sizeof *dv);
    float *d_bias = calloc((size_t)(a->query_length * a->key_length), sizeof *d_bias);
    attn_attention_gradients gradients = {sizeof(attn_attention_gradients), dq,   dk,   dv,
                                          a->bias != NULL ? d_bias : NULL,  NULL, NULL, NULL};
    attn_set_allocator(note_size, release, NULL);
    largest = 0;
    attn_status status = backward ? attn_attention_backward(a, x, x, x, x, x, x, &gradients, NULL)
                                  : attn_attention_forward(a, x, x, x, y, NULL, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(status, ATTN_OK);
    void *all[] = {x, y, dq, dk, dv, d_bias};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
    return largest - bookkeeping;
}

/* What an allocation takes besides the bytes that are asked for. */
static size_t bookkeeping(void) {
    attn_set_allocator(note_size, release, NULL);
    largest = 0;
    void *p = attn_alloc(1024);
    attn_free(p);
    attn_set_allocator(NULL, NULL, NULL);
    return largest - 1024;
}

static void memory_is_what_is_asked_for(void **state) {
    (void)state;
    static const float bias[300];
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    size_t extra = bookkeeping();
    for (int n = 0; n < 16 * count; n++) {
        assert_int_equal(attn_set_isa(list[n / 16]->isa, NULL), ATTN_OK);
        attn_set_threads(1 + n % 3);
        int64_t heads = n % 2 ? 16 : 1;
        attn_attention a;
        attn_attention_init(&a, 1, heads, heads, 1 + 20 * (n % 16), 300, 9, 20);
        a.window_left = n % 4 == 3 ? 5 : -1;
        a.window_right = a.window_left;
        a.bias = n % 16 >= 8 ? bias : NULL;
        for (int backward = 0; backward < 2; backward++) {
            attn_plan plan = plan_of(&a, backward);
            size_t memory = memory_of(&a, backward, extra);
            assert_true(plan.memory == memory);
        }
    }
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

static void divisions(void **state) {
    (void)state;
    attn_attention a;
    attn_set_threads(2);
    if (attn_get_threads() < 2) {
        skip(); /* a build without OpenMP */
    }
    attn_attention_init(&a, 1, 8, 8, 4096, 4096, 64, 64);
    attn_plan plan = plan_of(&a, false);
    assert_int_equal(plan.threads, 2);
    assert_int_equal(plan.division, ATTN_PLAN_BLOCKS);
    assert_true(plan.visited == 1);
    assert_int_equal(plan_of(&a, true).division, ATTN_PLAN_HEADS);
    a.causal = true;
    plan = plan_of(&a, false);
    assert_true(plan.visited > 0.5 && plan.visited < 0.53);
    a.window_left = 100;
    plan = plan_of(&a, false);
    assert_int_equal(plan.division, ATTN_PLAN_WINDOWS);
    assert_true(plan.visited < 0.1);
    attn_attention_init(&a, 1, 1, 1, 4096, 4096, 64, 64);
    assert_int_equal(plan_of(&a, true).division, ATTN_PLAN_BLOCKS);
    attn_attention_init(&a, 1, 8, 2, 3, 4096, 64, 64);
    assert_int_equal(plan_of(&a, false).division, ATTN_PLAN_FEW);
    a.heads = 8, a.kv_heads = 1; /* one key head, two threads: blocks of queries are more */
    assert_int_equal(plan_of(&a, false).division, ATTN_PLAN_BLOCKS);
    attn_attention_init(&a, 8, 4, 4, 10, 10, 8, 8);
    plan = plan_of(&a, false);
    assert_int_equal(plan.threads, 1); /* too small */
    assert_int_equal(plan.division, ATTN_PLAN_HEADS);
    assert_string_equal(plan.isa, attn_isa_name());
    attn_set_threads(0);
    a.heads = 3;
    assert_int_equal(attn_attention_plan(&a, false, &plan, NULL), ATTN_ERR_ARGUMENT);
}

/* Nothing is said of what is not asked for, and each option is named. */
static void costs(void **state) {
    (void)state;
    static const float slopes[2] = {1, 2}, bias[25], sinks[2];
    attn_attention a;
    attn_attention_init(&a, 1, 2, 2, 5, 5, 16, 32);
    assert_null(attn_attention_cost(&a, 0));
    a.sinks = sinks;
    assert_null(attn_attention_cost(&a, 0));
    a.causal = true;
    a.alibi_slopes = slopes;
    a.bias = bias;
    a.bias_query = 5;
    a.dropout = 0.1f;
    a.head_size = 20;
    static const char *const words[] = {"causal", "ALiBi", "d_bias", "dropout", "multiples of 16"};
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(strstr(attn_attention_cost(&a, i), words[i]));
    }
    assert_null(attn_attention_cost(&a, 5));
    a.dropout = 2;
    assert_null(attn_attention_cost(&a, 0)); /* refused */
}

/* A window costs memory by its own length: all of a call stays under 1.3 times inputs and outputs. */
static void long_sequences_with_a_window(void **state) {
    (void)state;
    for (int64_t heads = 1; heads <= 32; heads *= 2) {
        for (int threads = 1; threads <= 8; threads *= 2) {
            attn_attention a;
            attn_attention_init(&a, 1, heads, heads, 131072, 131072, 64, 64);
            a.causal = true;
            a.window_left = 1024;
            attn_set_threads(threads);
            size_t tensors = (size_t)(131072 * heads) * (4 * 64 + 1) * sizeof(float);
            assert_true((double)plan_of(&a, false).memory < 0.3 * (double)tensors);
        }
    }
    attn_set_threads(0);
}

/* The backward's temporary memory is at most what inputs and gradients take, and a block's for each thread,
 * however many threads there are. */
static void many_threads_cost_no_copies(void **state) {
    (void)state;
    enum { BLOCK_BYTES = 1 << 20 };
    static const int counts[] = {1, 2, 3, 7, 8, 9, 11, 12, 16, 64, 256};
    for (int64_t heads = 1; heads <= 32; heads *= 2) {
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            for (int64_t tokens = 1024; tokens <= 1 << 20; tokens *= 32) {
                attn_attention a;
                attn_attention_init(&a, 1, heads, heads, tokens, tokens, 64, 64);
                attn_set_threads(counts[n]);
                double tensors = (double)(tokens * heads) * (8 * 64 + 1) * sizeof(float);
                double memory = (double)plan_of(&a, true).memory;
                assert_true(memory < 1.01 * tensors + counts[n] * (double)BLOCK_BYTES);
            }
        }
    }
    attn_set_threads(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_what_is_asked_for),
        cmocka_unit_test(divisions),
        cmocka_unit_test(costs),
        cmocka_unit_test(long_sequences_with_a_window),
        cmocka_unit_test(many_threads_cost_no_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

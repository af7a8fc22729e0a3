/* Attention over tensors of 16 bits: the bits of attention over the same numbers in float32, rounded once;
 * and the rounding itself. */
#include <math.h>
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
#include "base/narrow.h"
#include "kernels/attention/attention_kernels.h"
#include "kernels/attention_problem.h"
#include "kernels/table.h"

static uint16_t to_half(attn_half type, float x) {
    return type == ATTN_HALF_BF16 ? narrow_to_bf16(x) : narrow_to_f16(x);
}
static float from_half(attn_half type, uint16_t x) {
    return type == ATTN_HALF_BF16 ? narrow_from_bf16(x) : narrow_from_f16(x);
}

static void every_f16(void **state) {
    (void)state;
    for (uint32_t x = 0; x < 65536; x++) {
        float value = narrow_from_f16((uint16_t)x);
        bool nan = (x & 0x7FFF) > 0x7C00;
        assert_true(nan ? value != value : narrow_to_f16(value) == x);
        if (!nan && (x & 0x7FFF) < 0x7BFF) { /* half way to the next: to the even one */
            float next = narrow_from_f16((uint16_t)(x + 1)), middle = (value + next) / 2;
            assert_int_equal(narrow_to_f16(middle), x % 2 ? x + 1 : x);
            assert_int_equal(narrow_to_f16(nextafterf(middle, next)), x + 1);
            assert_int_equal(narrow_to_f16(nextafterf(middle, value)), x);
        }
    }
    assert_int_equal(narrow_to_f16(65519.99f), 0x7BFF);
    assert_int_equal(narrow_to_f16(65520), 0x7C00);
    assert_int_equal(narrow_to_f16(-1e30f), 0xFC00);
    assert_int_equal(narrow_to_f16(-INFINITY), 0xFC00);
    assert_int_equal(narrow_to_f16(1e-30f), 0);
    assert_true((narrow_to_f16(NAN) & 0x7FFF) > 0x7C00);
}

/* Inputs that 16 bits hold, in both forms. */
static uint16_t *narrow_input(problem *p, enum tensor tensor, attn_half type) {
    uint16_t *half = calloc((size_t)p->count[tensor] + 1, sizeof *half);
    for (int64_t n = 0; n < p->count[tensor]; n++) {
        half[n] = to_half(type, at(p, tensor)[n]);
        at(p, tensor)[n] = from_half(type, half[n]);
    }
    return half;
}

static float *numbers(int64_t count, uint64_t seed) {
    attn_random random = attn_random_start(seed);
    float *x = malloc((size_t)(count + 1) * sizeof *x);
    for (int64_t n = 0; n < count; n++) {
        x[n] = (float)(attn_random_uniform(&random) * 2 - 1);
    }
    return x;
}

/* Row i of head h of sequence b, padded ones too, whatever lies between rows. */
static void same_rows(const problem *p, const float *strided, attn_strides strides,
                      const float *contiguous, bool queries, int64_t heads, int64_t size) {
    const attn_attention *s = &p->spec;
    for (int64_t b = 0; b < s->batch; b++) {
        attn_sequence sequence = attn_sequence_of(s, b);
        int64_t length = queries ? s->query_length : s->key_length;
        int64_t present = queries ? sequence.queries : sequence.keys;
        int64_t tokens = s->query_starts != NULL ? present : length;
        attn_strides flat = {length * heads * size, heads * size, size};
        for (int64_t n = 0; n < tokens * heads; n++) {
            int64_t h = n / tokens, i = n % tokens;
            int64_t from = queries ? attn_query_offset(&sequence, strides, h, i)
                                   : attn_key_offset(&sequence, strides, h, i);
            int64_t to = queries ? attn_query_offset(&sequence, flat, h, i)
                                 : attn_key_offset(&sequence, flat, h, i);
            assert_true(same(strided + from, contiguous + to, size));
        }
    }
}

/* The output in 16 bits, of which the wide one then holds the values. */
static void same_forward(problem *p, attn_half type, const uint16_t *query, const uint16_t *key,
                         const uint16_t *value, uint16_t *output) {
    const attn_attention *s = &p->spec;
    float *lse = calloc((size_t)p->count[LSE] + 1, sizeof *lse);
    assert_int_equal(attn_attention_forward(s, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                            at(p, OUTPUT), at(p, LSE), NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_forward_half(s, type, query, key, value, output, lse, NULL),
                     ATTN_OK);
    assert_true(same(lse, at(p, LSE), p->count[LSE]));
    for (int64_t n = 0; n < p->count[OUTPUT]; n++) {
        assert_int_equal(output[n], to_half(type, at(p, OUTPUT)[n]));
        at(p, OUTPUT)[n] = from_half(type, output[n]);
    }
    free(lse);
}

/* Results of the backward that begin as something else. */
static attn_attention_gradients new_gradients(const problem *p, const float *d_lse,
                                              const float *d_weights) {
    const attn_attention *s = &p->spec;
    return (attn_attention_gradients){
        .size = sizeof(attn_attention_gradients),
        .d_query = numbers(p->count[QUERY], 1),
        .d_key = numbers(p->count[KEY], 2),
        .d_value = numbers(p->count[VALUE], 3),
        .d_bias = s->bias != NULL ? numbers(p->count[BIAS], 4) : NULL,
        .d_sinks = s->sinks != NULL ? numbers(p->count[SINKS], 5) : NULL,
        .d_lse = d_lse,
        .d_weights = d_weights,
    };
}
static void free_gradients(attn_attention_gradients *g) {
    float *all[] = {g->d_query, g->d_key, g->d_value, g->d_bias, g->d_sinks};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
}

/* Of odd seeds with the gradients of LSE and of the weights. */
static void check(const options *o, uint64_t seed, attn_half type) {
    problem p = problem_new(o, seed, GUARD_ABOVE);
    const attn_attention *s = &p.spec;
    uint16_t *query = narrow_input(&p, QUERY, type), *key = narrow_input(&p, KEY, type);
    uint16_t *value = narrow_input(&p, VALUE, type), *d_output = narrow_input(&p, D_OUTPUT, type);
    guard_memory output = guard_new((size_t)p.count[OUTPUT] * 2, GUARD_ABOVE);
    same_forward(&p, type, query, key, value, output.data);
    float *d_lse = seed % 2 ? numbers(p.count[LSE], 6) : NULL;
    float *d_weights = seed % 2 ? numbers(p.count[ALL_WEIGHTS], 7) : NULL;
    attn_attention_gradients truth = new_gradients(&p, d_lse, d_weights);
    attn_attention_gradients found = new_gradients(&p, d_lse, d_weights);
    assert_int_equal(attn_attention_backward(s, at(&p, QUERY), at(&p, KEY), at(&p, VALUE),
                                             at(&p, OUTPUT), at(&p, LSE), at(&p, D_OUTPUT), &truth,
                                             NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_backward_half(s, type, query, key, value, output.data,
                                                  at(&p, LSE), d_output, &found, NULL),
                     ATTN_OK);
    same_rows(&p, truth.d_query, s->query, found.d_query, true, s->heads, s->head_size);
    same_rows(&p, truth.d_key, s->key, found.d_key, false, s->kv_heads, s->head_size);
    same_rows(&p, truth.d_value, s->value, found.d_value, false, s->kv_heads, s->value_size);
    assert_true(s->bias == NULL || same(truth.d_bias, found.d_bias, p.count[BIAS]));
    assert_true(s->sinks == NULL || same(truth.d_sinks, found.d_sinks, p.count[SINKS]));
    void *all[] = {query, key, value, d_output, d_lse, d_weights};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        free(all[n]);
    }
    free_gradients(&truth);
    free_gradients(&found);
    guard_free(&output);
    problem_free(&p);
}

static void the_bits_of_float32_rounded_once(void **state) {
    (void)state;
    for (int n = 0; n < 24; n++) {
        options o = {.batch = 1 + n % 3,
                     .heads = 4,
                     .kv_heads = n % 2 ? 2 : 4,
                     .tq = 1 + n * 3,
                     .tk = 40 - n,
                     .d = 5 + n % 4,
                     .e = 9,
                     .causal = n % 4 == 1,
                     .ragged = (ragged)(n % 3),
                     .bias = n % 5 == 2 ? FULL_BIAS : NO_BIAS,
                     .head_first = n % 4 == 2,
                     .sinks = n % 5 == 3};
        attn_set_threads(1 + n % 3);
        check(&o, (uint64_t)n, n % 2 ? ATTN_HALF_F16 : ATTN_HALF_BF16);
    }
    attn_set_threads(0);
}

/* Blocks of keys, rows beside those widened together, one query over values that need no copy, windows, masks,
 * scores so large that rows are found again, whole heads and pieces of them; on every instruction set. */
static void the_same_bits_in_blocks(void **state) {
    (void)state;
    static const options sizes[] = {
        {.heads = 4, .kv_heads = 2, .tq = 101, .tk = 300, .d = 24, .e = 33},
        {.heads = 2, .kv_heads = 1, .tq = 1, .tk = 530, .d = 64, .e = 32},
        {.heads = 2, .kv_heads = 2, .tq = 3, .tk = 290, .d = 7, .e = 16, .softcap = 5},
        {.heads = 2, .kv_heads = 2, .tq = 97, .tk = 277, .d = 33, .e = 48, .causal = true},
        {.heads = 1, .kv_heads = 1, .tq = 700, .tk = 700, .d = 4, .e = 3, .left = 9, .right = 3},
        {.heads = 2, .kv_heads = 2, .tq = 20, .tk = 260, .d = 9, .e = 17, .dropout = 0.3f},
        {.heads = 2, .kv_heads = 1, .tq = 40, .tk = 150, .d = 16, .e = 8, .scale = 20},
        {.heads = 1, .kv_heads = 1, .tq = 1, .tk = 150, .d = 16, .e = 16, .scale = 20},
        {.heads = 2, .kv_heads = 2, .tq = 50, .tk = 140, .d = 6, .e = 5, .sinks = 1, .hook = 1},
        {.heads = 3, .kv_heads = 1, .tq = 100, .tk = 131, .d = 17, .e = 3, .bias = ANY_HEAD},
    };
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < count * (int)(sizeof sizes / sizeof *sizes); n++) {
        options o = sizes[n / count];
        o.batch = 2;
        o.ragged = (ragged)(n / count % 3);
        o.head_first = n / count % 2;
        assert_int_equal(attn_set_isa(list[n % count]->isa, NULL), ATTN_OK);
        attn_set_threads(1 + n / count % 4);
        check(&o, (uint64_t)n, n / 2 % 2 ? ATTN_HALF_F16 : ATTN_HALF_BF16);
    }
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

/* One key for all places: each place has a gradient of its own. */
static void repeated_keys(void **state) {
    (void)state;
    enum { QUERIES = 5, KEYS = 40, SIZE = 7 };
    attn_attention a;
    attn_attention_init(&a, 1, 1, 1, QUERIES, KEYS, SIZE, SIZE);
    uint16_t key[SIZE], value[KEYS * SIZE], query[QUERIES * SIZE], output[QUERIES * SIZE];
    float *all = numbers(KEYS * SIZE, 1), key_wide[KEYS * SIZE], value_wide[KEYS * SIZE];
    float query_wide[QUERIES * SIZE], output_wide[QUERIES * SIZE], lse[QUERIES];
    for (int n = 0; n < KEYS * SIZE; n++) {
        value[n] = narrow_to_bf16(all[n]);
        key[n % SIZE] = value[n % SIZE];
        query[n % (QUERIES * SIZE)] = value[n % (QUERIES * SIZE)];
        value_wide[n] = narrow_from_bf16(value[n]);
        key_wide[n] = value_wide[n % SIZE];
        query_wide[n % (QUERIES * SIZE)] = value_wide[n % (QUERIES * SIZE)];
    }
    float truth[KEYS * SIZE], found[KEYS * SIZE];
    attn_attention_gradients gradients = {.size = sizeof gradients, .d_key = truth};
    assert_int_equal(
        attn_attention_forward(&a, query_wide, key_wide, value_wide, output_wide, lse, NULL),
        ATTN_OK);
    for (int n = 0; n < QUERIES * SIZE; n++) {
        output[n] = narrow_to_bf16(output_wide[n]);
        output_wide[n] = narrow_from_bf16(output[n]);
    }
    assert_int_equal(attn_attention_backward(&a, query_wide, key_wide, value_wide, output_wide, lse,
                                             query_wide, &gradients, NULL),
                     ATTN_OK);
    a.key.token = 0;
    gradients.d_key = found;
    assert_int_equal(attn_attention_backward_half(&a, ATTN_HALF_BF16, query, key, value, output,
                                                  lse, query, &gradients, NULL),
                     ATTN_OK);
    assert_true(same(truth, found, KEYS * SIZE));
    free(all);
}

static void *count_memory(size_t size, void *context) {
    *(size_t *)context += size;
    return malloc(size);
}
static void release_memory(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

/* No tensor is copied whole: all the memory taken is what the plan tells, and a little for alignment. */
static void the_memory_of_the_plan(void **state) {
    (void)state;
    enum { HEADS = 8, TOKENS = 2048, SIZE = 64, COUNT = HEADS * TOKENS * SIZE };
    attn_attention a;
    attn_plan plan;
    attn_plan_init(&plan);
    attn_attention_init(&a, 1, HEADS, HEADS, 8, TOKENS, SIZE, SIZE);
    uint16_t *x = calloc(COUNT, sizeof *x), *y = calloc(COUNT, sizeof *y);
    size_t taken = 0;
    attn_set_threads(1);
    assert_int_equal(attn_attention_plan(&a, false, &plan, NULL), ATTN_OK);
    attn_set_allocator(count_memory, release_memory, &taken);
    attn_status status = attn_attention_forward_half(&a, ATTN_HALF_BF16, x, x, x, y, NULL, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    attn_set_threads(0);
    assert_int_equal(status, ATTN_OK);
    assert_in_range(taken, 0, plan.memory + 4096);
    assert_true(taken < COUNT * sizeof(float) / 2);
    free(x);
    free(y);
}

static void the_memory_of_the_plan_of_the_backward(void **state) {
    (void)state;
    enum { HEADS = 8, TOKENS = 2048, SIZE = 64, COUNT = HEADS * TOKENS * SIZE, QUERIES = 8 };
    attn_attention a;
    attn_plan plan;
    attn_plan_init(&plan);
    attn_attention_init(&a, 1, HEADS, HEADS, QUERIES, TOKENS, SIZE, SIZE);
    uint16_t *x = calloc(COUNT, sizeof *x);
    float *d_query = numbers(HEADS * QUERIES * SIZE, 1), *d_key = numbers(COUNT, 1);
    float *d_value = numbers(COUNT, 1), lse[HEADS * QUERIES] = {0};
    attn_attention_gradients gradients = {
        .size = sizeof gradients, .d_query = d_query, .d_key = d_key, .d_value = d_value};
    size_t taken = 0;
    attn_set_threads(1);
    assert_int_equal(attn_attention_plan(&a, true, &plan, NULL), ATTN_OK);
    attn_set_allocator(count_memory, release_memory, &taken);
    attn_status status =
        attn_attention_backward_half(&a, ATTN_HALF_F16, x, x, x, x, lse, x, &gradients, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    attn_set_threads(0);
    assert_int_equal(status, ATTN_OK);
    assert_in_range(taken, 0, plan.memory + 4096);
    assert_true(taken < COUNT * sizeof(float)); /* the copy of one tensor */
    free(x);
    free(d_query);
    free(d_key);
    free(d_value);
}

static void *refuse_memory(size_t size, void *context) {
    (void)size, (void)context;
    return NULL;
}
static void release_nothing(void *pointer, void *context) {
    (void)pointer, (void)context;
}

static void what_the_backward_refuses(void **state) {
    (void)state;
    attn_attention a;
    uint16_t x[4] = {0};
    attn_real lse[2] = {0}, d_query[4], d_bias[4];
    attn_error error;
    attn_attention_gradients wanted = {.size = sizeof wanted, .d_query = d_query};
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    assert_int_equal(
        attn_attention_backward_half(&a, (attn_half)7, x, x, x, x, lse, x, &wanted, &error),
        ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "type"));
    for (int missing = 0; missing < 6; missing++) {
        const uint16_t *t[5] = {x, x, x, x, x};
        if (missing < 5) {
            t[missing] = NULL;
        }
        assert_int_equal(attn_attention_backward_half(&a, ATTN_HALF_F16, t[0], t[1], t[2], t[3],
                                                      missing < 5 ? lse : NULL, t[4], &wanted,
                                                      &error),
                         ATTN_ERR_ARGUMENT);
        assert_non_null(strstr(error.what, "is NULL"));
    }
    attn_set_allocator(refuse_memory, release_nothing, NULL);
    attn_status status =
        attn_attention_backward_half(&a, ATTN_HALF_F16, x, x, x, x, lse, x, &wanted, &error);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(status, ATTN_ERR_MEMORY);
    wanted.d_bias = d_bias;
    assert_int_equal(
        attn_attention_backward_half(&a, ATTN_HALF_F16, x, x, x, x, lse, x, &wanted, &error),
        ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "d_bias"));
}

static void what_cannot_be(void **state) {
    (void)state;
    attn_attention a;
    uint16_t x[16] = {0}, y[16];
    attn_real lse[2] = {0};
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    assert_int_equal(attn_attention_forward_half(&a, (attn_half)7, x, x, x, y, lse, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_attention_forward_half(&a, ATTN_HALF_F16, NULL, x, x, y, lse, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_attention_forward_half(&a, ATTN_HALF_F16, x, x, x, NULL, lse, NULL),
                     ATTN_ERR_ARGUMENT);
    attn_set_allocator(refuse_memory, release_nothing, NULL);
    attn_status status = attn_attention_forward_half(&a, ATTN_HALF_F16, x, x, x, y, lse, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(status, ATTN_ERR_MEMORY);
    a.output.token = 0;
    assert_int_equal(attn_attention_forward_half(&a, ATTN_HALF_F16, x, x, x, y, lse, NULL),
                     ATTN_ERR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16),
        cmocka_unit_test(the_bits_of_float32_rounded_once),
        cmocka_unit_test(the_same_bits_in_blocks),
        cmocka_unit_test(repeated_keys),
        cmocka_unit_test(the_memory_of_the_plan),
        cmocka_unit_test(the_memory_of_the_plan_of_the_backward),
        cmocka_unit_test(what_the_backward_refuses),
        cmocka_unit_test(what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Statistics of the weights: against the array of weights, and every instruction set and number of
 * threads against plain C, bit for bit. */
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
#include "kernels/attention/attention_kernels.h"
#include "kernels/attention_problem.h"
#include "kernels/table.h"

enum { ENTROPY, LARGEST_WEIGHTS, LARGEST_KEYS, COLUMN_SUMS, RESULTS };

typedef struct results {
    guard_memory memory[RESULTS];
    size_t size[RESULTS];
    attn_weight_statistics wanted;
} results;

static results results_new(const problem *p, int64_t k) {
    bool packed = p->spec.query_starts != NULL;
    size_t keys = (size_t)(packed ? p->spec.key_starts[p->spec.batch] * p->spec.heads
                                  : p->spec.batch * p->spec.heads * p->spec.key_length);
    results r = {0};
    r.size[ENTROPY] = (size_t)p->count[LSE] * sizeof(float);
    r.size[LARGEST_WEIGHTS] = r.size[ENTROPY] * (size_t)k;
    r.size[LARGEST_KEYS] = (size_t)p->count[LSE] * (size_t)k * sizeof(int64_t);
    r.size[COLUMN_SUMS] = keys * sizeof(float);
    for (int n = 0; n < RESULTS; n++) {
        r.memory[n] = guard_new(r.size[n], GUARD_ABOVE);
    }
    r.wanted = (attn_weight_statistics){
        sizeof(attn_weight_statistics), r.memory[ENTROPY].data,      k,
        r.memory[LARGEST_WEIGHTS].data, r.memory[LARGEST_KEYS].data, r.memory[COLUMN_SUMS].data};
    return r;
}

static void results_free(results *r) {
    for (int n = 0; n < RESULTS; n++) {
        guard_free(&r->memory[n]);
    }
}

static void run(problem *p, const attn_weight_statistics *wanted, const char *isa, int threads) {
    assert_int_equal(attn_set_isa(isa, NULL), ATTN_OK);
    attn_set_threads(threads);
    assert_int_equal(
        attn_attention_statistics(&p->spec, at(p, QUERY), at(p, KEY), at(p, LSE), wanted, NULL),
        ATTN_OK);
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

static void forward_and_weights(problem *p) {
    assert_int_equal(attn_set_isa("ref", NULL), ATTN_OK);
    assert_int_equal(attn_attention_forward(&p->spec, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                            at(p, OUTPUT), at(p, LSE), NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_weights(&p->spec, at(p, QUERY), at(p, KEY), at(p, LSE),
                                            at(p, ALL_WEIGHTS), NULL, NULL),
                     ATTN_OK);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

/* The k largest by choosing k times the first of the largest that are left. */
static void check_largest(const float *weights, attn_range seen, bool dead, const float *largest,
                          const int64_t *keys, int64_t k) {
    bool taken[512] = {false};
    for (int64_t n = 0; n < k; n++) {
        int64_t best = -1;
        for (int64_t j = seen.first; j < seen.last && !dead; j++) {
            if (!taken[j] && (best < 0 || weights[j] > weights[best])) {
                best = j;
            }
        }
        assert_int_equal(keys[n], best);
        assert_true(largest[n] == (best < 0 ? 0 : weights[best]));
        if (best >= 0) {
            taken[best] = true;
        }
    }
}

/* Rows and columns of the weights, counted one by one. */
static void check_against_weights(problem *p, const results *r) {
    const attn_attention *s = &p->spec;
    attn_attention_call call = {.spec = s, .left = INT32_MAX, .right = INT32_MAX};
    call.left = s->window_left >= 0 ? s->window_left : call.left;
    call.right = s->causal ? 0 : s->window_right >= 0 ? s->window_right : call.right;
    for (int64_t n = 0; n < s->batch * s->heads; n++) {
        int64_t b = n / s->heads, h = n % s->heads, k = r->wanted.largest;
        attn_sequence sequence = attn_sequence_of(s, b);
        float sums[512] = {0};
        int64_t padded = s->query_starts != NULL ? sequence.queries : s->query_length;
        for (int64_t i = 0; i < padded; i++) {
            int64_t row = attn_lse_offset(s, &sequence, h, i);
            const float *weights = at(p, ALL_WEIGHTS) + (n * s->query_length + i) * s->key_length;
            attn_range seen = attn_visible_keys(&call, &sequence, i);
            bool dead = i >= sequence.queries || at(p, LSE)[row] == -INFINITY;
            double entropy = 0;
            for (int64_t j = 0; j < s->key_length; j++) {
                sums[j] += weights[j];
                entropy -= weights[j] > 0 ? (double)weights[j] * log((double)weights[j]) : 0;
            }
            entropy = entropy < 0 ? 0 : entropy; /* of weights that rounding brought above 1 */
            assert_true(fabs((double)r->wanted.entropy[row] - entropy) < 1e-5);
            check_largest(weights, seen, dead, r->wanted.largest_weights + row * k,
                          r->wanted.largest_keys + row * k, k);
        }
        assert_memory_equal(sums, r->wanted.column_sums + attn_column_offset(s, &sequence, h, 0),
                            (size_t)(s->query_starts != NULL ? sequence.keys : s->key_length) *
                                sizeof(float));
    }
}

/* Each statistic again, alone, on every instruction set with 1 to 3 threads. */
static void check_everywhere(problem *p, const results *truth) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < count * 12; n++) {
        results r = results_new(p, truth->wanted.largest);
        int which = n % 4; /* all, rows, columns, entropy */
        for (int t = 0; t < RESULTS; t++) {
            memset(r.memory[t].data, 0xA5, r.size[t]);
        }
        attn_weight_statistics wanted = r.wanted;
        wanted.column_sums = which == 1 || which == 3 ? NULL : wanted.column_sums;
        wanted.entropy = which == 2 ? NULL : wanted.entropy;
        wanted.largest_keys = which >= 2 ? NULL : wanted.largest_keys;
        wanted.largest_weights = which >= 2 ? NULL : wanted.largest_weights;
        run(p, &wanted, list[n / 12]->isa, 1 + n / 4 % 3);
        const void *given[RESULTS] = {wanted.entropy, wanted.largest_weights, wanted.largest_keys,
                                      wanted.column_sums};
        for (int t = 0; t < RESULTS; t++) {
            if (given[t] != NULL && r.size[t] > 0) {
                assert_memory_equal(given[t], truth->memory[t].data, r.size[t]);
            }
        }
        results_free(&r);
    }
}

static void statistics_are_those_of_the_weights(void **state) {
    (void)state;
    for (int n = 0; n < 72; n++) {
        options o = {.batch = 1 + n % 3,
                     .heads = n % 4 ? 4 : 2,
                     .kv_heads = n % 2 ? 1 : 2,
                     .tq = n % 5 ? 13 + n : 200,
                     .tk = n % 7 ? 5 + n : 300,
                     .d = 3 + n % 4,
                     .e = 2,
                     .causal = n % 3 == 1,
                     .left = n % 8 == 2 ? 1 + n : 0,
                     .right = n % 8 == 5 ? 7 : 0,
                     .ragged = (ragged)(n / 2 % 3),
                     .bias = (bias_kind)(n % 9 < 5 ? n % 9 : 0),
                     .dropout = n % 6 == 0 ? 0.2f : 0,
                     .head_first = n % 4 == 3,
                     .scale = n % 11 == 0 ? 40 : 0, /* weights of 0, and equal ones */
                     .softcap = n % 5 == 1 ? 1.5f : 0,
                     .alibi = n % 5 == 2,
                     .sinks = n % 5 == 3,
                     .hook = n % 9 == 4};
        problem p = problem_new(&o, (uint64_t)n, GUARD_BELOW);
        if (n % 6 == 5) { /* all weights of a row are equal */
            memset(at(&p, QUERY), 0, (size_t)p.count[QUERY] * sizeof(float));
        }
        forward_and_weights(&p);
        results truth = results_new(&p, n % 4 == 3 ? 40 : n % 4);
        run(&p, &truth.wanted, "ref", 1);
        check_against_weights(&p, &truth);
        check_everywhere(&p, &truth);
        results_free(&truth);
        problem_free(&p);
    }
}

static void *refuse_memory(size_t size, void *context) {
    (void)size, (void)context;
    return NULL;
}
static void release_nothing(void *pointer, void *context) {
    (void)pointer, (void)context;
}

static void impossible_wishes(void **state) {
    (void)state;
    attn_attention a;
    float x[16] = {0}, lse[2] = {0};
    int64_t keys[16];
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    attn_weight_statistics half = {
        .size = sizeof(attn_weight_statistics), .largest = 1, .largest_keys = keys};
    attn_weight_statistics negative = {.size = sizeof(attn_weight_statistics), .largest = -1};
    attn_weight_statistics entropy = {.size = sizeof(attn_weight_statistics), .entropy = x};
    assert_int_equal(attn_attention_statistics(&a, x, x, lse, &half, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_attention_statistics(&a, x, x, lse, &negative, NULL), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_attention_statistics(&a, NULL, x, lse, &entropy, NULL),
                     ATTN_ERR_ARGUMENT);
    attn_set_allocator(refuse_memory, release_nothing, NULL);
    attn_status status = attn_attention_statistics(&a, x, x, lse, &entropy, NULL);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(status, ATTN_ERR_MEMORY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_those_of_the_weights),
        cmocka_unit_test(impossible_wishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

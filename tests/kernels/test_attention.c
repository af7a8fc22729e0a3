/* Attention: every instruction set against plain C, bit for bit, over sizes, options, layouts and
 * threads; every tensor lies between guard pages. What the numbers should be is the subject of
 * test_attention_oracle.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "attn/threads.h"
#include "base/random.h"
#include "kernels/attention/attention.h"
#include "kernels/attention_run.h"
#include "kernels/table.h"
#include "support/thin.h"

/* Every instruction set gives what plain C gives. */
static void check(const options *o, uint64_t seed) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    problem p = problem_new(o, seed, seed % 2 ? GUARD_ABOVE : GUARD_BELOW);
    problem_run(&p, "ref", 1);
    save_results(&p);
    for (int n = 1; n < count; n++) {
        problem_run(&p, list[n]->isa, 1);
        compare_results(&p, list[n]->isa);
    }
    drop_results();
    problem_free(&p);
}

static void sizes_around_the_tiles(void **state) {
    (void)state;
    for (int64_t size = 1; size <= 33; size++) {
        for (int64_t n = size % thin_step(); n < 3; n += thin_step()) {
            options o = vary(size + 31 * n, size, 40 - size, 7, 5);
            check(&o, (uint64_t)size);
            o = vary(size + 17 * n, 1 + size % 5, size, 9, 20);
            check(&o, (uint64_t)size);
            o = vary(size + 13 * n, 7, 19, size, 3);
            check(&o, (uint64_t)size);
            o = vary(size + 11 * n, 7, 19, 4, size);
            check(&o, (uint64_t)size);
        }
    }
}

static void sizes_around_the_blocks(void **state) {
    (void)state;
    static const int64_t keys[] = {127, 128, 129, 255, 256, 257, 300};
    static const int64_t queries[] = {95, 96, 97, 191, 193};
    for (int64_t n = 0; n < 14; n++) {
        options o = vary(n, 5 + n % 3, keys[n % 7], 3, 17);
        check(&o, (uint64_t)n);
        o = vary(n + 3, keys[n % 7], keys[n % 7], 4, 6);
        check(&o, (uint64_t)n);
        o = vary(n + 1, queries[n % 5], 140, 2, 3);
        check(&o, (uint64_t)n);
    }
    static const int64_t sizes[] = {64, 100, 128, 255, 256, 257, 513, 576};
    for (int64_t n = 0; n < 8; n++) {
        options o = vary(n, 14, 21, sizes[n], sizes[7 - n]);
        check(&o, (uint64_t)n);
    }
}

/* Each option alone and all pairs of them. */
static void options_together(void **state) {
    (void)state;
    for (int n = 0; n < 256; n += thin_step()) {
        options o = {.batch = 3,
                     .heads = 4,
                     .kv_heads = n & 1 ? 2 : 4,
                     .tq = 27,
                     .tk = 30,
                     .d = 8,
                     .e = n & 2 ? 19 : 8};
        o.causal = n & 4;
        o.left = n & 8 ? 6 : 0;
        o.right = n & 8 && n & 1 ? 3 : 0;
        o.ragged = n & 16 ? (n & 1 ? PACKED : LENGTHS) : WHOLE;
        o.bias = n & 32 ? (bias_kind)(1 + n % 4) : NO_BIAS;
        o.dropout = n & 64 ? 0.25f : 0;
        o.head_first = n & 128;
        check(&o, (uint64_t)n);
    }
}

/* What changes scores and softmax: each alone, and all together, with the rest going along. */
static void changed_scores_together(void **state) {
    (void)state;
    for (int n = 0; n < 64; n += thin_step()) {
        options o = {.batch = 2,
                     .heads = 4,
                     .kv_heads = n % 3 ? 2 : 4,
                     .tq = 30,
                     .tk = n % 5 ? 37 : 150,
                     .d = 9,
                     .e = 18};
        o.softcap = n & 1 ? 0.8f : 0;
        o.alibi = n & 2;
        o.sinks = n & 4;
        o.hook = n & 8;
        o.bias = n & 16 ? (bias_kind)(1 + n % 4) : NO_BIAS;
        o.dropout = n & 32 ? 0.25f : 0;
        o.causal = n % 3 == 1;
        o.left = n % 7 == 2 ? 9 : 0;
        o.ragged = (ragged)(n % 3);
        check(&o, (uint64_t)n);
    }
}

/* So long that a thread copies only the keys that a run of queries sees. */
static void short_windows_on_long_sequences(void **state) {
    (void)state;
    for (int n = 0; n < 4; n++) {
        options o = {.batch = 2,
                     .heads = 2,
                     .kv_heads = n % 2 ? 2 : 1,
                     .tq = n == 2 ? 200 : 1110,
                     .tk = 1601,
                     .d = 3,
                     .e = 5,
                     .causal = n % 2,
                     .left = n < 2 ? 21 : 140,
                     .right = 4,
                     .ragged = (ragged)(n % 3),
                     .softcap = n == 3 ? 1 : 0};
        problem p = problem_new(&o, (uint64_t)n, n % 2 ? GUARD_ABOVE : GUARD_BELOW);
        attn_plan plan;
        attn_plan_init(&plan);
        attn_set_threads(1); /* of which the longest runs come */
        assert_int_equal(attn_attention_plan(&p.spec, false, &plan, NULL), ATTN_OK);
        attn_set_threads(0);
        assert_int_equal(plan.division, ATTN_PLAN_WINDOWS);
        problem_run(&p, "ref", 1);
        save_results(&p);
        for (int threads = 1; threads <= 3; threads++) {
            problem_run(&p, attn_isa_name(), threads);
            compare_results(&p, attn_isa_name());
        }
        drop_results();
        problem_free(&p);
    }
}

static void threads_change_nothing(void **state) {
    (void)state;
    /* Whole heads, shared heads, and pieces of the backward. */
    static const options cases[] = {
        {.batch = 1, .heads = 1, .kv_heads = 1, .tq = 300, .tk = 400, .d = 16, .e = 16, .bias = 1},
        {.batch = 1,
         .heads = 4,
         .kv_heads = 2,
         .tq = 250,
         .tk = 300,
         .d = 8,
         .e = 24,
         .causal = true,
         .dropout = 0.1f,
         .bias = ANY_HEAD},
        {.batch = 5,
         .heads = 6,
         .kv_heads = 6,
         .tq = 70,
         .tk = 90,
         .d = 16,
         .e = 16,
         .ragged = LENGTHS,
         .bias = ANY_BATCH},
        {.batch = 40,
         .heads = 2,
         .kv_heads = 1,
         .tq = 30,
         .tk = 30,
         .d = 8,
         .e = 8,
         .ragged = PACKED,
         .causal = true},
        {.batch = 2,
         .heads = 4,
         .kv_heads = 2,
         .tq = 210,
         .tk = 190,
         .d = 8,
         .e = 8,
         .ragged = LENGTHS,
         .bias = ANY_QUERY,
         .softcap = 2,
         .alibi = true,
         .sinks = true,
         .hook = true},
    };
    const char *isa = attn_isa_name();
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        problem p = problem_new(&cases[n], n, GUARD_ABOVE);
        problem_run(&p, isa, 1);
        save_results(&p);
        for (int threads = 2; threads <= 3; threads++) {
            problem_run(&p, isa, threads);
            compare_results(&p, isa);
        }
        drop_results();
        problem_free(&p);
    }
}

/* Copies `rows` tokens of one sequence and head between any two layouts. */
static void copy_head(float *to, int64_t to_token, const float *from, int64_t from_token,
                      int64_t tokens, int64_t size) {
    for (int64_t t = 0; t < tokens; t++) {
        memcpy(to + t * to_token, from + t * from_token, (size_t)size * sizeof *to);
    }
}

static bool same_head(const float *a, int64_t a_token, const float *b, int64_t b_token,
                      int64_t tokens, int64_t size) {
    for (int64_t t = 0; t < tokens; t++) {
        if (!same(a + t * a_token, b + t * b_token, size)) {
            return false;
        }
    }
    return true;
}

/* Sequence 1 of a batch, however that is laid out and padded, gives what it gives alone. */
static void a_sequence_does_not_depend_on_its_batch(void **state) {
    (void)state;
    for (int n = 0; n < 12; n++) {
        options o = {.batch = 3,
                     .heads = 4,
                     .kv_heads = n % 2 ? 2 : 4,
                     .tq = 150,
                     .tk = 200,
                     .d = 12,
                     .e = 20,
                     .ragged = n % 3 == 0 ? PACKED : LENGTHS,
                     .head_first = n % 4 >= 2,
                     .causal = n % 5 == 1,
                     .left = n % 5 == 2 ? 40 : 0};
        problem p = problem_new(&o, (uint64_t)n + 100, GUARD_ABOVE);
        attn_sequence s = attn_sequence_of(&p.spec, 1);
        if (o.ragged == LENGTHS) { /* nothing beyond a length is ever read */
            for (int64_t b = 0; b < 3; b++) {
                attn_sequence padded = attn_sequence_of(&p.spec, b);
                for (int64_t g = 0; g < o.kv_heads; g++) {
                    for (int64_t j = padded.keys; j < o.tk; j++) {
                        at(&p, KEY)[attn_key_offset(&padded, p.spec.key, g, j)] = NAN;
                        at(&p, VALUE)[attn_key_offset(&padded, p.spec.value, g, j)] = NAN;
                    }
                }
                for (int64_t h = 0; h < o.heads; h++) {
                    for (int64_t i = padded.queries; i < o.tq; i++) {
                        at(&p, QUERY)[attn_query_offset(&padded, p.spec.query, h, i)] = NAN;
                        at(&p, D_OUTPUT)[attn_query_offset(&padded, p.spec.output, h, i)] = NAN;
                    }
                }
            }
        }
        options alone_options = o;
        alone_options.batch = 1;
        alone_options.ragged = WHOLE;
        alone_options.head_first = false;
        alone_options.tq = s.queries;
        alone_options.tk = s.keys;
        problem alone = problem_new(&alone_options, 0, GUARD_ABOVE);
        attn_sequence t = attn_sequence_of(&alone.spec, 0);
        for (int64_t h = 0; h < o.heads; h++) {
            copy_head(at(&alone, QUERY) + attn_query_offset(&t, alone.spec.query, h, 0),
                      alone.spec.query.token,
                      at(&p, QUERY) + attn_query_offset(&s, p.spec.query, h, 0), p.spec.query.token,
                      s.queries, o.d);
            copy_head(at(&alone, D_OUTPUT) + attn_query_offset(&t, alone.spec.output, h, 0),
                      alone.spec.output.token,
                      at(&p, D_OUTPUT) + attn_query_offset(&s, p.spec.output, h, 0),
                      p.spec.output.token, s.queries, o.e);
        }
        for (int64_t g = 0; g < o.kv_heads; g++) {
            copy_head(at(&alone, KEY) + attn_key_offset(&t, alone.spec.key, g, 0),
                      alone.spec.key.token, at(&p, KEY) + attn_key_offset(&s, p.spec.key, g, 0),
                      p.spec.key.token, s.keys, o.d);
            copy_head(at(&alone, VALUE) + attn_key_offset(&t, alone.spec.value, g, 0),
                      alone.spec.value.token,
                      at(&p, VALUE) + attn_key_offset(&s, p.spec.value, g, 0), p.spec.value.token,
                      s.keys, o.e);
        }
        problem_run(&p, attn_isa_name(), 2);
        problem_run(&alone, attn_isa_name(), 1);
        for (int64_t h = 0; h < o.heads; h++) {
            assert_true(
                same_head(at(&alone, OUTPUT) + attn_query_offset(&t, alone.spec.output, h, 0),
                          alone.spec.output.token,
                          at(&p, OUTPUT) + attn_query_offset(&s, p.spec.output, h, 0),
                          p.spec.output.token, s.queries, o.e));
            assert_true(same(at(&alone, LSE) + attn_lse_offset(&alone.spec, &t, h, 0),
                             at(&p, LSE) + attn_lse_offset(&p.spec, &s, h, 0), s.queries));
            assert_true(same_head(
                at(&alone, D_QUERY) + attn_query_offset(&t, alone.spec.query, h, 0),
                alone.spec.query.token, at(&p, D_QUERY) + attn_query_offset(&s, p.spec.query, h, 0),
                p.spec.query.token, s.queries, o.d));
            assert_true(same_head(at(&alone, ALL_WEIGHTS) + h * s.queries * s.keys, s.keys,
                                  at(&p, ALL_WEIGHTS) + (o.heads + h) * o.tq * o.tk, o.tk,
                                  s.queries, s.keys));
        }
        for (int64_t g = 0; g < o.kv_heads; g++) {
            assert_true(same_head(at(&alone, D_KEY) + attn_key_offset(&t, alone.spec.key, g, 0),
                                  alone.spec.key.token,
                                  at(&p, D_KEY) + attn_key_offset(&s, p.spec.key, g, 0),
                                  p.spec.key.token, s.keys, o.d));
            assert_true(same_head(at(&alone, D_VALUE) + attn_key_offset(&t, alone.spec.value, g, 0),
                                  alone.spec.value.token,
                                  at(&p, D_VALUE) + attn_key_offset(&s, p.spec.value, g, 0),
                                  p.spec.value.token, s.keys, o.e));
        }
        assert_true(same_head(at(&alone, MEAN_WEIGHTS), s.keys, at(&p, MEAN_WEIGHTS) + o.tq * o.tk,
                              o.tk, s.queries, s.keys));
        problem_free(&alone);
        problem_free(&p);
    }
}

/* Outputs, gradients and weights are 0 at padded places, LSE is -infinity. */
static void padding_is_zero(void **state) {
    (void)state;
    options o = {.batch = 4,
                 .heads = 2,
                 .kv_heads = 1,
                 .tq = 30,
                 .tk = 40,
                 .d = 5,
                 .e = 7,
                 .ragged = LENGTHS};
    problem p = problem_new(&o, 5, GUARD_ABOVE);
    problem_run(&p, attn_isa_name(), 2);
    for (int64_t b = 0; b < o.batch; b++) {
        attn_sequence s = attn_sequence_of(&p.spec, b);
        for (int64_t i = s.queries; i < o.tq; i++) {
            for (int64_t h = 0; h < o.heads; h++) {
                assert_true(at(&p, LSE)[attn_lse_offset(&p.spec, &s, h, i)] == -INFINITY);
                for (int64_t e = 0; e < o.e; e++) {
                    assert_true(at(&p, OUTPUT)[attn_query_offset(&s, p.spec.output, h, i) + e] ==
                                0);
                }
                for (int64_t d = 0; d < o.d; d++) {
                    assert_true(at(&p, D_QUERY)[attn_query_offset(&s, p.spec.query, h, i) + d] ==
                                0);
                }
            }
        }
        for (int64_t i = 0; i < o.tq; i++) {
            for (int64_t j = i < s.queries ? s.keys : 0; j < o.tk; j++) {
                assert_true(at(&p, ALL_WEIGHTS)[(b * o.heads * o.tq + i) * o.tk + j] == 0);
                assert_true(at(&p, MEAN_WEIGHTS)[(b * o.tq + i) * o.tk + j] == 0);
            }
        }
        for (int64_t j = s.keys; j < o.tk; j++) {
            for (int64_t d = 0; d < o.d; d++) {
                assert_true(at(&p, D_KEY)[attn_key_offset(&s, p.spec.key, 0, j) + d] == 0);
            }
            for (int64_t e = 0; e < o.e; e++) {
                assert_true(at(&p, D_VALUE)[attn_key_offset(&s, p.spec.value, 0, j) + e] == 0);
            }
        }
    }
    problem_free(&p);
}

static bool any_nan(const float *x, int64_t count) {
    for (int64_t n = 0; n < count; n++) {
        if (x[n] != x[n]) {
            return true;
        }
    }
    return false;
}

/* A key that is NaN reaches exactly the queries that see it, and a query that is NaN exactly the
 * keys that it sees. */
static void nan_reaches_who_sees_it(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 24 * count; n++) {
        options o = {.batch = 1, .heads = 1, .kv_heads = 1, .tq = 140, .tk = 150, .d = 5, .e = 18};
        o.causal = n % 2;
        o.left = n % 3 == 1 ? 20 : 0;
        o.right = n % 3 == 2 ? 9 : 0;
        const char *isa = list[n / 24]->isa;
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        int64_t j = (37 * n + 60) % o.tk, i = (53 * n + 11) % o.tq, shift = o.tk - o.tq;
#define SEES(query, key)                                                                           \
    ((!o.causal || (key) <= (query) + shift) &&                                                    \
     (o.left == 0 || (key) >= (query) + shift - (o.left - 1)) &&                                   \
     (o.right == 0 || (key) <= (query) + shift + (o.right - 1)))
        if (n % 4 < 2) {
            at(&p, n % 4 == 0 ? KEY : VALUE)[j * (n % 4 == 0 ? o.d : o.e)] = NAN;
            problem_run(&p, isa, 1);
            for (int64_t q = 0; q < o.tq; q++) {
                assert_true(any_nan(at(&p, OUTPUT) + q * o.e, o.e) == SEES(q, j));
                assert_true(any_nan(at(&p, D_QUERY) + q * o.d, o.d) == SEES(q, j));
            }
        } else {
            at(&p, n % 4 == 2 ? QUERY : D_OUTPUT)[i * (n % 4 == 2 ? o.d : o.e)] = NAN;
            problem_run(&p, isa, 1);
            for (int64_t key = 0; key < o.tk; key++) {
                assert_true(any_nan(at(&p, D_KEY) + key * o.d, o.d) == SEES(i, key));
                assert_true(any_nan(at(&p, D_VALUE) + key * o.e, o.e) == SEES(i, key));
            }
        }
#undef SEES
        problem_free(&p);
    }
}

/* Rows that see no key, by mask or by bias: output 0, LSE -infinity, gradients 0, whatever dO is. */
static void rows_without_keys(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 2 * count; n++) {
        options o = {.batch = 1,
                     .heads = 1,
                     .kv_heads = 1,
                     .tq = 30,
                     .tk = 20,
                     .d = 6,
                     .e = 17,
                     .causal = n % 2,
                     .bias = n % 2 ? NO_BIAS : FULL_BIAS};
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        for (int64_t c = 0; c < 10 * o.tk && !o.causal; c++) {
            at(&p, BIAS)[c] = -INFINITY; /* the rows that causal hides in the other half */
        }
        at(&p, D_OUTPUT)[3 * o.e] = NAN;
        for (int64_t c = 0; c < 10 * o.d && !o.causal; c++) {
            at(&p, QUERY)[c] = 1;
        }
        if (!o.causal) {
            at(&p, KEY)[2 * o.d] = -INFINITY;
        }
        problem_run(&p, list[n / 2]->isa, 1);
        for (int64_t i = 0; i < 10; i++) {
            assert_true(at(&p, LSE)[i] == -INFINITY);
            for (int64_t e = 0; e < o.e; e++) {
                assert_true(at(&p, OUTPUT)[i * o.e + e] == 0);
            }
            for (int64_t d = 0; d < o.d; d++) {
                assert_true(at(&p, D_QUERY)[i * o.d + d] == 0);
            }
            for (int64_t j = 0; j < o.tk; j++) {
                assert_true(at(&p, ALL_WEIGHTS)[i * o.tk + j] == 0);
            }
        }
        if (o.causal) { /* else the infinite key makes the others NaN */
            assert_true(at(&p, LSE)[12] > -INFINITY);
            assert_false(any_nan(at(&p, D_KEY), p.count[D_KEY]));
            assert_false(any_nan(at(&p, D_VALUE), p.count[D_VALUE]));
        }
        problem_free(&p);
    }
}

/* With a sink: output 0 and LSE the sink's; a sink that nothing reaches is as none. */
static void rows_with_a_sink_alone(void **state) {
    (void)state;
    options o = {.batch = 1,
                 .heads = 2,
                 .kv_heads = 1,
                 .tq = 30,
                 .tk = 20,
                 .d = 6,
                 .e = 17,
                 .causal = true,
                 .sinks = true};
    problem p = problem_new(&o, 4, GUARD_ABOVE);
    problem_run(&p, attn_isa_name(), 1);
    for (int64_t i = 0; i < 10; i++) {
        for (int64_t h = 0; h < 2; h++) {
            float sink = at(&p, SINKS)[h];
            assert_true(fabsf(at(&p, LSE)[h * o.tq + i] - sink) <= 3e-7f * fabsf(sink));
            assert_true(at(&p, OUTPUT)[(i * 2 + h) * o.e] == 0);
            assert_true(at(&p, D_QUERY)[(i * 2 + h) * o.d] == 0);
        }
    }
    at(&p, SINKS)[0] = at(&p, SINKS)[1] = -INFINITY;
    problem_run(&p, attn_isa_name(), 1);
    assert_true(at(&p, D_SINKS)[0] == 0 && at(&p, D_SINKS)[1] == 0);
    save_results(&p);
    p.spec.sinks = NULL;
    problem_run(&p, attn_isa_name(), 1);
    compare_results(&p, "no sinks");
    drop_results();
    problem_free(&p);
}

static void nothing_to_do(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{0, 3, 4}, {2, 0, 4}, {2, 3, 0}, {2, 0, 0}};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        options o = {.batch = sizes[n][0],
                     .heads = 2,
                     .kv_heads = 1,
                     .tq = sizes[n][1],
                     .tk = sizes[n][2],
                     .d = 3,
                     .e = 5};
        check(&o, n);
        problem p = problem_new(&o, n, GUARD_ABOVE);
        problem_run(&p, attn_isa_name(), 3);
        for (int64_t c = 0; c < p.count[OUTPUT]; c++) {
            assert_true(at(&p, OUTPUT)[c] == 0);
        }
        for (int64_t c = 0; c < p.count[D_KEY]; c++) {
            assert_true(at(&p, D_KEY)[c] == 0);
        }
        problem_free(&p);
    }
}

/* Each gradient is the same whichever others are wanted. */
static void gradients_that_are_not_wanted(void **state) {
    (void)state;
    options o = {.batch = 2, .heads = 2, .kv_heads = 1, .tq = 50, .tk = 140, .d = 5, .e = 9};
    for (int n = 0; n < 16; n++) {
        o.tq = n < 8 ? 50 : 300;
        problem p = problem_new(&o, 1, GUARD_ABOVE);
        problem_run(&p, attn_isa_name(), 1);
        save_results(&p);
        attn_set_threads(3);
        for (int t = D_QUERY; t <= D_VALUE; t++) {
            memset(at(&p, t), 0xA5, (size_t)p.count[t] * sizeof(float));
        }
        attn_attention_gradients gradients = {.size = sizeof(attn_attention_gradients),
                                              .d_query = n & 1 ? at(&p, D_QUERY) : NULL,
                                              .d_key = n & 2 ? at(&p, D_KEY) : NULL,
                                              .d_value = n & 4 ? at(&p, D_VALUE) : NULL};
        assert_int_equal(attn_attention_backward(&p.spec, at(&p, QUERY), at(&p, KEY), at(&p, VALUE),
                                                 at(&p, OUTPUT), at(&p, LSE), at(&p, D_OUTPUT),
                                                 &gradients, NULL),
                         ATTN_OK);
        attn_set_threads(0);
        for (int t = D_QUERY; t <= D_VALUE; t++) {
            if (n >> (t - D_QUERY) & 1) {
                assert_true(same(saved[t], at(&p, t), p.count[t]));
            }
        }
        drop_results();
        problem_free(&p);
    }
}

/* Dropout hits each place independently of the sizes, and as often as it should. */
static void dropout_is_a_function_of_the_place(void **state) {
    (void)state;
    options o = {.batch = 1,
                 .heads = 1,
                 .kv_heads = 1,
                 .tq = 200,
                 .tk = 200,
                 .d = 1,
                 .e = 1,
                 .dropout = 0.25f};
    problem p = problem_new(&o, 9, GUARD_ABOVE);
    int64_t dropped = 0;
    for (int64_t n = 0; n < p.count[QUERY]; n++) {
        at(&p, QUERY)[n] = 0; /* all weights are equal */
        at(&p, VALUE)[n] = 1;
    }
    problem_run(&p, attn_isa_name(), 1);
    for (int64_t i = 0; i < o.tq; i++) {
        dropped += (int64_t)lrintf(200 * (1 - 0.75f * at(&p, OUTPUT)[i]));
    }
    assert_in_range(dropped, 9600, 10400); /* of 40,000; standard deviation 87 */
    problem_free(&p);
}

static void impossible_descriptions(void **state) {
    (void)state;
    static const int64_t lengths[2] = {3, 9}, starts[3] = {0, 3, 12}, falling[3] = {3, 2, 4};
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        attn_attention a;                                                                          \
        attn_error error;                                                                          \
        attn_attention_init(&a, 2, 4, 2, 8, 8, 16, 16);                                            \
        assert_int_equal(attn_attention_check(&a, &error), ATTN_OK);                               \
        change;                                                                                    \
        assert_int_equal(attn_attention_check(&a, &error), ATTN_ERR_ARGUMENT);                     \
        assert_int_equal(attn_attention_check(&a, NULL), ATTN_ERR_ARGUMENT);                       \
        assert_true(error.what[0] != '\0');                                                        \
    } while (0)
    REFUSED(a.batch = -1);
    REFUSED(a.heads = 0);
    REFUSED(a.kv_heads = 0);
    REFUSED(a.kv_heads = 3);
    REFUSED(a.query_length = -1);
    REFUSED(a.key_length = (int64_t)1 << 31);
    REFUSED(a.head_size = 0);
    REFUSED(a.head_size = 577);
    REFUSED(a.value_size = 577);
    REFUSED(a.scale = NAN);
    REFUSED(a.scale = INFINITY);
    REFUSED(a.softcap = -1);
    REFUSED(a.softcap = INFINITY);
    REFUSED(a.softcap = NAN);
    REFUSED(a.softcap = 1e-40f);
    REFUSED(a.alibi_slopes = ((const float[4]){0, 0, INFINITY, 0}));
    REFUSED(a.sinks = ((const float[4]){0, 0, 0, NAN}));
    REFUSED(a.sinks = ((const float[4]){0, INFINITY, 0, 0}));
    REFUSED(a.score_hook_backward = bend_scores_backward);
    REFUSED(a.mask_kind = (attn_mask_kind)2);
    REFUSED(a.dropout = 1);
    REFUSED(a.dropout = -0.1f);
    REFUSED(a.dropout = NAN);
    REFUSED(a.query_lengths = lengths);
    REFUSED(a.key_lengths = lengths);
    REFUSED(a.query_starts = starts);
    REFUSED(a.query_starts = a.key_starts = starts);
    REFUSED(a.query_starts = a.key_starts = falling);
#undef REFUSED
    attn_attention a;
    float x[16] = {0};
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    assert_int_equal(attn_attention_forward(&a, NULL, x, x, x, NULL, NULL), ATTN_ERR_ARGUMENT);
    attn_attention_gradients bias = {.size = sizeof(attn_attention_gradients), .d_bias = x},
                             sinks = {.size = sizeof(attn_attention_gradients), .d_sinks = x},
                             query = {.size = sizeof(attn_attention_gradients), .d_query = x};
    assert_int_equal(attn_attention_backward(&a, x, x, x, x, x, x, &bias, NULL),
                     ATTN_ERR_ARGUMENT); /* d_bias without bias */
    assert_int_equal(attn_attention_backward(&a, x, x, x, x, x, x, &sinks, NULL),
                     ATTN_ERR_ARGUMENT); /* d_sinks without sinks */
    a.score_hook = bend_scores;          /* without its backward */
    assert_int_equal(attn_attention_backward(&a, x, x, x, x, x, x, &query, NULL),
                     ATTN_ERR_ARGUMENT);
}

static void *refuse_memory(size_t size, void *context) {
    (void)size, (void)context;
    return NULL;
}
static void release_nothing(void *pointer, void *context) {
    (void)pointer, (void)context;
}

static void out_of_memory(void **state) {
    (void)state;
    attn_attention a;
    attn_error error;
    float x[16] = {0}, y[16];
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    attn_set_allocator(refuse_memory, release_nothing, NULL);
    attn_status forward = attn_attention_forward(&a, x, x, x, y, y, &error);
    attn_attention_gradients gradients = {.size = sizeof gradients, .d_query = y};
    attn_status backward = attn_attention_backward(&a, x, x, x, x, x, x, &gradients, &error);
    attn_status weights = attn_attention_weights(&a, x, x, x, y, y, &error);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(forward, ATTN_ERR_MEMORY);
    assert_int_equal(backward, ATTN_ERR_MEMORY);
    assert_int_equal(weights, ATTN_ERR_MEMORY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_around_the_tiles),
        cmocka_unit_test(sizes_around_the_blocks),
        cmocka_unit_test(options_together),
        cmocka_unit_test(changed_scores_together),
        cmocka_unit_test(short_windows_on_long_sequences),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(a_sequence_does_not_depend_on_its_batch),
        cmocka_unit_test(padding_is_zero),
        cmocka_unit_test(nan_reaches_who_sees_it),
        cmocka_unit_test(rows_without_keys),
        cmocka_unit_test(rows_with_a_sink_alone),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(gradients_that_are_not_wanted),
        cmocka_unit_test(dropout_is_a_function_of_the_place),
        cmocka_unit_test(impossible_descriptions),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

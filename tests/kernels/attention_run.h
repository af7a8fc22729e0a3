/* tests/kernels/attention_run.h: runs a problem with every result, keeps the results, and compares. Include it
 * after cmocka.h. */
#ifndef ATTN_TESTS_KERNELS_ATTENTION_RUN_H
#define ATTN_TESTS_KERNELS_ATTENTION_RUN_H

#include "attn/threads.h"
#include "kernels/attention_problem.h"
#include "kernels/table.h"

static inline void problem_run(problem *p, const char *isa, int threads) {
    assert_int_equal(attn_set_isa(isa, NULL), ATTN_OK);
    attn_set_threads(threads);
    for (int t = OUTPUT; t < TENSORS; t++) {
        memset(at(p, t), t == D_BIAS || t == D_SINKS ? 0 : 0xA5,
               (size_t)p->count[t] * sizeof(float));
    }
    attn_error error;
    assert_int_equal(attn_attention_forward(&p->spec, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                            at(p, OUTPUT), at(p, LSE), &error),
                     ATTN_OK);
    attn_attention_gradients gradients = {sizeof(attn_attention_gradients),
                                          at(p, D_QUERY),
                                          at(p, D_KEY),
                                          at(p, D_VALUE),
                                          p->spec.bias != NULL ? at(p, D_BIAS) : NULL,
                                          p->spec.sinks != NULL ? at(p, D_SINKS) : NULL,
                                          NULL,
                                          p->d_weights};
    assert_int_equal(attn_attention_backward(&p->spec, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                             at(p, OUTPUT), at(p, LSE), at(p, D_OUTPUT), &gradients,
                                             &error),
                     ATTN_OK);
    assert_int_equal(attn_attention_weights(&p->spec, at(p, QUERY), at(p, KEY), at(p, LSE),
                                            at(p, ALL_WEIGHTS), at(p, MEAN_WEIGHTS), &error),
                     ATTN_OK);
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

static float *saved[TENSORS];

static inline void save_results(problem *p) {
    for (int t = OUTPUT; t < TENSORS; t++) {
        saved[t] = malloc((size_t)p->count[t] * sizeof(float) + 1);
        memcpy(saved[t], at(p, t), (size_t)p->count[t] * sizeof(float));
    }
}
static inline void drop_results(void) {
    for (int t = OUTPUT; t < TENSORS; t++) {
        free(saved[t]);
        saved[t] = NULL;
    }
}
static inline void compare_results(problem *p, const char *isa) {
    static const char *const names[TENSORS] = {
        [OUTPUT] = "output",   [LSE] = "lse",         [D_QUERY] = "d_query",
        [D_KEY] = "d_key",     [D_VALUE] = "d_value", [D_BIAS] = "d_bias",
        [D_SINKS] = "d_sinks", [ALL_WEIGHTS] = "all", [MEAN_WEIGHTS] = "mean"};
    for (int t = OUTPUT; t < TENSORS; t++) {
        if (!same(saved[t], at(p, t), p->count[t])) {
            fail_msg("%s of %s differs: batch %d heads %d/%d queries %d keys %d sizes %d/%d",
                     names[t], isa, (int)p->spec.batch, (int)p->spec.heads, (int)p->spec.kv_heads,
                     (int)p->spec.query_length, (int)p->spec.key_length, (int)p->spec.head_size,
                     (int)p->spec.value_size);
        }
    }
}

/* Runs through the options as n grows, each with its own period. */
static inline options vary(int64_t n, int64_t tq, int64_t tk, int64_t d, int64_t e) {
    options o = {
        .batch = 1 + n % 2, .heads = 1 + n % 3, .kv_heads = 1, .tq = tq, .tk = tk, .d = d, .e = e};
    o.kv_heads = n % 5 == 0 ? o.heads : 1;
    o.causal = n % 4 == 1;
    o.left = n % 7 == 3 ? 1 + n % 19 : 0;
    o.right = n % 7 == 5 ? 1 + n % 11 : 0;
    o.ragged = (ragged)(n % 3);
    o.bias = (bias_kind)(n % 11 < 5 ? n % 11 : 0);
    o.dropout = n % 6 == 2 ? 0.3f : 0;
    o.head_first = n % 8 >= 4;
    o.scale = n % 9 == 0 ? 0.7f : 0;
    o.softcap = n % 10 == 3 ? 1.5f : 0;
    o.alibi = n % 12 == 7;
    o.sinks = n % 7 == 4;
    o.hook = n % 13 == 6;
    return o;
}

#endif

/* Attention where scores are large or tiny: the weights, their statistics and every gradient are those
 * of the forward, whatever the scale. The values are the unit matrix, so that the output is P itself;
 * what follows from it is computed again in double. And no finite input raises FE_INVALID. */
#include <fenv.h>
#include <float.h>
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

/* How the rows of the bias are masked: every third row whole, the row after it every other key. */
static void mask_rows(problem *p, const options *o, float mask) {
    float *bias = at(p, BIAS);
    for (int64_t n = 0; n < p->count[BIAS]; n++) {
        int64_t i = n / o->tk % o->tq, j = n % o->tk;
        if (i % 3 == 0 || (i % 3 == 1 && j % 2 == 0)) {
            bias[n] = mask;
        } else {
            bias[n] = isinf(bias[n]) ? 0 : bias[n];
        }
    }
}

static void unit_values(problem *p, const options *o) {
    memset(at(p, VALUE), 0, (size_t)p->count[VALUE] * sizeof(float));
    for (int64_t b = 0; b < o->batch; b++) {
        attn_sequence sequence = attn_sequence_of(&p->spec, b);
        for (int64_t g = 0; g < o->kv_heads; g++) {
            for (int64_t j = 0; j < sequence.keys; j++) {
                at(p, VALUE)[attn_key_offset(&sequence, p->spec.value, g, j) + j] = 1;
            }
        }
    }
}

static void run(problem *p, const char *isa, int threads, attn_weight_statistics *wanted) {
    assert_int_equal(attn_set_isa(isa, NULL), ATTN_OK);
    attn_set_threads(threads);
    for (int t = OUTPUT; t < TENSORS; t++) {
        memset(at(p, t), 0, (size_t)p->count[t] * sizeof(float));
    }
    attn_attention_gradients gradients = {sizeof gradients,
                                          at(p, D_QUERY),
                                          at(p, D_KEY),
                                          at(p, D_VALUE),
                                          p->spec.bias != NULL ? at(p, D_BIAS) : NULL,
                                          p->spec.sinks != NULL ? at(p, D_SINKS) : NULL,
                                          NULL,
                                          NULL};
    assert_int_equal(attn_attention_forward(&p->spec, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                            at(p, OUTPUT), at(p, LSE), NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_backward(&p->spec, at(p, QUERY), at(p, KEY), at(p, VALUE),
                                             at(p, OUTPUT), at(p, LSE), at(p, D_OUTPUT), &gradients,
                                             NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_weights(&p->spec, at(p, QUERY), at(p, KEY), at(p, LSE),
                                            at(p, ALL_WEIGHTS), at(p, MEAN_WEIGHTS), NULL),
                     ATTN_OK);
    if (wanted != NULL) {
        assert_int_equal(
            attn_attention_statistics(&p->spec, at(p, QUERY), at(p, KEY), at(p, LSE), wanted, NULL),
            ATTN_OK);
    }
    attn_set_threads(0);
    assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
}

/* ---- what follows from the output ---- */

enum { KEYS = 150 }; /* at most, so that all keys are values too */

typedef struct sums {
    double d_value[KEYS][KEYS], d_key[KEYS][16], largest_value, largest_key;
    double d_sink;
} sums;

static void near(double ours, double truth, double size) {
    if (!(fabs(ours - truth) <= 2e-5 * size)) {
        fail_msg("%.9g, not %.9g, of up to %.3g", ours, truth, size);
    }
}

/* Row i of head h: what it should be, and what it adds to the gradients of the keys. */
static void check_row(problem *p, const attn_sequence *sequence, int64_t b, int64_t h, int64_t i,
                      const float *entropy, sums *s) {
    const attn_attention *a = &p->spec;
    int64_t output = attn_query_offset(sequence, a->output, h, i);
    int64_t row = attn_lse_offset(a, sequence, h, i);
    int64_t query = attn_query_offset(sequence, a->query, h, i), g = h / (a->heads / a->kv_heads);
    const float *weight = at(p, OUTPUT) + output; /* the values are the unit matrix, so this is P */
    const float *d_output = at(p, D_OUTPUT) + output;
    double dot = 0, true_entropy = 0, largest = 0, d_query[16] = {0}, d_query_size = 0, all = 0;
    for (int64_t j = 0; j < sequence->keys; j++) {
        double x = (double)weight[j];
        dot += x * (double)d_output[j];
        true_entropy -= x > 0 ? x * log(x) : 0;
        all += x;
        largest = fmax(largest, fabs(x * (double)d_output[j]));
        near((double)at(
                 p, ALL_WEIGHTS)[((b * a->heads + h) * a->query_length + i) * a->key_length + j],
             x, fmax(x, 1e-9));
    }
    assert_true(all < 1 + 1e-5);
    near((double)entropy[row], true_entropy, 5);
    for (int64_t j = 0; j < sequence->keys; j++) {
        double x = (double)weight[j], d_score = x * ((double)d_output[j] - dot);
        if (a->bias != NULL) {
            near((double)at(p, D_BIAS)[attn_bias_offset(a, b, h, i) + j], d_score,
                 fmax(largest, x * fabs(dot)));
        }
        const float *key = at(p, KEY) + attn_key_offset(sequence, a->key, g, j);
        for (int64_t d = 0; d < a->head_size; d++) {
            d_query[d] += (double)a->scale * d_score * (double)key[d];
            d_query_size += fabs((double)a->scale * x * (double)key[d]);
            s->d_key[j][d] += (double)a->scale * d_score * (double)at(p, QUERY)[query + d];
            s->largest_key += fabs((double)a->scale * x * (double)at(p, QUERY)[query + d]);
        }
        for (int64_t e = 0; e < sequence->keys; e++) {
            s->d_value[j][e] += x * (double)d_output[e];
            s->largest_value += x * fabs((double)d_output[e]);
        }
    }
    for (int64_t d = 0; d < a->head_size && a->softcap == 0; d++) {
        near((double)at(p, D_QUERY)[query + d], d_query[d], 2 * d_query_size);
    }
    s->d_sink -= (1 - all) * dot;
}

static void check_group(problem *p, int64_t b, int64_t g, const float *entropy, double *d_sinks) {
    static sums s;
    const attn_attention *a = &p->spec;
    attn_sequence sequence = attn_sequence_of(a, b);
    int64_t group = a->heads / a->kv_heads;
    s = (sums){.largest_value = 0};
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        s.d_sink = 0;
        for (int64_t i = 0; i < sequence.queries; i++) {
            check_row(p, &sequence, b, h, i, entropy, &s);
        }
        d_sinks[h] += s.d_sink;
    }
    for (int64_t j = 0; j < sequence.keys; j++) {
        int64_t value = attn_key_offset(&sequence, a->value, g, j);
        int64_t key = attn_key_offset(&sequence, a->key, g, j);
        for (int64_t e = 0; e < sequence.keys; e++) {
            near((double)at(p, D_VALUE)[value + e], s.d_value[j][e], s.largest_value);
        }
        for (int64_t d = 0; d < a->head_size && a->softcap == 0; d++) {
            near((double)at(p, D_KEY)[key + d], s.d_key[j][d], 2 * s.largest_key);
        }
    }
}

/* Plain C against what follows from its output; everything else against plain C. */
static void check(const options *o, uint64_t seed, float mask) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    problem p = problem_new(o, seed, GUARD_ABOVE);
    unit_values(&p, o);
    if (o->bias != NO_BIAS) {
        mask_rows(&p, o, mask);
    }
    for (int64_t h = 0; h < o->heads && o->sinks; h++) {
        at(&p, SINKS)[h] *= o->scale * 2; /* some above every score */
    }
    size_t entropies = (size_t)(p.count[LSE] + 1) * sizeof(float);
    float *entropy = malloc(entropies), *first = malloc(entropies), *saved[TENSORS];
    attn_weight_statistics wanted = {.size = sizeof wanted, .entropy = entropy};
    double d_sinks[8] = {0};
    run(&p, "ref", 1, &wanted);
    for (int64_t b = 0; b < o->batch; b++) {
        for (int64_t g = 0; g < o->kv_heads; g++) {
            check_group(&p, b, g, entropy, d_sinks);
        }
    }
    for (int64_t h = 0; h < o->heads && o->sinks; h++) {
        near((double)at(&p, D_SINKS)[h], d_sinks[h], (double)(o->batch * o->tq));
    }
    memcpy(first, entropy, (size_t)p.count[LSE] * sizeof(float));
    for (int t = OUTPUT; t < TENSORS; t++) {
        saved[t] = malloc((size_t)p.count[t] * sizeof(float) + 1);
        memcpy(saved[t], at(&p, t), (size_t)p.count[t] * sizeof(float));
    }
    for (int n = 1; n < 2 * count; n++) {
        run(&p, list[n / 2]->isa, 1 + n % 2 * 2, &wanted);
        assert_true(same(first, entropy, p.count[LSE]));
        for (int t = OUTPUT; t < TENSORS; t++) {
            assert_true(same(saved[t], at(&p, t), p.count[t]));
        }
    }
    for (int t = OUTPUT; t < TENSORS; t++) {
        free(saved[t]);
    }
    free(first);
    free(entropy);
    problem_free(&p);
}

static options vary(int n, int64_t tq, int64_t tk) {
    return (options){.batch = 1 + n % 2,
                     .heads = 2 + n % 2 * 2,
                     .kv_heads = 1 + n % 2,
                     .tq = tq,
                     .tk = tk,
                     .d = 1 + n % 5 * 3,
                     .e = tk,
                     .causal = n % 3 == 1,
                     .left = n % 7 == 3 ? 9 : 0,
                     .ragged = (ragged)(n % 3),
                     .head_first = n % 4 == 1,
                     .scale = 1};
}

/* As most code masks, padding above all: rows in which every key has it, and others. */
static void finite_masks(void **state) {
    (void)state;
    static const float masks[] = {-1e2f, -1e4f,  -65504, -1e8f,    -1e9f,
                                  -3e9f, -1e18f, -1e32f, -1.7e38f, -FLT_MAX};
    for (int n = 0; n < 12; n++) {
        options o = vary(n, n < 10 ? 14 : 99, n < 10 ? 20 : 131);
        o.bias = n % 2 ? FULL_BIAS : ANY_BATCH;
        check(&o, (uint64_t)n, masks[n % 10]);
    }
}

static void scores_of_any_size(void **state) {
    (void)state;
    for (int exponent = -30; exponent <= 30; exponent += 3) {
        options o = vary(exponent + 30, 10, 19);
        o.scale = powf(10, (float)exponent);
        o.sinks = exponent % 2 == 0;
        check(&o, (uint64_t)exponent + 100, 0);
        o.bias = FULL_BIAS;
        o.alibi = exponent % 4 == 0;
        o.dropout = 0;
        check(&o, (uint64_t)exponent + 200, -1e9f);
        o.alibi = false;
        o.softcap = exponent > 20 ? 0 : 1e3f;
        check(&o, (uint64_t)exponent + 300, -1e5f);
    }
}

/* Many queries, of which one alone has an LSE that one float does not hold. */
static void one_row_among_many(void **state) {
    (void)state;
    options o = vary(0, 230, 35);
    o.d = 4;
    for (int n = 0; n < 2; n++) {
        problem p = problem_new(&o, 7, GUARD_BELOW), q = problem_new(&o, 7, GUARD_BELOW);
        unit_values(&p, &o);
        unit_values(&q, &o);
        for (int64_t d = 0; d < o.d; d++) {
            at(&p, QUERY)[211 * o.heads * o.d + d] *= 1e4f;
        }
        run(&p, "ref", 1 + n, NULL);
        run(&q, "ref", 1, NULL);
        for (int64_t i = 0; i < o.tq; i++) {
            const float *weights = at(&p, ALL_WEIGHTS) + i * o.tk;
            const float *output = at(&p, OUTPUT) + i * o.heads * o.e;
            for (int64_t j = 0; j < o.tk; j++) {
                near((double)weights[j], (double)output[j], fmax((double)output[j], 1e-9));
            }
            assert_true(i == 211 || same(weights, at(&q, ALL_WEIGHTS) + i * o.tk, o.tk));
        }
        problem_free(&p);
        problem_free(&q);
    }
}

/* Keys shared out among machines: each is given the LSE of all keys, and takes that. */
static void an_lse_of_more_keys_counts(void **state) {
    (void)state;
    options o = vary(0, 9, 20);
    o.scale = 1000;
    problem p = problem_new(&o, 3, GUARD_ABOVE);
    unit_values(&p, &o);
    run(&p, "ref", 1, NULL);
    float *weights = malloc((size_t)p.count[ALL_WEIGHTS] * sizeof(float) * 2);
    for (int64_t n = 0; n < p.count[LSE]; n++) {
        at(&p, LSE)[n] += 2;
    }
    assert_int_equal(attn_attention_weights(&p.spec, at(&p, QUERY), at(&p, KEY), at(&p, LSE),
                                            weights, NULL, NULL),
                     ATTN_OK);
    for (int64_t n = 0; n < p.count[ALL_WEIGHTS]; n++) {
        near((double)weights[n], (double)at(&p, ALL_WEIGHTS)[n] * exp(-2), 1e3);
        assert_true(at(&p, ALL_WEIGHTS)[n] < 0.5f || weights[n] < 0.2f);
    }
    free(weights);
    problem_free(&p);
}

static void finite_input_raises_no_flag(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < count * 6; n++) {
        options o = vary(n, n % 6 == 5 ? 1 : 30, 140);
        o.causal = n % 2 == 0;
        o.bias = n % 3 ? FULL_BIAS : NO_BIAS;
        o.sinks = n % 4 == 1;
        o.dropout = n % 5 == 1 ? 0.2f : 0;
        o.softcap = n % 5 == 3 ? 2 : 0;
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        for (int64_t i = 0; i < p.count[BIAS]; i += 2) {
            at(&p, BIAS)[i] = n % 2 ? -1e9f : -INFINITY;
        }
        feclearexcept(FE_ALL_EXCEPT);
        run(&p, list[n / 6]->isa, 1, NULL);
        if (fetestexcept(FE_INVALID | FE_DIVBYZERO) != 0) {
            fail_msg("%s, case %d raises a flag", list[n / 6]->isa, n % 6);
        }
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

static void out_of_memory(void **state) {
    (void)state;
    attn_attention a;
    attn_error error;
    float x[16] = {0}, y[16], lse[2] = {1e6f, 0};
    attn_attention_init(&a, 1, 1, 1, 2, 2, 2, 2);
    attn_attention_gradients gradients = {.size = sizeof gradients, .d_query = y};
    attn_weight_statistics wanted = {.size = sizeof wanted, .entropy = y};
    attn_set_allocator(refuse_memory, release_nothing, NULL);
    attn_status backward = attn_attention_backward(&a, x, x, x, x, lse, x, &gradients, &error);
    attn_status weights = attn_attention_weights(&a, x, x, lse, y, NULL, &error);
    attn_status statistics = attn_attention_statistics(&a, x, x, lse, &wanted, &error);
    attn_set_allocator(NULL, NULL, NULL);
    assert_int_equal(backward, ATTN_ERR_MEMORY);
    assert_int_equal(weights, ATTN_ERR_MEMORY);
    assert_int_equal(statistics, ATTN_ERR_MEMORY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finite_masks),
        cmocka_unit_test(scores_of_any_size),
        cmocka_unit_test(one_row_among_many),
        cmocka_unit_test(an_lse_of_more_keys_counts),
        cmocka_unit_test(finite_input_raises_no_flag),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

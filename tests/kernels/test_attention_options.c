/* Options of attention that are other options in disguise: strides that repeat or go back, masks, biases by
 * distance; and the gradient of LSE. On every instruction set. */
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
#include "kernels/attention/attention.h"
#include "kernels/attention_run.h"

/* What is written needs a place for each element; what is only read may repeat. */
static void strides_that_repeat(void **state) {
    (void)state;
    attn_attention a;
    float x[64] = {0}, y[64];
    attn_attention_init(&a, 2, 2, 2, 2, 2, 2, 2);
    for (int n = 0; n < 12; n++) {
        attn_attention odd = a;
        attn_strides *tensors[] = {&odd.query, &odd.key, &odd.value, &odd.output};
        attn_strides *s = tensors[n / 3];
        *(n % 3 == 0 ? &s->batch : n % 3 == 1 ? &s->token : &s->head) = n % 3 == 2 ? 1 : 0;
        attn_attention_gradients gradients = {.size = sizeof gradients,
                                              .d_query = n / 3 == 0 ? y : NULL,
                                              .d_key = n / 3 == 1 ? y : NULL,
                                              .d_value = n / 3 == 2 ? y : NULL};
        attn_status wanted = n / 3 == 3 ? ATTN_ERR_ARGUMENT : ATTN_OK;
        assert_int_equal(attn_attention_forward(&odd, x, x, x, y, NULL, NULL), wanted);
        if (n / 3 < 3) {
            attn_error error;
            assert_int_equal(attn_attention_backward(&odd, x, x, x, x, x, x, &gradients, &error),
                             ATTN_ERR_ARGUMENT);
            assert_non_null(strstr(error.what, "do not overlap"));
            attn_attention_gradients others = {.size = sizeof others,
                                               .d_query = n / 3 == 0 ? NULL : y};
            assert_int_equal(attn_attention_backward(&odd, x, x, x, x, x, x, &others, NULL),
                             ATTN_OK);
        }
    }
}

/* Rows of the bias and of the keys from the last to the first. */
static void strides_that_go_back(void **state) {
    (void)state;
    options o = {.batch = 2,
                 .heads = 2,
                 .kv_heads = 2,
                 .tq = 9,
                 .tk = 20,
                 .d = 3,
                 .e = 4,
                 .bias = FULL_BIAS};
    problem p = problem_new(&o, 5, GUARD_ABOVE), q = problem_new(&o, 5, GUARD_ABOVE);
    int64_t bias = o.batch * o.heads * o.tq, keys = o.batch * o.tk, key = o.kv_heads * o.d;
    for (int64_t n = 0; n < bias; n++) {
        memcpy(at(&q, BIAS) + n * o.tk, at(&p, BIAS) + (bias - 1 - n) * o.tk, 4 * (size_t)o.tk);
    }
    for (int64_t n = 0; n < keys; n++) {
        memcpy(at(&q, KEY) + n * key, at(&p, KEY) + (keys - 1 - n) * key, 4 * (size_t)key);
    }
    q.spec.bias_query *= -1, q.spec.bias_head *= -1, q.spec.bias_batch *= -1;
    q.spec.key.token *= -1, q.spec.key.batch *= -1;
    q.spec.bias = at(&q, BIAS) + (bias - 1) * o.tk;
    problem_run(&p, attn_isa_name(), 2);
    memset(at(&q, D_BIAS), 0, 4 * (size_t)q.count[D_BIAS]);
    attn_attention_gradients gradients = {sizeof gradients,
                                          at(&q, D_QUERY),
                                          at(&q, D_KEY) + (keys - 1) * key,
                                          at(&q, D_VALUE),
                                          at(&q, D_BIAS) + (bias - 1) * o.tk,
                                          NULL,
                                          NULL,
                                          NULL};
    const float *first_key = at(&q, KEY) + (keys - 1) * key;
    assert_int_equal(attn_attention_forward(&q.spec, at(&q, QUERY), first_key, at(&q, VALUE),
                                            at(&q, OUTPUT), at(&q, LSE), NULL),
                     ATTN_OK);
    assert_int_equal(attn_attention_backward(&q.spec, at(&q, QUERY), first_key, at(&q, VALUE),
                                             at(&q, OUTPUT), at(&q, LSE), at(&q, D_OUTPUT),
                                             &gradients, NULL),
                     ATTN_OK);
    assert_true(same(at(&p, OUTPUT), at(&q, OUTPUT), p.count[OUTPUT]));
    assert_true(same(at(&p, D_QUERY), at(&q, D_QUERY), p.count[D_QUERY]));
    for (int64_t n = 0; n < bias; n++) {
        assert_true(same(at(&q, D_BIAS) + n * o.tk, at(&p, D_BIAS) + (bias - 1 - n) * o.tk, o.tk));
    }
    for (int64_t n = 0; n < keys; n++) {
        assert_true(same(at(&q, D_KEY) + n * key, at(&p, D_KEY) + (keys - 1 - n) * key, key));
    }
    problem_free(&p);
    problem_free(&q);
}

/* A mask of bytes or bits that is 0 where the bias of p is not. Rows of the bias follow each other. */
static unsigned char *make_mask(problem *p, const options *o, attn_mask_kind kind) {
    int64_t rows = p->count[BIAS] / o->tk;
    int64_t bytes = kind == ATTN_MASK_BITS ? (o->tk + 7) / 8 : o->tk;
    unsigned char *mask = calloc((size_t)(rows * bytes), 1);
    for (int64_t n = 0; n < rows * o->tk; n++) {
        unsigned char *row = mask + n / o->tk * bytes;
        int64_t j = n % o->tk;
        if (at(p, BIAS)[n] == 0 && kind == ATTN_MASK_BITS) {
            row[j / 8] |= (unsigned char)(1 << j % 8);
        } else if (at(p, BIAS)[n] == 0) {
            row[j] = (unsigned char)(j % 2 ? 255 : 1 + j % 127); /* anything but 0 */
        }
    }
    p->spec.mask = mask;
    p->spec.mask_kind = kind;
    p->spec.mask_query = p->spec.bias_query / o->tk * bytes;
    p->spec.mask_head = p->spec.bias_head / o->tk * bytes;
    p->spec.mask_batch = p->spec.bias_batch / o->tk * bytes;
    return mask;
}

static void masks_are_biases_of_minus_infinity(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 16; n++) {
        options o = vary(n, n % 4 ? 13 : 101, n % 3 ? 27 : 150, 5, 9);
        o.bias = (bias_kind)(1 + n % 4);
        o.dropout = n % 5 == 1 ? 0.2f : 0;
        o.hook = n % 6 == 1;
        o.sinks = n % 6 == 2;
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        for (int64_t i = 0; i < p.count[BIAS]; i++) {
            at(&p, BIAS)[i] = (i * 7 + i / 5) % 3 == 0 || i / o.tk % 9 == 8 ? -INFINITY : 0;
        }
        problem_run(&p, "ref", 1);
        save_results(&p);
        unsigned char *mask = make_mask(&p, &o, n % 2 ? ATTN_MASK_BITS : ATTN_MASK_BYTES);
        p.spec.bias = NULL;
        for (int i = 0; i < count; i++) {
            problem_run(&p, list[i]->isa, 1 + i % 2);
            memcpy(at(&p, D_BIAS), saved[D_BIAS], (size_t)p.count[D_BIAS] * sizeof(float));
            compare_results(&p, list[i]->isa);
        }
        free(mask);
        drop_results();
        problem_free(&p);
    }
}

/* A table by distance gives what the whole bias gives, and its gradient is that of the diagonals. */
static void biases_by_distance(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 6; n++) {
        options o = vary(n, n % 2 ? 21 : 200, n % 3 ? 30 : 270, 6, 4);
        o.bias = ANY_BATCH;
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        int64_t all = o.tq + o.tk - 1, size = o.heads * all;
        float *table = calloc((size_t)size, 4), *d_table = calloc((size_t)size, 4);
        float *first = calloc((size_t)size, 4);
        double *sums = calloc((size_t)size, 8);
        for (int64_t i = 0; i < size; i++) {
            table[i] = (float)((i * 37) % 101) * 0.03f - 1;
        }
        for (int64_t i = 0; i < p.count[BIAS]; i++) {
            int64_t h = i / (o.tq * o.tk), q = i / o.tk % o.tq, k = i % o.tk;
            at(&p, BIAS)[i] = table[h * all + k - q + o.tq - 1];
        }
        problem_run(&p, "ref", 1);
        save_results(&p);
        for (int64_t i = 0; i < p.count[BIAS]; i++) {
            int64_t h = i / (o.tq * o.tk), q = i / o.tk % o.tq, k = i % o.tk;
            sums[h * all + k - q + o.tq - 1] += (double)at(&p, D_BIAS)[i];
        }
        attn_attention_distance_bias(&p.spec, table);
        for (int i = 0; i < 2 * count; i++) {
            memset(d_table, 0, (size_t)size * 4);
            attn_set_threads(1 + i % 2 * 2);
            assert_int_equal(attn_set_isa(list[i / 2]->isa, NULL), ATTN_OK);
            attn_attention_gradients gradients = {.size = sizeof gradients,
                                                  .d_query = at(&p, D_QUERY),
                                                  .d_key = at(&p, D_KEY),
                                                  .d_value = at(&p, D_VALUE),
                                                  .d_bias = d_table + o.tq - 1};
            assert_int_equal(attn_attention_forward(&p.spec, at(&p, QUERY), at(&p, KEY),
                                                    at(&p, VALUE), at(&p, OUTPUT), at(&p, LSE),
                                                    NULL),
                             ATTN_OK);
            assert_int_equal(attn_attention_backward(&p.spec, at(&p, QUERY), at(&p, KEY),
                                                     at(&p, VALUE), at(&p, OUTPUT), at(&p, LSE),
                                                     at(&p, D_OUTPUT), &gradients, NULL),
                             ATTN_OK);
            compare_results(&p, list[i / 2]->isa);
            for (int64_t d = 0; d < size; d++) {
                assert_true(fabs((double)d_table[d] - sums[d]) < 1e-4);
            }
            if (i > 0) {
                assert_memory_equal(first, d_table, (size_t)size * 4);
            }
            memcpy(first, d_table, (size_t)size * 4);
        }
        attn_set_threads(0);
        assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
        void *arrays[] = {table, d_table, first, sums};
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
            free(arrays[i]);
        }
        drop_results();
        problem_free(&p);
    }
}

/* As transformers' T5 computes them. */
static void buckets_by_distance(void **state) {
    (void)state;
    static const struct {
        int64_t distance, both, one;
    } right[] = {{-3000, 15, 31}, {-129, 15, 31}, {-128, 15, 31}, {-127, 15, 31}, {-64, 14, 26},
                 {-20, 10, 17},   {-17, 10, 16},  {-16, 10, 16},  {-15, 9, 15},   {-9, 8, 9},
                 {-8, 8, 8},      {-7, 7, 7},     {-1, 1, 1},     {0, 0, 0},      {1, 17, 0},
                 {7, 23, 0},      {8, 24, 0},     {16, 26, 0},    {64, 30, 0},    {5000, 31, 0}};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(attn_attention_bucket(right[i].distance, true, 32, 128), right[i].both);
        assert_int_equal(attn_attention_bucket(right[i].distance, false, 32, 128), right[i].one);
    }
    assert_int_equal(attn_attention_bucket(INT64_MAX, true, 32, 128), 31);
    assert_int_equal(attn_attention_bucket(INT64_MIN, true, 32, 128), 15);
    assert_int_equal(attn_attention_bucket(5, true, 1, 9), 0);
    assert_int_equal(attn_attention_bucket(-5, false, 1, 1), 0); /* nonsense stays in range */
    assert_int_equal(attn_attention_bucket(-5, true, 4, 1), 1);
}

/* Without a gradient of the output, that of a score is P times that of LSE. */
static void the_gradient_of_lse(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 6; n++) {
        options o = vary(n, 30, 41, 6, 4);
        o.ragged = WHOLE;
        o.bias = FULL_BIAS;
        o.dropout = n == 2 ? 0.3f : 0;
        o.hook = false;
        o.sinks = n % 2;
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        for (int64_t i = 0; i < o.tk; i++) { /* a row that sees nothing */
            at(&p, BIAS)[3 * o.tk + i] = -INFINITY;
        }
        float *d_lse = calloc((size_t)p.count[LSE], 4);
        for (int64_t i = 0; i < p.count[LSE]; i++) {
            d_lse[i] = !o.sinks && i == 3 ? NAN : (float)(i % 7) - 2; /* not read there */
        }
        memset(at(&p, D_OUTPUT), 0, (size_t)p.count[D_OUTPUT] * 4);
        problem_run(&p, "ref", 1);
        for (int i = 0; i < count; i++) {
            memset(at(&p, D_BIAS), 0, (size_t)p.count[D_BIAS] * 4);
            float d_sinks[3] = {0};
            double truth[3] = {0};
            attn_attention_gradients gradients = {.size = sizeof gradients,
                                                  .d_query = at(&p, D_QUERY),
                                                  .d_key = at(&p, D_KEY),
                                                  .d_bias = at(&p, D_BIAS),
                                                  .d_sinks = o.sinks ? d_sinks : NULL,
                                                  .d_lse = d_lse};
            assert_int_equal(attn_set_isa(list[i]->isa, NULL), ATTN_OK);
            assert_int_equal(attn_attention_backward(&p.spec, at(&p, QUERY), at(&p, KEY),
                                                     at(&p, VALUE), at(&p, OUTPUT), at(&p, LSE),
                                                     at(&p, D_OUTPUT), &gradients, NULL),
                             ATTN_OK);
            for (int64_t d = 0; d < p.count[D_BIAS]; d++) {
                float weight = at(&p, ALL_WEIGHTS)[d];
                assert_true(at(&p, D_BIAS)[d] == (weight > 0 ? weight * d_lse[d / o.tk] : 0));
            }
            for (int64_t row = 0; row < p.count[LSE] && o.sinks; row++) {
                int64_t h = row / o.tq % o.heads;
                bool dead = at(&p, LSE)[row] == -INFINITY;
                truth[h] += dead ? 0
                                 : exp((double)at(&p, SINKS)[h] - (double)at(&p, LSE)[row]) *
                                       (double)d_lse[row];
            }
            for (int64_t h = 0; h < o.heads && o.sinks; h++) {
                assert_true(fabs((double)d_sinks[h] - truth[h]) < 1e-4);
            }
            if (i == 0) {
                save_results(&p);
            }
            assert_true(same(saved[D_QUERY], at(&p, D_QUERY), p.count[D_QUERY]));
            assert_true(same(saved[D_KEY], at(&p, D_KEY), p.count[D_KEY]));
        }
        assert_int_equal(attn_set_isa(NULL, NULL), ATTN_OK);
        free(d_lse);
        drop_results();
        problem_free(&p);
    }
}

/* With the gradient of the weights, every instruction set and number of threads gives the bits of plain C, and where no
 * query sees a key it is not read. */
static void the_gradient_of_weights(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int n = 0; n < 28; n++) {
        options o = vary(n, n % 4 == 0 ? 130 : 17, n % 4 == 1 ? 150 : 21, 5, 20);
        problem p = problem_new(&o, (uint64_t)n, GUARD_ABOVE);
        float *d_weights = malloc((size_t)p.count[ALL_WEIGHTS] * sizeof *d_weights);
        problem_run(&p, "ref", 1);
        for (int64_t d = 0; d < p.count[ALL_WEIGHTS]; d++) {
            d_weights[d] = (float)(d % 11) - 4;
        }
        for (int64_t b = 0; b < o.batch; b++) { /* what lengths leave out */
            attn_sequence sequence = attn_sequence_of(&p.spec, b);
            for (int64_t d = 0; d < o.heads * o.tq * o.tk; d++) {
                if (d % o.tk >= sequence.keys || d / o.tk % o.tq >= sequence.queries) {
                    d_weights[b * o.heads * o.tq * o.tk + d] = NAN;
                }
            }
        }
        p.d_weights = d_weights;
        problem_run(&p, "ref", 1);
        save_results(&p);
        for (int64_t d = 0; d < p.count[D_KEY] && o.ragged == WHOLE && !o.hook; d++) {
            assert_false(isnan(at(&p, D_KEY)[d]));
        }
        for (int i = 0; i < count; i++) {
            problem_run(&p, list[i]->isa, 1 + 2 * (n % 2));
            compare_results(&p, list[i]->isa);
        }
        drop_results();
        free(d_weights);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strides_that_repeat),
        cmocka_unit_test(strides_that_go_back),
        cmocka_unit_test(masks_are_biases_of_minus_infinity),
        cmocka_unit_test(biases_by_distance),
        cmocka_unit_test(buckets_by_distance),
        cmocka_unit_test(the_gradient_of_lse),
        cmocka_unit_test(the_gradient_of_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/grad/test_attention.c: the gradients of attention against central differences, in double,
 * over the options that change scores and softmax, in all combinations.
 *
 * The scalar that is differentiated is the sum of the outputs with fixed, unequal weights, and as an option of the
 * weights of the attention with others. Every
 * element of query, key, value, bias and sinks is checked. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attn/attention.h"
#include "base/random.h"
#include "support/thin.h"

enum { B = 2, H = 4, G = 2, TQ = 5, TK = 6, D = 3, E = 2 };
enum { QUERY, KEY, VALUE, BIAS, SINKS, TENSORS };
static const char *const names[TENSORS] = {"query", "key", "value", "bias", "sinks"};
static const int64_t counts[TENSORS] = {
    [QUERY] = (int64_t)B * TQ * H * D,
    [KEY] = (int64_t)B * TK * G * D,
    [VALUE] = (int64_t)B * TK * G * E,
    [BIAS] = (int64_t)H * TQ * TK, /* shared by the sequences */
    [SINKS] = H,
};
enum { LARGEST = 256 };
static double tensors[TENSORS][LARGEST], gradients[TENSORS][LARGEST], weights[LARGEST];
static double weights_of_weights[B * H * TQ * TK]; /* of the attention's own */

static void curve(void *user, const attn_score_run *run, double *scores) {
    (void)user;
    for (int64_t n = 0; n < run->count; n++) {
        scores[n] = sin(scores[n] + (double)(run->first_key + n)) * (double)(1 + run->head);
    }
}
static void curve_backward(void *user, const attn_score_run *run, const double *scores,
                           double *d_scores) {
    (void)user;
    for (int64_t n = 0; n < run->count; n++) {
        d_scores[n] *= cos(scores[n] + (double)(run->first_key + n)) * (double)(1 + run->head);
    }
}

/* Bit 0 softcap, 1 ALiBi, 2 sinks, 3 hook, 4 bias, 5 causal, 6 dropout, 7 ragged; in the loss 8: the weights too. */
static attn_attention describe(int options) {
    static const double slopes[H] = {0.5, 0.25, 0.125, -0.3};
    static const int64_t queries[B] = {TQ, 3}, keys[B] = {4, TK};
    attn_attention a;
    attn_attention_init(&a, B, H, G, TQ, TK, D, E);
    a.softcap = options & 1 ? 0.7f : 0;
    a.alibi_slopes = options & 2 ? slopes : NULL;
    a.sinks = options & 4 ? tensors[SINKS] : NULL;
    a.score_hook = options & 8 ? curve : NULL;
    a.score_hook_backward = options & 8 ? curve_backward : NULL;
    a.bias = options & 16 ? tensors[BIAS] : NULL;
    a.bias_head = TQ * TK;
    a.bias_query = TK;
    a.causal = options & 32;
    a.dropout = options & 64 ? 0.3f : 0;
    a.dropout_key = 5;
    a.query_lengths = options & 128 ? queries : NULL;
    a.key_lengths = options & 128 ? keys : NULL;
    return a;
}

static double loss(const attn_attention *a, bool with_weights, double *output, double *lse) {
    assert_int_equal(
        attn_attention_forward(a, tensors[QUERY], tensors[KEY], tensors[VALUE], output, lse, NULL),
        ATTN_OK);
    double sum = 0;
    for (int64_t n = 0; n < (int64_t)B * TQ * H * E; n++) {
        sum += weights[n] * output[n];
    }
    double all[B * H * TQ * TK];
    assert_int_equal(attn_attention_weights(a, tensors[QUERY], tensors[KEY], lse, all, NULL, NULL),
                     ATTN_OK);
    for (int64_t n = 0; n < (int64_t)B * H * TQ * TK && with_weights; n++) {
        sum += weights_of_weights[n] * all[n];
    }
    return sum;
}

static void check(int options) {
    attn_attention a = describe(options);
    double output[LARGEST], lse[LARGEST];
    bool with_weights = options & 256;
    loss(&a, with_weights, output, lse);
    for (int64_t n = 0; n < LARGEST; n++) { /* added to */
        gradients[BIAS][n] = gradients[SINKS][n] = 10;
    }
    attn_attention_gradients wanted = {.size = sizeof wanted,
                                       .d_query = gradients[QUERY],
                                       .d_key = gradients[KEY],
                                       .d_value = gradients[VALUE],
                                       .d_bias = a.bias != NULL ? gradients[BIAS] : NULL,
                                       .d_sinks = a.sinks != NULL ? gradients[SINKS] : NULL,
                                       .d_weights = with_weights ? weights_of_weights : NULL};
    assert_int_equal(attn_attention_backward(&a, tensors[QUERY], tensors[KEY], tensors[VALUE],
                                             output, lse, weights, &wanted, NULL),
                     ATTN_OK);
    const double step = 1e-5;
    for (int t = 0; t < TENSORS; t++) {
        bool off = (t == BIAS && a.bias == NULL) || (t == SINKS && a.sinks == NULL);
        for (int64_t n = 0; n < counts[t] && !off; n++) {
            double x = tensors[t][n];
            tensors[t][n] = x + step;
            double above = loss(&a, with_weights, output, lse);
            tensors[t][n] = x - step;
            double below = loss(&a, with_weights, output, lse);
            tensors[t][n] = x;
            double expected = (above - below) / (2 * step) + (t == BIAS || t == SINKS ? 10 : 0);
            if (!(fabs(gradients[t][n] - expected) < 1e-7)) {
                fail_msg("options %d: d_%s[%d] is %.9g, by differences %.9g", options, names[t],
                         (int)n, gradients[t][n], expected);
            }
        }
    }
}

static void gradients_are_those_of_differences(void **state) {
    (void)state;
    attn_random random = attn_random_start(3);
    for (int64_t n = 0; n < LARGEST; n++) {
        for (int t = 0; t < TENSORS; t++) {
            tensors[t][n] = attn_random_uniform(&random) * 3 - 1.5;
        }
        weights[n] = attn_random_uniform(&random) * 2 - 1;
    }
    for (int64_t n = 0; n < (int64_t)B * H * TQ * TK; n++) {
        weights_of_weights[n] = attn_random_uniform(&random) * 2 - 1;
    }
    for (int options = 0; options<512; options += thin_step()> 1 ? 5 : 1) {
        check(options);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_those_of_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/test_measures.c: entropy, distance and rollout against what can be worked out by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "show/measures.h"

static void assert_close(double value, double expected) {
    if (!(fabs(value - expected) < 1e-6)) {
        fail_msg("%.9g is not %.9g", value, expected);
    }
}

/* Rows of random weights that sum to 1; causal: of the keys up to the query. */
static void fill(attn_real *weights, int64_t matrices, int64_t queries, int64_t keys, bool causal) {
    attn_random random = attn_random_start(11);
    for (int64_t i = 0; i < matrices * queries; i++) {
        double sum = 0;
        attn_real *row = weights + i * keys;
        for (int64_t k = 0; k < keys; k++) {
            bool seen = !causal || k <= i % queries;
            row[k] = seen ? (attn_real)(0.01 + attn_random_uniform(&random)) : 0;
            sum += (double)row[k];
        }
        for (int64_t k = 0; k < keys; k++) {
            row[k] = (attn_real)((double)row[k] / sum);
        }
    }
}

static void assert_rows_sum_to_one(const attn_real *matrix, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t c = 0; c < columns; c++) {
            assert_true(matrix[r * columns + c] >= 0);
            sum += (double)matrix[r * columns + c];
        }
        assert_close(sum, 1);
    }
}

static void test_entropy(void **unused) {
    (void)unused;
    attn_real uniform[3 * 5], sharp[4] = {0, 1, 1, 0}, mixed[4] = {1, 0, 0.5F, 0.5F};
    for (int i = 0; i < 15; i++) {
        uniform[i] = 0.2F;
    }
    assert_close(attn_measure_entropy(uniform, 3, 5), log(5));
    assert_close(attn_measure_entropy(sharp, 2, 2), 0);
    assert_false(signbit(attn_measure_entropy(sharp, 2, 2)));
    assert_close(attn_measure_entropy(mixed, 2, 2), log(2) / 2);
}

static void test_distance(void **unused) {
    (void)unused;
    const attn_real itself[] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const attn_real ends[] = {0, 0, 1, 0, 0.5F, 0.5F, 0.5F, 0, 0.5F};
    assert_close(attn_measure_distance(itself, 3, 3), 0);
    assert_close(attn_measure_distance(ends, 3, 3), (2 + 0.5 + 1) / 3);
}

static void test_rollout(void **unused) {
    (void)unused;
    /* Two heads whose mean swaps the two tokens half of the time; then one that looks at the first. */
    const attn_real weights[2][2][2][2] = {{{{0, 1}, {1, 0}}, {{1, 0}, {0, 1}}},
                                           {{{1, 0}, {1, 0}}, {{1, 0}, {1, 0}}}};
    attn_real out[4];
    attn_error error;
    /* Layer 1: 0.5 (mean) + 0.5 I = [.75 .25; .25 .75]. Layer 2: [1 0; .5 .5]. */
    const double expected[] = {0.75, 0.25, 0.5, 0.5};
    assert_int_equal(attn_measure_rollout(&weights[0][0][0][0], 2, 2, 2, out, &error), ATTN_OK);
    for (int i = 0; i < 4; i++) {
        assert_close((double)out[i], expected[i]);
    }
}

static void test_rollout_of_many(void **unused) {
    (void)unused;
    enum { LAYERS = 3, HEADS = 4, N = 9 };
    static attn_real weights[LAYERS * HEADS * N * N], out[N * N];
    attn_error error;
    for (int causal = 0; causal < 2; causal++) {
        fill(weights, (int64_t)LAYERS * HEADS, N, N, causal);
        assert_int_equal(attn_measure_rollout(weights, LAYERS, HEADS, N, out, &error), ATTN_OK);
        assert_rows_sum_to_one(out, N, N);
        for (int i = 0; i < N * N; i++) {
            assert_true(!causal || i % N <= i / N || out[i] == 0);
        }
    }
}

static void test_rollout_cross(void **unused) {
    (void)unused;
    /* One layer, one head: half of each row is its cross attention through the encoder. */
    const attn_real self[] = {1, 0, 0.5F, 0.5F}, cross[] = {1, 0, 0.25F, 0.75F};
    const attn_real encoder[] = {0.5F, 0.5F, 0, 1};
    const double expected[] = {0.5, 0.5, 0.125, 0.875}; /* cross times encoder */
    attn_real out[4];
    attn_error error;
    attn_decoder_weights weights = {1, 1, 2, 2, self, cross, encoder};
    assert_int_equal(attn_measure_rollout_cross(&weights, out, &error), ATTN_OK);
    for (int i = 0; i < 4; i++) {
        assert_close((double)out[i], expected[i]);
    }
}

static void test_rollout_cross_of_many(void **unused) {
    (void)unused;
    enum { LAYERS = 3, HEADS = 2, Q = 5, K = 7 };
    static attn_real self[LAYERS * HEADS * Q * Q], cross[LAYERS * HEADS * Q * K], encoder[K * K];
    attn_real out[Q * K];
    attn_error error;
    fill(self, (int64_t)LAYERS * HEADS, Q, Q, true);
    fill(cross, (int64_t)LAYERS * HEADS, Q, K, false);
    fill(encoder, 1, K, K, false);
    attn_decoder_weights weights = {LAYERS, HEADS, Q, K, self, cross, encoder};
    assert_int_equal(attn_measure_rollout_cross(&weights, out, &error), ATTN_OK);
    assert_rows_sum_to_one(out, Q, K);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy),       cmocka_unit_test(test_distance),
        cmocka_unit_test(test_rollout),       cmocka_unit_test(test_rollout_of_many),
        cmocka_unit_test(test_rollout_cross), cmocka_unit_test(test_rollout_cross_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

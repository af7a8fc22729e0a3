/* Elementwise work: vectors against plain C, threads against one thread, and what each is to do. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/elementwise/elementwise.h"
#include "kernels/table.h"
#include "support/values.h"

/* One kernel, called with what it needs of these. */
typedef void (*kernel_run)(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                           const float *other, float *y);

static void run_add(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                    const float *other, float *y) {
    (void)other;
    kernels->add(n, x, y);
}
static void run_add_rows(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                         const float *other, float *y) {
    int64_t stride = n % 37 + 3, cols = n < stride ? n : stride - n % 3, rows = n / stride;
    (void)other;
    kernels->add_rows(rows > 0 ? rows : 1, cols, stride, x, y);
}
static void run_gelu_slope(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                           const float *other, float *y) {
    (void)other;
    memcpy(y, x, (size_t)(n - n / 2) * sizeof *y);
    kernels->gelu_slope(n / 2, y, y, y + n - n / 2);
}
static void run_multiply(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                         const float *other, float *y) {
    (void)other;
    kernels->multiply(n, x, y);
}
static void run_scale(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                      const float *other, float *y) {
    (void)other;
    kernels->scale_add(n, 1.7f, x, NULL, y);
}
static void run_scale_add(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                          const float *other, float *y) {
    kernels->scale_add(n, 1.7f, x, other, y);
}
static void run_relu(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                     const float *other, float *y) {
    (void)other;
    kernels->relu(n, x, y);
}
static void run_gelu(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                     const float *other, float *y) {
    (void)other;
    kernels->gelu(n, x, y);
}
static void run_relu_backward(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                              const float *other, float *y) {
    kernels->relu_backward(n, x, other, y);
}
static void run_gelu_backward(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                              const float *other, float *y) {
    kernels->curved_backward(n, ATTN_ACTIVATION_GELU, x, other, y);
}
static void run_gelu_tanh_backward(const attn_elementwise_kernels *kernels, int64_t n,
                                   const float *x, const float *other, float *y) {
    kernels->curved_backward(n, ATTN_ACTIVATION_GELU_TANH, x, other, y);
}
static void run_gelu_sigmoid_backward(const attn_elementwise_kernels *kernels, int64_t n,
                                      const float *x, const float *other, float *y) {
    kernels->curved_backward(n, ATTN_ACTIVATION_GELU_SIGMOID, x, other, y);
}
static void run_swish_backward(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                               const float *other, float *y) {
    kernels->curved_backward(n, ATTN_ACTIVATION_SWISH, x, other, y);
}
/* An index whose high half matters and whose low half is about to wrap. */
static const int64_t FAR = (int64_t)((((uint64_t)5 << 32) - 32) * 4);
static const attn_dropout MASK = {0x0123456789abcdefU, 0x60000000U, 1.6f};
static void run_dropout(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                        const float *other, float *y) {
    (void)other;
    kernels->dropout(FAR, n, &MASK, x, NULL, y);
}
static void run_dropout_add(const attn_elementwise_kernels *kernels, int64_t n, const float *x,
                            const float *other, float *y) {
    kernels->dropout(FAR, n, &MASK, x, other, y);
}

static const kernel_run RUNS[] = {
    run_add,
    run_scale,
    run_scale_add,
    run_relu,
    run_gelu,
    run_relu_backward,
    run_gelu_backward,
    run_dropout,
    run_gelu_tanh_backward,
    run_gelu_sigmoid_backward,
    run_swish_backward,
    run_dropout_add,
    run_add_rows,
    run_gelu_slope,
    run_multiply,
};

static void compare_at(int64_t n, guard_side side, float range) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    values x = values_new(n, side, 1, -range, range), other = values_new(n, side, 2, -1.0f, 1.0f);
    for (size_t f = 0; f < sizeof RUNS / sizeof *RUNS; f++) {
        values plain = values_new(n, side, 3, -1.0f, 1.0f);
        RUNS[f](&list[0]->elementwise, n, x.at, other.at, plain.at);
        for (int i = 1; i < count; i++) {
            values y = values_new(n, side, 3, -1.0f, 1.0f);
            RUNS[f](&list[i]->elementwise, n, x.at, other.at, y.at);
            values_assert_equal(&plain, &y);
            values_free(&y);
        }
        values_free(&plain);
    }
    values_free(&x);
    values_free(&other);
}

static void vectors_repeat_plain_c(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 133; n++) {
        compare_at(n, GUARD_ABOVE, 4.0f);
        compare_at(n, GUARD_BELOW, 40.0f);
    }
    compare_at(50000, GUARD_ABOVE, 6.0f);
    compare_at(1000, GUARD_ABOVE, 1e-30f);
}

static void special_values_agree(void **state) {
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e38f, -1e38f, 1e-44f, -1e-44f};
    enum { N = sizeof x / sizeof *x };
    const float ones[N] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (size_t f = 0; f < sizeof RUNS / sizeof *RUNS; f++) {
        float plain[N] = {0}, y[N];
        RUNS[f](&list[0]->elementwise, N, x, ones, plain);
        for (int i = 1; i < count; i++) {
            memset(y, 0, sizeof y);
            RUNS[f](&list[i]->elementwise, N, x, ones, y);
            for (int e = 0; e < N; e++) {
                assert_true(isnan(plain[e]) ? isnan(y[e])
                                            : memcmp(&plain[e], &y[e], sizeof(float)) == 0);
            }
        }
    }
}

enum { LONG = 40001 };

static void run_drivers(const float *x, const float *other, float *y) {
    attn_dropout_forward(LONG, x, other, 0.3, 99, y);
    attn_dropout_backward(LONG, x, 0.1, 98, y, true);
    attn_add(LONG, other, y);
    attn_activation_backward(ATTN_ACTIVATION_GELU, LONG, x, y, y);
    attn_scale(LONG, y, 3.0f, y);
    attn_activation_backward(ATTN_ACTIVATION_RELU, LONG, x, y, y);
    attn_add_rows(LONG / 40, 40, x, y);
    attn_multiply(LONG, other, y);
}

/* The same by one call of each plain kernel, which the drivers cut into parts. */
static void run_uncut(const float *x, const float *other, float *y) {
    const attn_elementwise_kernels *plain = &attn_kernels_for("ref")->elementwise;
    attn_dropout mask = {99, attn_dropout_threshold(0.3), (float)(1.0 / 0.7)};
    plain->dropout(0, LONG, &mask, x, other, y);
    mask = (attn_dropout){98, attn_dropout_threshold(0.1), (float)(1.0 / 0.9)};
    plain->dropout(0, LONG, &mask, x, y, y);
    plain->add(LONG, other, y);
    plain->curved_backward(LONG, ATTN_ACTIVATION_GELU, x, y, y);
    plain->scale_add(LONG, 3.0f, y, NULL, y);
    plain->relu_backward(LONG, x, y, y);
    plain->add_rows(LONG / 40, 40, 40, x, y);
    plain->multiply(LONG, other, y);
}

static void threads_change_nothing(void **state) {
    (void)state;
    values x = values_new(LONG, GUARD_ABOVE, 1, -2.0f, 2.0f);
    values other = values_new(LONG, GUARD_ABOVE, 2, -1.0f, 1.0f);
    values uncut = values_new(LONG, GUARD_ABOVE, 3, 0.0f, 1.0f);
    run_uncut(x.at, other.at, uncut.at);
    for (int threads = 1; threads <= 3; threads++) {
        values y = values_new(LONG, GUARD_ABOVE, 4, 0.0f, 1.0f);
        attn_set_threads(threads);
        run_drivers(x.at, other.at, y.at);
        values_assert_equal(&uncut, &y);
        values_free(&y);
    }
    attn_set_threads(0);
    values_free(&x);
    values_free(&other);
    values_free(&uncut);
}

static void dropout_follows_its_definition(void **state) {
    (void)state;
    enum { N = 20000 };
    values x = values_new(N, GUARD_ABOVE, 1, 1.0f, 2.0f), y = values_new(N, GUARD_ABOVE, 2, 0, 1);
    values d_x = values_new(N, GUARD_ABOVE, 3, 0.0f, 0.0f);
    const uint64_t key = 0xfedcba9876543210U;
    uint32_t threshold = attn_dropout_threshold(0.25);
    float inverse = (float)(1.0 / 0.75);
    assert_true(threshold == 0x40000000U);
    attn_dropout_forward(N, x.at, NULL, 0.25, key, y.at);
    attn_dropout_backward(N, x.at, 0.25, key, d_x.at, false);
    int kept = 0;
    for (int e = 0; e < N; e++) {
        uint32_t word[4] = {(uint32_t)(e / 64 * 16 + e % 16), 0, 0, 0};
        attn_philox(word, (uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, word);
        bool keep = word[e / 16 % 4] >= threshold;
        assert_true(y.at[e] == (keep ? x.at[e] * inverse : 0.0f));
        assert_true(d_x.at[e] == y.at[e]);
        kept += keep;
    }
    assert_in_range(kept, 14700, 15300);
    attn_dropout_forward(N, x.at, d_x.at, 0.0, key, y.at);
    attn_add(N, x.at, d_x.at);
    values_assert_equal(&y, &d_x);
    assert_true(attn_dropout_threshold(0.0) == 0 && attn_dropout_threshold(1.0) == UINT32_MAX);
    values_free(&x);
    values_free(&y);
    values_free(&d_x);
}

static void embedding_reads_and_adds_rows(void **state) {
    (void)state;
    enum { TOKENS = 700, CHANNELS = 37, ROWS = 23 };
    int32_t ids[TOKENS], places[TOKENS];
    attn_random random = attn_random_start(7);
    for (int t = 0; t < TOKENS; t++) {
        ids[t] = (int32_t)attn_random_below(&random, ROWS);
        places[t] = t % ROWS;
    }
    values table = values_new(ROWS * CHANNELS, GUARD_ABOVE, 1, -1.0f, 1.0f);
    values positions = values_new(ROWS * CHANNELS, GUARD_ABOVE, 2, -1.0f, 1.0f);
    values y = values_new(TOKENS * CHANNELS, GUARD_ABOVE, 3, 0.0f, 1.0f);
    values expected = values_new(ROWS * CHANNELS, GUARD_ABOVE, 4, -1.0f, 1.0f);
    attn_embedding_forward(TOKENS, CHANNELS, ids, table.at, 2.5f, places, positions.at, y.at);
    for (int t = 0; t < TOKENS; t++) {
        for (int c = 0; c < CHANNELS; c++) {
            float from_table = table.at[ids[t] * CHANNELS + c];
            float sum = fmaf(2.5f, from_table, positions.at[places[t] * CHANNELS + c]);
            assert_true(y.at[t * CHANNELS + c] == sum);
            float *row = expected.at + ids[t] * CHANNELS;
            row[c] = fmaf(2.5f, sum, row[c]);
        }
    }
    for (int threads = 1; threads <= 3; threads++) {
        values d_table = values_new(ROWS * CHANNELS, GUARD_ABOVE, 4, -1.0f, 1.0f);
        attn_set_threads(threads);
        attn_embedding_backward(TOKENS, CHANNELS, ids, ROWS, 2.5f, y.at, d_table.at);
        values_assert_equal(&expected, &d_table);
        values_free(&d_table);
    }
    attn_set_threads(0);
    attn_embedding_forward(TOKENS, CHANNELS, ids, table.at, 2.5f, NULL, NULL, y.at);
    assert_true(y.at[CHANNELS] == 2.5f * table.at[ids[1] * CHANNELS]);
    values_free(&table);
    values_free(&positions);
    values_free(&y);
    values_free(&expected);
}

static void activation_none_copies(void **state) {
    (void)state;
    values x = values_new(50, GUARD_ABOVE, 1, -2.0f, 2.0f);
    values y = values_new(50, GUARD_ABOVE, 2, 0.0f, 1.0f);
    attn_activation_backward(ATTN_ACTIVATION_NONE, 50, y.at, x.at, y.at);
    values_assert_equal(&x, &y);
    values_free(&x);
    values_free(&y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_repeat_plain_c),
        cmocka_unit_test(special_values_agree),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(dropout_follows_its_definition),
        cmocka_unit_test(embedding_reads_and_adds_rows),
        cmocka_unit_test(activation_none_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

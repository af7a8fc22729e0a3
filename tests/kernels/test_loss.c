/* The loss: vectors against plain C, threads against one thread, both against double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/loss/loss.h"
#include "kernels/table.h"
#include "support/values.h"

static void assert_same_sums(attn_loss_sums a, attn_loss_sums b) {
    assert_memory_equal(&a, &b, sizeof a);
}

/* Everything that an instruction set provides, on one row. */
static void compare_at(const attn_loss_kernels *plain, const attn_loss_kernels *other, int64_t n,
                       guard_side side, float range) {
    values a = values_new(n, side, 1, -range, range), b = values_new(n, side, 1, -range, range);
    values power_a = values_new(n, side, 2, 0.0f, 1.0f), power_b = values_new(n, side, 2, 0, 1);
    float max = plain->row_max(n, a.at);
    assert_true(max == other->row_max(n, a.at));
    assert_same_sums(plain->row_sums(n, a.at, max, NULL), other->row_sums(n, a.at, max, NULL));
    assert_same_sums(plain->row_sums(n, a.at, max, power_a.at),
                     other->row_sums(n, a.at, max, power_b.at));
    values_assert_equal(&power_a, &power_b);
    plain->row_affine(n, 1.3f, -0.7f, a.at);
    other->row_affine(n, 1.3f, -0.7f, b.at);
    values_assert_equal(&a, &b);
    plain->row_less(n, 1.3f, -0.7f, a.at);
    other->row_less(n, 1.3f, -0.7f, b.at);
    values_assert_equal(&a, &b);
    values_free(&a);
    values_free(&b);
    values_free(&power_a);
    values_free(&power_b);
}

static void vectors_repeat_plain_c(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int i = 1; i < count; i++) {
        for (int64_t n = 1; n <= 100; n++) {
            compare_at(&list[0]->loss, &list[i]->loss, n, GUARD_ABOVE, 5.0f);
            compare_at(&list[0]->loss, &list[i]->loss, n, GUARD_BELOW, 100.0f);
        }
        compare_at(&list[0]->loss, &list[i]->loss, 10007, GUARD_ABOVE, 8.0f);
    }
}

enum { ROWS = 37, CLASSES = 1003, STRIDE = 1010 };

typedef struct outcome {
    values logits, loss, nll;
} outcome;

static outcome run_driver(float smoothing, float gradient_scale) {
    outcome result = {
        values_new((ROWS - 1) * STRIDE + CLASSES, GUARD_ABOVE, 1, -4.0f, 6.0f),
        values_new(ROWS, GUARD_ABOVE, 2, 0.0f, 1.0f),
        values_new(ROWS, GUARD_ABOVE, 3, 0.0f, 1.0f),
    };
    int32_t targets[ROWS];
    for (int r = 0; r < ROWS; r++) {
        targets[r] = r % 5 == 4 ? -1 : r * 27 % CLASSES;
    }
    attn_cross_entropy(ROWS, CLASSES, STRIDE, result.logits.at, targets, NULL, smoothing,
                       gradient_scale, result.loss.at, result.nll.at);
    return result;
}

static void outcome_free(outcome *result) {
    values_free(&result->logits);
    values_free(&result->loss);
    values_free(&result->nll);
}

static void threads_change_nothing(void **state) {
    (void)state;
    attn_set_threads(1);
    outcome one = run_driver(0.1f, 0.01f);
    for (int threads = 2; threads <= 3; threads++) {
        attn_set_threads(threads);
        outcome other = run_driver(0.1f, 0.01f);
        values_assert_equal(&one.logits, &other.logits);
        values_assert_equal(&one.loss, &other.loss);
        values_assert_equal(&one.nll, &other.nll);
        outcome_free(&other);
    }
    attn_set_threads(0);
    outcome_free(&one);
}

static void assert_near(double expected, double found, double tolerance) {
    if (!(fabs(expected - found) <= tolerance)) {
        fail_msg("expected %.9g, found %.9g", expected, found);
    }
}

/* Row r of the driver's outcome against the formulas in double. */
static void check_row(const outcome *found, int r, double smoothing, double scale) {
    values logits = values_new((ROWS - 1) * STRIDE + CLASSES, GUARD_ABOVE, 1, -4.0f, 6.0f);
    const float *x = logits.at + r * STRIDE, *gradient = found->logits.at + r * STRIDE;
    int target = r * 27 % CLASSES;
    double sum = 0.0, uniform = 0.0;
    for (int v = 0; v < CLASSES; v++) {
        sum += exp((double)x[v]);
    }
    for (int v = 0; v < CLASSES; v++) {
        double log_p = (double)x[v] - log(sum);
        uniform -= log_p / CLASSES;
        double wanted = (v == target ? 1.0 - smoothing : 0.0) + smoothing / CLASSES;
        double expected = scale == 0.0 ? (double)x[v] : scale * (exp(log_p) - wanted);
        assert_near(expected, (double)gradient[v], scale * 1e-7);
    }
    double nll = log(sum) - (double)x[target];
    assert_near(nll, (double)found->nll.at[r], 2e-6);
    assert_near((1.0 - smoothing) * nll + smoothing * uniform, (double)found->loss.at[r], 2e-6);
    values_free(&logits);
}

static void agrees_with_double(void **state) {
    (void)state;
    static const float cases[][2] = {{0.0f, 1.0f}, {0.1f, 1.0f}, {0.1f, 0.0f}, {0.3f, 0.001f}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float smoothing = cases[i][0], scale = cases[i][1];
        outcome found = run_driver(smoothing, scale);
        for (int r = 0; r < ROWS; r++) {
            if (r % 5 != 4) {
                check_row(&found, r, (double)smoothing, (double)scale);
                continue;
            }
            assert_true(found.loss.at[r] == 0.0f && found.nll.at[r] == 0.0f);
            for (int v = 0; scale > 0.0f && v < CLASSES; v++) {
                assert_true(found.logits.at[r * STRIDE + v] == 0.0f);
            }
        }
        outcome_free(&found);
    }
}

/* What lies between the rows stays as it was; loss and nll may be NULL. */
static void other_memory_is_left_alone(void **state) {
    (void)state;
    outcome found = run_driver(0.1f, 1.0f), fresh = run_driver(0.1f, 0.0f);
    attn_log_softmax(ROWS, CLASSES, STRIDE, fresh.logits.at);
    for (int r = 0; r + 1 < ROWS; r++) {
        size_t gap = (size_t)(r * STRIDE + CLASSES);
        assert_memory_equal(found.logits.at + gap, fresh.logits.at + gap, 7 * sizeof(float));
    }
    int32_t target = 3;
    attn_cross_entropy(1, CLASSES, CLASSES, found.logits.at, &target, NULL, 0.1f, 1.0f, NULL, NULL);
    outcome_free(&found);
    outcome_free(&fresh);
}

static void log_softmax_agrees_with_double(void **state) {
    (void)state;
    values x = values_new(3 * 200, GUARD_ABOVE, 1, -30.0f, 30.0f);
    values y = values_new(3 * 200, GUARD_ABOVE, 1, -30.0f, 30.0f);
    attn_log_softmax(3, 200, 200, y.at);
    for (int r = 0; r < 3; r++) {
        double sum = 0.0;
        for (int v = 0; v < 200; v++) {
            sum += exp((double)x.at[r * 200 + v]);
        }
        for (int v = 0; v < 200; v++) {
            assert_near((double)x.at[r * 200 + v] - log(sum), (double)y.at[r * 200 + v], 4e-6);
        }
    }
    values_free(&x);
    values_free(&y);
}

/* Words that a model lacks are as if they were not there: loss and gradient are those of the others. */
static void absent_classes_do_not_count(void **state) {
    (void)state;
    const int32_t ids[] = {0, 3};
    const attn_absent_classes absent = {ids, 2};
    const int kept[] = {1, 2, 4};
    const int32_t target = 2, kept_target = 1;
    float row[2][5], only[2][3], loss[2], nll[2], room[2 * 5];
    for (int pass = 0; pass < 2; pass++) {
        for (int v = 0; v < 5; v++) {
            row[pass][v] = v == 0 || v == 3 ? (float)ATTN_NEVER : 0.7f * (float)(v + pass) - 1;
        }
        for (int v = 0; v < 3; v++) {
            only[pass][v] = row[pass][kept[v]];
        }
    }
    float twice[2][5], only_twice[2][3];
    memcpy(twice, row, sizeof row);
    memcpy(only_twice, only, sizeof only);
    attn_cross_entropy(1, 5, 5, row[0], &target, &absent, 0.3f, 1.0f, &loss[0], &nll[0]);
    attn_cross_entropy(1, 3, 3, only[0], &kept_target, NULL, 0.3f, 1.0f, &loss[1], &nll[1]);
    assert_near((double)loss[1], (double)loss[0], 1e-5);
    assert_near((double)nll[1], (double)nll[0], 1e-6);
    assert_true(row[0][0] == 0 && row[0][3] == 0);
    for (int v = 0; v < 3; v++) {
        assert_near((double)only[0][v], (double)row[0][kept[v]], 1e-6);
    }
    attn_cross_entropy_twice(1, 5, 5, twice[0], twice[1], &target, &absent, 0.3f, 2.0f, 1.0f, room,
                             &loss[0], &nll[0]);
    attn_cross_entropy_twice(1, 3, 3, only_twice[0], only_twice[1], &kept_target, NULL, 0.3f, 2.0f,
                             1.0f, room, &loss[1], &nll[1]);
    assert_near((double)loss[1], (double)loss[0], 1e-5);
    for (int pass = 0; pass < 2; pass++) {
        assert_true(twice[pass][0] == 0 && twice[pass][3] == 0);
        for (int v = 0; v < 3; v++) {
            assert_near((double)only_twice[pass][v], (double)twice[pass][kept[v]], 1e-6);
        }
    }
}

static void extreme_logits(void **state) {
    (void)state;
    float row[] = {-INFINITY, 1e30f, -1e30f, 1e30f}, loss, nll;
    int32_t target = 1;
    attn_cross_entropy(1, 4, 4, row, &target, NULL, 0.0f, 1.0f, &loss, &nll);
    assert_near(log(2.0), (double)loss, 1e-7);
    assert_true(row[0] == 0.0f && row[1] == -0.5f && row[2] == 0.0f && row[3] == 0.5f);
    float bad[] = {0.0f, NAN, 1.0f};
    attn_cross_entropy(1, 3, 3, bad, &target, NULL, 0.0f, 1.0f, &loss, &nll);
    assert_true(isnan(loss) && isnan(nll) && isnan(bad[0]));
    assert_true(attn_sum_double(3, (const float[]){0.5f, 0.25f, 1.0f}) == 1.75);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_repeat_plain_c),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(agrees_with_double),
        cmocka_unit_test(other_memory_is_left_alone),
        cmocka_unit_test(log_softmax_agrees_with_double),
        cmocka_unit_test(absent_classes_do_not_count),
        cmocka_unit_test(extreme_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

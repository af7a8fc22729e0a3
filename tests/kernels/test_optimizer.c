/* Adam and the norm of the gradient: vectors against plain C, threads, double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/optimizer/optimizer.h"
#include "kernels/table.h"
#include "support/values.h"

typedef struct problem {
    values gradient, m, v, weight;
} problem;

static problem problem_new(int64_t n, guard_side side) {
    return (problem){
        values_new(n, side, 1, -1.0f, 1.0f),
        values_new(n, side, 2, -0.5f, 0.5f),
        values_new(n, side, 3, 0.0f, 0.3f),
        values_new(n, side, 4, -2.0f, 2.0f),
    };
}

static void problem_free(problem *p) {
    values_free(&p->gradient);
    values_free(&p->m);
    values_free(&p->v);
    values_free(&p->weight);
}

static void assert_same(const problem *a, const problem *b) {
    values_assert_equal(&a->m, &b->m);
    values_assert_equal(&a->v, &b->v);
    values_assert_equal(&a->weight, &b->weight);
}

static const attn_adam ADAM = {.learning_rate = 0.01f,
                               .beta1 = 0.9f,
                               .beta2 = 0.98f,
                               .epsilon = 1e-9f,
                               .weight_decay = 0.1f,
                               .step = 7};

static void vectors_repeat_plain_c(void **state) {
    (void)state;
    const attn_adam_factors factors = {0.7f, 0.9f, 0.1f, 0.98f, 0.02f, 0.02f, 7.5f, 1e-9f, 1e-3f};
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int64_t n = 1; n <= 133; n++) {
        for (int side = GUARD_ABOVE; side <= GUARD_BELOW; side++) {
            problem plain = problem_new(n, (guard_side)side);
            list[0]->optimizer.adam(n, &factors, plain.gradient.at, plain.m.at, plain.v.at,
                                    plain.weight.at);
            float squares = list[0]->optimizer.sum_squares(n, plain.gradient.at);
            for (int i = 1; i < count; i++) {
                problem other = problem_new(n, (guard_side)side);
                list[i]->optimizer.adam(n, &factors, other.gradient.at, other.m.at, other.v.at,
                                        other.weight.at);
                assert_same(&plain, &other);
                assert_true(squares == list[i]->optimizer.sum_squares(n, other.gradient.at));
                problem_free(&other);
            }
            problem_free(&plain);
        }
    }
}

/* The same bits however the arrays are cut: by threads or by the caller. */
static void cutting_changes_nothing(void **state) {
    (void)state;
    enum { N = 100003, CUT = 333 };
    problem one = problem_new(N, GUARD_ABOVE);
    attn_set_threads(1);
    attn_adam_update(N, &ADAM, 0.5f, one.gradient.at, one.m.at, one.v.at, one.weight.at);
    double squares = attn_sum_squares(N, one.gradient.at);
    for (int threads = 2; threads <= 3; threads++) {
        problem other = problem_new(N, GUARD_ABOVE);
        attn_set_threads(threads);
        attn_adam_update(CUT, &ADAM, 0.5f, other.gradient.at, other.m.at, other.v.at,
                         other.weight.at);
        attn_adam_update(N - CUT, &ADAM, 0.5f, other.gradient.at + CUT, other.m.at + CUT,
                         other.v.at + CUT, other.weight.at + CUT);
        assert_same(&one, &other);
        assert_true(attn_sum_squares(N, other.gradient.at) == squares);
        problem_free(&other);
    }
    attn_set_threads(0);
    problem_free(&one);
}

static void assert_near(double expected, double found, double tolerance) {
    if (!(fabs(expected - found) <= tolerance)) {
        fail_msg("expected %.9g, found %.9g", expected, found);
    }
}

static void adam_agrees_with_double(void **state) {
    (void)state;
    enum { N = 500 };
    problem found = problem_new(N, GUARD_ABOVE), before = problem_new(N, GUARD_ABOVE);
    attn_adam adam = ADAM;
    adam.step = 0;
    double m[N], v[N], w[N];
    for (int i = 0; i < N; i++) {
        found.m.at[i] = found.v.at[i] = 0.0f;
        m[i] = v[i] = 0.0;
        w[i] = (double)before.weight.at[i];
    }
    double rate = (double)ADAM.learning_rate, b1 = (double)ADAM.beta1, b2 = (double)ADAM.beta2;
    for (int step = 1; step <= 20; step++) {
        adam.step = step;
        attn_adam_update(N, &adam, 0.5f, found.gradient.at, found.m.at, found.v.at,
                         found.weight.at);
        for (int i = 0; i < N; i++) {
            double g = 0.5 * (double)found.gradient.at[i];
            m[i] = b1 * m[i] + (1.0 - b1) * g;
            v[i] = b2 * v[i] + (1.0 - b2) * g * g;
            double direction = m[i] / (1.0 - pow(b1, step)) /
                               (sqrt(v[i] / (1.0 - pow(b2, step))) + (double)ADAM.epsilon);
            w[i] -= rate * direction + rate * (double)ADAM.weight_decay * w[i];
            assert_near(w[i], (double)found.weight.at[i], 3e-6);
            found.gradient.at[i] += 0.01f;
        }
    }
    problem_free(&found);
    problem_free(&before);
}

static void sum_of_squares_agrees_with_double(void **state) {
    (void)state;
    enum { N = 1200007 }; /* more than the chunks that are kept at a time */
    values x = values_new(N, GUARD_ABOVE, 5, -1.0f, 1.0f);
    double expected = 0.0;
    for (int i = 0; i < N; i++) {
        expected += (double)x.at[i] * (double)x.at[i];
    }
    assert_near(expected, attn_sum_squares(N, x.at), expected * 1e-7);
    x.at[N - 3] = INFINITY;
    assert_true(isinf(attn_sum_squares(N, x.at)));
    x.at[N / 2] = NAN;
    assert_true(isnan(attn_sum_squares(N, x.at)));
    assert_true(attn_sum_squares(0, x.at) == 0.0);
    values_free(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_repeat_plain_c),
        cmocka_unit_test(cutting_changes_nothing),
        cmocka_unit_test(adam_agrees_with_double),
        cmocka_unit_test(sum_of_squares_agrees_with_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

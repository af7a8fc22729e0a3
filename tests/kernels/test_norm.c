/* Layer normalization: vectors against plain C, threads against one thread, both against double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/norm/norm.h"
#include "kernels/table.h"
#include "support/values.h"

typedef struct problem {
    int64_t rows, channels;
    bool centred;
    values x, gamma, beta, y, mean, rstd, d_y, d_x, d_gamma, d_beta;
} problem;

static problem problem_new(int64_t rows, int64_t channels, bool centred, guard_side side) {
    int64_t count = rows * channels;
    return (problem){
        .rows = rows,
        .channels = channels,
        .centred = centred,
        .x = values_new(count, side, 1, -3.0f, 4.0f),
        .gamma = values_new(channels, side, 2, 0.5f, 1.5f),
        .beta = values_new(channels, side, 3, -1.0f, 1.0f),
        .y = values_new(count, side, 4, 0.0f, 1.0f),
        .mean = values_new(rows, side, 5, 0.0f, 1.0f),
        .rstd = values_new(rows, side, 6, 0.0f, 1.0f),
        .d_y = values_new(count, side, 7, -1.0f, 1.0f),
        .d_x = values_new(count, side, 8, -1.0f, 1.0f),
        .d_gamma = values_new(channels, side, 9, -1.0f, 1.0f),
        .d_beta = values_new(channels, side, 10, -1.0f, 1.0f),
    };
}

static void problem_free(problem *p) {
    values *all[] = {&p->x,    &p->gamma, &p->beta, &p->y,       &p->mean,
                     &p->rstd, &p->d_y,   &p->d_x,  &p->d_gamma, &p->d_beta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

static void assert_same(const problem *a, const problem *b) {
    values_assert_equal(&a->y, &b->y);
    values_assert_equal(&a->mean, &b->mean);
    values_assert_equal(&a->rstd, &b->rstd);
    values_assert_equal(&a->d_x, &b->d_x);
    values_assert_equal(&a->d_gamma, &b->d_gamma);
    values_assert_equal(&a->d_beta, &b->d_beta);
}

static void run_kernels(const attn_norm_kernels *kernels, problem *p) {
    kernels->forward(p->rows, p->channels, p->x.at, p->gamma.at, p->beta.at, 1e-5f, p->centred,
                     p->y.at, p->mean.at, p->rstd.at);
    kernels->backward_input(p->rows, p->channels, p->x.at, p->gamma.at, p->mean.at, p->rstd.at,
                            p->d_y.at, p->d_x.at, p->centred);
    kernels->backward_parameters(p->rows, p->channels, p->channels, p->x.at, p->mean.at, p->rstd.at,
                                 p->d_y.at, p->d_gamma.at, p->d_beta.at);
}

static void run_driver(problem *p) {
    attn_norm_forward(p->rows, p->channels, p->x.at, p->gamma.at, p->beta.at, 1e-5f, p->centred,
                      p->y.at, p->mean.at, p->rstd.at);
    attn_norm_backward(p->rows, p->channels, p->x.at, p->gamma.at, p->mean.at, p->rstd.at,
                       p->d_y.at, p->d_x.at, p->d_gamma.at, p->d_beta.at, p->centred);
}

static void vectors_repeat_plain_c(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int64_t channels = 1; channels <= 67; channels++) {
        for (int kind = 0; kind < 4; kind++) {
            guard_side side = kind % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW;
            bool centred = kind < 2;
            problem plain = problem_new(3, channels, centred, side);
            run_kernels(&list[0]->norm, &plain);
            for (int i = 1; i < count; i++) {
                problem other = problem_new(3, channels, centred, side);
                run_kernels(&list[i]->norm, &other);
                assert_same(&plain, &other);
                problem_free(&other);
            }
            problem_free(&plain);
        }
    }
}

/* However the driver cuts the work, it gives what one call of the plain kernel gives. */
static void threads_change_nothing(void **state) {
    (void)state;
    problem one = problem_new(301, 130, true, GUARD_ABOVE);
    run_kernels(&attn_kernels_for("ref")->norm, &one);
    for (int threads = 1; threads <= 3; threads++) {
        problem other = problem_new(301, 130, true, GUARD_ABOVE);
        attn_set_threads(threads);
        run_driver(&other);
        assert_same(&one, &other);
        problem_free(&other);
    }
    attn_set_threads(0);
    problem_free(&one);
}

/* A row's result is its own, and each output may be left out. */
static void rows_stand_alone(void **state) {
    (void)state;
    problem all = problem_new(40, 70, true, GUARD_ABOVE),
            alone = problem_new(40, 70, true, GUARD_ABOVE);
    run_driver(&all);
    for (int64_t r = 0; r < 40; r++) {
        float *x = alone.x.at + r * 70;
        attn_norm_backward(1, 70, x, alone.gamma.at, all.mean.at + r, all.rstd.at + r,
                           alone.d_y.at + r * 70, alone.d_x.at + r * 70, NULL, NULL, true);
        attn_norm_backward(1, 70, x, alone.gamma.at, all.mean.at + r, all.rstd.at + r,
                           alone.d_y.at + r * 70, NULL, alone.d_gamma.at, NULL, true);
        attn_norm_backward(1, 70, x, alone.gamma.at, all.mean.at + r, all.rstd.at + r,
                           alone.d_y.at + r * 70, NULL, NULL, alone.d_beta.at, true);
        attn_norm_forward(1, 70, x, alone.gamma.at, alone.beta.at, 1e-5f, true, x, NULL, NULL);
    }
    values_assert_equal(&all.y, &alone.x);
    values_assert_equal(&all.d_x, &alone.d_x);
    values_assert_equal(&all.d_gamma, &alone.d_gamma);
    values_assert_equal(&all.d_beta, &alone.d_beta);
    problem_free(&all);
    problem_free(&alone);
}

static void assert_near(double expected, double found, double tolerance) {
    if (!(fabs(expected - found) <= tolerance)) {
        fail_msg("expected %.9g, found %.9g", expected, found);
    }
}

static void agrees_with_double(void **state) {
    (void)state;
    enum { ROWS = 5, CHANNELS = 77 };
    problem p = problem_new(ROWS, CHANNELS, true, GUARD_ABOVE);
    problem before = problem_new(ROWS, CHANNELS, true, GUARD_ABOVE);
    run_driver(&p);
    double d_gamma[CHANNELS], d_beta[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        d_gamma[c] = (double)before.d_gamma.at[c];
        d_beta[c] = (double)before.d_beta.at[c];
    }
    for (int r = 0; r < ROWS; r++) {
        const float *x = p.x.at + r * CHANNELS, *d_y = p.d_y.at + r * CHANNELS;
        double mean = 0.0, variance = 0.0, mean_d_n = 0.0, mean_product = 0.0;
        for (int c = 0; c < CHANNELS; c++) {
            mean += (double)x[c] / CHANNELS;
        }
        for (int c = 0; c < CHANNELS; c++) {
            variance += ((double)x[c] - mean) * ((double)x[c] - mean) / CHANNELS;
        }
        double rstd = 1.0 / sqrt(variance + (double)1e-5f);
        for (int c = 0; c < CHANNELS; c++) {
            double n = ((double)x[c] - mean) * rstd;
            double d_n = (double)d_y[c] * (double)p.gamma.at[c];
            mean_d_n += d_n / CHANNELS;
            mean_product += d_n * n / CHANNELS;
            d_gamma[c] += (double)d_y[c] * n;
            d_beta[c] += (double)d_y[c];
            assert_near(n * (double)p.gamma.at[c] + (double)p.beta.at[c],
                        (double)p.y.at[r * CHANNELS + c], 1e-6);
        }
        for (int c = 0; c < CHANNELS; c++) {
            double n = ((double)x[c] - mean) * rstd;
            double d_n = (double)d_y[c] * (double)p.gamma.at[c];
            double d_x = (double)before.d_x.at[r * CHANNELS + c] +
                         rstd * (d_n - mean_d_n - n * mean_product);
            assert_near(d_x, (double)p.d_x.at[r * CHANNELS + c], 1e-6);
        }
    }
    for (int c = 0; c < CHANNELS; c++) {
        assert_near(d_gamma[c], (double)p.d_gamma.at[c], 2e-6);
        assert_near(d_beta[c], (double)p.d_beta.at[c], 2e-6);
    }
    problem_free(&p);
    problem_free(&before);
}

/* RMSNorm against its formula in double; no beta is one of 0. */
static void without_a_mean(void **state) {
    (void)state;
    enum { ROWS = 3, CHANNELS = 37 };
    problem p = problem_new(ROWS, CHANNELS, false, GUARD_ABOVE);
    attn_norm_forward(ROWS, CHANNELS, p.x.at, p.gamma.at, NULL, 0.25f, false, p.y.at, p.mean.at,
                      p.rstd.at);
    for (int64_t r = 0; r < ROWS; r++) {
        const float *x = p.x.at + r * CHANNELS;
        double squares = 0;
        for (int64_t c = 0; c < CHANNELS; c++) {
            squares += (double)x[c] * (double)x[c];
        }
        double rstd = 1 / sqrt(squares / CHANNELS + 0.25);
        assert_true(p.mean.at[r] == 0);
        for (int64_t c = 0; c < CHANNELS; c++) {
            double expected = (double)x[c] * rstd * (double)p.gamma.at[c];
            assert_near(expected, (double)p.y.at[r * CHANNELS + c], 1e-6);
        }
    }
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_repeat_plain_c), cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(rows_stand_alone),       cmocka_unit_test(without_a_mean),
        cmocka_unit_test(agrees_with_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

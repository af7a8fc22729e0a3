/* Group normalization: every instruction set and number of threads gives the bits of plain C on one
 * thread, a picture's result is its own, and all is near the same in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/elementwise/elementwise.h"
#include "kernels/group_norm/group_norm.h"
#include "support/isas.h"
#include "support/values.h"

typedef struct problem {
    attn_group_norm_shape s;
    attn_activation activation;
    values x, gamma, beta, y, mean, rstd, pre, d_y, d_x, d_gamma, d_beta;
} problem;

static problem problem_new(attn_group_norm_shape s, attn_activation activation, guard_side side) {
    int64_t count = s.batch * s.pixels * s.channels;
    return (problem){
        .s = s,
        .activation = activation,
        .x = values_new(count, side, 1, -3.0f, 4.0f),
        .gamma = values_new(s.channels, side, 2, 0.5f, 1.5f),
        .beta = values_new(s.channels, side, 3, -1.0f, 1.0f),
        .y = values_new(count, side, 4, 0.0f, 1.0f),
        .mean = values_new(s.batch * s.groups, side, 5, 0.0f, 1.0f),
        .rstd = values_new(s.batch * s.groups, side, 6, 0.0f, 1.0f),
        .pre = values_new(count, side, 7, 0.0f, 1.0f),
        .d_y = values_new(count, side, 8, -1.0f, 1.0f),
        .d_x = values_new(count, side, 9, -1.0f, 1.0f),
        .d_gamma = values_new(s.channels, side, 10, -1.0f, 1.0f),
        .d_beta = values_new(s.channels, side, 11, -1.0f, 1.0f),
    };
}

static void problem_free(problem *p) {
    values *all[] = {&p->x,   &p->gamma, &p->beta, &p->y,       &p->mean,  &p->rstd,
                     &p->pre, &p->d_y,   &p->d_x,  &p->d_gamma, &p->d_beta};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

static attn_group_norm_gradient gradient_of(problem *p) {
    return (attn_group_norm_gradient){.x = p->x.at,
                                      .gamma = p->gamma.at,
                                      .beta = p->beta.at,
                                      .mean = p->mean.at,
                                      .rstd = p->rstd.at,
                                      .d_y = p->d_y.at,
                                      .d_x = p->d_x.at,
                                      .accumulate = true,
                                      .d_gamma = p->d_gamma.at,
                                      .d_beta = p->d_beta.at};
}

static void run(problem *p) {
    attn_scratch scratch = {NULL, 0};
    assert_int_equal(attn_group_norm_forward(&p->s, p->x.at, p->gamma.at, p->beta.at, 1e-5f,
                                             p->activation, p->y.at, p->mean.at, p->rstd.at,
                                             p->pre.at, &scratch),
                     ATTN_OK);
    attn_group_norm_gradient gradient = gradient_of(p);
    gradient.relu = p->activation == ATTN_ACTIVATION_RELU;
    assert_int_equal(attn_group_norm_backward(&p->s, &gradient, &scratch), ATTN_OK);
    attn_scratch_free(&scratch);
}

static void check_bits(attn_group_norm_shape s, attn_activation activation) {
    problem plain = {.s = s};
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem p = problem_new(s, activation, w.step % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW);
        run(&p);
        if (w.step == 0) {
            plain = p;
            continue;
        }
        if (activation != ATTN_ACTIVATION_NONE) {
            values_assert_equal(&plain.y, &p.y);
        }
        values_assert_equal(&plain.pre, &p.pre);
        values_assert_equal(&plain.mean, &p.mean);
        values_assert_equal(&plain.rstd, &p.rstd);
        values_assert_equal(&plain.d_x, &p.d_x);
        values_assert_equal(&plain.d_gamma, &p.d_gamma);
        values_assert_equal(&plain.d_beta, &p.d_beta);
        problem_free(&p);
    }
    problem_free(&plain);
}

static void vectors_and_threads_change_nothing(void **state) {
    (void)state;
    for (int64_t channels = 1; channels <= 83; channels++) {
        check_bits((attn_group_norm_shape){2, 3, channels, 1}, ATTN_ACTIVATION_RELU);
    }
    for (int64_t pixels = 1; pixels <= 200; pixels += 9) {
        check_bits((attn_group_norm_shape){1, pixels, 6, 3}, ATTN_ACTIVATION_GELU);
    }
    check_bits((attn_group_norm_shape){3, 700, 24, 8}, ATTN_ACTIVATION_NONE);
}

/* The backward of a relu within it, onto nothing, is a pass before it, onto zeros. */
static void relu_and_writing_are_passes_left_out(void **state) {
    (void)state;
    attn_group_norm_shape s = {2, 150, 21, 3};
    int64_t count = s.batch * s.pixels * s.channels;
    attn_scratch scratch = {NULL, 0};
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem one = problem_new(s, ATTN_ACTIVATION_RELU, GUARD_ABOVE);
        problem two = problem_new(s, ATTN_ACTIVATION_RELU, GUARD_ABOVE);
        run(&one);
        run(&two);
        attn_group_norm_gradient gradient = gradient_of(&one);
        gradient.relu = true;
        gradient.accumulate = false;
        assert_int_equal(attn_group_norm_backward(&s, &gradient, &scratch), ATTN_OK);
        attn_activation_backward(ATTN_ACTIVATION_RELU, count, two.y.at, two.d_y.at, two.d_y.at);
        memset(two.d_x.at, 0, (size_t)count * sizeof(float));
        gradient = gradient_of(&two);
        assert_int_equal(attn_group_norm_backward(&s, &gradient, &scratch), ATTN_OK);
        values_assert_equal(&one.d_x, &two.d_x);
        values_assert_equal(&one.d_gamma, &two.d_gamma);
        values_assert_equal(&one.d_beta, &two.d_beta);
        problem_free(&one);
        problem_free(&two);
    }
    attn_scratch_free(&scratch);
}

static void pictures_stand_alone(void **state) {
    (void)state;
    enum { PIXELS = 130, CHANNELS = 20 };
    attn_scratch scratch = {NULL, 0};
    problem all = problem_new((attn_group_norm_shape){3, PIXELS, CHANNELS, 4}, ATTN_ACTIVATION_RELU,
                              GUARD_ABOVE);
    run(&all);
    attn_group_norm_shape one = {1, PIXELS, CHANNELS, 4};
    for (int64_t b = 0; b < 3; b++) {
        float *x = all.x.at + b * PIXELS * CHANNELS, mean[4], rstd[4];
        assert_int_equal(attn_group_norm_forward(&one, x, all.gamma.at, all.beta.at, 1e-5f,
                                                 ATTN_ACTIVATION_RELU, x, mean, rstd, NULL,
                                                 &scratch),
                         ATTN_OK);
        assert_memory_equal(mean, all.mean.at + 4 * b, sizeof mean);
    }
    values_assert_equal(&all.x, &all.y);
    attn_scratch_free(&scratch);
    problem_free(&all);
}

static void agrees_with_double(void **state) {
    (void)state;
    enum { PIXELS = 300, CHANNELS = 12, GROUPS = 3, SIZE = CHANNELS / GROUPS };
    problem p = problem_new((attn_group_norm_shape){1, PIXELS, CHANNELS, GROUPS},
                            ATTN_ACTIVATION_NONE, GUARD_ABOVE);
    run(&p);
    for (int g = 0; g < GROUPS; g++) {
        double mean = 0.0, variance = 0.0;
        for (int i = 0; i < PIXELS * SIZE; i++) {
            mean += (double)p.x.at[i / SIZE * CHANNELS + g * SIZE + i % SIZE] / (PIXELS * SIZE);
        }
        for (int i = 0; i < PIXELS * SIZE; i++) {
            double x = (double)p.x.at[i / SIZE * CHANNELS + g * SIZE + i % SIZE] - mean;
            variance += x * x / (PIXELS * SIZE);
        }
        for (int i = 0; i < PIXELS * SIZE; i++) {
            int c = g * SIZE + i % SIZE, e = i / SIZE * CHANNELS + c;
            double n = ((double)p.x.at[e] - mean) / sqrt(variance + (double)1e-5f);
            double y = n * (double)p.gamma.at[c] + (double)p.beta.at[c];
            assert_true(fabs(y - (double)p.pre.at[e]) < 2e-6);
        }
    }
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_and_threads_change_nothing),
        cmocka_unit_test(relu_and_writing_are_passes_left_out),
        cmocka_unit_test(pictures_stand_alone),
        cmocka_unit_test(agrees_with_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

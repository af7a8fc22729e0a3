/* The optimizer of attn/optimizer.h: its formulas, its schedule, what it refuses, going on from a state. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/memory.h"
#include "attn/optimizer.h"

enum { SIZE = 6 };

static attn_params *make_params(bool with_grad) {
    attn_params *params;
    assert_int_equal(attn_params_create(&params, NULL), ATTN_OK);
    assert_non_null(attn_params_declare(params, "w", 2, 3, ATTN_INIT_XAVIER));
    assert_int_equal(attn_params_allocate(params, with_grad, NULL), ATTN_OK);
    attn_params_init(params, 3);
    return params;
}

static attn_optimizer_options options_of(void) {
    attn_optimizer_options options;
    attn_optimizer_options_init(&options);
    options.learning_rate = 0.01;
    return options;
}

static attn_optimizer *make(const attn_optimizer_options *options, attn_params *params) {
    attn_optimizer *optimizer;
    assert_int_equal(attn_optimizer_create(options, params, &optimizer, NULL), ATTN_OK);
    return optimizer;
}

static void set_gradient(attn_params *params, int step) {
    for (int i = 0; i < SIZE; i++) {
        attn_params_grad(params)[i] = (float)((i * 7 + step * 5) % 11 - 5) / 4.0f;
    }
}

static void one_step(attn_optimizer *optimizer, attn_params *params, int step) {
    set_gradient(params, step);
    assert_int_equal(attn_optimizer_step(optimizer, NULL, NULL), ATTN_OK);
}

/* The corrected moments of the first step are g and g^2: it moves each weight by the rate. */
static void first_step_and_decay(void **state) {
    (void)state;
    attn_params *params = make_params(true);
    attn_optimizer_options options = options_of();
    options.weight_decay = 0.1;
    attn_optimizer *optimizer = make(&options, params);
    float before[SIZE];
    double norm;
    memcpy(before, attn_params_data(params), sizeof before);
    set_gradient(params, 0);
    assert_int_equal(attn_optimizer_step(optimizer, &norm, NULL), ATTN_OK);
    double squares = 0;
    for (int i = 0; i < SIZE; i++) {
        double g = (double)attn_params_grad(params)[i];
        double moved = g > 0 ? 1 : g < 0 ? -1 : 0;
        double expected = before[i] - 0.01 * (moved + 0.1 * before[i]);
        assert_true(fabs(attn_params_data(params)[i] - expected) < 1e-6);
        squares += g * g;
    }
    assert_true(fabs(norm - sqrt(squares)) < 1e-6);
    attn_optimizer_free(optimizer);
    attn_params_free(params);
}

static void rates(void **state) {
    (void)state;
    attn_optimizer_options options = options_of();
    options.warmup_steps = 100;
    options.schedule = ATTN_SCHEDULE_INVERSE_SQRT;
    options.max_steps = 500;
    options.cooldown_steps = 100;
    assert_true(fabs(attn_optimizer_rate(&options, 50) - 0.005) < 1e-15);
    assert_true(attn_optimizer_rate(&options, 100) == 0.01);
    assert_true(fabs(attn_optimizer_rate(&options, 400) - 0.005) < 1e-15);
    assert_true(fabs(attn_optimizer_rate(&options, 500) - 0.005 / 101) < 1e-15);
    assert_true(attn_optimizer_rate(&options, 501) == 0);
    options.size = 0;
    assert_true(isnan(attn_optimizer_rate(&options, 1)));
}

static void wrong_options_are_named(void **state) {
    (void)state;
    attn_params *params = make_params(true), *fixed = make_params(false);
    attn_optimizer *optimizer;
    attn_optimizer_options options = options_of();
    attn_error error;
    options.beta2 = 1;
    assert_int_equal(attn_optimizer_create(&options, params, &optimizer, &error),
                     ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what, "beta2 is 1, expected 0 or more and below 1");
    assert_null(optimizer);
    options = options_of();
    options.learning_rate = NAN;
    assert_int_equal(attn_optimizer_create(&options, params, &optimizer, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "learning_rate"));
    options = options_of();
    options.cooldown_steps = 5;
    assert_int_equal(attn_optimizer_create(&options, params, &optimizer, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "max_steps"));
    options = options_of();
    assert_int_equal(attn_optimizer_create(&options, fixed, &optimizer, &error), ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "params"));
    memset(&options, 0, sizeof options);
    assert_int_equal(attn_optimizer_create(&options, params, &optimizer, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "attn_optimizer_options_init"));
    attn_params_free(params);
    attn_params_free(fixed);
}

/* A gradient that is no number changes nothing but the count, and the correction forgets the step. */
static void a_bad_gradient_is_skipped(void **state) {
    (void)state;
    attn_params *params = make_params(true), *other = make_params(true);
    attn_optimizer_options options = options_of();
    attn_optimizer *optimizer = make(&options, params), *never = make(&options, other);
    attn_error error;
    set_gradient(params, 0);
    attn_params_grad(params)[4] = INFINITY;
    assert_int_equal(attn_optimizer_step(optimizer, NULL, &error), ATTN_ERR_NUMERIC);
    assert_memory_equal(attn_params_data(params), attn_params_data(other), SIZE * sizeof(float));
    assert_true(isinf(attn_optimizer_skip(optimizer)));
    for (int step = 1; step < 4; step++) {
        one_step(optimizer, params, step);
        one_step(never, other, step);
    }
    assert_memory_equal(attn_params_data(params), attn_params_data(other), SIZE * sizeof(float));
    attn_optimizer_state now;
    attn_optimizer_state_init(&now);
    assert_int_equal(attn_optimizer_get_state(optimizer, &now, NULL), ATTN_OK);
    assert_int_equal(now.steps, 5);
    assert_int_equal(now.skipped, 2);
    attn_optimizer_free(optimizer);
    attn_optimizer_free(never);
    attn_params_free(params);
    attn_params_free(other);
}

static void clipping_bounds_the_moments(void **state) {
    (void)state;
    attn_params *params = make_params(true);
    attn_optimizer_options options = options_of();
    options.clip_norm = 0.5;
    attn_optimizer *optimizer = make(&options, params);
    one_step(optimizer, params, 0);
    attn_optimizer_state now;
    attn_optimizer_state_init(&now);
    assert_int_equal(attn_optimizer_get_state(optimizer, &now, NULL), ATTN_OK);
    double squares = 0;
    for (int i = 0; i < SIZE; i++) {
        squares += (double)now.m[i] * (double)now.m[i] / 0.01; /* m = (1 - beta1) g */
    }
    assert_true(fabs(sqrt(squares) - 0.5) < 1e-5);
    attn_optimizer_free(optimizer);
    attn_params_free(params);
}

static void a_training_goes_on_from_its_state(void **state) {
    (void)state;
    attn_params *params = make_params(true), *again = make_params(true);
    attn_optimizer_options options = options_of();
    options.warmup_steps = 4;
    attn_optimizer *optimizer = make(&options, params), *resumed = make(&options, again);
    for (int step = 0; step < 3; step++) {
        one_step(optimizer, params, step);
    }
    attn_optimizer_state kept;
    attn_error error;
    attn_optimizer_state_init(&kept);
    assert_int_equal(attn_optimizer_get_state(optimizer, &kept, NULL), ATTN_OK);
    assert_int_equal(attn_optimizer_set_state(resumed, &kept, NULL), ATTN_OK);
    memcpy(attn_params_data(again), attn_params_data(params), SIZE * sizeof(float));
    for (int step = 3; step < 6; step++) {
        one_step(optimizer, params, step);
        one_step(resumed, again, step);
    }
    assert_memory_equal(attn_params_data(params), attn_params_data(again), SIZE * sizeof(float));
    kept.count = SIZE + 1;
    assert_int_equal(attn_optimizer_set_state(resumed, &kept, &error), ATTN_ERR_ARGUMENT);
    kept.size = 3;
    assert_int_equal(attn_optimizer_get_state(resumed, &kept, &error), ATTN_ERR_ARGUMENT);
    attn_optimizer_free(optimizer);
    attn_optimizer_free(resumed);
    attn_params_free(params);
    attn_params_free(again);
}

/* ---- Muon ---- */

enum { WIDE = 0, TALL = 12, TABLE = 24, VECTOR = 30, MUON_SIZE = 34 };

static attn_params *make_muon_params(void) {
    attn_params *params;
    assert_int_equal(attn_params_create(&params, NULL), ATTN_OK);
    assert_non_null(attn_params_declare(params, "wide", 3, 4, ATTN_INIT_XAVIER_QKV));
    assert_non_null(attn_params_declare(params, "tall", 4, 3, ATTN_INIT_XAVIER));
    assert_non_null(attn_params_declare(params, "table", 2, 3, ATTN_INIT_EMBEDDING));
    assert_non_null(attn_params_declare(params, "vector", 1, 4, ATTN_INIT_ZERO));
    assert_int_equal(attn_params_allocate(params, true, NULL), ATTN_OK);
    attn_params_init(params, 5);
    return params;
}

/* Rows that are orthogonal, so that the singular values of the matrix are the lengths of these rows:
 * 9 x 2, 3 x 2 and 0.5 x 2. */
static const double lengths[3] = {9, 3, 0.5};
static const double rows[3][4] = {{1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}};

static void set_muon_gradient(attn_params *params, double scale) {
    float *grad = attn_params_grad(params);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 4; j++) {
            grad[WIDE + i * 4 + j] = grad[TALL + j * 3 + i] =
                (float)(scale * lengths[i] * rows[i][j]);
        }
    }
    for (int i = TABLE; i < MUON_SIZE; i++) {
        grad[i] = (float)(i % 5 - 2);
    }
}

/* What the iteration makes of one singular value. */
static double iterated(double s) {
    for (int i = 0; i < 5; i++) {
        s = 3.4445 * s - 4.775 * s * s * s + 2.0315 * s * s * s * s * s;
    }
    return s;
}

/* Matrices move along their orthogonalised momentum, however large the gradient; the rest as Adam's. */
static void muon_moves_every_direction_alike(void **state) {
    (void)state;
    for (int step = 0; step < 3; step++) {
        attn_params *params = make_muon_params(), *other = make_muon_params();
        attn_optimizer_options options = options_of();
        options.weight_decay = 0.1;
        attn_optimizer *adam = make(&options, other);
        options.method = ATTN_OPTIMIZER_MUON;
        attn_optimizer *muon = make(&options, params);
        double scale = step == 0 ? 1 : step == 1 ? 1e-12 : 1e12;
        set_muon_gradient(params, scale);
        set_muon_gradient(other, scale);
        float before[MUON_SIZE];
        memcpy(before, attn_params_data(params), sizeof before);
        assert_int_equal(attn_optimizer_step(muon, NULL, NULL), ATTN_OK);
        assert_int_equal(attn_optimizer_step(adam, NULL, NULL), ATTN_OK);
        const float *now = attn_params_data(params);
        double norm = sqrt(81 + 9 + 0.25);
        for (int i = 0; i < 3; i++) {
            double direction = iterated(lengths[i] / norm);
            assert_true(direction > 0.65 && direction < 1.25);
            for (int j = 0; j < 4; j++) {
                double moved = 0.01 * 0.2 * 2 * direction * rows[i][j] / 2;
                double old = before[WIDE + i * 4 + j];
                assert_true(fabs(now[WIDE + i * 4 + j] - (old - moved - 0.001 * old)) < 1e-6);
                old = before[TALL + j * 3 + i];
                assert_true(fabs(now[TALL + j * 3 + i] - (old - moved - 0.001 * old)) < 1e-6);
            }
        }
        assert_memory_equal(now + TABLE, attn_params_data(other) + TABLE,
                            (MUON_SIZE - TABLE) * sizeof(float));
        attn_optimizer_free(adam);
        attn_optimizer_free(muon);
        attn_params_free(params);
        attn_params_free(other);
    }
}

/* The second step's direction is that of g2 + momentum (momentum g1 + g2); a gradient of nothing
 * moves nothing; going on from the state gives the same bits. */
static void muon_keeps_a_momentum(void **state) {
    (void)state;
    attn_params *params = make_muon_params(), *again = make_muon_params();
    attn_optimizer_options options = options_of();
    options.method = ATTN_OPTIMIZER_MUON;
    options.momentum = 0.5;
    attn_optimizer *optimizer = make(&options, params), *resumed = make(&options, again);
    float before[MUON_SIZE];
    memcpy(before, attn_params_data(params), sizeof before);
    attn_params_zero_grad(params);
    assert_int_equal(attn_optimizer_step(optimizer, NULL, NULL), ATTN_OK);
    assert_memory_equal(before, attn_params_data(params), sizeof before);
    set_muon_gradient(params, 1);
    assert_int_equal(attn_optimizer_step(optimizer, NULL, NULL), ATTN_OK);
    attn_optimizer_state kept;
    attn_optimizer_state_init(&kept);
    assert_int_equal(attn_optimizer_get_state(optimizer, &kept, NULL), ATTN_OK);
    assert_int_equal(attn_optimizer_set_state(resumed, &kept, NULL), ATTN_OK);
    memcpy(before, attn_params_data(params), sizeof before);
    memcpy(attn_params_data(again), before, sizeof before);
    float *grad = attn_params_grad(params);
    set_muon_gradient(params, 0); /* the momentum alone: it has but one row of three */
    for (int j = 0; j < 4; j++) {
        grad[WIDE + j] = (float)(-0.25 / 1.5 * 9 * rows[0][j]);
    }
    memcpy(attn_params_grad(again), grad, MUON_SIZE * sizeof(float));
    assert_int_equal(attn_optimizer_step(optimizer, NULL, NULL), ATTN_OK);
    assert_int_equal(attn_optimizer_step(resumed, NULL, NULL), ATTN_OK);
    for (int j = 0; j < 4; j++) { /* 1.5 g + 0.25 m = 0: the first row is cancelled */
        assert_true(fabs(attn_params_data(params)[WIDE + j] - before[WIDE + j]) < 1e-6);
        assert_true(fabs(attn_params_data(params)[WIDE + 4 + j] - before[WIDE + 4 + j]) > 1e-4);
    }
    assert_memory_equal(attn_params_data(params), attn_params_data(again),
                        MUON_SIZE * sizeof(float));
    attn_optimizer_free(optimizer);
    attn_optimizer_free(resumed);
    attn_params_free(params);
    attn_params_free(again);
}

static int left; /* allocations that still succeed */

static void *allocate(size_t size, void *context) {
    (void)context;
    return left-- > 0 ? malloc(size) : NULL;
}

static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static void out_of_memory(void **state) {
    (void)state;
    attn_optimizer_options options = options_of();
    attn_optimizer *optimizer;
    attn_error error;
    for (int n = 0; n < 6; n++) { /* Adam needs three, Muon three more */
        options.method = n < 3 ? ATTN_OPTIMIZER_ADAM : ATTN_OPTIMIZER_MUON;
        left = 1 << 20;
        attn_set_allocator(allocate, release, NULL);
        attn_params *params = make_params(true);
        left = n;
        assert_int_equal(attn_optimizer_create(&options, params, &optimizer, &error),
                         ATTN_ERR_MEMORY);
        assert_null(optimizer);
        attn_params_free(params);
        attn_set_allocator(NULL, NULL, NULL);
    }
}

/* A step of Muon that finds no memory changes nothing and may be repeated. */
static void muon_out_of_memory_in_a_step(void **state) {
    (void)state;
    attn_optimizer_options options = options_of();
    options.method = ATTN_OPTIMIZER_MUON;
    left = 1 << 20;
    attn_set_allocator(allocate, release, NULL);
    attn_params *params = make_muon_params(), *other = make_muon_params();
    attn_optimizer *optimizer = make(&options, params), *never = make(&options, other);
    float before[MUON_SIZE];
    attn_error error;
    memcpy(before, attn_params_data(params), sizeof before);
    set_muon_gradient(params, 1);
    set_muon_gradient(other, 1);
    left = 0;
    assert_int_equal(attn_optimizer_step(optimizer, NULL, &error), ATTN_ERR_MEMORY);
    assert_memory_equal(before, attn_params_data(params), sizeof before);
    left = 1 << 20;
    assert_int_equal(attn_optimizer_step(optimizer, NULL, NULL), ATTN_OK);
    assert_int_equal(attn_optimizer_step(never, NULL, NULL), ATTN_OK);
    assert_memory_equal(attn_params_data(params), attn_params_data(other),
                        MUON_SIZE * sizeof(float));
    attn_optimizer_free(optimizer);
    attn_optimizer_free(never);
    attn_params_free(params);
    attn_params_free(other);
    attn_set_allocator(NULL, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step_and_decay),
        cmocka_unit_test(rates),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(a_bad_gradient_is_skipped),
        cmocka_unit_test(clipping_bounds_the_moments),
        cmocka_unit_test(a_training_goes_on_from_its_state),
        cmocka_unit_test(muon_moves_every_direction_alike),
        cmocka_unit_test(muon_keeps_a_momentum),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(muon_out_of_memory_in_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

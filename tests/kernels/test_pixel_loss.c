/* Losses, probabilities and classes of pixels: every instruction set and number of threads gives the
 * bits of plain C on one thread; plain C is near the same in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/pixel_loss/pixel_loss.h"
#include "support/isas.h"
#include "support/values.h"

enum { MAX_ROWS = 3000, IGNORE = 255 };

typedef struct problem {
    attn_pixel_targets t;
    values logits, weights, loss, nll, gradient, probabilities;
    uint8_t targets[MAX_ROWS], largest[MAX_ROWS];
} problem;

static void problem_start(problem *p, int64_t rows, int64_t classes, guard_side side) {
    attn_random random = attn_random_start(5);
    p->logits = values_new(rows * classes, side, 1, -30.0f, 30.0f);
    p->weights = values_new(classes, side, 2, 0.0f, 2.0f);
    p->loss = values_new(rows, side, 3, 0.0f, 1.0f);
    p->nll = values_new(rows, side, 4, 0.0f, 1.0f);
    p->gradient = values_new(rows * classes, side, 5, 0.0f, 1.0f);
    p->probabilities = values_new(rows * classes, side, 6, 0.0f, 1.0f);
    for (int64_t r = 0; r < rows; r++) {
        uint64_t target = attn_random_below(&random, (uint64_t)classes + 1);
        p->targets[r] = target == (uint64_t)classes ? IGNORE : (uint8_t)target;
        p->logits.at[r * classes] = p->logits.at[r * classes + classes / 2]; /* some are equal */
    }
    p->t = (attn_pixel_targets){rows, classes, p->targets, IGNORE, p->weights.at, 0.1f};
}

static void problem_free(problem *p) {
    values *all[] = {&p->logits, &p->weights, &p->loss, &p->nll, &p->gradient, &p->probabilities};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

static void run(problem *p) {
    int64_t rows = p->t.rows, classes = p->t.classes;
    attn_pixel_cross_entropy(&p->t, p->logits.at, 0.25f, p->loss.at, p->nll.at, p->gradient.at);
    attn_pixel_softmax(rows, classes, p->logits.at, p->probabilities.at);
    attn_pixel_argmax(rows, classes, p->logits.at, p->largest);
}

static void assert_near(double expected, double found, double tolerance) {
    if (!(fabs(expected - found) <= tolerance)) {
        fail_msg("expected %.9g, found %.9g", expected, found);
    }
}

static void assert_row_near_double(const problem *p, int64_t r) {
    int64_t classes = p->t.classes, target = p->targets[r], largest = 0;
    const float *x = p->logits.at + r * classes;
    double power = 0, uniform = 0, smoothing = (double)0.1f;
    for (int64_t v = 0; v < classes; v++) {
        power += exp((double)x[v]);
        largest = x[v] > x[largest] ? v : largest;
    }
    for (int64_t v = 0; v < classes; v++) {
        uniform += (log(power) - (double)x[v]) / (double)classes;
    }
    assert_int_equal(p->largest[r], largest);
    double weight = target == IGNORE ? 0 : (double)p->weights.at[target];
    double nll = target == IGNORE ? 0 : log(power) - (double)x[target];
    assert_near(nll, (double)p->nll.at[r], 1e-5);
    assert_near(weight * ((1 - smoothing) * nll + smoothing * uniform), (double)p->loss.at[r],
                3e-5);
    for (int64_t v = 0; v < classes; v++) {
        double wanted = (v == target ? 1 - smoothing : 0) + smoothing / (double)classes;
        double probability = exp((double)x[v]) / power;
        assert_near(probability, (double)p->probabilities.at[r * classes + v], 1e-6);
        assert_near(0.25 * weight * (probability - wanted), (double)p->gradient.at[r * classes + v],
                    1e-6);
    }
}

static void check(int64_t rows, int64_t classes) {
    static problem plain, p;
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem *now = w.step == 0 ? &plain : &p;
        problem_start(now, rows, classes, w.step % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW);
        run(now);
        if (w.step == 0) {
            for (int64_t r = 0; r < rows; r++) {
                assert_row_near_double(&plain, r);
            }
            continue;
        }
        values_assert_equal(&plain.loss, &p.loss);
        values_assert_equal(&plain.nll, &p.nll);
        values_assert_equal(&plain.gradient, &p.gradient);
        values_assert_equal(&plain.probabilities, &p.probabilities);
        assert_memory_equal(plain.largest, p.largest, (size_t)rows);
        problem_free(&p);
    }
    problem_free(&plain);
}

static void all_sizes(void **state) {
    (void)state;
    for (int64_t rows = 1; rows <= 33; rows++) {
        check(rows, 11);
    }
    for (int64_t classes = 1; classes <= 25; classes++) {
        check(16, classes);
    }
    check(20, 255);
    check(MAX_ROWS, 11); /* on threads */
}

/* A row that is left out has no gradient, whatever its logits are. */
static void ignored_rows_are_zero(void **state) {
    (void)state;
    float logits[6] = {NAN, 1, 2, 1, INFINITY, NAN}, loss[2], nll[2], gradient[6];
    const uint8_t targets[2] = {IGNORE, IGNORE};
    attn_pixel_targets t = {2, 3, targets, IGNORE, NULL, 0.1f};
    attn_pixel_cross_entropy(&t, logits, 1.0f, loss, nll, gradient);
    for (int i = 0; i < 6; i++) {
        assert_true(gradient[i] == 0.0f && loss[i / 3] == 0.0f && nll[i / 3] == 0.0f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes),
        cmocka_unit_test(ignored_rows_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

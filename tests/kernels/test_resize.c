/* Bilinear resize: every instruction set and number of threads gives the bits of plain C on one
 * thread; both are near the same in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/resize/resize.h"
#include "support/isas.h"
#include "support/values.h"

typedef struct problem {
    attn_resize_shape s;
    values x, y, d_y, d_x;
} problem;

static problem problem_new(attn_resize_shape s, guard_side side) {
    int64_t in = s.batch * s.in_height * s.in_width * s.channels;
    int64_t out = s.batch * s.out_height * s.out_width * s.channels;
    return (problem){s, values_new(in, side, 1, -1.0f, 1.0f), values_new(out, side, 2, 0.0f, 1.0f),
                     values_new(out, side, 3, -1.0f, 1.0f), values_new(in, side, 4, -1.0f, 1.0f)};
}

static void problem_free(problem *p) {
    values_free(&p->x);
    values_free(&p->y);
    values_free(&p->d_y);
    values_free(&p->d_x);
}

static void run(problem *p) {
    attn_scratch scratch = {NULL, 0};
    assert_int_equal(attn_resize_forward(&p->s, p->x.at, p->y.at, &scratch), ATTN_OK);
    assert_int_equal(attn_resize_backward(&p->s, p->d_y.at, p->d_x.at, true, &scratch), ATTN_OK);
    attn_scratch_free(&scratch);
}

static double source(int64_t i, int64_t in, int64_t out) {
    double at = ((double)i + 0.5) * (double)in / (double)out - 0.5;
    return at < 0 ? 0 : at > (double)(in - 1) ? (double)(in - 1) : at;
}

static void assert_near_double(const problem *p) {
    const attn_resize_shape *s = &p->s;
    for (int64_t e = 0; e < p->y.count; e++) {
        int64_t c = e % s->channels, i = e / s->channels % s->out_width;
        int64_t j = e / s->channels / s->out_width % s->out_height;
        int64_t b = e / s->channels / s->out_width / s->out_height;
        double y = source(j, s->in_height, s->out_height), x = source(i, s->in_width, s->out_width);
        double expected = 0;
        for (int corner = 0; corner < 4; corner++) {
            int64_t row = (int64_t)y + corner / 2, column = (int64_t)x + corner % 2;
            double weight = (1 - fabs(y - (double)row)) * (1 - fabs(x - (double)column));
            if (row < s->in_height && column < s->in_width) {
                int64_t at = ((b * s->in_height + row) * s->in_width + column) * s->channels + c;
                expected += weight * (double)p->x.at[at];
            }
        }
        assert_true(fabs(expected - (double)p->y.at[e]) < 1e-6);
    }
}

static void check(attn_resize_shape s) {
    problem plain = {.s = s};
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem p = problem_new(s, w.step % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW);
        run(&p);
        if (w.step == 0) {
            plain = p;
            assert_near_double(&plain);
            continue;
        }
        values_assert_equal(&plain.y, &p.y);
        values_assert_equal(&plain.d_x, &p.d_x);
        problem_free(&p);
    }
    problem_free(&plain);
}

static void all_sizes(void **state) {
    (void)state;
    for (int64_t channels = 1; channels <= 35; channels++) {
        check((attn_resize_shape){2, 3, 4, 6, 8, channels});
    }
    for (int64_t size = 1; size <= 12; size++) {
        check((attn_resize_shape){1, 5, 7, size, 13 - size, 3});
        check((attn_resize_shape){1, size, 13 - size, 5, 7, 3});
    }
    check((attn_resize_shape){2, 20, 30, 47, 61, 11}); /* on threads */
    check((attn_resize_shape){3, 1, 1, 40, 50, 11});
}

static void writing_is_adding_to_zeros(void **state) {
    (void)state;
    attn_resize_shape s = {2, 20, 30, 47, 61, 11};
    attn_scratch scratch = {NULL, 0};
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem one = problem_new(s, GUARD_ABOVE), two = problem_new(s, GUARD_ABOVE);
        memset(two.d_x.at, 0, (size_t)two.d_x.count * sizeof(float));
        assert_int_equal(attn_resize_backward(&s, one.d_y.at, one.d_x.at, false, &scratch),
                         ATTN_OK);
        assert_int_equal(attn_resize_backward(&s, two.d_y.at, two.d_x.at, true, &scratch), ATTN_OK);
        values_assert_equal(&one.d_x, &two.d_x);
        problem_free(&one);
        problem_free(&two);
    }
    attn_scratch_free(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sizes),
                                       cmocka_unit_test(writing_is_adding_to_zeros)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

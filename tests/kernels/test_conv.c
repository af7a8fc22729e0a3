/* Convolution, dense and depthwise: every instruction set and number of threads against the sums as
 * the headers define them, one chain of fmaf an element, to the bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/math.h"
#include "kernels/conv/conv.h"
#include "kernels/depthwise/depthwise.h"
#include "support/isas.h"
#include "support/values.h"

/* batch, height, width, in, out, kernel, stride, dilation, padding */
static const attn_conv_shape dense[] = {
    {1, 5, 6, 3, 5, 3, 3, 1, 1, 1, 1},      {2, 9, 13, 16, 17, 3, 3, 2, 1, 1, 1},
    {1, 8, 7, 20, 33, 1, 1, 1, 1, 0, 0},    {1, 7, 9, 5, 4, 1, 1, 3, 1, 0, 0},
    {2, 6, 50, 4, 16, 5, 3, 1, 2, 4, 2},    {1, 10, 11, 2, 3, 4, 2, 3, 1, 2, 0},
    {1, 3, 2, 1, 1, 3, 3, 1, 1, 1, 1},      {1, 20, 101, 8, 7, 3, 3, 1, 1, 1, 1},
    {1, 1, 9, 3, 2, 1, 5, 2, 3, 0, 6},      {3, 4, 4, 600, 18, 1, 1, 1, 1, 0, 0},
    {1, 12, 300, 130, 3, 3, 3, 1, 1, 1, 1}, /* a band that is cut across */
    {1, 40, 31, 16, 16, 3, 3, 2, 1, 0, 0},  /* blocks that lie inside the picture */
    {2, 5, 5, 4, 6, 2, 2, 4, 1, 0, 0},      {1, 2, 2, 3, 4, 7, 7, 1, 1, 3, 3},
};

typedef struct problem {
    attn_conv_shape s;
    int64_t height, width; /* of the output */
    values x, weight, bias, residual, y, d_y, d_x, d_weight, pre;
} problem;

static problem problem_new(const attn_conv_shape *s, bool depthwise, guard_side side) {
    problem p = {.s = *s, .height = attn_conv_out_height(s), .width = attn_conv_out_width(s)};
    int64_t in = s->batch * s->height * s->width * s->in;
    int64_t out = s->batch * p.height * p.width * s->out;
    int64_t weights = s->kernel_height * s->kernel_width * s->in * (depthwise ? 1 : s->out);
    p.x = values_new(in, side, 1, -1.0f, 1.0f);
    p.weight = values_new(weights, side, 2, -1.0f, 1.0f);
    p.bias = values_new(s->out, side, 3, -1.0f, 1.0f);
    p.residual = values_new(out, side, 4, -1.0f, 1.0f);
    p.y = values_new(out, side, 5, 0.0f, 1.0f);
    p.d_y = values_new(out, side, 6, -1.0f, 1.0f);
    p.d_x = values_new(in, side, 7, -1.0f, 1.0f);
    p.d_weight = values_new(weights, side, 8, -1.0f, 1.0f);
    p.pre = values_new(out, side, 9, -1.0f, 1.0f);
    return p;
}

static void problem_free(problem *p) {
    values *all[] = {&p->x,   &p->weight, &p->bias,     &p->residual, &p->y,
                     &p->d_y, &p->d_x,    &p->d_weight, &p->pre};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

static void assert_same(const problem *a, const problem *b) {
    values_assert_equal(&a->y, &b->y);
    values_assert_equal(&a->pre, &b->pre);
    values_assert_equal(&a->d_x, &b->d_x);
    values_assert_equal(&a->d_weight, &b->d_weight);
}

/* The input at a place that may lie outside, where there is NULL. */
static const float *pixel(const values *x, int64_t b, int64_t height, int64_t width, int64_t y,
                          int64_t i, int64_t channels) {
    if (y < 0 || y >= height || i < 0 || i >= width) {
        return NULL;
    }
    return x->at + ((b * height + y) * width + i) * channels;
}

/* ---- the definition, dense ---- */

static void define_forward(problem *p) {
    const attn_conv_shape *s = &p->s;
    int64_t products = s->kernel_height * s->kernel_width * s->in;
    for (int64_t n = 0; n < s->batch * p->height * p->width; n++) {
        int64_t b = n / p->width / p->height, j = n / p->width % p->height, i = n % p->width;
        for (int64_t o = 0; o < s->out; o++) {
            float sum = 0;
            for (int64_t k = 0; k < products; k++) {
                int64_t ky = k / s->in / s->kernel_width, kx = k / s->in % s->kernel_width;
                const float *x = pixel(&p->x, b, s->height, s->width,
                                       j * s->stride - s->padding_height + ky * s->dilation,
                                       i * s->stride - s->padding_width + kx * s->dilation, s->in);
                sum = fmaf(x ? x[k % s->in] : 0, p->weight.at[o * products + k], sum);
            }
            sum = sum + p->bias.at[o];
            p->pre.at[n * s->out + o] = sum;
            p->y.at[n * s->out + o] = p->residual.at[n * s->out + o] + (0 > sum ? 0 : sum);
        }
    }
}

static void define_input(problem *p) {
    const attn_conv_shape *s = &p->s;
    int64_t products = s->kernel_height * s->kernel_width * s->in;
    for (int64_t n = 0; n < s->batch * s->height * s->width; n++) {
        int64_t b = n / s->width / s->height, y = n / s->width % s->height, x = n % s->width;
        for (int64_t c = 0; c < s->in; c++) {
            float sum = p->d_x.at[n * s->in + c];
            for (int64_t tap = s->kernel_height * s->kernel_width - 1; tap >= 0; tap--) {
                int64_t j = y + s->padding_height - tap / s->kernel_width * s->dilation;
                int64_t i = x + s->padding_width - tap % s->kernel_width * s->dilation;
                if (j % s->stride != 0 || i % s->stride != 0) {
                    continue;
                }
                const float *d =
                    pixel(&p->d_y, b, p->height, p->width, j / s->stride, i / s->stride, s->out);
                for (int64_t o = 0; o < s->out; o++) {
                    sum = fmaf(d ? d[o] : 0, p->weight.at[o * products + tap * s->in + c], sum);
                }
            }
            p->d_x.at[n * s->in + c] = sum;
        }
    }
}

static void define_weight(problem *p) {
    const attn_conv_shape *s = &p->s;
    int64_t products = s->kernel_height * s->kernel_width * s->in;
    for (int64_t n = 0; n < s->batch * p->height * p->width; n++) {
        int64_t b = n / p->width / p->height, j = n / p->width % p->height, i = n % p->width;
        for (int64_t k = 0; k < products; k++) {
            int64_t ky = k / s->in / s->kernel_width, kx = k / s->in % s->kernel_width;
            const float *x = pixel(&p->x, b, s->height, s->width,
                                   j * s->stride - s->padding_height + ky * s->dilation,
                                   i * s->stride - s->padding_width + kx * s->dilation, s->in);
            for (int64_t o = 0; o < s->out; o++) {
                float *d = &p->d_weight.at[o * products + k];
                *d = fmaf(p->d_y.at[n * s->out + o], x ? x[k % s->in] : 0, *d);
            }
        }
    }
}

static void run_dense(problem *p, bool packed) {
    attn_scratch scratch = {NULL, 0};
    int64_t products = p->s.kernel_height * p->s.kernel_width * p->s.in;
    values b =
        values_new((int64_t)attn_matmul_packed_size(products, p->s.out), GUARD_ABOVE, 1, 0, 1);
    attn_matmul_pack(products, p->s.out, p->weight.at, 1, products, b.at);
    attn_conv_epilogue epilogue = {p->bias.at, p->pre.at, ATTN_ACTIVATION_RELU, p->residual.at};
    assert_int_equal(attn_conv_forward(&p->s, p->x.at, p->weight.at, packed ? b.at : NULL,
                                       &epilogue, p->y.at, &scratch),
                     ATTN_OK);
    assert_int_equal(
        attn_conv_backward_input(&p->s, p->d_y.at, p->weight.at, p->d_x.at, true, &scratch),
        ATTN_OK);
    assert_int_equal(attn_conv_backward_weight(&p->s, p->x.at, p->d_y.at, p->d_weight.at, &scratch),
                     ATTN_OK);
    attn_scratch_free(&scratch);
    values_free(&b);
}

static void dense_is_as_defined(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        problem expected = problem_new(&dense[i], false, GUARD_ABOVE);
        define_forward(&expected);
        define_input(&expected);
        define_weight(&expected);
        for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
            problem p = problem_new(&dense[i], false, w.step % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW);
            run_dense(&p, w.step % 2 == 1);
            assert_same(&expected, &p);
            problem_free(&p);
        }
        problem_free(&expected);
    }
}

/* Not adding to what was there. */
static void input_gradient_from_zero(void **state) {
    (void)state;
    problem added = problem_new(&dense[1], false, GUARD_ABOVE);
    problem p = problem_new(&dense[1], false, GUARD_ABOVE);
    attn_scratch scratch = {NULL, 0};
    memset(added.d_x.at, 0, (size_t)added.d_x.count * sizeof(float));
    assert_int_equal(attn_conv_backward_input(&added.s, added.d_y.at, added.weight.at, added.d_x.at,
                                              true, &scratch),
                     ATTN_OK);
    assert_int_equal(
        attn_conv_backward_input(&p.s, p.d_y.at, p.weight.at, p.d_x.at, false, &scratch), ATTN_OK);
    values_assert_equal(&added.d_x, &p.d_x);
    attn_scratch_free(&scratch);
    problem_free(&p);
    problem_free(&added);
}

/* ---- depthwise ---- */

static void define_depthwise(problem *p) {
    const attn_conv_shape *s = &p->s;
    int64_t taps = s->kernel_height * s->kernel_width;
    for (int64_t e = 0; e < s->batch * p->height * p->width * s->in; e++) {
        int64_t n = e / s->in, c = e % s->in;
        int64_t b = n / p->width / p->height, j = n / p->width % p->height, i = n % p->width;
        float sum = p->bias.at[c];
        for (int64_t t = 0; t < taps; t++) {
            const float *x =
                pixel(&p->x, b, s->height, s->width,
                      j * s->stride - s->padding_height + t / s->kernel_width * s->dilation,
                      i * s->stride - s->padding_width + t % s->kernel_width * s->dilation, s->in);
            if (x != NULL) {
                sum = fmaf(x[c], p->weight.at[t * s->in + c], sum);
                float *d = &p->d_weight.at[t * s->in + c];
                *d = fmaf(p->d_y.at[e], x[c], *d);
            }
        }
        p->y.at[e] = sum;
    }
}

static void define_depthwise_input(problem *p) {
    const attn_conv_shape *s = &p->s;
    for (int64_t e = 0; e < s->batch * s->height * s->width * s->in; e++) {
        int64_t n = e / s->in, c = e % s->in;
        int64_t b = n / s->width / s->height, y = n / s->width % s->height, x = n % s->width;
        for (int64_t t = s->kernel_height * s->kernel_width - 1; t >= 0; t--) {
            int64_t j = y + s->padding_height - t / s->kernel_width * s->dilation;
            int64_t i = x + s->padding_width - t % s->kernel_width * s->dilation;
            if (j % s->stride != 0 || i % s->stride != 0) {
                continue;
            }
            const float *d =
                pixel(&p->d_y, b, p->height, p->width, j / s->stride, i / s->stride, s->in);
            if (d != NULL) {
                p->d_x.at[e] = fmaf(d[c], p->weight.at[t * s->in + c], p->d_x.at[e]);
            }
        }
    }
}

static void check_depthwise(const attn_conv_shape *s) {
    problem expected = problem_new(s, true, GUARD_ABOVE);
    define_depthwise(&expected);
    define_depthwise_input(&expected);
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem p = problem_new(s, true, w.step % 2 == 0 ? GUARD_ABOVE : GUARD_BELOW);
        attn_depthwise_forward(s, p.x.at, p.weight.at, p.bias.at, ATTN_ACTIVATION_NONE, p.y.at,
                               NULL);
        attn_depthwise_backward_input(s, p.d_y.at, p.weight.at, p.d_x.at, true);
        attn_depthwise_backward_weight(s, p.x.at, p.d_y.at, p.d_weight.at);
        assert_same(&expected, &p);
        problem_free(&p);
    }
    problem_free(&expected);
}

static void depthwise_activates(void **state) {
    (void)state;
    attn_conv_shape s = {2, 9, 21, 37, 37, 3, 3, 1, 1, 1, 1};
    for (isa_walk w = isa_first(); isa_more(&w); isa_next(&w)) {
        problem sum = problem_new(&s, true, GUARD_ABOVE), p = problem_new(&s, true, GUARD_ABOVE);
        values slope = values_new(p.y.count, GUARD_ABOVE, 20, 0.0f, 0.0f);
        attn_depthwise_forward(&s, p.x.at, p.weight.at, p.bias.at, ATTN_ACTIVATION_NONE, sum.y.at,
                               NULL);
        attn_depthwise_forward(&s, p.x.at, p.weight.at, p.bias.at, ATTN_ACTIVATION_GELU, p.y.at,
                               slope.at);
        for (int64_t i = 0; i < p.y.count; i++) {
            assert_true(p.y.at[i] == real_gelu(sum.y.at[i]));
            assert_true(slope.at[i] == real_gelu_derivative(sum.y.at[i]));
        }
        attn_depthwise_forward(&s, p.x.at, p.weight.at, p.bias.at, ATTN_ACTIVATION_RELU, p.y.at,
                               NULL);
        for (int64_t i = 0; i < p.y.count; i++) {
            assert_true(p.y.at[i] == real_relu(sum.y.at[i]));
        }
        values_free(&slope);
        problem_free(&sum);
        problem_free(&p);
    }
}

static void depthwise_is_as_defined(void **state) {
    (void)state;
    for (int64_t channels = 1; channels <= 35; channels++) {
        check_depthwise(&(attn_conv_shape){1, 4, 21, channels, channels, 3, 3, 1, 1, 1, 1});
    }
    for (int64_t width = 1; width <= 33; width++) {
        check_depthwise(&(attn_conv_shape){2, 3, width, 5, 5, 3, 3, 1, 1, 1, 1});
    }
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        attn_conv_shape s = dense[i];
        s.in = s.out = s.in < 40 ? s.in : 40;
        check_depthwise(&s);
    }
    check_depthwise(&(attn_conv_shape){1, 9, 12, 20, 20, 31, 31, 1, 1, 15, 15});
    check_depthwise(&(attn_conv_shape){2, 40, 60, 48, 48, 3, 3, 1, 1, 1, 1}); /* on threads */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_is_as_defined),
        cmocka_unit_test(input_gradient_from_zero),
        cmocka_unit_test(depthwise_is_as_defined),
        cmocka_unit_test(depthwise_activates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

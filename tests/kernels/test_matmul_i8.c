/* The 8-bit product: every instruction set against the definition in attn/matmul_i8.h, bit for bit,
 * over edge sizes, epilogues and threads, between guard pages; the largest sums; and what is zero or
 * not finite. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/math.h"
#include "kernels/matmul_i8/matmul_i8.h"
#include "kernels/table.h"
#include "support/values.h"

typedef enum residual_kind { NO_RESIDUAL, OWN_RESIDUAL, C_RESIDUAL, RESIDUALS } residual_kind;

typedef struct options {
    int64_t m, n, k, gap; /* gap: between rows of A and of C */
    bool across, bias;    /* across: W lies transposed, as a layer's weight does */
    attn_activation activation;
    residual_kind residual;
    guard_side side;
} options;

typedef struct problem {
    attn_matmul_i8 product;
    int64_t n, k, w_row, w_col;
    values a, w, c, bias, residual;
    const float *scale; /* NULL: the weights' own */
} problem;

static int64_t span(int64_t rows, int64_t row, int64_t columns) {
    return rows * columns == 0 ? 0 : (rows - 1) * row + columns;
}

static problem problem_new(const options *o) {
    problem p = {.product = {.size = sizeof(attn_matmul_i8),
                             .m = o->m,
                             .a_row = o->k + o->gap,
                             .activation = o->activation,
                             .c_row = o->n + o->gap,
                             .residual_row = o->n + 5},
                 .n = o->n,
                 .k = o->k,
                 .w_row = o->across ? 1 : o->n,
                 .w_col = o->across ? o->k : 1};
    attn_matmul_i8 *q = &p.product;
    p.a = values_new(span(o->m, q->a_row, o->k), o->side, 1, -3.0f, 3.0f);
    p.w = values_new(o->k * o->n, o->side, 2, -1.0f, 1.0f);
    p.c = values_new(span(o->m, q->c_row, o->n), o->side, 3, -1.0f, 1.0f);
    p.bias = values_new(o->n, o->side, 5, -1.0f, 1.0f);
    p.residual = values_new(span(o->m, q->residual_row, o->n), o->side, 6, -1.0f, 1.0f);
    q->a = p.a.at;
    q->c = p.c.at;
    q->bias = o->bias ? p.bias.at : NULL;
    if (o->residual == OWN_RESIDUAL) {
        q->residual = p.residual.at;
    } else if (o->residual == C_RESIDUAL) {
        q->residual = p.c.at;
        q->residual_row = q->c_row;
    }
    return p;
}

static void problem_free(problem *p) {
    values *all[] = {&p->a, &p->w, &p->c, &p->bias, &p->residual};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

/* ---- the definition, one element at a time ---- */

/* The largest magnitude of k values a step apart; NaN when one is not finite. */
static float peak_of(int64_t k, const float *x, int64_t step) {
    float peak = 0;
    for (int64_t p = 0; p < k; p++) {
        if (!isfinite(x[p * step])) {
            return NAN;
        }
        peak = fmaxf(peak, fabsf(x[p * step]));
    }
    return peak;
}

static float weight_scale(const problem *p, int64_t j) {
    float peak = peak_of(p->k, p->w.at + j * p->w_col, p->w_row);
    return p->scale != NULL && !isnan(peak) ? p->scale[j] : peak / 127;
}

static void quantize_weights(const problem *p, int64_t j, float scale, int8_t *q) {
    for (int64_t i = 0; i < p->k; i++) {
        float level = scale > 0 ? rintf(p->w.at[i * p->w_row + j * p->w_col] / scale) : 0;
        q[i] = (int8_t)fmaxf(fminf(level, 127), -127);
    }
}

static float quantize_row(const problem *p, int64_t i, int8_t *q) {
    const float *a = p->product.a + i * p->product.a_row;
    float peak = peak_of(p->k, a, 1);
    for (int64_t x = 0; x < p->k; x++) {
        q[x] = peak >= 0x1p-120f ? (int8_t)rintf(a[x] * (127 / peak)) : 0;
    }
    return peak < 0x1p-120f ? 0 : peak / 127;
}

static float epilogue(const attn_matmul_i8 *q, int64_t i, int64_t j, float x) {
    x = attn_activate(q->activation, x);
    return q->residual != NULL ? q->residual[i * q->residual_row + j] + x : x;
}

/* Into p's own C. */
static void expect(problem *p) {
    const attn_matmul_i8 *q = &p->product;
    int8_t *w = calloc((size_t)(p->k + 1), 1), *a = calloc((size_t)((p->k + 1) * q->m), 1);
    float *a_scale = calloc((size_t)q->m, sizeof *a_scale);
    for (int64_t i = 0; i < q->m; i++) {
        a_scale[i] = quantize_row(p, i, a + i * p->k);
    }
    for (int64_t j = 0; j < p->n; j++) {
        float scale = weight_scale(p, j);
        quantize_weights(p, j, scale, w);
        for (int64_t i = 0; i < q->m; i++) {
            int64_t sum = 0;
            for (int64_t x = 0; x < p->k; x++) {
                sum += a[i * p->k + x] * w[x];
            }
            assert_true(sum == (int32_t)sum);
            float x = (float)(int32_t)sum * a_scale[i];
            x = fmaf(x, scale, q->bias != NULL ? q->bias[j] : 0);
            q->c[i * q->c_row + j] = epilogue(q, i, j, x);
        }
    }
    free(a_scale);
    free(a);
    free(w);
}

/* ---- against it ---- */

static attn_matmul_i8_weights *pack(const problem *p) {
    attn_matmul_i8_weights *weights = NULL;
    assert_int_equal(attn_matmul_i8_weights_create(p->k, p->n, p->w.at, p->w_row, p->w_col,
                                                   p->scale, &weights, NULL),
                     ATTN_OK);
    return weights;
}

static void run(problem *p) {
    attn_matmul_i8_weights *weights = pack(p);
    attn_matmul_i8 product = p->product;
    product.weights = weights;
    assert_int_equal(attn_matmul_i8_run(&product, NULL), ATTN_OK);
    attn_matmul_i8_weights_free(weights);
}

/* What prepare makes of a problem before it is run. */
typedef void preparation(problem *p);

/* Compares all of C, gaps between rows included. */
static void check_every_isa(const options *o, preparation *prepare, const problem *expected) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int i = 0; i < count; i++) {
        assert_int_equal(attn_set_isa(list[i]->isa, NULL), ATTN_OK);
        problem p = problem_new(o);
        if (prepare != NULL) {
            prepare(&p);
        }
        run(&p);
        values_assert_equal(&p.c, &expected->c);
        problem_free(&p);
    }
    assert_int_equal(attn_set_isa("", NULL), ATTN_OK);
}

static void check(const options *o, preparation *prepare) {
    problem expected = problem_new(o);
    if (prepare != NULL) {
        prepare(&expected);
    }
    expect(&expected);
    check_every_isa(o, prepare, &expected);
    problem_free(&expected);
}

static options draw(attn_random *random, int64_t m, int64_t n, int64_t k) {
    return (options){
        .m = m,
        .n = n,
        .k = k,
        .gap = (int64_t)attn_random_below(random, 2) * 3,
        .across = attn_random_below(random, 2) == 0,
        .bias = attn_random_below(random, 2) == 0,
        .activation = (attn_activation)attn_random_below(random, 3),
        .residual = (residual_kind)attn_random_below(random, RESIDUALS),
        .side = (guard_side)attn_random_below(random, 2),
    };
}

/* All sizes up to twice the largest tile and one more; options drawn for each. */
static void edge_sizes(void **state) {
    (void)state;
    attn_random random = attn_random_start(1);
    for (int64_t m = 1; m <= 25; m++) {
        for (int64_t n = 1; n <= 33; n++) {
            options o = draw(&random, m, n, (int64_t)attn_random_below(&random, 36));
            check(&o, NULL);
        }
    }
}

static void every_option(void **state) {
    (void)state;
    for (int code = 0; code < 2 * 2 * 3 * 3; code++) {
        options o = {.m = 13, .n = 35, .k = 39};
        o.across = code % 2;
        o.bias = code / 2 % 2;
        o.activation = (attn_activation)(code / 4 % 3);
        o.residual = (residual_kind)(code / 12);
        check(&o, NULL);
    }
}

/* Large enough for several blocks of rows, blocks of columns and threads. */
static void blocks_and_threads(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 2100, 515}, {5, 1050, 300}, {130, 300, 77},
                                       {700, 50, 630}, {97, 97, 1030}, {40, 17, 9000}};
    attn_random random = attn_random_start(2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        options o = draw(&random, sizes[i][0], sizes[i][1], sizes[i][2]);
        problem expected = problem_new(&o);
        expect(&expected);
        for (int threads = 1; threads <= 3; threads++) {
            attn_set_threads(threads);
            check_every_isa(&o, NULL, &expected);
        }
        problem_free(&expected);
    }
    attn_set_threads(0);
}

/* ---- the largest integers ---- */

static void all_largest(problem *p) {
    for (int64_t i = 0; i < p->a.count; i++) {
        p->a.at[i] = 2.5f;
    }
    for (int64_t i = 0; i < p->w.count; i++) {
        p->w.at[i] = -0.75f;
    }
}

/* Products of 127 * 127 with signs that cancel over 2, 4, 8 ... elements: sums of any few of them
 * pass 16 bits. */
static void largest_in_waves(problem *p) {
    for (int64_t i = 0; i < p->product.m; i++) {
        for (int64_t x = 0; x < p->k; x++) {
            p->a.at[i * p->product.a_row + x] = x >> i & 1 ? -8.0f : 8.0f;
        }
    }
    for (int64_t j = 0; j < p->n; j++) {
        for (int64_t x = 0; x < p->k; x++) {
            p->w.at[x * p->w_row + j * p->w_col] = x >> (j % 9) & 1 ? 1.0f : -1.0f;
        }
    }
}

static void sums_are_exact(void **state) {
    (void)state;
    check(&(options){.m = 13, .n = 17, .k = 64}, all_largest);
    check(&(options){.m = 2, .n = 3, .k = ATTN_MATMUL_I8_MAX_K}, all_largest);
    check(&(options){.m = 14, .n = 35, .k = 1021, .across = true}, largest_in_waves);
}

/* ---- zeros, small and large numbers ---- */

static void set_row(problem *p, int64_t i, float x) {
    for (int64_t k = 0; k < p->k; k++) {
        p->a.at[i * p->product.a_row + k] = k % 3 == 0 ? x : -x;
    }
}

static void set_column(problem *p, int64_t j, float x) {
    for (int64_t k = 0; k < p->k; k++) {
        p->w.at[k * p->w_row + j * p->w_col] = k % 5 == 0 ? x : -x;
    }
}

static void odd_sizes(problem *p) {
    static const float sizes[] = {0.0f,     -0.0f,    0x1p-149f, 0x1p-121f,       0x1p-120f,
                                  0x1p-60f, 0x1p120f, 0x1p127f,  0x1.fffffep127f, 0x1p-126f};
    for (int i = 0; i < 10; i++) {
        set_row(p, i, sizes[i]);
        set_column(p, 2 * i, sizes[i] < 0x1p100f ? sizes[i] : 1.0f);
    }
}

static void zeros_and_extremes(void **state) {
    (void)state;
    check(&(options){.m = 11, .n = 21, .k = 35, .bias = true}, odd_sizes);
    check(&(options){.m = 11, .n = 21, .k = 2, .bias = true, .across = true}, odd_sizes);
    /* A row of zeros gives the bias itself. */
    options o = {.m = 1, .n = 20, .k = 33, .bias = true};
    problem p = problem_new(&o);
    set_row(&p, 0, 0.0f);
    run(&p);
    values_assert_equal(&p.c, &p.bias);
    problem_free(&p);
}

/* Of a row or a column with NaN or infinity everything is NaN, and nothing else is. */
static void not_finite(void **state) {
    (void)state;
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    options o = {.m = 15, .n = 21, .k = 37, .activation = ATTN_ACTIVATION_RELU};
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int code = 0; code < count * 4 * 37; code++) {
        assert_int_equal(attn_set_isa(list[code % count]->isa, NULL), ATTN_OK);
        int64_t at = code / count / 4;
        problem p = problem_new(&o), good = problem_new(&o);
        p.a.at[3 * o.k + at] = bad[code / count % 4];
        p.w.at[at * o.n + 18] = bad[code / count % 4];
        run(&p);
        run(&good);
        for (int64_t i = 0; i < o.m; i++) {
            for (int64_t j = 0; j < o.n; j++) {
                float x = p.c.at[i * o.n + j];
                assert_int_equal(isnan(x) != 0, i == 3 || j == 18);
                assert_true(i == 3 || j == 18 || x == good.c.at[i * o.n + j]);
            }
        }
        problem_free(&good);
        problem_free(&p);
    }
    assert_int_equal(attn_set_isa("", NULL), ATTN_OK);
}

/* A row of C is the same alone and among others. */
static void rows_stand_alone(void **state) {
    (void)state;
    options o = {.m = 29, .n = 37, .k = 300, .bias = true, .activation = ATTN_ACTIVATION_GELU};
    problem all = problem_new(&o);
    run(&all);
    attn_matmul_i8_weights *weights = pack(&all);
    for (int64_t i = 0; i < o.m; i++) {
        float row[37];
        attn_matmul_i8 one = all.product;
        one.m = 1;
        one.a += i * o.k;
        one.c = row;
        one.weights = weights;
        assert_int_equal(attn_matmul_i8_run(&one, NULL), ATTN_OK);
        assert_memory_equal(row, all.c.at + i * o.n, sizeof row);
    }
    attn_matmul_i8_weights_free(weights);
    problem_free(&all);
}

/* ---- scales that a file brings ---- */

enum { KEPT_N = 23 };
static float kept_scale[KEPT_N];

/* Weights that are integers times scales, whose largest is not always 127. */
static void from_integers(problem *p) {
    attn_random random = attn_random_start(9);
    p->scale = kept_scale;
    for (int64_t j = 0; j < p->n; j++) {
        kept_scale[j] = j == 5 ? 0.0f : 0.001f + 0.01f * (float)attn_random_uniform(&random);
        for (int64_t x = 0; x < p->k; x++) {
            float q = (float)attn_random_below(&random, 201) - 100.0f;
            p->w.at[x * p->w_row + j * p->w_col] = q * kept_scale[j];
        }
    }
}

static void scales_are_kept(void **state) {
    (void)state;
    options o = {.m = 9, .n = KEPT_N, .k = 50, .across = true};
    check(&o, from_integers);
    problem p = problem_new(&o), other = problem_new(&o);
    from_integers(&p);
    from_integers(&other);
    other.scale = NULL;
    run(&p);
    run(&other);
    assert_true(memcmp(p.c.at, other.c.at, (size_t)p.c.count * sizeof(float)) != 0);
    problem_free(&other);
    problem_free(&p);
}

/* ---- against the product that it stands for ---- */

/* Half a step of A at every weight, half a step of W at every element. */
static void close_to_double(void **state) {
    (void)state;
    options o = {.m = 20, .n = 30, .k = 700, .bias = true};
    problem p = problem_new(&o);
    run(&p);
    for (int64_t i = 0; i < o.m; i++) {
        for (int64_t j = 0; j < o.n; j++) {
            double x = p.bias.at[j], bound = 1e-5;
            double a_step = peak_of(o.k, p.a.at + i * o.k, 1) / 127;
            double w_step = peak_of(o.k, p.w.at + j, o.n) / 127;
            for (int64_t k = 0; k < o.k; k++) {
                double a = p.a.at[i * o.k + k], w = p.w.at[k * o.n + j];
                x += a * w;
                bound += 0.51 * (a_step * fabs(w) + w_step * fabs(a) + 0.51 * a_step * w_step);
            }
            assert_true(fabs(x - p.c.at[i * o.n + j]) < bound);
            assert_true(fabs(x - p.c.at[i * o.n + j]) < 1.5); /* of a deviation of about 27 */
        }
    }
    problem_free(&p);
}

/* The same number on every processor. */
static void known_bits(void **state) {
    (void)state;
    options o = {.m = 70,
                 .n = 90,
                 .k = 600,
                 .across = true,
                 .bias = true,
                 .activation = ATTN_ACTIVATION_GELU,
                 .residual = OWN_RESIDUAL};
    problem p = problem_new(&o);
    run(&p);
    uint64_t hash = attn_hash64(p.c.at, (size_t)p.c.count * sizeof(float), 0);
    assert_true(hash == 0x4c42918eb2c9ee64);
    problem_free(&p);
}

/* Threads share the weights, inside the caller's own parallel region. */
static void called_from_threads(void **state) {
    (void)state;
    options o = {.m = 30, .n = 90, .k = 80};
    problem expected = problem_new(&o), p[4];
    attn_matmul_i8_weights *weights = pack(&expected);
    attn_status status[4];
    expect(&expected);
    for (int i = 0; i < 4; i++) {
        p[i] = problem_new(&o);
        p[i].product.weights = weights;
    }
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 4; i++) {
        status[i] = attn_matmul_i8_run(&p[i].product, NULL);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(status[i], ATTN_OK);
        values_assert_equal(&p[i].c, &expected.c);
        problem_free(&p[i]);
    }
    attn_matmul_i8_weights_free(weights);
    problem_free(&expected);
}

static int allowed; /* allocations that still succeed */

static void *sometimes(size_t size, void *context) {
    (void)context;
    return allowed-- > 0 ? malloc(size) : NULL;
}

static void release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

static void refusals(void **state) {
    (void)state;
    options o = {.m = 3, .n = 4, .k = 5};
    problem p = problem_new(&o);
    attn_matmul_i8_weights *weights = NULL;
    assert_int_equal(attn_matmul_i8_weights_create(ATTN_MATMUL_I8_MAX_K + 1, 1, p.w.at, 1, 1, NULL,
                                                   &weights, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_matmul_i8_weights_create(-1, 1, p.w.at, 1, 1, NULL, &weights, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_matmul_i8_weights_create(1, 1, NULL, 1, 1, NULL, &weights, NULL),
                     ATTN_ERR_ARGUMENT);
    assert_null(weights);
    attn_set_allocator(sometimes, release, NULL);
    attn_status status = ATTN_ERR_MEMORY;
    for (int fail_at = 0; status != ATTN_OK; fail_at++) {
        allowed = fail_at;
        status = attn_matmul_i8_weights_create(5, 4, p.w.at, 4, 1, NULL, &weights, NULL);
        assert_true(status == ATTN_OK ? weights != NULL
                                      : weights == NULL && status == ATTN_ERR_MEMORY);
    }
    p.product.weights = weights;
    allowed = 0;
    assert_int_equal(attn_matmul_i8_run(&p.product, NULL), ATTN_ERR_MEMORY);
    problem untouched = problem_new(&o);
    values_assert_equal(&p.c, &untouched.c);
    problem_free(&untouched);
    attn_matmul_i8 bad = p.product;
    assert_int_equal(attn_matmul_i8_run(NULL, NULL), ATTN_ERR_ARGUMENT);
    bad.m = -1;
    assert_int_equal(attn_matmul_i8_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.a = NULL;
    assert_int_equal(attn_matmul_i8_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.weights = NULL;
    assert_int_equal(attn_matmul_i8_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.c = NULL;
    assert_int_equal(attn_matmul_i8_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad.m = 0; /* nothing to do: nothing is touched */
    assert_int_equal(attn_matmul_i8_run(&bad, NULL), ATTN_OK);
    attn_matmul_i8_weights_free(weights);
    attn_matmul_i8_weights_free(NULL);
    attn_set_allocator(NULL, NULL, NULL);
    problem_free(&p);
}

/* K = 0: the sum is 0, the epilogue follows; operands may be NULL. */
static void nothing_to_sum(void **state) {
    (void)state;
    options o = {.m = 7, .n = 18, .k = 0, .bias = true, .activation = ATTN_ACTIVATION_RELU};
    problem p = problem_new(&o), expected = problem_new(&o);
    expect(&expected);
    p.w.at = NULL;
    p.product.a = NULL;
    run(&p);
    values_assert_equal(&p.c, &expected.c);
    problem_free(&p);
    problem_free(&expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_sizes),          cmocka_unit_test(every_option),
        cmocka_unit_test(blocks_and_threads),  cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(zeros_and_extremes),  cmocka_unit_test(not_finite),
        cmocka_unit_test(rows_stand_alone),    cmocka_unit_test(scales_are_kept),
        cmocka_unit_test(close_to_double),     cmocka_unit_test(known_bits),
        cmocka_unit_test(called_from_threads), cmocka_unit_test(refusals),
        cmocka_unit_test(nothing_to_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

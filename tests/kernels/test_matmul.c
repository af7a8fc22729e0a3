/* The matrix product: every instruction set against one chain of fmaf per element, bit for bit,
 * over edge sizes, strides, epilogues and threads, between guard pages; and against double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/math.h"
#include "kernels/matmul/matmul.h"
#include "kernels/table.h"
#include "support/values.h"

typedef enum layout { ROWS, COLUMNS, SPREAD, PACKED, LAYOUTS } layout;
typedef enum residual_kind { NO_RESIDUAL, OWN_RESIDUAL, C_RESIDUAL, RESIDUALS } residual_kind;

typedef struct options {
    int64_t m, n, k;
    layout a, b; /* PACKED is for b only */
    int64_t c_gap;
    bool accumulate, bias, pre_activation;
    attn_activation activation;
    residual_kind residual;
    guard_side side;
} options;

typedef struct problem {
    attn_matmul product;
    values a, b, b_packed, c, pre_activation, bias, residual;
} problem;

/* Strides of a matrix of rows x columns; returns how many elements it spans. */
static int64_t strides(layout how, int64_t rows, int64_t columns, int64_t *row, int64_t *column) {
    *row = how == COLUMNS ? 1 : how == SPREAD ? 2 * columns + 3 : columns;
    *column = how == COLUMNS ? rows : how == SPREAD ? 2 : 1;
    return rows * columns == 0 ? 0 : (rows - 1) * *row + (columns - 1) * *column + 1;
}

static problem problem_new(const options *o) {
    problem p = {.product = {.size = sizeof(attn_matmul),
                             .m = o->m,
                             .n = o->n,
                             .k = o->k,
                             .accumulate = o->accumulate,
                             .activation = o->activation,
                             .c_row = o->n + o->c_gap,
                             .residual_row = o->n + 5}};
    attn_matmul *q = &p.product;
    p.a = values_new(strides(o->a, o->m, o->k, &q->a_row, &q->a_col), o->side, 1, -1.0f, 1.0f);
    layout b = o->b == PACKED ? COLUMNS : o->b;
    p.b = values_new(strides(b, o->k, o->n, &q->b_row, &q->b_col), o->side, 2, -1.0f, 1.0f);
    int64_t c_size = (o->m - 1) * q->c_row + o->n;
    p.c = values_new(c_size, o->side, 3, -1.0f, 1.0f);
    p.pre_activation = values_new(c_size, o->side, 4, -1.0f, 1.0f);
    p.bias = values_new(o->n, o->side, 5, -1.0f, 1.0f);
    p.residual = values_new((o->m - 1) * q->residual_row + o->n, o->side, 6, -1.0f, 1.0f);
    p.b_packed = values_new((int64_t)attn_matmul_packed_size(o->k, o->n), o->side, 7, 0.0f, 1.0f);
    q->a = p.a.at;
    q->c = p.c.at;
    q->bias = o->bias ? p.bias.at : NULL;
    q->pre_activation = o->pre_activation ? p.pre_activation.at : NULL;
    if (o->residual == OWN_RESIDUAL) {
        q->residual = p.residual.at;
    } else if (o->residual == C_RESIDUAL) {
        q->residual = p.c.at;
        q->residual_row = q->c_row;
    }
    q->b = p.b.at;
    return p;
}

static void problem_free(problem *p) {
    values *all[] = {&p->a, &p->b, &p->b_packed, &p->c, &p->bias, &p->residual, &p->pre_activation};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

/* attn/matmul.h's definition, one element at a time. */
static void expect(const attn_matmul *q) {
    for (int64_t i = 0; i < q->m; i++) {
        for (int64_t j = 0; j < q->n; j++) {
            float *c = &q->c[i * q->c_row + j];
            float before = *c, x = q->accumulate ? *c : 0.0f;
            for (int64_t p = 0; p < q->k; p++) {
                x = fmaf(q->a[i * q->a_row + p * q->a_col], q->b[p * q->b_row + j * q->b_col], x);
            }
            x = q->bias != NULL ? x + q->bias[j] : x;
            if (q->pre_activation != NULL) {
                q->pre_activation[i * q->c_row + j] = x;
            }
            x = attn_activate(q->activation, x);
            if (q->residual == q->c) {
                x = before + x;
            } else if (q->residual != NULL) {
                x = q->residual[i * q->residual_row + j] + x;
            }
            *c = x;
        }
    }
}

static void run(problem *p, layout b) {
    attn_matmul product = p->product;
    if (b == PACKED) {
        attn_matmul_pack(product.k, product.n, product.b, product.b_row, product.b_col,
                         p->b_packed.at);
        product.b = NULL;
        product.b_packed = p->b_packed.at;
    }
    assert_int_equal(attn_matmul_run(&product, NULL), ATTN_OK);
}

/* Runs the problem on every instruction set and compares all of C and of the pre-activation, gaps
 * between rows included, with `expected`. */
static void check_every_isa(const options *o, const problem *expected) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int i = 0; i < count; i++) {
        assert_int_equal(attn_set_isa(list[i]->isa, NULL), ATTN_OK);
        problem p = problem_new(o);
        run(&p, o->b);
        values_assert_equal(&p.c, &expected->c);
        values_assert_equal(&p.pre_activation, &expected->pre_activation);
        problem_free(&p);
    }
    assert_int_equal(attn_set_isa("", NULL), ATTN_OK);
}

static void check(const options *o) {
    problem expected = problem_new(o);
    expect(&expected.product);
    check_every_isa(o, &expected);
    problem_free(&expected);
}

static options draw(attn_random *random, int64_t m, int64_t n, int64_t k) {
    return (options){
        .m = m,
        .n = n,
        .k = k,
        .a = (layout)attn_random_below(random, PACKED),
        .b = (layout)attn_random_below(random, LAYOUTS),
        .c_gap = (int64_t)attn_random_below(random, 2) * 3,
        .accumulate = attn_random_below(random, 2) == 0,
        .bias = attn_random_below(random, 2) == 0,
        .pre_activation = attn_random_below(random, 2) == 0,
        .activation = (attn_activation)attn_random_below(random, 6),
        .residual = (residual_kind)attn_random_below(random, RESIDUALS),
        .side = (guard_side)attn_random_below(random, 2),
    };
}

/* All sizes up to twice the largest tile and one more; options drawn for each. */
static void edge_sizes(void **state) {
    (void)state;
    attn_random random = attn_random_start(1);
    for (int64_t m = 1; m <= 25; m++) {
        for (int64_t n = 1; n <= 129; n++) {
            options o = draw(&random, m, n, (int64_t)attn_random_below(&random, 12));
            check(&o);
        }
    }
}

/* Each option alone and all of them in every combination of layouts. */
static void every_option(void **state) {
    (void)state;
    for (int code = 0; code < 3 * 4 * 2 * 2 * 2 * 3 * 3; code++) {
        int rest = code;
        options o = {.m = 13, .n = 35, .k = 9};
        o.a = (layout)(rest % 3), rest /= 3;
        o.b = (layout)(rest % 4), rest /= 4;
        o.accumulate = rest % 2, rest /= 2;
        o.bias = rest % 2, rest /= 2;
        o.pre_activation = rest % 2, rest /= 2;
        o.activation = (attn_activation)(rest % 6), rest /= 6;
        o.residual = (residual_kind)(rest % 3);
        check(&o);
    }
}

/* Large enough for several slices of k, blocks of rows, blocks of columns and threads. */
static void blocks_and_threads(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {
        {1, 2100, 300},  {5, 1050, 515}, {12, 700, 130},  {30, 1100, 77}, {241, 70, 257},
        {1250, 20, 260}, {600, 50, 300}, {1100, 60, 130}, {97, 97, 1030}, {258, 1030, 33},
    };
    attn_random random = attn_random_start(2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int repeat = 0; repeat < 2; repeat++) {
            options o = draw(&random, sizes[i][0], sizes[i][1], sizes[i][2]);
            problem expected = problem_new(&o);
            expect(&expected.product);
            for (int threads = 1; threads <= 3; threads++) {
                attn_set_threads(threads);
                check_every_isa(&o, &expected);
            }
            problem_free(&expected);
        }
    }
    attn_set_threads(0);
}

/* A row of C is the same alone and among others, whatever stands in the other rows. */
static void rows_stand_alone(void **state) {
    (void)state;
    options o = {.m = 29, .n = 37, .k = 300, .bias = true, .activation = ATTN_ACTIVATION_GELU};
    problem all = problem_new(&o);
    all.a.at[3 * o.k + 5] = NAN;
    run(&all, ROWS);
    for (int64_t i = 0; i < o.m; i++) {
        float row[37];
        attn_matmul one = all.product;
        one.m = 1;
        one.a += i * o.k;
        one.c = row;
        assert_int_equal(attn_matmul_run(&one, NULL), ATTN_OK);
        for (int64_t j = 0; j < o.n; j++) {
            assert_int_equal(isnan(all.c.at[i * o.n + j]), i == 3);
        }
        if (i != 3) {
            assert_memory_equal(row, all.c.at + i * o.n, sizeof row);
        }
    }
    problem_free(&all);
}

/* The error of a sum of k products is at most about k * 2^-24 times the sum of their sizes. */
static void close_to_double(void **state) {
    (void)state;
    options o = {.m = 40, .n = 50, .k = 700, .bias = true, .activation = ATTN_ACTIVATION_GELU};
    problem p = problem_new(&o);
    run(&p, ROWS);
    const attn_matmul *q = &p.product;
    for (int64_t i = 0; i < o.m; i++) {
        for (int64_t j = 0; j < o.n; j++) {
            double x = q->bias[j], size = fabs(x);
            for (int64_t k = 0; k < o.k; k++) {
                double term = (double)q->a[i * q->a_row + k] * q->b[k * q->b_row + j];
                x += term;
                size += fabs(term);
            }
            double expected = x * 0.5 * (1 + erf(x * sqrt(0.5)));
            double error = fabs(expected - q->c[i * q->c_row + j]);
            assert_true(error < 1e-6 + size * 30 * 0x1p-24);
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
                 .a = COLUMNS,
                 .b = COLUMNS,
                 .bias = true,
                 .activation = ATTN_ACTIVATION_GELU,
                 .residual = OWN_RESIDUAL};
    problem p = problem_new(&o);
    run(&p, COLUMNS);
    uint64_t hash = attn_hash64(p.c.at, (size_t)p.c.count * sizeof(float), 0);
    assert_true(hash == 0x8ff0f8483dcebfde);
    problem_free(&p);
}

/* Inside the caller's own parallel region. */
static void called_from_threads(void **state) {
    (void)state;
    options o = {.m = 100, .n = 90, .k = 80};
    problem expected = problem_new(&o);
    expect(&expected.product);
    problem p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = problem_new(&o);
    }
    attn_status status[4];
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 4; i++) {
        status[i] = attn_matmul_run(&p[i].product, NULL);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(status[i], ATTN_OK);
        values_assert_equal(&p[i].c, &expected.c);
        problem_free(&p[i]);
    }
    problem_free(&expected);
}

static void packed_layout(void **state) {
    (void)state;
    enum { K = 5, N = 19 };
    float b[K * N], packed[2 * 16 * K];
    for (int i = 0; i < K * N; i++) {
        b[i] = (float)i;
    }
    assert_int_equal(attn_matmul_packed_size(K, N), 2 * 16 * K);
    attn_matmul_pack(K, N, b, N, 1, packed);
    for (int j = 0; j < 32; j++) {
        for (int p = 0; p < K; p++) {
            float expected = j < N ? b[p * N + j] : 0.0f;
            assert_true(packed[(j / 16 * K + p) * 16 + j % 16] == expected);
        }
    }
}

/* matmul_kernels.h's definition of pack_a, for every instruction set. */
static void packs_a(void **state) {
    (void)state;
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    for (int code = 0; code < count * PACKED * 2 * 60; code++) {
        const attn_matmul_kernels *kernels = &list[code % count]->matmul;
        layout how = (layout)(code / count % PACKED);
        guard_side side = (guard_side)(code / count / PACKED % 2);
        int64_t rows = 1 + code / count / PACKED / 2, k = 1 + (rows * 7) % 19, row, column;
        values a = values_new(strides(how, rows, k, &row, &column), side, 1, -1.0f, 1.0f);
        values packed = values_new(rows * k, side, 2, -1.0f, 1.0f);
        kernels->pack_a(rows, k, a.at, row, column, packed.at);
        for (int64_t i = 0; i < rows; i++) {
            int64_t first = i / kernels->tile_rows * kernels->tile_rows;
            int64_t height = rows - first < kernels->tile_rows ? rows - first : kernels->tile_rows;
            for (int64_t p = 0; p < k; p++) {
                float got = packed.at[first * k + p * height + i - first];
                assert_true(got == a.at[i * row + p * column]);
            }
        }
        values_free(&packed);
        values_free(&a);
    }
}

static void *refuse(size_t size, void *context) {
    (void)size, (void)context;
    return NULL;
}

static void release(void *pointer, void *context) {
    (void)pointer, (void)context;
}

static void refusals(void **state) {
    (void)state;
    options o = {.m = 3, .n = 4, .k = 5};
    problem p = problem_new(&o);
    attn_matmul bad = p.product;
    assert_int_equal(attn_matmul_run(NULL, NULL), ATTN_ERR_ARGUMENT);
    bad.m = -1;
    assert_int_equal(attn_matmul_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.a = NULL;
    assert_int_equal(attn_matmul_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.b = NULL;
    assert_int_equal(attn_matmul_run(&bad, NULL), ATTN_ERR_ARGUMENT);
    bad = p.product;
    bad.c = NULL;
    attn_error error;
    assert_int_equal(attn_matmul_run(&bad, &error), ATTN_ERR_ARGUMENT);
    assert_string_equal(error.what, "c is NULL");
    bad.m = 0; /* nothing to do: nothing is touched */
    assert_int_equal(attn_matmul_run(&bad, NULL), ATTN_OK);
    attn_set_allocator(refuse, release, NULL);
    assert_int_equal(attn_matmul_run(&p.product, NULL), ATTN_ERR_MEMORY);
    attn_set_allocator(NULL, NULL, NULL);
    problem untouched = problem_new(&o);
    values_assert_equal(&p.c, &untouched.c);
    problem_free(&untouched);
    problem_free(&p);
}

/* K = 0: the sum is 0 or the old C, the epilogue follows; operands may be NULL. */
static void nothing_to_sum(void **state) {
    (void)state;
    options o = {.m = 7, .n = 18, .k = 0, .bias = true, .accumulate = true};
    check(&o);
    o.accumulate = false;
    problem p = problem_new(&o), expected = problem_new(&o);
    p.product.a = p.product.b = NULL;
    run(&p, ROWS);
    expect(&expected.product);
    values_assert_equal(&p.c, &expected.c);
    problem_free(&p);
    problem_free(&expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_sizes),
        cmocka_unit_test(every_option),
        cmocka_unit_test(blocks_and_threads),
        cmocka_unit_test(rows_stand_alone),
        cmocka_unit_test(close_to_double),
        cmocka_unit_test(known_bits),
        cmocka_unit_test(called_from_threads),
        cmocka_unit_test(packed_layout),
        cmocka_unit_test(packs_a),
        cmocka_unit_test(refusals),
        cmocka_unit_test(nothing_to_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The product with weights of bfloat16: every instruction set against attn_matmul with the same weights
 * as floats, bit for bit, over edge sizes, epilogues and threads, between guard pages; a choice of its
 * columns; and what bfloat16 holds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attn/threads.h"
#include "kernels/matmul_bf16/matmul_bf16.h"
#include "kernels/table.h"
#include "support/values.h"

typedef struct options {
    int64_t m, n, k, gap; /* gap: between rows of A and of C */
    bool bias, residual, in_place;
    attn_activation activation;
    guard_side side;
} options;

typedef struct problem {
    options o;
    values a, w, c, bias, residual; /* w [N, K], as a layer's weight lies */
} problem;

static int64_t span(int64_t rows, int64_t row, int64_t columns) {
    return rows * columns == 0 ? 0 : (rows - 1) * row + columns;
}

/* Cuts the lower half of each value off. */
static void cut(values *array) {
    for (int64_t i = 0; i < array->count; i++) {
        uint32_t bits;
        memcpy(&bits, &array->at[i], sizeof bits);
        bits &= 0xFFFF0000u;
        memcpy(&array->at[i], &bits, sizeof bits);
    }
}

static problem problem_new(const options *o) {
    problem p = {.o = *o};
    p.a = values_new(span(o->m, o->k + o->gap, o->k), o->side, 1, -3.0f, 3.0f);
    p.w = values_new(o->n * o->k, o->side, 2, -1.0f, 1.0f);
    p.c = values_new(span(o->m, o->n + o->gap, o->n), o->side, 3, -1.0f, 1.0f);
    p.bias = values_new(o->n, o->side, 4, -1.0f, 1.0f);
    p.residual = values_new(span(o->m, o->n + 5, o->n), o->side, 5, -1.0f, 1.0f);
    cut(&p.w);
    return p;
}

static void problem_free(problem *p) {
    values *all[] = {&p->a, &p->w, &p->c, &p->bias, &p->residual};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        values_free(all[i]);
    }
}

static const float *residual_of(const problem *p, int64_t *row) {
    *row = p->o.in_place ? p->o.n + p->o.gap : p->o.n + 5;
    return !p->o.residual ? NULL : p->o.in_place ? p->c.at : p->residual.at;
}

static void run_floats(problem *p) {
    attn_matmul product = {.size = sizeof(attn_matmul),
                           .m = p->o.m,
                           .n = p->o.n,
                           .k = p->o.k,
                           .a = p->a.at,
                           .a_row = p->o.k + p->o.gap,
                           .a_col = 1,
                           .b = p->w.at,
                           .b_row = 1,
                           .b_col = p->o.k,
                           .c = p->c.at,
                           .c_row = p->o.n + p->o.gap,
                           .bias = p->o.bias ? p->bias.at : NULL,
                           .activation = p->o.activation};
    product.residual = residual_of(p, &product.residual_row);
    assert_int_equal(attn_matmul_run(&product, NULL), ATTN_OK);
}

static void run_bf16(problem *p, const attn_matmul_bf16_weights *weights) {
    attn_matmul_bf16 product = {.m = p->o.m,
                                .a = p->a.at,
                                .a_row = p->o.k + p->o.gap,
                                .weights = weights,
                                .c = p->c.at,
                                .c_row = p->o.n + p->o.gap,
                                .bias = p->o.bias ? p->bias.at : NULL,
                                .activation = p->o.activation};
    product.residual = residual_of(p, &product.residual_row);
    attn_matmul_bf16_run(&product);
}

static attn_matmul_bf16_weights *weights_of(const problem *p) {
    attn_matmul_bf16_weights *weights = NULL;
    assert_true(attn_matmul_bf16_holds(p->w.count, p->w.at));
    assert_int_equal(attn_matmul_bf16_create(p->o.k, p->o.n, p->w.at, 1, p->o.k, &weights),
                     ATTN_OK);
    return weights;
}

/* Compares all of C, gaps between rows included. */
static void check(const options *o) {
    const attn_kernels *list[ATTN_KERNELS_MAX];
    int count = attn_kernels_list(list, ATTN_KERNELS_MAX);
    problem expected = problem_new(o);
    run_floats(&expected);
    attn_matmul_bf16_weights *weights = weights_of(&expected);
    for (int i = 0; i < count; i++) {
        problem p = problem_new(o);
        assert_int_equal(attn_set_isa(list[i]->isa, NULL), ATTN_OK);
        run_bf16(&p, weights);
        values_assert_equal(&p.c, &expected.c);
        problem_free(&p);
    }
    assert_int_equal(attn_set_isa("", NULL), ATTN_OK);
    attn_matmul_bf16_free(weights);
    problem_free(&expected);
}

static options draw(attn_random *random, int64_t m, int64_t n, int64_t k) {
    return (options){.m = m,
                     .n = n,
                     .k = k,
                     .gap = (int64_t)attn_random_below(random, 2) * 3,
                     .bias = attn_random_below(random, 2) == 0,
                     .residual = attn_random_below(random, 2) == 0,
                     .in_place = attn_random_below(random, 2) == 0,
                     .activation = (attn_activation)attn_random_below(random, 6),
                     .side = (guard_side)attn_random_below(random, 2)};
}

/* All sizes up to twice the largest tile and one more; options drawn for each. */
static void edge_sizes(void **state) {
    (void)state;
    attn_random random = attn_random_start(1);
    for (int64_t m = 1; m <= 25; m++) {
        for (int64_t n = 1; n <= 33; n++) {
            options o = draw(&random, m, n, (int64_t)attn_random_below(&random, 36));
            check(&o);
        }
    }
}

/* Few rows take several panels together. */
static void many_panels(void **state) {
    (void)state;
    attn_random random = attn_random_start(2);
    for (int64_t m = 1; m <= 13; m++) {
        for (int64_t panels = 2; panels <= 9; panels++) {
            options o = draw(&random, m, panels * 16 - (int64_t)attn_random_below(&random, 16), 40);
            check(&o);
        }
    }
}

/* Many rows share what is widened: sizes beside those at which they do, and its pieces of columns and
 * of k. */
static void many_rows(void **state) {
    (void)state;
    static const int64_t columns[] = {63, 64, 65, 130}, steps[] = {1, 127, 128, 129, 300};
    attn_random random = attn_random_start(3);
    for (int64_t m = 47; m <= 54; m++) {
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
                options o = draw(&random, m, columns[i], steps[j]);
                check(&o);
            }
        }
    }
}

/* Sizes at which rows and columns are cut, by every number of threads. */
static void threads(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1, 500, 300}, {7, 130, 700}, {300, 70, 900}, {96, 96, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int count = 1; count <= 3; count++) {
            options o = {.m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2], .bias = true};
            attn_set_threads(count);
            check(&o);
        }
    }
    attn_set_threads(0);
}

/* A product with some columns is those columns of the whole; a column comes out as it went in. */
static void chosen_columns(void **state) {
    (void)state;
    const int32_t columns[] = {0,  3,  15, 16, 17, 30, 31, 47, 49,
                               52, 60, 61, 62, 70, 71, 80, 96, 99};
    enum { COUNT = sizeof columns / sizeof *columns };
    options o = {.m = 3, .n = 100, .k = 29};
    problem p = problem_new(&o);
    attn_matmul_bf16_weights *weights = weights_of(&p);
    run_bf16(&p, weights);
    void *memory = attn_alloc(attn_matmul_bf16_select_size(weights, COUNT));
    assert_non_null(memory);
    float c[3 * COUNT], column[29];
    attn_matmul_bf16_run(
        &(attn_matmul_bf16){.m = 3,
                            .a = p.a.at,
                            .a_row = o.k,
                            .weights = attn_matmul_bf16_select(weights, COUNT, columns, memory),
                            .c = c,
                            .c_row = COUNT});
    for (int j = 0; j < COUNT; j++) {
        for (int i = 0; i < 3; i++) {
            assert_memory_equal(&c[i * COUNT + j], &p.c.at[i * o.n + columns[j]], sizeof *c);
        }
        attn_matmul_bf16_column(weights, columns[j], column);
        assert_memory_equal(column, p.w.at + columns[j] * o.k, sizeof column);
    }
    attn_free(memory);
    attn_matmul_bf16_free(weights);
    problem_free(&p);
}

static void what_it_holds(void **state) {
    (void)state;
    const float held[] = {0.0f, -0.0f, 1.0f, -1.5f, 0x1.FEp127f, 0x1p-126f, INFINITY, -INFINITY};
    assert_true(attn_matmul_bf16_holds(8, held));
    const float others[] = {0.1f, NAN, 0x1.FFp3f, 1.00390625f};
    for (int i = 0; i < 4; i++) {
        assert_false(attn_matmul_bf16_holds(1, &others[i]));
    }
    assert_true(attn_matmul_bf16_holds(0, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge_sizes),     cmocka_unit_test(many_panels),
        cmocka_unit_test(many_rows),      cmocka_unit_test(threads),
        cmocka_unit_test(chosen_columns), cmocka_unit_test(what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

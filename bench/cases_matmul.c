/* bench/cases_matmul.c: C[M, N] = A[M, K] B[K, N], of floats or of 8-bit integers.
 *
 * Either everything is computed from plain arrays, packing included, or a few rows meet a large
 * packed matrix, as in decoding, where reading that matrix is the work. */
#include "attn/matmul_i8.h"
#include "base/fail.h"
#include "base/memory.h"
#include "bench/bench.h"

typedef struct state {
    attn_matmul product;
    attn_matmul_i8 product_i8; /* weights NULL: not of integers */
    attn_matmul_i8_weights *weights;
    float *a, *b, *packed, *c;
} state;

static void stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_free(s->a);
        attn_free(s->b);
        attn_free(s->packed);
        attn_matmul_i8_weights_free(s->weights);
        attn_free(s->c);
        attn_free(s);
    }
}

static attn_status run(void *given, attn_error *error) {
    const state *s = given;
    attn_status status = s->product_i8.weights != NULL ? attn_matmul_i8_run(&s->product_i8)
                                                       : attn_matmul_run(&s->product);
    return status == ATTN_OK ? ATTN_OK
                             : attn_fail(error, status, "matmul", -1, NULL, "the product failed");
}

static attn_status allocate(int64_t m, int64_t n, int64_t k, void **out, attn_error *error) {
    state *s = attn_alloc_zero(1, sizeof *s);
    *out = s;
    if (s != NULL) {
        s->a = attn_bench_random(m * k, 1, 1);
        s->b = attn_bench_random(k * n, 1, 2);
        s->c = attn_bench_random(m * n, 1, 3);
    }
    if (s == NULL || s->a == NULL || s->b == NULL || s->c == NULL) {
        return attn_fail_memory(error, (size_t)(m * k + k * n + m * n) * sizeof(float));
    }
    s->product = (attn_matmul){.m = m,
                               .n = n,
                               .k = k,
                               .a = s->a,
                               .a_row = k,
                               .a_col = 1,
                               .b = s->b,
                               .b_row = n,
                               .b_col = 1,
                               .c = s->c,
                               .c_row = n};
    return ATTN_OK;
}

static attn_status start(const attn_bench_case *given, void **out, attn_bench_work *work,
                         attn_error *error) {
    int64_t m = given->size[0], n = given->size[1], k = given->size[2];
    bool across = given->size[3] != 0;
    attn_status status = allocate(m, n, k, out, error);
    state *s = *out;
    if (status == ATTN_OK && across) {
        s->product.a_row = 1;
        s->product.a_col = m;
    }
    work->amount = 2.0 * (double)m * (double)n * (double)k;
    return status;
}

const attn_bench_kind attn_bench_matmul = {ATTN_BENCH_GFLOPS, start, run, stop};

static attn_status start_rows(const attn_bench_case *given, void **out, attn_bench_work *work,
                              attn_error *error) {
    int64_t m = given->size[0], k = given->size[1], n = given->size[2];
    size_t bytes = attn_matmul_packed_size(k, n) * sizeof(float);
    attn_status status = allocate(m, n, k, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    state *s = *out;
    s->packed = attn_alloc(bytes);
    if (s->packed == NULL) {
        return attn_fail_memory(error, bytes);
    }
    attn_matmul_pack(k, n, s->b, n, 1, s->packed);
    s->product.b = NULL;
    s->product.b_packed = s->packed;
    work->amount = (double)k * (double)n * sizeof(float);
    return ATTN_OK;
}

const attn_bench_kind attn_bench_matmul_rows = {ATTN_BENCH_GBS, start_rows, run, stop};

static attn_status start_i8(const attn_bench_case *given, void **out, attn_bench_work *work,
                            attn_error *error) {
    int64_t m = given->size[0], k = given->size[1], n = given->size[2];
    attn_status status = allocate(m, n, k, out, error);
    state *s = *out;
    if (status == ATTN_OK) {
        status = attn_matmul_i8_weights_create(k, n, s->b, n, 1, NULL, &s->weights);
    }
    if (status != ATTN_OK) {
        return attn_fail_memory(error, (size_t)(k * n));
    }
    s->product_i8 = (attn_matmul_i8){
        .m = m, .a = s->a, .a_row = k, .weights = s->weights, .c = s->c, .c_row = n};
    work->amount = 2.0 * (double)m * (double)n * (double)k;
    return ATTN_OK;
}

const attn_bench_kind attn_bench_matmul_i8 = {ATTN_BENCH_GFLOPS, start_i8, run, stop};

static attn_status start_i8_rows(const attn_bench_case *given, void **out, attn_bench_work *work,
                                 attn_error *error) {
    attn_status status = start_i8(given, out, work, error);
    work->amount = (double)given->size[1] * (double)given->size[2];
    return status;
}

const attn_bench_kind attn_bench_matmul_i8_rows = {ATTN_BENCH_GBS, start_i8_rows, run, stop};

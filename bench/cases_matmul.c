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
    float *a, *b, *packed, *c;
    int64_t copies, turn; /* rows: the packed matrix is one of several, taken in turn */
    int64_t packed_size;
    attn_matmul_i8_weights **weights; /* [copies] */
} state;

static void matmul_stop(void *given) {
    state *s = given;
    if (s != NULL) {
        attn_free(s->a);
        attn_free(s->b);
        attn_free(s->packed);
        for (int64_t i = 0; s->weights != NULL && i < s->copies; i++) {
            attn_matmul_i8_weights_free(s->weights[i]);
        }
        attn_free(s->weights);
        attn_free(s->c);
        attn_free(s);
    }
}

static attn_status matmul_run(void *given, attn_error *error) {
    const state *s = given;
    attn_status status = s->product_i8.weights != NULL ? attn_matmul_i8_run(&s->product_i8, NULL)
                                                       : attn_matmul_run(&s->product, NULL);
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
    s->product = (attn_matmul){.size = sizeof(attn_matmul),
                               .m = m,
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

/* So many copies of B, packed, instead of B. */
static attn_status pack(state *s, int64_t copies, int64_t k, int64_t n, attn_error *error) {
    size_t count = attn_matmul_packed_size(k, n);
    size_t bytes = (size_t)copies * count * sizeof(float);
    s->copies = copies;
    s->packed_size = (int64_t)count;
    s->packed = attn_alloc_large(bytes);
    if (s->packed == NULL) {
        return attn_fail_memory(error, bytes);
    }
    for (int64_t i = 0; i < copies; i++) {
        attn_matmul_pack(k, n, s->b, n, 1, s->packed + i * s->packed_size);
    }
    s->product.b = NULL;
    return ATTN_OK;
}

static attn_status matmul_start(const attn_bench_case *given, void **out, attn_bench_work *work,
                                attn_error *error) {
    int64_t m = given->size[0], n = given->size[1], k = given->size[2];
    bool across = given->size[3] != 0, packed = given->size[4] != 0;
    attn_status status = allocate(m, n, k, out, error);
    state *s = *out;
    if (status == ATTN_OK && across) {
        s->product.a_row = 1;
        s->product.a_col = m;
    }
    if (status == ATTN_OK && packed) {
        status = pack(s, 1, k, n, error);
        s->product.b_packed = s->packed;
    }
    work->amount = 2.0 * (double)m * (double)n * (double)k;
    return status;
}

const attn_bench_kind attn_bench_matmul = {ATTN_BENCH_GFLOPS, matmul_start, matmul_run,
                                           matmul_stop};

static attn_status matmul_run_rows(void *given, attn_error *error) {
    state *s = given;
    s->product.b_packed = s->packed + s->turn * s->packed_size;
    s->turn = (s->turn + 1) % s->copies;
    return matmul_run(s, error);
}

static attn_status matmul_start_rows(const attn_bench_case *given, void **out,
                                     attn_bench_work *work, attn_error *error) {
    int64_t m = given->size[0], k = given->size[1], n = given->size[2];
    attn_status status = allocate(m, n, k, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    work->amount = (double)k * (double)n * sizeof(float);
    work->flops = 2.0 * (double)m * (double)n * (double)k;
    return pack(*out, attn_bench_copies(work->amount), k, n, error);
}

const attn_bench_kind attn_bench_matmul_rows = {ATTN_BENCH_GBS, matmul_start_rows, matmul_run_rows,
                                                matmul_stop};

static attn_status allocate_i8(const attn_bench_case *given, int64_t copies, void **out,
                               attn_error *error) {
    int64_t m = given->size[0], k = given->size[1], n = given->size[2];
    attn_status status = allocate(m, n, k, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    state *s = *out;
    s->copies = copies;
    s->weights = attn_alloc_zero((size_t)copies, sizeof *s->weights);
    for (int64_t i = 0; s->weights != NULL && i < copies && status == ATTN_OK; i++) {
        status = attn_matmul_i8_weights_create(k, n, s->b, n, 1, NULL, &s->weights[i], NULL);
    }
    if (s->weights == NULL || status != ATTN_OK) {
        return attn_fail_memory(error, (size_t)(copies * k * n));
    }
    s->product_i8 = (attn_matmul_i8){.size = sizeof(attn_matmul_i8),
                                     .m = m,
                                     .a = s->a,
                                     .a_row = k,
                                     .weights = s->weights[0],
                                     .c = s->c,
                                     .c_row = n};
    return ATTN_OK;
}

static attn_status matmul_start_i8(const attn_bench_case *given, void **out, attn_bench_work *work,
                                   attn_error *error) {
    work->amount = 2.0 * (double)given->size[0] * (double)given->size[1] * (double)given->size[2];
    return allocate_i8(given, 1, out, error);
}

const attn_bench_kind attn_bench_matmul_i8 = {ATTN_BENCH_GFLOPS, matmul_start_i8, matmul_run,
                                              matmul_stop};

static attn_status matmul_run_i8_rows(void *given, attn_error *error) {
    state *s = given;
    s->product_i8.weights = s->weights[s->turn];
    s->turn = (s->turn + 1) % s->copies;
    return matmul_run(s, error);
}

static attn_status matmul_start_i8_rows(const attn_bench_case *given, void **out,
                                        attn_bench_work *work, attn_error *error) {
    work->amount = (double)given->size[1] * (double)given->size[2];
    return allocate_i8(given, attn_bench_copies(work->amount), out, error);
}

const attn_bench_kind attn_bench_matmul_i8_rows = {ATTN_BENCH_GBS, matmul_start_i8_rows,
                                                   matmul_run_i8_rows, matmul_stop};

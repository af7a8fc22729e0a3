/* attn/matmul.h: matrix products, with the operations that usually follow them.
 *
 *     C[m, n] = residual + activation(sum over k of A[m, k] * B[k, n] + bias[n])
 *
 * Dimension letters: M rows of A and C, N columns of B and C, K the summed dimension.
 * Every element is one chain of fused multiply-adds in the order of k, so a row of C depends
 * only on its row of A and on B, not on M, the threads or the instruction set. Next:
 * attn/attention.h. */
#ifndef ATTN_MATMUL_H
#define ATTN_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_activation {
    ATTN_ACTIVATION_NONE,
    ATTN_ACTIVATION_RELU,
    ATTN_ACTIVATION_GELU, /* x * (1 + erf(x / sqrt(2))) / 2 */
    /* Hendrycks and Gimpel's two approximations of it, and theirs without a factor: x * sigmoid(u) with */
    ATTN_ACTIVATION_GELU_TANH,    /* u = 2 sqrt(2 / pi) (x + 0.044715 x^3), the same as by tanh */
    ATTN_ACTIVATION_GELU_SIGMOID, /* u = 1.702 x */
    ATTN_ACTIVATION_SWISH,        /* u = x; also called SiLU */
} attn_activation;

/* Initialize it with attn_matmul_init, or in C with {.size = sizeof(attn_matmul), ...}. */
typedef struct attn_matmul {
    size_t size;     /* of this struct, set by the init */
    int64_t m, n, k; /* each >= 0 */
    /* A[i, p] = a[i * a_row + p * a_col]: any strides, so a transpose needs no copy. */
    const attn_real *a;
    int64_t a_row, a_col;
    /* B[p, j] = b[p * b_row + j * b_col]; or b == NULL and b_packed from attn_matmul_pack. */
    const attn_real *b;
    int64_t b_row, b_col;
    const attn_real *b_packed;
    /* C[i, j] = c[i * c_row + j]; must not overlap A or B. */
    attn_real *c;
    int64_t c_row;
    bool accumulate; /* the chain starts from the old C instead of 0 */
    /* The epilogue, in this order; NULL or NONE leaves a step out. */
    const attn_real *bias;     /* [N], added */
    attn_real *pre_activation; /* [M, N], rows c_row apart: receives sum + bias, for the backward */
    attn_activation activation;
    const attn_real *residual; /* [M, N], rows residual_row apart, added last; may be C itself */
    int64_t residual_row;
} attn_matmul;

/* 0, NULL or NONE for each. */
ATTN_API void attn_matmul_init_sized(attn_matmul *product, size_t size);
static inline void attn_matmul_init(attn_matmul *product) {
    attn_matmul_init_sized(product, sizeof *product);
}

/* Computes the product with attn_get_threads() threads. K = 0 sums to 0 (or to the old C).
 * ATTN_ERR_ARGUMENT names the field (a negative size, an operand that is NULL); ATTN_ERR_MEMORY.
 * Thread-safe. Temporary memory comes from the allocator hook for the time of the call. */
ATTN_API ATTN_MUST_CHECK attn_status attn_matmul_run(const attn_matmul *product, attn_error *error);

/* The number of attn_real that the packed form of B[K, N] takes; k and n >= 0. Not checked for overflow. */
ATTN_API size_t attn_matmul_packed_size(int64_t k, int64_t n);

/* Packs B once for many products: panels of 16 columns, zero-filled; packed[j/16][p][j%16].
 * packed: the caller's, attn_matmul_packed_size numbers; once written, threads may share it. Thread-safe. */
ATTN_API void attn_matmul_pack(int64_t k, int64_t n, const attn_real *b, int64_t b_row,
                               int64_t b_col, attn_real *packed);

#ifdef __cplusplus
}
#endif
#endif

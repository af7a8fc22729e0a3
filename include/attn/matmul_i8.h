/* attn/matmul_i8.h: matrix products of 8-bit integers, for inference.
 *
 *     C[m, n] = residual + activation(a_scale[m] * w_scale[n] * sum over k of qa[m, k] * qw[k, n]
 *                                     + bias[n])
 *
 * Dimension letters: M rows of A and C, N columns of W and C, K the summed dimension.
 * The weights W are quantized once. Each row of A is quantized at the call, by its own largest
 * magnitude, so a row of C depends only on its row of A and on W, not on M, the threads or the
 * instruction set. The sums are exact. The definition, each line one IEEE operation in float32:
 *
 *     peak    = max over k of |W[k, n]|;  w_scale[n] = peak / 127
 *     qw[k,n] = rint(W[k, n] / w_scale[n]), at most 127 in size;  0 where w_scale[n] is 0
 *     peak    = max over k of |A[m, k]|;  a_scale[m] = peak / 127;  inverse = 127 / peak
 *     qa[m,k] = rint(A[m, k] * inverse);  a_scale and qa are 0 where peak < 2^-120
 *     x = (float) sum;  x = x * a_scale[m];  x = fma(x, w_scale[n], bias[n] or 0)
 *     x = activation(x);  x = residual + x
 *
 * rint and (float) round to nearest, ties to even. A row of A, or a column of W, that holds a NaN
 * or an infinity has the scale NaN and integers 0: all its results are NaN, and no others.
 * Source: symmetric quantization as in Jacob et al. 2018, section 2, with zero points
 * of 0. Next: attn/attention.h. */
#ifndef ATTN_MATMUL_I8_H
#define ATTN_MATMUL_I8_H

#include "attn/matmul.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The largest K: 133,000 products of 127 * 127 still fit a 32-bit sum. */
enum { ATTN_MATMUL_I8_MAX_K = 133000 };

/* W[K, N] as integers, packed for the product. Immutable, so threads may share it. */
typedef struct attn_matmul_i8_weights attn_matmul_i8_weights;

/* W[p, j] = w[p * w_row + j * w_col]. scale: NULL, or [N]: use these as w_scale instead of
 * peak / 127, for instance the scales with which a file stores its integers; each must be finite.
 * ATTN_ERR_ARGUMENT names the argument (a negative size, K over the largest, w NULL);
 * ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_matmul_i8_weights_create(
    int64_t k, int64_t n, const attn_real *w, int64_t w_row, int64_t w_col, const attn_real *scale,
    attn_matmul_i8_weights **out, attn_error *error);
/* NULL is allowed. */
ATTN_API void attn_matmul_i8_weights_free(attn_matmul_i8_weights *weights);

/* Initialize it with attn_matmul_i8_init, or in C with {.size = sizeof(attn_matmul_i8), ...}. */
typedef struct attn_matmul_i8 {
    size_t size;        /* of this struct, set by the init */
    int64_t m;          /* >= 0; K and N are the weights' */
    const attn_real *a; /* A[i, p] = a[i * a_row + p] */
    int64_t a_row;
    const attn_matmul_i8_weights *weights;
    attn_real *c; /* C[i, j] = c[i * c_row + j]; must not overlap A */
    int64_t c_row;
    /* The epilogue, in this order; NULL or NONE leaves a step out. */
    const attn_real *bias; /* [N] */
    attn_activation activation;
    const attn_real *residual; /* [M, N], rows residual_row apart; may be C itself */
    int64_t residual_row;
} attn_matmul_i8;

/* 0, NULL or NONE for each. */
ATTN_API void attn_matmul_i8_init_sized(attn_matmul_i8 *product, size_t size);
static inline void attn_matmul_i8_init(attn_matmul_i8 *product) {
    attn_matmul_i8_init_sized(product, sizeof *product);
}

/* Computes the product with attn_get_threads() threads. ATTN_ERR_ARGUMENT names the field (a negative
 * size, an operand that is NULL); ATTN_ERR_MEMORY. Thread-safe. Temporary memory comes from the
 * allocator hook for the time of the call. */
ATTN_API ATTN_MUST_CHECK attn_status attn_matmul_i8_run(const attn_matmul_i8 *product,
                                                        attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

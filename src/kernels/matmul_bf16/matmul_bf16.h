/* kernels/matmul_bf16/matmul_bf16.h: the product with weights that are kept as bfloat16.
 *
 *     C = activation(A W + bias) + residual,   A [M, K], W [K, N], C [M, N]
 *
 * For weights that bfloat16 holds exactly, as those of a file stored so: they are widened where they
 * are used, so the bits are those of attn_matmul with the same weights as floats, at half the memory
 * and half the reading. Next: matmul_bf16.c. */
#ifndef ATTN_KERNELS_MATMUL_BF16_H
#define ATTN_KERNELS_MATMUL_BF16_H

#include "attn/matmul.h"
#include "base/memory.h"
#include "base/real.h"

typedef struct attn_matmul_bf16_weights attn_matmul_bf16_weights;

/* Fields as in attn_matmul and attn_matmul_i8. */
typedef struct attn_matmul_bf16 {
    int64_t m;
    const real *a;
    int64_t a_row;
    const attn_matmul_bf16_weights *weights;
    real *c;
    int64_t c_row;
    const real *bias;
    attn_activation activation;
    const real *residual; /* may be c */
    int64_t residual_row;
} attn_matmul_bf16;

/* Whether bfloat16 holds every one of the values; NaN counts as no. */
bool attn_matmul_bf16_holds(int64_t count, const real *values);
/* element (p, j) = w[p * w_row + j * w_col]; values that do not fit are rounded. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_matmul_bf16_create(int64_t k, int64_t n, const real *w,
                                                    int64_t w_row, int64_t w_col,
                                                    attn_matmul_bf16_weights **out);
void attn_matmul_bf16_free(attn_matmul_bf16_weights *weights);
/* Column j as floats: K values. */
void attn_matmul_bf16_column(const attn_matmul_bf16_weights *weights, int64_t j, real *out);
/* scratch-free: a product needs no temporary memory. */
void attn_matmul_bf16_run(const attn_matmul_bf16 *product);

/* As attn_matmul_i8_select_size and attn_matmul_i8_select. */
size_t attn_matmul_bf16_select_size(const attn_matmul_bf16_weights *from, int64_t count);
attn_matmul_bf16_weights *attn_matmul_bf16_select(const attn_matmul_bf16_weights *from,
                                                  int64_t count, const int32_t *columns,
                                                  void *memory);

#endif

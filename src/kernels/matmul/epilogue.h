/* kernels/matmul/epilogue.h: what follows the sums of every product: bias, activation, residual.
 *
 * In plain C, the definition; matmul_ref.c, matmul_bf16_ref.c and matmul_i8_ref.c share it. Next:
 * epilogue16.h, the same over vectors. */
#ifndef ATTN_KERNELS_MATMUL_EPILOGUE_H
#define ATTN_KERNELS_MATMUL_EPILOGUE_H

#include "attn/matmul.h"
#include "kernels/activation.h"

/* Pointers stand at the first row and column of what is computed. */
typedef struct attn_matmul_epilogue {
    const real *bias;     /* NULL: none */
    real *pre_activation; /* rows as far apart as C's; NULL: not wanted */
    attn_activation activation;
    const real *residual; /* NULL: none */
    int64_t residual_row;
} attn_matmul_epilogue;

/* That of a part of C that starts at row i and column j. */
static inline attn_matmul_epilogue attn_matmul_epilogue_at(attn_matmul_epilogue epilogue,
                                                           int64_t c_row, int64_t i, int64_t j) {
    if (epilogue.bias != NULL) {
        epilogue.bias += j;
    }
    if (epilogue.pre_activation != NULL) {
        epilogue.pre_activation += i * c_row + j;
    }
    if (epilogue.residual != NULL) {
        epilogue.residual += i * epilogue.residual_row + j;
    }
    return epilogue;
}

/* The element at row i and column j whose sum is x. */
static inline real attn_matmul_epilogue_element(const attn_matmul_epilogue *epilogue, int64_t c_row,
                                                int64_t i, int64_t j, real x) {
    if (epilogue->bias != NULL) {
        x = x + epilogue->bias[j];
    }
    if (epilogue->pre_activation != NULL) {
        epilogue->pre_activation[i * c_row + j] = x;
    }
    x = attn_activate(epilogue->activation, x);
    return epilogue->residual != NULL ? epilogue->residual[i * epilogue->residual_row + j] + x : x;
}

#endif

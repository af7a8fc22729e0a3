/* kernels/matmul_bf16/matmul_bf16_kernels.h: what an instruction set provides for the product with
 * weights of bfloat16.
 *
 * The weights lie in panels of 16 columns: packed[n/16][k][n%16], 0 beyond N. M rows, N columns, K
 * summed. Next: matmul_bf16_ref.c, the definition; matmul_bf16_body.h. */
#ifndef ATTN_KERNELS_MATMUL_BF16_KERNELS_H
#define ATTN_KERNELS_MATMUL_BF16_KERNELS_H

#include "kernels/matmul/epilogue.h"

/* C[rows, columns] of a block of rows and some panels; pointers already stand at the block's first
 * row and column. */
typedef struct attn_matmul_bf16_block {
    int64_t rows, k, columns;
    const real *a;
    int64_t a_row;
    const uint16_t *w; /* [columns / 16][k][16] */
    real *c;
    int64_t c_row;
    attn_matmul_epilogue epilogue;
} attn_matmul_bf16_block;

typedef struct attn_matmul_bf16_kernels {
    int tile_rows; /* rows that are kept in registers at a time */
    void (*multiply)(const attn_matmul_bf16_block *block);
} attn_matmul_bf16_kernels;

extern const attn_matmul_bf16_kernels attn_matmul_bf16_ref; /* plain C: the definition */

#endif

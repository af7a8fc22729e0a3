/* kernels/matmul_bf16/matmul_bf16_ref.c: the product with weights of bfloat16 in plain C: the
 * definition.
 *
 * The chain of matmul_ref.c over widened weights. M rows, N columns, K summed. Next:
 * matmul_bf16_body.h. */
#include "base/narrow.h"
#include "kernels/matmul_bf16/matmul_bf16_kernels.h"

static real matmul_bf16_element(const attn_matmul_bf16_block *block, int64_t i, int64_t j) {
    const real *a = block->a + i * block->a_row;
    const uint16_t *w = block->w + j / LANES * block->k * LANES + j % LANES;
    real sum = 0;
    for (int64_t p = 0; p < block->k; p++) {
        sum = real_fma(a[p], (real)narrow_from_bf16(w[p * LANES]), sum);
    }
    return attn_matmul_epilogue_element(&block->epilogue, block->c_row, i, j, sum);
}

static void matmul_bf16_multiply(const attn_matmul_bf16_block *block) {
    for (int64_t i = 0; i < block->rows; i++) {
        for (int64_t j = 0; j < block->columns; j++) {
            block->c[i * block->c_row + j] = matmul_bf16_element(block, i, j);
        }
    }
}

const attn_matmul_bf16_kernels attn_matmul_bf16_ref = {
    .tile_rows = 1,
    .multiply = matmul_bf16_multiply,
};

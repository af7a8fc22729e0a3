/* kernels/matmul_bf16/matmul_bf16_neon.c: the product with weights of bfloat16 for NEON.
 *
 * Next: matmul_bf16_body.h. */
#include "kernels/isa/verbs_neon.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul_bf16/matmul_bf16_body.h"

void attn_matmul_bf16_fill_neon(attn_matmul_bf16_kernels *kernels) {
    *kernels = (attn_matmul_bf16_kernels){TILE_ROWS, multiply};
}

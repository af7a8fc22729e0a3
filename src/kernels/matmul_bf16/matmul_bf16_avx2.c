/* kernels/matmul_bf16/matmul_bf16_avx2.c: the product with weights of bfloat16 for AVX2.
 *
 * Next: matmul_bf16_body.h. */
#include "kernels/isa/verbs_avx2.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul_bf16/matmul_bf16_body.h"

void attn_matmul_bf16_fill_avx2(attn_matmul_bf16_kernels *kernels) {
    *kernels = (attn_matmul_bf16_kernels){TILE_ROWS, multiply};
}

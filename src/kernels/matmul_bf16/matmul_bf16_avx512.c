/* kernels/matmul_bf16/matmul_bf16_avx512.c: the product with weights of bfloat16 for AVX-512.
 *
 * Next: matmul_bf16_body.h. */
#include "kernels/isa/verbs_avx512.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul_bf16/matmul_bf16_body.h"

void attn_matmul_bf16_fill_avx512(attn_matmul_bf16_kernels *kernels) {
    *kernels = (attn_matmul_bf16_kernels){TILE_ROWS, multiply};
}

/* kernels/matmul/matmul_neon.c: the matrix product for NEON. Next: matmul_body.h. */
#include "kernels/isa/verbs_neon.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul/matmul_body.h"

void attn_matmul_fill_neon(attn_matmul_kernels *kernels) {
    *kernels = (attn_matmul_kernels){V_TILE_ROWS, true, V_TILE_PANELS, pack_a, pack_b, multiply};
}

/* kernels/matmul_i8/matmul_i8_neondot.c: the 8-bit product for NEON with dot products (ARMv8.2).
 *
 * Next: matmul_i8_body.h. */
#include "kernels/isa/verbs_neon.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/matmul_i8/integers_neon.h"

#define I8_HAS_DOT 1

V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int8x16_t four = v_four(values);
    return (vi){vdotq_s32(acc.q0, w.q0, four), vdotq_s32(acc.q1, w.q1, four),
                vdotq_s32(acc.q2, w.q2, four), vdotq_s32(acc.q3, w.q3, four)};
}

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_neondot(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS,   I8_TILE_ROWS, I8_TILE_PANELS,
                                        I8_VALUE_BYTES, quantize_row, multiply};
}

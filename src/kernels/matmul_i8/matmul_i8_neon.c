/* kernels/matmul_i8/matmul_i8_neon.c: the 8-bit product for NEON without dot products.
 *
 * Products and sums of two of them fit 16 bits: 2 * 127 * 127 < 2^15. Next: matmul_i8_body.h. */
#include "kernels/isa/verbs_neon.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/matmul_i8/integers_neon.h"

#define I8_HAS_DOT 0

V_INLINE int32x4_t vi_dot_part(int32x4_t acc, int8x16_t w, int8x16_t four) {
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(four)), high = vmull_high_s8(w, four);
    return vpadalq_s16(acc, vpaddq_s16(low, high));
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int8x16_t four = v_four(values);
    return (vi){vi_dot_part(acc.q0, w.q0, four), vi_dot_part(acc.q1, w.q1, four),
                vi_dot_part(acc.q2, w.q2, four), vi_dot_part(acc.q3, w.q3, four)};
}

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_neon(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS,   I8_TILE_ROWS, I8_TILE_PANELS,
                                        I8_VALUE_BYTES, quantize_row, multiply};
}

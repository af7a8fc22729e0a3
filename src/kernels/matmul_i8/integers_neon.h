/* kernels/matmul_i8/integers_neon.h: what the two forms of the 8-bit product for NEON share.
 *
 * Include it after verbs_neon.h. Next: matmul_i8_neon.c, matmul_i8_neondot.c. */
#ifndef ATTN_KERNELS_MATMUL_I8_INTEGERS_NEON_H
#define ATTN_KERNELS_MATMUL_I8_INTEGERS_NEON_H

#include <string.h>

#define I8_TILE_ROWS   6 /* 6 x 16 sums are 24 of the 32 registers, a group of weights 4 */
#define I8_TILE_PANELS 1
#define I8_VALUE_BYTES 1 /* int8_t */

typedef struct {
    int32x4_t q0, q1, q2, q3;
} vi;
typedef struct {
    int8x16_t q0, q1, q2, q3; /* four columns of four each */
} v_weights;

V_INLINE vi vi_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (vi){zero, zero, zero, zero};
}
V_INLINE vi vi_start(const int32_t *w_sums) {
    (void)w_sums;
    return vi_zero();
}
V_INLINE vi vi_add(vi a, vi b) {
    return V_EACH2(vi, vaddq_s32, a, b);
}
V_INLINE v16 vi_to_float(vi a) {
    return V_EACH1(v16, vcvtq_f32_s32, a);
}
V_INLINE v_weights v_weights_load(const int8_t *w) {
    return (v_weights){vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(w + 32), vld1q_s8(w + 48)};
}
/* A row's four integers, four times. */
V_INLINE int8x16_t v_four(const char *values) {
    int32_t four;
    memcpy(&four, values, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
V_INLINE void v_store_integers(char *out, v16 x) {
    int16x8_t low = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x.q0)), vmovn_s32(vcvtq_s32_f32(x.q1)));
    int16x8_t high = vcombine_s16(vmovn_s32(vcvtq_s32_f32(x.q2)), vmovn_s32(vcvtq_s32_f32(x.q3)));
    vst1q_s8((int8_t *)out, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

#endif

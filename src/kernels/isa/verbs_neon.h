/* kernels/isa/verbs_neon.h: sixteen floats in four 128-bit registers of 64-bit ARM.
 *
 * The same verbs, with the same bits, as kernels/isa/verbs_avx2.h, which explains them. */
#ifndef ATTN_KERNELS_ISA_VERBS_NEON_H
#define ATTN_KERNELS_ISA_VERBS_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

/* The register tile: 6 rows of one panel of sixteen columns are 24 of the 32 registers. */
#define V_TILE_ROWS   6
#define V_TILE_PANELS 1
/* Sums that are kept at a time where what they sum is loaded for each of them. */
#define V_CHAINS 6
#define V_INLINE static inline __attribute__((always_inline))

typedef struct {
    float32x4_t q0, q1, q2, q3;
} v16; /* sixteen floats, lane 0 first */
typedef struct {
    uint32x4_t q0, q1, q2, q3;
} u16x32;           /* sixteen uint32_t */
typedef u16x32 m16; /* sixteen masks, all ones or all zeros */

/* f of each quarter of one, two or three operands. */
#define V_EACH1(type, f, a)    ((type){f(a.q0), f(a.q1), f(a.q2), f(a.q3)})
#define V_EACH2(type, f, a, b) ((type){f(a.q0, b.q0), f(a.q1, b.q1), f(a.q2, b.q2), f(a.q3, b.q3)})
#define V_EACH3(type, f, a, b, c)                                                                  \
    ((type){f(a.q0, b.q0, c.q0), f(a.q1, b.q1, c.q1), f(a.q2, b.q2, c.q2), f(a.q3, b.q3, c.q3)})

V_INLINE v16 v_set1(float x) {
    float32x4_t all = vdupq_n_f32(x);
    return (v16){all, all, all, all};
}
V_INLINE v16 v_zero(void) {
    return v_set1(0.0f);
}
/* Unaligned. */
V_INLINE v16 v_load(const float *p) {
    return (v16){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
V_INLINE void v_store(float *p, v16 x) {
    vst1q_f32(p, x.q0);
    vst1q_f32(p + 4, x.q1);
    vst1q_f32(p + 8, x.q2);
    vst1q_f32(p + 12, x.q3);
}
/* The first n lanes, 0 <= n <= 16; other memory is not touched; other lanes load as 0. */
V_INLINE v16 v_load_first(const float *p, int n) {
    float lane[16] = {0};
    for (int i = 0; i < n; i++) {
        lane[i] = p[i];
    }
    return v_load(lane);
}
V_INLINE void v_store_first(float *p, v16 x, int n) {
    float lane[16];
    v_store(lane, x);
    for (int i = 0; i < n; i++) {
        p[i] = lane[i];
    }
}
/* Sixteen bfloat16; sixteen int8. */
V_INLINE v16 v_load_bf16(const uint16_t *p) {
    uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
    return (v16){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(low), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)),
                 vreinterpretq_f32_u32(vshll_n_u16(vget_high_u16(high), 16))};
}
V_INLINE v16 v_load_i8(const int8_t *p) {
    int8x16_t bytes = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    return (v16){vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                 vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                 vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                 vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))};
}
V_INLINE v16 v_add(v16 a, v16 b) {
    return V_EACH2(v16, vaddq_f32, a, b);
}
V_INLINE v16 v_sub(v16 a, v16 b) {
    return V_EACH2(v16, vsubq_f32, a, b);
}
V_INLINE v16 v_mul(v16 a, v16 b) {
    return V_EACH2(v16, vmulq_f32, a, b);
}
V_INLINE v16 v_div(v16 a, v16 b) {
    return V_EACH2(v16, vdivq_f32, a, b);
}
V_INLINE v16 v_sqrt(v16 a) {
    return V_EACH1(v16, vsqrtq_f32, a);
}
/* a * b + c, rounded once. */
V_INLINE v16 v_fma(v16 a, v16 b, v16 c) {
    return V_EACH3(v16, vfmaq_f32, c, a, b);
}
/* a > b ? a : b, so b when either is NaN. */
V_INLINE v16 v_max(v16 a, v16 b) {
    m16 greater = V_EACH2(m16, vcgtq_f32, a, b);
    return V_EACH3(v16, vbslq_f32, greater, a, b);
}
/* a < b ? a : b, so b when either is NaN. */
V_INLINE v16 v_min(v16 a, v16 b) {
    m16 less = V_EACH2(m16, vcltq_f32, a, b);
    return V_EACH3(v16, vbslq_f32, less, a, b);
}
/* Nearest integer, ties to even. */
V_INLINE v16 v_round(v16 a) {
    return V_EACH1(v16, vrndnq_f32, a);
}
/* false where either is NaN. */
V_INLINE m16 v_less(v16 a, v16 b) {
    return V_EACH2(m16, vcltq_f32, a, b);
}
/* mask ? a : b */
V_INLINE v16 v_select(m16 mask, v16 a, v16 b) {
    return V_EACH3(v16, vbslq_f32, mask, a, b);
}
V_INLINE float32x4_t v_scale2_part(float32x4_t a, float32x4_t x) {
    int32x4_t exponent = vshlq_n_s32(vcvtnq_s32_f32(x), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), exponent));
}
/* a * 2^(x rounded to nearest, ties to even), where that has a normal exponent like a's; 0 where a is 1
 * and x -127; a where x is NaN; unspecified elsewhere. */
V_INLINE v16 v_scale2(v16 a, v16 x) {
    return V_EACH2(v16, v_scale2_part, a, x);
}
/* The fixed tree of base/real.h's lanes_sum. */
V_INLINE float v_sum(v16 a) {
    float32x4_t four = vaddq_f32(vaddq_f32(a.q0, a.q2), vaddq_f32(a.q1, a.q3));
    float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
/* The largest lane; unspecified among NaNs. */
V_INLINE float v_max_lane(v16 a) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.q0, a.q2), vmaxq_f32(a.q1, a.q3)));
}

/* Four rows and four columns. */
V_INLINE void v_transpose4(const float *in, int64_t in_row, float *out, int64_t out_row) {
    float32x4x2_t even = vtrnq_f32(vld1q_f32(in), vld1q_f32(in + in_row));
    float32x4x2_t odd = vtrnq_f32(vld1q_f32(in + 2 * in_row), vld1q_f32(in + 3 * in_row));
    for (int i = 0; i < 2; i++) {
        vst1q_f32(out + i * out_row,
                  vcombine_f32(vget_low_f32(even.val[i]), vget_low_f32(odd.val[i])));
        vst1q_f32(out + (i + 2) * out_row,
                  vcombine_f32(vget_high_f32(even.val[i]), vget_high_f32(odd.val[i])));
    }
}
/* out[c * out_row + r] = in[r * in_row + c] for eight rows r and eight columns c. */
V_INLINE void v_transpose8(const float *in, int64_t in_row, float *out, int64_t out_row) {
    for (int c = 0; c < 8; c += 4) {
        v_transpose4(in + c, in_row, out + c * out_row, out_row);
        v_transpose4(in + c + 4 * in_row, in_row, out + c * out_row + 4, out_row);
    }
}

/* ---- sixteen uint32_t, for the counter-based random numbers ---- */

V_INLINE u16x32 vu_set1(uint32_t x) {
    uint32x4_t all = vdupq_n_u32(x);
    return (u16x32){all, all, all, all};
}
/* first, first + 1, ... first + 15 (wrapping). */
V_INLINE u16x32 vu_iota(uint32_t first) {
    static const uint32_t index[4] = {0, 1, 2, 3};
    uint32x4_t lane = vaddq_u32(vld1q_u32(index), vdupq_n_u32(first));
    return (u16x32){lane, vaddq_u32(lane, vdupq_n_u32(4)), vaddq_u32(lane, vdupq_n_u32(8)),
                    vaddq_u32(lane, vdupq_n_u32(12))};
}
V_INLINE u16x32 vu_xor(u16x32 a, u16x32 b) {
    return V_EACH2(u16x32, veorq_u32, a, b);
}
V_INLINE u16x32 vu_mul_low(u16x32 a, uint32_t b) {
    u16x32 factor = vu_set1(b);
    return V_EACH2(u16x32, vmulq_u32, a, factor);
}
V_INLINE uint32x4_t vu_mul_high_part(uint32x4_t a, uint32_t b) {
    uint64x2_t low = vmull_n_u32(vget_low_u32(a), b);
    uint64x2_t high = vmull_n_u32(vget_high_u32(a), b);
    return vcombine_u32(vshrn_n_u64(low, 32), vshrn_n_u64(high, 32));
}
V_INLINE u16x32 vu_mul_high(u16x32 a, uint32_t b) {
    return (u16x32){vu_mul_high_part(a.q0, b), vu_mul_high_part(a.q1, b), vu_mul_high_part(a.q2, b),
                    vu_mul_high_part(a.q3, b)};
}
/* a >= b, unsigned. */
V_INLINE m16 vu_at_least(u16x32 a, uint32_t b) {
    u16x32 bound = vu_set1(b);
    return V_EACH2(m16, vcgeq_u32, a, bound);
}
/* Lanes first, first + 1, ... last - 1 of sixteen; bounds may lie outside 0 .. 16. */
V_INLINE m16 v_range(int64_t first, int64_t last) {
    u16x32 lane = vu_iota(0);
    u16x32 from = vu_set1(first < 0 ? 0 : first > 16 ? 16 : (uint32_t)first);
    u16x32 to = vu_set1(last < 0 ? 0 : last > 16 ? 16 : (uint32_t)last);
    m16 reached = V_EACH2(m16, vcgeq_u32, lane, from);
    m16 before = V_EACH2(m16, vcltq_u32, lane, to);
    return V_EACH2(m16, vandq_u32, reached, before);
}

/* ---- products of 8-bit integers (matmul_i8_body.h says what each is) ---- */

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

#ifndef V_OWN_DOT /* an instruction set that differs in these alone defines it, and them */
#define I8_HAS_DOT 0

/* Products and sums of two of them fit 16 bits: 2 * 127 * 127 < 2^15. */
V_INLINE int32x4_t vi_dot_part(int32x4_t acc, int8x16_t w, int8x16_t four) {
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(four)), high = vmull_high_s8(w, four);
    return vpadalq_s16(acc, vpaddq_s16(low, high));
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int8x16_t four = v_four(values);
    return (vi){vi_dot_part(acc.q0, w.q0, four), vi_dot_part(acc.q1, w.q1, four),
                vi_dot_part(acc.q2, w.q2, four), vi_dot_part(acc.q3, w.q3, four)};
}
#endif

#endif

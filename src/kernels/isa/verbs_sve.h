/* kernels/isa/verbs_sve.h: sixteen floats in two vectors of ARM's scalable vector extension, on
 * processors whose vectors have 256 bits.
 *
 * The same verbs, with the same bits, as kernels/isa/verbs_avx2.h, which explains them. The compiler is told
 * the length (-msve-vector-bits), so that vectors can be members of structs. */
#ifndef ATTN_KERNELS_ISA_VERBS_SVE_H
#define ATTN_KERNELS_ISA_VERBS_SVE_H

#include <arm_sve.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__ARM_FEATURE_SVE_BITS == 256, "compile with -msve-vector-bits=256");

/* The register tile: 6 rows of one panel of sixteen columns are 12 of the 32 registers. */
#define V_TILE_ROWS   6
#define V_TILE_PANELS 1
/* Sums that are kept at a time where what they sum is loaded for each of them. */
#define V_CHAINS 6
#define V_INLINE static inline __attribute__((always_inline))

#define V_FIXED __attribute__((arm_sve_vector_bits(256)))
typedef svfloat32_t v8 V_FIXED;
typedef svuint32_t u8x32 V_FIXED;
typedef svint32_t i8x32 V_FIXED;
typedef svint8_t i32x8 V_FIXED;
typedef svbool_t m8 V_FIXED;

typedef struct {
    v8 low, high;
} v16; /* sixteen floats, lane 0 first */
typedef struct {
    u8x32 low, high;
} u16x32; /* sixteen uint32_t */
typedef struct {
    m8 low, high;
} m16; /* sixteen masks */

#define V_ALL svptrue_b32()
/* f of each half of one, two or three operands. */
#define V_EACH1(type, f, a)    ((type){f(V_ALL, a.low), f(V_ALL, a.high)})
#define V_EACH2(type, f, a, b) ((type){f(V_ALL, a.low, b.low), f(V_ALL, a.high, b.high)})
#define V_EACH3(type, f, a, b, c)                                                                  \
    ((type){f(V_ALL, a.low, b.low, c.low), f(V_ALL, a.high, b.high, c.high)})

V_INLINE v16 v_set1(float x) {
    return (v16){svdup_f32(x), svdup_f32(x)};
}
V_INLINE v16 v_zero(void) {
    return v_set1(0.0f);
}
/* Unaligned. */
V_INLINE v16 v_load(const float *p) {
    return (v16){svld1_f32(V_ALL, p), svld1_f32(V_ALL, p + 8)};
}
V_INLINE void v_store(float *p, v16 x) {
    svst1_f32(V_ALL, p, x.low);
    svst1_f32(V_ALL, p + 8, x.high);
}
/* Lanes below n. */
V_INLINE m16 v_first_mask(int n) {
    return (m16){svwhilelt_b32_s32(0, n), svwhilelt_b32_s32(8, n)};
}
/* The first n lanes, 0 <= n <= 16; other memory is not touched; other lanes load as 0. */
V_INLINE v16 v_load_first(const float *p, int n) {
    m16 first = v_first_mask(n);
    return (v16){svld1_f32(first.low, p), svld1_f32(first.high, p + 8)};
}
V_INLINE void v_store_first(float *p, v16 x, int n) {
    m16 first = v_first_mask(n);
    svst1_f32(first.low, p, x.low);
    svst1_f32(first.high, p + 8, x.high);
}
V_INLINE v8 v_load_bf16_half(const uint16_t *p) {
    return svreinterpret_f32_u32(svlsl_n_u32_x(V_ALL, svld1uh_u32(V_ALL, p), 16));
}
V_INLINE v8 v_load_i8_half(const int8_t *p) {
    return svcvt_f32_s32_x(V_ALL, svld1sb_s32(V_ALL, p));
}
/* Sixteen bfloat16; sixteen int8. */
V_INLINE v16 v_load_bf16(const uint16_t *p) {
    return (v16){v_load_bf16_half(p), v_load_bf16_half(p + 8)};
}
V_INLINE v16 v_load_i8(const int8_t *p) {
    return (v16){v_load_i8_half(p), v_load_i8_half(p + 8)};
}
V_INLINE v16 v_add(v16 a, v16 b) {
    return V_EACH2(v16, svadd_f32_x, a, b);
}
V_INLINE v16 v_sub(v16 a, v16 b) {
    return V_EACH2(v16, svsub_f32_x, a, b);
}
V_INLINE v16 v_mul(v16 a, v16 b) {
    return V_EACH2(v16, svmul_f32_x, a, b);
}
V_INLINE v16 v_div(v16 a, v16 b) {
    return V_EACH2(v16, svdiv_f32_x, a, b);
}
V_INLINE v16 v_sqrt(v16 a) {
    return V_EACH1(v16, svsqrt_f32_x, a);
}
/* a * b + c, rounded once. */
V_INLINE v16 v_fma(v16 a, v16 b, v16 c) {
    return V_EACH3(v16, svmla_f32_x, c, a, b);
}
/* mask ? a : b */
V_INLINE v16 v_select(m16 mask, v16 a, v16 b) {
    return (v16){svsel_f32(mask.low, a.low, b.low), svsel_f32(mask.high, a.high, b.high)};
}
/* false where either is NaN. */
V_INLINE m16 v_less(v16 a, v16 b) {
    return V_EACH2(m16, svcmplt_f32, a, b);
}
/* a > b ? a : b, so b when either is NaN. */
V_INLINE v16 v_max(v16 a, v16 b) {
    return v_select(v_less(b, a), a, b);
}
/* a < b ? a : b, so b when either is NaN. */
V_INLINE v16 v_min(v16 a, v16 b) {
    return v_select(v_less(a, b), a, b);
}
/* Nearest integer, ties to even. */
V_INLINE v16 v_round(v16 a) {
    return V_EACH1(v16, svrintn_f32_x, a);
}
/* Lanes first, first + 1, ... last - 1 of sixteen; bounds may lie outside 0 .. 16. */
V_INLINE m16 v_range(int64_t first, int64_t last) {
    m16 from = v_first_mask(first < 0 ? 0 : first > 16 ? 16 : (int)first);
    m16 to = v_first_mask(last < 0 ? 0 : last > 16 ? 16 : (int)last);
    return V_EACH2(m16, svbic_b_z, to, from);
}
V_INLINE v8 v_scale2_half(v8 a, v8 x) {
    svint32_t power = svcvt_s32_f32_x(V_ALL, svrintn_f32_x(V_ALL, x));
    svint32_t exponent = svlsl_n_s32_x(V_ALL, power, 23);
    return svreinterpret_f32_s32(svadd_s32_x(V_ALL, svreinterpret_s32_f32(a), exponent));
}
/* a * 2^(x rounded to nearest, ties to even), where that has a normal exponent like a's; 0 where a is 1
 * and x -127; a where x is NaN; unspecified elsewhere. */
V_INLINE v16 v_scale2(v16 a, v16 x) {
    return (v16){v_scale2_half(a.low, x.low), v_scale2_half(a.high, x.high)};
}
/* The fixed tree of base/real.h's lanes_sum. */
V_INLINE float v_sum(v16 a) {
    svfloat32_t sum = svadd_f32_x(V_ALL, a.low, a.high);
    sum = svadd_f32_x(V_ALL, sum, svext_f32(sum, sum, 4));
    sum = svadd_f32_x(V_ALL, sum, svext_f32(sum, sum, 2));
    sum = svadd_f32_x(V_ALL, sum, svext_f32(sum, sum, 1));
    return svlasta_f32(svpfalse_b(), sum); /* lane 0 */
}
/* The largest lane; unspecified among NaNs. */
V_INLINE float v_max_lane(v16 a) {
    return svmaxv_f32(V_ALL, svmax_f32_x(V_ALL, a.low, a.high));
}

/* Four rows and four columns. */
V_INLINE void v_transpose4(const float *in, int64_t in_row, float *out, int64_t out_row) {
    const svbool_t four = svptrue_pat_b32(SV_VL4);
    svfloat32_t even = svzip1_f32(svld1_f32(four, in), svld1_f32(four, in + 2 * in_row));
    svfloat32_t odd = svzip1_f32(svld1_f32(four, in + in_row), svld1_f32(four, in + 3 * in_row));
    svfloat32_t low = svzip1_f32(even, odd), high = svzip2_f32(even, odd);
    svst1_f32(four, out, low);
    svst1_f32(four, out + out_row, svext_f32(low, low, 4));
    svst1_f32(four, out + 2 * out_row, high);
    svst1_f32(four, out + 3 * out_row, svext_f32(high, high, 4));
}
/* out[c * out_row + r] = in[r * in_row + c] for eight rows r and eight columns c: rows are dealt together
 * like cards, three times. */
V_INLINE void v_transpose8(const float *in, int64_t in_row, float *out, int64_t out_row) {
    v8 row[8], next[8];
#pragma GCC unroll 8
    for (int r = 0; r < 8; r++) {
        row[r] = svld1_f32(V_ALL, in + r * in_row);
    }
#pragma GCC unroll 3
    for (int step = 0; step < 3; step++) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            next[2 * r] = svzip1_f32(row[r], row[r + 4]);
            next[2 * r + 1] = svzip2_f32(row[r], row[r + 4]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < 8; r++) {
            row[r] = next[r];
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < 8; c++) {
        svst1_f32(V_ALL, out + c * out_row, row[c]);
    }
}

/* ---- sixteen uint32_t, for the counter-based random numbers ---- */

V_INLINE u16x32 vu_set1(uint32_t x) {
    return (u16x32){svdup_u32(x), svdup_u32(x)};
}
/* first, first + 1, ... first + 15 (wrapping). */
V_INLINE u16x32 vu_iota(uint32_t first) {
    return (u16x32){svindex_u32(first, 1), svindex_u32(first + 8, 1)};
}
V_INLINE u16x32 vu_xor(u16x32 a, u16x32 b) {
    return V_EACH2(u16x32, sveor_u32_x, a, b);
}
V_INLINE u16x32 vu_mul_low(u16x32 a, uint32_t b) {
    u16x32 factor = vu_set1(b);
    return V_EACH2(u16x32, svmul_u32_x, a, factor);
}
V_INLINE u16x32 vu_mul_high(u16x32 a, uint32_t b) {
    u16x32 factor = vu_set1(b);
    return V_EACH2(u16x32, svmulh_u32_x, a, factor);
}
/* a >= b, unsigned. */
V_INLINE m16 vu_at_least(u16x32 a, uint32_t b) {
    u16x32 bound = vu_set1(b);
    return V_EACH2(m16, svcmpge_u32, a, bound);
}

/* ---- products of 8-bit integers (matmul_i8_body.h says what each is) ---- */

#define I8_TILE_ROWS   12 /* 12 x 16 sums are 24 of the 32 registers, a group of weights 2 */
#define I8_TILE_PANELS 1
#define I8_VALUE_BYTES 1 /* int8_t */
#define I8_HAS_DOT     1

typedef struct {
    i8x32 low, high;
} vi;
typedef struct {
    i32x8 low, high; /* columns 0 to 7, 8 to 15 */
} v_weights;

V_INLINE vi vi_zero(void) {
    return (vi){svdup_s32(0), svdup_s32(0)};
}
V_INLINE vi vi_start(const int32_t *w_sums) {
    (void)w_sums;
    return vi_zero();
}
V_INLINE vi vi_add(vi a, vi b) {
    return V_EACH2(vi, svadd_s32_x, a, b);
}
V_INLINE v16 vi_to_float(vi a) {
    return V_EACH1(v16, svcvt_f32_s32_x, a);
}
V_INLINE v_weights v_weights_load(const int8_t *w) {
    return (v_weights){svld1_s8(svptrue_b8(), w), svld1_s8(svptrue_b8(), w + 32)};
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int32_t four;
    memcpy(&four, values, sizeof four);
    svint8_t all = svreinterpret_s8_s32(svdup_s32(four));
    return (vi){svdot_s32(acc.low, w.low, all), svdot_s32(acc.high, w.high, all)};
}
V_INLINE void v_store_integers(char *out, v16 x) {
    svst1b_s32(V_ALL, (int8_t *)out, svcvt_s32_f32_x(V_ALL, x.low));
    svst1b_s32(V_ALL, (int8_t *)out + 8, svcvt_s32_f32_x(V_ALL, x.high));
}

#endif

/* kernels/isa/verbs_avx2.h: sixteen floats in two 256-bit registers.
 *
 * Kernel bodies are written over v16 and these verbs alone; an instruction set is one header such as
 * this. Each verb is exactly one IEEE operation per lane (v_fma rounds once), so every instruction
 * set gives the same bits. Next: kernels/isa/math16.h, kernels/isa/tile.h. */
#ifndef ATTN_KERNELS_ISA_VERBS_AVX2_H
#define ATTN_KERNELS_ISA_VERBS_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/isa/transpose_avx.h" /* v_transpose8 */

/* The register tile: 6 rows of one panel of sixteen columns are 12 of the 16 registers. */
#define V_TILE_ROWS   6
#define V_TILE_PANELS 1
/* Sums that are kept at a time where what they sum is loaded for each of them. */
#define V_CHAINS 6
#define V_INLINE static inline __attribute__((always_inline))

typedef struct {
    __m256 low, high;
} v16; /* sixteen floats, lane 0 first */
typedef struct {
    __m256i low, high;
} u16x32; /* sixteen uint32_t */
typedef struct {
    __m256 low, high;
} m16; /* sixteen masks, all ones or all zeros */

V_INLINE v16 v_set1(float x) {
    return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
V_INLINE v16 v_zero(void) {
    return (v16){_mm256_setzero_ps(), _mm256_setzero_ps()};
}
/* Unaligned. */
V_INLINE v16 v_load(const float *p) {
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
V_INLINE void v_store(float *p, v16 x) {
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
}
V_INLINE __m256i v_first_mask(int n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
}
/* The first n lanes, 0 <= n <= 16; other memory is not touched; other lanes load as 0. */
V_INLINE v16 v_load_first(const float *p, int n) {
    return (v16){_mm256_maskload_ps(p, v_first_mask(n)),
                 n > 8 ? _mm256_maskload_ps(p + 8, v_first_mask(n - 8)) : _mm256_setzero_ps()};
}
V_INLINE void v_store_first(float *p, v16 x, int n) {
    _mm256_maskstore_ps(p, v_first_mask(n), x.low);
    if (n > 8) {
        _mm256_maskstore_ps(p + 8, v_first_mask(n - 8), x.high);
    }
}
V_INLINE __m256 v_load_bf16_half(const uint16_t *p) {
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
V_INLINE __m256 v_load_i8_half(const int8_t *p) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
/* Sixteen bfloat16; sixteen int8. */
V_INLINE v16 v_load_bf16(const uint16_t *p) {
    return (v16){v_load_bf16_half(p), v_load_bf16_half(p + 8)};
}
V_INLINE v16 v_load_i8(const int8_t *p) {
    return (v16){v_load_i8_half(p), v_load_i8_half(p + 8)};
}
V_INLINE v16 v_add(v16 a, v16 b) {
    return (v16){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
V_INLINE v16 v_sub(v16 a, v16 b) {
    return (v16){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
V_INLINE v16 v_mul(v16 a, v16 b) {
    return (v16){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
V_INLINE v16 v_div(v16 a, v16 b) {
    return (v16){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
V_INLINE v16 v_sqrt(v16 a) {
    return (v16){_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)};
}
/* a * b + c, rounded once. */
V_INLINE v16 v_fma(v16 a, v16 b, v16 c) {
    return (v16){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
/* a > b ? a : b, so b when either is NaN. */
V_INLINE v16 v_max(v16 a, v16 b) {
    return (v16){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
/* a < b ? a : b, so b when either is NaN. */
V_INLINE v16 v_min(v16 a, v16 b) {
    return (v16){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
/* Nearest integer, ties to even. */
V_INLINE v16 v_round(v16 a) {
    enum { MODE = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    return (v16){_mm256_round_ps(a.low, MODE), _mm256_round_ps(a.high, MODE)};
}
/* false where either is NaN. */
V_INLINE m16 v_less(v16 a, v16 b) {
    return (m16){_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ),
                 _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ)};
}
/* Lanes first, first + 1, ... last - 1 of sixteen; bounds may lie outside 0 .. 16. */
V_INLINE m16 v_range(int64_t first, int64_t last) {
    int from = first < 0 ? 0 : first > 16 ? 16 : (int)first;
    int to = last < 0 ? 0 : last > 16 ? 16 : (int)last;
    __m256i low = _mm256_andnot_si256(v_first_mask(from), v_first_mask(to));
    __m256i high = _mm256_andnot_si256(v_first_mask(from - 8), v_first_mask(to - 8));
    return (m16){_mm256_castsi256_ps(low), _mm256_castsi256_ps(high)};
}
/* mask ? a : b */
V_INLINE v16 v_select(m16 mask, v16 a, v16 b) {
    return (v16){_mm256_blendv_ps(b.low, a.low, mask.low),
                 _mm256_blendv_ps(b.high, a.high, mask.high)};
}
V_INLINE __m256 v_scale2_half(__m256 a, __m256 x) {
    __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(x), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), exponent));
}
/* a * 2^(x rounded to nearest, ties to even), where that has a normal exponent like a's; 0 where a is 1
 * and x -127; a where x is NaN; unspecified elsewhere. */
V_INLINE v16 v_scale2(v16 a, v16 x) {
    return (v16){v_scale2_half(a.low, x.low), v_scale2_half(a.high, x.high)};
}
/* The fixed tree of base/real.h's lanes_sum. */
V_INLINE float v_sum(v16 a) {
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
/* The largest lane; unspecified among NaNs. */
V_INLINE float v_max_lane(v16 a) {
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* ---- sixteen uint32_t, for the counter-based random numbers ---- */

V_INLINE u16x32 vu_set1(uint32_t x) {
    return (u16x32){_mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x)};
}
/* first, first + 1, ... first + 15 (wrapping). */
V_INLINE u16x32 vu_iota(uint32_t first) {
    __m256i base = _mm256_set1_epi32((int)first);
    return (u16x32){_mm256_add_epi32(base, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
                    _mm256_add_epi32(base, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15))};
}
V_INLINE u16x32 vu_xor(u16x32 a, u16x32 b) {
    return (u16x32){_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)};
}
V_INLINE u16x32 vu_mul_low(u16x32 a, uint32_t b) {
    __m256i factor = _mm256_set1_epi32((int)b);
    return (u16x32){_mm256_mullo_epi32(a.low, factor), _mm256_mullo_epi32(a.high, factor)};
}
V_INLINE __m256i vu_mul_high_half(__m256i a, __m256i b) {
    __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32);
    __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
    return _mm256_blend_epi32(even, odd, 0xAA);
}
V_INLINE u16x32 vu_mul_high(u16x32 a, uint32_t b) {
    __m256i factor = _mm256_set1_epi32((int)b);
    return (u16x32){vu_mul_high_half(a.low, factor), vu_mul_high_half(a.high, factor)};
}
/* a >= b, unsigned. */
V_INLINE m16 vu_at_least(u16x32 a, uint32_t b) {
    __m256i bound = _mm256_set1_epi32((int)b);
    return (m16){_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a.low, bound), a.low)),
                 _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_max_epu32(a.high, bound), a.high))};
}

/* ---- products of 8-bit integers (matmul_i8_body.h says what each is) ----
 *
 * The instruction multiplies unsigned by signed bytes and adds pairs in 16 bits: the weight's sign goes
 * over to the row's value, and 2 * 127 * 127 < 2^15. */

#define I8_TILE_ROWS   4 /* 4 x 16 sums are 8 of the 16 registers, a group of weights 4 */
#define I8_TILE_PANELS 1
#define I8_VALUE_BYTES 1
#define I8_HAS_DOT     0

typedef struct {
    __m256i low, high;
} vi;
typedef struct {
    __m256i low, high, low_size, high_size; /* columns 0 to 7, 8 to 15; and their magnitudes */
} v_weights;

V_INLINE vi vi_zero(void) {
    return (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
}
V_INLINE vi vi_start(const int32_t *w_sums) {
    (void)w_sums;
    return vi_zero();
}
V_INLINE vi vi_add(vi a, vi b) {
    return (vi){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
V_INLINE v16 vi_to_float(vi a) {
    return (v16){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
V_INLINE v_weights v_weights_load(const int8_t *w) {
    __m256i low = _mm256_loadu_si256((const __m256i *)w);
    __m256i high = _mm256_loadu_si256((const __m256i *)(w + 32));
    return (v_weights){low, high, _mm256_abs_epi8(low), _mm256_abs_epi8(high)};
}
V_INLINE __m256i vi_sum_group(__m256i size, __m256i w, __m256i four) {
    __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(four, w));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int four;
    memcpy(&four, values, sizeof four);
    __m256i all = _mm256_set1_epi32(four);
    return (vi){_mm256_add_epi32(acc.low, vi_sum_group(w.low_size, w.low, all)),
                _mm256_add_epi32(acc.high, vi_sum_group(w.high_size, w.high, all))};
}
V_INLINE void v_store_integers(char *out, v16 x) {
    __m256i low = _mm256_cvtps_epi32(x.low), high = _mm256_cvtps_epi32(x.high);
    __m128i first = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    __m128i last = _mm_packs_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_packs_epi16(first, last));
}

#endif

/* kernels/isa/verbs_avx512.h: sixteen floats in one 512-bit register (AVX-512 F, DQ, BW, VL).
 *
 * The same verbs, with the same bits, as kernels/isa/verbs_avx2.h, which explains them. */
#ifndef ATTN_KERNELS_ISA_VERBS_AVX512_H
#define ATTN_KERNELS_ISA_VERBS_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/isa/transpose_avx.h" /* v_transpose8 */

/* The register tile: 6 rows of four panels of sixteen columns are 24 of the 32 registers. */
#define V_TILE_ROWS   6
#define V_TILE_PANELS 4
/* Sums that are kept at a time where what they sum is loaded for each of them. */
#define V_CHAINS 12
#define V_INLINE static inline __attribute__((always_inline))

typedef __m512 v16;     /* sixteen floats, lane 0 first */
typedef __m512i u16x32; /* sixteen uint32_t */
typedef __mmask16 m16;  /* sixteen masks */

V_INLINE v16 v_set1(float x) {
    return _mm512_set1_ps(x);
}
V_INLINE v16 v_zero(void) {
    return _mm512_setzero_ps();
}
/* Unaligned. */
V_INLINE v16 v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
V_INLINE void v_store(float *p, v16 x) {
    _mm512_storeu_ps(p, x);
}
V_INLINE m16 v_first_mask(int n) {
    return (m16)((1U << n) - 1);
}
/* The first n lanes, 0 <= n <= 16; other memory is not touched; other lanes load as 0. */
V_INLINE v16 v_load_first(const float *p, int n) {
    return _mm512_maskz_loadu_ps(v_first_mask(n), p);
}
V_INLINE void v_store_first(float *p, v16 x, int n) {
    _mm512_mask_storeu_ps(p, v_first_mask(n), x);
}
/* Sixteen bfloat16; sixteen int8. */
V_INLINE v16 v_load_bf16(const uint16_t *p) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
V_INLINE v16 v_load_i8(const int8_t *p) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
V_INLINE v16 v_add(v16 a, v16 b) {
    return _mm512_add_ps(a, b);
}
V_INLINE v16 v_sub(v16 a, v16 b) {
    return _mm512_sub_ps(a, b);
}
V_INLINE v16 v_mul(v16 a, v16 b) {
    return _mm512_mul_ps(a, b);
}
V_INLINE v16 v_div(v16 a, v16 b) {
    return _mm512_div_ps(a, b);
}
V_INLINE v16 v_sqrt(v16 a) {
    return _mm512_sqrt_ps(a);
}
/* a * b + c, rounded once. */
V_INLINE v16 v_fma(v16 a, v16 b, v16 c) {
    return _mm512_fmadd_ps(a, b, c);
}
/* a > b ? a : b, so b when either is NaN. */
V_INLINE v16 v_max(v16 a, v16 b) {
    return _mm512_max_ps(a, b);
}
/* a < b ? a : b, so b when either is NaN. */
V_INLINE v16 v_min(v16 a, v16 b) {
    return _mm512_min_ps(a, b);
}
/* Nearest integer, ties to even. */
V_INLINE v16 v_round(v16 a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* false where either is NaN. */
V_INLINE m16 v_less(v16 a, v16 b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
/* Lanes first, first + 1, ... last - 1 of sixteen; bounds may lie outside 0 .. 16. */
V_INLINE m16 v_range(int64_t first, int64_t last) {
    int from = first < 0 ? 0 : first > 16 ? 16 : (int)first;
    int to = last < 0 ? 0 : last > 16 ? 16 : (int)last;
    return (m16)(v_first_mask(to) & ~v_first_mask(from));
}
/* mask ? a : b */
V_INLINE v16 v_select(m16 mask, v16 a, v16 b) {
    return _mm512_mask_blend_ps(mask, b, a);
}
/* a * 2^(x rounded to nearest, ties to even), where that has a normal exponent like a's; 0 where a is 1
 * and x -127; a where x is NaN; unspecified elsewhere. */
V_INLINE v16 v_scale2(v16 a, v16 x) {
    __m512i exponent = _mm512_slli_epi32(_mm512_cvtps_epi32(x), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), exponent));
}
/* The fixed tree of base/real.h's lanes_sum. */
V_INLINE float v_sum(v16 a) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
/* The largest lane; unspecified among NaNs. */
V_INLINE float v_max_lane(v16 a) {
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* ---- sixteen uint32_t, for the counter-based random numbers ---- */

V_INLINE u16x32 vu_set1(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
/* first, first + 1, ... first + 15 (wrapping). */
V_INLINE u16x32 vu_iota(uint32_t first) {
    const __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_add_epi32(_mm512_set1_epi32((int)first), index);
}
V_INLINE u16x32 vu_xor(u16x32 a, u16x32 b) {
    return _mm512_xor_si512(a, b);
}
V_INLINE u16x32 vu_mul_low(u16x32 a, uint32_t b) {
    return _mm512_mullo_epi32(a, _mm512_set1_epi32((int)b));
}
V_INLINE u16x32 vu_mul_high(u16x32 a, uint32_t b) {
    __m512i factor = _mm512_set1_epi32((int)b);
    __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a, factor), 32);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), factor);
    return _mm512_mask_blend_epi32(0xAAAA, even, odd);
}
/* a >= b, unsigned. */
V_INLINE m16 vu_at_least(u16x32 a, uint32_t b) {
    return _mm512_cmpge_epu32_mask(a, _mm512_set1_epi32((int)b));
}

/* ---- products of 8-bit integers (matmul_i8_body.h says what each is) ---- */

typedef __m512i vi;

V_INLINE vi vi_zero(void) {
    return _mm512_setzero_si512();
}
V_INLINE vi vi_add(vi a, vi b) {
    return _mm512_add_epi32(a, b);
}
V_INLINE v16 vi_to_float(vi a) {
    return _mm512_cvtepi32_ps(a);
}

#ifndef V_OWN_DOT /* an instruction set that differs in these alone defines it, and them */
/* Bytes become 16-bit words, whose products are summed in pairs without loss: of each group, the even
 * bytes meet a0 and a2, the odd ones a1 and a3. */
#define I8_TILE_ROWS   12
#define I8_TILE_PANELS 1
#define I8_VALUE_BYTES 2 /* int16_t, each group in the order a0, a2, a1, a3 */
#define I8_HAS_DOT     0

typedef struct {
    __m512i even, odd; /* sixteen pairs of words: w0 and w2, w1 and w3 */
} v_weights;

V_INLINE vi vi_start(const int32_t *w_sums) {
    (void)w_sums;
    return _mm512_setzero_si512();
}
V_INLINE v_weights v_weights_load(const int8_t *w) {
    __m512i bytes = _mm512_loadu_si512(w);
    return (v_weights){_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8),
                       _mm512_srai_epi16(bytes, 8)};
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int even, odd;
    memcpy(&even, values, sizeof even);
    memcpy(&odd, values + sizeof even, sizeof odd);
    acc = _mm512_add_epi32(acc, _mm512_madd_epi16(w.even, _mm512_set1_epi32(even)));
    return _mm512_add_epi32(acc, _mm512_madd_epi16(w.odd, _mm512_set1_epi32(odd)));
}
V_INLINE void v_store_integers(char *out, v16 x) {
    __m512i ordered = _mm512_shuffle_epi32(_mm512_cvtps_epi32(x), _MM_PERM_DBCA);
    _mm256_storeu_si256((__m256i *)out, _mm512_cvtepi32_epi16(ordered));
}
#endif

#endif

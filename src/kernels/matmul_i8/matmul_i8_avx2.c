/* kernels/matmul_i8/matmul_i8_avx2.c: the 8-bit product for AVX2, without dot products.
 *
 * The instruction multiplies unsigned by signed bytes and adds pairs in 16 bits: the weight's sign goes
 * over to the row's value, and 2 * 127 * 127 < 2^15. Next: matmul_i8_body.h. */
#include <string.h>

#include "kernels/isa/verbs_avx2.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"

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

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_avx2(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS,   I8_TILE_ROWS, I8_TILE_PANELS,
                                        I8_VALUE_BYTES, quantize_row, multiply};
}

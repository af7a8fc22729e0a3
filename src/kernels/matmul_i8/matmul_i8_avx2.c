/* kernels/matmul_i8/matmul_i8_avx2.c: the 8-bit product for AVX2: matmul_i8_avx512.c in two halves.
 *
 * Next: matmul_i8_body.h. */
#include <string.h>

#include "kernels/isa/verbs_avx2.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"

#define I8_TILE_ROWS   4 /* 4 x 16 sums are 8 of the 16 registers, a group of weights 4 */
#define I8_VALUE_BYTES 2 /* int16_t, each group in the order a0, a2, a1, a3 */
#define I8_HAS_DOT     0

typedef struct {
    __m256i low, high;
} vi;
typedef struct {
    __m256i low_even, low_odd, high_even, high_odd; /* pairs of words: w0 and w2, w1 and w3 */
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
    return (v_weights){_mm256_srai_epi16(_mm256_slli_epi16(low, 8), 8), _mm256_srai_epi16(low, 8),
                       _mm256_srai_epi16(_mm256_slli_epi16(high, 8), 8),
                       _mm256_srai_epi16(high, 8)};
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int pair;
    memcpy(&pair, values, sizeof pair);
    __m256i even = _mm256_set1_epi32(pair);
    memcpy(&pair, values + sizeof pair, sizeof pair);
    __m256i odd = _mm256_set1_epi32(pair);
    acc.low = _mm256_add_epi32(acc.low, _mm256_madd_epi16(w.low_even, even));
    acc.high = _mm256_add_epi32(acc.high, _mm256_madd_epi16(w.high_even, even));
    acc.low = _mm256_add_epi32(acc.low, _mm256_madd_epi16(w.low_odd, odd));
    acc.high = _mm256_add_epi32(acc.high, _mm256_madd_epi16(w.high_odd, odd));
    return acc;
}
V_INLINE void v_store_integers(char *out, v16 x) {
    enum { ORDER = 0 | 2 << 2 | 1 << 4 | 3 << 6 };
    __m256i low = _mm256_shuffle_epi32(_mm256_cvtps_epi32(x.low), ORDER);
    __m256i high = _mm256_shuffle_epi32(_mm256_cvtps_epi32(x.high), ORDER);
    __m256i words = _mm256_packs_epi32(low, high); /* quarters 0 and 2, 1 and 3 */
    _mm256_storeu_si256((__m256i *)out, _mm256_permute4x64_epi64(words, ORDER));
}

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_avx2(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS, I8_VALUE_BYTES, quantize_row, multiply};
}

/* kernels/matmul_i8/matmul_i8_avx512.c: the 8-bit product for AVX-512 without VNNI.
 *
 * Bytes become 16-bit words, whose products are summed in pairs without loss: of each group, the
 * even bytes meet a0 and a2, the odd ones a1 and a3. Next: matmul_i8_body.h. */
#include <string.h>

#include "kernels/isa/verbs_avx512.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"

#define I8_TILE_ROWS   12
#define I8_TILE_PANELS 1
#define I8_VALUE_BYTES 2 /* int16_t, each group in the order a0, a2, a1, a3 */
#define I8_HAS_DOT     0

typedef __m512i vi;
typedef struct {
    __m512i even, odd; /* sixteen pairs of words: w0 and w2, w1 and w3 */
} v_weights;

V_INLINE vi vi_zero(void) {
    return _mm512_setzero_si512();
}
V_INLINE vi vi_start(const int32_t *w_sums) {
    (void)w_sums;
    return _mm512_setzero_si512();
}
V_INLINE vi vi_add(vi a, vi b) {
    return _mm512_add_epi32(a, b);
}
V_INLINE v16 vi_to_float(vi a) {
    return _mm512_cvtepi32_ps(a);
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

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_avx512(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS,   I8_TILE_ROWS, I8_TILE_PANELS,
                                        I8_VALUE_BYTES, quantize_row, multiply};
}

/* kernels/matmul_i8/matmul_i8_avx512vnni.c: the 8-bit product for AVX-512 with VNNI.
 *
 * The instruction sums four products of an unsigned and a signed byte, so 128 is added to the
 * integers of A; each sum starts at -128 times its column's sum of weights. What passes 32 bits on
 * the way wraps, and comes back. Next: matmul_i8_body.h. */
#include <string.h>

#include "kernels/isa/verbs_avx512.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"

#define I8_TILE_ROWS   12
#define I8_TILE_PANELS 2
#define I8_VALUE_BYTES 1 /* uint8_t: the integer and 128 */
#define I8_HAS_DOT     1

typedef __m512i vi;
typedef __m512i v_weights;

V_INLINE vi vi_zero(void) {
    return _mm512_setzero_si512();
}
V_INLINE vi vi_start(const int32_t *w_sums) {
    __m512i offset = _mm512_slli_epi32(_mm512_loadu_si512(w_sums), 7);
    return _mm512_sub_epi32(_mm512_setzero_si512(), offset);
}
V_INLINE vi vi_add(vi a, vi b) {
    return _mm512_add_epi32(a, b);
}
V_INLINE v16 vi_to_float(vi a) {
    return _mm512_cvtepi32_ps(a);
}
V_INLINE v_weights v_weights_load(const int8_t *w) {
    return _mm512_loadu_si512(w);
}
V_INLINE vi vi_dot(vi acc, v_weights w, const char *values) {
    int four;
    memcpy(&four, values, sizeof four);
    /* Not the intrinsic, with which GCC 12 copies every sum at every turn of the loop. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(_mm512_set1_epi32(four)), "v"(w));
    return acc;
}
V_INLINE void v_store_integers(char *out, v16 x) {
    __m512i shifted = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(128));
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(shifted));
}

#include "kernels/matmul_i8/matmul_i8_body.h"

void attn_matmul_i8_fill_avx512vnni(attn_matmul_i8_kernels *kernels) {
    *kernels = (attn_matmul_i8_kernels){I8_TILE_ROWS,   I8_TILE_ROWS, I8_TILE_PANELS,
                                        I8_VALUE_BYTES, quantize_row, multiply};
}

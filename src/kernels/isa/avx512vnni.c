/* kernels/isa/avx512vnni.c: AVX-512 with VNNI: another 8-bit product, all else as avx512.
 *
 * The instruction sums four products of an unsigned and a signed byte, so 128 is added to the
 * integers of A; each sum starts at -128 times its column's sum of weights. What passes 32 bits on
 * the way wraps, and comes back. Next: matmul_i8_body.h. */
#include <string.h>

#define V_OWN_DOT
#include "kernels/isa/verbs_avx512.h"

#define I8_TILE_ROWS   12
#define I8_TILE_PANELS 2
#define I8_VALUE_BYTES 1 /* uint8_t: the integer and 128 */
#define I8_HAS_DOT     1

typedef __m512i v_weights;

V_INLINE vi vi_start(const int32_t *w_sums) {
    __m512i offset = _mm512_slli_epi32(_mm512_loadu_si512(w_sums), 7);
    return _mm512_sub_epi32(_mm512_setzero_si512(), offset);
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
#include "kernels/operations.h"

const attn_isa_kernels attn_isa_avx512vnni = {.matmul_i8 = &matmul_i8_kernels};

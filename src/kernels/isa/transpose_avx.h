/* kernels/isa/transpose_avx.h: transposition for AVX2 and AVX-512, included by their verbs. */
#ifndef ATTN_KERNELS_ISA_TRANSPOSE_AVX_H
#define ATTN_KERNELS_ISA_TRANSPOSE_AVX_H

#include <immintrin.h>
#include <stdint.h>

/* Rows r and r + 4 side by side, four columns of each. */
static inline __attribute__((always_inline)) __m256 v_two_quads(const float *in, int64_t in_row) {
    __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(in));
    return _mm256_insertf128_ps(low, _mm_loadu_ps(in + 4 * in_row), 1);
}

/* Four columns of eight rows. */
static inline __attribute__((always_inline)) void v_transpose8x4(const float *in, int64_t in_row,
                                                                 float *out, int64_t out_row) {
    __m256 row0 = v_two_quads(in, in_row), row1 = v_two_quads(in + in_row, in_row);
    __m256 row2 = v_two_quads(in + 2 * in_row, in_row);
    __m256 row3 = v_two_quads(in + 3 * in_row, in_row);
    __m256 a = _mm256_unpacklo_ps(row0, row1), b = _mm256_unpackhi_ps(row0, row1);
    __m256 c = _mm256_unpacklo_ps(row2, row3), d = _mm256_unpackhi_ps(row2, row3);
    _mm256_storeu_ps(out, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(out + out_row, _mm256_shuffle_ps(a, c, 0xEE));
    _mm256_storeu_ps(out + 2 * out_row, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(out + 3 * out_row, _mm256_shuffle_ps(b, d, 0xEE));
}

/* out[c * out_row + r] = in[r * in_row + c] for eight rows r and eight columns c. */
static inline __attribute__((always_inline)) void v_transpose8(const float *in, int64_t in_row,
                                                               float *out, int64_t out_row) {
    v_transpose8x4(in, in_row, out, out_row);
    v_transpose8x4(in + 4, in_row, out + 4 * out_row, out_row);
}

/* The same for four rows and four columns. */
static inline __attribute__((always_inline)) void v_transpose4(const float *in, int64_t in_row,
                                                               float *out, int64_t out_row) {
    __m128 row0 = _mm_loadu_ps(in), row1 = _mm_loadu_ps(in + in_row);
    __m128 row2 = _mm_loadu_ps(in + 2 * in_row), row3 = _mm_loadu_ps(in + 3 * in_row);
    _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
    _mm_storeu_ps(out, row0);
    _mm_storeu_ps(out + out_row, row1);
    _mm_storeu_ps(out + 2 * out_row, row2);
    _mm_storeu_ps(out + 3 * out_row, row3);
}

#endif

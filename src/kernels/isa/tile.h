/* kernels/isa/tile.h: the one register tile behind every product in the library.
 *
 * acc[r][0..15] += sum over p of a[r, p] * b[p, 0..15], one chain of fused multiply-adds per
 * element in the order of p. a is read one value at a time through any two strides; b is read
 * sixteen contiguous values at a time. Include it after a verbs header. */
#ifndef ATTN_KERNELS_ISA_TILE_H
#define ATTN_KERNELS_ISA_TILE_H

#include <stdint.h>

/* rows must be a compile-time constant, 1 .. V_TILE_ROWS, or the accumulators leave the registers. */
V_INLINE void v_tile(const int rows, int64_t k, const float *a, int64_t a_row, int64_t a_col,
                     const float *b, int64_t b_row, v16 acc[V_TILE_ROWS]) {
    /* A pointer for every third row: more would not fit the integer registers. */
    const float *a_rows[(V_TILE_ROWS + 2) / 3];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r += 3) {
        a_rows[r / 3] = a + r * a_row;
    }
#pragma GCC unroll 4
    for (int64_t p = 0; p < k; p++) {
        v16 b_p = v_load(b + p * b_row);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            acc[r] = v_fma(v_set1(a_rows[r / 3][r % 3 * a_row + p * a_col]), b_p, acc[r]);
        }
    }
}

#endif

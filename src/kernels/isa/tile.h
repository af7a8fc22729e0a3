/* kernels/isa/tile.h: the one register tile behind every product in the library.
 *
 * acc[n * rows + r][0..15] += sum over p of a[r, p] * b_n[p, 0..15], one chain of fused
 * multiply-adds per element in the order of p; b_n is panel n. Up to V_TILE_PANELS panels meet up to
 * V_TILE_ROWS rows; up to half as many panels meet twice as many rows, so that there are always
 * chains enough to hide each other's latency, and every value that is loaded serves several. a is
 * read one value at a time through any two strides; b is read sixteen contiguous values at a time.
 * Include it after a verbs header. */
#ifndef ATTN_KERNELS_ISA_TILE_H
#define ATTN_KERNELS_ISA_TILE_H

#include <stdint.h>

#define V_TILE_MOST_ROWS (V_TILE_PANELS == 1 ? V_TILE_ROWS : 2 * V_TILE_ROWS)

typedef v16 v_tile_sums[V_TILE_ROWS * V_TILE_PANELS];

/* The most rows of a tile of so many panels. */
V_INLINE int v_tile_rows(int64_t panels) {
    return 2 * panels <= V_TILE_PANELS ? V_TILE_MOST_ROWS : V_TILE_ROWS;
}

/* Row r of a starts at a + r * a_row, from row V_TILE_ROWS on at a + a_tile + (r - V_TILE_ROWS) *
 * a_row. rows and panels must be compile-time constants, or the sums leave the registers. */
V_INLINE void v_tile(const int rows, const int panels, int64_t k, const float *a, int64_t a_tile,
                     int64_t a_row, int64_t a_col, const float *b, int64_t b_row, int64_t b_panel,
                     v_tile_sums acc) {
    /* A pointer for every third row: more would not fit the integer registers. */
    const float *a_rows[(V_TILE_MOST_ROWS + 2) / 3];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r += 3) {
        a_rows[r / 3] = a + r / V_TILE_ROWS * a_tile + r % V_TILE_ROWS * a_row;
    }
#pragma GCC unroll 4
    for (int64_t p = 0; p < k; p++) {
        v16 b_p[V_TILE_PANELS];
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            b_p[n] = v_load(b + n * b_panel + p * b_row);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            v16 a_rp = v_set1(a_rows[r / 3][r % 3 * a_row + p * a_col]);
#pragma GCC unroll 4
            for (int n = 0; n < panels; n++) {
                acc[n * rows + r] = v_fma(a_rp, b_p[n], acc[n * rows + r]);
            }
        }
    }
}

#endif

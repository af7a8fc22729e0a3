/* kernels/matmul_i8/matmul_i8_body.h: the 8-bit product over vectors; each instruction set includes
 * it.
 *
 * The same results as matmul_i8_ref.c. I8_TILE_ROWS rows of I8_TILE_PANELS times sixteen sums
 * stay in registers for the whole of k. Include it after what matmul_i8_rows.h asks for, and these:
 *
 *     I8_TILE_PANELS, I8_HAS_DOT (one instruction sums a group)
 *     vi, vi_zero, vi_add, vi_to_float    sixteen sums
 *     vi_start                            where a sum starts, given the column's sum of weights
 *     v_weights, v_weights_load           a group of sixteen columns, as vi_dot wants it
 *     vi_dot                              adds a group's products with a row's four integers */
#ifndef ATTN_KERNELS_MATMUL_I8_BODY_H
#define ATTN_KERNELS_MATMUL_I8_BODY_H

#include "kernels/isa/constant.h"
#include "kernels/matmul_i8/matmul_i8_rows.h"

/* An instruction that sums a whole group answers late: few rows need several chains each. Sums of
 * integers may be cut as one likes. */
#if I8_HAS_DOT
#define I8_CHAINS(rows) ((rows) <= 2 ? 4 : (rows) <= 4 ? 2 : 1)
#else
#define I8_CHAINS(rows) 1
#endif

/* The most vectors of sums: few rows have several chains instead of panels. */
enum { I8_SUMS = I8_TILE_ROWS * I8_TILE_PANELS > 8 ? I8_TILE_ROWS *I8_TILE_PANELS : 8 };

/* Groups g to g + chains - 1. A row's integers that are loaded once serve all panels. */
V_INLINE void matmul_i8_add_groups(const int rows, const int panels, const int chains,
                                   const attn_matmul_i8_panel *panel, int first, const char *a,
                                   int64_t g, vi acc[I8_SUMS]) {
#pragma GCC unroll 4
    for (int chain = 0; chain < chains; chain++) {
        v_weights group[I8_TILE_PANELS];
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            int64_t at = (first + n) * panel->groups + g + chain;
            group[n] = v_weights_load(panel->w + at * 16 * I8_GROUP);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const char *values = a + ((g + chain) * I8_TILE_ROWS + r) * GROUP_BYTES;
#pragma GCC unroll 4
            for (int n = 0; n < panels; n++) {
                int sum = (chain * panels + n) * rows + r;
                acc[sum] = vi_dot(acc[sum], group[n], values);
            }
        }
    }
}

/* rows, panels and chains are constants in every call; first: the first of the panels; i: the first row
 * of a tile. */
V_INLINE void matmul_i8_multiply_tile(const int rows, const int panels, const int chains,
                                      const attn_matmul_i8_panel *panel, int first, int64_t i) {
    vi acc[I8_SUMS];
    const char *a = (const char *)panel->a + i * panel->a_bytes;
#pragma GCC unroll 32
    for (int r = 0; r < rows * panels * chains; r++) {
        acc[r] = r < rows * panels ? vi_start(panel->w_sums + 16 * (first + r / rows)) : vi_zero();
    }
    int64_t g = 0;
    for (; g + chains <= panel->groups; g += chains) {
        matmul_i8_add_groups(rows, panels, chains, panel, first, a, g, acc);
    }
    for (; chains > 1 && g < panel->groups; g++) {
        matmul_i8_add_groups(rows, panels, 1, panel, first, a, g, acc);
    }
    v16 x[I8_TILE_ROWS * I8_TILE_PANELS];
#pragma GCC unroll 32
    for (int n = 0; n < rows * panels; n++) {
        vi sum = acc[n];
        for (int chain = 1; chain < chains; chain++) {
            sum = vi_add(sum, acc[chain * panels * rows + n]);
        }
        x[n] = vi_to_float(sum);
    }
    matmul_i8_finish(rows, panels, panel, i, first, x);
}

/* Few rows take one panel after the other, in several chains; more take all panels at once. */
V_INLINE void matmul_i8_multiply_panels(const int rows, const attn_matmul_i8_panel *panel,
                                        int64_t i) {
    if (I8_TILE_PANELS == 2 && rows > 4 && panel->columns > 16) {
        matmul_i8_multiply_tile(rows, I8_TILE_PANELS, 1, panel, 0, i);
        return;
    }
    for (int n = 0; 16 * n < panel->columns; n++) {
        matmul_i8_multiply_tile(rows, 1, I8_CHAINS(rows), panel, n, i);
    }
}

static void matmul_i8_multiply(const attn_matmul_i8_panel *panel) {
    int64_t i = 0;
    for (; i + I8_TILE_ROWS <= panel->rows; i += I8_TILE_ROWS) {
        matmul_i8_multiply_panels(I8_TILE_ROWS, panel, i);
    }
    V_CONSTANT(panel->rows - i, I8_TILE_ROWS - 1, rest, matmul_i8_multiply_panels(rest, panel, i));
}

static const attn_matmul_i8_kernels matmul_i8_kernels = {
    .tile_rows = I8_TILE_ROWS,
    .group_rows = I8_TILE_ROWS,
    .tile_panels = I8_TILE_PANELS,
    .value_bytes = I8_VALUE_BYTES,
    .quantize_row = matmul_i8_quantize_row,
    .multiply = matmul_i8_multiply,
};

#endif

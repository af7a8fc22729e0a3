/* kernels/matmul_i8/matmul_i8_body.h: the 8-bit product over vectors; each instruction set includes
 * it.
 *
 * The same results as matmul_i8_ref.c. I8_TILE_ROWS rows of sixteen sums stay in registers for the
 * whole of k. Include it after a verbs header, isa/math16.h, isa/part16.h, and these:
 *
 *     I8_TILE_ROWS, I8_VALUE_BYTES, I8_HAS_DOT (one instruction sums a group)
 *     vi, vi_zero, vi_add, vi_to_float    sixteen sums
 *     vi_start                            where a sum starts, given the column's sum of weights
 *     v_weights, v_weights_load           a group of sixteen columns, as vi_dot wants it
 *     vi_dot                              adds a group's products with a row's four integers
 *     v_store_integers                    writes sixteen integers of a row of A */
#ifndef ATTN_KERNELS_MATMUL_I8_BODY_H
#define ATTN_KERNELS_MATMUL_I8_BODY_H

#include <string.h>

#include "kernels/matmul_i8/matmul_i8_kernels.h"

enum { GROUP_BYTES = I8_GROUP * I8_VALUE_BYTES };

/* The largest magnitude, and whether all are finite: 0 times an element is 0, or else NaN. */
static float find_peak(int64_t k, const float *a, bool *finite) {
    v16 peak = v_zero(), zeros = v_zero();
    for (int64_t p = 0; p < k; p += I8_ROW_STEP) {
        v16 x = v_load_part(a + p, v_rest(k - p));
        peak = v_max(v_max(x, v_sub(v_zero(), x)), peak);
        zeros = v_fma(x, v_zero(), zeros);
    }
    *finite = v_sum(zeros) == 0.0f;
    return v_max_lane(peak);
}

static void quantize_row(int64_t k, const float *a, void *q, int64_t step, float *scale) {
    bool finite;
    float peak = find_peak(k, a, &finite);
    bool zero = !finite || peak < I8_LEAST_PEAK;
    v16 inverse = v_set1(zero ? 0.0f : 127.0f / peak);
    *scale = !finite ? NAN : zero ? 0.0f : peak / 127.0f;
    for (int64_t p = 0; p < k; p += I8_ROW_STEP) {
        v16 x = v_mul(v_load_part(a + p, v_rest(k - p)), inverse);
        char integers[I8_ROW_STEP * I8_VALUE_BYTES];
        v_store_integers(integers, zero ? v_zero() : v_round(x));
        for (int g = 0; g < I8_ROW_STEP / I8_GROUP; g++) {
            memcpy((char *)q + (p / I8_GROUP + g) * step, integers + g * GROUP_BYTES, GROUP_BYTES);
        }
    }
}

/* x[r] = f(x[r]) for each of the tile's rows. */
#define FOR_ROWS(statement)                                                                        \
    for (int r = 0; r < rows; r++) {                                                               \
        v16 x = v_load(sums + 16 * r);                                                             \
        statement;                                                                                 \
    }

/* What follows the sums of `rows` rows, panel row i and the next. */
static __attribute__((noinline)) void finish(const attn_matmul_i8_panel *panel, int64_t i, int rows,
                                             float *sums) {
    int columns = panel->columns;
    float *c = panel->c + i * panel->c_row;
    v16 w_scale = v_load(panel->w_scale);
    v16 bias = panel->bias != NULL ? v_load_part(panel->bias, columns) : v_zero();
    FOR_ROWS(x = v_mul(x, v_set1(panel->a_scale[i + r]));
             v_store(sums + 16 * r, v_fma(x, w_scale, bias)))
    if (panel->activation == ATTN_ACTIVATION_RELU) {
        FOR_ROWS(v_store(sums + 16 * r, v_relu(x)))
    } else if (panel->activation == ATTN_ACTIVATION_GELU) {
        FOR_ROWS(v_store(sums + 16 * r, v_gelu(x)))
    }
    if (panel->residual != NULL) {
        const float *residual = panel->residual + i * panel->residual_row;
        FOR_ROWS(v16 before = v_load_part(residual + r * panel->residual_row, columns);
                 v_store(sums + 16 * r, v_add(before, x)))
    }
    FOR_ROWS(v_store_part(c + r * panel->c_row, x, columns))
}
#undef FOR_ROWS

/* An instruction that sums a whole group answers late: few rows need several chains each. Sums of
 * integers may be cut as one likes. */
#if I8_HAS_DOT
#define I8_CHAINS(rows) ((rows) <= 2 ? 4 : (rows) <= 4 ? 2 : 1)
#else
#define I8_CHAINS(rows) 1
#endif

/* rows and chains are constants in every call; i is the first row of a tile. */
V_INLINE void multiply_tile(const int rows, const int chains, const attn_matmul_i8_panel *panel,
                            int64_t i) {
    vi acc[I8_TILE_ROWS > 8 ? I8_TILE_ROWS : 8];
    const char *a = (const char *)panel->a + i * panel->a_bytes;
    const int8_t *w = panel->w;
    vi start = vi_start(panel->w_sums);
#pragma GCC unroll 16
    for (int r = 0; r < rows * chains; r++) {
        acc[r] = r < rows ? start : vi_zero();
    }
    int64_t g = 0;
    for (; g + chains <= panel->groups; g += chains) {
#pragma GCC unroll 4
        for (int chain = 0; chain < chains; chain++) {
            v_weights group = v_weights_load(w + (g + chain) * 16 * I8_GROUP);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                const char *values = a + ((g + chain) * I8_TILE_ROWS + r) * GROUP_BYTES;
                acc[chain * rows + r] = vi_dot(acc[chain * rows + r], group, values);
            }
        }
    }
    for (; g < panel->groups; g++) {
        v_weights group = v_weights_load(w + g * 16 * I8_GROUP);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const char *values = a + (g * I8_TILE_ROWS + r) * GROUP_BYTES;
            acc[r] = vi_dot(acc[r], group, values);
        }
    }
    float sums[I8_TILE_ROWS * 16];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        for (int chain = 1; chain < chains; chain++) {
            acc[r] = vi_add(acc[r], acc[chain * rows + r]);
        }
        v_store(sums + 16 * r, vi_to_float(acc[r]));
    }
    finish(panel, i, rows, sums);
}

static void multiply(const attn_matmul_i8_panel *panel) {
    int64_t i = 0;
    for (; i + I8_TILE_ROWS <= panel->rows; i += I8_TILE_ROWS) {
        multiply_tile(I8_TILE_ROWS, I8_CHAINS(I8_TILE_ROWS), panel, i);
    }
#define REST(n)                                                                                    \
    case n:                                                                                        \
        multiply_tile(n, I8_CHAINS(n), panel, i);                                                  \
        break;
    switch (panel->rows - i) {
        REST(1)
        REST(2)
        REST(3)
#if I8_TILE_ROWS > 4
        REST(4)
        REST(5)
#endif
#if I8_TILE_ROWS > 6
        REST(6)
        REST(7)
        REST(8)
        REST(9)
        REST(10)
        REST(11)
#endif
    }
#undef REST
}

#endif

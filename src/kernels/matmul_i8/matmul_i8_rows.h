/* kernels/matmul_i8/matmul_i8_rows.h: what the 8-bit product does with rows before and after the
 * sums: A's become integers, C's get scales, bias, activation and residual.
 *
 * The same results as matmul_i8_ref.c. Include it after a verbs header, which
 * also gives these:
 *
 *     I8_TILE_ROWS        the most rows that are finished at a time
 *     I8_VALUE_BYTES      of an integer of A
 *     v_store_integers    writes sixteen of them */
#ifndef ATTN_KERNELS_MATMUL_I8_ROWS_H
#define ATTN_KERNELS_MATMUL_I8_ROWS_H

#include <string.h>

#include "kernels/matmul/epilogue16.h"
#include "kernels/matmul_i8/matmul_i8_kernels.h"

enum { GROUP_BYTES = I8_GROUP * I8_VALUE_BYTES };

/* The largest magnitude, and whether all are finite: 0 times an element is 0, or else NaN. */
static float matmul_i8_find_peak(int64_t k, const float *a, bool *finite) {
    v16 peak = v_zero(), zeros = v_zero();
    for (int64_t p = 0; p < k; p += I8_ROW_STEP) {
        v16 x = v_load_part(a + p, v_rest(k - p));
        peak = v_max(v_max(x, v_sub(v_zero(), x)), peak);
        zeros = v_fma(x, v_zero(), zeros);
    }
    *finite = v_sum(zeros) == 0.0f;
    return v_max_lane(peak);
}

static void matmul_i8_quantize_row(int64_t k, const float *a, void *q, int64_t step, float *scale) {
    bool finite;
    float peak = matmul_i8_find_peak(k, a, &finite);
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

/* What follows the sums of rows i and the next and panel n on, x[n * rows + r]. rows and panels are
 * constants in every call. */
V_INLINE void matmul_i8_finish(const int rows, const int panels, const attn_matmul_i8_panel *panel,
                               int64_t i, int first, v16 *x) {
#pragma GCC unroll 4
    for (int n = 0; n < panels; n++) {
        int64_t j = 16 * (first + n);
        v16 w_scale = v_load(panel->w_scale + j), bias = v_zero();
        if (panel->bias != NULL) {
            bias = v_load_part(panel->bias + j, v_rest(panel->columns - j));
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            v16 scaled = v_mul(x[n * rows + r], v_set1(panel->a_scale[i + r]));
            x[n * rows + r] = v_fma(scaled, w_scale, bias);
        }
    }
    epilogue_tile(rows, panels, &panel->epilogue, i, 16 * first, panel->columns - 16 * first,
                  panel->c, panel->c_row, x);
}

#endif

/* kernels/matmul_i8/matmul_i8_ref.c: the 8-bit product in plain C: the definition.
 *
 * Sums of integers are exact, so their order is free; the operations on floats are those of
 * attn/matmul_i8.h, one after another. M rows, N columns, K summed. Next: matmul_i8_body.h. */
#include "base/math.h"
#include "kernels/matmul_i8/matmul_i8_kernels.h"

static void matmul_i8_quantize_row(int64_t k, const real *a, void *out, int64_t step, real *scale) {
    int8_t *q = out;
    real peak = 0;
    bool finite = true;
    for (int64_t p = 0; p < k; p++) {
        real size = a[p] < 0 ? -a[p] : a[p];
        finite = finite && size < (real)INFINITY;
        peak = size > peak ? size : peak;
    }
    bool zero = peak < I8_LEAST_PEAK || !finite;
    real inverse = zero ? 0 : 127 / peak;
    *scale = !finite ? (real)NAN : zero ? 0 : peak / 127;
    for (int64_t p = 0; p < k; p++) {
        q[p / I8_GROUP * step + p % I8_GROUP] = zero ? 0 : (int8_t)real_rint(a[p] * inverse);
    }
    for (int64_t p = k; p % I8_ROW_STEP != 0; p++) {
        q[p / I8_GROUP * step + p % I8_GROUP] = 0;
    }
}

static int32_t matmul_i8_sum_products(const attn_matmul_i8_panel *panel, const int8_t *a, int j) {
    int32_t sum = 0;
    for (int64_t g = 0; g < panel->groups; g++) {
        const int8_t *w = panel->w + (g * LANES + j) * I8_GROUP;
        for (int p = 0; p < I8_GROUP; p++) {
            sum += a[g * I8_GROUP + p] * w[p];
        }
    }
    return sum;
}

static void matmul_i8_multiply(const attn_matmul_i8_panel *panel) {
    for (int64_t i = 0; i < panel->rows; i++) {
        const int8_t *a = (const int8_t *)panel->a + i * panel->a_bytes;
        for (int j = 0; j < panel->columns; j++) {
            real x = (real)matmul_i8_sum_products(panel, a, j) * panel->a_scale[i];
            x = real_fma(x, panel->w_scale[j], panel->bias != NULL ? panel->bias[j] : 0);
            panel->c[i * panel->c_row + j] =
                attn_matmul_epilogue_element(&panel->epilogue, panel->c_row, i, j, x);
        }
    }
}

const attn_matmul_i8_kernels attn_matmul_i8_ref = {
    .tile_rows = 1,
    .group_rows = 1,
    .tile_panels = 1,
    .value_bytes = 1,
    .quantize_row = matmul_i8_quantize_row,
    .multiply = matmul_i8_multiply,
};

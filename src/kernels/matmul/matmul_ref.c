/* kernels/matmul/matmul_ref.c: the matrix product in plain C: the definition.
 *
 * One chain of real_fma per element in the order of k, then the epilogue. M rows, N columns, K
 * summed. Next: matmul_body.h, the same over vectors. */
#include "kernels/matmul/matmul_kernels.h"

enum { TILE_ROWS = 4 };

static void matmul_pack_a(int64_t rows, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                          real *packed) {
    for (int64_t i = 0; i < rows; i += TILE_ROWS) {
        int64_t height = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
        for (int64_t p = 0; p < k; p++) {
            for (int64_t r = 0; r < height; r++) {
                *packed++ = a[(i + r) * a_row + p * a_col];
            }
        }
    }
}

static void matmul_pack_b(int64_t k, int columns, const real *b, int64_t b_row, int64_t b_col,
                          real *packed) {
    for (int64_t p = 0; p < k; p++) {
        for (int j = 0; j < LANES; j++) {
            packed[p * LANES + j] = j < columns ? b[p * b_row + j * b_col] : 0;
        }
    }
}

static void matmul_multiply(const attn_matmul_panel *panel) {
    for (int64_t i = 0; i < panel->rows; i++) {
        int64_t first = i / TILE_ROWS * TILE_ROWS;
        int64_t height = panel->rows - first < TILE_ROWS ? panel->rows - first : TILE_ROWS;
        const real *a = panel->a + first * panel->k + (i - first);
        for (int j = 0; j < panel->columns; j++) {
            real *c = &panel->c[i * panel->c_row + j];
            real sum = panel->from_c ? *c : 0;
            for (int64_t p = 0; p < panel->k; p++) {
                sum = real_fma(a[p * height], panel->b[p * panel->b_row + j], sum);
            }
            *c = panel->epilogue != NULL
                     ? attn_matmul_epilogue_element(panel->epilogue, panel->c_row, i, j, sum)
                     : sum;
        }
    }
}

const attn_matmul_kernels attn_matmul_ref = {
    .tile_rows = TILE_ROWS,
    .a_in_place = false,
    .tile_panels = 1,
    .pack_a = matmul_pack_a,
    .pack_b = matmul_pack_b,
    .multiply = matmul_multiply,
};

/* kernels/matmul/epilogue16.h: what follows the sums of every product, over vectors.
 *
 * The same operations as epilogue.h. Sums are finished in their registers where they are whole panels;
 * curved activations, which need registers of their own, and parts of panels go through memory. Include it after a
 * verbs header. */
#ifndef ATTN_KERNELS_MATMUL_EPILOGUE16_H
#define ATTN_KERNELS_MATMUL_EPILOGUE16_H

#include "kernels/isa/activation16.h"
#include "kernels/isa/part16.h"
#include "kernels/matmul/epilogue.h"

enum { EPILOGUE_MOST = 32 }; /* vectors of a tile */

#define FOR_ROWS(statement)                                                                        \
    _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++) {                                      \
        statement;                                                                                 \
    }

/* x[r] of row i + r, columns j to j + columns - 1 <= j + 15. rows and curved are constants in every call. */
V_INLINE void epilogue_rows(const int rows, const bool curved, const attn_matmul_epilogue *epilogue,
                            int64_t c_row, int64_t i, int64_t j, const int columns, v16 *x) {
    if (epilogue->bias != NULL) {
        v16 bias = v_load_part(epilogue->bias + j, columns);
        FOR_ROWS(x[r] = v_add(x[r], bias))
    }
    if (epilogue->pre_activation != NULL) {
        float *pre_activation = epilogue->pre_activation + i * c_row + j;
        FOR_ROWS(v_store_part(pre_activation + r * c_row, x[r], columns))
    }
    if (epilogue->activation == ATTN_ACTIVATION_RELU) {
        FOR_ROWS(x[r] = v_relu(x[r]))
    } else if (curved) {
        FOR_ROWS(x[r] = v_activate(epilogue->activation, x[r]))
    }
    if (epilogue->residual != NULL) {
        const float *residual = epilogue->residual + i * epilogue->residual_row + j;
        FOR_ROWS(x[r] = v_add(v_load_part(residual + r * epilogue->residual_row, columns), x[r]))
    }
}

/* Rows i to i + rows - 1 of C, of which c is the whole, from sums in memory; epilogue NULL: only stored.
 * The sums may be C's own. */
static __attribute__((noinline)) void epilogue_memory(const attn_matmul_epilogue *epilogue,
                                                      int64_t i, int64_t j, int rows, int columns,
                                                      const float *sums, int64_t sums_row, float *c,
                                                      int64_t c_row) {
    for (int r = 0; r < rows; r++) {
        v16 x = v_load(sums + r * sums_row);
        if (epilogue != NULL) {
            epilogue_rows(1, true, epilogue, c_row, i + r, j, columns, &x);
        }
        v_store_part(c + (i + r) * c_row + j, x, columns);
    }
}

/* Rows i and the next of C, columns from j on, of which there are `columns` or as many as the tile is wide,
 * from the sums acc[n * rows + r]. rows and panels are constants in every call. */
V_INLINE void epilogue_tile(const int rows, const int panels, const attn_matmul_epilogue *epilogue,
                            int64_t i, int64_t j, int64_t columns, float *c, int64_t c_row,
                            v16 *acc) {
    bool curved = epilogue != NULL && attn_activation_is_curved(epilogue->activation);
    if (columns >= 16 * panels && !curved) {
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            if (epilogue != NULL) {
                epilogue_rows(rows, false, epilogue, c_row, i, j + 16 * n, 16, acc + n * rows);
            }
            FOR_ROWS(v_store(c + (i + r) * c_row + j + 16 * n, acc[n * rows + r]))
        }
        return;
    }
    float sums[EPILOGUE_MOST * 16];
#pragma GCC unroll 32
    for (int n = 0; n < rows * panels; n++) {
        v_store(sums + 16 * n, acc[n]);
    }
    for (int n = 0; n < panels; n++) {
        epilogue_memory(epilogue, i, j + 16 * n, rows, v_rest(columns - 16 * n),
                        sums + n * rows * 16, 16, c, c_row);
    }
}
#undef FOR_ROWS

#endif

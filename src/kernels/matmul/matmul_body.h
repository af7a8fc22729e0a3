/* kernels/matmul/matmul_body.h: the matrix product over vectors; each instruction set includes it.
 *
 * The same chains as matmul_ref.c: V_TILE_ROWS rows of sixteen columns stay in registers for a
 * whole slice of k. Include it after a verbs header, isa/math16.h and isa/tile.h. */
#ifndef ATTN_KERNELS_MATMUL_BODY_H
#define ATTN_KERNELS_MATMUL_BODY_H

#include "kernels/matmul/matmul_kernels.h"

/* Rows that are packed together, so that a column of A is read in whole cache lines. */
enum { PACK_ROWS = 48 };

V_INLINE void pack_a_tile(const int rows, int64_t k, const float *a, int64_t a_row, int64_t a_col,
                          float *packed) {
    for (int64_t p = 0; p < k; p++) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            packed[p * rows + r] = a[r * a_row + p * a_col];
        }
    }
}

/* A transposed: one column of A after the other, PACK_ROWS at a time. */
static void pack_a_columns(int64_t rows, int64_t k, const float *a, int64_t a_col, float *packed) {
    for (int64_t p = 0; p < k; p++) {
        for (int64_t i = 0; i < rows; i += V_TILE_ROWS) {
            for (int r = 0; r < V_TILE_ROWS; r++) {
                packed[i * k + p * V_TILE_ROWS + r] = a[p * a_col + i + r];
            }
        }
    }
}

static void pack_a(int64_t rows, int64_t k, const float *a, int64_t a_row, int64_t a_col,
                   float *packed) {
    int64_t whole = rows / V_TILE_ROWS * V_TILE_ROWS;
    if (a_row == 1) {
        for (int64_t i = 0; i < whole; i += PACK_ROWS) {
            int64_t height = whole - i < PACK_ROWS ? whole - i : PACK_ROWS;
            pack_a_columns(height, k, a + i, a_col, packed + i * k);
        }
    } else if (a_col == 1) {
        for (int64_t i = 0; i < whole; i += V_TILE_ROWS) {
            pack_a_tile(V_TILE_ROWS, k, a + i * a_row, a_row, 1, packed + i * k);
        }
    } else {
        for (int64_t i = 0; i < whole; i += V_TILE_ROWS) {
            pack_a_tile(V_TILE_ROWS, k, a + i * a_row, a_row, a_col, packed + i * k);
        }
    }
    if (whole < rows) {
        pack_a_tile((int)(rows - whole), k, a + whole * a_row, a_row, a_col, packed + whole * k);
    }
}

static void pack_b(int64_t k, int columns, const float *b, int64_t b_row, int64_t b_col,
                   float *packed) {
    if (b_col == 1) {
        for (int64_t p = 0; p < k; p++) {
            const float *row = b + p * b_row;
            v_store(packed + 16 * p, columns == 16 ? v_load(row) : v_load_first(row, columns));
        }
        return;
    }
    for (int64_t p = 0; p < k; p++) {
        for (int j = 0; j < 16; j++) {
            packed[16 * p + j] = j < columns ? b[p * b_row + j * b_col] : 0;
        }
    }
}

V_INLINE v16 activate(attn_activation activation, v16 x) {
    switch (activation) {
    case ATTN_ACTIVATION_RELU:
        return v_relu(x);
    case ATTN_ACTIVATION_GELU:
        return v_gelu(x);
    case ATTN_ACTIVATION_NONE:
        break;
    }
    return x;
}

/* Stores `rows` rows of sums, from panel row i on, after the epilogue where there is one. */
static __attribute__((noinline)) void finish(const attn_matmul_panel *panel, int64_t i, int rows,
                                             const float *sums) {
    static const attn_matmul_epilogue nothing = {.activation = ATTN_ACTIVATION_NONE};
    const attn_matmul_epilogue *epilogue = panel->epilogue != NULL ? panel->epilogue : &nothing;
    int columns = panel->columns;
    v16 bias = epilogue->bias != NULL ? v_load_first(epilogue->bias, columns) : v_zero();
    for (int r = 0; r < rows; r++) {
        int64_t c_place = (i + r) * panel->c_row;
        v16 x = v_load(sums + 16 * r);
        if (epilogue->bias != NULL) {
            x = v_add(x, bias);
        }
        if (epilogue->pre_activation != NULL) {
            v_store_first(epilogue->pre_activation + c_place, x, columns);
        }
        x = activate(epilogue->activation, x);
        if (epilogue->residual != NULL) {
            const float *residual = epilogue->residual + (i + r) * epilogue->residual_row;
            x = v_add(v_load_first(residual, columns), x);
        }
        v_store_first(panel->c + c_place, x, columns);
    }
}

/* rows is a constant in every call. */
V_INLINE void multiply_tile(const int rows, const attn_matmul_panel *panel, int64_t i) {
    v16 acc[V_TILE_ROWS];
    float *c = panel->c + i * panel->c_row;
    int columns = panel->columns;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        const float *row = c + r * panel->c_row;
        __builtin_prefetch(row, 1);
        acc[r] = !panel->from_c  ? v_zero()
                 : columns == 16 ? v_load(row)
                                 : v_load_first(row, columns);
    }
    v_tile(rows, panel->k, panel->a + i * panel->k, 1, rows, panel->b, panel->b_row, acc);
    if (panel->epilogue == NULL && columns == 16) {
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            v_store(c + r * panel->c_row, acc[r]);
        }
        return;
    }
    float sums[V_TILE_ROWS * 16];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        v_store(sums + 16 * r, acc[r]);
    }
    finish(panel, i, rows, sums);
}

static void multiply_rest(const attn_matmul_panel *panel, int64_t i) {
#define TILE(n)                                                                                    \
    case n:                                                                                        \
        multiply_tile(n, panel, i);                                                                \
        break;
    switch (panel->rows - i) {
        TILE(1)
        TILE(2)
        TILE(3)
        TILE(4)
        TILE(5)
#if V_TILE_ROWS > 6
        TILE(6)
        TILE(7)
        TILE(8)
        TILE(9)
        TILE(10)
        TILE(11)
#endif
    }
#undef TILE
}

static void multiply(const attn_matmul_panel *panel) {
    int64_t i = 0;
    for (; i + V_TILE_ROWS <= panel->rows; i += V_TILE_ROWS) {
        multiply_tile(V_TILE_ROWS, panel, i);
    }
    multiply_rest(panel, i);
}

#endif

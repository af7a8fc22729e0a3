/* kernels/matmul/matmul_body.h: the matrix product over vectors; each instruction set includes it.
 *
 * The same chains as matmul_ref.c: a tile of rows and panels of sixteen columns stays in registers
 * for a whole slice of k. Include it after a verbs header. */
#ifndef ATTN_KERNELS_MATMUL_BODY_H
#define ATTN_KERNELS_MATMUL_BODY_H

#include <string.h>

#include "kernels/isa/constant.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul/epilogue16.h"
#include "kernels/matmul/matmul_kernels.h"

/* Rows that are packed together, so that a column of A is read in whole cache lines. */
enum { PACK_ROWS = 48, PACK_AHEAD = 16 };
/* Every A_AHEAD steps of k a tile of one panel asks for the next one's rows of A, a cache line of
 * each; with more panels it would only be in the way. Every B_AHEAD steps any tile asks for its
 * share of the panels that come next. */
enum { A_AHEAD = 16, B_AHEAD = 64, ASKS_AHEAD = V_TILE_PANELS == 1 };

/* packed[p][r] of one tile, p from `first` on; any strides. */
static void matmul_pack_tile(int rows, int64_t first, int64_t k, const float *a, int64_t a_row,
                             int64_t a_col, float *packed) {
    for (int64_t p = first; p < k; p++) {
        for (int r = 0; r < rows; r++) {
            packed[p * rows + r] = a[r * a_row + p * a_col];
        }
    }
}

/* V_TILE_ROWS contiguous rows. The last four rows may overlap those before. */
static void matmul_pack_tile_rows(int64_t k, const float *a, int64_t a_row, float *packed) {
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) {
        for (int r = 0; r < V_TILE_ROWS; r += 4) {
            int first = r + 4 <= V_TILE_ROWS ? r : V_TILE_ROWS - 4;
            v_transpose4(a + first * a_row + p, a_row, packed + p * V_TILE_ROWS + first,
                         V_TILE_ROWS);
        }
    }
    matmul_pack_tile(V_TILE_ROWS, p, k, a, a_row, 1, packed);
}

/* Whole tiles of contiguous columns. */
static void matmul_pack_columns(int64_t rows, int64_t k, const float *a, int64_t a_col,
                                float *packed) {
    for (int64_t p = 0; p < k; p++) {
        for (int64_t i = 0; i < rows; i += V_TILE_ROWS) {
            float *out = packed + i * k + p * V_TILE_ROWS;
            __builtin_prefetch(a + (p + PACK_AHEAD) * a_col + i);
            memcpy(out, a + p * a_col + i, V_TILE_ROWS * sizeof(float));
        }
    }
}

static void matmul_pack_a(int64_t rows, int64_t k, const float *a, int64_t a_row, int64_t a_col,
                          float *packed) {
    int64_t whole = rows / V_TILE_ROWS * V_TILE_ROWS;
    int64_t step = a_row == 1 ? PACK_ROWS : V_TILE_ROWS;
    for (int64_t i = 0; i < whole; i += step) {
        if (a_row == 1) {
            matmul_pack_columns(whole - i < step ? whole - i : step, k, a + i, a_col,
                                packed + i * k);
        } else if (a_col == 1) {
            matmul_pack_tile_rows(k, a + i * a_row, a_row, packed + i * k);
        } else {
            matmul_pack_tile(V_TILE_ROWS, 0, k, a + i * a_row, a_row, a_col, packed + i * k);
        }
    }
    matmul_pack_tile((int)(rows - whole), 0, k, a + whole * a_row, a_row, a_col,
                     packed + whole * k);
}

static void matmul_pack_b(int64_t k, int columns, const float *b, int64_t b_row, int64_t b_col,
                          float *packed) {
    int64_t p = 0;
    if (b_col == 1) {
        for (; p < k; p++) {
            const float *row = b + p * b_row;
            __builtin_prefetch(row + 16, 0, 2); /* for the next panel */
            v_store(packed + 16 * p, v_load_part(row, columns));
        }
    } else if (b_row == 1 && columns == 16) {
        for (; p + 8 <= k; p += 8) {
            v_transpose8(b + p, b_col, packed + 16 * p, 16);
            v_transpose8(b + p + 8 * b_col, b_col, packed + 16 * p + 8, 16);
        }
    }
    for (; p < k; p++) {
        for (int j = 0; j < 16; j++) {
            packed[16 * p + j] = j < columns ? b[p * b_row + j * b_col] : 0;
        }
    }
}

/* A cache line of each row: what A_AHEAD steps read. */
V_INLINE void matmul_prefetch_rows(const int rows, const float *a, int64_t a_row) {
#pragma GCC unroll 16
    for (int r = 0; ASKS_AHEAD && r < rows; r++) {
        __builtin_prefetch(a + r * a_row, 0, 3);
    }
}

/* Of the next panels of B the share of steps p .. p + count - 1 of the tile at row i, into the second cache:
 * each tile of rows, and each step of it, asks for as much. */
V_INLINE void matmul_prefetch_b(const int panels, const attn_matmul_panel *panel, int64_t i,
                                int64_t rows, int64_t p, int64_t count) {
    int64_t done = i * panel->k + p * rows, all = panel->rows;
    int64_t from = done / all, to = (done + count * rows) / all;
    for (int64_t line = from; line < to; line++) {
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            __builtin_prefetch(panel->b_next + n * panel->b_panel + line * 16, 0, 2);
        }
    }
}

/* rows, panels and packed are constants in every call. */
V_INLINE void matmul_multiply_tile(const int rows, const int panels, const bool packed,
                                   const attn_matmul_panel *panel, int64_t i) {
    v_tile_sums acc;
    float *c = panel->c + i * panel->c_row;
    const float *next = i + 2 * rows <= panel->rows ? c + rows * panel->c_row : c;
    int last_columns = panel->columns - 16 * (panels - 1);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            const float *row = c + r * panel->c_row + 16 * n;
            __builtin_prefetch(next + r * panel->c_row + 16 * n, 0, 3);
            int columns = n < panels - 1 ? 16 : last_columns;
            acc[n * rows + r] = panel->from_c ? v_load_part(row, columns) : v_zero();
        }
    }
    int64_t a_next = i + 2 * rows <= panel->rows ? rows : -i; /* or the first, for the next panel */
    int64_t step = ASKS_AHEAD ? A_AHEAD : panel->b_next != NULL ? B_AHEAD : panel->k;
    for (int64_t p = 0; p < panel->k; p += step) {
        int64_t k = panel->k - p < step ? panel->k - p : step;
        if (panel->b_next != NULL && p % B_AHEAD == 0) {
            int64_t ahead = panel->k - p < B_AHEAD ? panel->k - p : B_AHEAD;
            matmul_prefetch_b(panels, panel, i, rows, p, ahead);
        }
        const float *b = panel->b + p * panel->b_row;
        if (packed) {
            const int together = rows < V_TILE_ROWS ? rows : V_TILE_ROWS; /* as pack_a has them */
            const float *a = panel->a + i * panel->k + p * together;
            matmul_prefetch_rows(rows, a + a_next * panel->k, 16);
            v_tile(rows, panels, k, a, together * panel->k, 1, together, b, panel->b_row,
                   panel->b_panel, acc);
        } else {
            const float *a = panel->a + i * panel->a_row + p;
            matmul_prefetch_rows(rows, a + a_next * panel->a_row, panel->a_row);
            v_tile(rows, panels, k, a, V_TILE_ROWS * panel->a_row, panel->a_row, 1, b, panel->b_row,
                   panel->b_panel, acc);
        }
    }
    epilogue_tile(rows, panels, panel->epilogue, i, 0, panel->columns, panel->c, panel->c_row, acc);
}

V_INLINE void matmul_multiply_rows(const int panels, const bool packed,
                                   const attn_matmul_panel *panel) {
    int64_t i = 0;
    const int height = v_tile_rows(panels);
    for (; i + height <= panel->rows; i += height) {
        matmul_multiply_tile(height, panels, packed, panel, i);
    }
    if (height > V_TILE_ROWS && i + V_TILE_ROWS <= panel->rows) {
        matmul_multiply_tile(V_TILE_ROWS, panels, packed, panel, i);
        i += V_TILE_ROWS;
    }
    V_CONSTANT(panel->rows - i, V_TILE_ROWS - 1, rest,
               matmul_multiply_tile(rest, panels, packed, panel, i));
}

/* Each a function of its own: the constants make each long. */
#define MULTIPLY(panels)                                                                           \
    static                                                                                         \
        __attribute__((noinline)) void matmul_multiply_##panels(const attn_matmul_panel *panel) {  \
        if (panel->a_row == 0) {                                                                   \
            matmul_multiply_rows(panels, true, panel);                                             \
        } else {                                                                                   \
            matmul_multiply_rows(panels, false, panel);                                            \
        }                                                                                          \
    }
MULTIPLY(1)
#if V_TILE_PANELS > 1
MULTIPLY(2)
#endif
#if V_TILE_PANELS > 2
MULTIPLY(3)
MULTIPLY(4)
#endif
#undef MULTIPLY
_Static_assert(V_TILE_PANELS == 1 || V_TILE_PANELS == 2 || V_TILE_PANELS == 4, "as many as above");

static void matmul_multiply(const attn_matmul_panel *panel) {
    static void (*const multiply[])(const attn_matmul_panel *) = {
        matmul_multiply_1,
#if V_TILE_PANELS > 1
        matmul_multiply_2,
#endif
#if V_TILE_PANELS > 2
        matmul_multiply_3,
        matmul_multiply_4,
#endif
    };
    if (panel->columns > 0) {
        multiply[(panel->columns + 15) / 16 - 1](panel);
    }
}

static const attn_matmul_kernels matmul_kernels = {
    .tile_rows = V_TILE_ROWS,
    .a_in_place = true,
    .tile_panels = V_TILE_PANELS,
    .pack_a = matmul_pack_a,
    .pack_b = matmul_pack_b,
    .multiply = matmul_multiply,
};

#endif

/* kernels/matmul_bf16/matmul_bf16_body.h: the product with weights of bfloat16 over vectors; each
 * instruction set includes it.
 *
 * The chains of matmul_bf16_ref.c. Every element is one chain, and each link waits for the one before:
 * so that the processor has enough of them at once, few rows take several panels together. Include it
 * after a verbs header. */
#ifndef ATTN_KERNELS_MATMUL_BF16_BODY_H
#define ATTN_KERNELS_MATMUL_BF16_BODY_H

#include "kernels/isa/constant.h"
#include "kernels/isa/tile.h"
#include "kernels/matmul/epilogue16.h"
#include "kernels/matmul_bf16/matmul_bf16_kernels.h"

enum {
    BF16_MOST_PANELS = 4,
    BF16_AHEAD = 1024 /* values that are asked for before they are used */
};

/* A panel's row is widened for each tile, which takes as long as two multiply-adds: so tiles are
 * rather high than wide. Panels that `rows` rows take together: */
enum { BF16_TILE_ROWS = V_TILE_MOST_ROWS };
#define BF16_PANELS(rows)                                                                          \
    ((rows) == 1 ? 4 : (rows) <= BF16_TILE_ROWS / 2 || V_TILE_PANELS == 4 ? 2 : 1)

/* Nothing follows the sums. */
static bool matmul_bf16_is_plain(const attn_matmul_bf16_block *block) {
    const attn_matmul_epilogue *epilogue = &block->epilogue;
    return epilogue->bias == NULL && epilogue->activation == ATTN_ACTIVATION_NONE &&
           epilogue->residual == NULL;
}

/* rows and panels are constants in every call. */
V_INLINE void matmul_bf16_multiply_tile(const int rows, const int panels,
                                        const attn_matmul_bf16_block *block, int64_t i, int64_t j) {
    v16 acc[BF16_TILE_ROWS * 2 > BF16_MOST_PANELS ? BF16_TILE_ROWS * 2 : BF16_MOST_PANELS];
    int64_t k = block->k, a_row = block->a_row;
    const uint16_t *w = block->w + j * k;
    /* A pointer for every third row: more would not fit the integer registers. */
    const float *a[(BF16_TILE_ROWS + 2) / 3];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r += 3) {
        a[r / 3] = block->a + (i + r) * a_row;
    }
#pragma GCC unroll 32
    for (int n = 0; n < rows * panels; n++) {
        acc[n] = v_zero();
    }
#pragma GCC unroll 4
    for (int64_t p = 0; p < k; p++) {
        v16 w_p[BF16_MOST_PANELS];
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            const uint16_t *at = w + (n * k + p) * 16;
            w_p[n] = v_load_bf16(at);
            if (p % 2 == 0) { /* a cache line holds two */
                __builtin_prefetch(at + BF16_AHEAD, 0, 2);
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            v16 a_p = v_set1(a[r / 3][r % 3 * a_row + p]);
#pragma GCC unroll 4
            for (int n = 0; n < panels; n++) {
                acc[n * rows + r] = v_fma(a_p, w_p[n], acc[n * rows + r]);
            }
        }
    }
    epilogue_tile(rows, panels, &block->epilogue, i, j, block->columns - j, block->c, block->c_row,
                  acc);
}

/* Columns j and the next of `rows` rows, as many as BF16_PANELS says; returns how many those were. */
V_INLINE int64_t matmul_bf16_multiply_columns(const int rows, const attn_matmul_bf16_block *block,
                                              int64_t i, int64_t j) {
    const int panels = BF16_PANELS(rows);
    if (j + 16 * (panels - 1) < block->columns) {
        matmul_bf16_multiply_tile(rows, panels, block, i, j);
        return 16 * panels;
    }
    matmul_bf16_multiply_tile(rows, 1, block, i, j);
    return 16;
}

/* ---- many rows ---- */

/* Many rows share the widening: WIDE_STEPS steps of k of V_TILE_PANELS panels become float, in memory
 * that stays in the first cache, and C carries the chain from piece to piece. With fewer rows it is
 * as fast to wait for W and to multiply at the same time. */
enum { WIDE_ROWS = 48, WIDE_STEPS = 128, WIDE_COLUMNS = 16 * V_TILE_PANELS };

typedef float wide_panels[V_TILE_PANELS][WIDE_STEPS * 16];

static void matmul_bf16_widen(const attn_matmul_bf16_block *block, int64_t j, int64_t first,
                              int64_t steps, wide_panels wide) {
    for (int n = 0; n < V_TILE_PANELS; n++) {
        const uint16_t *w = block->w + ((j + 16 * n) * block->k + first * 16);
        for (int64_t p = 0; p < steps; p++) {
            __builtin_prefetch(w + 16 * p + BF16_AHEAD, 0, 2);
            v_store(wide[n] + 16 * p, v_load_bf16(w + 16 * p));
        }
    }
}

/* `rows` rows from i on, a constant, columns j to j + WIDE_COLUMNS - 1, steps first to first + steps - 1. */
V_INLINE void matmul_bf16_add_wide(const int rows, const attn_matmul_bf16_block *block, int64_t i,
                                   int64_t j, int64_t first, int64_t steps, wide_panels wide) {
    v_tile_sums acc;
    float *c = block->c + i * block->c_row + j;
#pragma GCC unroll 32
    for (int n = 0; n < rows * V_TILE_PANELS; n++) {
        const float *at = c + n % rows * block->c_row + n / rows * 16;
        acc[n] = first > 0 ? v_load(at) : v_zero();
    }
    v_tile(rows, V_TILE_PANELS, steps, block->a + i * block->a_row + first,
           V_TILE_ROWS * block->a_row, block->a_row, 1, wide[0], 16, WIDE_STEPS * 16, acc);
#pragma GCC unroll 32
    for (int n = 0; n < rows * V_TILE_PANELS; n++) {
        v_store(c + n % rows * block->c_row + n / rows * 16, acc[n]);
    }
}

static void matmul_bf16_add_wide_rows(const attn_matmul_bf16_block *block, int64_t j, int64_t first,
                                      int64_t steps, wide_panels wide) {
    int64_t i = 0;
    for (; i + V_TILE_ROWS <= block->rows; i += V_TILE_ROWS) {
        matmul_bf16_add_wide(V_TILE_ROWS, block, i, j, first, steps, wide);
    }
    V_CONSTANT(block->rows - i, V_TILE_ROWS - 1, rest,
               matmul_bf16_add_wide(rest, block, i, j, first, steps, wide));
}

/* WIDE_COLUMNS columns from j on. What follows the sums finds them in C. */
static void matmul_bf16_multiply_wide(const attn_matmul_bf16_block *block, int64_t j) {
    wide_panels wide;
    for (int64_t first = 0; first < block->k; first += WIDE_STEPS) {
        int64_t steps = block->k - first < WIDE_STEPS ? block->k - first : WIDE_STEPS;
        matmul_bf16_widen(block, j, first, steps, wide);
        matmul_bf16_add_wide_rows(block, j, first, steps, wide);
    }
    for (int64_t n = j; n < j + WIDE_COLUMNS && !matmul_bf16_is_plain(block); n += 16) {
        epilogue_memory(&block->epilogue, 0, n, (int)block->rows, 16, block->c + n, block->c_row,
                        block->c, block->c_row);
    }
}

/* ---- a block ---- */

/* The columns from j on of `rows` rows. */
V_INLINE void matmul_bf16_multiply_rows(const int rows, const attn_matmul_bf16_block *block,
                                        int64_t i, int64_t j) {
    while (j < block->columns) {
        j += matmul_bf16_multiply_columns(rows, block, i, j);
    }
}

/* Panels stay in the cache for all whole tiles of rows; the rows that are left come after. */
static void matmul_bf16_multiply(const attn_matmul_bf16_block *block) {
    int64_t whole = block->rows / BF16_TILE_ROWS * BF16_TILE_ROWS, wide = 0, columns = 0;
    if (block->rows >= WIDE_ROWS && block->k > 0 && block->epilogue.residual != block->c) {
        for (; wide + WIDE_COLUMNS <= block->columns; wide += WIDE_COLUMNS) {
            matmul_bf16_multiply_wide(block, wide);
        }
    }
    for (int64_t j = wide; whole > 0 && j < block->columns; j += columns) {
        for (int64_t i = 0; i < whole; i += BF16_TILE_ROWS) {
            columns = matmul_bf16_multiply_columns(BF16_TILE_ROWS, block, i, j);
        }
    }
    V_CONSTANT(block->rows - whole, BF16_TILE_ROWS - 1, rest,
               matmul_bf16_multiply_rows(rest, block, whole, wide));
}

static const attn_matmul_bf16_kernels matmul_bf16_kernels = {
    .tile_rows = BF16_TILE_ROWS,
    .multiply = matmul_bf16_multiply,
};

#endif

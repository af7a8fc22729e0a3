/* kernels/matmul_bf16/matmul_bf16_body.h: the product with weights of bfloat16 over vectors; each
 * instruction set includes it.
 *
 * The chains of matmul_bf16_ref.c. Every element is one chain, and each link waits for the one before:
 * so that the processor has enough of them at once, few rows take several panels together. Include it
 * after a verbs header, isa/math16.h and isa/part16.h. */
#ifndef ATTN_KERNELS_MATMUL_BF16_BODY_H
#define ATTN_KERNELS_MATMUL_BF16_BODY_H

#include "kernels/matmul_bf16/matmul_bf16_kernels.h"

enum { MOST_PANELS = 4, AHEAD = 1024 /* values that are asked for before they are used */ };

/* Panels that `rows` rows take together. */
#define PANELS(rows) ((rows) == 1 ? 4 : (rows) <= V_TILE_ROWS / 2 || V_TILE_PANELS == 2 ? 2 : 1)

/* x = f(x) for each of the tile's rows. */
#define FOR_ROWS(statement)                                                                        \
    for (int r = 0; r < rows; r++) {                                                               \
        v16 x = v_load(sums + 16 * r);                                                             \
        statement;                                                                                 \
    }

/* What follows the sums of `rows` rows, block row i and the next, columns j to j + 15. */
static __attribute__((noinline)) void finish(const attn_matmul_bf16_block *block, int64_t i,
                                             int64_t j, int rows, float *sums) {
    int columns = v_rest(block->columns - j);
    if (block->bias != NULL) {
        v16 bias = v_load_part(block->bias + j, columns);
        FOR_ROWS(v_store(sums + 16 * r, v_add(x, bias)))
    }
    if (block->activation == ATTN_ACTIVATION_RELU) {
        FOR_ROWS(v_store(sums + 16 * r, v_relu(x)))
    } else if (block->activation == ATTN_ACTIVATION_GELU) {
        FOR_ROWS(v_store(sums + 16 * r, v_gelu(x)))
    }
    if (block->residual != NULL) {
        const float *residual = block->residual + i * block->residual_row + j;
        FOR_ROWS(v16 before = v_load_part(residual + r * block->residual_row, columns);
                 v_store(sums + 16 * r, v_add(before, x)))
    }
    float *c = block->c + i * block->c_row + j;
    FOR_ROWS(v_store_part(c + r * block->c_row, x, columns))
}
#undef FOR_ROWS

/* rows and panels are constants in every call. */
V_INLINE void multiply_tile(const int rows, const int panels, const attn_matmul_bf16_block *block,
                            int64_t i, int64_t j) {
    v16 acc[V_TILE_ROWS * 2 > MOST_PANELS ? V_TILE_ROWS * 2 : MOST_PANELS];
    int64_t k = block->k, a_row = block->a_row;
    const uint16_t *w = block->w + j * k;
    /* A pointer for every third row: more would not fit the integer registers. */
    const float *a[(V_TILE_ROWS + 2) / 3];
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
        v16 w_p[MOST_PANELS];
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            const uint16_t *at = w + (n * k + p) * 16;
            w_p[n] = v_load_bf16(at);
            if (p % 2 == 0) { /* a cache line holds two */
                __builtin_prefetch(at + AHEAD, 0, 2);
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
    bool plain = block->bias == NULL && block->activation == ATTN_ACTIVATION_NONE &&
                 block->residual == NULL && j + 16 * panels <= block->columns;
#pragma GCC unroll 4
    for (int n = 0; n < panels; n++) {
        if (plain) {
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                v_store(block->c + (i + r) * block->c_row + j + 16 * n, acc[n * rows + r]);
            }
            continue;
        }
        float sums[V_TILE_ROWS * 16];
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            v_store(sums + 16 * r, acc[n * rows + r]);
        }
        finish(block, i, j + 16 * n, rows, sums);
    }
}

/* Columns j and the next of `rows` rows, as many as PANELS says; returns how many those were. */
V_INLINE int64_t multiply_columns(const int rows, const attn_matmul_bf16_block *block, int64_t i,
                                  int64_t j) {
    const int panels = PANELS(rows);
    if (j + 16 * (panels - 1) < block->columns) {
        multiply_tile(rows, panels, block, i, j);
        return 16 * panels;
    }
    multiply_tile(rows, 1, block, i, j);
    return 16;
}

/* All columns of `rows` rows. */
V_INLINE void multiply_rows(const int rows, const attn_matmul_bf16_block *block, int64_t i) {
    for (int64_t j = 0; j < block->columns;) {
        j += multiply_columns(rows, block, i, j);
    }
}

/* Panels stay in the cache for all whole tiles of rows; the rows that are left come after. */
static void multiply(const attn_matmul_bf16_block *block) {
    int64_t whole = block->rows / V_TILE_ROWS * V_TILE_ROWS, columns = 0;
    for (int64_t j = 0; whole > 0 && j < block->columns; j += columns) {
        for (int64_t i = 0; i < whole; i += V_TILE_ROWS) {
            columns = multiply_columns(V_TILE_ROWS, block, i, j);
        }
    }
#define REST(n)                                                                                    \
    case n:                                                                                        \
        multiply_rows(n, block, whole);                                                            \
        break;
    switch (block->rows - whole) {
        REST(1)
        REST(2)
        REST(3)
        REST(4)
        REST(5)
#if V_TILE_ROWS > 6
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

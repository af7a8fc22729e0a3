/* kernels/matmul/matmul_kernels.h: what an instruction set provides for the matrix product.
 *
 * The driver (matmul.c) cuts C into blocks of rows and panels of 16 columns, and k into slices; a
 * kernel packs operands and multiplies one block of rows by as many panels as its tile is wide. M
 * rows, N columns, K summed.
 * Next: matmul_ref.c, the definition; matmul_body.h, the vector form. */
#ifndef ATTN_KERNELS_MATMUL_KERNELS_H
#define ATTN_KERNELS_MATMUL_KERNELS_H

#include <stdbool.h>

#include "kernels/matmul/epilogue.h"

/* C[rows, columns] = or += A[rows, k] B[k, columns], columns <= 16 * tile_panels. */
typedef struct attn_matmul_panel {
    int64_t rows, k;
    int columns;
    const real *a; /* rows of contiguous values a_row apart, or packed by pack_a: a_row = 0 */
    int64_t a_row;
    const real *b; /* b[j / 16 * b_panel + p * b_row + j % 16]; sixteen may be read of every row */
    int64_t b_row, b_panel;
    const real *b_next; /* packed panels that come after these, to be asked for; NULL: none */
    real *c;
    int64_t c_row;
    bool from_c;                          /* go on from C's old values; else start from 0 */
    const attn_matmul_epilogue *epilogue; /* NULL: none, or not the last slice of k */
} attn_matmul_panel;

typedef struct attn_matmul_kernels {
    int tile_rows;   /* rows that are packed together, and the least that blocks are cut into */
    bool a_in_place; /* contiguous rows of A are as fast unpacked */
    int tile_panels; /* panels of 16 columns that are multiplied at once */

    /* packed[i / tile_rows][p][i % tile_rows] = a[i * a_row + p * a_col]; the last panel holds only
     * the rows that are left, side by side: rows * k values in all. */
    void (*pack_a)(int64_t rows, int64_t k, const real *a, int64_t a_row, int64_t a_col,
                   real *packed);
    /* One panel: packed[p][j] = j < columns ? b[p * b_row + j * b_col] : 0, 16 * k values. */
    void (*pack_b)(int64_t k, int columns, const real *b, int64_t b_row, int64_t b_col,
                   real *packed);
    void (*multiply)(const attn_matmul_panel *panel);
} attn_matmul_kernels;

extern const attn_matmul_kernels attn_matmul_ref; /* plain C: the definition */

#endif

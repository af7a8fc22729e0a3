/* kernels/matmul_i8/matmul_i8_kernels.h: what an instruction set provides for the 8-bit product.
 *
 * The weights lie in panels of 16 columns, k in groups of 4: packed[n/16][k/4][n%16][k%4], so that
 * a group of a panel is 64 bytes, four products for each of 16 sums; what is missing at the edges
 * is 0. A kernel turns rows of A into the integers it likes best and multiplies rows by several
 * panels. The integers lie as they are read: a[m/T][k/4][m%T][k%4], T being group_rows. M rows, N
 * columns, K summed. Next: matmul_i8_ref.c, the definition; matmul_i8_body.h. */
#ifndef ATTN_KERNELS_MATMUL_I8_KERNELS_H
#define ATTN_KERNELS_MATMUL_I8_KERNELS_H

#include "attn/matmul_i8.h"
#include "kernels/matmul/epilogue.h"

enum {
    I8_GROUP = 4,     /* of k: what one instruction sums */
    I8_ROW_STEP = 16, /* values of A that a kernel writes at a time */
    I8_ROW_ROOM = 64, /* and that it may read at a time; what is beyond K means nothing */
};
/* Where the definition calls a row of A zero: its inverse scale might not be a float. */
#define I8_LEAST_PEAK ((real)0x1p-120)

/* C[rows, columns] from rows of integers and panels, columns <= 16 * tile_panels; pointers already
 * stand at this block's first row and the first panel's first column. */
typedef struct attn_matmul_i8_panel {
    int64_t rows, groups; /* groups of k */
    int columns;
    const void *a;   /* whole tiles of rows, and at last one of which some rows are there */
    int64_t a_bytes; /* of a row: of K rounded up to a multiple of I8_ROW_ROOM */
    const real *a_scale;
    const int8_t *w;       /* [panels][groups][16][4] */
    const real *w_scale;   /* [panels][16] */
    const int32_t *w_sums; /* [panels][16]: the sum over k of the weights of a column */
    real *c;
    int64_t c_row;
    const real *bias;              /* added as the sum is scaled; NULL: 0 */
    attn_matmul_epilogue epilogue; /* the rest, without bias */
} attn_matmul_i8_panel;

typedef struct attn_matmul_i8_kernels {
    int tile_rows;   /* rows of sums that are kept in registers at a time */
    int group_rows;  /* rows of A whose groups lie side by side: as many, or 1 */
    int tile_panels; /* panels of 16 columns that a call multiplies */
    int value_bytes; /* of an integer of A */
    /* One row of A: k values, and zeros up to a multiple of I8_ROW_STEP, each group `step` bytes
     * after the one before; and its scale. */
    void (*quantize_row)(int64_t k, const real *a, void *q, int64_t step, real *scale);
    void (*multiply)(const attn_matmul_i8_panel *panel);
} attn_matmul_i8_kernels;

extern const attn_matmul_i8_kernels attn_matmul_i8_ref; /* plain C: the definition */

#endif

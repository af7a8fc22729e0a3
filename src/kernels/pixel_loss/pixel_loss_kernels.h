/* kernels/pixel_loss/pixel_loss_kernels.h: what an instruction set provides for pixels' classes: a
 * block of at most sixteen rows, held transposed, class by class, so that each row is a lane.
 *
 * V classes. turned[v * 16 + r] belongs to row r. pixel_loss.c makes losses of them. Definition:
 * pixel_loss_ref.c. */
#ifndef ATTN_KERNELS_PIXEL_LOSS_KERNELS_H
#define ATTN_KERNELS_PIXEL_LOSS_KERNELS_H

#include "base/real.h"

/* Per row: the largest x, sum of exp(x - max), sum of x - max. Rows beyond the block: undefined. */
typedef struct attn_pixel_sums {
    real max[LANES], power[LANES], shifted[LANES];
} attn_pixel_sums;

typedef struct attn_pixel_loss_kernels {
    /* turned receives exp(x - max). x: [rows, V]. */
    void (*powers)(int rows, int64_t classes, const real *x, real *turned, attn_pixel_sums *sums);
    /* y[r, v] = fma(turned[v, r], factor[r], offset[r]); turned may be overwritten. */
    void (*affine)(int rows, int64_t classes, real *turned, const real factor[LANES],
                   const real offset[LANES], real *y);
    /* index[r] = the first v with the largest x[r, v]. turned is room for V * 16. */
    void (*largest)(int rows, int64_t classes, const real *x, real *turned, real index[LANES]);
} attn_pixel_loss_kernels;

extern const attn_pixel_loss_kernels attn_pixel_loss_ref; /* plain C: the definition */

#endif

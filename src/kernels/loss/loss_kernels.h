/* kernels/loss/loss_kernels.h: what an instruction set provides for the loss: passes over one row.
 *
 * V classes. kernels/loss/loss.c makes losses of them. Definition: loss_ref.c. */
#ifndef ATTN_KERNELS_LOSS_KERNELS_H
#define ATTN_KERNELS_LOSS_KERNELS_H

#include "base/real.h"

typedef struct attn_loss_sums {
    real power;   /* sum of exp(x - max) */
    real shifted; /* sum of x - max */
} attn_loss_sums;

typedef struct attn_loss_kernels {
    /* The largest x; NaN is passed over; no classes: -infinity. */
    real (*row_max)(int64_t classes, const real *x);
    /* 16 lanes and lanes_sum; power receives exp(x - max), may be x, NULL: not wanted. */
    attn_loss_sums (*row_sums)(int64_t classes, const real *x, real max, real *power);
    /* x = fma(x, factor, offset) */
    void (*row_affine)(int64_t classes, real factor, real offset, real *x);
    /* x = (x - first) - second */
    void (*row_less)(int64_t classes, real first, real second, real *x);
} attn_loss_kernels;

extern const attn_loss_kernels attn_loss_ref; /* plain C: the definition */

#endif

/* kernels/group_norm/group_norm_kernels.h: what an instruction set provides for group
 * normalization: passes over some rows of C channels, one chain a channel in the order of the rows.
 *
 * Per-channel arrays have C values. Definition: group_norm_ref.c. */
#ifndef ATTN_KERNELS_GROUP_NORM_KERNELS_H
#define ATTN_KERNELS_GROUP_NORM_KERNELS_H

#include <stdbool.h>

#include "base/real.h"

/* What the two passes of the backward read of some rows. d is d_y; with a beta, which says that a
 * relu followed, it is 0 where fma(x - mean[c], scale[c], beta[c]) is not above 0. */
typedef struct attn_group_norm_rows {
    int64_t rows, channels;
    const real *x, *d_y;
    const real *mean, *scale, *beta; /* beta may be NULL */
} attn_group_norm_rows;

typedef struct attn_group_norm_kernels {
    /* sum[c] = sum of x */
    void (*sums)(int64_t rows, int64_t channels, const real *x, real *sum);
    /* sum[c] = sum of (x - mean[c])^2 */
    void (*squares)(int64_t rows, int64_t channels, const real *x, const real *mean, real *sum);
    /* y = fma(x - mean[c], scale[c], shift[c]); y may be x */
    void (*apply)(int64_t rows, int64_t channels, const real *x, const real *mean,
                  const real *scale, const real *shift, real *y);
    /* sum[c] = sum of d;  product[c] = sum of d * (x - mean[c]) */
    void (*gradient_sums)(const attn_group_norm_rows *rows, real *sum, real *product);
    /* d_x = (accumulate ? d_x : 0) + fma(d, scale[c], fma(x - mean[c], slope[c], shift[c])) */
    void (*gradient)(const attn_group_norm_rows *rows, const real *slope, const real *shift,
                     bool accumulate, real *d_x);
} attn_group_norm_kernels;

extern const attn_group_norm_kernels attn_group_norm_ref; /* plain C: the definition */

#endif

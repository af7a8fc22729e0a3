/* kernels/norm/norm.h: layer normalization over rows.
 *
 *     y[r, c] = (x[r, c] - mean[r]) * rstd[r] * gamma[c] + beta[c],  rstd = 1 / sqrt(variance +
 * epsilon)
 *
 * Not centred (RMSNorm), the mean counts as 0: rstd = 1 / sqrt(mean of squares + epsilon).
 *
 * Sums along a row are 16 lanes (c % 16) and lanes_sum; the variance is the mean of squared
 * differences. Sums over rows (d_gamma, d_beta) are one chain per channel in the order of the rows.
 * Rows are contiguous, C apart. Threaded. Source: Ba et al. 2016; RMSNorm: Zhang and Sennrich 2019. */
#ifndef ATTN_KERNELS_NORM_H
#define ATTN_KERNELS_NORM_H

#include <stdbool.h>

#include "base/real.h"

/* y may be x. beta may be NULL: 0. mean and rstd: [rows], each may be NULL when no backward follows. */
void attn_norm_forward(int64_t rows, int64_t channels, const real *x, const real *gamma,
                       const real *beta, real epsilon, bool centred, real *y, real *mean,
                       real *rstd);
/* d_x, d_gamma, d_beta are added to; each may be NULL. */
void attn_norm_backward(int64_t rows, int64_t channels, const real *x, const real *gamma,
                        const real *mean, const real *rstd, const real *d_y, real *d_x,
                        real *d_gamma, real *d_beta, bool centred);

#endif

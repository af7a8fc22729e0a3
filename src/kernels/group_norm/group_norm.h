/* kernels/group_norm/group_norm.h: group normalization over pictures.
 *
 *     y[r, c] = (x[r, c] - mean) / sqrt(variance + epsilon) * gamma[c] + beta[c]
 *
 * with mean and variance over all R pixels of a picture and the C / G channels of c's group. A sum
 * over pixels is, for each channel, one chain over 64 rows, and these chains added in double in
 * their order; then the channels of the group in theirs. So a picture's result depends on neither
 * threads nor batch. Threaded. Source: Wu and He 2018. Next: group_norm_kernels.h. */
#ifndef ATTN_KERNELS_GROUP_NORM_H
#define ATTN_KERNELS_GROUP_NORM_H

#include "attn/matmul.h"
#include "base/memory.h"
#include "base/real.h"

typedef struct attn_group_norm_shape {
    int64_t batch, pixels, channels, groups; /* B, R, C, G; G divides C */
} attn_group_norm_shape;

/* y = activation(norm(x)). y may be x. mean and rstd: [B, G], written. pre_activation: like y,
 * receives norm(x); NULL when not wanted; may be y without an activation. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_group_norm_forward(const attn_group_norm_shape *shape,
                                                    const real *x, const real *gamma,
                                                    const real *beta, real epsilon,
                                                    attn_activation activation, real *y, real *mean,
                                                    real *rstd, real *pre_activation,
                                                    attn_scratch *scratch);
/* What the backward reads, and where it writes. */
typedef struct attn_group_norm_gradient {
    const real *x, *gamma, *beta, *mean, *rstd; /* as the forward had them */
    const real *d_y; /* the gradient by norm(x); with relu, by relu(norm(x)) */
    bool relu;
    real *d_x;
    bool accumulate;        /* d_x is added to; else written */
    real *d_gamma, *d_beta; /* added to */
} attn_group_norm_gradient;

ATTN_MUST_CHECK attn_status attn_group_norm_backward(const attn_group_norm_shape *shape,
                                                     const attn_group_norm_gradient *gradient,
                                                     attn_scratch *scratch);

#endif

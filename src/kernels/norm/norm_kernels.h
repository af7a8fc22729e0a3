/* kernels/norm/norm_kernels.h: what an instruction set provides for layer normalization.
 *
 * R rows, C channels. Each function runs on one thread; kernels/norm/norm.c cuts the work. The
 * definition, step by step, is kernels/norm/norm_ref.c. */
#ifndef ATTN_KERNELS_NORM_KERNELS_H
#define ATTN_KERNELS_NORM_KERNELS_H

#include <stdbool.h>

#include "base/real.h"

typedef struct attn_norm_kernels {
    /* As attn_norm_forward. */
    void (*forward)(int64_t rows, int64_t channels, const real *x, const real *gamma,
                    const real *beta, real epsilon, bool centred, real *y, real *mean, real *rstd);
    /* d_x += the gradient by x. */
    void (*backward_input)(int64_t rows, int64_t channels, const real *x, const real *gamma,
                           const real *mean, const real *rstd, const real *d_y, real *d_x,
                           bool centred);
    /* d_gamma and d_beta (each may be NULL) of `channels` columns of rows that are `stride` apart.
     */
    void (*backward_parameters)(int64_t rows, int64_t channels, int64_t stride, const real *x,
                                const real *mean, const real *rstd, const real *d_y, real *d_gamma,
                                real *d_beta);
} attn_norm_kernels;

extern const attn_norm_kernels attn_norm_ref; /* plain C: the definition */

#endif

/* kernels/optimizer/optimizer_kernels.h: what an instruction set provides for the optimizer.
 *
 * Each function runs on one thread; kernels/optimizer/optimizer.c cuts the work. Definition:
 * optimizer_ref.c. */
#ifndef ATTN_KERNELS_OPTIMIZER_KERNELS_H
#define ATTN_KERNELS_OPTIMIZER_KERNELS_H

#include "base/real.h"

/* What attn_adam and the step come down to. */
typedef struct attn_adam_factors {
    real gradient;              /* gradient_scale */
    real beta1, one_less_beta1; /* b1, 1 - b1 */
    real beta2, one_less_beta2;
    real step;       /* lr / (1 - b1^t) */
    real correction; /* 1 / (1 - b2^t) */
    real epsilon;
    real decay; /* lr * weight_decay */
} attn_adam_factors;

typedef struct attn_optimizer_kernels {
    void (*adam)(int64_t count, const attn_adam_factors *factors, const real *gradient, real *m,
                 real *v, real *weight);
    /* 16 lanes and lanes_sum */
    real (*sum_squares)(int64_t count, const real *values);
} attn_optimizer_kernels;

extern const attn_optimizer_kernels attn_optimizer_ref; /* plain C: the definition */

#endif

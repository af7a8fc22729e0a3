/* kernels/optimizer/optimizer.h: Adam and the norm of the gradient, over flat arrays.
 *
 * Source: Kingma and Ba 2015; decoupled weight decay: Loshchilov and Hutter 2019. */
#ifndef ATTN_KERNELS_OPTIMIZER_H
#define ATTN_KERNELS_OPTIMIZER_H

#include "base/real.h"

typedef struct attn_adam {
    real learning_rate, beta1, beta2, epsilon, weight_decay;
    int64_t step; /* 1 for the first update; for the bias correction, computed in double without
                     libm's pow */
} attn_adam;

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 -
 * b2^t)) + eps)
 * + lr * decay * w. g is multiplied by gradient_scale first (clipping). Threaded; the same bits
 * however it is cut. */
void attn_adam_update(int64_t count, const attn_adam *adam, real gradient_scale,
                      const real *gradient, real *m, real *v, real *weight);
/* Sum of squares: 16 lanes and lanes_sum inside chunks of 4,096 elements at fixed places, the
 * chunks added in double in order. NaN or infinity in the gradient shows in the result. Threaded.
 */
double attn_sum_squares(int64_t count, const real *values);

#endif

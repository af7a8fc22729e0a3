/* kernels/optimizer/optimizer_ref.c: Adam and the sum of squares in plain C: the definition. */
#include "kernels/optimizer/optimizer_kernels.h"

static void optimizer_adam(int64_t count, const attn_adam_factors *f, const real *gradient, real *m,
                           real *v, real *weight) {
    for (int64_t i = 0; i < count; i++) {
        real g = gradient[i] * f->gradient;
        m[i] = real_fma(f->beta1, m[i], f->one_less_beta1 * g);
        v[i] = real_fma(f->beta2, v[i], (f->one_less_beta2 * g) * g);
        real direction = m[i] / (real_sqrt(v[i] * f->correction) + f->epsilon);
        real decayed = real_fma(-f->decay, weight[i], weight[i]);
        weight[i] = real_fma(-f->step, direction, decayed);
    }
}

static real optimizer_sum_squares(int64_t count, const real *values) {
    real sum[LANES] = {0};
    for (int64_t i = 0; i < count; i++) {
        sum[i % LANES] = real_fma(values[i], values[i], sum[i % LANES]);
    }
    return lanes_sum(sum);
}

const attn_optimizer_kernels attn_optimizer_ref = {
    .adam = optimizer_adam,
    .sum_squares = optimizer_sum_squares,
};

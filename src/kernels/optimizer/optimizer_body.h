/* kernels/optimizer/optimizer_body.h: Adam and the sum of squares over the verbs of any
 * instruction set.
 *
 * Include it after a verbs header and math16.h. Each function repeats optimizer_ref.c. */
#include "kernels/isa/part16.h"
#include "kernels/optimizer/optimizer_kernels.h"

V_INLINE void optimizer_adam_step(const attn_adam_factors *f, const float *gradient, float *m,
                                  float *v, float *weight, int n) {
    v16 g = v_mul(v_load_part(gradient, n), v_set1(f->gradient));
    v16 m16_new = v_fma(v_set1(f->beta1), v_load_part(m, n), v_mul(v_set1(f->one_less_beta1), g));
    v16 v16_new =
        v_fma(v_set1(f->beta2), v_load_part(v, n), v_mul(v_mul(v_set1(f->one_less_beta2), g), g));
    v16 root = v_sqrt(v_mul(v16_new, v_set1(f->correction)));
    v16 direction = v_div(m16_new, v_add(root, v_set1(f->epsilon)));
    v16 old = v_load_part(weight, n);
    v16 decayed = v_fma(v_set1(-f->decay), old, old);
    v_store_part(m, m16_new, n);
    v_store_part(v, v16_new, n);
    v_store_part(weight, v_fma(v_set1(-f->step), direction, decayed), n);
}

static void optimizer_adam(int64_t count, const attn_adam_factors *factors, const float *gradient,
                           float *m, float *v, float *weight) {
    const attn_adam_factors f = *factors; /* a copy that no store can change */
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        optimizer_adam_step(&f, gradient + i, m + i, v + i, weight + i, 16);
    }
    if (i < count) {
        optimizer_adam_step(&f, gradient + i, m + i, v + i, weight + i, (int)(count - i));
    }
}

static float optimizer_sum_squares(int64_t count, const float *values) {
    v16 sum = v_zero();
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        v16 x = v_load(values + i);
        sum = v_fma(x, x, sum);
    }
    if (i < count) {
        v16 x = v_load_first(values + i, (int)(count - i));
        sum = v_fma(x, x, sum);
    }
    return v_sum(sum);
}

static const attn_optimizer_kernels optimizer_kernels = {
    .adam = optimizer_adam,
    .sum_squares = optimizer_sum_squares,
};

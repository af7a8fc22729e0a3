/* kernels/loss/loss_body.h: passes over a row of logits, over the verbs of any instruction set.
 *
 * V classes. Include it after a verbs header and math16.h. Each function repeats loss_ref.c. */
#include "kernels/isa/part16.h"
#include "kernels/loss/loss_kernels.h"

V_INLINE v16 loss_max_step(v16 max, const float *x, int n) {
    v16 part = v_load_part(x, n);
    return v_max(n == 16 ? part : v_select(v_range(0, n), part, v_set1(-INFINITY)), max);
}

static float loss_row_max(int64_t classes, const float *x) {
    v16 max = v_set1(-INFINITY), other = max;
    int64_t v = 0;
    for (; v + 32 <= classes; v += 32) { /* two chains: a maximum has to wait for the one before */
        max = loss_max_step(max, x + v, 16);
        other = loss_max_step(other, x + v + 16, 16);
    }
    for (; v < classes; v += 16) {
        max = loss_max_step(max, x + v, v_rest(classes - v));
    }
    return v_max_lane(v_max(max, other));
}

V_INLINE void loss_sums_step(v16 sum[2], const float *x, v16 max, float *power, int n) {
    v16 shifted = v_sub(v_load_part(x, n), max);
    v16 p = v_exp2(v_mul(shifted, v_set1(REAL_LOG2E)));
    sum[0] = v_add(sum[0], v_keep_first(p, n));
    sum[1] = v_add(sum[1], v_keep_first(shifted, n));
    if (power) {
        v_store_part(power, p, n);
    }
}

static attn_loss_sums loss_row_sums(int64_t classes, const float *x, float max, float *power) {
    v16 sum[2] = {v_zero(), v_zero()}, largest = v_set1(max);
    int64_t v = 0;
    for (; v + 16 <= classes; v += 16) {
        loss_sums_step(sum, x + v, largest, power ? power + v : NULL, 16);
    }
    if (v < classes) {
        loss_sums_step(sum, x + v, largest, power ? power + v : NULL, (int)(classes - v));
    }
    return (attn_loss_sums){v_sum(sum[0]), v_sum(sum[1])};
}

static void loss_row_affine(int64_t classes, float factor, float offset, float *x) {
    v16 f = v_set1(factor), o = v_set1(offset);
    int64_t v = 0;
    for (; v + 16 <= classes; v += 16) {
        v_store(x + v, v_fma(v_load(x + v), f, o));
    }
    if (v < classes) {
        int n = (int)(classes - v);
        v_store_first(x + v, v_fma(v_load_first(x + v, n), f, o), n);
    }
}

static void loss_row_less(int64_t classes, float first, float second, float *x) {
    v16 a = v_set1(first), b = v_set1(second);
    int64_t v = 0;
    for (; v + 16 <= classes; v += 16) {
        v_store(x + v, v_sub(v_sub(v_load(x + v), a), b));
    }
    if (v < classes) {
        int n = (int)(classes - v);
        v_store_first(x + v, v_sub(v_sub(v_load_first(x + v, n), a), b), n);
    }
}

static const attn_loss_kernels loss_kernels = {
    .row_max = loss_row_max,
    .row_sums = loss_row_sums,
    .row_affine = loss_row_affine,
    .row_less = loss_row_less,
};

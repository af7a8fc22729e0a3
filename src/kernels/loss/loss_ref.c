/* kernels/loss/loss_ref.c: passes over a row of logits in plain C: the definition.
 *
 * V classes. A sum along the row is kept in LANES partial sums, class v in lane v % LANES. */
#include "base/math.h"
#include "kernels/loss/loss_kernels.h"

static real loss_row_max(int64_t classes, const real *x) {
    real max = -INFINITY;
    for (int64_t v = 0; v < classes; v++) {
        max = x[v] > max ? x[v] : max;
    }
    return max;
}

static attn_loss_sums loss_row_sums(int64_t classes, const real *x, real max, real *power) {
    real sum_power[LANES] = {0}, sum_shifted[LANES] = {0};
    for (int64_t v = 0; v < classes; v++) {
        real shifted = x[v] - max;
        real p = real_exp2(shifted * REAL_LOG2E);
        sum_power[v % LANES] += p;
        sum_shifted[v % LANES] += shifted;
        if (power) {
            power[v] = p;
        }
    }
    return (attn_loss_sums){lanes_sum(sum_power), lanes_sum(sum_shifted)};
}

static void loss_row_affine(int64_t classes, real factor, real offset, real *x) {
    for (int64_t v = 0; v < classes; v++) {
        x[v] = real_fma(x[v], factor, offset);
    }
}

static void loss_row_less(int64_t classes, real first, real second, real *x) {
    for (int64_t v = 0; v < classes; v++) {
        x[v] = (x[v] - first) - second;
    }
}

const attn_loss_kernels attn_loss_ref = {
    .row_max = loss_row_max,
    .row_sums = loss_row_sums,
    .row_affine = loss_row_affine,
    .row_less = loss_row_less,
};

/* kernels/loss/loss_ref.c: softmax cross-entropy in plain C: the definition.
 *
 * V classes. A sum along the row is kept in LANES partial sums, class v in lane v % LANES. */
#include "base/math.h"
#include "kernels/loss/loss_kernels.h"

static real row_max(int64_t classes, const real *x) {
    real max = -INFINITY;
    for (int64_t v = 0; v < classes; v++) {
        max = x[v] > max ? x[v] : max;
    }
    return max;
}

/* The gradient first keeps exp(x - max) where the logits were, so that each is computed once. */
static void cross_entropy_row(int64_t classes, real *logits, int64_t target, real smoothing,
                              real gradient_scale, real *loss, real *nll) {
    real max = row_max(classes, logits);
    real target_shifted = logits[target] - max;
    real sum_exp[LANES] = {0}, sum_shifted[LANES] = {0};
    for (int64_t v = 0; v < classes; v++) {
        real shifted = logits[v] - max;
        real power = real_exp2(shifted * REAL_LOG2E);
        sum_shifted[v % LANES] += shifted;
        sum_exp[v % LANES] += power;
        if (gradient_scale != 0) {
            logits[v] = power;
        }
    }
    real total = lanes_sum(sum_exp);
    real log_total = real_log(total);
    *nll = log_total - target_shifted;
    *loss = *nll;
    if (smoothing != 0) {
        /* mean over v of -log p[v] */
        real uniform = log_total - lanes_sum(sum_shifted) / (real)classes;
        *loss = real_fma(smoothing, uniform, (1 - smoothing) * *nll);
    }
    if (gradient_scale != 0) {
        real factor = gradient_scale / total;
        real offset = -(gradient_scale * (smoothing / (real)classes));
        for (int64_t v = 0; v < classes; v++) {
            logits[v] = real_fma(logits[v], factor, offset);
        }
        logits[target] -= gradient_scale * (1 - smoothing);
    }
}

static void log_softmax_row(int64_t classes, real *logits) {
    real max = row_max(classes, logits);
    real sum_exp[LANES] = {0};
    for (int64_t v = 0; v < classes; v++) {
        sum_exp[v % LANES] += real_exp2((logits[v] - max) * REAL_LOG2E);
    }
    real log_total = real_log(lanes_sum(sum_exp));
    for (int64_t v = 0; v < classes; v++) {
        logits[v] = (logits[v] - max) - log_total;
    }
}

void attn_loss_fill_ref(attn_loss_kernels *kernels) {
    kernels->cross_entropy_row = cross_entropy_row;
    kernels->log_softmax_row = log_softmax_row;
}

/* kernels/loss/loss.c: softmax cross-entropy row by row, the rows cut over threads.
 *
 * V classes. Next: kernels/loss/loss_ref.c. */
#include "kernels/loss/loss.h"

#include "base/math.h"
#include "kernels/table.h"

/* Classes in all rows together that are worth a second thread. */
enum { PART = 8192 };

typedef struct row_loss {
    real loss, nll;
} row_loss;

/* The logits become exp(x - max) and then the gradient, so that each exp is computed once. */
static row_loss cross_entropy_row(const attn_loss_kernels *kernels, int64_t classes, real *logits,
                                  int64_t target, real smoothing, real gradient_scale) {
    real max = kernels->row_max(classes, logits);
    real target_shifted = logits[target] - max;
    bool gradient = gradient_scale != 0;
    attn_loss_sums sums = kernels->row_sums(classes, logits, max, gradient ? logits : NULL);
    real log_total = real_log(sums.power);
    row_loss result;
    result.nll = log_total - target_shifted;
    result.loss = result.nll;
    if (smoothing != 0) {
        real uniform = log_total - sums.shifted / (real)classes; /* mean over v of -log p[v] */
        result.loss = real_fma(smoothing, uniform, (1 - smoothing) * result.nll);
    }
    if (gradient) {
        real offset = -(gradient_scale * (smoothing / (real)classes));
        kernels->row_affine(classes, gradient_scale / sums.power, offset, logits);
        logits[target] -= gradient_scale * (1 - smoothing);
    }
    return result;
}

void attn_cross_entropy(int64_t rows, int64_t classes, int64_t row_stride, real *logits,
                        const int32_t *targets, real smoothing, real gradient_scale, real *loss,
                        real *nll) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        real *row = logits + r * row_stride;
        row_loss result = {0, 0};
        if (targets[r] >= 0) {
            result =
                cross_entropy_row(kernels, classes, row, targets[r], smoothing, gradient_scale);
        } else if (gradient_scale != 0) {
            memset(row, 0, (size_t)classes * sizeof *row);
        }
        if (loss) {
            loss[r] = result.loss;
        }
        if (nll) {
            nll[r] = result.nll;
        }
    }
}

void attn_log_softmax(int64_t rows, int64_t classes, int64_t row_stride, real *logits) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        real *row = logits + r * row_stride;
        real max = kernels->row_max(classes, row);
        attn_loss_sums sums = kernels->row_sums(classes, row, max, NULL);
        kernels->row_less(classes, max, real_log(sums.power), row);
    }
}

double attn_sum_double(int64_t count, const real *values) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)values[i];
    }
    return sum;
}

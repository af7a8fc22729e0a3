/* kernels/loss/loss.c: the loss, its rows cut over threads. Next: kernels/loss/loss_ref.c. */
#include "kernels/loss/loss.h"

#include "kernels/table.h"

/* Classes in all rows together that are worth a second thread. */
enum { PART = 8192 };

void attn_cross_entropy(int64_t rows, int64_t classes, int64_t row_stride, real *logits,
                        const int32_t *targets, real smoothing, real gradient_scale, real *loss,
                        real *nll) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        real *row = logits + r * row_stride;
        real row_loss = 0, row_nll = 0;
        if (targets[r] >= 0) {
            kernels->cross_entropy_row(classes, row, targets[r], smoothing, gradient_scale,
                                       &row_loss, &row_nll);
        } else {
            for (int64_t v = 0; gradient_scale != 0 && v < classes; v++) {
                row[v] = 0;
            }
        }
        if (loss) {
            loss[r] = row_loss;
        }
        if (nll) {
            nll[r] = row_nll;
        }
    }
}

void attn_log_softmax(int64_t rows, int64_t classes, int64_t row_stride, real *logits) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        kernels->log_softmax_row(classes, logits + r * row_stride);
    }
}

double attn_sum_double(int64_t count, const real *values) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)values[i];
    }
    return sum;
}

/* kernels/pixel_loss/pixel_loss.c: losses, gradients and classes of pixels, sixteen rows at a time.
 *
 * R rows, V classes. Next: pixel_loss_kernels.h. */
#include "kernels/pixel_loss/pixel_loss.h"

#include "base/math.h"
#include "kernels/table.h"

enum {
    PART = 16384, /* logits worth a second thread */
    TURNED = ATTN_MAX_PIXEL_CLASSES * LANES,
};

/* The rows of block i. */
static int block_rows(int64_t rows, int64_t i) {
    return (int)(rows - i * LANES < LANES ? rows - i * LANES : LANES);
}

/* Row r's loss and nll, from its sums and its target's logit. Returns whether the row counts. */
static bool row_loss(const attn_pixel_targets *t, const attn_pixel_sums *sums, int r, int target,
                     real target_logit, real *loss, real *nll) {
    *loss = *nll = 0;
    if (target == t->ignore) {
        return false;
    }
    real log_total = real_log(sums->power[r]), smoothed;
    *nll = smoothed = log_total - (target_logit - sums->max[r]);
    if (t->smoothing != 0) {
        real uniform = log_total - sums->shifted[r] / (real)t->classes;
        smoothed = real_fma(t->smoothing, uniform, (1 - t->smoothing) * *nll);
    }
    *loss = t->class_weights != NULL ? t->class_weights[target] * smoothed : smoothed;
    return true;
}

static void loss_block(const attn_pixel_targets *t, int rows, const uint8_t *targets,
                       const real *logits, real gradient_scale, real *loss, real *nll,
                       real *gradient) {
    const attn_pixel_loss_kernels *kernels = &attn_kernels_current()->pixel_loss;
    real turned[TURNED], factor[LANES] = {0}, offset[LANES] = {0}, correct[LANES] = {0};
    attn_pixel_sums sums;
    kernels->powers(rows, t->classes, logits, turned, &sums);
    for (int r = 0; r < rows; r++) {
        int target = targets[r];
        real logit = target == t->ignore ? 0 : logits[r * t->classes + target];
        if (!row_loss(t, &sums, r, target, logit, &loss[r], &nll[r])) {
            continue;
        }
        real scale = gradient_scale;
        if (t->class_weights != NULL) {
            scale *= t->class_weights[target];
        }
        factor[r] = scale / sums.power[r];
        offset[r] = -(scale * (t->smoothing / (real)t->classes));
        correct[r] = scale * (1 - t->smoothing);
    }
    if (gradient == NULL) {
        return;
    }
    kernels->affine(rows, t->classes, turned, factor, offset, gradient);
    for (int r = 0; r < rows; r++) {
        real *row = gradient + r * t->classes;
        if (targets[r] != t->ignore) {
            row[targets[r]] -= correct[r];
        } else { /* 0 even where a logit is NaN */
            memset(row, 0, (size_t)t->classes * sizeof *row);
        }
    }
}

void attn_pixel_cross_entropy(const attn_pixel_targets *t, const real *logits, real gradient_scale,
                              real *loss, real *nll, real *gradient) {
    int64_t blocks = (t->rows + LANES - 1) / LANES;
#pragma omp parallel for schedule(static)                                                          \
    num_threads(attn_get_threads()) if (t->rows * t->classes > PART)
    for (int64_t i = 0; i < blocks; i++) {
        int64_t first = i * LANES;
        loss_block(t, block_rows(t->rows, i), t->targets + first, logits + first * t->classes,
                   gradient_scale, loss + first, nll + first,
                   gradient != NULL ? gradient + first * t->classes : NULL);
    }
}

void attn_pixel_softmax(int64_t rows, int64_t classes, const real *logits, real *probabilities) {
    const attn_pixel_loss_kernels *kernels = &attn_kernels_current()->pixel_loss;
    int64_t blocks = (rows + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t i = 0; i < blocks; i++) {
        real turned[TURNED], factor[LANES] = {0};
        const real zero[LANES] = {0};
        attn_pixel_sums sums;
        int count = block_rows(rows, i);
        kernels->powers(count, classes, logits + i * LANES * classes, turned, &sums);
        for (int r = 0; r < count; r++) {
            factor[r] = 1 / sums.power[r];
        }
        kernels->affine(count, classes, turned, factor, zero, probabilities + i * LANES * classes);
    }
}

void attn_pixel_argmax(int64_t rows, int64_t classes, const real *logits, uint8_t *largest) {
    const attn_pixel_loss_kernels *kernels = &attn_kernels_current()->pixel_loss;
    int64_t blocks = (rows + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t i = 0; i < blocks; i++) {
        real turned[TURNED], index[LANES];
        int count = block_rows(rows, i);
        kernels->largest(count, classes, logits + i * LANES * classes, turned, index);
        for (int r = 0; r < count; r++) {
            largest[i * LANES + r] = (uint8_t)index[r];
        }
    }
}

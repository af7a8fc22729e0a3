/* kernels/loss/loss.c: softmax cross-entropy row by row, the rows cut over threads.
 *
 * V classes. Next: kernels/loss/loss_ref.c. */
#include "kernels/loss/loss.h"

#include "base/math.h"
#include "cpu/cpu.h"
#include "kernels/table.h"

/* Classes in all rows together that are worth a second thread. */
enum { PART = 8192 };

typedef struct row_loss {
    real loss, nll;
} row_loss;

/* How far below the largest logit an absent one is set: exp makes it 0, and a sum of logits stays exact. */
static const real FAR = 128;

static void set_absent(const attn_absent_classes *absent, real value, real *row) {
    for (int64_t i = 0; absent != NULL && i < absent->count; i++) {
        row[absent->id[i]] = value;
    }
}

/* How many classes there are besides. */
static real present(int64_t classes, const attn_absent_classes *absent) {
    return (real)(absent != NULL ? classes - absent->count : classes);
}

/* The logits become exp(x - max) and then the gradient, so that each exp is computed once. */
static row_loss cross_entropy_row(const attn_loss_kernels *kernels, int64_t classes, real *logits,
                                  int64_t target, const attn_absent_classes *absent, real smoothing,
                                  real gradient_scale) {
    real max = kernels->row_max(classes, logits), count = present(classes, absent);
    set_absent(absent, max - FAR, logits);
    real target_shifted = logits[target] - max;
    bool gradient = gradient_scale != 0;
    attn_loss_sums sums = kernels->row_sums(classes, logits, max, gradient ? logits : NULL);
    real log_total = real_log(sums.power);
    row_loss result;
    result.nll = log_total - target_shifted;
    result.loss = result.nll;
    if (smoothing != 0) {
        real shifted = absent != NULL ? sums.shifted + FAR * (real)absent->count : sums.shifted;
        real uniform = log_total - shifted / count; /* mean over v of -log p[v] */
        result.loss = real_fma(smoothing, uniform, (1 - smoothing) * result.nll);
    }
    if (gradient) {
        real offset = -(gradient_scale * (smoothing / count));
        kernels->row_affine(classes, gradient_scale / sums.power, offset, logits);
        set_absent(absent, 0, logits);
        logits[target] -= gradient_scale * (1 - smoothing);
    }
    return result;
}

void attn_cross_entropy(int64_t rows, int64_t classes, int64_t row_stride, real *logits,
                        const int32_t *targets, const attn_absent_classes *absent, real smoothing,
                        real gradient_scale, real *loss, real *nll) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        real *row = logits + r * row_stride;
        row_loss result = {0, 0};
        if (targets[r] >= 0) {
            result = cross_entropy_row(kernels, classes, row, targets[r], absent, smoothing,
                                       gradient_scale);
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

/* ---- two passes that ought to agree ---- */

/* Of one pass: log-probabilities, probabilities, and the sum of the former. */
typedef struct pass {
    real *log, *p;
    real sum_log;
} pass;

static pass normalize(const attn_loss_kernels *kernels, int64_t classes,
                      const attn_absent_classes *absent, real *logits, real *room) {
    real max = kernels->row_max(classes, logits);
    set_absent(absent, max - FAR, logits);
    attn_loss_sums sums = kernels->row_sums(classes, logits, max, NULL);
    kernels->row_less(classes, max, real_log(sums.power), logits);
    sums = kernels->row_sums(classes, logits, 0, room);
    for (int64_t i = 0; absent != NULL && i < absent->count; i++) {
        sums.shifted -= logits[absent->id[i]];
    }
    return (pass){logits, room, sums.shifted};
}

/* KL(a || b) = sum over v of a.p (a.log - b.log). */
static real divergence(int64_t classes, const pass *a, const pass *b) {
    real sum[LANES] = {0};
    for (int64_t v = 0; v < classes; v++) {
        sum[v % LANES] += a->p[v] * (a->log[v] - b->log[v]);
    }
    return lanes_sum(sum);
}

static row_loss one_loss(real classes, const pass *a, int64_t target, real smoothing) {
    row_loss out = {.nll = -a->log[target]};
    real uniform = -a->sum_log / classes;
    out.loss = smoothing != 0 ? real_fma(smoothing, uniform, (1 - smoothing) * out.nll) : out.nll;
    return out;
}

/* Of one logit of a, whose p stands beside q of b; without the target's own part.
 * d KL(a || b) = a.p (a.log - b.log - KL(a || b)),  d KL(b || a) = a.p - b.p. */
static real gradient_of(real p, real q, real log_ratio, real divergence, real agreement,
                        real uniform) {
    real together = p * (log_ratio - divergence) + (p - q);
    return (real)0.5 * (p - uniform) + agreement / 4 * together;
}

static row_loss twice_row(const attn_loss_kernels *kernels, int64_t classes, real *first,
                          real *second, int64_t target, const attn_absent_classes *absent,
                          real smoothing, real agreement, real gradient_scale, real *room) {
    real count = present(classes, absent);
    pass a = normalize(kernels, classes, absent, first, room);
    pass b = normalize(kernels, classes, absent, second, room + classes);
    row_loss x = one_loss(count, &a, target, smoothing);
    row_loss y = one_loss(count, &b, target, smoothing);
    real ab = divergence(classes, &a, &b), ba = divergence(classes, &b, &a);
    real uniform = smoothing / count;
    row_loss out = {.loss = (x.loss + y.loss) / 2 + agreement / 4 * (ab + ba),
                    .nll = (x.nll + y.nll) / 2};
    for (int64_t v = 0; v < classes && gradient_scale != 0; v++) {
        real p = a.p[v], q = b.p[v], ratio = first[v] - second[v];
        first[v] = gradient_scale * gradient_of(p, q, ratio, ab, agreement, uniform);
        second[v] = gradient_scale * gradient_of(q, p, -ratio, ba, agreement, uniform);
    }
    if (gradient_scale != 0) {
        set_absent(absent, 0, first);
        set_absent(absent, 0, second);
        first[target] -= gradient_scale * (1 - smoothing) / 2;
        second[target] -= gradient_scale * (1 - smoothing) / 2;
    }
    return out;
}

void attn_cross_entropy_twice(int64_t rows, int64_t classes, int64_t row_stride, real *first,
                              real *second, const int32_t *targets,
                              const attn_absent_classes *absent, real smoothing, real agreement,
                              real gradient_scale, real *room, real *loss, real *nll) {
    const attn_loss_kernels *kernels = &attn_kernels_current()->loss;
#pragma omp parallel for schedule(static) num_threads(attn_get_threads()) if (rows * classes > PART)
    for (int64_t r = 0; r < rows; r++) {
        real *own = room + 2 * classes * attn_thread_index();
        row_loss result =
            twice_row(kernels, classes, first + r * row_stride, second + r * row_stride, targets[r],
                      absent, smoothing, agreement, gradient_scale, own);
        loss[r] = result.loss;
        nll[r] = result.nll;
    }
}

double attn_sum_double(int64_t count, const real *values) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)values[i];
    }
    return sum;
}

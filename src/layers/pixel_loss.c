/* layers/pixel_loss.c: softmax cross-entropy of each pixel's class; logits [rows, V].
 *
 * The gradient of the logits is known as soon as the loss is, so it is written during the forward;
 * the tape needs no record. The arithmetic is in kernels/pixel_loss. */
#include "kernels/pixel_loss/pixel_loss.h"

#include "attn/threads.h"
#include "base/sized.h"
#include "kernels/loss/loss.h"
#include "layers/images.h"

void attn_pixel_labels_init_sized(attn_pixel_labels *labels, size_t size) {
    const attn_pixel_labels none = {.size = sizeof none, .ignore = -1};
    attn_sized_init(labels, size, &none, sizeof none);
}

static attn_status read_labels(const attn_pixel_labels *given, attn_pixel_labels *out,
                               attn_error *error) {
    *out = (attn_pixel_labels){.size = sizeof *out, .ignore = -1};
    return attn_sized_read(given, out, sizeof *out, ATTN_SIZE_UP_TO(attn_pixel_labels, smoothing),
                           "attn_pixel_labels", error);
}

double attn_pixel_labels_weight(const attn_pixel_labels *given, int64_t rows, int64_t classes) {
    int64_t counts[256] = {0};
    double weight = 0.0;
    attn_pixel_labels known;
    const attn_pixel_labels *labels = &known;
    if (read_labels(given, &known, NULL) != ATTN_OK) {
        return 0.0;
    }
    for (int64_t r = 0; r < rows; r++) {
        counts[labels->classes[r]]++;
    }
    for (int v = 0; v < 256 && v < classes; v++) {
        if (v != labels->ignore && counts[v] > 0) {
            double each = labels->class_weights != NULL ? (double)labels->class_weights[v] : 1.0;
            weight += each * (double)counts[v];
        }
    }
    return weight;
}

static bool possible(attn_tape *tape, const attn_pixel_labels *labels, int64_t rows,
                     int64_t classes) {
    if (!attn_layers_given(tape, labels->classes, "classes of the labels") ||
        !attn_layers_probability(tape, labels->smoothing, "the smoothing")) {
        return false;
    }
    if (classes < 1 || classes > ATTN_MAX_PIXEL_CLASSES) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "logits has %lld columns, 1 to %d classes can be",
                       (long long)classes, ATTN_MAX_PIXEL_CLASSES);
        return false;
    }
    for (int64_t v = 0; v < classes && labels->class_weights != NULL; v++) {
        real w = labels->class_weights[v];
        if (!(w >= 0 && w - w == 0)) {
            attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                           "the weight of class %lld is %g, a finite number of at least 0 was "
                           "expected",
                           (long long)v, (double)w);
            return false;
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        if (labels->classes[r] >= classes && labels->classes[r] != labels->ignore) {
            attn_tape_fail(
                tape, ATTN_ERR_ARGUMENT,
                "the label of row %lld is %d, neither one of %lld classes nor the ignore "
                "value %d",
                (long long)r, labels->classes[r], (long long)classes, labels->ignore);
            return false;
        }
    }
    return true;
}

/* Where the gradient is written: the logits' own, or room for it when they already have one. */
static real *gradient_room(attn_tape *tape, attn_tensor *logits, bool *accumulate) {
    real *gradient = attn_tape_grad_first(tape, logits, accumulate);
    if (*accumulate && gradient != NULL) {
        gradient = attn_tape_alloc(tape, (size_t)(logits->rows * logits->cols) * sizeof(real));
    }
    return gradient;
}

/* Each sum is one chain of additions, which a thread waits for; so each has a thread. */
static void add_sums(int64_t rows, const real *row_loss, const real *row_nll, double *loss,
                     double *nll) {
    enum { PART = 16384 };
    int threads = rows > PART && attn_get_threads() > 1 ? 2 : 1;
    const real *of[2] = {row_loss, row_nll};
    double *to[2] = {loss, nll};
    (void)threads; /* a build without OpenMP has one */
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1)
    for (int i = 0; i < 2; i++) {
        *to[i] += attn_sum_double(rows, of[i]);
    }
}

void attn_layer_pixel_loss(attn_tape *tape, attn_tensor *logits, const attn_pixel_labels *given,
                           attn_real gradient_scale, double *loss, double *nll) {
    attn_pixel_labels known;
    const attn_pixel_labels *labels = &known;
    attn_error error;
    attn_tape_layer(tape, "attn_layer_pixel_loss");
    if (read_labels(given, &known, &error) != ATTN_OK) {
        attn_tape_fail_as(tape, &error);
        return;
    }
    if (!attn_layers_given(tape, logits, "logits") ||
        !possible(tape, labels, logits->rows, logits->cols)) {
        return;
    }
    int64_t rows = logits->rows;
    bool accumulate = false, recording = attn_tape_recording(tape);
    real *row_loss = attn_tape_alloc(tape, (size_t)rows * sizeof *row_loss);
    real *row_nll = attn_tape_alloc(tape, (size_t)rows * sizeof *row_nll);
    real *gradient = recording ? gradient_room(tape, logits, &accumulate) : NULL;
    if (attn_tape_status(tape) != ATTN_OK) {
        return;
    }
    attn_pixel_targets targets = {.rows = rows,
                                  .classes = logits->cols,
                                  .targets = labels->classes,
                                  .ignore = labels->ignore,
                                  .class_weights = labels->class_weights,
                                  .smoothing = (real)labels->smoothing};
    attn_pixel_cross_entropy(&targets, logits->data, gradient_scale, row_loss, row_nll, gradient);
    if (accumulate) {
        attn_add(rows * logits->cols, gradient, logits->grad);
    }
    add_sums(rows, row_loss, row_nll, loss, nll);
}

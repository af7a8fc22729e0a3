/* layers/output_loss.c: the output projection, softmax cross-entropy with label smoothing, and the
 * gradients of both, a block of rows at a time, so that the logits [N, V] are never stored whole.
 *
 * N target tokens, C channels, V vocabulary. The gradient of x is known as soon as the block's loss
 * is, so it is written during the forward; the tape needs no record. */
#include "kernels/loss/loss.h"

#include "attn/threads.h"
#include "layers/layers.h"

/* A block of logits for a vocabulary of 10,000 is 10 MB: it stays in the last cache between its
 * uses. */
enum { BLOCK_ROWS = 256 };

typedef struct output_block {
    attn_tensor *x;
    const attn_linear *output;
    const real *packed; /* W^T, packed */
    real *logits;       /* [BLOCK_ROWS, V] */
    real *d_x;          /* NULL when not recording, or x is constant */
    bool accumulate;    /* d_x held something before */
    attn_absent_classes absent;
} output_block;

static void block_logits(attn_tape *tape, const output_block *b, int64_t first, int64_t rows) {
    int64_t channels = b->output->in, classes = b->output->out;
    attn_layers_matmul(tape,
                       &(attn_matmul){.m = rows,
                                      .n = classes,
                                      .k = channels,
                                      .a = b->x->data + first * channels,
                                      .a_row = channels,
                                      .a_col = 1,
                                      .b_packed = b->packed,
                                      .c = b->logits,
                                      .c_row = classes,
                                      .bias = b->output->bias ? b->output->bias->data : NULL});
}

/* logits = x W^T + b:  d_x = d_logits W;  d_W += d_logits^T x;  d_b += 1^T d_logits */
static void block_backward(attn_tape *tape, const output_block *b, int64_t first, int64_t rows) {
    int64_t channels = b->output->in, classes = b->output->out;
    if (b->d_x != NULL) {
        attn_layers_matmul(tape, &(attn_matmul){.m = rows,
                                                .n = channels,
                                                .k = classes,
                                                .a = b->logits,
                                                .a_row = classes,
                                                .a_col = 1,
                                                .b = b->output->weight->data,
                                                .b_row = channels,
                                                .b_col = 1,
                                                .c = b->d_x + first * channels,
                                                .c_row = channels,
                                                .accumulate = b->accumulate});
    }
    if (!b->output->weight->frozen) {
        attn_layers_matmul(tape, &(attn_matmul){.m = classes,
                                                .n = channels,
                                                .k = rows,
                                                .a = b->logits,
                                                .a_row = 1,
                                                .a_col = classes,
                                                .b = b->x->data + first * channels,
                                                .b_row = channels,
                                                .b_col = 1,
                                                .c = b->output->weight->grad,
                                                .c_row = channels,
                                                .accumulate = true});
    }
    if (!attn_layers_frozen(b->output->bias)) {
        attn_add_rows(rows, classes, b->logits, b->output->bias->grad);
    }
}

/* The words that the bias rules out. */
static void find_absent(attn_tape *tape, const attn_linear *output, attn_absent_classes *out) {
    const real *bias = output->bias != NULL ? output->bias->data : NULL;
    int64_t count = 0;
    for (int64_t v = 0; bias != NULL && v < output->out; v++) {
        count += bias[v] <= ATTN_NEVER / 2;
    }
    int32_t *ids = count > 0 ? attn_tape_alloc(tape, (size_t)count * sizeof *ids) : NULL;
    *out = (attn_absent_classes){.id = ids};
    for (int64_t v = 0; ids != NULL && v < output->out; v++) {
        if (bias[v] <= ATTN_NEVER / 2) {
            ids[out->count++] = (int32_t)v;
        }
    }
}

/* The checks, the packed table, the block of logits, and what the loss writes of each target. */
static bool begin_output(attn_tape *tape, attn_tensor *x, int64_t targets_count,
                         const attn_linear *output, const int32_t *targets, double smoothing,
                         output_block *b, real **losses) {
    if (!attn_layers_given(tape, output, "output") ||
        !attn_layers_param(tape, output->weight, "the weight") ||
        (output->bias != NULL && !attn_layers_param(tape, output->bias, "the bias")) ||
        !attn_layers_columns(tape, x, "x", output->in, "the weight") ||
        !attn_layers_ids(tape, targets, "targets", targets_count, output->out, "the weight") ||
        !attn_layers_probability(tape, smoothing, "the smoothing")) {
        return false;
    }
    int64_t classes = output->out;
    *b = (output_block){.x = x, .output = output};
    real *packed =
        attn_tape_alloc(tape, attn_matmul_packed_size(output->in, classes) * sizeof(real));
    b->logits = attn_tape_alloc(tape, (size_t)(BLOCK_ROWS * classes) * sizeof(real));
    *losses = attn_tape_alloc(tape, 2 * (size_t)targets_count * sizeof(real));
    find_absent(tape, output, &b->absent);
    if (attn_tape_recording(tape) && !x->constant) {
        b->d_x = attn_tape_grad_first(tape, x, &b->accumulate);
    }
    if (attn_tape_status(tape) != ATTN_OK) {
        return false;
    }
    attn_matmul_pack(output->in, classes, output->weight->data, 1, output->in, packed);
    b->packed = packed;
    return true;
}

void attn_layer_output_loss(attn_tape *tape, attn_tensor *x, const attn_linear *output,
                            const int32_t *targets, double smoothing, attn_real gradient_scale,
                            double *loss, double *nll) {
    attn_tape_layer(tape, "attn_layer_output_loss");
    output_block b;
    real *row_loss;
    if (!begin_output(tape, x, x != NULL ? x->rows : 0, output, targets, smoothing, &b,
                      &row_loss)) {
        return;
    }
    int64_t rows = x->rows, classes = output->out;
    real *row_nll = row_loss + rows;
    bool recording = attn_tape_recording(tape);
    for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
        int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        block_logits(tape, &b, first, count);
        if (attn_tape_status(tape) != ATTN_OK) {
            return;
        }
        attn_cross_entropy(count, classes, classes, b.logits, targets + first, &b.absent,
                           (real)smoothing, recording ? gradient_scale : 0, row_loss + first,
                           row_nll + first);
        if (recording) {
            block_backward(tape, &b, first, count);
        }
    }
    *loss += attn_sum_double(rows, row_loss);
    *nll += attn_sum_double(rows, row_nll);
}

/* Rows n and N + n of x predict the same target: half a block of each. */
void attn_layer_output_r_drop(attn_tape *tape, attn_tensor *x, const attn_linear *output,
                              const int32_t *targets, double smoothing, double agreement,
                              attn_real gradient_scale, double *loss, double *nll) {
    attn_tape_layer(tape, "attn_layer_output_r_drop");
    enum { HALF = BLOCK_ROWS / 2 };
    output_block b;
    real *row_loss;
    int64_t rows = x != NULL ? x->rows / 2 : 0;
    if (x != NULL && x->rows % 2 != 0) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "x has %lld rows, two for each target were expected",
                       (long long)x->rows);
        return;
    }
    if (!(agreement >= 0 && agreement - agreement == 0)) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "the agreement is %g, a finite number of at least 0 was expected",
                       agreement);
        return;
    }
    if (!begin_output(tape, x, rows, output, targets, smoothing, &b, &row_loss)) {
        return;
    }
    int64_t classes = output->out;
    real *row_nll = row_loss + rows;
    real *room = attn_tape_alloc(tape, (size_t)(2 * classes * attn_get_threads()) * sizeof(real));
    bool recording = attn_tape_recording(tape);
    output_block second = b;
    second.logits = b.logits + HALF * classes;
    for (int64_t first = 0; first < rows; first += HALF) {
        int64_t count = rows - first < HALF ? rows - first : HALF;
        block_logits(tape, &b, first, count);
        block_logits(tape, &second, rows + first, count);
        if (attn_tape_status(tape) != ATTN_OK) {
            return;
        }
        attn_cross_entropy_twice(count, classes, classes, b.logits, second.logits, targets + first,
                                 &b.absent, (real)smoothing, (real)agreement,
                                 recording ? gradient_scale : 0, room, row_loss + first,
                                 row_nll + first);
        if (recording) {
            block_backward(tape, &b, first, count);
            block_backward(tape, &second, rows + first, count);
        }
    }
    *loss += attn_sum_double(rows, row_loss);
    *nll += attn_sum_double(rows, row_nll);
}

/* layers/residual.c: y = x + dropout(branch), and dropout alone.
 *
 * Dropout acts only while recording. Its mask is a function of the tape's (seed, step, call) and
 * the element's index, so the backward draws it again instead of storing it. */
#include "layers/layers.h"

typedef struct residual_record {
    attn_tensor *x, *branch, *y; /* x NULL: dropout alone */
    double p;
    uint64_t key;
} residual_record;

static void residual_backward(attn_tape *tape, void *record) {
    const residual_record *r = record;
    if (r->y->grad == NULL) {
        return;
    }
    int64_t count = r->y->rows * r->y->cols;
    /* y = x + ... */
    if (r->x != NULL && !attn_layers_pass_gradient(tape, r->y, r->x, r->branch)) {
        return;
    }
    /* ... + dropout(branch) */
    if (r->branch->constant) {
        return;
    }
    bool accumulate;
    real *d_branch = attn_tape_grad_first(tape, r->branch, &accumulate);
    if (d_branch != NULL) {
        attn_dropout_backward(count, r->y->grad, r->p, r->key, d_branch, accumulate);
    }
}

static attn_tensor *residual_forward(attn_tape *tape, attn_tensor *x, attn_tensor *branch,
                                     double p) {
    bool recording = attn_tape_recording(tape);
    uint64_t key = recording ? attn_tape_random_key(tape) : 0;
    attn_tensor *y = attn_tape_tensor(tape, branch->rows, branch->cols);
    residual_record *r = attn_tape_record(tape, sizeof *r, residual_backward);
    if (y == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    p = recording ? p : 0.0;
    if (r != NULL) {
        *r = (residual_record){x, branch, y, p, key};
        y->constant = branch->constant && (x == NULL || x->constant);
    }
    attn_dropout_forward(y->rows * y->cols, branch->data, x != NULL ? x->data : NULL, p, key,
                         y->data);
    return y;
}

attn_tensor *attn_layers_dropout(attn_tape *tape, attn_tensor *x, double p) {
    if (!attn_layers_given(tape, x, "x") || !attn_layers_probability(tape, p, "the dropout")) {
        return NULL;
    }
    return attn_tape_recording(tape) && p != 0.0 ? residual_forward(tape, NULL, x, p) : x;
}

attn_tensor *attn_layer_dropout(attn_tape *tape, attn_tensor *x, double p) {
    attn_tape_layer(tape, "attn_layer_dropout");
    return attn_layers_dropout(tape, x, p);
}

attn_tensor *attn_layer_residual(attn_tape *tape, attn_tensor *x, attn_tensor *branch, double p) {
    attn_tape_layer(tape, "attn_layer_residual");
    if (!attn_layers_given(tape, x, "x") ||
        !attn_layers_shape(tape, branch, "branch", x->rows, x->cols, "x is") ||
        !attn_layers_probability(tape, p, "the dropout")) {
        return NULL;
    }
    return residual_forward(tape, x, branch, p);
}

/* layers/multiply.c: y = a * b, element by element.
 *
 * d_a += d_y * b;  d_b += d_y * a. */
#include <string.h>

#include "layers/layers.h"

typedef struct multiply_record {
    attn_tensor *a, *b, *y;
} multiply_record;

/* d_x (+)= d_y * other; `room` holds the product where d_x has held something before. */
static void pass(attn_tape *tape, const attn_tensor *y, attn_tensor *x, const attn_tensor *other) {
    int64_t count = y->rows * y->cols;
    bool accumulate;
    if (x->constant) {
        return;
    }
    real *d_x = attn_tape_grad_first(tape, x, &accumulate);
    real *product =
        d_x != NULL && accumulate ? attn_tape_alloc(tape, (size_t)count * sizeof(real)) : d_x;
    if (product == NULL) {
        return;
    }
    memcpy(product, y->grad, (size_t)count * sizeof(real));
    attn_multiply(count, other->data, product);
    if (product != d_x) {
        attn_add(count, product, d_x);
    }
}

static void multiply_backward(attn_tape *tape, void *record) {
    const multiply_record *r = record;
    if (r->y->grad != NULL) {
        pass(tape, r->y, r->a, r->b);
        pass(tape, r->y, r->b, r->a);
    }
}

attn_tensor *attn_layer_multiply(attn_tape *tape, attn_tensor *a, attn_tensor *b) {
    attn_tape_layer(tape, "attn_layer_multiply");
    return attn_layers_multiply(tape, a, b);
}

attn_tensor *attn_layers_multiply(attn_tape *tape, attn_tensor *a, attn_tensor *b) {
    if (!attn_layers_given(tape, a, "a") ||
        !attn_layers_shape(tape, b, "b", a->rows, a->cols, "a is")) {
        return NULL;
    }
    attn_tensor *y = attn_tape_tensor(tape, a->rows, a->cols);
    multiply_record *r = attn_tape_record(tape, sizeof *r, multiply_backward);
    if (y == NULL || attn_tape_status(tape) != ATTN_OK) {
        return NULL;
    }
    if (r != NULL) {
        *r = (multiply_record){a, b, y};
        y->constant = a->constant && b->constant;
    }
    memcpy(y->data, a->data, (size_t)(y->rows * y->cols) * sizeof(real));
    attn_multiply(y->rows * y->cols, b->data, y->data);
    return y;
}

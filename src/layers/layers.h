/* layers/layers.h: what the layer files share. */
#ifndef ATTN_LAYERS_LAYERS_H
#define ATTN_LAYERS_LAYERS_H

#include "attn/layers.h"
#include "base/memory.h"
#include "base/real.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul_bf16/matmul_bf16.h"
#include "kernels/matmul_i8/matmul_i8.h"
#include "tape/tape.h"

/* ---- what every layer checks: whether its arguments are possible; else the tape fails and says which
 *      one is wrong and what was expected ---- */

/* `name`, an argument, is not NULL. */
static inline bool attn_layers_given(attn_tape *tape, const void *argument, const char *name) {
    if (argument == NULL) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "%s is NULL", name);
    }
    return argument != NULL;
}

/* The tensor `name` is there, with as many columns as `what` takes. */
static inline bool attn_layers_columns(attn_tape *tape, const attn_tensor *tensor, const char *name,
                                       int64_t columns, const char *what) {
    if (!attn_layers_given(tape, tensor, name)) {
        return false;
    }
    if (tensor->cols != columns) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "%s has %lld columns, %s takes %lld", name,
                       (long long)tensor->cols, what, (long long)columns);
    }
    return tensor->cols == columns;
}

/* The tensor `name` is there and [rows, cols], the shape of `what`. */
static inline bool attn_layers_shape(attn_tape *tape, const attn_tensor *tensor, const char *name,
                                     int64_t rows, int64_t cols, const char *what) {
    if (!attn_layers_given(tape, tensor, name)) {
        return false;
    }
    bool same = tensor->rows == rows && tensor->cols == cols;
    if (!same) {
        attn_tape_fail(tape, ATTN_ERR_SHAPE, "%s is [%lld, %lld], %s [%lld, %lld]", name,
                       (long long)tensor->rows, (long long)tensor->cols, what, (long long)rows,
                       (long long)cols);
    }
    return same;
}

/* A parameter with its data, and room for gradients when the tape records; the tape learns that it is used. */
static inline bool attn_layers_param(attn_tape *tape, const attn_param *param, const char *name) {
    if (!attn_layers_given(tape, param, name)) {
        return false;
    }
    bool missing = attn_tape_recording(tape) && param->grad == NULL && !param->frozen;
    if (param->data == NULL || missing) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT, "%s, %s, was not allocated%s", name, param->name,
                       missing ? " with gradients, and the tape records" : "");
    }
    attn_tape_uses(tape, param);
    return param->data != NULL && !missing;
}

/* Whether there is nothing to learn in it; NULL: there is no such parameter. */
static inline bool attn_layers_frozen(const attn_param *param) {
    return param == NULL || param->frozen;
}

/* 0 <= p < 1 */
static inline bool attn_layers_probability(attn_tape *tape, double p, const char *name) {
    bool good = p >= 0.0 && p < 1.0;
    if (!good) {
        attn_tape_fail(tape, ATTN_ERR_ARGUMENT,
                       "%s is %g, a probability of 0 or more and below 1 "
                       "was expected",
                       name, p);
    }
    return good;
}

/* Every id is one of `bound`; what: what they are rows of. */
bool attn_layers_ids(attn_tape *tape, const int32_t *ids, const char *name, int64_t count,
                     int64_t bound, const char *what);

/* A kernel's failure, which can only be one of memory: the arguments were checked before. */
static inline void attn_layers_fail(attn_tape *tape, attn_status status) {
    attn_tape_fail(tape, status, "%s", attn_status_name(status));
}

/* The layers that others are made of, without a count of their own. */
attn_tensor *attn_layers_linear(attn_tape *tape, attn_tensor *x, const attn_linear *linear,
                                attn_activation activation);
attn_tensor *attn_layers_dropout(attn_tape *tape, attn_tensor *x, double p);
attn_tensor *attn_layers_multiply(attn_tape *tape, attn_tensor *a, attn_tensor *b);

/* The rotation fits heads of this size and has a place for every token; else the tape fails. */
bool attn_layers_rotation(attn_tape *tape, const attn_rotation *rotation,
                          const attn_sequences *sequences, int64_t head_size);
/* Turns the heads of one token at that place of its sequence, in place. */
void attn_layers_turn(const attn_rotation *rotation, int64_t place, int64_t heads,
                      int64_t head_size, real *token);
/* Those of every token, `row` apart, or (back) undoes it. */
void attn_layers_turn_all(const attn_rotation *rotation, const attn_sequences *sequences, bool back,
                          int64_t heads, int64_t head_size, int64_t row, real *x);

/* The table is allocated and fits so many heads; else the tape fails. */
bool attn_layers_relative(attn_tape *tape, const attn_relative *relative, int64_t heads);
/* bias [H, count]: what is added at the distances first .. first + count - 1. */
void attn_layers_relative_bias(const attn_relative *relative, bool both_ways, int64_t first,
                               int64_t count, real *bias);
/* Adds its gradient to that of the table, the distances in order. */
void attn_layers_relative_gradient(const attn_relative *relative, bool both_ways, int64_t first,
                                   int64_t count, const real *d_bias);

/* A feed-forward up to its last projection. */
attn_tensor *attn_layers_hidden(attn_tape *tape, attn_tensor *x,
                                const attn_feed_forward *feed_forward, attn_activation activation,
                                double dropout);

/* The product with the tape's scratch memory; does nothing when the tape has failed, and fails the
 * tape when the product does. When both b and b_packed are given, b_packed is read. */
static inline void attn_layers_matmul(attn_tape *tape, attn_matmul *product) {
    if (attn_tape_status(tape) != ATTN_OK) {
        return;
    }
    if (product->b_packed != NULL) {
        product->b = NULL;
    }
    attn_status status = attn_matmul_run_scratch(product, attn_tape_scratch(tape));
    if (status != ATTN_OK) {
        attn_layers_fail(tape, status);
    }
}

/* y = x + ... of `other`: y's gradient is also x's. A first one is handed over, array and all, since
 * nobody reads that of y once y's own layer has run. Only where x is read twice must it be copied. (A
 * zero keeps its sign there, which an addition to 0 would lose; a sum that begins at 0 does not see
 * it.) A constant x gets none. Returns whether the tape is still well. */
static inline bool attn_layers_pass_gradient(attn_tape *tape, const attn_tensor *y, attn_tensor *x,
                                             const attn_tensor *other) {
    if (x->constant) {
        return true;
    }
    if (x->grad == NULL && x != other) {
        x->grad = y->grad;
        return true;
    }
    real *d_x = attn_tape_grad(tape, x);
    if (d_x != NULL) {
        attn_add(y->rows * y->cols, y->grad, d_x);
    }
    return d_x != NULL;
}

/* Exactly one is not NULL. */
struct attn_packed_weight {
    real *floats;                   /* attn_matmul_pack */
    attn_matmul_bf16_weights *bf16; /* where bfloat16 holds the weight: the same results */
    attn_matmul_i8_weights *i8;
};

/* Rows of a packed layer that is run: x [count, C], y [count, O] with rows y_row apart. */
typedef struct attn_linear_rows {
    int64_t count;
    const real *x;
    real *y;
    int64_t y_row;
    attn_activation activation;
    const real *residual; /* [count, O] or NULL */
} attn_linear_rows;

/* y = activation(x W^T + b) + residual in whichever form the weight is packed. */
ATTN_MUST_CHECK attn_status attn_linear_run_packed(const attn_linear *linear,
                                                   const attn_linear_rows *rows,
                                                   attn_scratch *scratch);

/* Row `row` of the weight, C values, out of a packed form of floats. */
void attn_linear_weight_row(const attn_linear *linear, int64_t row, real *out);

/* The packed layer without bias that has output features outputs[0 .. count - 1] alone, in that
 * order, packed the same way: each has the bits that it has in the whole layer. It lies in the
 * caller's memory of attn_linear_select_size bytes, aligned to 64, and is never unpacked itself. */
size_t attn_linear_select_size(const attn_linear *linear, int64_t count);
attn_linear attn_linear_select(const attn_linear *linear, int64_t count, const int32_t *outputs,
                               void *memory);

/* One token of each row: state [R, C] holds c' and takes c. */
attn_tensor *attn_layers_ssru_step(attn_tape *tape, attn_tensor *x, const attn_ssru *ssru,
                                   real *state);

#endif

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
        attn_tape_fail(tape, status);
    }
}

/* y = x + ... of `other`: y's gradient is also x's. A first one is handed over, array and all, since
 * nobody reads that of y once y's own layer has run. Only where x is read twice must it be copied. (A
 * zero keeps its sign there, which an addition to 0 would lose; a sum that begins at 0 does not see
 * it.) Returns whether the tape is still well. */
static inline bool attn_layers_pass_gradient(attn_tape *tape, const attn_tensor *y, attn_tensor *x,
                                             const attn_tensor *other) {
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

#endif

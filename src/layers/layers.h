/* layers/layers.h: what the layer files share. */
#ifndef ATTN_LAYERS_LAYERS_H
#define ATTN_LAYERS_LAYERS_H

#include "attn/layers.h"
#include "base/memory.h"
#include "base/real.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
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

#endif

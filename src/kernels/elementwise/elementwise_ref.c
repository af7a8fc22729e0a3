/* kernels/elementwise/elementwise_ref.c: elementwise work in plain C: the definition. */
#include "base/random.h"
#include "kernels/activation.h"
#include "kernels/elementwise/elementwise_kernels.h"

static void elementwise_add(int64_t count, const real *x, real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] += x[i];
    }
}

static void elementwise_add_rows(int64_t rows, int64_t cols, int64_t stride, const real *x,
                                 real *sum) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < cols; c++) {
            sum[c] += x[r * stride + c];
        }
    }
}

static void elementwise_scale_add(int64_t count, real factor, const real *x, const real *base,
                                  real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = base ? real_fma(factor, x[i], base[i]) : factor * x[i];
    }
}

static void elementwise_relu(int64_t count, const real *x, real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = real_relu(x[i]);
    }
}

static void elementwise_gelu(int64_t count, const real *x, real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = real_gelu(x[i]);
    }
}

static void elementwise_gelu_slope(int64_t count, const real *x, real *y, real *slope) {
    for (int64_t i = 0; i < count; i++) {
        slope[i] = real_gelu_derivative(x[i]);
        y[i] = real_gelu(x[i]);
    }
}

static void elementwise_multiply(int64_t count, const real *x, real *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] *= x[i];
    }
}

static void elementwise_relu_backward(int64_t count, const real *x, const real *d_y, real *d_x) {
    for (int64_t i = 0; i < count; i++) {
        d_x[i] = x[i] > 0 ? d_y[i] : 0;
    }
}

static void elementwise_curved_backward(int64_t count, attn_activation activation, const real *x,
                                        const real *d_y, real *d_x) {
    for (int64_t i = 0; i < count; i++) {
        d_x[i] = d_y[i] * attn_activation_slope(activation, x[i]);
    }
}

/* Sixteen counters give four words each: word w of counter i decides element 16 w + i of a block.
 */
static void elementwise_dropout(int64_t first, int64_t count, const attn_dropout *mask,
                                const real *x, const real *base, real *y) {
    const uint32_t key[2] = {(uint32_t)mask->key, (uint32_t)(mask->key >> 32)};
    for (int64_t start = 0; start < count; start += ATTN_DROPOUT_BLOCK) {
        for (int64_t i = 0; i < LANES && start + i < count; i++) {
            uint64_t index = (uint64_t)(first + start) / ATTN_DROPOUT_BLOCK * LANES + (uint64_t)i;
            uint32_t word[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0};
            attn_philox(word, key, word);
            for (int64_t w = 0, e = start + i; w < 4 && e < count; w++, e += LANES) {
                real old = base ? base[e] : 0;
                y[e] = word[w] >= mask->threshold ? real_fma(x[e], mask->inverse, old) : old;
            }
        }
    }
}

const attn_elementwise_kernels attn_elementwise_ref = {
    .add = elementwise_add,
    .add_rows = elementwise_add_rows,
    .scale_add = elementwise_scale_add,
    .relu = elementwise_relu,
    .gelu = elementwise_gelu,
    .gelu_slope = elementwise_gelu_slope,
    .multiply = elementwise_multiply,
    .relu_backward = elementwise_relu_backward,
    .curved_backward = elementwise_curved_backward,
    .dropout = elementwise_dropout,
};

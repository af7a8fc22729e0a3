/* kernels/elementwise/elementwise_body.h: elementwise work over the verbs of any instruction set.
 *
 * Include it after a verbs header, math16.h. Each function repeats the one of the
 * same name in elementwise_ref.c. */
#include "kernels/isa/activation16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/philox16.h"
#include "kernels/elementwise/elementwise_kernels.h"

/* Sixteen elements at a time, then the rest: STEP(i, n) for n elements from i. */
#define FOR_EACH_16(count, STEP)                                                                   \
    do {                                                                                           \
        int64_t i_ = 0;                                                                            \
        for (; i_ + 16 <= (count); i_ += 16) {                                                     \
            STEP(i_, 16);                                                                          \
        }                                                                                          \
        if (i_ < (count)) {                                                                        \
            STEP(i_, (int)((count)-i_));                                                           \
        }                                                                                          \
    } while (0)

static void elementwise_add(int64_t count, const float *x, float *y) {
#define STEP(i, n) v_store_part(y + i, v_add(v_load_part(y + i, n), v_load_part(x + i, n)), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

enum { ROWS_TOGETHER = 8 }; /* so that a sum is loaded and stored once for so many additions */

/* rows is a constant in every call. */
V_INLINE void elementwise_add_rows_step(const int rows, int64_t stride, const float *x, float *sum,
                                        int n) {
    v16 total = v_load_part(sum, n);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        total = v_add(total, v_load_part(x + r * stride, n));
    }
    v_store_part(sum, total, n);
}

V_INLINE void elementwise_add_rows_across(const int rows, int64_t cols, int64_t stride,
                                          const float *x, float *sum) {
    int64_t c = 0;
    for (; c + 16 <= cols; c += 16) {
        elementwise_add_rows_step(rows, stride, x + c, sum + c, 16);
    }
    if (c < cols) {
        elementwise_add_rows_step(rows, stride, x + c, sum + c, (int)(cols - c));
    }
}

static void elementwise_add_rows(int64_t rows, int64_t cols, int64_t stride, const float *x,
                                 float *sum) {
    int64_t r = 0;
    for (; r + ROWS_TOGETHER <= rows; r += ROWS_TOGETHER) {
        elementwise_add_rows_across(ROWS_TOGETHER, cols, stride, x + r * stride, sum);
    }
    for (; r < rows; r++) {
        elementwise_add_rows_across(1, cols, stride, x + r * stride, sum);
    }
}

static void elementwise_scale_add(int64_t count, float factor, const float *x, const float *base,
                                  float *y) {
    v16 f = v_set1(factor);
    if (base) {
#define STEP(i, n) v_store_part(y + i, v_fma(f, v_load_part(x + i, n), v_load_part(base + i, n)), n)
        FOR_EACH_16(count, STEP);
#undef STEP
    } else {
#define STEP(i, n) v_store_part(y + i, v_mul(f, v_load_part(x + i, n)), n)
        FOR_EACH_16(count, STEP);
#undef STEP
    }
}

static void elementwise_relu(int64_t count, const float *x, float *y) {
#define STEP(i, n) v_store_part(y + i, v_relu(v_load_part(x + i, n)), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

static void elementwise_gelu(int64_t count, const float *x, float *y) {
#define STEP(i, n) v_store_part(y + i, v_gelu(v_load_part(x + i, n)), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

/* The two have their error function in common. */
V_INLINE void elementwise_gelu_slope_step(const float *x, float *y, float *slope, int n) {
    v16 at = v_load_part(x, n);
    v_store_part(slope, v_gelu_derivative(at), n);
    v_store_part(y, v_gelu(at), n);
}

static void elementwise_gelu_slope(int64_t count, const float *x, float *y, float *slope) {
#define STEP(i, n) elementwise_gelu_slope_step(x + i, y + i, slope + i, n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

static void elementwise_multiply(int64_t count, const float *x, float *y) {
#define STEP(i, n) v_store_part(y + i, v_mul(v_load_part(y + i, n), v_load_part(x + i, n)), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

static void elementwise_relu_backward(int64_t count, const float *x, const float *d_y, float *d_x) {
#define STEP(i, n)                                                                                 \
    v_store_part(                                                                                  \
        d_x + i,                                                                                   \
        v_select(v_less(v_zero(), v_load_part(x + i, n)), v_load_part(d_y + i, n), v_zero()), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

/* activation is a constant in every call. */
V_INLINE void elementwise_curve(attn_activation activation, int64_t count, const float *x,
                                const float *d_y, float *d_x) {
#define STEP(i, n)                                                                                 \
    v_store_part(                                                                                  \
        d_x + i,                                                                                   \
        v_mul(v_load_part(d_y + i, n), v_activation_slope(activation, v_load_part(x + i, n))), n)
    FOR_EACH_16(count, STEP);
#undef STEP
}

static void elementwise_curved_backward(int64_t count, attn_activation activation, const float *x,
                                        const float *d_y, float *d_x) {
    switch (activation) {
    case ATTN_ACTIVATION_GELU_TANH:
        elementwise_curve(ATTN_ACTIVATION_GELU_TANH, count, x, d_y, d_x);
        break;
    case ATTN_ACTIVATION_GELU_SIGMOID:
        elementwise_curve(ATTN_ACTIVATION_GELU_SIGMOID, count, x, d_y, d_x);
        break;
    case ATTN_ACTIVATION_SWISH:
        elementwise_curve(ATTN_ACTIVATION_SWISH, count, x, d_y, d_x);
        break;
    default:
        elementwise_curve(ATTN_ACTIVATION_GELU, count, x, d_y, d_x);
        break;
    }
}

V_INLINE void elementwise_dropout_step(u16x32 word, const attn_dropout *mask, const float *x,
                                       const float *base, float *y, int n) {
    m16 kept = vu_at_least(word, mask->threshold);
    v16 old = base ? v_load_part(base, n) : v_zero();
    v16 added = v_fma(v_load_part(x, n), v_set1(mask->inverse), old);
    v_store_part(y, v_select(kept, added, old), n);
}

static void elementwise_dropout(int64_t first, int64_t count, const attn_dropout *mask,
                                const float *x, const float *base, float *y) {
    for (int64_t start = 0; start < count; start += ATTN_DROPOUT_BLOCK) {
        uint64_t index = (uint64_t)(first + start) / ATTN_DROPOUT_BLOCK * 16;
        u16x32 word[4] = {vu_iota((uint32_t)index), vu_set1((uint32_t)(index >> 32)), vu_set1(0),
                          vu_set1(0)};
        v_philox(word, mask->key);
        int64_t rest = count - start;
        for (int w = 0; w < 4 && w * 16 < rest; w++) {
            int64_t e = start + w * 16;
            const float *old = base ? base + e : NULL;
            if (rest >= ATTN_DROPOUT_BLOCK) {
                elementwise_dropout_step(word[w], mask, x + e, old, y + e, 16);
            } else {
                elementwise_dropout_step(word[w], mask, x + e, old, y + e, v_rest(rest - w * 16));
            }
        }
    }
}

static const attn_elementwise_kernels elementwise_kernels = {
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

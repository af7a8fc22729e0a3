/* kernels/elementwise/elementwise_kernels.h: what an instruction set provides for elementwise work.
 *
 * Each function runs on one thread over `count` elements; kernels/elementwise/elementwise.c cuts
 * the work. Arrays may alias as elementwise.h allows. Definition: elementwise_ref.c. */
#ifndef ATTN_KERNELS_ELEMENTWISE_KERNELS_H
#define ATTN_KERNELS_ELEMENTWISE_KERNELS_H

#include "attn/matmul.h"
#include "base/real.h"

/* The mask of one call. An element is kept when its random word is at least threshold. */
typedef struct attn_dropout {
    uint64_t key;
    uint32_t threshold;
    real inverse; /* 1 / (1 - p) */
} attn_dropout;

enum { ATTN_DROPOUT_BLOCK = 64 }; /* elements that share sixteen Philox counters */

typedef struct attn_elementwise_kernels {
    /* y += x */
    void (*add)(int64_t count, const real *x, real *y);
    /* sum[c] += the rows' values one after another, c < cols; rows `stride` apart */
    void (*add_rows)(int64_t rows, int64_t cols, int64_t stride, const real *x, real *sum);
    /* y = fma(factor, x, base); base may be NULL: y = factor * x */
    void (*scale_add)(int64_t count, real factor, const real *x, const real *base, real *y);
    void (*relu)(int64_t count, const real *x, real *y);
    void (*gelu)(int64_t count, const real *x, real *y);
    /* y = gelu(x) and slope = its derivative at x; y may be x */
    void (*gelu_slope)(int64_t count, const real *x, real *y, real *slope);
    /* y *= x */
    void (*multiply)(int64_t count, const real *x, real *y);
    void (*relu_backward)(int64_t count, const real *x, const real *d_y, real *d_x);
    /* of a curved activation */
    void (*curved_backward)(int64_t count, attn_activation activation, const real *x,
                            const real *d_y, real *d_x);
    /* The arrays start at element `first` of the call, a multiple of ATTN_DROPOUT_BLOCK.
     * y = kept ? fma(x, inverse, base) : base; base may be NULL: 0 */
    void (*dropout)(int64_t first, int64_t count, const attn_dropout *dropout, const real *x,
                    const real *base, real *y);
} attn_elementwise_kernels;

extern const attn_elementwise_kernels attn_elementwise_ref; /* plain C: the definition */

#endif

/* kernels/conv/conv.h: two-dimensional convolution as packed products on the matrix product's tile.
 *
 *     y[b, j, i, o] = activation(sum over ky, kx, c of x[b, j s - p + ky d, i s - p + kx d, c]
 *                                * w[o, ky, kx, c] + bias[o]) + residual[b, j, i, o]
 *
 * B pictures, H x W pixels, C channels in, O out, s stride, p padding, d dilation. Places outside
 * the picture count as 0. Every element is one chain of fused multiply-adds in the order of the
 * kernel's taps (rows, then columns, each from the top left of what is read), then of channels: it
 * depends on no other pixel, picture, thread or instruction set. Next: conv.c, conv_weight.c. */
#ifndef ATTN_KERNELS_CONV_H
#define ATTN_KERNELS_CONV_H

#include <stdbool.h>

#include "attn/matmul.h"
#include "base/memory.h"
#include "base/real.h"

typedef struct attn_conv_shape {
    int64_t batch, height, width, in, out; /* the picture that is read; C, O */
    int64_t kernel_height, kernel_width, stride, dilation;
    int64_t padding_height, padding_width;
} attn_conv_shape;

/* The size of the picture that is written; 0 when the kernel does not fit. */
int64_t attn_conv_out_height(const attn_conv_shape *shape);
int64_t attn_conv_out_width(const attn_conv_shape *shape);

/* What follows the sum, as in attn_matmul; each may be NULL or NONE. */
typedef struct attn_conv_epilogue {
    const real *bias;
    real *pre_activation; /* like y */
    attn_activation activation;
    const real *residual; /* like y */
} attn_conv_epilogue;

/* weight: [O, KH * KW * C]; packed: the same from attn_matmul_pack(KH KW C, O, weight, 1, KH KW C),
 * or NULL. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_conv_forward(const attn_conv_shape *shape, const real *x,
                                              const real *weight, const real *packed,
                                              const attn_conv_epilogue *epilogue, real *y,
                                              attn_scratch *scratch);
/* d_x[iy, ix, c] (+)= sum over the outputs that read it, by rows, columns and channels, of d_y * w.
 * accumulate: d_x's old value starts the chain; else 0 does. */
ATTN_MUST_CHECK attn_status attn_conv_backward_input(const attn_conv_shape *shape, const real *d_y,
                                                     const real *weight, real *d_x, bool accumulate,
                                                     attn_scratch *scratch);
/* d_w[o, ky, kx, c] += sum over the pictures' output pixels in order of d_y[pixel, o] * x[...]. */
ATTN_MUST_CHECK attn_status attn_conv_backward_weight(const attn_conv_shape *shape, const real *x,
                                                      const real *d_y, real *d_weight,
                                                      attn_scratch *scratch);

#endif

/* kernels/depthwise/depthwise.h: depthwise convolution: every channel has a kernel of its own.
 *
 *     y[b, j, i, c] = bias[c] + sum over ky, kx of x[b, j s - p + ky d, i s - p + kx d, c]
 *                                                  * w[ky, kx, c]
 *
 * s stride, p padding, d dilation; the sum runs over the taps that lie inside the picture, in order,
 * one chain an element that starts from the bias. in and out of the shape are the same, C; the
 * kernel is at most 31 x 31. Threaded. Source: Howard et al. 2017 (MobileNets). */
#ifndef ATTN_KERNELS_DEPTHWISE_H
#define ATTN_KERNELS_DEPTHWISE_H

#include "kernels/conv/conv.h"

/* y becomes activation(y). weight: [KH * KW, C]; bias: [C] or NULL. slope: like y, receives the
 * derivative of GELU for the backward; NULL when not wanted or the activation is another. */
void attn_depthwise_forward(const attn_conv_shape *shape, const real *x, const real *weight,
                            const real *bias, attn_activation activation, real *y, real *slope);
/* d_x (+)= the sum over the outputs that read it, in their order. accumulate: from d_x's old value;
 * else from 0. */
void attn_depthwise_backward_input(const attn_conv_shape *shape, const real *d_y,
                                   const real *weight, real *d_x, bool accumulate);
/* d_w[ky, kx, c] += sum over the output pixels in order. */
void attn_depthwise_backward_weight(const attn_conv_shape *shape, const real *x, const real *d_y,
                                    real *d_weight);

#endif

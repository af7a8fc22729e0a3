/* kernels/activation.h: the activations of attn/matmul.h, one element at a time: the definition.
 *
 * Next: kernels/isa/activation16.h, the same over vectors. */
#ifndef ATTN_KERNELS_ACTIVATION_H
#define ATTN_KERNELS_ACTIVATION_H

#include "attn/matmul.h"
#include "base/math.h"

static inline real attn_activate(attn_activation activation, real x) {
    switch (activation) {
    case ATTN_ACTIVATION_RELU:
        return real_relu(x);
    case ATTN_ACTIVATION_GELU:
        return real_gelu(x);
    case ATTN_ACTIVATION_GELU_TANH:
        return real_gelu_tanh(x);
    case ATTN_ACTIVATION_GELU_SIGMOID:
        return real_gelu_sigmoid(x);
    case ATTN_ACTIVATION_SWISH:
        return real_swish(x);
    default:
        return x;
    }
}

/* Whether the backward needs the input kept: the sign of ReLU's output is that of its input. */
static inline bool attn_activation_is_curved(attn_activation activation) {
    return activation > ATTN_ACTIVATION_RELU;
}

/* The derivative of a curved activation at x. */
static inline real attn_activation_slope(attn_activation activation, real x) {
    switch (activation) {
    case ATTN_ACTIVATION_GELU_TANH:
        return real_gelu_tanh_derivative(x);
    case ATTN_ACTIVATION_GELU_SIGMOID:
        return real_gelu_sigmoid_derivative(x);
    case ATTN_ACTIVATION_SWISH:
        return real_swish_derivative(x);
    default:
        return real_gelu_derivative(x);
    }
}

#endif

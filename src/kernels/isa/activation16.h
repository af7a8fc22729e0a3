/* kernels/isa/activation16.h: kernels/activation.h over sixteen lanes, for every instruction set.
 *
 * Include it after a verbs header. */
#ifndef ATTN_KERNELS_ISA_ACTIVATION16_H
#define ATTN_KERNELS_ISA_ACTIVATION16_H

#include "kernels/activation.h"
#include "kernels/isa/math16.h"

V_INLINE v16 v_activate(attn_activation activation, v16 x) {
    switch (activation) {
    case ATTN_ACTIVATION_RELU:
        return v_relu(x);
    case ATTN_ACTIVATION_GELU:
        return v_gelu(x);
    case ATTN_ACTIVATION_GELU_TANH:
        return v_mul(x, v_sigmoid(v_gelu_tanh_argument(x)));
    case ATTN_ACTIVATION_GELU_SIGMOID:
        return v_mul(x, v_sigmoid(v_mul(v_set1(REAL_GELU_SIGMOID), x)));
    case ATTN_ACTIVATION_SWISH:
        return v_mul(x, v_sigmoid(x));
    default:
        return x;
    }
}

V_INLINE v16 v_activation_slope(attn_activation activation, v16 x) {
    switch (activation) {
    case ATTN_ACTIVATION_GELU_TANH:
        return v_gated_derivative(x, v_gelu_tanh_argument(x), v_gelu_tanh_argument_slope(x));
    case ATTN_ACTIVATION_GELU_SIGMOID: {
        v16 factor = v_set1(REAL_GELU_SIGMOID);
        return v_gated_derivative(x, v_mul(factor, x), factor);
    }
    case ATTN_ACTIVATION_SWISH:
        return v_gated_derivative(x, x, v_set1(1.0f));
    default:
        return v_gelu_derivative(x);
    }
}

#endif

/* kernels/isa/math16.h: base/math.h over sixteen lanes, for every instruction set.
 *
 * Include it after a verbs header. Each function repeats, operation for operation, the scalar
 * definition in base/math.h. */
#ifndef ATTN_KERNELS_ISA_MATH16_H
#define ATTN_KERNELS_ISA_MATH16_H

#include "base/math.h"

/* x <= 127, or NaN. The power of two is added to the exponent, which is the same as to multiply by it:
 * from -126 on the result is normal, and -127 makes the exponent of 1 that of 0. What is below becomes
 * -127 first, for a difference of infinities or a conversion of 2^31 would raise FE_INVALID. */
V_INLINE v16 v_exp2_below(v16 x) {
    x = v_select(v_less(x, v_set1(-126.0f)), v_set1(-127.0f), x);
    v16 f = v_sub(x, v_round(x));
    v16 p = v_fma(v_set1(EXP2_C6), f, v_set1(EXP2_C5));
    p = v_fma(p, f, v_set1(EXP2_C4));
    p = v_fma(p, f, v_set1(EXP2_C3));
    p = v_fma(p, f, v_set1(EXP2_C2));
    p = v_fma(p, f, v_set1(EXP2_C1));
    p = v_fma(p, f, v_set1(1.0f));
    return v_scale2(p, x);
}

V_INLINE v16 v_exp2(v16 x) {
    return v_exp2_below(v_min(v_set1(127.0f), x)); /* keeps NaN */
}

V_INLINE v16 v_erf(v16 x) {
    v16 u = v_mul(x, x);
    v16 p = v_fma(v_set1(ERF_P5), u, v_set1(ERF_P4));
    p = v_fma(p, u, v_set1(ERF_P3));
    p = v_fma(p, u, v_set1(ERF_P2));
    p = v_fma(p, u, v_set1(ERF_P1));
    p = v_fma(p, u, v_set1(ERF_P0));
    v16 near = v_fma(p, x, x);

    v16 size = v_max(x, v_sub(v_zero(), x));
    v16 t = v_min(v_set1(ERF_LIMIT), size); /* keeps NaN */
    v16 q = v_fma(v_set1(ERF_Q6), t, v_set1(ERF_Q5));
    q = v_fma(q, t, v_set1(ERF_Q4));
    q = v_fma(q, t, v_set1(ERF_Q3));
    q = v_fma(q, t, v_set1(ERF_Q2));
    q = v_fma(q, t, v_set1(ERF_Q1));
    q = v_fma(q, t, v_set1(ERF_Q0));
    v16 far = v_sub(v_set1(1.0f), v_exp2(q));
    far = v_select(v_less(x, v_zero()), v_sub(v_zero(), far), far);
    return v_select(v_less(size, v_set1(ERF_SPLIT)), near, far);
}

V_INLINE v16 v_tanh(v16 x) {
    v16 u = v_mul(x, x);
    v16 p = v_fma(v_set1(TANH_C4), u, v_set1(TANH_C3));
    p = v_fma(p, u, v_set1(TANH_C2));
    p = v_fma(p, u, v_set1(TANH_C1));
    p = v_fma(p, u, v_set1(TANH_C0));
    v16 near = v_fma(v_mul(p, u), x, x);

    v16 size = v_max(x, v_sub(v_zero(), x));
    v16 power = v_exp2(v_mul(size, v_set1(2.0f * REAL_LOG2E)));
    v16 far = v_sub(v_set1(1.0f), v_div(v_set1(2.0f), v_add(power, v_set1(1.0f))));
    far = v_select(v_less(x, v_zero()), v_sub(v_zero(), far), far);
    return v_select(v_less(size, v_set1(TANH_SPLIT)), near, far);
}

V_INLINE v16 v_relu(v16 x) {
    return v_max(v_zero(), x); /* keeps NaN */
}

V_INLINE v16 v_gelu(v16 x) {
    v16 erf = v_erf(v_mul(x, v_set1(REAL_SQRT1_2)));
    return v_mul(v_mul(x, v_set1(0.5f)), v_add(v_set1(1.0f), erf));
}

V_INLINE v16 v_sigmoid(v16 u) {
    return v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_exp2(v_mul(u, v_set1(-REAL_LOG2E)))));
}

V_INLINE v16 v_gated_derivative(v16 x, v16 u, v16 slope) {
    v16 gate = v_sigmoid(u);
    return v_fma(v_mul(x, slope), v_mul(gate, v_sub(v_set1(1.0f), gate)), gate);
}

V_INLINE v16 v_gelu_tanh_argument(v16 x) {
    return v_mul(x, v_fma(v_set1(REAL_GELU_TANH_3), v_mul(x, x), v_set1(REAL_GELU_TANH_1)));
}

V_INLINE v16 v_gelu_tanh_argument_slope(v16 x) {
    return v_fma(v_set1(3 * REAL_GELU_TANH_3), v_mul(x, x), v_set1(REAL_GELU_TANH_1));
}

V_INLINE v16 v_gelu_derivative(v16 x) {
    v16 erf = v_erf(v_mul(x, v_set1(REAL_SQRT1_2)));
    v16 distribution = v_mul(v_set1(0.5f), v_add(v_set1(1.0f), erf));
    v16 power = v_exp2(v_mul(v_mul(x, x), v_set1(-0.5f * REAL_LOG2E)));
    return v_fma(x, v_mul(v_set1(REAL_RSQRT_2PI), power), distribution);
}

#endif

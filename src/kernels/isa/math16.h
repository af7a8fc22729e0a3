/* kernels/isa/math16.h: base/math.h over sixteen lanes, for every instruction set.
 *
 * Include it after a verbs header. Each function repeats, operation for operation, the scalar
 * definition in base/math.h. */
#ifndef ATTN_KERNELS_ISA_MATH16_H
#define ATTN_KERNELS_ISA_MATH16_H

#include "base/math.h"

V_INLINE v16 v_exp2(v16 x) {
    v16 clamped = v_min(v_set1(127.0f), x); /* keeps NaN */
    v16 n = v_round(clamped);
    v16 f = v_sub(clamped, n);
    v16 p = v_fma(v_set1(EXP2_C6), f, v_set1(EXP2_C5));
    p = v_fma(p, f, v_set1(EXP2_C4));
    p = v_fma(p, f, v_set1(EXP2_C3));
    p = v_fma(p, f, v_set1(EXP2_C2));
    p = v_fma(p, f, v_set1(EXP2_C1));
    p = v_fma(p, f, v_set1(1.0f));
    return v_select(v_less(x, v_set1(-126.0f)), v_zero(), v_mul(p, v_pow2(n)));
}

#endif

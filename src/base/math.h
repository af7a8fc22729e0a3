/* base/math.h: the library's own exp and log, one value at a time: the definition.
 *
 * In float these are fixed sequences of IEEE operations; kernels/isa/math16.h holds the same
 * sequences over sixteen lanes and must agree to the bit. In double (gradient checks) they are
 * libm's. */
#ifndef ATTN_BASE_MATH_H
#define ATTN_BASE_MATH_H

#include <stdint.h>
#include <string.h>

#include "base/real.h"

#define REAL_LOG2E ((real)1.4426950408889634)
#define REAL_LN2   ((real)0.6931471805599453)

/* 2^f - 1 = f * (E1 + E2 f + ... ) on [-1/2, 1/2], minimax, relative error 2e-9. */
#define EXP2_C1 0x1.62e430p-1f
#define EXP2_C2 0x1.ebfbdcp-3f
#define EXP2_C3 0x1.c6aee8p-5f
#define EXP2_C4 0x1.3b2d4cp-7f
#define EXP2_C5 0x1.5f3e54p-10f
#define EXP2_C6 0x1.41fbbap-13f

#ifdef ATTN_REAL_DOUBLE

static inline real real_exp2(real x) {
    return exp2(x);
}

#else

/* 2^n, n in -126 .. 127 */
static inline float float_pow2(int32_t n) {
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2^x. Below -126 the result is 0, above 127 that of 127; NaN stays NaN. Error below 1 ulp + 2e-9. */
static inline real real_exp2(real x) {
    if (!(x >= -126.0f)) {
        return x != x ? x : 0.0f;
    }
    float clamped = x < 127.0f ? x : 127.0f;
    float n = rintf(clamped);
    float f = clamped - n;
    float p = fmaf(EXP2_C6, f, EXP2_C5);
    p = fmaf(p, f, EXP2_C4);
    p = fmaf(p, f, EXP2_C3);
    p = fmaf(p, f, EXP2_C2);
    p = fmaf(p, f, EXP2_C1);
    p = fmaf(p, f, 1.0f);
    return p * float_pow2((int32_t)n);
}

#endif
#endif

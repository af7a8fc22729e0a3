/* base/math.h: the library's own exp, log, tanh, erf and GELU, one value at a time: the definition.
 *
 * In float these are fixed sequences of IEEE operations; kernels/isa/math16.h holds the same
 * sequences over sixteen lanes and must agree to the bit. In double (gradient checks) they are
 * libm's. The polynomials are minimax fits, their coefficients rounded to float one after another,
 * lowest first. Next: kernels/isa/math16.h. */
#ifndef ATTN_BASE_MATH_H
#define ATTN_BASE_MATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/real.h"

#define REAL_LOG2E     ((real)1.4426950408889634)
#define REAL_LN2       ((real)0.6931471805599453)
#define REAL_SQRT1_2   ((real)0.7071067811865476) /* sqrt(1 / 2) */
#define REAL_RSQRT_2PI ((real)0.3989422804014327) /* 1 / sqrt(2 pi) */

/* 2^f - 1 = f * (E1 + E2 f + ... ) on [-1/2, 1/2], minimax, relative error 2e-9. */
#define EXP2_C1 0x1.62e430p-1f
#define EXP2_C2 0x1.ebfbdcp-3f
#define EXP2_C3 0x1.c6aee8p-5f
#define EXP2_C4 0x1.3b2d4cp-7f
#define EXP2_C5 0x1.5f3e54p-10f
#define EXP2_C6 0x1.41fbbap-13f

/* log2(1 + f) = f * (C0 + C1 f + ...) on [sqrt(1/2) - 1, sqrt(2) - 1], relative error 1.3e-8. */
#define LOG2_C0 0x1.715476p+0f
#define LOG2_C1 -0x1.715476p-1f
#define LOG2_C2 0x1.ec715ep-2f
#define LOG2_C3 -0x1.715768p-2f
#define LOG2_C4 0x1.276012p-2f
#define LOG2_C5 -0x1.eb18f2p-3f
#define LOG2_C6 0x1.a6894ep-3f
#define LOG2_C7 -0x1.87877ap-3f
#define LOG2_C8 0x1.6b3418p-3f
#define LOG2_C9 -0x1.9a6836p-4f

/* log(1 + f) = f - f^2 / 2 + f^3 * (C0 + C1 f + ...) on the same interval, relative error 6e-9. */
#define LOG_C0 0x1.555554p-2f
#define LOG_C1 -0x1.00022ap-2f
#define LOG_C2 0x1.999ff4p-3f
#define LOG_C3 -0x1.54716cp-3f
#define LOG_C4 0x1.22dd56p-3f
#define LOG_C5 -0x1.0d9146p-3f
#define LOG_C6 0x1.0543c8p-3f
#define LOG_C7 -0x1.3832fep-4f

/* tanh(x) = x + x^3 * (C0 + C1 x^2 + ...) up to the split, relative error 3e-9. */
#define TANH_SPLIT 0.6f
#define TANH_C0    -0x1.55553ep-2f
#define TANH_C1    0x1.1109c6p-3f
#define TANH_C2    -0x1.b89c54p-5f
#define TANH_C3    0x1.54d098p-6f
#define TANH_C4    -0x1.82c8e2p-8f

/* erf(x) = x + x * (P0 + P1 x^2 + ...) up to the split, relative error 7e-9; from there to the
 * limit, beyond which erf rounds to 1, log2(1 - erf(x)) = Q0 + Q1 x + ..., error of erf 2e-9. */
#define ERF_SPLIT 0.85f
#define ERF_LIMIT 4.0f
#define ERF_P0    0x1.06eba8p-3f
#define ERF_P1    -0x1.812724p-2f
#define ERF_P2    0x1.ce2512p-4f
#define ERF_P3    -0x1.b730dep-6f
#define ERF_P4    0x1.4b57d8p-8f
#define ERF_P5    -0x1.4c57a0p-11f
#define ERF_Q0    -0x1.3a272ap-13f
#define ERF_Q1    -0x1.a0a0c0p+0f
#define ERF_Q2    -0x1.d62a86p-1f
#define ERF_Q3    -0x1.34db42p-3f
#define ERF_Q4    0x1.0a3014p-5f
#define ERF_Q5    -0x1.26e4bap-8f
#define ERF_Q6    0x1.3450e2p-12f

#ifdef ATTN_REAL_DOUBLE

static inline real real_exp2(real x) {
    return exp2(x);
}
static inline real real_log2(real x) {
    return log2(x);
}
static inline real real_log(real x) {
    return log(x);
}
static inline real real_tanh(real x) {
    return tanh(x);
}
static inline real real_erf(real x) {
    return erf(x);
}

#else

/* 2^n, n in -126 .. 127 */
static inline float float_pow2(int32_t n) {
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2^x. Below -126 the result is 0, above 127 that of 127; NaN stays NaN. Error below 1 ulp + 2e-9.
 */
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

/* x = m * 2^e with m in [sqrt(1/2), sqrt(2)); returns m - 1, which is exact. x positive and finite.
 */
static inline float float_split(float x, float *e) {
    float shift = 0.0f;
    if (x < 0x1p-126f) { /* subnormal */
        x *= 0x1p23f;
        shift = -23.0f;
    }
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t above = bits - 0x3f3504f3u; /* the bits of sqrt(1/2) */
    int32_t n = (int32_t)above >> 23;
    bits = (above & 0x007fffffu) + 0x3f3504f3u;
    memcpy(&x, &bits, sizeof x);
    *e = (float)n + shift;
    return x - 1.0f;
}

/* What log and log2 have in common outside the positive finite numbers. */
static inline bool float_log_special(float x, float *result) {
    if (x > 0.0f && x < INFINITY) {
        return false;
    }
    *result = x == 0.0f ? -INFINITY : x > 0.0f ? x : x != x ? x : NAN;
    return true;
}

/* Error below 1.5 ulp. 0: -infinity; negative: NaN. */
static inline real real_log2(real x) {
    float special, e;
    if (float_log_special(x, &special)) {
        return special;
    }
    float f = float_split(x, &e);
    float p = fmaf(LOG2_C9, f, LOG2_C8);
    p = fmaf(p, f, LOG2_C7);
    p = fmaf(p, f, LOG2_C6);
    p = fmaf(p, f, LOG2_C5);
    p = fmaf(p, f, LOG2_C4);
    p = fmaf(p, f, LOG2_C3);
    p = fmaf(p, f, LOG2_C2);
    p = fmaf(p, f, LOG2_C1);
    p = fmaf(p, f, LOG2_C0);
    return fmaf(p, f, e);
}

/* Error below 1.5 ulp. 0: -infinity; negative: NaN. */
static inline real real_log(real x) {
    float special, e;
    if (float_log_special(x, &special)) {
        return special;
    }
    float f = float_split(x, &e);
    float p = fmaf(LOG_C7, f, LOG_C6);
    p = fmaf(p, f, LOG_C5);
    p = fmaf(p, f, LOG_C4);
    p = fmaf(p, f, LOG_C3);
    p = fmaf(p, f, LOG_C2);
    p = fmaf(p, f, LOG_C1);
    p = fmaf(p, f, LOG_C0);
    p = fmaf(p, f, -0.5f);
    return fmaf(e, REAL_LN2, fmaf(f * f, p, f));
}

/* x + x^3 P(x^2) near 0, 1 - 2 / (exp(2 |x|) + 1) elsewhere, where nothing cancels. */
static inline real real_tanh(real x) {
    float size = fabsf(x);
    if (size < TANH_SPLIT) {
        float u = x * x;
        float p = fmaf(TANH_C4, u, TANH_C3);
        p = fmaf(p, u, TANH_C2);
        p = fmaf(p, u, TANH_C1);
        p = fmaf(p, u, TANH_C0);
        return fmaf(p * u, x, x);
    }
    float power = real_exp2(size * (2.0f * REAL_LOG2E));
    float y = 1.0f - 2.0f / (power + 1.0f);
    return x < 0.0f ? -y : y;
}

/* x + x P(x^2) near 0, 1 - 2^Q(|x|) elsewhere. */
static inline real real_erf(real x) {
    float t = fabsf(x);
    if (t < ERF_SPLIT) {
        float u = x * x;
        float p = fmaf(ERF_P5, u, ERF_P4);
        p = fmaf(p, u, ERF_P3);
        p = fmaf(p, u, ERF_P2);
        p = fmaf(p, u, ERF_P1);
        p = fmaf(p, u, ERF_P0);
        return fmaf(p, x, x);
    }
    t = ERF_LIMIT < t ? ERF_LIMIT : t;
    float q = fmaf(ERF_Q6, t, ERF_Q5);
    q = fmaf(q, t, ERF_Q4);
    q = fmaf(q, t, ERF_Q3);
    q = fmaf(q, t, ERF_Q2);
    q = fmaf(q, t, ERF_Q1);
    q = fmaf(q, t, ERF_Q0);
    float y = 1.0f - real_exp2(q);
    return x < 0.0f ? -y : y;
}

#endif

/* x with what is below 0 set to 0; NaN stays NaN. */
static inline real real_relu(real x) {
    return (real)0 > x ? (real)0 : x;
}

/* x * Phi(x), Phi the distribution of a standard normal variable. */
static inline real real_gelu(real x) {
    return x * (real)0.5 * (1 + real_erf(x * REAL_SQRT1_2));
}

/* ---- x * sigmoid(u), u a function of x ---- */

#define REAL_GELU_SIGMOID ((real)1.702)
#define REAL_GELU_TANH_1  ((real)1.5957691216057308)  /* 2 sqrt(2 / pi) */
#define REAL_GELU_TANH_3  ((real)0.07135481282699977) /* 0.044715 of it */

static inline real real_sigmoid(real u) {
    return 1 / (1 + real_exp2(u * -REAL_LOG2E));
}

/* sigmoid(u) + x sigmoid'(u) u' */
static inline real real_gated_derivative(real x, real u, real slope) {
    real gate = real_sigmoid(u);
    return real_fma(x * slope, gate * (1 - gate), gate);
}

static inline real real_swish(real x) {
    return x * real_sigmoid(x);
}

static inline real real_swish_derivative(real x) {
    return real_gated_derivative(x, x, 1);
}

static inline real real_gelu_sigmoid(real x) {
    return x * real_sigmoid(REAL_GELU_SIGMOID * x);
}

static inline real real_gelu_sigmoid_derivative(real x) {
    return real_gated_derivative(x, REAL_GELU_SIGMOID * x, REAL_GELU_SIGMOID);
}

static inline real real_gelu_tanh_argument(real x) {
    return x * real_fma(REAL_GELU_TANH_3, x * x, REAL_GELU_TANH_1);
}

static inline real real_gelu_tanh(real x) {
    return x * real_sigmoid(real_gelu_tanh_argument(x));
}

static inline real real_gelu_tanh_derivative(real x) {
    real slope = real_fma(3 * REAL_GELU_TANH_3, x * x, REAL_GELU_TANH_1);
    return real_gated_derivative(x, real_gelu_tanh_argument(x), slope);
}

/* Phi(x) + x * Phi'(x) */
static inline real real_gelu_derivative(real x) {
    real distribution = (real)0.5 * (1 + real_erf(x * REAL_SQRT1_2));
    real density = REAL_RSQRT_2PI * real_exp2(x * x * ((real)-0.5 * REAL_LOG2E));
    return real_fma(x, density, distribution);
}

#endif

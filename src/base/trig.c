/* base/trig.c: Cody-Waite range reduction and Taylor series, long enough for double. */
#include "base/trig.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* pi / 2 in three parts of 33 bits or fewer, so that part * n is exact for n below 2^20. */
static const double HALF_PI_1 = 0x1.921fb544p+0;
static const double HALF_PI_2 = 0x1.0b4611a6p-34;
static const double HALF_PI_3 = 0x1.3198a2e037073p-69;
static const double TWO_OVER_PI = 0x1.45f306dc9c883p-1;

/* Horner's scheme for sum of term[i] * x^i. */
static double polynomial(const double *term, int count, double x) {
    double sum = term[count - 1];
    for (int i = count - 2; i >= 0; i--) {
        sum = sum * x + term[i];
    }
    return sum;
}

/* 1 / (2i + 3)! and 1 / (2i + 4)! with alternating signs */
static const double SINE[] = {
    -1.0 / 6.0,        1.0 / 120.0,        -1.0 / 5040.0,          1.0 / 362880.0,
    -1.0 / 39916800.0, 1.0 / 6227020800.0, -1.0 / 1307674368000.0, 1.0 / 355687428096000.0,
};
static const double COSINE[] = {
    1.0 / 24.0,        -1.0 / 720.0,         1.0 / 40320.0,          -1.0 / 3628800.0,
    1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0, -1.0 / 6402373705728000.0,
};

void attn_sin_cos(double angle, double *sine, double *cosine) {
    double n = rint(angle * TWO_OVER_PI);
    double x = ((angle - n * HALF_PI_1) - n * HALF_PI_2) - n * HALF_PI_3;
    double u = x * x;
    double s = x + x * u * polynomial(SINE, sizeof SINE / sizeof *SINE, u);
    double c = (1.0 - 0.5 * u) + u * u * polynomial(COSINE, sizeof COSINE / sizeof *COSINE, u);
    switch ((int64_t)n & 3) {
    case 0:
        *sine = s;
        *cosine = c;
        break;
    case 1:
        *sine = c;
        *cosine = -s;
        break;
    case 2:
        *sine = -s;
        *cosine = -c;
        break;
    default:
        *sine = -c;
        *cosine = s;
        break;
    }
}

double attn_exp2_double(double x) {
    /* 1 / i! */
    static const double EXP[] = {
        1.0,
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362880.0,
        1.0 / 3628800,
        1.0 / 39916800,
        1.0 / 479001600,
        1.0 / 6227020800,
        1.0 / 87178291200,
    };
    double n = rint(x);
    double power = polynomial(EXP, sizeof EXP / sizeof *EXP, (x - n) * 0x1.62e42fefa39efp-1);
    uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return power * scale;
}

/* x = m 2^n with m around 1; ln m = 2 artanh(r), r = (m - 1) / (m + 1), |r| < 0.172. */
double attn_log2_double(double x) {
    /* 1 / (2 i + 1) */
    static const double ARTANH[] = {
        1.0,        1.0 / 3.0,  1.0 / 5.0,  1.0 / 7.0,  1.0 / 9.0,  1.0 / 11.0,
        1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0, 1.0 / 21.0, 1.0 / 23.0,
    };
    const double two_over_ln_2 = 0x1.71547652b82fep+1, root_half = 0x1.6a09e667f3bcdp-1;
    int n;
    double m = frexp(x, &n); /* exact */
    if (m < root_half) {
        m *= 2;
        n--;
    }
    double r = (m - 1.0) / (m + 1.0);
    double log2_m = r * polynomial(ARTANH, sizeof ARTANH / sizeof *ARTANH, r * r) * two_over_ln_2;
    return (double)n + log2_m;
}

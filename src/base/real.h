/* base/real.h: the element type of the layers and of the plain-C kernels.
 *
 * float in the library; double where the gradient checks rebuild the layers with ATTN_REAL_DOUBLE.
 * The plain-C kernels are the definition of every result: what they do in float, with one rounding
 * per real_fma, is what every other kernel does. */
#ifndef ATTN_BASE_REAL_H
#define ATTN_BASE_REAL_H

#include <math.h>

#include "attn/status.h"

typedef attn_real real;

/* a * b + c with one rounding; sqrt; the nearest integer, ties to even: all exact by IEEE 754 on
 * every processor. */
#ifdef ATTN_REAL_DOUBLE
#define real_fma(a, b, c) fma((a), (b), (c))
#define real_sqrt(a)      sqrt(a)
#define real_rint(a)      rint(a)
#else
#define real_fma(a, b, c) fmaf((a), (b), (c))
#define real_sqrt(a)      sqrtf(a)
#define real_rint(a)      rintf(a)
#endif

/* The number of lanes in which every sum along a vector is kept, and the width of a panel. */
enum { LANES = 16 };

/* The one order in which sixteen partial sums become one. */
static inline real lanes_sum(const real lane[LANES]) {
    real eight[8], four[4];
    for (int i = 0; i < 8; i++) {
        eight[i] = lane[i] + lane[i + 8];
    }
    for (int i = 0; i < 4; i++) {
        four[i] = eight[i] + eight[i + 4];
    }
    return (four[0] + four[2]) + (four[1] + four[3]);
}

#endif

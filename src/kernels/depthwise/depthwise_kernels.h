/* kernels/depthwise/depthwise_kernels.h: what an instruction set provides for depthwise convolution:
 * a line of neighbouring pixels that all have the same taps.
 *
 * C channels. depthwise.c finds the lines. Definition: depthwise_ref.c. */
#ifndef ATTN_KERNELS_DEPTHWISE_KERNELS_H
#define ATTN_KERNELS_DEPTHWISE_KERNELS_H

#include "base/real.h"

enum { ATTN_DEPTHWISE_TAPS = 31 * 31 };

typedef struct attn_depthwise_line {
    int64_t pixels, channels;
    int taps;
    const real *const *in;     /* [taps]: what the first pixel reads; C values each */
    int64_t in_step;           /* between the inputs of neighbouring pixels */
    const real *const *weight; /* [taps]: C values each */
    const real *start;         /* what the chain of a pixel starts from; NULL: 0 */
    int64_t start_step;        /* 0: the same C values for all */
    real *out;
    int64_t out_step;
} attn_depthwise_line;

typedef struct attn_depthwise_weights {
    int64_t pixels, channels;
    int taps;
    const real *const *in; /* as above */
    int64_t in_step;
    const real *d_out;
    int64_t out_step;
    real *const *d_weight; /* [taps] */
} attn_depthwise_weights;

typedef struct attn_depthwise_kernels {
    /* out[x, c] = start[x, c] + sum over t of in[t][x, c] * weight[t][c], in the order of t */
    void (*line)(const attn_depthwise_line *line);
    /* d_weight[t][c] += sum over x of d_out[x, c] * in[t][x, c], in the order of x */
    void (*weights)(const attn_depthwise_weights *line);
} attn_depthwise_kernels;

extern const attn_depthwise_kernels attn_depthwise_ref; /* plain C: the definition */

#endif

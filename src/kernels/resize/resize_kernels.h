/* kernels/resize/resize_kernels.h: what an instruction set provides for resizing.
 *
 * C channels. resize.c finds the neighbours. Definition: resize_ref.c. */
#ifndef ATTN_KERNELS_RESIZE_KERNELS_H
#define ATTN_KERNELS_RESIZE_KERNELS_H

#include "base/real.h"

/* Between which two places an output lies, and how far from the first. */
typedef struct attn_resize_place {
    int64_t left, right;
    real weight;
} attn_resize_place;

typedef struct attn_resize_kernels {
    /* y = fma(weight, b - a, a) */
    void (*blend)(int64_t count, real weight, const real *a, const real *b, real *y);
    /* y[i] = the same of x[place i's left] and x[its right] */
    void (*blend_pixels)(int64_t pixels, int64_t channels, const attn_resize_place *places,
                         const real *x, real *y);
    /* At least one pixel. In the order of i: d_x[left] = fma(1 - weight, d_y[i], d_x[left]);
     *                    d_x[right] = fma(weight, d_y[i], d_x[right]) */
    void (*spread_pixels)(int64_t pixels, int64_t channels, const attn_resize_place *places,
                          const real *d_y, real *d_x);
} attn_resize_kernels;

extern const attn_resize_kernels attn_resize_ref; /* plain C: the definition */

#endif

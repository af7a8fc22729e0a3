/* kernels/resize/resize.h: bilinear resize of pictures, corners not aligned.
 *
 *     output place i lies at (i + 1/2) * in / out - 1/2 of the input, at least 0
 *
 * between the pixels `left` and `right`, weight w from left: first every row between its two input
 * rows, then every pixel of it between its two columns, each as fma(w, right - left, left). What an
 * input pixel hands back is added in the order of the output's rows, in each of its columns.
 * Threaded. Pixels are C contiguous values. */
#ifndef ATTN_KERNELS_RESIZE_H
#define ATTN_KERNELS_RESIZE_H

#include "base/memory.h"
#include "base/real.h"

typedef struct attn_resize_shape {
    int64_t batch, in_height, in_width, out_height, out_width, channels;
} attn_resize_shape;

ATTN_MUST_CHECK attn_status attn_resize_forward(const attn_resize_shape *shape, const real *x,
                                                real *y, attn_scratch *scratch);
/* Rows first .. first + count - 1 of the output alone, of all pictures one below the other: the same bits. */
ATTN_MUST_CHECK attn_status attn_resize_rows(const attn_resize_shape *shape, int64_t first,
                                             int64_t count, const real *x, real *y,
                                             attn_scratch *scratch);
/* d_x is added to where it accumulates, else written. */
ATTN_MUST_CHECK attn_status attn_resize_backward(const attn_resize_shape *shape, const real *d_y,
                                                 real *d_x, bool accumulate, attn_scratch *scratch);

#endif

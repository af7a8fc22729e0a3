/* image/resize.h: pictures and masks at another size, in whole numbers, hence the same bytes
 * everywhere.
 *
 * Pixel centres lie at half-integers: output pixel i of n looks at input position (i + 1/2) N / n.
 * Next: image/augment.h. */
#ifndef ATTN_IMAGE_RESIZE_H
#define ATTN_IMAGE_RESIZE_H

#include "base/memory.h"
#include "image/picture.h"

/* The part of a resized picture that is wanted: columns x .. x + width - 1 of rows y .. y + height
 * - 1 of what would be full_width x full_height. It must lie inside. */
typedef struct attn_window {
    int64_t full_width, full_height;
    int64_t x, y, width, height;
} attn_window;

/* Bilinear, with antialiasing: each output pixel is a mean of input pixels, weighted by a triangle
 * that is as wide as an output pixel or an input pixel on each side, whichever is larger. Weights
 * are multiples of 2^-14 that sum to 1; the result is rounded twice, once a direction. At the same
 * size every byte is kept. out: [height, width, 3]. ATTN_ERR_MEMORY. Threads need a scratch
 * each. */
ATTN_MUST_CHECK attn_status attn_resize_picture(const attn_picture *in, const attn_window *window,
                                                uint8_t *out, attn_scratch *scratch,
                                                attn_error *error);
/* The label of the nearest input pixel. out: [height, width]. */
void attn_resize_mask(const attn_mask *in, const attn_window *window, uint8_t *out);

#endif

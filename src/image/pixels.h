/* image/pixels.h: pictures and masks in memory.
 *
 * W width, H height, in pixels; pixel (x, y) is column x of row y, counted from 0 at the top left.
 * All functions may run on several threads at once. Next: image/picture.h. */
#ifndef ATTN_IMAGE_PIXELS_H
#define ATTN_IMAGE_PIXELS_H

#include <stdint.h>

#include "attn/status.h"

typedef struct attn_picture {
    int64_t width, height;
    uint8_t *rgb; /* [H, W, 3] */
} attn_picture;

/* What each pixel is: a class or the ignore value (image/classes.h). */
typedef struct attn_mask {
    int64_t width, height;
    uint8_t *label; /* [H, W] */
} attn_mask;

/* Not cleared. width and height at least 1. ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_picture_create(int64_t width, int64_t height, attn_picture *out,
                                                attn_error *error);
ATTN_MUST_CHECK attn_status attn_mask_create(int64_t width, int64_t height, attn_mask *out,
                                             attn_error *error);
/* Both leave what they are given empty; an empty one is allowed. */
void attn_picture_free(attn_picture *picture);
void attn_mask_free(attn_mask *mask);

#endif

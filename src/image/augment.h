/* image/augment.h: the random variations of training.
 *
 * What is done to a picture is a function of (seed, epoch, index of the picture) alone; drawing it
 * and doing it are two steps, so that any thread may do any picture. No libm: the same bits
 * everywhere. H, W: rows and columns of what comes out. Next: image/confusion.h. */
#ifndef ATTN_IMAGE_AUGMENT_H
#define ATTN_IMAGE_AUGMENT_H

#include <stdbool.h>

#include "base/memory.h"
#include "image/picture.h"

typedef struct attn_augment_options {
    int64_t crop_width, crop_height; /* of what comes out; 0: as large as the scaled picture */
    double scale_low, scale_high;    /* the factor is uniform between them; positive */
    double flip;                     /* probability of a left-right mirror image */
    double brightness, contrast, saturation; /* each factor is uniform in 1 - x .. 1 + x; 0 .. 1 */
} attn_augment_options;

/* What is done to one picture: scale it, cut the crop out, mirror that, change colours. */
typedef struct attn_augment_plan {
    int64_t full_width, full_height; /* after scaling */
    int64_t x, y; /* the crop's corner in the scaled picture; negative: padding before it */
    int64_t width, height; /* W, H */
    bool flip;
    float brightness, contrast, saturation; /* factors; 1 changes nothing */
} attn_augment_plan;

/* Draws the plan for a picture of width x height. Options that are off do not change what the
 * others draw. A crop larger than the scaled picture leaves the picture at a random place in it. */
attn_augment_plan attn_augment_draw(const attn_augment_options *options, uint64_t seed,
                                    uint64_t epoch, uint64_t index, int64_t width, int64_t height);
/* The plan that changes nothing. */
attn_augment_plan attn_augment_none(int64_t width, int64_t height);

/* Room to work in, one a thread; zeroed it is ready for use, and it grows to what is needed
 * once. */
typedef struct attn_augment_space {
    attn_scratch crop, filter;
} attn_augment_space;
void attn_augment_space_free(attn_augment_space *space);

/* pixels: [H, W, 3], labels: [H, W]. Pictures are resized with antialiasing, masks by the nearest
 * pixel; padding is grey (128) with the label `ignore`. Colours:
 *   v = value * brightness;  v = (v - p) * contrast + p, p = brightness * mean grey of the crop;
 *   v = g + (v - g) * saturation, g the grey of v;  then cut to 0 .. 255 and rounded.
 * mask and labels may be NULL together. The mask has the picture's size. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_augment_apply(const attn_augment_plan *plan,
                                               const attn_picture *picture, const attn_mask *mask,
                                               uint8_t ignore, uint8_t *pixels, uint8_t *labels,
                                               attn_augment_space *space, attn_error *error);

#endif

/* image/overlay.h: results laid over the photograph: a mask with its legend, a map of weights. */
#ifndef ATTN_IMAGE_OVERLAY_H
#define ATTN_IMAGE_OVERLAY_H

#include "image/classes.h"
#include "image/picture.h"

/* The picture mixed with the colours of the mask's classes, at `opacity` 0 .. 1 (in 256ths);
 * ignored pixels stay as they are. Same size, else ATTN_ERR_SHAPE. */
ATTN_MUST_CHECK attn_status attn_overlay_mask(const attn_picture *picture, const attn_mask *mask,
                                              const attn_classes *classes, double opacity,
                                              attn_picture *out, attn_error *error);
/* Adds a strip below the picture with colour, name and share of pixels of each class that the mask
 * holds. A picture too narrow for one entry gets white beside it. */
ATTN_MUST_CHECK attn_status attn_overlay_legend(attn_picture *picture, const attn_mask *mask,
                                                const attn_classes *classes, attn_error *error);

/* Colour of a weight 0 .. 1: from dark blue over grey to light yellow, ever brighter, so that it is
 * read the same by who does not see red and green, and on a grey print. */
void attn_heat_color(double weight, uint8_t rgb[3]);

typedef struct attn_heat {
    const attn_picture *picture;
    const float *map; /* [map_height, map_width], covers the picture; NaN counts as 0 */
    int64_t map_width, map_height;
    float top;            /* the weight of the lightest colour; 0: the map's largest */
    int64_t at_x, at_y;   /* a pixel to mark; negative: none */
    const char *title;    /* above the picture; NULL: none */
    const char *quantity; /* at the colour bar; NULL: "weight" */
} attn_heat;

/* The map, smoothly enlarged, over the grey picture: the larger a weight, the more of its colour.
 * Without marker, title and bar. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_heat_blend(const attn_heat *heat, attn_picture *out,
                                            attn_error *error);
/* The same with marker, title and colour bar, to a .png, .svg or .pdf file. A picture of more than
 * 2048 pixels a side is made smaller, one of less than 256 is enlarged. */
ATTN_MUST_CHECK attn_status attn_heat_write(const char *path, const attn_heat *heat,
                                            attn_error *error);

#endif

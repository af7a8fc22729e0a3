/* image/exif.h: which way up a photograph is. */
#ifndef ATTN_IMAGE_EXIF_H
#define ATTN_IMAGE_EXIF_H

#include <stddef.h>

#include "image/pixels.h"

/* The orientation, 1 .. 8, in EXIF data (a TIFF header and what follows); 1, upright, where there
 * is none or it makes no sense. */
int attn_exif_orientation(const uint8_t *tiff, size_t size);
/* Turn them upright. */
ATTN_MUST_CHECK attn_status attn_picture_orient(attn_picture *picture, int orientation,
                                                attn_error *error);
ATTN_MUST_CHECK attn_status attn_mask_orient(attn_mask *mask, int orientation, attn_error *error);

#endif

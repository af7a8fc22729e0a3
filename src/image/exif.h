/* image/exif.h: which way up a photograph is. */
#ifndef ATTN_IMAGE_EXIF_H
#define ATTN_IMAGE_EXIF_H

#include <stddef.h>

#include "image/pixels.h"

/* The orientation, 1 .. 8, in EXIF data: a TIFF header and what follows, which some programs put "Exif"
 * and two zeros before. 0 where there is none or it makes no sense. */
int attn_exif_orientation(const uint8_t *bytes, size_t size);
/* The same in the text of a PNG that some programs write, "Raw profile type exif" or "APP1": a name, a length and
 * hexadecimal digits, a line each or more. Of the profile the first 8 KiB count. */
int attn_exif_text_orientation(const uint8_t *text, size_t size);
/* The same in XMP: tiff:Orientation as an attribute or an element. */
int attn_xmp_orientation(const uint8_t *bytes, size_t size);
/* Turn them upright; an orientation that is not 1 .. 8 counts as 1. */
ATTN_MUST_CHECK attn_status attn_picture_orient(attn_picture *picture, int orientation,
                                                attn_error *error);
ATTN_MUST_CHECK attn_status attn_mask_orient(attn_mask *mask, int orientation, attn_error *error);

#endif

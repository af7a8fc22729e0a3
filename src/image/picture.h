/* image/picture.h: reading JPEG and PNG files into pictures.
 *
 * All functions may run on several threads at once. Next: image/mask.h. */
#ifndef ATTN_IMAGE_PICTURE_H
#define ATTN_IMAGE_PICTURE_H

#include <stddef.h>

#include "image/pixels.h"

/* More pixels than this are refused where a caller passes 0 as max_pixels. */
#define ATTN_DEFAULT_MAX_PIXELS ((int64_t)100000000)

/* Decodes a JPEG (grey, YCbCr, RGB, CMYK or YCCK; baseline or progressive) or a PNG (any type) to
 * 8-bit RGB: 16-bit values are rounded, transparency is laid over white, of an animated PNG the
 * still picture is taken, colour profiles are left out of account, and the picture is turned as its
 * EXIF orientation says. More than max_pixels pixels (0: the default) are refused before memory is
 * spent on them.
 * ATTN_ERR_IO; ATTN_ERR_FORMAT: neither JPEG nor PNG, cut short, corrupt, no pixels, too many;
 * ATTN_ERR_UNSUPPORTED: a kind of JPEG that libjpeg cannot read; ATTN_ERR_MEMORY. On failure *out
 * is empty. A PNG gives the same bytes everywhere; a JPEG does as far as the libjpeg is the
 * same. */
ATTN_MUST_CHECK attn_status attn_picture_read(const char *path, int64_t max_pixels,
                                              attn_picture *out, attn_error *error);
/* The same from memory; name goes into errors. */
ATTN_MUST_CHECK attn_status attn_picture_parse(const void *bytes, size_t size, const char *name,
                                               int64_t max_pixels, attn_picture *out,
                                               attn_error *error);

#endif

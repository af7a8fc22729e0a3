/* image/picture.h: reading JPEG, PNG, TIFF and WebP files into pictures.
 *
 * All functions may run on several threads at once. Next: image/mask.h. */
#ifndef ATTN_IMAGE_PICTURE_H
#define ATTN_IMAGE_PICTURE_H

#include <stddef.h>

#include "image/pixels.h"

/* More pixels than this are refused where a caller passes 0 as max_pixels. */
#define ATTN_DEFAULT_MAX_PIXELS ((int64_t)100000000)

/* TIFF and WebP can be made so that their libraries take far more memory than the picture does: from
 * strangers, only the first kind. */
typedef enum attn_picture_formats { ATTN_PICTURES_WEB, ATTN_PICTURES_ALL } attn_picture_formats;

/* Decodes a JPEG (grey, YCbCr, RGB, CMYK or YCCK; baseline or progressive), a PNG (any type), a TIFF (grey,
 * palette, RGB or CMYK of up to 16 bits) or a WebP to 8-bit RGB: 16-bit values are rounded, transparency
 * is laid over white, further channels are left out, of an animation or several pages the first picture is
 * taken, colour profiles are left out of account, and the picture is turned as the orientation in its
 * EXIF data says, or, where they say nothing, in its XMP. More than max_pixels pixels (0: the default) are
 * refused before memory is spent on them.
 * ATTN_ERR_IO; ATTN_ERR_FORMAT: none of these, cut short, corrupt, no pixels, too many;
 * ATTN_ERR_UNSUPPORTED: a kind of JPEG or TIFF that is not read; ATTN_ERR_MEMORY. On failure *out
 * is empty. PNG, and TIFF and WebP without loss, give the same bytes everywhere; the others do as far as
 * their library is the same. */
ATTN_MUST_CHECK attn_status attn_picture_read(const char *path, int64_t max_pixels,
                                              attn_picture *out, attn_error *error);
/* The same from memory; name goes into errors. */
ATTN_MUST_CHECK attn_status attn_picture_parse(const void *bytes, size_t size, const char *name,
                                               attn_picture_formats formats, int64_t max_pixels,
                                               attn_picture *out, attn_error *error);

#endif

/* image/decode.h: the decoders behind image/picture.h and image/mask.h. */
#ifndef ATTN_IMAGE_DECODE_H
#define ATTN_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/raster.h"

/* An encoded file in memory and how much of it may be believed. */
typedef struct attn_encoded {
    const uint8_t *bytes;
    size_t size;
    const char *name; /* for errors */
    int64_t max_pixels;
} attn_encoded;

enum { ATTN_PICTURE_FILE_LIMIT = 1 << 30 }; /* bytes of a file */

bool attn_is_png(const void *bytes, size_t size);
bool attn_is_jpeg(const void *bytes, size_t size);
bool attn_is_tiff(const void *bytes, size_t size);
bool attn_is_webp(const void *bytes, size_t size);

ATTN_MUST_CHECK attn_status attn_jpeg_decode(const attn_encoded *file, attn_picture *out,
                                             attn_error *error);
/* exact: the stored values, 16 bits as 16 and numbers of colours as they are, for masks; what is packed
 * with loss is refused, ATTN_ERR_FORMAT. Else 8 bits, of PNG and WebP as RGB. Free the raster with
 * attn_raster_free or attn_raster_to_picture; on failure it has no samples. */
ATTN_MUST_CHECK attn_status attn_png_decode(const attn_encoded *file, bool exact, attn_raster *out,
                                            attn_error *error);
ATTN_MUST_CHECK attn_status attn_tiff_decode(const attn_encoded *file, bool exact, attn_raster *out,
                                             attn_error *error);
ATTN_MUST_CHECK attn_status attn_webp_decode(const attn_encoded *file, bool exact, attn_raster *out,
                                             attn_error *error);

/* Refuses sizes of 0 and more than max_pixels pixels. */
ATTN_MUST_CHECK attn_status attn_check_pixels(const attn_encoded *file, int64_t width,
                                              int64_t height, attn_error *error);
/* Says what a file is that is none of `wanted`, as far as the first bytes tell. */
attn_status attn_fail_not_a_picture(const attn_encoded *file, const char *wanted,
                                    attn_error *error);

#endif

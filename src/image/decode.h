/* image/decode.h: the decoders behind image/picture.h and image/mask.h. */
#ifndef ATTN_IMAGE_DECODE_H
#define ATTN_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/pixels.h"

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

ATTN_MUST_CHECK attn_status attn_png_decode(const attn_encoded *file, attn_picture *out,
                                            attn_error *error);
ATTN_MUST_CHECK attn_status attn_jpeg_decode(const attn_encoded *file, attn_picture *out,
                                             attn_error *error);
/* A grey or palette PNG of at most 8 bits: its values as they are, neither scaled nor looked up.
 * Grey of 16 bits or with alpha is ATTN_ERR_FORMAT. *has_indices is false, and *out empty, for a
 * PNG in colours. */
ATTN_MUST_CHECK attn_status attn_png_decode_indices(const attn_encoded *file, bool *has_indices,
                                                    attn_mask *out, attn_error *error);

/* Refuses sizes of 0 and more than max_pixels pixels. */
ATTN_MUST_CHECK attn_status attn_check_pixels(const attn_encoded *file, int64_t width,
                                              int64_t height, attn_error *error);
/* Neither JPEG nor PNG: says what it is instead, as far as the first bytes tell. */
attn_status attn_fail_not_a_picture(const attn_encoded *file, attn_error *error);

#endif

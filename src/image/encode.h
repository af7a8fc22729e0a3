/* image/encode.h: writing masks and pictures as PNG, and arrays as .npy. Files are replaced whole
 * or not at all (io/file.h). All functions may run on several threads at once. */
#ifndef ATTN_IMAGE_ENCODE_H
#define ATTN_IMAGE_ENCODE_H

#include <stdbool.h>

#include "image/classes.h"
#include "image/picture.h"

/* An 8-bit RGB PNG. made_by: what its text chunk Software says, at most 63 bytes; NULL: it has none. ATTN_ERR_IO,
 * ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_picture_write(const char *path, const attn_picture *picture,
                                               const char *made_by, attn_error *error);
/* An 8-bit palette PNG whose indices are the labels and whose palette has the colours of the
 * classes; attn_mask_read gives the same labels back. */
ATTN_MUST_CHECK attn_status attn_mask_write(const char *path, const attn_mask *mask,
                                            const attn_classes *classes, const char *made_by,
                                            attn_error *error);
/* The same in memory: *bytes is to be freed with attn_free. */
ATTN_MUST_CHECK attn_status attn_mask_encode(const attn_mask *mask, const attn_classes *classes,
                                             const char *made_by, char **bytes, size_t *size,
                                             attn_error *error);
/* Whether the file is a PNG that says so, near its beginning. */
bool attn_picture_is_made_by(const char *path, const char *made_by);
/* The mask as a picture, each label in its class's colour. */
ATTN_MUST_CHECK attn_status attn_mask_color(const attn_mask *mask, const attn_classes *classes,
                                            attn_picture *out, attn_error *error);

/* A NumPy array file (format version 1.0) of little-endian float32 in C order. rank 1 .. 8. */
ATTN_MUST_CHECK attn_status attn_npy_write(const char *path, const float *data,
                                           const int64_t *shape, int rank, attn_error *error);

#endif

/* image/mask.h: reading masks, and holding them to the classes and to their pictures.
 *
 * A mask says for each pixel which class it is. Next: image/pairs.h. */
#ifndef ATTN_IMAGE_MASK_H
#define ATTN_IMAGE_MASK_H

#include <stdbool.h>

#include "image/classes.h"
#include "image/picture.h"

typedef struct attn_mask_options {
    bool colors; /* grey and palette masks too are colours, to be found in the classes file */
    int64_t max_pixels; /* 0: ATTN_DEFAULT_MAX_PIXELS */
    int first; /* the value of class 0; smaller ones are left out, as the ignore value is */
} attn_mask_options;

/* A PNG, TIFF or lossless WebP. One channel holds the classes, of up to 16 bits, as they are stored (a
 * palette is for the eye); so do three equal ones, unless all their greys are colours of classes;
 * others are colours. An alpha channel may be there; over numbers it has to be opaque. EXIF orientation is
 * honoured, as for pictures. Afterwards every label is below classes->count or classes->ignore.
 * ATTN_ERR_FORMAT: as for pictures; a value outside the classes or a colour that none has (the error names
 * it and the first pixel that has it, and what the file holds); a JPEG or lossy WebP, which change
 * values. ATTN_ERR_ARGUMENT: options that contradict each other. ATTN_ERR_UNSUPPORTED, ATTN_ERR_IO,
 * ATTN_ERR_MEMORY. Thread-safe. */
ATTN_MUST_CHECK attn_status attn_mask_read(const char *path, const attn_classes *classes,
                                           const attn_mask_options *options, attn_mask *out,
                                           attn_error *error);
/* The same from memory; name goes into errors. */
ATTN_MUST_CHECK attn_status attn_mask_parse(const void *bytes, size_t size, const char *name,
                                            const attn_classes *classes,
                                            const attn_mask_options *options, attn_mask *out,
                                            attn_error *error);

/* Picture and mask must be of one size; the error names both files. */
ATTN_MUST_CHECK attn_status attn_mask_check_size(const attn_picture *picture,
                                                 const char *picture_name, const attn_mask *mask,
                                                 const char *mask_name, attn_error *error);

/* Reads both files of a pair and checks their sizes. On failure both are empty. */
ATTN_MUST_CHECK attn_status attn_pair_read(const char *picture_path, const char *mask_path,
                                           const attn_classes *classes,
                                           const attn_mask_options *options, attn_picture *picture,
                                           attn_mask *mask, attn_error *error);

/* Adds to seen[v] the pixels of value v. */
void attn_mask_count(const attn_mask *mask, int64_t seen[256]);
/* Over all masks of a set: when 255 is ignored and there is nothing but 0 and 255 although there
 * are more classes, the masks are black and white pictures rather than indices: ATTN_ERR_FORMAT.
 * Also when every pixel is ignored. where names the set. */
ATTN_MUST_CHECK attn_status attn_masks_check(const int64_t seen[256], const attn_classes *classes,
                                             const char *where, attn_error *error);

#endif

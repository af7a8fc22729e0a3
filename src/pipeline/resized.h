/* pipeline/resized.h: a picture at the size that a network sees. */
#ifndef ATTN_PIPELINE_RESIZED_H
#define ATTN_PIPELINE_RESIZED_H

#include "attn/segment.h"
#include "image/pixels.h"

/* A copy of width x height pixels (image/resize.h says how), to be freed with attn_free(out->rgb), also after a failure.
 * ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_picture_resized(const attn_pixels *picture, int64_t width,
                                                 int64_t height, attn_picture *out,
                                                 attn_error *error);

#endif

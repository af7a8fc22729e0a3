/* pipeline/resized.c: see resized.h. */
#include "pipeline/resized.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/resize.h"

attn_status attn_picture_resized(const attn_pixels *picture, int64_t width, int64_t height,
                                 attn_picture *out, attn_error *error) {
    attn_resize_part all = {width, height, 0, 0, width, height};
    attn_picture from = {picture->width, picture->height,
                         (uint8_t *)(uintptr_t)picture->rgb}; /* only read */
    attn_scratch filter = {0};
    *out = (attn_picture){width, height, attn_alloc((size_t)(width * height) * 3)};
    attn_status status = out->rgb != NULL
                             ? attn_resize_picture(&from, &all, out->rgb, &filter, error)
                             : attn_fail_memory(error, (size_t)(width * height) * 3);
    attn_scratch_free(&filter);
    return status;
}

/* image/pixels.c: memory for pictures and masks. */
#include "image/pixels.h"

#include "base/fail.h"
#include "base/memory.h"

static attn_status create(int64_t width, int64_t height, size_t pixel_size, uint8_t **out,
                          attn_error *error) {
    size_t size;
    *out = NULL;
    if (width < 1 || height < 1) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "picture", -1, NULL,
                         "a picture of %lld x %lld pixels", (long long)width, (long long)height);
    }
    if (!attn_size_mul((size_t)width, (size_t)height, &size) ||
        !attn_size_mul(size, pixel_size, &size)) {
        return attn_fail_memory(error, SIZE_MAX);
    }
    *out = attn_alloc(size);
    return *out != NULL ? ATTN_OK : attn_fail_memory(error, size);
}

attn_status attn_picture_create(int64_t width, int64_t height, attn_picture *out,
                                attn_error *error) {
    *out = (attn_picture){width, height, NULL};
    return create(width, height, 3, &out->rgb, error);
}

attn_status attn_mask_create(int64_t width, int64_t height, attn_mask *out, attn_error *error) {
    *out = (attn_mask){width, height, NULL};
    return create(width, height, 1, &out->label, error);
}

void attn_picture_free(attn_picture *picture) {
    attn_free(picture->rgb);
    *picture = (attn_picture){0, 0, NULL};
}

void attn_mask_free(attn_mask *mask) {
    attn_free(mask->label);
    *mask = (attn_mask){0, 0, NULL};
}

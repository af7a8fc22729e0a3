/* image/picture.c: which decoder reads a file. Next: decode.h. */
#include "image/picture.h"

#include "base/memory.h"
#include "image/decode.h"
#include "io/file.h"

attn_status attn_picture_parse(const void *bytes, size_t size, const char *name, int64_t max_pixels,
                               attn_picture *out, attn_error *error) {
    attn_encoded file = {bytes, size, name, max_pixels > 0 ? max_pixels : ATTN_DEFAULT_MAX_PIXELS};
    *out = (attn_picture){0, 0, NULL};
    if (attn_is_png(bytes, size)) {
        return attn_png_decode(&file, out, error);
    }
    if (attn_is_jpeg(bytes, size)) {
        return attn_jpeg_decode(&file, out, error);
    }
    return attn_fail_not_a_picture(&file, error);
}

attn_status attn_picture_read(const char *path, int64_t max_pixels, attn_picture *out,
                              attn_error *error) {
    char *bytes;
    size_t size;
    *out = (attn_picture){0, 0, NULL};
    attn_status status = attn_file_read(path, ATTN_PICTURE_FILE_LIMIT, &bytes, &size, error);
    if (status == ATTN_OK) {
        status = attn_picture_parse(bytes, size, path, max_pixels, out, error);
        attn_free(bytes);
    }
    return status;
}

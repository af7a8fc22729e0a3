/* image/picture.c: which decoder reads a file. Next: decode.h. */
#include "image/picture.h"

#include "base/memory.h"
#include "image/decode.h"
#include "io/file.h"

attn_status attn_picture_parse(const void *bytes, size_t size, const char *name,
                               attn_picture_formats formats, int64_t max_pixels, attn_picture *out,
                               attn_error *error) {
    attn_encoded file = {bytes, size, name, max_pixels > 0 ? max_pixels : ATTN_DEFAULT_MAX_PIXELS};
    bool all = formats == ATTN_PICTURES_ALL;
    attn_raster raster;
    attn_status status;
    *out = (attn_picture){0, 0, NULL};
    if (attn_is_jpeg(bytes, size)) {
        return attn_jpeg_decode(&file, out, error);
    }
    if (attn_is_png(bytes, size)) {
        status = attn_png_decode(&file, false, &raster, error);
    } else if (all && attn_is_tiff(bytes, size)) {
        status = attn_tiff_decode(&file, false, &raster, error);
    } else if (all && attn_is_webp(bytes, size)) {
        status = attn_webp_decode(&file, false, &raster, error);
    } else {
        return attn_fail_not_a_picture(
            &file, all ? "a PNG, JPEG, TIFF or WebP file" : "a PNG or JPEG file", error);
    }
    return status == ATTN_OK ? attn_raster_to_picture(&raster, out, error) : status;
}

attn_status attn_picture_read(const char *path, int64_t max_pixels, attn_picture *out,
                              attn_error *error) {
    char *bytes;
    size_t size;
    *out = (attn_picture){0, 0, NULL};
    attn_status status = attn_file_read(path, ATTN_PICTURE_FILE_LIMIT, &bytes, &size, error);
    if (status == ATTN_OK) {
        status = attn_picture_parse(bytes, size, path, ATTN_PICTURES_ALL, max_pixels, out, error);
        attn_free(bytes);
    }
    return status;
}

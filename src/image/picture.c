/* image/picture.c: memory for pictures and masks, and which decoder reads a file.
 *
 * Next: decode_png.c, decode_jpeg.c. */
#include "image/picture.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/decode.h"
#include "io/file.h"

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

attn_status attn_check_pixels(const attn_encoded *file, int64_t width, int64_t height,
                              attn_error *error) {
    if (width < 1 || height < 1) {
        return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1, "leave it out, or export it again",
                         "the picture has no pixels (%lld x %lld)", (long long)width,
                         (long long)height);
    }
    if (width > file->max_pixels / height) {
        return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1,
                         "make it smaller, or allow more with --max-pixels",
                         "%lld x %lld pixels; at most %lld are read", (long long)width,
                         (long long)height, (long long)file->max_pixels);
    }
    return ATTN_OK;
}

static bool starts(const attn_encoded *file, size_t offset, const char *magic) {
    size_t length = strlen(magic);
    return file->size >= offset + length && memcmp(file->bytes + offset, magic, length) == 0;
}

attn_status attn_fail_not_a_picture(const attn_encoded *file, attn_error *error) {
    static const struct {
        size_t offset;
        const char *magic, *name;
    } known[] = {
        {0, "GIF8", "a GIF"},     {8, "WEBP", "a WebP"},      {0, "BM", "a BMP"},
        {0, "II*", "a TIFF"},     {4, "ftypavif", "an AVIF"}, {4, "ftyp", "a HEIF"},
        {0, "%PDF", "a PDF"},     {0, "<svg", "an SVG"},      {0, "<?xml", "an XML"},
        {0, "\xff\x0a", "a JXL"},
    };
    if (file->size == 0) {
        return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1, "fetch or export it again",
                         "the file is empty");
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (starts(file, known[i].offset, known[i].magic)) {
            return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1, "convert it to PNG or JPEG",
                             "this is %s file", known[i].name);
        }
    }
    return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1, "convert it to PNG or JPEG",
                     "neither a PNG nor a JPEG file");
}

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

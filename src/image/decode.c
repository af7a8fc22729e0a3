/* image/decode.c: what decoders refuse, and what is no picture.
 *
 * Next: decode_png.c, decode_jpeg.c, decode_tiff.c, decode_webp.c. */
#include "image/decode.h"

#include <string.h>

#include "base/fail.h"

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

attn_status attn_fail_not_a_picture(const attn_encoded *file, const char *wanted,
                                    attn_error *error) {
    static const struct {
        size_t offset;
        const char *magic, *name;
    } known[] = {
        {0, "GIF8", "a GIF"},   {8, "WEBP", "a WebP"},    {0, "BM", "a BMP"},
        {0, "II*", "a TIFF"},   {0, "MM", "a TIFF"},      {4, "ftypavif", "an AVIF"},
        {4, "ftyp", "a HEIF"},  {0, "%PDF", "a PDF"},     {0, "<svg", "an SVG"},
        {0, "<?xml", "an XML"}, {0, "\xff\x0a", "a JXL"},
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
                     "this is not %s", wanted);
}

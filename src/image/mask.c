/* image/mask.c: from a PNG to classes, with nothing let pass that is none. */
#include "image/mask.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/decode.h"
#include "io/file.h"

static const char black_and_white_hint[] =
    "for masks of 0 and 255: --mask-colors, with `0 background 0 0 0` and `1 object 255 255 255` "
    "in the classes file";

static bool only_black_and_white(const int64_t seen[256]) {
    for (int value = 1; value < 255; value++) {
        if (seen[value] != 0) {
            return false;
        }
    }
    return seen[255] != 0;
}

void attn_mask_count(const attn_mask *mask, int64_t seen[256]) {
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        seen[mask->label[i]]++;
    }
}

static attn_status check_values(const attn_mask *mask, const attn_classes *classes,
                                const char *name, attn_error *error) {
    int64_t seen[256] = {0};
    attn_mask_count(mask, seen);
    int wrong = classes->count;
    while (wrong < 256 && (seen[wrong] == 0 || wrong == classes->ignore)) {
        wrong++;
    }
    if (wrong == 256) {
        return ATTN_OK;
    }
    int64_t at = 0;
    while (mask->label[at] < classes->count || mask->label[at] == classes->ignore) {
        at++;
    }
    const char *hint = only_black_and_white(seen)
                           ? black_and_white_hint
                           : "add the class to the classes file, or name the value with --ignore";
    return attn_fail(
        error, ATTN_ERR_FORMAT, name, -1, hint,
        "value %d at pixel (%lld, %lld) is neither a class (0 to %d) nor the ignore value (%d)",
        mask->label[at], (long long)(at % mask->width), (long long)(at / mask->width),
        classes->count - 1, classes->ignore);
}

static attn_status map_colors(const attn_picture *picture, const attn_classes *classes,
                              const char *name, attn_mask *mask, attn_error *error) {
    int last = -1;
    const uint8_t *last_color = NULL; /* neighbours mostly have the same one */
    for (int64_t i = 0; i < picture->width * picture->height; i++) {
        const uint8_t *color = picture->rgb + 3 * i;
        if (last_color == NULL || memcmp(color, last_color, 3) != 0) {
            last = attn_classes_find_color(classes, color);
            last_color = color;
        }
        if (last < 0) {
            return attn_fail(error, ATTN_ERR_FORMAT, name, -1,
                             "add a line with it to the classes file, with the ignore value as its "
                             "id to leave such pixels out",
                             "no class has the colour %d %d %d of pixel (%lld, %lld)", color[0],
                             color[1], color[2], (long long)(i % picture->width),
                             (long long)(i / picture->width));
        }
        mask->label[i] = (uint8_t)last;
    }
    return ATTN_OK;
}

static attn_status decode_colors(const attn_encoded *file, const attn_classes *classes,
                                 attn_mask *out, attn_error *error) {
    attn_picture picture;
    attn_status status = attn_png_decode(file, &picture, error);
    if (status == ATTN_OK) {
        status = attn_mask_create(picture.width, picture.height, out, error);
    }
    if (status == ATTN_OK) {
        status = map_colors(&picture, classes, file->name, out, error);
    }
    attn_picture_free(&picture);
    return status;
}

attn_status attn_mask_parse(const void *bytes, size_t size, const char *name,
                            const attn_classes *classes, const attn_mask_options *options,
                            attn_mask *out, attn_error *error) {
    int64_t limit = options->max_pixels > 0 ? options->max_pixels : ATTN_DEFAULT_MAX_PIXELS;
    attn_encoded file = {bytes, size, name, limit};
    bool has_indices = false;
    attn_status status = ATTN_OK;
    *out = (attn_mask){0, 0, NULL};
    if (attn_is_jpeg(bytes, size)) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, -1, "export the mask as PNG",
                         "a mask cannot be a JPEG, which changes its values");
    }
    if (!attn_is_png(bytes, size)) {
        return attn_fail_not_a_picture(&file, error);
    }
    if (!options->colors) {
        status = attn_png_decode_indices(&file, &has_indices, out, error);
    }
    if (status == ATTN_OK && has_indices) {
        status = check_values(out, classes, name, error);
    } else if (status == ATTN_OK) {
        status = decode_colors(&file, classes, out, error);
    }
    if (status != ATTN_OK) {
        attn_mask_free(out);
    }
    return status;
}

attn_status attn_mask_read(const char *path, const attn_classes *classes,
                           const attn_mask_options *options, attn_mask *out, attn_error *error) {
    char *bytes;
    size_t size;
    *out = (attn_mask){0, 0, NULL};
    attn_status status = attn_file_read(path, ATTN_PICTURE_FILE_LIMIT, &bytes, &size, error);
    if (status == ATTN_OK) {
        status = attn_mask_parse(bytes, size, path, classes, options, out, error);
        attn_free(bytes);
    }
    return status;
}

attn_status attn_mask_check_size(const attn_picture *picture, const char *picture_name,
                                 const attn_mask *mask, const char *mask_name, attn_error *error) {
    if (picture->width == mask->width && picture->height == mask->height) {
        return ATTN_OK;
    }
    bool turned = picture->width == mask->height && picture->height == mask->width;
    return attn_fail(error, ATTN_ERR_FORMAT, mask_name, -1,
                     turned ? "a picture is turned as its EXIF orientation says: turn the mask too"
                            : "a mask needs one value for each pixel of its picture",
                     "the mask is %lld x %lld, but its picture %s is %lld x %lld",
                     (long long)mask->width, (long long)mask->height, picture_name,
                     (long long)picture->width, (long long)picture->height);
}

attn_status attn_pair_read(const char *picture_path, const char *mask_path,
                           const attn_classes *classes, const attn_mask_options *options,
                           attn_picture *picture, attn_mask *mask, attn_error *error) {
    *mask = (attn_mask){0, 0, NULL};
    attn_status status = attn_picture_read(picture_path, options->max_pixels, picture, error);
    if (status == ATTN_OK) {
        status = attn_mask_read(mask_path, classes, options, mask, error);
    }
    if (status == ATTN_OK) {
        status = attn_mask_check_size(picture, picture_path, mask, mask_path, error);
    }
    if (status != ATTN_OK) {
        attn_picture_free(picture);
        attn_mask_free(mask);
    }
    return status;
}

attn_status attn_masks_check(const int64_t seen[256], const attn_classes *classes,
                             const char *where, attn_error *error) {
    bool labelled = false;
    for (int id = 0; id < classes->count; id++) {
        labelled = labelled || seen[id] != 0;
    }
    if (classes->ignore == 255 && classes->count > 1 && labelled && only_black_and_white(seen)) {
        return attn_fail(error, ATTN_ERR_FORMAT, where, -1, black_and_white_hint,
                         "the masks hold nothing but 0 and 255, and 255 is ignored, so that only "
                         "class 0 is left");
    }
    if (!labelled) {
        return attn_fail(error, ATTN_ERR_FORMAT, where, -1,
                         "check the classes file and the ignore value",
                         "every pixel of the masks is ignored");
    }
    return ATTN_OK;
}

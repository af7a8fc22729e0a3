/* image/mask.c: from stored values or colours to classes, with nothing let pass that is none. */
#include "image/mask.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/decode.h"
#include "image/exif.h"
#include "io/file.h"

static const char black_and_white_hint[] =
    "for masks that hold nothing but 0 and 255: --mask-colors, with `0 background 0 0 0` and `1 "
    "object 255 255 255` "
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

/* ---- numbers of classes ---- */

/* A mask on its way: what its file stores, and how that is to be taken. */
typedef struct source {
    const attn_raster *raster;
    const attn_classes *classes;
    int first; /* the value of class 0; those below count for nothing */
    const char *name;
} source;

/* Of the first channel: all others are equal to it, or alpha. */
static unsigned value_at(const attn_raster *raster, int64_t pixel) {
    return attn_raster_sample(raster, pixel * attn_raster_channels(raster));
}

/* The class or the ignore value; -1: neither. */
static int label_of(const source *s, unsigned value) {
    int64_t number = (int64_t)value - s->first;
    if (number >= 0 && number < s->classes->count) {
        return (int)number;
    }
    return number < 0 || (int64_t)value == s->classes->ignore ? s->classes->ignore : -1;
}

/* What to do about values that are no classes depends on what there is. */
static void hint_at(const source *s, char *hint, size_t size) {
    unsigned least = UINT_MAX, most = 0, others = 0, odd = 0;
    for (int64_t i = 0; i < s->raster->width * s->raster->height; i++) {
        unsigned value = value_at(s->raster, i);
        least = value < least ? value : least;
        most = value > most ? value : most;
        others += value != 0 && value != 255;
        odd += value % 257 != 0;
    }
    if (most == 255 && others == 0) {
        snprintf(hint, size, "%s", black_and_white_hint);
    } else if (most > 255 && odd == 0) {
        snprintf(hint, size, "it holds 8-bit values times 257: save it with 8 bits a pixel");
    } else if (most > 255) {
        snprintf(hint, size,
                 "it holds values from %u to %u: save the number of the class, not that of the "
                 "object or an encoded pair",
                 least, most);
    } else if (s->first == 0 && (int)most == s->classes->count) {
        snprintf(
            hint, size,
            "it holds values from %u to %u: if they count classes from 1, give --mask-first 1; "
            "else add the class to the classes file, or name the value with --ignore",
            least, most);
    } else {
        snprintf(hint, size,
                 "it holds values from %u to %u: add the class to the classes file, or name the "
                 "value with --ignore",
                 least, most);
    }
}

static attn_status fail_value(const source *s, int64_t pixel, attn_error *error) {
    char hint[300];
    int64_t width = s->raster->width;
    hint_at(s, hint, sizeof hint);
    return attn_fail(
        error, ATTN_ERR_FORMAT, s->name, -1, hint,
        "value %u at pixel (%lld, %lld)%s is neither a class (%d to %d) nor the ignore "
        "value (%d)",
        value_at(s->raster, pixel), (long long)(pixel % width), (long long)(pixel / width),
        s->raster->kind == ATTN_RASTER_RGB ? ", in three equal channels," : "", s->first,
        s->first + s->classes->count - 1, s->classes->ignore);
}

/* What is transparent might be meant to be left out, or not. */
static attn_status check_opaque(const source *s, attn_error *error) {
    int channels = attn_raster_channels(s->raster);
    unsigned most = s->raster->bytes == 1 ? UINT8_MAX : UINT16_MAX;
    for (int64_t i = 0; s->raster->alpha && i < s->raster->width * s->raster->height; i++) {
        unsigned alpha = attn_raster_sample(s->raster, (i + 1) * channels - 1);
        if (alpha != most) {
            return attn_fail(
                error, ATTN_ERR_FORMAT, s->name, -1,
                "save it without transparency, with the ignore value where it is to be "
                "left out",
                "pixel (%lld, %lld) is transparent: alpha is %u of %u",
                (long long)(i % s->raster->width), (long long)(i / s->raster->width), alpha, most);
        }
    }
    return ATTN_OK;
}

static attn_status map_values(const source *s, attn_mask *mask, attn_error *error) {
    attn_status status = check_opaque(s, error);
    if (status == ATTN_OK) {
        status = attn_mask_create(s->raster->width, s->raster->height, mask, error);
    }
    for (int64_t i = 0; status == ATTN_OK && i < mask->width * mask->height; i++) {
        int label = label_of(s, value_at(s->raster, i));
        mask->label[i] = (uint8_t)label;
        status = label < 0 ? fail_value(s, i, error) : ATTN_OK;
    }
    return status == ATTN_OK ? attn_mask_orient(mask, s->raster->orientation, error) : status;
}

/* ---- colours ---- */

static attn_status fail_color(const attn_picture *picture, int64_t pixel, const char *name,
                              attn_error *error) {
    const uint8_t *color = picture->rgb + 3 * pixel;
    return attn_fail(error, ATTN_ERR_FORMAT, name, -1,
                     "add a line with it to the classes file, with the ignore value as its id to "
                     "leave such pixels out; or save the number of the class, in one channel or in "
                     "equal ones",
                     "the mask is read as colours, and no class has the colour %d %d %d of pixel "
                     "(%lld, %lld)",
                     color[0], color[1], color[2], (long long)(pixel % picture->width),
                     (long long)(pixel / picture->width));
}

static attn_status map_colors(const attn_picture *picture, const attn_classes *classes,
                              const char *name, attn_mask *mask, attn_error *error) {
    int last = -1;
    const uint8_t *last_color = NULL; /* neighbours mostly have the same one */
    attn_status status = attn_mask_create(picture->width, picture->height, mask, error);
    for (int64_t i = 0; status == ATTN_OK && i < picture->width * picture->height; i++) {
        const uint8_t *color = picture->rgb + 3 * i;
        if (last_color == NULL || memcmp(color, last_color, 3) != 0) {
            last = attn_classes_find_color(classes, color);
            last_color = color;
        }
        mask->label[i] = (uint8_t)last;
        status = last < 0 ? fail_color(picture, i, name, error) : ATTN_OK;
    }
    return status;
}

/* The raster is used up. */
static attn_status map_raster_colors(attn_raster *raster, const attn_classes *classes,
                                     const char *name, attn_mask *mask, attn_error *error) {
    attn_picture picture;
    attn_status status = attn_raster_to_picture(raster, &picture, error);
    if (status == ATTN_OK) {
        status = map_colors(&picture, classes, name, mask, error);
    }
    attn_picture_free(&picture);
    return status;
}

/* ---- which of them ---- */

static bool channels_are_equal(const attn_raster *raster) {
    int channels = attn_raster_channels(raster);
    for (int64_t i = 0; i < raster->width * raster->height * channels; i += channels) {
        unsigned value = attn_raster_sample(raster, i);
        if (attn_raster_sample(raster, i + 1) != value ||
            attn_raster_sample(raster, i + 2) != value) {
            return false;
        }
    }
    return true;
}

/* Three equal channels are colours where each of them is a class's, as black and white can be. */
static attn_status map_equal_channels(const source *s, attn_mask *mask, attn_error *error) {
    attn_raster copy = *s->raster;
    attn_error unknown;
    attn_status status = attn_raster_allocate(&copy, error);
    if (status != ATTN_OK) {
        return status;
    }
    memcpy(copy.sample, s->raster->sample,
           (size_t)(copy.width * copy.height * attn_raster_channels(&copy) * copy.bytes));
    status = map_raster_colors(&copy, s->classes, s->name, mask, &unknown);
    if (status == ATTN_ERR_FORMAT) {
        attn_mask_free(mask);
        return map_values(s, mask, error);
    }
    if (status != ATTN_OK && error != NULL) {
        *error = unknown;
    }
    return status;
}

static attn_status map_raster(attn_raster *raster, const attn_classes *classes,
                              const attn_mask_options *options, const char *name, attn_mask *mask,
                              attn_error *error) {
    source s = {raster, classes, options->first, name};
    if (raster->kind == ATTN_RASTER_CMYK) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, -1, "export the mask as PNG",
                         "the mask holds four channels of ink");
    }
    if (options->colors || (raster->kind == ATTN_RASTER_RGB && !channels_are_equal(raster))) {
        return map_raster_colors(raster, classes, name, mask, error);
    }
    return raster->kind == ATTN_RASTER_RGB ? map_equal_channels(&s, mask, error)
                                           : map_values(&s, mask, error);
}

static attn_status check_options(const attn_classes *classes, const attn_mask_options *options,
                                 attn_error *error) {
    int last = options->first + classes->count - 1;
    if (options->first > 0 && options->colors) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--mask-first", -1,
                         "leave out that or --mask-colors", "colours are not counted");
    }
    if (options->first > 0 && classes->ignore >= options->first && classes->ignore <= last &&
        classes->ignore != ATTN_DEFAULT_IGNORE) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "--ignore", -1,
                         "choose a value that is not a class",
                         "%d is a class of masks that hold classes from %d to %d", classes->ignore,
                         options->first, last);
    }
    return ATTN_OK;
}

attn_status attn_mask_parse(const void *bytes, size_t size, const char *name,
                            const attn_classes *classes, const attn_mask_options *options,
                            attn_mask *out, attn_error *error) {
    int64_t limit = options->max_pixels > 0 ? options->max_pixels : ATTN_DEFAULT_MAX_PIXELS;
    attn_encoded file = {bytes, size, name, limit};
    attn_raster raster = {.sample = NULL};
    *out = (attn_mask){0, 0, NULL};
    attn_status status = check_options(classes, options, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (attn_is_jpeg(bytes, size)) {
        return attn_fail(error, ATTN_ERR_FORMAT, name, -1, "export the mask as PNG",
                         "a mask cannot be a JPEG, which changes its values");
    }
    if (attn_is_png(bytes, size)) {
        status = attn_png_decode(&file, !options->colors, &raster, error);
    } else if (attn_is_tiff(bytes, size)) {
        status = attn_tiff_decode(&file, !options->colors, &raster, error);
    } else if (attn_is_webp(bytes, size)) {
        status = attn_webp_decode(&file, true, &raster, error);
    } else {
        status = attn_fail_not_a_picture(&file, "a PNG, TIFF or WebP file", error);
    }
    if (status == ATTN_OK) {
        status = map_raster(&raster, classes, options, name, out, error);
    }
    attn_raster_free(&raster);
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

/* import/vision_pixels.c: what transformers does to a picture before a network sees it, by its preprocessor_config.json.
 *
 * Where the file does not say, the defaults of the network's own image processor hold. */
#include <math.h>

#include "base/fail.h"
#include "import/json.h"
#include "import/vision.h"

static const char file_name[] = "preprocessor_config.json";

static attn_status refuse(attn_error *error, const char *what) {
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, file_name, -1, NULL, "%s", what);
}

/* {"height": 512, "width": 512}, or 512 in older files. */
static attn_status read_size(const json_t *json, attn_vision_config *c, attn_error *error) {
    const json_t *size = json_object_get(json, "size");
    int64_t otherwise = c->network == ATTN_VISION_VIT ? 224 : 512;
    if (!attn_json_flag(json, "do_resize", true)) {
        return ATTN_OK;
    }
    if (size == NULL || json_is_integer(size)) {
        c->height = c->width = attn_json_number(json, "size", otherwise);
    } else {
        c->height = attn_json_number(size, "height", 0);
        c->width = attn_json_number(size, "width", 0);
    }
    if (c->height < 1 || c->width < 1) {
        return refuse(error, "size does not say height and width");
    }
    return attn_json_number(json, "resample", 2) == 2
               ? ATTN_OK
               : refuse(error, "resample is not 2 (bilinear), the one that attn has");
}

/* As a model's file keeps it. */
static double rounded(double value) {
    return value > -1000 && value < 1000 ? round(value * 1e12) / 1e12 : value;
}

/* Three numbers, or one for all. */
static attn_status read_three(const json_t *json, const char *key, const double otherwise[3],
                              double out[3], attn_error *error) {
    const json_t *value = json_object_get(json, key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (value != NULL &&
            (!json_is_number(item) || (json_is_array(value) && json_array_size(value) != 3))) {
            return attn_fail(error, ATTN_ERR_FORMAT, file_name, -1, NULL,
                             "%s is not a number for each of three colours", key);
        }
        out[i] = rounded(value != NULL ? json_number_value(item) : otherwise[i]);
    }
    return ATTN_OK;
}

static attn_status read_levels(const json_t *json, attn_vision_config *c, attn_error *error) {
    static const double none[2][3] = {{0, 0, 0}, {1, 1, 1}};
    static const double usual[2][3] = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
    static const double half[2][3] = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    const json_t *factor = json_object_get(json, "rescale_factor");
    if (!attn_json_flag(json, "do_rescale", true) ||
        (json_is_number(factor) && fabs(json_number_value(factor) * 255 - 1) > 1e-9)) {
        return refuse(error, "pixels are not rescaled by 1/255, as attn does");
    }
    bool asked = attn_json_flag(json, "do_normalize", true);
    const double(*otherwise)[3] = !asked ? none : c->network == ATTN_VISION_VIT ? half : usual;
    json_t *from = asked ? json_incref((json_t *)(uintptr_t)json) : json_object();
    attn_status status = read_three(from, "image_mean", otherwise[0], c->mean, error);
    if (status == ATTN_OK) {
        status = read_three(from, "image_std", otherwise[1], c->deviation, error);
    }
    json_decref(from);
    return status;
}

attn_status attn_vision_import_pixels(attn_bundle *bundle, attn_vision_config *config,
                                      attn_error *error) {
    json_t *json = NULL;
    if (!attn_bundle_has(bundle, file_name)) {
        return attn_fail(error, ATTN_ERR_FORMAT, file_name, -1,
                         "put it beside the model: it says how pictures are prepared",
                         "the file is missing");
    }
    attn_status status = attn_import_json(bundle, file_name, &json, error);
    if (status == ATTN_OK &&
        (attn_json_flag(json, "do_center_crop", false) || attn_json_flag(json, "do_pad", false))) {
        status = refuse(error, "pictures are cropped or padded, which attn does not do");
    }
    status = status == ATTN_OK ? read_size(json, config, error) : status;
    status = status == ATTN_OK ? read_levels(json, config, error) : status;
    json_decref(json);
    return status;
}

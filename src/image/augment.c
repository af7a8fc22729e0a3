/* image/augment.c: random scale, crop, mirror image and colour.
 *
 * Every float result is a fixed sequence of single operations. Next: resize.c. */
#include "image/augment.h"

#include <string.h>

#include "base/fail.h"
#include "base/minmax.h"
#include "base/random.h"
#include "image/resize.h"

/* Keeps these draws apart from all others of the same seed. */
static const uint64_t STREAM = 0x41554731; /* "AUG1" */

/* ---- drawing the plan ---- */

static int64_t scaled(int64_t size, double factor) {
    int64_t result = (int64_t)((double)size * factor + 0.5);
    return result > 0 ? result : 1;
}

/* Where the crop begins: inside the picture, or before it when the crop is larger. */
static int64_t corner(int64_t full, int64_t crop, double uniform) {
    int64_t room = full > crop ? full - crop : crop - full;
    int64_t offset = (int64_t)(uniform * (double)(room + 1));
    return full > crop ? offset : -offset;
}

static float factor(double amount, double uniform) {
    return (float)(1.0 + amount * (2.0 * uniform - 1.0));
}

attn_augment_plan attn_augment_none(int64_t width, int64_t height) {
    return (attn_augment_plan){.full_width = width,
                               .full_height = height,
                               .width = width,
                               .height = height,
                               .brightness = 1,
                               .contrast = 1,
                               .saturation = 1};
}

attn_augment_plan attn_augment_draw(const attn_augment_options *options, uint64_t seed,
                                    uint64_t epoch, uint64_t index, int64_t width, int64_t height) {
    enum { SCALE, X, Y, FLIP, BRIGHTNESS, CONTRAST, SATURATION, DRAWS };
    double uniform[DRAWS];
    attn_random random =
        attn_random_start(attn_random_key(attn_random_key(seed, STREAM, 0), epoch, index));
    for (int i = 0; i < DRAWS; i++) {
        uniform[i] = attn_random_uniform(&random);
    }
    double range = options->scale_high - options->scale_low;
    double scale = options->scale_low + range * uniform[SCALE];
    attn_augment_plan plan = attn_augment_none(scaled(width, scale), scaled(height, scale));
    plan.width = options->crop_width > 0 ? options->crop_width : plan.full_width;
    plan.height = options->crop_height > 0 ? options->crop_height : plan.full_height;
    plan.x = corner(plan.full_width, plan.width, uniform[X]);
    plan.y = corner(plan.full_height, plan.height, uniform[Y]);
    plan.flip = uniform[FLIP] < options->flip;
    plan.brightness = factor(options->brightness, uniform[BRIGHTNESS]);
    plan.contrast = factor(options->contrast, uniform[CONTRAST]);
    plan.saturation = factor(options->saturation, uniform[SATURATION]);
    return plan;
}

/* ---- colour ---- */

typedef struct colouring {
    bool on;
    float brightness, contrast, saturation, pivot;
} colouring;

/* In 256ths, so that the mean over a crop is a whole number divided once. */
static int64_t grey(const uint8_t *rgb) {
    return 77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2];
}

static colouring make_colouring(const attn_augment_plan *plan, const uint8_t *rgb, int64_t count) {
    colouring c = {
        .brightness = plan->brightness, .contrast = plan->contrast, .saturation = plan->saturation};
    c.on = c.brightness != 1.0f || c.contrast != 1.0f || c.saturation != 1.0f;
    int64_t sum = 0;
    for (int64_t i = 0; c.on && i < count; i++) {
        sum += grey(rgb + 3 * i);
    }
    float mean = count > 0 ? (float)((double)sum / (256.0 * (double)count)) : 0.0f;
    c.pivot = mean * c.brightness;
    return c;
}

static float cut(float value) {
    return value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
}

static void colour_pixel(const colouring *c, const uint8_t rgb[3], float out[3]) {
    for (int i = 0; i < 3; i++) {
        out[i] = ((float)rgb[i] * c->brightness - c->pivot) * c->contrast + c->pivot;
    }
    float g = (0.299f * out[0] + 0.587f * out[1]) + 0.114f * out[2];
    for (int i = 0; i < 3; i++) {
        out[i] = cut(g + (out[i] - g) * c->saturation);
    }
}

/* ---- doing it ---- */

/* The part of the crop that the scaled picture covers, in the crop's own coordinates. */
typedef struct cover {
    int64_t x, y, width, height;
} cover;

static cover find_cover(const attn_augment_plan *plan) {
    cover c = {.x = attn_max(0, -plan->x), .y = attn_max(0, -plan->y)};
    c.width = attn_min(plan->width, plan->full_width - plan->x) - c.x;
    c.height = attn_min(plan->height, plan->full_height - plan->y) - c.y;
    return c;
}

/* Where a pixel of the covered part goes. */
static int64_t place(const attn_augment_plan *plan, const cover *c, int64_t x, int64_t y) {
    int64_t column = c->x + x;
    column = plan->flip ? plan->width - 1 - column : column;
    return (c->y + y) * plan->width + column;
}

static void place_pixels(const attn_augment_plan *plan, const cover *c, const uint8_t *rgb,
                         uint8_t *pixels) {
    enum { PADDING = 128 };
    colouring colours = make_colouring(plan, rgb, c->width * c->height);
    memset(pixels, PADDING, (size_t)(plan->width * plan->height * 3));
    for (int64_t y = 0; y < c->height; y++) {
        for (int64_t x = 0; x < c->width; x++) {
            const uint8_t *from = rgb + (y * c->width + x) * 3;
            uint8_t *to = pixels + place(plan, c, x, y) * 3;
            float value[3] = {from[0], from[1], from[2]};
            if (colours.on) {
                colour_pixel(&colours, from, value);
            }
            for (int i = 0; i < 3; i++) {
                to[i] = (uint8_t)(value[i] + 0.5f);
            }
        }
    }
}

static void place_labels(const attn_augment_plan *plan, const cover *c, const uint8_t *label,
                         uint8_t ignore, uint8_t *labels) {
    memset(labels, ignore, (size_t)(plan->width * plan->height));
    for (int64_t y = 0; y < c->height; y++) {
        for (int64_t x = 0; x < c->width; x++) {
            labels[place(plan, c, x, y)] = label[y * c->width + x];
        }
    }
}

void attn_augment_space_free(attn_augment_space *space) {
    attn_scratch_free(&space->crop);
    attn_scratch_free(&space->filter);
}

attn_status attn_augment_apply(const attn_augment_plan *plan, const attn_picture *picture,
                               const attn_mask *mask, uint8_t ignore, uint8_t *pixels,
                               uint8_t *labels, attn_augment_space *space, attn_error *error) {
    cover c = find_cover(plan);
    attn_resize_part window = {plan->full_width, plan->full_height, plan->x + c.x,
                               plan->y + c.y,    c.width,           c.height};
    size_t bytes = (size_t)(c.width * c.height * 3);
    uint8_t *crop = attn_scratch_get(&space->crop, bytes);
    if (crop == NULL) {
        return attn_fail_memory(error, bytes);
    }
    attn_status status = attn_resize_picture(picture, &window, crop, &space->filter, error);
    if (status != ATTN_OK) {
        return status;
    }
    place_pixels(plan, &c, crop, pixels);
    if (mask != NULL) {
        attn_resize_mask(mask, &window, crop);
        place_labels(plan, &c, crop, ignore, labels);
    }
    return ATTN_OK;
}

/* image/scenes.c: drawing a scene, in whole numbers. */
#include "image/scenes.h"

#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/random.h"

enum {
    SMALLEST_SIDE = 64,
    MAX_COLORS = 3,
    MAX_SHAPES = 16,
    MARKER = 16, /* side of a marker */
    BAND = 20,   /* markers lie within this distance of their side */
    MIN_RADIUS = 8,
    MAX_RADIUS = 13,
    NOISE = 12,
    SEXTANT = 256, /* steps of hue from red to yellow, from there to green, and so on round */
    HUES = 6 * SEXTANT,
};

/* Keeps these draws apart from all others of the same seed. */
static const uint64_t STREAM = 0x53434e31; /* "SCN1" */

static const attn_class scene_class[ATTN_SCENE_CLASSES] = {
    {"ground", {96, 96, 96}},
    {"marker", {230, 126, 20}},
    {"light", {240, 240, 240}},
    {"dark", {36, 36, 84}},
};

attn_scene_options attn_scene_options_default(void) {
    return (attn_scene_options){.width = 96, .height = 96, .colors = 2, .shapes = 8};
}

int64_t attn_scene_gap(const attn_scene_options *options) {
    int64_t side = options->width < options->height ? options->width : options->height;
    int64_t wanted = side * 7 / 16, room = side - BAND - 2 * MAX_RADIUS - 2;
    return wanted < room ? wanted : room;
}

void attn_scene_classes(attn_classes *out) {
    memset(out, 0, sizeof *out);
    out->count = ATTN_SCENE_CLASSES;
    out->ignore = ATTN_DEFAULT_IGNORE;
    memcpy(out->item, scene_class, sizeof scene_class);
}

/* A scene while it is drawn. */
typedef struct scene {
    attn_scene_options options;
    attn_random random;
    attn_picture picture;
    attn_mask mask;
    int side;                     /* where the markers lie: 0 left, 1 right, 2 top, 3 bottom */
    uint8_t color[MAX_COLORS][3]; /* of a marker and of the shapes that are like it */
    bool light[MAX_COLORS];       /* what the stripes of each colour's marker say */
} scene;

static int64_t draw_number(scene *s, int64_t low, int64_t high) {
    return low + (int64_t)attn_random_below(&s->random, (uint64_t)(high - low + 1));
}

static void set_pixel(scene *s, int64_t x, int64_t y, const uint8_t rgb[3], int label) {
    int64_t at = y * s->picture.width + x;
    memcpy(s->picture.rgb + 3 * at, rgb, 3);
    s->mask.label[at] = (uint8_t)label;
}

/* Full colours, about evenly apart on the circle of hues. */
static void draw_colors(scene *s) {
    int64_t start = draw_number(s, 0, HUES - 1), gap = HUES / s->options.colors;
    for (int i = 0; i < s->options.colors; i++) {
        int64_t hue = (start + gap * i + draw_number(s, -gap / 6, gap / 6) + HUES) % HUES;
        uint8_t up = (uint8_t)(hue % SEXTANT), down = (uint8_t)(255 - up);
        const uint8_t sextant[6][3] = {{255, up, 0},   {down, 255, 0}, {0, 255, up},
                                       {0, down, 255}, {up, 0, 255},   {255, 0, down}};
        memcpy(s->color[i], sextant[hue / SEXTANT], 3);
        s->light[i] = draw_number(s, 0, 1) == 1;
    }
}

static void draw_ground(scene *s) {
    int64_t level = draw_number(s, 80, 150), tilt = draw_number(s, -30, 30);
    for (int64_t y = 0; y < s->picture.height; y++) {
        for (int64_t x = 0; x < s->picture.width; x++) {
            uint8_t v = (uint8_t)(level + tilt * x / s->picture.width);
            set_pixel(s, x, y, (uint8_t[3]){v, v, v}, ATTN_SCENE_GROUND);
        }
    }
}

/* A marker whose corner is at (x, y): slanted stripes of its colour and of white or black. */
static void draw_marker(scene *s, int which, int64_t x, int64_t y) {
    const uint8_t level = s->light[which] ? 255 : 0, stripe[3] = {level, level, level};
    for (int64_t row = 0; row < MARKER; row++) {
        for (int64_t column = 0; column < MARKER; column++) {
            set_pixel(s, x + column, y + row,
                      (row + column) / 2 % 2 == 1 ? s->color[which] : stripe, ATTN_SCENE_MARKER);
        }
    }
}

/* One marker in each part of the side, in random order. */
static void draw_markers(scene *s) {
    int n = s->options.colors;
    bool upright = s->side < 2;
    int64_t length = upright ? s->picture.height : s->picture.width;
    int64_t depth = upright ? s->picture.width : s->picture.height;
    int64_t order[MAX_COLORS] = {0, 1, 2};
    attn_random_shuffle(&s->random, order, n);
    for (int i = 0; i < n; i++) {
        int64_t along = draw_number(s, length * i / n + 1, length * (i + 1) / n - MARKER - 1);
        int64_t across = draw_number(s, 1, BAND - MARKER - 1);
        across = s->side % 2 == 0 ? across : depth - MARKER - across;
        draw_marker(s, (int)order[i], upright ? across : along, upright ? along : across);
    }
}

/* Disc, square or triangle within `radius` of its centre. */
static bool in_shape(int64_t kind, int64_t dx, int64_t dy, int64_t radius) {
    switch (kind) {
    case 0:
        return dx * dx + dy * dy <= radius * radius;
    case 1:
        return true;
    default:
        return 2 * (dx < 0 ? -dx : dx) <= dy + radius;
    }
}

static void draw_shape(scene *s) {
    int64_t radius = draw_number(s, MIN_RADIUS, MAX_RADIUS);
    int64_t keep = BAND + attn_scene_gap(&s->options) + radius; /* from the markers' side */
    int64_t low[2] = {radius, radius};
    int64_t high[2] = {s->picture.width - 1 - radius, s->picture.height - 1 - radius};
    int axis = s->side / 2;
    if (s->side % 2 == 0) {
        low[axis] = keep;
    } else {
        high[axis] = (axis == 0 ? s->picture.width : s->picture.height) - 1 - keep;
    }
    int64_t x = draw_number(s, low[0], high[0]), y = draw_number(s, low[1], high[1]);
    int64_t kind = draw_number(s, 0, 2);
    int like = (int)draw_number(s, 0, s->options.colors - 1);
    int label = s->light[like] ? ATTN_SCENE_LIGHT : ATTN_SCENE_DARK;
    for (int64_t dy = -radius; dy <= radius; dy++) {
        for (int64_t dx = -radius; dx <= radius; dx++) {
            if (in_shape(kind, dx, dy, radius)) {
                set_pixel(s, x + dx, y + dy, s->color[like], label);
            }
        }
    }
}

/* So that no colour is exact. */
static void add_noise(scene *s) {
    for (int64_t i = 0; i < s->picture.width * s->picture.height; i++) {
        uint32_t word = attn_random_u32(&s->random);
        for (int c = 0; c < 3; c++) {
            int v = s->picture.rgb[3 * i + c] + (int)((word >> (8 * c) & 0xff) % (2 * NOISE + 1)) -
                    NOISE;
            s->picture.rgb[3 * i + c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
}

static void draw_scene(scene *s) {
    s->side = (int)draw_number(s, 0, 3);
    draw_colors(s);
    draw_ground(s);
    draw_markers(s);
    for (int i = 0; i < s->options.shapes; i++) {
        draw_shape(s);
    }
    add_noise(s);
}

attn_status attn_scene_draw(const attn_scene_options *options, uint64_t seed, uint64_t index,
                            attn_picture *picture, attn_mask *mask, attn_error *error) {
    *picture = (attn_picture){0, 0, NULL};
    *mask = (attn_mask){0, 0, NULL};
    if (options->width < SMALLEST_SIDE || options->height < SMALLEST_SIDE || options->colors < 1 ||
        options->colors > MAX_COLORS || options->shapes < 1 || options->shapes > MAX_SHAPES) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "scene", -1,
                         "sides of 64 or more, 1 to 3 colours, 1 to 16 shapes",
                         "a scene of %lld x %lld with %d colours and %d shapes",
                         (long long)options->width, (long long)options->height, options->colors,
                         options->shapes);
    }
    scene s = {.options = *options};
    s.random = attn_random_start(attn_random_key(attn_random_key(seed, STREAM, 0), index, 0));
    attn_status status = attn_picture_create(options->width, options->height, &s.picture, error);
    if (status == ATTN_OK) {
        status = attn_mask_create(options->width, options->height, &s.mask, error);
    }
    if (status != ATTN_OK) {
        attn_picture_free(&s.picture);
        return status;
    }
    draw_scene(&s);
    *picture = s.picture;
    *mask = s.mask;
    return ATTN_OK;
}

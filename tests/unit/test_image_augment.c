/* Resizing and augmentation: what the formulas in the headers say, the same bytes everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "image/augment.h"
#include "image/resize.h"

static attn_picture noise_picture(int64_t width, int64_t height, uint64_t seed) {
    attn_picture picture;
    attn_random random = attn_random_start(attn_random_key(seed, 0, 0));
    assert_int_equal(attn_picture_create(width, height, &picture, NULL), ATTN_OK);
    for (int64_t i = 0; i < width * height * 3; i++) {
        picture.rgb[i] = (uint8_t)attn_random_u32(&random);
    }
    return picture;
}

/* A label tells its place. */
static attn_mask place_mask(int64_t width, int64_t height) {
    attn_mask mask;
    assert_int_equal(attn_mask_create(width, height, &mask, NULL), ATTN_OK);
    for (int64_t i = 0; i < width * height; i++) {
        mask.label[i] = (uint8_t)(i % 251);
    }
    return mask;
}

static uint8_t *resize(const attn_picture *in, attn_resize_part w) {
    attn_scratch scratch = {NULL, 0};
    uint8_t *out = malloc((size_t)(w.width * w.height * 3));
    assert_int_equal(attn_resize_picture(in, &w, out, &scratch, NULL), ATTN_OK);
    attn_scratch_free(&scratch);
    return out;
}

static uint8_t *resize_whole(const attn_picture *in, int64_t width, int64_t height) {
    return resize(in, (attn_resize_part){width, height, 0, 0, width, height});
}

/* The definition, in floating point, over all input pixels. */
static double triangle(int64_t i, int64_t j, int64_t in, int64_t out) {
    double center = ((double)i + 0.5) * (double)in / (double)out;
    double reach = in > out ? (double)in / (double)out : 1;
    double d = (double)j + 0.5 - center;
    d = (d < 0 ? -d : d) / reach;
    return d < 1 ? 1 - d : 0;
}

static double expected_value(const attn_picture *in, int64_t width, int64_t height, int64_t x,
                             int64_t y, int c) {
    double sum = 0, total = 0;
    for (int64_t row = 0; row < in->height; row++) {
        for (int64_t column = 0; column < in->width; column++) {
            double w = triangle(x, column, in->width, width) * triangle(y, row, in->height, height);
            sum += w * in->rgb[(row * in->width + column) * 3 + c];
            total += w;
        }
    }
    return sum / total;
}

static const int64_t sizes[][2] = {{1, 1},   {2, 3},  {7, 5},  {12, 9}, {13, 17},
                                   {24, 18}, {25, 6}, {3, 40}, {50, 1}, {31, 29}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void resizing_is_the_triangle_filter(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        attn_picture in = noise_picture(sizes[s][0], sizes[s][1], (uint64_t)s);
        for (int t = 0; t < SIZES; t++) {
            int64_t width = sizes[t][0], height = sizes[t][1];
            uint8_t *out = resize_whole(&in, width, height);
            for (int64_t i = 0; i < width * height * 3; i++) {
                double expected =
                    expected_value(&in, width, height, i / 3 % width, i / 3 / width, (int)(i % 3));
                double difference = out[i] - expected;
                assert_true(difference > -0.6 && difference < 0.6);
            }
            free(out);
        }
        attn_picture_free(&in);
    }
}

static void the_same_size_keeps_every_byte(void **state) {
    (void)state;
    attn_picture in = noise_picture(37, 21, 5);
    uint8_t *out = resize_whole(&in, 37, 21);
    assert_memory_equal(out, in.rgb, 37 * 21 * 3);
    free(out);
    /* And one colour stays one colour at any size: the weights sum to 1. */
    memset(in.rgb, 255, 37 * 21 * 3);
    for (int t = 0; t < SIZES; t++) {
        out = resize_whole(&in, sizes[t][0], sizes[t][1]);
        for (int64_t i = 0; i < sizes[t][0] * sizes[t][1] * 3; i++) {
            assert_int_equal(out[i], 255);
        }
        free(out);
    }
    attn_picture_free(&in);
}

static void a_window_is_a_part_of_the_whole(void **state) {
    (void)state;
    attn_picture in = noise_picture(40, 30, 6);
    attn_mask mask = place_mask(40, 30);
    static const attn_resize_part windows[] = {{60, 45, 7, 11, 20, 9}, {60, 45, 59, 44, 1, 1},
                                               {13, 11, 3, 2, 10, 9},  {40, 30, 0, 29, 40, 1},
                                               {1, 1, 0, 0, 1, 1},     {200, 3, 150, 1, 50, 2}};
    for (size_t n = 0; n < sizeof windows / sizeof *windows; n++) {
        attn_resize_part w = windows[n],
                         full = {w.full_width, w.full_height, 0, 0, w.full_width, w.full_height};
        uint8_t *whole = resize(&in, full), *part = resize(&in, w);
        uint8_t labels[200 * 45], part_labels[200 * 45];
        attn_resize_mask(&mask, &full, labels);
        attn_resize_mask(&mask, &w, part_labels);
        for (int64_t y = 0; y < w.height; y++) {
            int64_t from = (w.y + y) * w.full_width + w.x;
            assert_memory_equal(part + y * w.width * 3, whole + from * 3, (size_t)w.width * 3);
            assert_memory_equal(part_labels + y * w.width, labels + from, (size_t)w.width);
        }
        free(whole);
        free(part);
    }
    attn_picture_free(&in);
    attn_mask_free(&mask);
}

static void masks_take_the_nearest(void **state) {
    (void)state;
    uint8_t label[4] = {1, 2, 3, 4}, out[16];
    attn_mask mask = {4, 1, label};
    attn_resize_mask(&mask, &(attn_resize_part){8, 1, 0, 0, 8, 1}, out);
    assert_memory_equal(out, ((uint8_t[8]){1, 1, 2, 2, 3, 3, 4, 4}), 8);
    attn_resize_mask(&mask, &(attn_resize_part){2, 1, 0, 0, 2, 1}, out);
    assert_memory_equal(out, ((uint8_t[2]){2, 4}), 2);
    attn_resize_mask(&mask, &(attn_resize_part){1, 3, 0, 0, 1, 3}, out);
    assert_memory_equal(out, ((uint8_t[3]){3, 3, 3}), 3);
}

/* ---- augmentation ---- */

static const attn_augment_options all = {.crop_width = 48,
                                         .crop_height = 36,
                                         .scale_low = 0.5,
                                         .scale_high = 2,
                                         .flip = 0.5,
                                         .brightness = 0.3,
                                         .contrast = 0.4,
                                         .saturation = 0.5};

static void plans_stay_in_their_bounds(void **state) {
    (void)state;
    int flips = 0, padded = 0;
    double scale_sum = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        attn_augment_plan p = attn_augment_draw(&all, 7, 3, i, 48, 36);
        assert_in_range(p.full_width, 24, 96);
        assert_in_range(p.full_height, 18, 72);
        assert_int_equal(p.width, 48);
        assert_int_equal(p.height, 36);
        /* The crop holds the whole picture, or lies inside it. */
        int64_t low = p.full_width < 48 ? p.full_width - 48 : 0;
        int64_t high = p.full_width < 48 ? 0 : p.full_width - 48;
        assert_true(p.x >= low && p.x <= high);
        assert_true(p.brightness >= 0.7f && p.brightness <= 1.3f);
        assert_true(p.contrast >= 0.6f && p.contrast <= 1.4f);
        assert_true(p.saturation >= 0.5f && p.saturation <= 1.5f);
        flips += p.flip;
        padded += p.full_width < 48;
        scale_sum += (double)p.full_width / 48;
    }
    assert_in_range(flips, 900, 1100);
    assert_in_range(padded, 550, 780); /* a third of the scales are below 1 */
    assert_true(scale_sum / 2000 > 1.2 && scale_sum / 2000 < 1.3);
}

/* Field by field: between them there may be bytes that nobody set. */
static void assert_plans_equal(const attn_augment_plan *a, const attn_augment_plan *b) {
    assert_true(a->full_width == b->full_width && a->full_height == b->full_height);
    assert_true(a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height);
    assert_true(a->flip == b->flip && a->brightness == b->brightness);
    assert_true(a->contrast == b->contrast && a->saturation == b->saturation);
}

static void plans_depend_on_seed_epoch_and_index_alone(void **state) {
    (void)state;
    attn_augment_plan p = attn_augment_draw(&all, 1, 2, 3, 48, 36);
    attn_augment_plan same = attn_augment_draw(&all, 1, 2, 3, 48, 36);
    assert_plans_equal(&p, &same);
    attn_augment_plan other[3] = {attn_augment_draw(&all, 2, 2, 3, 48, 36),
                                  attn_augment_draw(&all, 1, 3, 3, 48, 36),
                                  attn_augment_draw(&all, 1, 2, 4, 48, 36)};
    for (int i = 0; i < 3; i++) {
        assert_true(other[i].brightness != p.brightness);
    }
    /* Options that are off leave the others' draws alone. */
    attn_augment_options some = all;
    some.contrast = some.flip = 0;
    attn_augment_plan q = attn_augment_draw(&some, 1, 2, 3, 48, 36);
    assert_true(q.full_width == p.full_width && q.x == p.x && q.y == p.y &&
                q.brightness == p.brightness && q.saturation == p.saturation);
    assert_true(q.contrast == 1.0f && !q.flip);
    /* All off: nothing is changed. */
    attn_augment_options none = {.scale_low = 1, .scale_high = 1};
    attn_augment_plan plain = attn_augment_draw(&none, 1, 2, 3, 48, 36);
    attn_augment_plan expected = attn_augment_none(48, 36);
    assert_plans_equal(&plain, &expected);
}

enum { W = 20, H = 14 };

typedef struct result {
    uint8_t pixels[64 * 64 * 3], labels[64 * 64];
} result;

static void apply(const attn_augment_plan *plan, const attn_picture *picture, const attn_mask *mask,
                  result *out) {
    attn_augment_space space = {{NULL, 0}, {NULL, 0}};
    assert_int_equal(
        attn_augment_apply(plan, picture, mask, 255, out->pixels, out->labels, &space, NULL),
        ATTN_OK);
    attn_augment_space_free(&space);
}

static void no_change_changes_nothing(void **state) {
    (void)state;
    static result whole;
    attn_picture picture = noise_picture(W, H, 8);
    attn_mask mask = place_mask(W, H);
    attn_augment_plan plan = attn_augment_none(W, H);
    apply(&plan, &picture, &mask, &whole);
    assert_memory_equal(whole.pixels, picture.rgb, (size_t)W * H * 3);
    assert_memory_equal(whole.labels, mask.label, (size_t)W * H);
    attn_picture_free(&picture);
    attn_mask_free(&mask);
}

static void flip_crop_and_padding(void **state) {
    (void)state;
    static result plain, flipped;
    attn_picture picture = noise_picture(W, H, 9);
    attn_mask mask = place_mask(W, H);
    attn_augment_plan plan = attn_augment_none(W, H);
    apply(&plan, &picture, &mask, &plain);
    /* Cut 10 columns from 6, 16 rows from -1: a row of padding above and one below. */
    plan.x = 6;
    plan.y = -1;
    plan.width = 10;
    plan.height = H + 2;
    plan.flip = true;
    apply(&plan, &picture, &mask, &flipped);
    for (int y = 0; y < H + 2; y++) {
        for (int x = 0; x < 10; x++) {
            int at = y * 10 + x, from = (y - 1) * W + 6 + 9 - x;
            bool padding = y == 0 || y == H + 1;
            assert_int_equal(flipped.labels[at], padding ? 255 : plain.labels[from]);
            for (int c = 0; c < 3; c++) {
                assert_int_equal(flipped.pixels[3 * at + c],
                                 padding ? 128 : plain.pixels[3 * from + c]);
            }
        }
    }
    attn_picture_free(&picture);
    attn_mask_free(&mask);
}

static float limit(float v) {
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

static void colour_follows_its_formula(void **state) {
    (void)state;
    static result out;
    attn_picture picture = noise_picture(W, H, 10);
    attn_augment_plan plan = attn_augment_none(W, H);
    plan.brightness = 1.2f;
    plan.contrast = 0.7f;
    plan.saturation = 1.4f;
    apply(&plan, &picture, NULL, &out);
    double mean = 0;
    for (int i = 0; i < W * H; i++) {
        mean +=
            (77 * picture.rgb[3 * i] + 150 * picture.rgb[3 * i + 1] + 29 * picture.rgb[3 * i + 2]) /
            256.0 / (W * H);
    }
    float p = 1.2f * (float)mean;
    for (int i = 0; i < W * H; i++) {
        float v[3];
        for (int c = 0; c < 3; c++) {
            v[c] = ((float)picture.rgb[3 * i + c] * 1.2f - p) * 0.7f + p;
        }
        float g = 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
        for (int c = 0; c < 3; c++) {
            float expected = limit(g + (v[c] - g) * 1.4f);
            assert_float_equal((float)out.pixels[3 * i + c], expected, 0.501f);
        }
    }
    attn_picture_free(&picture);
}

/* The bytes that every machine must come to. */
static void the_same_bits_everywhere(void **state) {
    (void)state;
    static result out;
    uint64_t hash = 0;
    attn_picture picture = noise_picture(48, 36, 11);
    attn_mask mask = place_mask(48, 36);
    attn_augment_options options = all;
    options.crop_width = options.crop_height = 64;
    for (uint64_t i = 0; i < 8; i++) {
        attn_augment_plan plan = attn_augment_draw(&options, 1, 0, i, 48, 36);
        apply(&plan, &picture, &mask, &out);
        hash = attn_hash64(&out, sizeof out, hash);
    }
    assert_int_equal(hash, 0x7f746cbcee240422ULL);
    attn_picture_free(&picture);
    attn_mask_free(&mask);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_is_the_triangle_filter),
        cmocka_unit_test(the_same_size_keeps_every_byte),
        cmocka_unit_test(a_window_is_a_part_of_the_whole),
        cmocka_unit_test(masks_take_the_nearest),
        cmocka_unit_test(plans_stay_in_their_bounds),
        cmocka_unit_test(plans_depend_on_seed_epoch_and_index_alone),
        cmocka_unit_test(no_change_changes_nothing),
        cmocka_unit_test(flip_crop_and_padding),
        cmocka_unit_test(colour_follows_its_formula),
        cmocka_unit_test(the_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Drawn scenes: the same everywhere, and their classes follow the markers and nothing nearer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "image/scenes.h"

typedef struct scene {
    attn_picture picture;
    attn_mask mask;
} scene;

static scene draw(const attn_scene_options *options, uint64_t seed, uint64_t index) {
    scene s;
    assert_int_equal(attn_scene_draw(options, seed, index, &s.picture, &s.mask, NULL), ATTN_OK);
    return s;
}

static void scene_free(scene *s) {
    attn_picture_free(&s->picture);
    attn_mask_free(&s->mask);
}

static uint64_t hash_of(const scene *s) {
    size_t count = (size_t)(s->picture.width * s->picture.height);
    return attn_hash64(s->mask.label, count, attn_hash64(s->picture.rgb, count * 3, 0));
}

static void the_same_bytes_everywhere(void **state) {
    (void)state;
    attn_scene_options options = attn_scene_options_default();
    uint64_t hash = 0;
    for (uint64_t index = 0; index < 20; index++) {
        scene a = draw(&options, 5, index), b = draw(&options, 5, index);
        assert_int_equal(hash_of(&a), hash_of(&b));
        uint64_t one = hash_of(&a);
        hash = attn_hash64(&one, sizeof one, hash);
        scene_free(&b);
        b = draw(&options, 6, index);
        assert_true(hash_of(&a) != hash_of(&b));
        scene_free(&a);
        scene_free(&b);
    }
    assert_int_equal(hash, 0x8394cbf6d2d21c78ULL);
}

/* The squared distance between the nearest pixels of markers and of shapes. */
static int64_t nearest(const attn_mask *mask) {
    int64_t best = INT64_MAX, count = mask->width * mask->height;
    for (int64_t a = 0; a < count; a++) {
        for (int64_t b = 0; mask->label[a] == ATTN_SCENE_MARKER && b < count; b++) {
            if (mask->label[b] >= ATTN_SCENE_LIGHT) {
                int64_t dx = a % mask->width - b % mask->width;
                int64_t dy = a / mask->width - b / mask->width;
                best = dx * dx + dy * dy < best ? dx * dx + dy * dy : best;
            }
        }
    }
    return best;
}

static void markers_are_far_away(void **state) {
    (void)state;
    static const int64_t size[][2] = {{64, 64}, {96, 64}, {64, 128}};
    for (int n = 0; n < 3; n++) {
        attn_scene_options options = {size[n][0], size[n][1], 1 + n, 4};
        int64_t gap = attn_scene_gap(&options);
        for (uint64_t index = 0; index < 12; index++) {
            scene s = draw(&options, 1, index);
            int64_t distance = nearest(&s.mask);
            assert_true(distance != INT64_MAX && distance >= gap * gap);
            scene_free(&s);
        }
    }
}

/* Whether the markers are striped with white (1), black (2) or some with either (3). */
static int stripes(const scene *s) {
    int found = 0;
    for (int64_t i = 0; i < s->picture.width * s->picture.height; i++) {
        const uint8_t *rgb = s->picture.rgb + 3 * i;
        if (s->mask.label[i] == ATTN_SCENE_MARKER) {
            found |= rgb[0] > 240 && rgb[1] > 240 && rgb[2] > 240 ? 1 : 0;
            found |= rgb[0] < 15 && rgb[1] < 15 && rgb[2] < 15 ? 2 : 0;
        }
    }
    return found;
}

static void classes_follow_the_stripes(void **state) {
    (void)state;
    attn_scene_options options = {64, 64, 1, 3};
    int light = 0;
    for (uint64_t index = 0; index < 200; index++) {
        int64_t seen[256] = {0};
        scene s = draw(&options, 9, index);
        for (int64_t i = 0; i < 64 * 64; i++) {
            seen[s.mask.label[i]]++;
        }
        /* One marker of 16 x 16, and shapes of the class that its stripes say. */
        assert_int_equal(seen[ATTN_SCENE_MARKER], 16 * 16);
        assert_int_equal(seen[ATTN_SCENE_GROUND] + seen[ATTN_SCENE_MARKER] +
                             seen[ATTN_SCENE_LIGHT] + seen[ATTN_SCENE_DARK],
                         64 * 64);
        int found = stripes(&s);
        assert_true(found == 1
                        ? seen[ATTN_SCENE_LIGHT] > 0 && seen[ATTN_SCENE_DARK] == 0
                        : found == 2 && seen[ATTN_SCENE_DARK] > 0 && seen[ATTN_SCENE_LIGHT] == 0);
        light += found == 1;
        scene_free(&s);
    }
    assert_in_range(light, 75, 125);
}

/* With two colours a scene may have both classes; over many scenes, the pixels of the two have the
 * same mean colour, so that none is told by its own. */
static void pixels_do_not_tell(void **state) {
    (void)state;
    attn_scene_options options = attn_scene_options_default();
    double sum[2][3] = {{0}}, count[2] = {0};
    int both = 0;
    for (uint64_t index = 0; index < 3000; index++) {
        scene s = draw(&options, 11, index);
        bool seen[2] = {false, false};
        for (int64_t i = 0; i < s.picture.width * s.picture.height; i++) {
            int kind = s.mask.label[i] - ATTN_SCENE_LIGHT;
            if (kind >= 0) {
                seen[kind] = true;
                count[kind]++;
                for (int c = 0; c < 3; c++) {
                    sum[kind][c] += s.picture.rgb[3 * i + c];
                }
            }
        }
        both += seen[0] && seen[1];
        scene_free(&s);
    }
    assert_in_range(both, 1000, 2000);
    for (int c = 0; c < 3; c++) {
        double difference = sum[0][c] / count[0] - sum[1][c] / count[1];
        assert_true(difference > -6 && difference < 6);
    }
}

static void bad_options(void **state) {
    (void)state;
    static const attn_scene_options bad[] = {{63, 64, 1, 1}, {64, 63, 1, 1}, {64, 64, 0, 1},
                                             {64, 64, 4, 1}, {64, 64, 1, 0}, {64, 64, 1, 17}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scene s;
        assert_int_equal(attn_scene_draw(&bad[i], 0, 0, &s.picture, &s.mask, NULL),
                         ATTN_ERR_ARGUMENT);
        assert_null(s.picture.rgb);
    }
    attn_classes classes;
    attn_scene_classes(&classes);
    assert_int_equal(classes.count, ATTN_SCENE_CLASSES);
    assert_string_equal(classes.item[ATTN_SCENE_DARK].name, "dark");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_everywhere),
        cmocka_unit_test(markers_are_far_away),
        cmocka_unit_test(classes_follow_the_stripes),
        cmocka_unit_test(pixels_do_not_tell),
        cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Writing: masks and pictures come back as they were, .npy files are what NumPy reads, and overlays
 * show what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/encode.h"
#include "image/mask.h"
#include "image/overlay.h"
#include "support/pictures.h"

static char folder[64], path[96];

static int setup(void **state) {
    (void)state;
    folder_make(folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    folder_remove(folder);
    return 0;
}

static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static attn_classes make_classes(int count, int ignore) {
    attn_classes classes = {.count = count, .ignore = ignore};
    for (int i = 0; i < count; i++) {
        snprintf(classes.item[i].name, sizeof classes.item[i].name, "class %d", i);
        classes.item[i].color[0] = (uint8_t)(i * 20);
        classes.item[i].color[1] = (uint8_t)(255 - i);
        classes.item[i].color[2] = (uint8_t)i;
    }
    return classes;
}

static void a_picture_comes_back(void **state) {
    (void)state;
    attn_picture picture, again;
    assert_int_equal(attn_picture_create(33, 21, &picture, NULL), ATTN_OK);
    for (int i = 0; i < 33 * 21 * 3; i++) {
        picture.rgb[i] = (uint8_t)(i * 7919 >> 3);
    }
    assert_int_equal(attn_picture_write(in_folder("p.png"), &picture, "a test", NULL), ATTN_OK);
    assert_int_equal(attn_picture_read(path, 0, &again, NULL), ATTN_OK);
    assert_int_equal(again.width, 33);
    assert_int_equal(again.height, 21);
    assert_memory_equal(again.rgb, picture.rgb, 33 * 21 * 3);
    attn_picture_free(&again);
    attn_error error;
    assert_true(attn_picture_is_made_by(in_folder("p.png"), "a test"));
    assert_false(attn_picture_is_made_by(in_folder("p.png"), "a tes"));
    assert_false(attn_picture_is_made_by(in_folder("p.png"), "b test"));
    assert_false(attn_picture_is_made_by(in_folder("none.png"), "a test"));
    assert_int_equal(attn_picture_write("/nonexistent/p.png", &picture, NULL, &error), ATTN_ERR_IO);
    assert_string_equal(error.where, "/nonexistent/p.png");
    attn_picture_free(&picture);
}

static void a_mask_comes_back_with_its_palette(void **state) {
    (void)state;
    static const int counts[][2] = {{1, 255}, {11, 11}, {255, 255}, {3, 200}};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        attn_classes classes = make_classes(counts[n][0], counts[n][1]);
        attn_mask_options options = {0};
        attn_mask mask, again;
        attn_picture colors, expected;
        assert_int_equal(attn_mask_create(20, 30, &mask, NULL), ATTN_OK);
        for (int i = 0; i < 600; i++) {
            mask.label[i] = (uint8_t)(i % 7 == 0 ? classes.ignore : i % classes.count);
        }
        assert_int_equal(attn_mask_write(in_folder("m.png"), &mask, &classes, NULL, NULL), ATTN_OK);
        assert_false(attn_picture_is_made_by(in_folder("m.png"), "a test"));
        assert_int_equal(attn_mask_read(path, &classes, &options, &again, NULL), ATTN_OK);
        assert_memory_equal(again.label, mask.label, 600);
        assert_int_equal(attn_picture_read(path, 0, &colors, NULL), ATTN_OK);
        assert_int_equal(attn_mask_color(&mask, &classes, &expected, NULL), ATTN_OK);
        assert_memory_equal(colors.rgb, expected.rgb, 1800);
        assert_memory_equal(colors.rgb + 3, classes.item[1 % classes.count].color, 3);
        attn_mask_free(&mask);
        attn_mask_free(&again);
        attn_picture_free(&colors);
        attn_picture_free(&expected);
    }
}

static void npy(void **state) {
    (void)state;
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,3,1,), }";
    static const float data[6] = {0, 1, -2.5f, 1e30f, 0.125f, 7};
    char bytes[256];
    assert_int_equal(attn_npy_write(in_folder("a.npy"), data, (int64_t[3]){2, 3, 1}, 3, NULL),
                     ATTN_OK);
    FILE *file = fopen(path, "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 128 + sizeof data);
    fclose(file);
    assert_memory_equal(bytes, "\x93NUMPY\1\0\x76\0", 10);
    assert_memory_equal(bytes + 10, text, sizeof text - 1);
    assert_int_equal(bytes[127], '\n');
    assert_memory_equal(bytes + 128, data, sizeof data);
    const int64_t most[8] = {1, 1, 1, 1, 1, 1, 1, 6};
    assert_int_equal(attn_npy_write(path, data, most, 8, NULL), ATTN_OK);
}

static void an_overlay_mixes_colours(void **state) {
    (void)state;
    uint8_t rgb[12] = {0, 100, 200, 0, 100, 200, 10, 20, 30, 255, 255, 255},
            label[4] = {0, 1, 255, 0};
    attn_classes classes = make_classes(2, 255);
    attn_picture picture = {2, 2, rgb}, out;
    attn_mask mask = {2, 2, label}, other = {4, 1, label};
    assert_int_equal(attn_overlay_mask(&picture, &mask, &classes, 0.5, &out, NULL), ATTN_OK);
    static const uint8_t expected[12] = {0, 178, 100, 10, 177, 101, 10, 20, 30, 128, 255, 128};
    assert_memory_equal(out.rgb, expected, 12);
    attn_picture_free(&out);
    assert_int_equal(attn_overlay_mask(&picture, &mask, &classes, 0, &out, NULL), ATTN_OK);
    assert_memory_equal(out.rgb, rgb, 12);
    attn_picture_free(&out);
    assert_int_equal(attn_overlay_mask(&picture, &mask, &classes, 1, &out, NULL), ATTN_OK);
    assert_memory_equal(out.rgb, classes.item[0].color, 3);
    attn_picture_free(&out);
    assert_int_equal(attn_overlay_mask(&picture, &other, &classes, 1, &out, NULL), ATTN_ERR_SHAPE);
    assert_null(out.rgb);
}

/* How many pixels of the strip below row `from` have a colour. */
static int64_t count_color(const attn_picture *picture, int64_t from, const uint8_t color[3]) {
    int64_t count = 0;
    for (int64_t i = from * picture->width; i < picture->width * picture->height; i++) {
        count += memcmp(picture->rgb + 3 * i, color, 3) == 0;
    }
    return count;
}

static void a_legend_names_what_is_there(void **state) {
    (void)state;
    static const int64_t widths[] = {8, 300, 2000};
    for (size_t n = 0; n < 3; n++) {
        attn_classes classes = make_classes(5, 255);
        attn_picture picture;
        attn_mask mask;
        assert_int_equal(attn_picture_create(widths[n], 10, &picture, NULL), ATTN_OK);
        assert_int_equal(attn_mask_create(widths[n], 10, &mask, NULL), ATTN_OK);
        memset(picture.rgb, 77, (size_t)(widths[n] * 30));
        memset(mask.label, 3, (size_t)(widths[n] * 10));
        mask.label[0] = 1;
        mask.label[1] = 255;
        assert_int_equal(attn_overlay_legend(&picture, &mask, &classes, NULL), ATTN_OK);
        assert_true(picture.width >= widths[n] && picture.height > 20 && picture.height < 120);
        for (int64_t y = 0; y < 10; y++) {
            const uint8_t *row = picture.rgb + y * picture.width * 3;
            assert_int_equal(row[widths[n] * 3 - 1], 77);
            assert_true(picture.width == widths[n] || row[widths[n] * 3] == 255);
        }
        for (int id = 0; id < 5; id++) {
            bool there = id == 1 || id == 3;
            assert_int_equal(count_color(&picture, 10, classes.item[id].color) > 50, there);
        }
        attn_picture_free(&picture);
        attn_mask_free(&mask);
    }
}

static void heat_grows_lighter(void **state) {
    (void)state;
    double last = -1;
    for (int i = 0; i <= 100; i++) {
        uint8_t rgb[3];
        attn_heat_color(i / 100.0, rgb);
        double light = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
        assert_true(light > last);
        last = light;
    }
    uint8_t low[3], high[3], out[3];
    attn_heat_color(0, low);
    attn_heat_color(1, high);
    attn_heat_color(-5, out);
    assert_memory_equal(out, low, 3);
    attn_heat_color(7, out);
    assert_memory_equal(out, high, 3);
    attn_heat_color((double)__builtin_nan(""), out);
    assert_memory_equal(out, low, 3);
}

static void a_heat_overlay(void **state) {
    (void)state;
    static const char *const names[] = {"h.png", "h.svg", "h.pdf"};
    float map[6] = {0, 0, 0, 0, 0, 0.5f};
    attn_picture picture, out;
    assert_int_equal(attn_picture_create(90, 60, &picture, NULL), ATTN_OK);
    memset(picture.rgb, 128, 90 * 60 * 3);
    attn_heat heat = {&picture, map, 3, 2, 0, 80, 50, "a title", NULL};
    assert_int_equal(attn_heat_blend(&heat, &out, NULL), ATTN_OK);
    assert_int_equal(out.width, 90);
    /* Dark and blue where nothing is, light and yellow at the weight. */
    const uint8_t *cold = out.rgb, *hot = out.rgb + (59 * 90 + 89) * 3;
    assert_true(cold[2] > cold[0] && hot[0] > hot[2] && hot[0] > 200 && cold[0] < 100);
    attn_picture_free(&out);
    /* A NaN is no weight. */
    map[5] = __builtin_nanf("");
    map[0] = 1;
    assert_int_equal(attn_heat_blend(&heat, &out, NULL), ATTN_OK);
    assert_true(out.rgb[0] > 200 && out.rgb[(59 * 90 + 89) * 3] < 100);
    attn_picture_free(&out);
    attn_error error;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(attn_heat_write(in_folder(names[i]), &heat, &error), ATTN_OK);
        assert_int_equal(access(path, R_OK), 0);
    }
    assert_int_equal(attn_picture_read(in_folder("h.png"), 0, &out, NULL), ATTN_OK);
    /* Enlarged three times; wider when the title asks for it, which is then there to its end. */
    assert_in_range(out.width, 90 * 3, 90 * 3 + 160);
    assert_in_range(out.height, 60 * 3, 60 * 3 + 60);
    attn_picture_free(&out);
    heat.title =
        "a title far longer than the picture below it is wide, to the very last word of it: WW";
    assert_int_equal(attn_heat_write(in_folder("h.png"), &heat, &error), ATTN_OK);
    assert_int_equal(attn_picture_read(path, 0, &out, NULL), ATTN_OK);
    assert_true(out.width > 450);
    int64_t last_ink = 0;
    for (int64_t i = 0; i < 30 * out.width; i++) {
        last_ink = out.rgb[3 * i] < 128 && i % out.width > last_ink ? i % out.width : last_ink;
    }
    assert_in_range(last_ink, out.width - 20, out.width - 8);
    attn_picture_free(&out);
    attn_picture_free(&picture);
    /* Larger than is drawn: made smaller. */
    assert_int_equal(attn_picture_create(5000, 10, &picture, NULL), ATTN_OK);
    memset(picture.rgb, 128, 150000);
    assert_int_equal(attn_heat_write(in_folder("h.png"), &heat, &error), ATTN_OK);
    assert_int_equal(attn_picture_read(path, 0, &out, NULL), ATTN_OK);
    assert_in_range(out.width, 2048, 2300);
    attn_picture_free(&out);
    attn_picture_free(&picture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_comes_back),
        cmocka_unit_test(a_mask_comes_back_with_its_palette),
        cmocka_unit_test(npy),
        cmocka_unit_test(an_overlay_mixes_colours),
        cmocka_unit_test(a_legend_names_what_is_there),
        cmocka_unit_test(heat_grows_lighter),
        cmocka_unit_test(a_heat_overlay),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Classes files and masks: what they mean, and what each refusal names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "image/mask.h"
#include "support/tiff_webp.h"

static const char good[] = "# streets\n"
                           "\n"
                           "0 sky 128 128 128\r\n"
                           "  1\ttraffic light  192 128   128  \n"
                           "2 road 128 64 128\n"
                           "255 void 0 0 0";

static attn_status parse(const char *text, int ignore, attn_classes *out, attn_error *error) {
    return attn_classes_parse(text, strlen(text), "classes", ignore, out, error);
}

static void a_classes_file(void **state) {
    (void)state;
    attn_classes classes, again;
    assert_int_equal(parse(good, 255, &classes, NULL), ATTN_OK);
    assert_int_equal(classes.count, 3);
    assert_int_equal(classes.ignore, 255);
    assert_true(classes.ignore_is_named);
    assert_string_equal(classes.item[1].name, "traffic light");
    assert_memory_equal(classes.item[1].color, ((uint8_t[3]){192, 128, 128}), 3);
    assert_string_equal(attn_classes_at(&classes, 255)->name, "void");
    assert_string_equal(attn_classes_at(&classes, 7)->name, "ignored");
    assert_int_equal(attn_classes_find_color(&classes, (uint8_t[3]){128, 64, 128}), 2);
    assert_int_equal(attn_classes_find_color(&classes, (uint8_t[3]){0, 0, 0}), 255);
    assert_int_equal(attn_classes_find_color(&classes, (uint8_t[3]){1, 0, 0}), -1);
    /* Printed, it reads back to the same. */
    char *text = attn_classes_print(&classes);
    assert_non_null(text);
    assert_int_equal(parse(text, 255, &again, NULL), ATTN_OK);
    assert_memory_equal(&classes, &again, sizeof classes);
    attn_free(text);
    /* The ignored class may be the last number, and may be left out. */
    assert_int_equal(parse("0 a 1 1 1\n1 b 2 2 2\n2 void 0 0 0\n", 2, &classes, NULL), ATTN_OK);
    assert_int_equal(classes.count, 2);
    assert_int_equal(parse("\xef\xbb\xbf"
                           "1 b 2 2 2\n0 a 1 1 1\n",
                           255, &classes, NULL),
                     ATTN_OK);
    assert_int_equal(classes.count, 2);
    assert_false(classes.ignore_is_named);
}

static void refusals_name_the_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t line;
        const char *what;
    } cases[] = {
        {"", -1, "no class"},
        {"# nothing\n255 void 0 0 0\n", -1, "no class"},
        {"0 a 1 2 3\n1 b 1 2\n", 2, "fewer than 5 fields"},
        {"0 a 1 2 3\n1 1 2 3\n", 2, "fewer than 5 fields"},
        {"0 a 1 2 3\n1 b c 1 2\n", 2, "red 'c'"},
        {"0 a 1 2 3\n1 b\n", 2, "fewer than 5 fields"},
        {"0\n", 1, "fewer than 5 fields"},
        {"0 a\x1b[31m 1 2 3\n", 1, "control characters"},
        {"0 a\xc2\x9b 1 2 3\n", 1, "control characters"},
        {"0 a\xff 1 2 3\n", 1, "not UTF-8"},
        {"0 a 1 2 256\n", 1, "blue '256'"},
        {"0 a 1 -2 3\n", 1, "green '-2'"},
        {"0 a 0x1 2 3\n", 1, "red '0x1'"},
        {"256 a 1 2 3\n", 1, "id '256'"},
        {"99999999999999999999 a 1 2 3\n", 1, "id '9999"},
        {"zero a 1 2 3\n", 1, "id 'zero'"},
        {"0 a 1 2 3\n\n# b\n2 c 1 2 4\n", 4, "there is a class 2 but no class 1"},
        {"1 a 1 2 3\n", 1, "there is a class 1 but no class 0"},
        {"0 a 1 2 3\n0 b 1 2 4\n", 2, "the id of class 0 'b' is already used on line 1"},
        {"0 a 1 2 3\n1 a 1 2 4\n", 2, "the name of class 1 'a' is already used on line 1"},
        {"0 a 1 2 3\n1 b 1 2 3\n", 2, "the colour of class 1 'b' is already used on line 1"},
        {"0 a\x01 1 2 3\n", 1, "control characters"},
        {"0 a 1 2 3\n1 \xff 1 2 4\n", 2, "not UTF-8"},
        {"0 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 2 3\n", 1,
         "longer than 63"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_classes classes;
        attn_error error = {0};
        assert_int_equal(parse(cases[i].text, 255, &classes, &error), ATTN_ERR_FORMAT);
        assert_string_equal(error.where, "classes");
        assert_true(error.hint[0] != '\0');
        if (error.position != cases[i].line || strstr(error.what, cases[i].what) == NULL) {
            fail_msg("'%s': line %lld, '%s'", cases[i].text, (long long)error.position, error.what);
        }
    }
    attn_classes classes;
    attn_error error;
    assert_int_equal(parse("0 a 1 2 3\n1 void 0 0 0\n2 b 1 2 4\n", 1, &classes, &error),
                     ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "comes after the ignore value 1"));
    assert_int_equal(parse(good, 256, &classes, &error), ATTN_ERR_ARGUMENT);
    assert_int_equal(attn_classes_read("/nonexistent", 255, &classes, &error), ATTN_ERR_IO);
}

static attn_classes classes;

static int setup(void **state) {
    (void)state;
    return parse(good, 255, &classes, NULL) == ATTN_OK ? 0 : -1;
}

static int first_value; /* of the masks */

static attn_status read_mask(file_bytes file, bool colors, attn_mask *out, attn_error *error) {
    attn_mask_options options = {.colors = colors, .first = first_value};
    attn_status status =
        attn_mask_parse(file.data, file.size, "mask", &classes, &options, out, error);
    bytes_free(&file);
    return status;
}

static file_bytes make(int type, int depth, const uint8_t *rows) {
    static const png_color palette[4] = {{9, 9, 9}, {8, 8, 8}, {128, 128, 128}, {128, 64, 128}};
    png_kind kind = {.width = 3, .height = 2, .type = type, .depth = depth};
    if (type == PNG_COLOR_TYPE_PALETTE) {
        kind.palette = palette;
        kind.colors = depth == 1 ? 2 : 4;
    }
    return make_png(&kind, rows);
}

static void expect_labels(file_bytes file, bool colors, const uint8_t labels[6]) {
    attn_mask mask;
    attn_error error = {0};
    if (read_mask(file, colors, &mask, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    assert_int_equal(mask.width, 3);
    assert_int_equal(mask.height, 2);
    assert_memory_equal(mask.label, labels, 6);
    attn_mask_free(&mask);
}

static void indices_are_taken_as_they_are(void **state) {
    (void)state;
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 1, 2, 255, 1, 0}), false,
                  (uint8_t[6]){0, 1, 2, 255, 1, 0});
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 1, (uint8_t[2]){0x40, 0xa0}), false,
                  (uint8_t[6]){0, 1, 0, 1, 0, 1});
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 2, (uint8_t[2]){0x18, 0x24}), false,
                  (uint8_t[6]){0, 1, 2, 0, 2, 1});
    /* A palette's colours do not matter. */
    expect_labels(make(PNG_COLOR_TYPE_PALETTE, 8, (uint8_t[6]){0, 1, 2, 2, 1, 0}), false,
                  (uint8_t[6]){0, 1, 2, 2, 1, 0});
    expect_labels(make(PNG_COLOR_TYPE_PALETTE, 4, (uint8_t[4]){0x01, 0x20, 0x21, 0x00}), false,
                  (uint8_t[6]){0, 1, 2, 2, 1, 0});
}

static void colours_are_looked_up(void **state) {
    (void)state;
    static const uint8_t rgb[18] = {128, 128, 128, 192, 128, 128, 128, 64, 128,
                                    0,   0,   0,   128, 64,  128, 128, 64, 128};
    uint8_t rgba[24], deep[36];
    for (int i = 0; i < 6; i++) {
        memcpy(rgba + 4 * i, rgb + 3 * i, 3);
        rgba[4 * i + 3] = 255;
    }
    for (int i = 0; i < 18; i++) {
        deep[2 * i] = deep[2 * i + 1] = rgb[i];
    }
    const uint8_t labels[6] = {0, 1, 2, 255, 2, 2};
    expect_labels(make(PNG_COLOR_TYPE_RGB, 8, rgb), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB, 8, rgb), true, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB, 16, deep), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB_ALPHA, 8, rgba), false, labels);
    /* On request a palette's colours do matter, and a grey is a colour. */
    expect_labels(make(PNG_COLOR_TYPE_PALETTE, 8, (uint8_t[6]){2, 3, 2, 3, 3, 3}), true,
                  (uint8_t[6]){0, 2, 0, 2, 2, 2});
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){128, 0, 0, 128, 128, 0}), true,
                  (uint8_t[6]){0, 255, 255, 0, 0, 255});
}

/* As pictures are, indices or colours. */
static void masks_are_turned_too(void **state) {
    (void)state;
    uint8_t exif[EXIF_SIZE];
    make_exif(exif, 8, 0);
    png_kind kind = {.width = 2,
                     .height = 3,
                     .type = PNG_COLOR_TYPE_GRAY,
                     .depth = 8,
                     .exif = exif,
                     .exif_size = EXIF_SIZE};
    /* 0 1 / 2 255 / 1 1, a quarter turn against the clock: */
    expect_labels(make_png(&kind, (uint8_t[6]){0, 1, 2, 255, 1, 1}), false,
                  (uint8_t[6]){1, 255, 1, 0, 2, 1});
    expect_labels(make_png(&kind, (uint8_t[6]){128, 0, 0, 0, 0, 0}), true,
                  (uint8_t[6]){255, 255, 255, 0, 255, 255});
}

static void expect_refusal(file_bytes file, bool colors, const char *what, const char *hint) {
    attn_mask mask;
    attn_error error = {0};
    assert_int_equal(read_mask(file, colors, &mask, &error), ATTN_ERR_FORMAT);
    assert_null(mask.label);
    assert_string_equal(error.where, "mask");
    if (strstr(error.what, what) == NULL || strstr(error.hint, hint) == NULL) {
        fail_msg("'%s': '%s'", error.what, error.hint);
    }
}

static void wrong_values_are_named(void **state) {
    (void)state;
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 1, 2, 255, 7, 3}), false,
                   "value 7 at pixel (1, 1) is neither a class (0 to 2)", "classes file");
    /* 0 and 255 where 255 is ignored look like a good mask; where it is not, they are black and
     * white. */
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 255, 0, 255, 0, 0}), false,
                  (uint8_t[6]){0, 255, 0, 255, 0, 0});
    attn_classes kept = classes;
    assert_int_equal(parse("0 a 1 1 1\n1 b 2 2 2\n", 2, &classes, NULL), ATTN_OK);
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 255, 0, 255, 0, 0}), false,
                   "value 255 at pixel (1, 0)", "1 object 255 255 255");
    classes = kept;
    expect_refusal(make(PNG_COLOR_TYPE_RGB, 8,
                        (uint8_t[18]){128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
                                      128, 128, 128, 128, 128, 129}),
                   false, "colour 128 128 129 of pixel (2, 1)", "classes file");
    /* What the file holds decides about the hint. */
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){1, 1, 2, 3, 2, 3}), false,
                   "value 3 at pixel (0, 1)", "it holds values from 1 to 3: if they count");
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){1, 1, 2, 9, 2, 1}), false,
                   "value 9 at pixel (0, 1)", "it holds values from 1 to 9: add the class");
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 16, (uint8_t[12]){0, 0, 1, 1, 2, 2}), false,
                   "value 257 at pixel (1, 0)", "8-bit values times 257");
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 16, (uint8_t[12]){0, 0, 0x65, 0x91, 0, 1}), false,
                   "value 26001 at pixel (1, 0)", "values from 0 to 26001");
    expect_refusal(make(PNG_COLOR_TYPE_RGB, 8, (uint8_t[18]){1, 1, 1, 7, 7, 7, 0, 0, 0}), false,
                   "value 7 at pixel (1, 0), in three equal channels,", "values from 0 to 7");
    expect_refusal(make(PNG_COLOR_TYPE_GRAY_ALPHA, 8,
                        (uint8_t[12]){0, 255, 1, 255, 1, 254, 0, 255, 0, 255, 0, 255}),
                   false, "pixel (2, 0) is transparent: alpha is 254 of 255", "ignore value");
}

/* One channel of 8 or 16 bits, with alpha or not; three equal ones, where they are no colours of classes. */
static void numbers_in_any_channels(void **state) {
    (void)state;
    static const uint8_t labels[6] = {0, 1, 2, 255, 1, 0};
    uint8_t deep[12], grey_alpha[12], deep_alpha[24], rgb[18], rgba[24], deep_rgb[36];
    for (int i = 0; i < 6; i++) {
        const uint8_t two[2] = {0, labels[i]};
        memcpy(deep + 2 * i, two, 2);
        memcpy(grey_alpha + 2 * i, (uint8_t[2]){labels[i], 255}, 2);
        memcpy(deep_alpha + 4 * i, two, 2);
        memset(deep_alpha + 4 * i + 2, 255, 2);
        memset(rgb + 3 * i, labels[i], 3);
        memset(rgba + 4 * i, labels[i], 3);
        rgba[4 * i + 3] = 255;
        for (int c = 0; c < 3; c++) {
            memcpy(deep_rgb + 6 * i + 2 * c, two, 2);
        }
    }
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 16, deep), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_GRAY_ALPHA, 8, grey_alpha), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_GRAY_ALPHA, 16, deep_alpha), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB, 8, rgb), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB_ALPHA, 8, rgba), false, labels);
    expect_labels(make(PNG_COLOR_TYPE_RGB, 16, deep_rgb), false, labels);
    /* 0 0 0 is the colour of what is ignored, 128 128 128 that of class 0. */
    expect_labels(make(PNG_COLOR_TYPE_RGB, 8,
                       (uint8_t[18]){0, 0, 0, 128, 128, 128, 128, 128, 128, 0, 0, 0, 0, 0, 0, 0}),
                  false, (uint8_t[6]){255, 0, 0, 255, 255, 255});
}

static void numbers_in_tiff_and_webp(void **state) {
    (void)state;
    static const uint8_t labels[6] = {0, 1, 2, 255, 1, 0};
    uint16_t deep[6];
    uint8_t rgba[24];
    for (int i = 0; i < 6; i++) {
        deep[i] = labels[i];
        memset(rgba + 4 * i, labels[i], 3);
        rgba[4 * i + 3] = 255;
    }
    tiff_kind kind = {.width = 3,
                      .height = 2,
                      .bits = 8,
                      .samples = 1,
                      .photometric = PHOTOMETRIC_MINISBLACK,
                      .extra = -1,
                      .compression = COMPRESSION_LZW};
    expect_labels(make_tiff(&kind, labels), false, labels);
    kind.tile = 16;
    expect_labels(make_tiff(&kind, labels), false, labels);
    kind.bits = 16;
    expect_labels(make_tiff(&kind, (const uint8_t *)deep), false, labels);
    expect_labels(make_webp(3, 2, rgba, 1), false, labels);
    expect_refusal(make_webp(3, 2, rgba, 0), false, "a lossy WebP", "PNG");
}

/* Classes 1, 2 and 3, with 0 and 255 left out. */
static void classes_counted_from_1(void **state) {
    (void)state;
    first_value = 1;
    expect_labels(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 1, 2, 3, 255, 1}), false,
                  (uint8_t[6]){255, 0, 1, 2, 255, 0});
    expect_refusal(make(PNG_COLOR_TYPE_GRAY, 8, (uint8_t[6]){0, 1, 4, 3, 255, 1}), false,
                   "value 4 at pixel (2, 0) is neither a class (1 to 3)", "classes file");
    attn_mask_options options = {.first = 1, .colors = true};
    attn_mask mask;
    attn_error error;
    assert_int_equal(attn_mask_parse("", 0, "mask", &classes, &options, &mask, &error),
                     ATTN_ERR_ARGUMENT);
    attn_classes kept = classes;
    classes.ignore = 3;
    options.colors = false;
    assert_int_equal(attn_mask_parse("", 0, "mask", &classes, &options, &mask, &error),
                     ATTN_ERR_ARGUMENT);
    assert_non_null(strstr(error.what, "3 is a class of masks that hold classes from 1 to 3"));
    classes = kept;
    first_value = 0;
}

static void not_a_mask(void **state) {
    (void)state;
    uint8_t rows[6] = {0, 1, 2, 0, 1, 2};
    jpeg_kind kind = {
        .width = 3, .height = 2, .in = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .components = 1};
    expect_refusal(make_jpeg(&kind, rows), false, "JPEG", "PNG");
    file_bytes empty = {NULL, 0}, cut = make(PNG_COLOR_TYPE_GRAY, 8, rows);
    expect_refusal(empty, false, "empty", "");
    cut.size -= PNG_END_SIZE;
    expect_refusal(cut, false, "cut short", "");
    attn_mask_options few = {.max_pixels = 5};
    file_bytes file = make(PNG_COLOR_TYPE_GRAY, 8, rows);
    attn_mask mask;
    attn_error error;
    assert_int_equal(attn_mask_parse(file.data, file.size, "mask", &classes, &few, &mask, &error),
                     ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "at most 5"));
    bytes_free(&file);
}

static void sizes_must_agree(void **state) {
    (void)state;
    attn_picture picture = {4, 3, NULL};
    attn_mask mask = {4, 3, NULL};
    attn_error error;
    assert_int_equal(attn_mask_check_size(&picture, "a.jpg", &mask, "a.png", &error), ATTN_OK);
    mask.width = 5;
    assert_int_equal(attn_mask_check_size(&picture, "a.jpg", &mask, "a.png", &error),
                     ATTN_ERR_FORMAT);
    assert_string_equal(error.where, "a.png");
    assert_non_null(strstr(error.what, "5 x 3"));
    assert_non_null(strstr(error.what, "a.jpg is 4 x 3"));
    mask = (attn_mask){3, 4, NULL};
    assert_int_equal(attn_mask_check_size(&picture, "a.jpg", &mask, "a.png", &error),
                     ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.hint, "EXIF"));
}

static void a_pair_from_files(void **state) {
    (void)state;
    char folder[64], picture_path[128], mask_path[128];
    uint8_t rows[6] = {0, 1, 2, 0, 1, 2};
    file_bytes picture_file = make(PNG_COLOR_TYPE_GRAY, 8, rows), wide;
    png_kind kind = {.width = 2, .height = 3, .type = PNG_COLOR_TYPE_GRAY, .depth = 8};
    wide = make_png(&kind, rows);
    folder_make(folder);
    file_write(folder, "p.png", picture_file.data, picture_file.size);
    file_write(folder, "m.png", wide.data, wide.size);
    snprintf(picture_path, sizeof picture_path, "%s/p.png", folder);
    snprintf(mask_path, sizeof mask_path, "%s/m.png", folder);
    attn_picture picture;
    attn_mask mask;
    attn_error error;
    attn_mask_options options = {0};
    assert_int_equal(
        attn_pair_read(picture_path, picture_path, &classes, &options, &picture, &mask, &error),
        ATTN_OK);
    attn_picture_free(&picture);
    attn_mask_free(&mask);
    assert_int_equal(
        attn_pair_read(picture_path, mask_path, &classes, &options, &picture, &mask, &error),
        ATTN_ERR_FORMAT);
    assert_string_equal(error.where, mask_path);
    assert_null(picture.rgb);
    assert_null(mask.label);
    assert_int_equal(
        attn_pair_read("/nonexistent", mask_path, &classes, &options, &picture, &mask, &error),
        ATTN_ERR_IO);
    folder_remove(folder);
    bytes_free(&picture_file);
    bytes_free(&wide);
}

static void a_set_of_black_and_white_masks(void **state) {
    (void)state;
    attn_error error;
    int64_t seen[256] = {0};
    uint8_t label[4] = {0, 255, 255, 0};
    attn_mask mask = {2, 2, label};
    attn_mask_count(&mask, seen);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[255], 2);
    assert_int_equal(attn_masks_check(seen, &classes, "masks", &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.hint, "1 object 255 255 255"));
    seen[1] = 1;
    assert_int_equal(attn_masks_check(seen, &classes, "masks", &error), ATTN_OK);
    seen[1] = seen[255] = 0;
    assert_int_equal(attn_masks_check(seen, &classes, "masks", &error), ATTN_OK);
    seen[0] = 0;
    seen[255] = 9;
    assert_int_equal(attn_masks_check(seen, &classes, "masks", &error), ATTN_ERR_FORMAT);
    assert_non_null(strstr(error.what, "ignored"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classes_file),
        cmocka_unit_test(refusals_name_the_line),
        cmocka_unit_test(indices_are_taken_as_they_are),
        cmocka_unit_test(colours_are_looked_up),
        cmocka_unit_test(masks_are_turned_too),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(numbers_in_any_channels),
        cmocka_unit_test(numbers_in_tiff_and_webp),
        cmocka_unit_test(classes_counted_from_1),
        cmocka_unit_test(not_a_mask),
        cmocka_unit_test(sizes_must_agree),
        cmocka_unit_test(a_pair_from_files),
        cmocka_unit_test(a_set_of_black_and_white_masks),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

/* TIFF and WebP: every kind gives the pixels it holds; what is cut, damaged, huge or of a kind that is not
 * read is refused with a message, and nothing is printed. PNG and JPEG: test_image_decode.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "attn/memory.h"
#include "image/decode.h"
#include "image/picture.h"
#include "support/tiff_webp.h"

static attn_status parse(const file_bytes *file, attn_picture *out, attn_error *error) {
    return attn_picture_parse(file->data, file->size, "test", ATTN_PICTURES_ALL, 0, out, error);
}

static void expect_pixels(file_bytes file, int width, int height, const uint8_t *rgb) {
    attn_picture picture;
    attn_error error = {0};
    if (parse(&file, &picture, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    assert_int_equal(picture.width, width);
    assert_int_equal(picture.height, height);
    assert_memory_equal(picture.rgb, rgb, (size_t)(width * height * 3));
    attn_picture_free(&picture);
    bytes_free(&file);
}

static void expect_refusal(file_bytes file, attn_status status, const char *what) {
    attn_picture picture;
    attn_error error = {0};
    assert_int_equal(parse(&file, &picture, &error), status);
    assert_null(picture.rgb);
    assert_string_equal(error.where, "test");
    assert_true(error.hint[0] != '\0');
    if (strstr(error.what, what) == NULL) {
        fail_msg("'%s' does not say '%s'", error.what, what);
    }
    bytes_free(&file);
}

/* ---- TIFF ---- */

static void every_kind_of_tiff(void **state) {
    (void)state;
    /* All reds, all greens, all blues; in 16 bits, and in 8 as some programs have it. */
    static const uint16_t palette[12] = {0,      0xffff, 0x0a0a, 0xffff, 0,      0,
                                         0x1414, 0xffff, 0,      0,      0x1e1e, 0xffff};
    static const uint16_t shallow[12] = {0, 255, 10, 255, 0, 0, 20, 255, 0, 0, 30, 255};
    static const struct {
        tiff_kind kind; /* of 2 x 2 pixels */
        union {
            uint8_t bytes[32];
            uint16_t deep[16];
        } rows;
        uint8_t rgb[12];
    } cases[] = {
        {{.bits = 1, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         {{0x40, 0x80}},
         {0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0}},
        {{.bits = 1, .samples = 1, .photometric = PHOTOMETRIC_MINISWHITE, .extra = -1},
         {{0x40, 0x80}},
         {255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255}},
        {{.bits = 2, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         {{0x10, 0xb0}},
         {0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255}},
        {{.bits = 4, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         {{0x01, 0xef}},
         {0, 0, 0, 17, 17, 17, 238, 238, 238, 255, 255, 255}},
        {{.bits = 8, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         {{1, 2, 3, 250}},
         {1, 1, 1, 2, 2, 2, 3, 3, 3, 250, 250, 250}},
        {{.bits = 16, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         {.deep = {0, 0x81, 0x8000, 0xffff}},
         {0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255}},
        {{.bits = 2,
          .samples = 1,
          .photometric = PHOTOMETRIC_PALETTE,
          .extra = -1,
          .palette = palette},
         {{0x10, 0xb0}},
         {0, 0, 0, 255, 0, 0, 10, 20, 30, 255, 255, 255}},
        {{.bits = 2,
          .samples = 1,
          .photometric = PHOTOMETRIC_PALETTE,
          .extra = -1,
          .palette = shallow},
         {{0x10, 0xb0}},
         {0, 0, 0, 255, 0, 0, 10, 20, 30, 255, 255, 255}},
        {{.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1},
         {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {{.bits = 16, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1},
         {.deep = {0x101, 0x202, 0x303, 0x404, 0x505, 0x606, 0x707, 0x808, 0x909, 0xa0a, 0xb0b,
                   0xc0c}},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        /* alpha 0 is white, 255 the colour, 128 half of it */
        {{.bits = 8, .samples = 4, .photometric = PHOTOMETRIC_RGB, .extra = EXTRASAMPLE_UNASSALPHA},
         {{1, 2, 3, 255, 4, 5, 6, 0, 0, 255, 0, 128, 7, 8, 9, 255}},
         {1, 2, 3, 255, 255, 255, 127, 255, 127, 7, 8, 9}},
        /* the same, with the colours multiplied by it */
        {{.bits = 8, .samples = 4, .photometric = PHOTOMETRIC_RGB, .extra = EXTRASAMPLE_ASSOCALPHA},
         {{1, 2, 3, 255, 0, 0, 0, 0, 0, 128, 0, 128, 7, 8, 9, 255}},
         {1, 2, 3, 255, 255, 255, 127, 255, 127, 7, 8, 9}},
        /* a fourth channel of another kind, such as infrared */
        {{.bits = 8,
          .samples = 4,
          .photometric = PHOTOMETRIC_RGB,
          .extra = EXTRASAMPLE_UNSPECIFIED},
         {{1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0}},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {{.bits = 8,
          .samples = 2,
          .photometric = PHOTOMETRIC_MINISBLACK,
          .extra = EXTRASAMPLE_UNASSALPHA},
         {{10, 0, 10, 255, 0, 128, 100, 51}},
         {255, 255, 255, 10, 10, 10, 127, 127, 127, 224, 224, 224}},
        /* ink: none, black, cyan, half black over yellow */
        {{.bits = 8, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED, .extra = -1},
         {{0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 255, 127}},
         {255, 255, 255, 0, 0, 0, 0, 255, 255, 128, 128, 0}},
    };
    static const char *const modes[] = {"wl", "wb", "wl8"}; /* the last is BigTIFF */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int n = 0; n < 12; n++) {
            tiff_kind kind = cases[i].kind;
            kind.width = kind.height = 2;
            kind.mode = modes[n % 3];
            kind.planes = n / 3 % 2;
            kind.tile = n < 6 ? 0 : 16;
            kind.compression = n % 2 ? COMPRESSION_LZW : COMPRESSION_NONE;
            expect_pixels(make_tiff(&kind, cases[i].rows.bytes), 2, 2, cases[i].rgb);
        }
    }
}

enum { WIDTH = 23, HEIGHT = 17 };

static void fill_ramp(uint8_t *pixels, int channels) {
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        uint8_t *at = pixels + channels * i;
        at[0] = (uint8_t)(i % WIDTH * 255 / WIDTH);
        at[1] = (uint8_t)(i / WIDTH * 255 / HEIGHT);
        at[2] = 90;
        memset(at + 3, 255, (size_t)channels - 3);
    }
}

static file_bytes ramp_tiff(uint16_t compression, uint32_t tile) {
    uint8_t rgb[WIDTH * HEIGHT * 3];
    tiff_kind kind = {.width = WIDTH,
                      .height = HEIGHT,
                      .bits = 8,
                      .samples = 3,
                      .photometric = PHOTOMETRIC_RGB,
                      .compression = compression,
                      .extra = -1,
                      .tile = tile};
    fill_ramp(rgb, 3);
    return make_tiff(&kind, rgb);
}

static void every_packing(void **state) {
    (void)state;
    static const uint16_t packings[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS,
                                        COMPRESSION_ADOBE_DEFLATE};
    uint8_t rgb[WIDTH * HEIGHT * 3];
    fill_ramp(rgb, 3);
    for (size_t i = 0; i < sizeof packings / sizeof *packings; i++) {
        expect_pixels(ramp_tiff(packings[i], 0), WIDTH, HEIGHT, rgb);
        expect_pixels(ramp_tiff(packings[i], 16), WIDTH, HEIGHT, rgb);
    }
}

static void expect_near(file_bytes file, const uint8_t *rgb, int tolerance) {
    attn_picture picture;
    attn_error error = {0};
    if (parse(&file, &picture, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        assert_in_range(picture.rgb[i] - rgb[i] + tolerance, 0, 2 * tolerance);
    }
    attn_picture_free(&picture);
    bytes_free(&file);
}

static void tiff_with_a_jpeg_inside(void **state) {
    (void)state;
    uint8_t rgb[WIDTH * HEIGHT * 3];
    fill_ramp(rgb, 3);
    expect_near(ramp_tiff(COMPRESSION_JPEG, 0), rgb, 40);
    expect_near(ramp_tiff(COMPRESSION_JPEG, 16), rgb, 40);
}

/* Stored 3 x 2:  1 2 3      upright, by orientation:
 *                4 5 6 */
static const char *const upright[9] = {NULL,     "123456", "321654", "654321", "456123",
                                       "142536", "415263", "635241", "362514"};

static void expect_upright(file_bytes file, int orientation) {
    uint8_t rgb[18];
    bool turned = orientation > 4;
    for (int i = 0; i < 6; i++) {
        memset(rgb + 3 * i, upright[orientation][i], 3);
    }
    expect_pixels(file, turned ? 2 : 3, turned ? 3 : 2, rgb);
}

static void orientation_is_honoured(void **state) {
    (void)state;
    uint8_t grey[6] = {'1', '2', '3', '4', '5', '6'}, rgba[24], exif[EXIF_SIZE];
    char xmp[80];
    for (int i = 0; i < 6; i++) {
        memset(rgba + 4 * i, grey[i], 3);
        rgba[4 * i + 3] = 255;
    }
    for (int orientation = 1; orientation <= 8; orientation++) {
        tiff_kind tiff = {.width = 3,
                          .height = 2,
                          .bits = 8,
                          .samples = 1,
                          .photometric = PHOTOMETRIC_MINISBLACK,
                          .extra = -1,
                          .orientation = orientation};
        expect_upright(make_tiff(&tiff, grey), orientation);
        make_exif(exif, orientation, 0);
        int length = snprintf(xmp, sizeof xmp, "<x tiff:Orientation='%d'/>", orientation);
        webp_kind by_exif = {.width = 3, .height = 2, .exif = exif, .exif_size = EXIF_SIZE};
        webp_kind by_xmp = {.width = 3, .height = 2, .xmp = xmp, .xmp_size = (size_t)length};
        expect_upright(webp_extend(&by_exif, make_webp(3, 2, rgba, 1)), orientation);
        expect_upright(webp_extend(&by_xmp, make_webp(3, 2, rgba, 1)), orientation);
    }
}

/* Whole numbers of 32 bits, rounded; floats of three sizes, either end, beyond it and NaN. */
static void deep_tiff(void **state) {
    (void)state;
    static const uint32_t whole[4] = {0, 1u << 31, 0xfe000000u, 0xffffffffu};
    static const uint16_t half[4] = {0, 0x3800, 0x3c00, 0x7e00};
    static const float single[4] = {-1, 0.25f, 7, NAN};
    static const double twice[4] = {0.1, 0.5, 1, INFINITY};
    static const struct {
        uint16_t bits;
        int format;
        const void *rows;
        uint8_t grey[4];
    } cases[] = {{32, 0, whole, {0, 128, 253, 255}},
                 {16, SAMPLEFORMAT_IEEEFP, half, {0, 128, 255, 0}},
                 {32, SAMPLEFORMAT_IEEEFP, single, {0, 64, 255, 0}},
                 {64, SAMPLEFORMAT_IEEEFP, twice, {26, 128, 255, 255}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t rgb[12];
        tiff_kind kind = {.width = 2,
                          .height = 2,
                          .bits = cases[i].bits,
                          .samples = 1,
                          .photometric = PHOTOMETRIC_MINISBLACK,
                          .compression = COMPRESSION_LZW,
                          .extra = -1,
                          .format = cases[i].format};
        for (int big = 0; big < 2; big++) {
            kind.mode = big ? "wb" : NULL;
            for (int n = 0; n < 4; n++) {
                memset(rgb + 3 * n, cases[i].grey[n], 3);
            }
            expect_pixels(make_tiff(&kind, cases[i].rows), 2, 2, rgb);
        }
    }
}

/* What Little CMS 2.19 makes of these colours, with Pillow's profiles of Lab and sRGB and without its optimization
 * (cmsFLAGS_NOOPTIMIZE): so it agrees with the formula to a level on a grid over all of Lab, and with the
 * optimization, its default, it is up to 48 levels off. */
static void lab_tiff(void **state) {
    (void)state;
    static const int8_t ab[8][2] = {{0, 0},    {0, 0},    {0, 0},    {50, 40},
                                    {-40, 45}, {30, -50}, {20, -40}, {-30, 40}};
    static const uint8_t light[8] = {0, 255, 128, 137, 180, 110, 60, 200};
    static const uint8_t rgb[24] = {0,   0,   0,  255, 255, 255, 119, 119, 119, 213, 86,  63,
                                    113, 191, 84, 114, 85,  186, 55,  47,  117, 155, 209, 116};
    static const uint16_t kinds[2] = {PHOTOMETRIC_CIELAB, PHOTOMETRIC_ICCLAB};
    for (int n = 0; n < 4; n++) {
        bool deep = n % 2, offset = n / 2;
        union {
            uint8_t bytes[24];
            uint16_t deep[24];
        } rows;
        for (int i = 0; i < 24; i++) {
            int value = i % 3 == 0 ? light[i / 3] : ab[i / 3][i % 3 - 1] + (offset ? 128 : 0);
            if (deep) {
                rows.deep[i] = (uint16_t)(value * (i % 3 == 0 && !offset ? 257 : 256));
            } else {
                rows.bytes[i] = (uint8_t)value;
            }
        }
        tiff_kind kind = {.width = 8,
                          .height = 1,
                          .bits = deep ? 16 : 8,
                          .samples = 3,
                          .photometric = kinds[offset],
                          .extra = -1};
        file_bytes file = make_tiff(&kind, rows.bytes);
        attn_picture picture;
        assert_int_equal(parse(&file, &picture, NULL), ATTN_OK);
        for (int i = 0; i < 24; i++) {
            assert_in_range(picture.rgb[i] - rgb[i] + 1, 0, 2);
        }
        attn_picture_free(&picture);
        bytes_free(&file);
    }
}

/* Numbers of classes in 32 bits, as some programs write them. */
static void deep_masks(void **state) {
    (void)state;
    static const uint32_t rows[3] = {0, 7, 65535}, large[3] = {0, 65536, 1};
    static const float real[3] = {0, 1, 2};
    tiff_kind kind = {.width = 3,
                      .height = 1,
                      .bits = 32,
                      .samples = 1,
                      .photometric = PHOTOMETRIC_MINISBLACK,
                      .extra = -1};
    for (int n = 0; n < 3; n++) {
        kind.format = n == 2 ? SAMPLEFORMAT_IEEEFP : 0;
        file_bytes file = make_tiff(&kind, n == 0   ? (const void *)rows
                                           : n == 1 ? (const void *)large
                                                    : real);
        attn_encoded encoded = {file.data, file.size, "test", 100};
        attn_error error = {0};
        attn_raster raster;
        attn_status status = attn_tiff_decode(&encoded, true, &raster, &error);
        assert_int_equal(status, n == 0 ? ATTN_OK : ATTN_ERR_FORMAT);
        for (int i = 0; i < 3 && n == 0; i++) {
            assert_int_equal(attn_raster_sample(&raster, i), rows[i]);
        }
        assert_true(n == 0 || strstr(error.what, n == 1 ? "beyond 65535" : "floats") != NULL);
        attn_raster_free(&raster);
        bytes_free(&file);
    }
}

static void kinds_of_tiff_that_are_not_read(void **state) {
    (void)state;
    static const uint8_t rows[64];
    static const struct {
        tiff_kind kind;
        const char *what;
    } cases[] = {
        {{.bits = 64, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .extra = -1},
         "bits a sample: 64"},
        {{.bits = 16,
          .samples = 1,
          .photometric = PHOTOMETRIC_MINISBLACK,
          .extra = -1,
          .format = SAMPLEFORMAT_INT},
         "samples of the format 2"},
        {{.bits = 32, .samples = 3, .photometric = PHOTOMETRIC_CIELAB, .extra = -1},
         "CIELab in planes, or with bits 32"},
        {{.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_CIELAB, .extra = -1, .planes = 1},
         "CIELab in planes"},
        {{.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_YCBCR, .extra = -1}, "YCbCr"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiff_kind kind = cases[i].kind;
        kind.width = kind.height = 2;
        expect_refusal(make_tiff(&kind, rows), ATTN_ERR_UNSUPPORTED, cases[i].what);
    }
}

/* ---- WebP ---- */

static void every_kind_of_webp(void **state) {
    (void)state;
    static const uint8_t rgba[16] = {1, 2, 3, 255, 4, 5, 6, 0, 0, 255, 0, 128, 7, 8, 9, 255};
    uint8_t ramp[WIDTH * HEIGHT * 4], rgb[WIDTH * HEIGHT * 3];
    fill_ramp(ramp, 4);
    fill_ramp(rgb, 3);
    expect_pixels(make_webp(2, 2, rgba, 1), 2, 2,
                  (uint8_t[12]){1, 2, 3, 255, 255, 255, 127, 255, 127, 7, 8, 9});
    expect_pixels(make_webp(WIDTH, HEIGHT, ramp, 1), WIDTH, HEIGHT, rgb);
    expect_near(make_webp(WIDTH, HEIGHT, ramp, 0), rgb, 40);
}

/* Where the first frame of an animation is not, there is nothing: white. */
static void animated_webp(void **state) {
    (void)state;
    static const uint8_t pixel[4] = {10, 20, 30, 255};
    uint8_t rgb[4 * 3 * 3];
    webp_kind kind = {.width = 4,
                      .height = 3,
                      .animated = 1,
                      .x = 2,
                      .y = 2,
                      .frame_width = 1,
                      .frame_height = 1};
    memset(rgb, 255, sizeof rgb);
    memcpy(rgb + 3 * (2 * 4 + 2), pixel, 3);
    expect_pixels(webp_extend(&kind, make_webp(1, 1, pixel, 1)), 4, 3, rgb);
    kind.x = 4; /* outside */
    expect_refusal(webp_extend(&kind, make_webp(1, 1, pixel, 1)), ATTN_ERR_FORMAT, "damaged WebP");
}

/* ---- strangers' files ---- */

static file_bytes ramp_webp(int lossless) {
    uint8_t ramp[WIDTH * HEIGHT * 4];
    fill_ramp(ramp, 4);
    return make_webp(WIDTH, HEIGHT, ramp, lossless);
}

/* The largest single request while the hook is in place. */
static size_t largest_request;

static void *count_allocate(size_t size, void *context) {
    (void)context;
    largest_request = size > largest_request ? size : largest_request;
    return malloc(size);
}

static void count_release(void *pointer, void *context) {
    (void)context;
    free(pointer);
}

/* Sets the value of an entry of type LONG or SHORT in the directory of a little-endian TIFF. */
static void tiff_set(file_bytes *file, unsigned tag, uint32_t value) {
    for (size_t at = 8; at + 12 <= file->size; at++) {
        uint8_t *entry = file->data + at;
        unsigned type = entry[2] | (unsigned)entry[3] << 8;
        bool one = entry[4] == 1 && entry[5] == 0 && entry[6] == 0 && entry[7] == 0;
        if ((entry[0] | (unsigned)entry[1] << 8) == tag && (type == 3 || type == 4) && one) {
            for (int i = 0; i < (type == 3 ? 2 : 4); i++) {
                entry[8 + i] = (uint8_t)(value >> 8 * i);
            }
            return;
        }
    }
    fail_msg("no tag %u", tag);
}

static void bombs_are_refused_first(void **state) {
    (void)state;
    enum {
        WIDTH_TAG = 256,
        HEIGHT_TAG = 257,
        SAMPLES_TAG = 277,
        TILE_WIDTH_TAG = 322,
        TILE_HEIGHT_TAG
    };
    attn_picture picture;
    attn_error error;
    file_bytes wide = ramp_tiff(COMPRESSION_LZW, 0), many = ramp_tiff(COMPRESSION_LZW, 0);
    file_bytes tiles = ramp_tiff(COMPRESSION_LZW, 16);
    webp_kind canvas = {.width = 1 << 24,
                        .height = 200,
                        .animated = 1,
                        .frame_width = WIDTH,
                        .frame_height = HEIGHT};
    tiff_set(&wide, WIDTH_TAG, 60000);
    tiff_set(&wide, HEIGHT_TAG, 60000);
    tiff_set(&many, SAMPLES_TAG, 65535);
    tiff_set(&tiles, TILE_WIDTH_TAG, 0xfff0);
    tiff_set(&tiles, TILE_HEIGHT_TAG, 0xfff0);
    attn_set_allocator(count_allocate, count_release, NULL);
    largest_request = 0;
    expect_refusal(wide, ATTN_ERR_FORMAT, "60000 x 60000 pixels; at most 100000000");
    expect_refusal(many, ATTN_ERR_FORMAT, "damaged TIFF"); /* libtiff sees it itself */
    expect_refusal(tiles, ATTN_ERR_FORMAT, "65520 x 65520 pixels");
    expect_refusal(webp_extend(&canvas, ramp_webp(1)), ATTN_ERR_FORMAT, "16777216 x 200 pixels");
    assert_in_range(largest_request, 0, 1 << 16);
    attn_set_allocator(NULL, NULL, NULL);
    /* The limit is the caller's: as many pixels as allowed, and one fewer. */
    file_bytes files[2] = {ramp_tiff(COMPRESSION_LZW, 0), ramp_webp(1)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(attn_picture_parse(files[i].data, files[i].size, "test", ATTN_PICTURES_ALL,
                                            WIDTH * HEIGHT, &picture, NULL),
                         ATTN_OK);
        attn_picture_free(&picture);
        assert_int_equal(attn_picture_parse(files[i].data, files[i].size, "test", ATTN_PICTURES_ALL,
                                            WIDTH * HEIGHT - 1, &picture, &error),
                         ATTN_ERR_FORMAT);
        bytes_free(&files[i]);
    }
}

/* Where memory grows with the width alone, libtiff would take it: 16 bytes for each pixel of a row of group 4 fax,
 * from a file of a few hundred bytes. Beyond 8 bytes for each pixel that is allowed, it refuses. */
static void libtiff_keeps_to_the_limit(void **state) {
    (void)state;
#if TIFFLIB_VERSION >= 20221213
    enum { PIXELS = 1 << 20 };
    uint8_t *white = calloc(PIXELS / 8, 1);
    tiff_kind kind = {.width = PIXELS,
                      .height = 1,
                      .bits = 1,
                      .samples = 1,
                      .photometric = PHOTOMETRIC_MINISWHITE,
                      .compression = COMPRESSION_CCITTFAX4,
                      .extra = -1};
    file_bytes file = make_tiff(&kind, white);
    for (int twice = 0; twice < 2; twice++) {
        attn_picture picture;
        attn_error error = {0};
        assert_int_equal(attn_picture_parse(file.data, file.size, "test", ATTN_PICTURES_ALL,
                                            PIXELS << twice, &picture, &error),
                         twice ? ATTN_OK : ATTN_ERR_FORMAT);
        assert_true(twice || strstr(error.what, "limit") != NULL);
        attn_picture_free(&picture);
    }
    assert_in_range(file.size, 1, 1024);
    bytes_free(&file);
    free(white);
#endif
}

/* From a client of the server: only what is safe to read for anyone. */
static void formats_of_the_web(void **state) {
    (void)state;
    static const char *const name[2] = {"TIFF", "WebP"};
    file_bytes files[2] = {ramp_tiff(COMPRESSION_LZW, 0), ramp_webp(1)};
    for (int i = 0; i < 2; i++) {
        attn_picture picture;
        attn_error error;
        assert_int_equal(attn_picture_parse(files[i].data, files[i].size, "test", ATTN_PICTURES_WEB,
                                            0, &picture, &error),
                         ATTN_ERR_FORMAT);
        assert_null(picture.rgb);
        assert_non_null(strstr(error.what, name[i]));
        assert_non_null(strstr(error.hint, "convert it to PNG or JPEG"));
        bytes_free(&files[i]);
    }
}

static void every_cut_is_noticed(void **state) {
    (void)state;
    file_bytes files[4] = {ramp_tiff(COMPRESSION_LZW, 0), ramp_tiff(COMPRESSION_NONE, 16),
                           ramp_webp(0), ramp_webp(1)};
    for (int i = 0; i < 4; i++) {
        for (size_t size = 0; size < files[i].size; size++) {
            file_bytes cut = {NULL, 0};
            bytes_add(&cut, files[i].data, size);
            expect_refusal(cut, ATTN_ERR_FORMAT, "");
        }
        bytes_free(&files[i]);
    }
}

/* A changed byte is an error or another picture, never a crash. */
static void every_changed_byte(void **state) {
    (void)state;
    file_bytes files[5] = {ramp_tiff(COMPRESSION_LZW, 0), ramp_tiff(COMPRESSION_ADOBE_DEFLATE, 16),
                           ramp_tiff(COMPRESSION_JPEG, 0), ramp_webp(0), ramp_webp(1)};
    for (int i = 0; i < 5; i++) {
        for (size_t at = 0; at < files[i].size; at++) {
            attn_picture picture;
            attn_error error = {0};
            uint8_t old = files[i].data[at];
            files[i].data[at] ^= (uint8_t)(1 + at % 255);
            attn_status status = attn_picture_parse(files[i].data, files[i].size, "test",
                                                    ATTN_PICTURES_ALL, 1 << 20, &picture, &error);
            assert_true(status == ATTN_OK || error.where[0] != '\0');
            attn_picture_free(&picture);
            files[i].data[at] = old;
        }
        bytes_free(&files[i]);
    }
}

/* ---- and nothing on the terminal ---- */

static FILE *captured;
static int kept_output[2];

static int capture(void **state) {
    (void)state;
    captured = tmpfile();
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        kept_output[i] = dup(i + 1);
    }
    return captured != NULL && dup2(fileno(captured), 2) == 2 ? 0 : -1;
}

static int release(void **state) {
    (void)state;
    struct stat info;
    fflush(NULL);
    int result = fstat(fileno(captured), &info);
    dup2(kept_output[1], 2);
    close(kept_output[0]);
    close(kept_output[1]);
    fclose(captured);
    return result == 0 && info.st_size == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_tiff),
        cmocka_unit_test(every_packing),
        cmocka_unit_test(tiff_with_a_jpeg_inside),
        cmocka_unit_test(orientation_is_honoured),
        cmocka_unit_test(deep_tiff),
        cmocka_unit_test(lab_tiff),
        cmocka_unit_test(deep_masks),
        cmocka_unit_test(kinds_of_tiff_that_are_not_read),
        cmocka_unit_test(every_kind_of_webp),
        cmocka_unit_test(animated_webp),
        cmocka_unit_test(bombs_are_refused_first),
        cmocka_unit_test(libtiff_keeps_to_the_limit),
        cmocka_unit_test(formats_of_the_web),
        cmocka_unit_test_setup_teardown(every_cut_is_noticed, capture, release),
        cmocka_unit_test_setup_teardown(every_changed_byte, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Decoding: every kind of PNG and JPEG gives the pixels it holds, and whatever is cut, damaged,
 * huge or empty is refused with a message, without a leak, and without a word on the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "attn/memory.h"
#include "image/decode.h"
#include "image/exif.h"
#include "image/picture.h"
#include "support/pictures.h"

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

static void every_type_of_png(void **state) {
    (void)state;
    static const png_color palette[4] = {{0, 0, 0}, {255, 0, 0}, {10, 20, 30}, {255, 255, 255}};
    static const uint8_t alpha[3] = {255, 0, 128};
    static const struct {
        png_kind kind; /* of 2 x 2 pixels */
        uint8_t rows[32];
        uint8_t rgb[12];
    } cases[] = {
        {{.type = PNG_COLOR_TYPE_GRAY, .depth = 1},
         {0x40, 0x80},
         {0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0}},
        {{.type = PNG_COLOR_TYPE_GRAY, .depth = 2},
         {0x10, 0xb0},
         {0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255}},
        {{.type = PNG_COLOR_TYPE_GRAY, .depth = 4},
         {0x01, 0xef},
         {0, 0, 0, 17, 17, 17, 238, 238, 238, 255, 255, 255}},
        {{.type = PNG_COLOR_TYPE_GRAY, .depth = 8},
         {1, 2, 3, 250},
         {1, 1, 1, 2, 2, 2, 3, 3, 3, 250, 250, 250}},
        /* 16 bits are rounded: 0x0081 is nearer to 1 than to 0. */
        {{.type = PNG_COLOR_TYPE_GRAY, .depth = 16},
         {0x00, 0x00, 0x00, 0x81, 0x80, 0x00, 0xff, 0xff},
         {0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255}},
        /* alpha 0 is white, 255 the colour, 128 half of it */
        {{.type = PNG_COLOR_TYPE_GRAY_ALPHA, .depth = 8},
         {10, 0, 10, 255, 0, 128, 100, 51},
         {255, 255, 255, 10, 10, 10, 127, 127, 127, 224, 224, 224}},
        {{.type = PNG_COLOR_TYPE_RGB, .depth = 8},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {{.type = PNG_COLOR_TYPE_RGB, .depth = 16},
         {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
        {{.type = PNG_COLOR_TYPE_RGB_ALPHA, .depth = 8},
         {1, 2, 3, 255, 4, 5, 6, 0, 0, 255, 0, 128, 7, 8, 9, 255},
         {1, 2, 3, 255, 255, 255, 127, 255, 127, 7, 8, 9}},
        {{.type = PNG_COLOR_TYPE_PALETTE, .depth = 2, .palette = palette, .colors = 4},
         {0x10, 0xb0},
         {0, 0, 0, 255, 0, 0, 10, 20, 30, 255, 255, 255}},
        {{.type = PNG_COLOR_TYPE_PALETTE,
          .depth = 8,
          .palette = palette,
          .colors = 4,
          .alpha = alpha,
          .alphas = 3},
         {0, 1, 2, 3},
         {0, 0, 0, 255, 255, 255, 132, 137, 142, 255, 255, 255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            png_kind kind = cases[i].kind;
            kind.width = kind.height = 2;
            kind.interlaced = interlaced;
            expect_pixels(make_png(&kind, cases[i].rows), 2, 2, cases[i].rgb);
        }
    }
}

enum { WIDTH = 23, HEIGHT = 17 };

static void fill_ramp(uint8_t *rgb, int width, int height) {
    for (int i = 0; i < width * height; i++) {
        rgb[3 * i] = (uint8_t)(i % width * 255 / width);
        rgb[3 * i + 1] = (uint8_t)(i / width * 255 / height);
        rgb[3 * i + 2] = 90;
    }
}

static file_bytes ramp_png(int interlaced) {
    uint8_t rgb[WIDTH * HEIGHT * 3];
    png_kind kind = {.width = WIDTH,
                     .height = HEIGHT,
                     .type = PNG_COLOR_TYPE_RGB,
                     .depth = 8,
                     .interlaced = interlaced};
    fill_ramp(rgb, WIDTH, HEIGHT);
    return make_png(&kind, rgb);
}

static file_bytes ramp_jpeg(J_COLOR_SPACE stored, int progressive) {
    uint8_t rgb[WIDTH * HEIGHT * 3];
    jpeg_kind kind = {.width = WIDTH,
                      .height = HEIGHT,
                      .in = JCS_RGB,
                      .stored = stored,
                      .components = 3,
                      .progressive = progressive};
    fill_ramp(rgb, WIDTH, HEIGHT);
    return make_jpeg(&kind, rgb);
}

static void odd_sizes_and_interlacing(void **state) {
    (void)state;
    uint8_t rgb[WIDTH * HEIGHT * 3];
    fill_ramp(rgb, WIDTH, HEIGHT);
    expect_pixels(ramp_png(0), WIDTH, HEIGHT, rgb);
    expect_pixels(ramp_png(1), WIDTH, HEIGHT, rgb);
}

/* An animation: its still picture is the first frame, whatever follows. */
static void animated_png(void **state) {
    (void)state;
    uint8_t rgb[WIDTH * HEIGHT * 3];
    static const uint8_t control[8] = {0, 0, 0, 2, 0, 0, 0, 0};
    uint8_t frame[26] = {0};
    file_bytes png = ramp_png(0);
    put32(frame + 4, WIDTH);
    put32(frame + 8, HEIGHT);
    png_insert(&png, png.size - PNG_END_SIZE, "fdAT", "\0\0\0\1data", 8);
    png_insert(&png, png.size - PNG_END_SIZE, "fcTL", frame, sizeof frame);
    png_insert(&png, PNG_AFTER_HEADER, "fcTL", frame, sizeof frame);
    png_insert(&png, PNG_AFTER_HEADER, "acTL", control, sizeof control);
    fill_ramp(rgb, WIDTH, HEIGHT);
    expect_pixels(png, WIDTH, HEIGHT, rgb);
}

static void expect_near(file_bytes file, const uint8_t *rgb, int tolerance) {
    attn_picture picture;
    attn_error error = {0};
    if (parse(&file, &picture, &error) != ATTN_OK) {
        fail_msg("%s", error.what);
    }
    assert_int_equal(picture.width, WIDTH);
    assert_int_equal(picture.height, HEIGHT);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        assert_in_range(picture.rgb[i] - rgb[i] + tolerance, 0, 2 * tolerance);
    }
    attn_picture_free(&picture);
    bytes_free(&file);
}

static void every_kind_of_jpeg(void **state) {
    (void)state;
    uint8_t rgb[WIDTH * HEIGHT * 3], grey[WIDTH * HEIGHT], grey_rgb[WIDTH * HEIGHT * 3];
    fill_ramp(rgb, WIDTH, HEIGHT);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        grey[i] = (uint8_t)(i % 200);
        memset(grey_rgb + 3 * i, grey[i], 3);
    }
    expect_near(ramp_jpeg(JCS_YCbCr, 0), rgb, 4);
    expect_near(ramp_jpeg(JCS_YCbCr, 1), rgb, 4);
    expect_near(ramp_jpeg(JCS_RGB, 0), rgb, 3);
    jpeg_kind kind = {.width = WIDTH,
                      .height = HEIGHT,
                      .in = JCS_GRAYSCALE,
                      .stored = JCS_GRAYSCALE,
                      .components = 1};
    expect_near(make_jpeg(&kind, grey), grey_rgb, 3);
}

/* Ink is taken as Adobe stores it, 255 for none, with its marker and without, as browsers do. */
static void four_colours(void **state) {
    (void)state;
    static const struct {
        uint8_t cmyk[4], rgb[3];
    } cases[] = {
        {{255, 255, 255, 255}, {255, 255, 255}}, {{255, 255, 255, 0}, {0, 0, 0}},
        {{0, 255, 255, 255}, {0, 255, 255}},     {{255, 0, 255, 255}, {255, 0, 255}},
        {{255, 255, 0, 128}, {128, 128, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int kind = 0; kind < 3; kind++) {
            uint8_t rows[WIDTH * HEIGHT * 4], rgb[WIDTH * HEIGHT * 3];
            bool adobe = kind < 2;
            for (int p = 0; p < WIDTH * HEIGHT; p++) {
                memcpy(rows + 4 * p, cases[i].cmyk, 4);
                memcpy(rgb + 3 * p, cases[i].rgb, 3);
            }
            jpeg_kind what = {.width = WIDTH,
                              .height = HEIGHT,
                              .in = JCS_CMYK,
                              .stored = kind == 1 ? JCS_YCCK : JCS_CMYK,
                              .components = 4,
                              .no_adobe = !adobe};
            expect_near(make_jpeg(&what, rows), rgb, 3);
        }
    }
}

/* Stored 3 x 2:  1 2 3      upright, by orientation:
 *                4 5 6 */
static void orientation_is_honoured(void **state) {
    (void)state;
    static const char *const upright[9] = {NULL,     "123456", "321654", "654321", "456123",
                                           "142536", "415263", "635241", "362514"};
    uint8_t rows[6] = {'1', '2', '3', '4', '5', '6'};
    for (int orientation = 1; orientation <= 8; orientation++) {
        for (int big = 0; big < 2; big++) {
            uint8_t exif[EXIF_SIZE], rgb[18];
            make_exif(exif, orientation, big);
            png_kind kind = {.width = 3,
                             .height = 2,
                             .type = PNG_COLOR_TYPE_GRAY,
                             .depth = 8,
                             .exif = exif,
                             .exif_size = EXIF_SIZE};
            for (int i = 0; i < 6; i++) {
                memset(rgb + 3 * i, upright[orientation][i], 3);
            }
            bool turned = orientation > 4;
            expect_pixels(make_png(&kind, rows), turned ? 2 : 3, turned ? 3 : 2, rgb);
        }
    }
}

/* EXIF as a text of hexadecimal digits, with the fields before it of each kind of text chunk. */
static size_t make_profile(uint8_t out[400], const char *type, const char *keyword, bool packed,
                           const char *digits) {
    char text[200];
    size_t at = strlen(keyword) + 1;
    memcpy(out, keyword, at);
    if (strcmp(type, "iTXt") == 0) {
        out[at++] = packed;
        memcpy(out + at, "\0en\0", 5); /* deflate, the language, no translation */
        at += 5;
    } else if (strcmp(type, "zTXt") == 0) {
        out[at++] = 0;
    }
    int length = snprintf(text, sizeof text, "\nexif\n%8zu\n%s\n", strlen(digits) / 2, digits);
    uLongf size = (uLongf)(400 - at);
    if (packed) {
        assert_int_equal(compress(out + at, &size, (Bytef *)text, (uLong)length), Z_OK);
        return at + size;
    }
    memcpy(out + at, text, (size_t)length);
    return at + (size_t)length;
}

/* The orientation that a PNG with such a chunk has; the chunk stands before the pixels. */
static int profile_orientation(const char *type, const void *data, size_t size) {
    static const uint8_t rows[6];
    png_kind kind = {.width = 3, .height = 2, .type = PNG_COLOR_TYPE_GRAY, .depth = 8};
    file_bytes file = make_png(&kind, rows);
    png_insert(&file, 33, type, data, size);
    attn_encoded encoded = {file.data, file.size, "test", 100};
    attn_raster raster;
    assert_int_equal(attn_png_decode(&encoded, true, &raster, NULL), ATTN_OK);
    int orientation = raster.orientation;
    attn_raster_free(&raster);
    bytes_free(&file);
    return orientation;
}

static void orientation_in_text(void **state) {
    (void)state;
    static const struct {
        const char *type;
        bool packed;
    } kinds[] = {{"tEXt", false}, {"zTXt", true}, {"iTXt", false}, {"iTXt", true}};
    static const char *const keywords[] = {"Raw profile type exif", "Raw profile type APP1"};
    uint8_t exif[6 + EXIF_SIZE] = "Exif\0", chunk[400];
    char digits[2 * sizeof exif + 2];
    make_exif(exif + 6, 6, 1);
    for (size_t i = 0, at = 0; i < sizeof exif; i++) {
        at += (size_t)sprintf(digits + at, i == 20 ? "%02x\n" : "%02x", exif[i]);
    }
    for (size_t n = 0; n < 8; n++) {
        const char *type = kinds[n / 2].type;
        size_t size = make_profile(chunk, type, keywords[n % 2], kinds[n / 2].packed, digits);
        assert_int_equal(profile_orientation(type, chunk, size), 6);
        for (size_t cut = 1; cut < size; cut++) { /* damaged or cut: none, and no read beyond */
            assert_in_range(profile_orientation(type, chunk, cut), 0, 6);
        }
        chunk[4] = 'X'; /* another keyword */
        assert_int_equal(profile_orientation(type, chunk, size), 0);
    }
    size_t size = make_profile(chunk, "tEXt", keywords[0], false, "4d4dxyz");
    assert_int_equal(profile_orientation("tEXt", chunk, size), 0);
    uint8_t *bomb = calloc(1, 1 << 24), *packed = malloc(1 << 20); /* a thousand times its size */
    uLongf length = (1 << 20) - 23;
    memcpy(packed, "Raw profile type exif\0", 23);
    assert_int_equal(compress(packed + 23, &length, bomb, 1 << 24), Z_OK);
    assert_int_equal(profile_orientation("zTXt", packed, length + 23), 0);
    free(bomb);
    free(packed);
}

static void orientation_of_a_jpeg(void **state) {
    (void)state;
    uint8_t rows[32 * 16], exif[EXIF_SIZE];
    memset(rows, 0, sizeof rows);
    memset(rows, 255, 32); /* the first row is white: a clock's quarter turn puts it right */
    memset(rows + 32, 255, 32);
    make_exif(exif, 6, 1);
    jpeg_kind kind = {.width = 32,
                      .height = 16,
                      .in = JCS_GRAYSCALE,
                      .stored = JCS_GRAYSCALE,
                      .components = 1,
                      .exif = exif,
                      .exif_size = EXIF_SIZE};
    file_bytes file = make_jpeg(&kind, rows);
    attn_picture picture;
    assert_int_equal(parse(&file, &picture, NULL), ATTN_OK);
    assert_int_equal(picture.width, 16);
    assert_int_equal(picture.height, 32);
    assert_in_range(picture.rgb[15 * 3], 200, 255);
    assert_in_range(picture.rgb[0], 0, 50);
    attn_picture_free(&picture);
    bytes_free(&file);
}

/* Cut anywhere and changed anywhere, EXIF data give an orientation and no read outside them. */
static void exif_from_strangers(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        uint8_t exif[EXIF_SIZE];
        make_exif(exif, 6, big);
        assert_int_equal(attn_exif_orientation(exif, EXIF_SIZE), 6);
        for (size_t size = 0; size < EXIF_SIZE; size++) {
            uint8_t *copy = malloc(size + 1);
            memcpy(copy, exif, size);
            int expected = size < 10 + 12 ? 0 : 6; /* the entry is complete, or not */
            assert_int_equal(attn_exif_orientation(copy, size), expected);
            free(copy);
        }
        for (size_t at = 0; at < EXIF_SIZE; at++) {
            for (int value = 0; value < 256; value++) {
                uint8_t *copy = malloc(EXIF_SIZE);
                memcpy(copy, exif, EXIF_SIZE);
                copy[at] = (uint8_t)value;
                assert_in_range(attn_exif_orientation(copy, EXIF_SIZE), 0, 8);
                free(copy);
            }
        }
    }
}

static void exif_of_any_type(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        for (int type = 0; type < 14; type++) {
            uint8_t exif[6 + EXIF_SIZE] = "Exif\0";
            int right = type == 1 || type == 3 || type == 4 || type == 6 || type == 8 || type == 9;
            make_typed_exif(exif + 6, type == 6 ? 1 : type == 8 ? 3 : type, 6, big);
            exif[6 + (big ? 13 : 12)] = (uint8_t)type;
            assert_int_equal(attn_exif_orientation(exif + 6, EXIF_SIZE), right ? 6 : 0);
            /* With what stands before it in a JPEG, as some programs write it elsewhere too. */
            assert_int_equal(attn_exif_orientation(exif, sizeof exif), right ? 6 : 0);
        }
        uint8_t exif[EXIF_SIZE];
        make_typed_exif(exif, 4, 9, big);
        assert_int_equal(attn_exif_orientation(exif, EXIF_SIZE), 0);
        make_typed_exif(exif, 4, 6, big);
        exif[big ? 18 : 21] = 1; /* 0x01000006 */
        assert_int_equal(attn_exif_orientation(exif, EXIF_SIZE), 0);
    }
}

static void orientation_in_xmp(void **state) {
    (void)state;
    static const struct {
        const char *xmp;
        int orientation;
    } cases[] = {
        {"<rdf:Description tiff:Orientation=\"6\" x='1'/>", 6},
        {"<rdf:Description tiff:Orientation = '8'/>", 8},
        {"<tiff:Orientation>3</tiff:Orientation>", 3},
        {"<tiff:Orientation>\n  3\n</tiff:Orientation>", 3},
        {"tiff:Orientation=\"6", 6},
        {"<tiff:Orientation>16</tiff:Orientation>", 0},
        {"<tiff:Orientation>9</tiff:Orientation>", 0},
        {"<tiff:Orientation>0</tiff:Orientation>", 0},
        {"tiff:Orientation6", 0},
        {"tiff:Orientation=\"", 0},
        {"tiff:Orientation", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].xmp);
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, cases[i].xmp, length); /* without its end, for the sanitizers */
        uint8_t *bytes = malloc(length > 0 ? length : 1);
        memcpy(bytes, copy, length);
        assert_int_equal(attn_xmp_orientation(bytes, length), cases[i].orientation);
        free(bytes);
        free(copy);
    }
}

/* A PNG and a JPEG of 3 x 2 grey pixels: EXIF is believed where it says something, else XMP. */
static void exif_before_xmp(void **state) {
    (void)state;
    static const struct {
        int exif; /* -1: none; 0: without sense */
        const char *xmp;
        bool turned;
    } cases[] = {
        {6, NULL, true},
        {-1, "<x tiff:Orientation='6'/>", true},
        {0, "<x tiff:Orientation='6'/>", true},
        {1, "<x tiff:Orientation='6'/>", false},
        {5, "<x tiff:Orientation='1'/>", true},
        {-1, "<x/>", false},
    };
    uint8_t rows[6] = {0}, exif[EXIF_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_picture picture;
        make_typed_exif(exif, 4, cases[i].exif, 1);
        png_kind png = {.width = 3, .height = 2, .type = PNG_COLOR_TYPE_GRAY, .depth = 8};
        jpeg_kind jpeg = {.width = 3,
                          .height = 2,
                          .in = JCS_GRAYSCALE,
                          .stored = JCS_GRAYSCALE,
                          .components = 1,
                          .xmp = cases[i].xmp};
        if (cases[i].exif >= 0) {
            png.exif = jpeg.exif = exif;
            png.exif_size = jpeg.exif_size = EXIF_SIZE;
        }
        file_bytes files[2] = {make_png(&png, rows), make_jpeg(&jpeg, rows)};
        if (cases[i].xmp != NULL) {
            file_bytes text = {NULL, 0};
            bytes_add(&text, "XML:com.adobe.xmp\0\0\0\0", 22);
            bytes_add(&text, cases[i].xmp, strlen(cases[i].xmp));
            png_insert(&files[0], files[0].size - PNG_END_SIZE, "iTXt", text.data, text.size);
            bytes_free(&text);
        }
        for (int f = 0; f < 2; f++) {
            assert_int_equal(parse(&files[f], &picture, NULL), ATTN_OK);
            assert_int_equal(picture.width, cases[i].turned ? 2 : 3);
            attn_picture_free(&picture);
            bytes_free(&files[f]);
        }
    }
}

static void expect_refusal(const file_bytes *file, attn_status status, const char *what) {
    attn_picture picture;
    attn_error error = {0};
    assert_int_equal(parse(file, &picture, &error), status);
    assert_null(picture.rgb);
    assert_string_equal(error.where, "test");
    assert_true(error.hint[0] != '\0');
    if (strstr(error.what, what) == NULL) {
        fail_msg("'%s' does not say '%s'", error.what, what);
    }
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

static size_t find(const file_bytes *file, const char *pattern, size_t length) {
    for (size_t i = 0; i + length <= file->size; i++) {
        if (memcmp(file->data + i, pattern, length) == 0) {
            return i;
        }
    }
    abort();
}

/* Sets height and width in the frame header of a JPEG. */
static void jpeg_resize(file_bytes *file, const char *frame, int width, int height) {
    uint8_t *at = file->data + find(file, frame, 2) + 5;
    at[0] = (uint8_t)(height >> 8);
    at[1] = (uint8_t)height;
    at[2] = (uint8_t)(width >> 8);
    at[3] = (uint8_t)width;
}

static void png_resize(file_bytes *file, uint32_t width, uint32_t height) {
    put32(file->data + 16, width);
    put32(file->data + 20, height);
    put32(file->data + 29, png_checksum(file->data + 12, 17));
}

static void bombs_are_refused_first(void **state) {
    (void)state;
    file_bytes png = ramp_png(1), jpeg = ramp_jpeg(JCS_YCbCr, 0), many = ramp_jpeg(JCS_YCbCr, 1);
    attn_picture picture;
    attn_error error;
    png_resize(&png, 60000, 60000);
    jpeg_resize(&jpeg, "\xff\xc0", 60000, 60000);
    jpeg_resize(&many, "\xff\xc2", 60000, 60000);
    attn_set_allocator(count_allocate, count_release, NULL);
    largest_request = 0;
    expect_refusal(&png, ATTN_ERR_FORMAT, "60000 x 60000 pixels; at most 100000000");
    expect_refusal(&jpeg, ATTN_ERR_FORMAT, "60000 x 60000 pixels");
    expect_refusal(&many, ATTN_ERR_FORMAT, "60000 x 60000 pixels");
    png_resize(&png, 0x7fffffff, 0x7fffffff);
    expect_refusal(&png, ATTN_ERR_FORMAT, "pixels");
    assert_in_range(largest_request, 0, 1 << 16);
    attn_set_allocator(NULL, NULL, NULL);
    /* The limit is the caller's: as many pixels as allowed, and one fewer. */
    png_resize(&png, WIDTH, HEIGHT);
    assert_int_equal(attn_picture_parse(png.data, png.size, "test", ATTN_PICTURES_ALL,
                                        WIDTH * HEIGHT, &picture, NULL),
                     ATTN_OK);
    attn_picture_free(&picture);
    assert_int_equal(attn_picture_parse(png.data, png.size, "test", ATTN_PICTURES_ALL,
                                        WIDTH * HEIGHT - 1, &picture, &error),
                     ATTN_ERR_FORMAT);
    bytes_free(&png);
    bytes_free(&jpeg);
    bytes_free(&many);
}

/* A thousandth of the bytes in the file; libpng would keep them all. */
static void packed_texts_stay_packed(void **state) {
    (void)state;
    enum { COUNT = 60, TEXT = 7 << 20, PACKED = 1 << 16, KEY = 5 };
    struct rusage before, after;
    file_bytes png = ramp_png(0);
    uint8_t *text = calloc(1, TEXT), packed[PACKED] = "key\0"; /* a method of packing follows, 0 */
    uLongf size = PACKED - KEY;
    assert_int_equal(compress(packed + KEY, &size, text, TEXT), Z_OK);
    free(text);
    for (int i = 0; i < COUNT; i++) {
        png_insert(&png, PNG_AFTER_HEADER, "zTXt", packed, KEY + size);
    }
    uint8_t rgb[WIDTH * HEIGHT * 3];
    fill_ramp(rgb, WIDTH, HEIGHT);
    getrusage(RUSAGE_SELF, &before);
    expect_pixels(png, WIDTH, HEIGHT, rgb);
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 100 << 10); /* KiB; 420 MiB are packed */
}

static void no_pixels(void **state) {
    (void)state;
    file_bytes png = ramp_png(0), jpeg = ramp_jpeg(JCS_YCbCr, 0);
    png_resize(&png, 0, HEIGHT);
    expect_refusal(&png, ATTN_ERR_FORMAT, "no pixels (0 x 17)");
    png_resize(&png, WIDTH, 0);
    expect_refusal(&png, ATTN_ERR_FORMAT, "no pixels (23 x 0)");
    jpeg_resize(&jpeg, "\xff\xc0", 0, HEIGHT);
    expect_refusal(&jpeg, ATTN_ERR_FORMAT, "no pixels");
    jpeg_resize(&jpeg, "\xff\xc0", WIDTH, 0);
    expect_refusal(&jpeg, ATTN_ERR_FORMAT, "no pixels");
    bytes_free(&png);
    bytes_free(&jpeg);
}

static void every_cut_is_noticed(void **state) {
    (void)state;
    file_bytes files[4] = {ramp_png(0), ramp_png(1), ramp_jpeg(JCS_YCbCr, 0),
                           ramp_jpeg(JCS_YCbCr, 1)};
    for (int i = 0; i < 4; i++) {
        for (size_t size = 0; size < files[i].size; size++) {
            file_bytes cut = {NULL, 0};
            bytes_add(&cut, files[i].data, size);
            expect_refusal(&cut, ATTN_ERR_FORMAT, "");
            bytes_free(&cut);
        }
        bytes_free(&files[i]);
    }
}

/* A changed byte is an error or another picture, never a crash; between the checksums of a PNG it
 * is an error. */
static void every_changed_byte(void **state) {
    (void)state;
    file_bytes files[3] = {ramp_png(0), ramp_jpeg(JCS_YCbCr, 0), ramp_jpeg(JCS_YCbCr, 1)};
    for (int i = 0; i < 3; i++) {
        for (size_t at = 0; at < files[i].size; at++) {
            attn_picture picture;
            attn_error error;
            uint8_t old = files[i].data[at];
            files[i].data[at] ^= (uint8_t)(1 + at % 255);
            attn_status status = parse(&files[i], &picture, &error);
            assert_true(status == ATTN_OK || i == 0 || error.where[0] != '\0');
            assert_true(i != 0 || status == ATTN_ERR_FORMAT);
            attn_picture_free(&picture);
            files[i].data[at] = old;
        }
        bytes_free(&files[i]);
    }
}

static void a_file_of_many_scans(void **state) {
    (void)state;
    file_bytes jpeg = ramp_jpeg(JCS_YCbCr, 1), bomb = {NULL, 0};
    size_t scan = find(&jpeg, "\xff\xda", 2), next = scan + 2;
    while (!(jpeg.data[next] == 0xff && jpeg.data[next + 1] != 0)) {
        next++;
    }
    bytes_add(&bomb, jpeg.data, scan);
    for (int i = 0; i < 600; i++) {
        bytes_add(&bomb, jpeg.data + scan, next - scan);
    }
    bytes_add(&bomb, "\xff\xd9", 2);
    expect_refusal(&bomb, ATTN_ERR_FORMAT, "damaged JPEG");
    bytes_free(&jpeg);
    bytes_free(&bomb);
}

static void other_files(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } cases[] = {
        {"", 0, "empty"},
        {"GIF89a", 6, "GIF"},
        {"RIFF\1\2\3\4WEBPVP8 ", 16, "the WebP is cut short"},
        {"\0\0\0\x1c"
         "ftypavif",
         12, "AVIF"},
        {"%PDF-1.7", 8, "PDF"},
        {"hello", 5, "not a PNG, JPEG, TIFF or WebP file"},
        {"\x89PNG\r\n\x1a\n", 8, "cut short"},
        {"\xff\xd8\xff", 3, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file_bytes file = {(uint8_t *)(uintptr_t)cases[i].bytes, cases[i].size};
        expect_refusal(&file, ATTN_ERR_FORMAT, cases[i].what);
    }
    attn_picture picture;
    attn_error error;
    assert_int_equal(attn_picture_read("/nonexistent/a.png", 0, &picture, &error), ATTN_ERR_IO);
    assert_string_equal(error.where, "/nonexistent/a.png");
    assert_int_equal(attn_picture_read("/tmp", 0, &picture, &error), ATTN_ERR_IO);
    assert_null(picture.rgb);
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
        cmocka_unit_test(every_type_of_png),
        cmocka_unit_test(odd_sizes_and_interlacing),
        cmocka_unit_test(animated_png),
        cmocka_unit_test(every_kind_of_jpeg),
        cmocka_unit_test(four_colours),
        cmocka_unit_test(orientation_is_honoured),
        cmocka_unit_test(orientation_in_text),
        cmocka_unit_test(orientation_of_a_jpeg),
        cmocka_unit_test(exif_from_strangers),
        cmocka_unit_test(exif_of_any_type),
        cmocka_unit_test(orientation_in_xmp),
        cmocka_unit_test(exif_before_xmp),
        cmocka_unit_test(bombs_are_refused_first),
        cmocka_unit_test(packed_texts_stay_packed),
        cmocka_unit_test(no_pixels),
        cmocka_unit_test_setup_teardown(every_cut_is_noticed, capture, release),
        cmocka_unit_test_setup_teardown(every_changed_byte, capture, release),
        cmocka_unit_test_setup_teardown(a_file_of_many_scans, capture, release),
        cmocka_unit_test(other_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

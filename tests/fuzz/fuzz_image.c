/* Any bytes as a picture, a mask, a classes file or EXIF data: refused with a message, or read into
 * pixels and labels that are all there and all allowed. Built with clang -fsanitize=fuzzer, or with
 * replay.c to run over the kept corpus. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/decode.h"
#include "image/exif.h"
#include "image/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PIXELS = 1 << 18 };

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void check_failure(attn_status status, const attn_error *error) {
    char message[1200];
    require(status == error->status && error->what[0] != '\0' && error->hint[0] != '\0');
    require(status == ATTN_ERR_FORMAT || status == ATTN_ERR_UNSUPPORTED);
    attn_error_format(error, message, sizeof message);
}

static void read_picture(const uint8_t *data, size_t size) {
    attn_picture picture;
    attn_error error = {0};
    attn_status status =
        attn_picture_parse(data, size, "fuzz", ATTN_PICTURES_ALL, MAX_PIXELS, &picture, &error);
    if (status != ATTN_OK) {
        require(picture.rgb == NULL);
        check_failure(status, &error);
        return;
    }
    require(picture.width >= 1 && picture.height >= 1 &&
            picture.width <= MAX_PIXELS / picture.height);
    volatile uint8_t sum = 0;
    for (int64_t i = 0; i < picture.width * picture.height * 3; i++) {
        sum = (uint8_t)(sum + picture.rgb[i]);
    }
    attn_picture_free(&picture);
}

static void read_mask(const uint8_t *data, size_t size, bool colors, int first) {
    static const char text[] = "0 black 0 0 0\n1 red 255 0 0\n2 white 255 255 255\n";
    static attn_classes classes;
    if (classes.count == 0) {
        require(attn_classes_parse(text, sizeof text - 1, "", 255, &classes, NULL) == ATTN_OK);
    }
    attn_mask_options options = {colors, MAX_PIXELS, first};
    attn_mask mask;
    attn_error error = {0};
    attn_status status = attn_mask_parse(data, size, "fuzz", &classes, &options, &mask, &error);
    if (status != ATTN_OK) {
        require(mask.label == NULL);
        check_failure(status, &error);
        return;
    }
    for (int64_t i = 0; i < mask.width * mask.height; i++) {
        require(mask.label[i] < 3 || mask.label[i] == 255);
    }
    attn_mask_free(&mask);
}

/* What is accepted can be printed and read again. */
static void read_classes(const uint8_t *data, size_t size) {
    attn_classes classes, again;
    attn_error error = {0};
    attn_status status =
        attn_classes_parse((const char *)data, size, "fuzz", 255, &classes, &error);
    if (status != ATTN_OK) {
        check_failure(status, &error);
        return;
    }
    require(classes.count >= 1 && classes.count <= 255);
    char *text = attn_classes_print(&classes);
    require(text != NULL);
    require(attn_classes_parse(text, strlen(text), "", 255, &again, NULL) == ATTN_OK);
    require(memcmp(&classes, &again, sizeof classes) == 0);
    attn_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_picture(data, size);
    read_mask(data, size, false, 0);
    read_mask(data, size, false, 1);
    read_mask(data, size, true, 0);
    read_classes(data, size);
    int orientation = attn_exif_orientation(data, size);
    require(orientation >= 0 && orientation <= 8);
    orientation = attn_xmp_orientation(data, size);
    require(orientation >= 0 && orientation <= 8);
    return 0;
}

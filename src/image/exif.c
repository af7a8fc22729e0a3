/* image/exif.c: the orientation in EXIF data and in XMP, and turning a picture by it.
 *
 * EXIF is a TIFF file: a byte order, the offset of a directory, entries of 12 bytes. Only the first
 * directory is looked at; every offset comes from outside. */
#include "image/exif.h"

#include <stdbool.h>
#include <string.h>

enum { ORIENTATION_TAG = 0x0112, ENTRY_SIZE = 12, NONE = 0 };

typedef struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
} tiff;

static uint32_t get16(const tiff *t, size_t at) {
    uint32_t a = t->bytes[at], b = t->bytes[at + 1];
    return t->big_endian ? a << 8 | b : b << 8 | a;
}

static uint32_t get32(const tiff *t, size_t at) {
    uint32_t a = get16(t, at), b = get16(t, at + 2);
    return t->big_endian ? a << 16 | b : b << 16 | a;
}

/* The value of an entry of one whole number of any size; 0 for others. */
static uint32_t whole_number(const tiff *t, size_t entry) {
    enum { BYTE = 1, SHORT = 3, LONG = 4, SIGNED_BYTE = 6, SIGNED_SHORT = 8, SIGNED_LONG = 9 };
    if (get32(t, entry + 4) != 1) {
        return 0;
    }
    switch (get16(t, entry + 2)) {
    case BYTE:
    case SIGNED_BYTE:
        return t->bytes[entry + 8];
    case SHORT:
    case SIGNED_SHORT:
        return get16(t, entry + 8);
    case LONG:
    case SIGNED_LONG:
        return get32(t, entry + 8);
    default:
        return 0;
    }
}

int attn_exif_orientation(const uint8_t *bytes, size_t size) {
    static const char prefix[6] = "Exif\0";
    if (size >= sizeof prefix && memcmp(bytes, prefix, sizeof prefix) == 0) {
        bytes += sizeof prefix;
        size -= sizeof prefix;
    }
    if (size < 8 || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0)) {
        return NONE;
    }
    tiff t = {bytes, size, bytes[0] == 'M'};
    size_t at = get32(&t, 4);
    if (get16(&t, 2) != 42 || at > size - 2) {
        return NONE;
    }
    size_t count = get16(&t, at);
    at += 2;
    for (size_t i = 0; i < count && size - at >= ENTRY_SIZE; i++, at += ENTRY_SIZE) {
        if (get16(&t, at) == ORIENTATION_TAG) {
            uint32_t value = whole_number(&t, at);
            return value <= 8 ? (int)value : NONE;
        }
    }
    return NONE;
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int attn_exif_text_orientation(const uint8_t *text, size_t size) {
    uint8_t exif[8192];
    size_t at = 0, digits = 0;
    for (int line = 0; line < 3 && at < size; at++) { /* an empty one, the name, the length */
        line += text[at] == '\n';
    }
    for (; at < size && digits < 2 * sizeof exif; at++) {
        int digit = hex_digit(text[at]);
        if (digit >= 0) {
            exif[digits / 2] = (uint8_t)(digits % 2 == 0 ? digit << 4 : exif[digits / 2] | digit);
            digits++;
        } else if (text[at] != '\n') {
            return NONE;
        }
    }
    return attn_exif_orientation(exif, digits / 2);
}

/* No more of XML than this is needed: blanks, = and a quote, or the end of the start tag. */
static bool is_between(uint8_t c) {
    return c != '\0' && strchr(" \t\r\n=\"'>", c) != NULL;
}

int attn_xmp_orientation(const uint8_t *bytes, size_t size) {
    static const char name[] = "tiff:Orientation";
    enum { LENGTH = sizeof name - 1 };
    for (size_t i = 0; i + LENGTH < size; i++) {
        if (bytes[i] != 't' || memcmp(bytes + i, name, LENGTH) != 0) {
            continue;
        }
        size_t at = i + LENGTH;
        while (at < size && is_between(bytes[at])) {
            at++;
        }
        bool digit = at > i + LENGTH && at < size && bytes[at] >= '1' && bytes[at] <= '8';
        bool alone = at + 1 >= size || bytes[at + 1] < '0' || bytes[at + 1] > '9';
        if (digit && alone) {
            return bytes[at] - '0';
        }
    }
    return NONE;
}

/* Pixel (x, y) of the upright picture is pixel *from of the stored one, W x H. */
static int64_t stored_at(int orientation, int64_t width, int64_t height, int64_t x, int64_t y) {
    switch (orientation) {
    case 2:
        return y * width + (width - 1 - x);
    case 3:
        return (height - 1 - y) * width + (width - 1 - x);
    case 4:
        return (height - 1 - y) * width + x;
    case 5:
        return x * width + y;
    case 6:
        return (height - 1 - x) * width + y;
    case 7:
        return (height - 1 - x) * width + (width - 1 - y);
    case 8:
        return x * width + (width - 1 - y);
    default:
        return y * width + x;
    }
}

/* from: stored, W x H, `size` bytes a pixel; to: upright. */
static void turn(const uint8_t *from, int64_t width, int64_t height, int orientation, int size,
                 uint8_t *to) {
    int64_t columns = orientation < 5 ? width : height, rows = orientation < 5 ? height : width;
    for (int64_t y = 0; y < rows; y++) {
        for (int64_t x = 0; x < columns; x++, to += size) {
            const uint8_t *pixel = from + stored_at(orientation, width, height, x, y) * size;
            memcpy(to, pixel, (size_t)size);
        }
    }
}

attn_status attn_picture_orient(attn_picture *picture, int orientation, attn_error *error) {
    if (orientation < 2 || orientation > 8) {
        return ATTN_OK;
    }
    int64_t width = picture->width, height = picture->height;
    attn_picture upright;
    attn_status status = attn_picture_create(orientation < 5 ? width : height,
                                             orientation < 5 ? height : width, &upright, error);
    if (status == ATTN_OK) {
        turn(picture->rgb, width, height, orientation, 3, upright.rgb);
        attn_picture_free(picture);
        *picture = upright;
    }
    return status;
}

attn_status attn_mask_orient(attn_mask *mask, int orientation, attn_error *error) {
    if (orientation < 2 || orientation > 8) {
        return ATTN_OK;
    }
    int64_t width = mask->width, height = mask->height;
    attn_mask upright;
    attn_status status = attn_mask_create(orientation < 5 ? width : height,
                                          orientation < 5 ? height : width, &upright, error);
    if (status == ATTN_OK) {
        turn(mask->label, width, height, orientation, 1, upright.label);
        attn_mask_free(mask);
        *mask = upright;
    }
    return status;
}

/* image/encode.c: PNG through libpng, and the header of .npy.
 *
 * A file is built in memory first, so that a failure leaves nothing half written. */
#include "image/encode.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/file.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "float data is written as it lies in memory: this processor would need a conversion"
#endif

/* ---- PNG ---- */

typedef struct writer {
    png_structp png;
    png_infop info;
    char *bytes;
    size_t size, room;
    attn_status status;
    attn_error *error;
} writer;

static void on_error(png_structp png, png_const_charp message) {
    writer *w = png_get_error_ptr(png);
    w->status =
        attn_fail(w->error, ATTN_ERR_UNSUPPORTED, "PNG", -1, NULL, "cannot encode: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep data, size_t length) {
    writer *w = png_get_io_ptr(png);
    if (length > w->room - w->size) {
        size_t room = 2 * w->room + length;
        char *grown = attn_alloc(room);
        if (grown == NULL) {
            w->status = attn_fail_memory(w->error, room);
            png_longjmp(png, 1);
        }
        if (w->size > 0) {
            memcpy(grown, w->bytes, w->size);
        }
        attn_free(w->bytes);
        w->bytes = grown;
        w->room = room;
    }
    memcpy(w->bytes + w->size, data, length);
    w->size += length;
}

static void on_flush(png_structp png) {
    (void)png;
}

/* What to write: a palette makes it one byte a pixel, none three. */
typedef struct content {
    const uint8_t *pixels;
    int64_t width, height;
    const png_color *palette;
    int colors;
    const char *made_by; /* NULL: not said */
} content;

static attn_status encode(writer *w, const content *c) {
    if (setjmp(png_jmpbuf(w->png)) != 0) {
        return w->status;
    }
    png_set_write_fn(w->png, w, on_write, on_flush);
    png_set_user_limits(w->png, 0x7fffffff, 0x7fffffff);
    png_set_IHDR(w->png, w->info, (png_uint_32)c->width, (png_uint_32)c->height, 8,
                 c->palette != NULL ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (c->palette != NULL) {
        png_set_PLTE(w->png, w->info, c->palette, c->colors);
    }
    if (c->made_by != NULL) {
        char key[] = "Software", text[64];
        snprintf(text, sizeof text, "%s", c->made_by);
        png_text chunk = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = key, .text = text};
        png_set_text(w->png, w->info, &chunk, 1);
    }
    png_write_info(w->png, w->info);
    int64_t stride = c->width * (c->palette != NULL ? 1 : 3);
    for (int64_t y = 0; y < c->height; y++) {
        png_write_row(w->png, c->pixels + y * stride);
    }
    png_write_end(w->png, w->info);
    return ATTN_OK;
}

/* name goes into errors. */
static attn_status encode_png(const char *name, const content *c, char **bytes, size_t *size,
                              attn_error *error) {
    writer w = {.error = error};
    attn_status status;
    *bytes = NULL;
    if (c->width > 0x7fffffff || c->height > 0x7fffffff) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, name, -1, NULL,
                         "a PNG cannot be %lld x %lld pixels large", (long long)c->width,
                         (long long)c->height);
    }
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
    w.info = w.png != NULL ? png_create_info_struct(w.png) : NULL;
    status = w.info != NULL ? encode(&w, c) : attn_fail_memory(error, sizeof w);
    png_destroy_write_struct(&w.png, &w.info);
    if (status != ATTN_OK) {
        attn_free(w.bytes);
        return status;
    }
    *bytes = w.bytes;
    *size = w.size;
    return ATTN_OK;
}

static attn_status write_bytes(const char *path, char *bytes, size_t size, attn_error *error) {
    attn_bytes piece = {bytes, size};
    attn_status status = attn_file_replace(path, &piece, 1, error);
    attn_free(bytes);
    return status;
}

attn_status attn_picture_write(const char *path, const attn_picture *picture, const char *made_by,
                               attn_error *error) {
    content c = {picture->rgb, picture->width, picture->height, NULL, 0, made_by};
    char *bytes;
    size_t size = 0;
    attn_status status = encode_png(path, &c, &bytes, &size, error);
    return status == ATTN_OK ? write_bytes(path, bytes, size, error) : status;
}

static attn_status encode_mask(const char *name, const attn_mask *mask, const attn_classes *classes,
                               const char *made_by, char **bytes, size_t *size, attn_error *error) {
    png_color palette[256];
    int colors = classes->count; /* a palette must reach to the largest index */
    for (int value = 0; value < 256; value++) {
        const uint8_t *color = attn_classes_at(classes, value)->color;
        palette[value] = (png_color){color[0], color[1], color[2]};
    }
    for (int64_t i = 0; i < mask->width * mask->height; i++) {
        colors = mask->label[i] >= colors ? mask->label[i] + 1 : colors;
    }
    content c = {mask->label, mask->width, mask->height, palette, colors, made_by};
    return encode_png(name, &c, bytes, size, error);
}

attn_status attn_mask_encode(const attn_mask *mask, const attn_classes *classes,
                             const char *made_by, char **bytes, size_t *size, attn_error *error) {
    return encode_mask("PNG", mask, classes, made_by, bytes, size, error);
}

attn_status attn_mask_write(const char *path, const attn_mask *mask, const attn_classes *classes,
                            const char *made_by, attn_error *error) {
    char *bytes;
    size_t size = 0;
    attn_status status = encode_mask(path, mask, classes, made_by, &bytes, &size, error);
    return status == ATTN_OK ? write_bytes(path, bytes, size, error) : status;
}

attn_status attn_mask_color(const attn_mask *mask, const attn_classes *classes, attn_picture *out,
                            attn_error *error) {
    attn_status status = attn_picture_create(mask->width, mask->height, out, error);
    for (int64_t i = 0; status == ATTN_OK && i < mask->width * mask->height; i++) {
        memcpy(out->rgb + 3 * i, attn_classes_at(classes, mask->label[i])->color, 3);
    }
    return status;
}

/* ---- whose a file is ---- */

/* The chunks before the pixels, each length, type, content and checksum. */
bool attn_picture_is_made_by(const char *path, const char *made_by) {
    enum { SIGNATURE = 8, HEAD = 8, CHECKSUM = 4 };
    unsigned char bytes[4096];
    char wanted[80];
    size_t length = (size_t)snprintf(wanted, sizeof wanted, "Software%c%s", '\0', made_by);
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    for (size_t at = SIGNATURE; at + HEAD <= size && png_sig_cmp(bytes, 0, SIGNATURE) == 0;) {
        size_t inside = png_get_uint_32(bytes + at), left = size - at - HEAD;
        if (memcmp(bytes + at + 4, "tEXt", 4) == 0 && inside == length && inside <= left &&
            memcmp(bytes + at + HEAD, wanted, length) == 0) {
            return true;
        }
        if (memcmp(bytes + at + 4, "IDAT", 4) == 0 || inside > left || left - inside < CHECKSUM) {
            return false;
        }
        at += HEAD + inside + CHECKSUM;
    }
    return false;
}

/* ---- .npy ---- */

attn_status attn_npy_write(const char *path, const float *data, const int64_t *shape, int rank,
                           attn_error *error) {
    enum { START = 10, HEADER = 320, ALIGNMENT = 64 };
    char header[HEADER];
    size_t count = 1;
    int used = START + snprintf(header + START, HEADER - START,
                                "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        used += snprintf(header + used, (size_t)(HEADER - used), "%lld,", (long long)shape[i]);
        count *= (size_t)shape[i];
    }
    used += snprintf(header + used, (size_t)(HEADER - used), "), }");
    /* Spaces and a newline, so that the data begin at a multiple of 64. */
    int size = (used + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    memset(header + used, ' ', (size_t)(size - used));
    header[size - 1] = '\n';
    static const char magic[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
    memcpy(header, magic, sizeof magic);
    header[8] = (char)((size - START) & 0xff);
    header[9] = (char)((size - START) >> 8);
    attn_bytes pieces[2] = {{header, (size_t)size}, {data, count * sizeof *data}};
    return attn_file_replace(path, pieces, 2, error);
}

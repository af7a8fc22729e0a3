/* image/decode_png.c: PNG files through libpng.
 *
 * libpng reports errors by longjmp: everything that must survive one lies in a struct that the
 * function calling setjmp only points to. Nothing is printed. */
#include "image/decode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/exif.h"

enum {
    SIGNATURE = 8,
    HEADER = SIGNATURE + 8 + 8, /* signature, chunk head, width and height */
    CHUNK = 12,                 /* a chunk without its data: length, type, checksum */
    UNPACKED = 8 << 20,         /* bytes that a compressed text or profile may have */
};

typedef struct reader {
    png_structp png;
    png_infop info;
    const attn_encoded *file;
    size_t at;
    uint8_t *pixels; /* [H, W, channels] */
    int64_t width, height;
    int channels;
    int orientation;
    attn_status status;
    attn_error *error;
} reader;

bool attn_is_png(const void *bytes, size_t size) {
    return size >= SIGNATURE && png_sig_cmp(bytes, 0, SIGNATURE) == 0;
}

static attn_status fail_cut(const attn_encoded *file, attn_error *error) {
    return attn_fail(error, ATTN_ERR_FORMAT, file->name, (int64_t)file->size,
                     "fetch or export it again", "the PNG is cut short");
}

static void on_error(png_structp png, png_const_charp message) {
    reader *r = png_get_error_ptr(png);
    r->status =
        attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, (int64_t)r->at,
                  "the file is corrupt: fetch or export it again", "damaged PNG: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep data, size_t length) {
    reader *r = png_get_io_ptr(png);
    if (length > r->file->size - r->at) {
        r->status = fail_cut(r->file, r->error);
        png_longjmp(png, 1);
    }
    memcpy(data, r->file->bytes + r->at, length);
    r->at += length;
}

static int64_t big_endian(const uint8_t *bytes) {
    return (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Before libpng sees anything: the size, which stands at a fixed place, and that no chunk says it
 * is longer than the file, since libpng takes the memory for some chunks at their word. */
static attn_status check_file(const attn_encoded *file, attn_error *error) {
    size_t at = SIGNATURE;
    if (file->size < HEADER) {
        return fail_cut(file, error);
    }
    attn_status status = attn_check_pixels(file, big_endian(file->bytes + SIGNATURE + 8),
                                           big_endian(file->bytes + SIGNATURE + 12), error);
    while (status == ATTN_OK) {
        size_t left = file->size - at;
        if (left < CHUNK || (size_t)big_endian(file->bytes + at) > left - CHUNK) {
            return fail_cut(file, error);
        }
        if (memcmp(file->bytes + at + 4, "IEND", 4) == 0) {
            break;
        }
        at += CHUNK + (size_t)big_endian(file->bytes + at);
    }
    return status;
}

static bool open_reader(reader *r, const attn_encoded *file, attn_error *error) {
    *r = (reader){.file = file, .orientation = 1, .error = error};
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    r->info = r->png != NULL ? png_create_info_struct(r->png) : NULL;
    return r->info != NULL;
}

static void close_reader(reader *r) {
    png_destroy_read_struct(&r->png, &r->info, NULL);
    attn_free(r->pixels);
}

/* Rows of `channels` bytes a pixel, all passes of an interlaced file, and the end of the file,
 * where its EXIF data may be. */
static void read_pixels(reader *r) {
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->channels = png_get_channels(r->png, r->info);
    size_t stride = (size_t)r->width * (size_t)r->channels;
    if (png_get_bit_depth(r->png, r->info) != 8 || png_get_rowbytes(r->png, r->info) != stride) {
        png_error(r->png, "rows of an unexpected size");
    }
    /* The checked size cannot overflow: max_pixels * 4 fits. */
    r->pixels = attn_alloc(stride * (size_t)r->height);
    if (r->pixels == NULL) {
        r->status = attn_fail_memory(r->error, stride * (size_t)r->height);
        png_longjmp(r->png, 1);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < r->height; y++) {
            png_read_row(r->png, r->pixels + (size_t)y * stride, NULL);
        }
    }
    png_read_end(r->png, r->info);
#ifdef PNG_eXIf_SUPPORTED
    png_bytep exif = NULL;
    png_uint_32 exif_size = 0;
    if (png_get_eXIf_1(r->png, r->info, &exif_size, &exif) != 0) {
        r->orientation = attn_exif_orientation(exif, exif_size);
    }
#endif
}

/* Width and height again, as libpng read them: those that memory is taken for. */
static void read_info(reader *r) {
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff); /* checked by ourselves */
    png_set_chunk_malloc_max(r->png, UNPACKED);
    png_read_info(r->png, r->info);
    r->width = png_get_image_width(r->png, r->info);
    r->height = png_get_image_height(r->png, r->info);
    r->status = attn_check_pixels(r->file, r->width, r->height, r->error);
    if (r->status != ATTN_OK) {
        png_longjmp(r->png, 1);
    }
}

static attn_status read_rgb(reader *r) {
    if (setjmp(png_jmpbuf(r->png)) != 0) {
        return r->status;
    }
    read_info(r);
    png_set_scale_16(r->png);
    png_set_expand(r->png);
    png_set_gray_to_rgb(r->png);
    read_pixels(r);
    return ATTN_OK;
}

static attn_status read_indices(reader *r, bool *has_indices) {
    if (setjmp(png_jmpbuf(r->png)) != 0) {
        return r->status;
    }
    read_info(r);
    int type = png_get_color_type(r->png, r->info);
    *has_indices = (type & PNG_COLOR_MASK_COLOR) == 0 || type == PNG_COLOR_TYPE_PALETTE;
    if (*has_indices &&
        (type == PNG_COLOR_TYPE_GRAY_ALPHA || png_get_bit_depth(r->png, r->info) > 8)) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1,
                         "save it with 8 bits a pixel and without transparency", "a grey mask %s",
                         type == PNG_COLOR_TYPE_GRAY ? "of 16 bits" : "with transparency");
    }
    if (*has_indices) {
        png_set_packing(r->png);
        read_pixels(r);
    }
    return ATTN_OK;
}

/* In place: three bytes are written where four were read. */
static void lay_over_white(uint8_t *pixels, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        unsigned alpha = pixels[4 * i + 3];
        for (int c = 0; c < 3; c++) {
            unsigned value = pixels[4 * i + c];
            pixels[3 * i + c] = (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
        }
    }
}

attn_status attn_png_decode(const attn_encoded *file, attn_picture *out, attn_error *error) {
    reader r;
    *out = (attn_picture){0, 0, NULL};
    attn_status status = check_file(file, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = open_reader(&r, file, error) ? read_rgb(&r) : attn_fail_memory(error, sizeof r);
    if (status == ATTN_OK) {
        if (r.channels == 4) {
            lay_over_white(r.pixels, r.width * r.height);
        }
        *out = (attn_picture){r.width, r.height, r.pixels};
        r.pixels = NULL;
        status = attn_picture_orient(out, r.orientation, error);
    }
    if (status != ATTN_OK) {
        attn_picture_free(out);
    }
    close_reader(&r);
    return status;
}

attn_status attn_png_decode_indices(const attn_encoded *file, bool *has_indices, attn_mask *out,
                                    attn_error *error) {
    reader r;
    *out = (attn_mask){0, 0, NULL};
    *has_indices = false;
    attn_status status = check_file(file, error);
    if (status != ATTN_OK) {
        return status;
    }
    status = open_reader(&r, file, error) ? read_indices(&r, has_indices)
                                          : attn_fail_memory(error, sizeof r);
    if (status == ATTN_OK && *has_indices) {
        *out = (attn_mask){r.width, r.height, r.pixels};
        r.pixels = NULL;
        status = attn_mask_orient(out, r.orientation, error);
    }
    if (status != ATTN_OK) {
        attn_mask_free(out);
    }
    close_reader(&r);
    return status;
}

/* image/decode_png.c: PNG files through libpng.
 *
 * libpng reports errors by longjmp: everything that must survive one lies in a struct that the
 * function calling setjmp only points to. Nothing is printed. */
#include "image/decode.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <zlib.h>

#include "base/fail.h"
#include "image/exif.h"

enum {
    SIGNATURE = 8,
    HEADER = SIGNATURE + 8 + 8, /* signature, chunk head, width and height */
    CHUNK = 12,                 /* a chunk without its data: length, type, checksum */
};

typedef struct reader {
    png_structp png;
    png_infop info;
    const attn_encoded *file;
    size_t at;
    attn_raster raster;
    int exif_says, xmp_says; /* the orientation */
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

/* Where the first field of some bytes ends, a zero; `size` where it does not. */
static size_t field_end(const uint8_t *data, size_t size) {
    const uint8_t *zero = memchr(data, 0, size);
    return zero != NULL ? (size_t)(zero - data) : size;
}

/* The beginning of what is packed, whose rest is not unpacked. */
static attn_status note_packed_profile(reader *r, const uint8_t *data, size_t size) {
    uint8_t text[20000]; /* for what attn_exif_text_orientation reads of it */
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data,
                  .avail_in = (uInt)size,
                  .next_out = text,
                  .avail_out = sizeof text};
    if (inflateInit(&z) != Z_OK) {
        return attn_fail_memory(r->error, 0);
    }
    (void)inflate(&z, Z_SYNC_FLUSH);
    r->exif_says = attn_exif_text_orientation(text, sizeof text - z.avail_out);
    inflateEnd(&z);
    return ATTN_OK;
}

/* EXIF as it was written before PNG had a chunk for it. */
static attn_status note_profile(reader *r, const uint8_t *type, size_t length) {
    static const char exif[] = "Raw profile type exif", app1[] = "Raw profile type APP1";
    const uint8_t *data = type + 4;
    bool packed = memcmp(type, "zTXt", 4) == 0, fields = memcmp(type, "iTXt", 4) == 0;
    if (r->exif_says != 0 || (!packed && !fields && memcmp(type, "tEXt", 4) != 0) ||
        length < sizeof exif + 2 ||
        (memcmp(data, exif, sizeof exif) != 0 && memcmp(data, app1, sizeof app1) != 0)) {
        return ATTN_OK;
    }
    size_t at = sizeof exif;
    if (fields) { /* packed or not, how, language and translation */
        packed = data[at] != 0;
        at += 2;
        for (int field = 0; field < 2 && at < length; field++) {
            at += field_end(data + at, length - at) + 1;
        }
    } else if (packed) {
        at++; /* how */
    }
    if (at >= length) {
        return ATTN_OK;
    }
    if (packed) {
        return note_packed_profile(r, data + at, length - at);
    }
    r->exif_says = attn_exif_text_orientation(data + at, length - at);
    return ATTN_OK;
}

/* XMP stands in a text chunk, not compressed: after its keyword come four empty fields. */
static void note_chunk(reader *r, const uint8_t *type, size_t length) {
    static const char xmp[] = "XML:com.adobe.xmp\0\0\0\0"; /* and one more zero */
    const uint8_t *data = type + 4;
    if (memcmp(type, "eXIf", 4) == 0 && r->exif_says == 0) {
        r->exif_says = attn_exif_orientation(data, length);
    } else if (memcmp(type, "iTXt", 4) == 0 && length > sizeof xmp && r->xmp_says == 0 &&
               memcmp(data, xmp, sizeof xmp) == 0) {
        r->xmp_says = attn_xmp_orientation(data + sizeof xmp, length - sizeof xmp);
    }
}

/* Before libpng sees anything: the size, which stands at a fixed place, and that no chunk says it
 * is longer than the file, since libpng takes the memory for some chunks at their word. What says
 * which way is up is read on the way. */
static attn_status check_file(reader *r) {
    const attn_encoded *file = r->file;
    size_t at = SIGNATURE;
    if (file->size < HEADER) {
        return fail_cut(file, r->error);
    }
    attn_status status = attn_check_pixels(file, big_endian(file->bytes + SIGNATURE + 8),
                                           big_endian(file->bytes + SIGNATURE + 12), r->error);
    while (status == ATTN_OK) {
        size_t left = file->size - at;
        if (left < CHUNK || (size_t)big_endian(file->bytes + at) > left - CHUNK) {
            return fail_cut(file, r->error);
        }
        size_t length = (size_t)big_endian(file->bytes + at);
        if (memcmp(file->bytes + at + 4, "IEND", 4) == 0) {
            break;
        }
        note_chunk(r, file->bytes + at + 4, length);
        status = note_profile(r, file->bytes + at + 4, length);
        at += CHUNK + length;
    }
    return status;
}

static bool open_reader(reader *r) {
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
    r->info = r->png != NULL ? png_create_info_struct(r->png) : NULL;
    return r->info != NULL;
}

static void close_reader(reader *r) {
    png_destroy_read_struct(&r->png, &r->info, NULL);
    attn_raster_free(&r->raster);
}

/* All passes of an interlaced file, and its end. */
static void read_pixels(reader *r) {
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    int channels = png_get_channels(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    r->raster.alpha = channels % 2 == 0;
    r->raster.kind = channels > 2 ? ATTN_RASTER_RGB : ATTN_RASTER_GREY;
    r->raster.bytes = depth / 8;
    size_t stride = (size_t)(r->raster.width * channels * r->raster.bytes);
    if (depth % 8 != 0 || png_get_rowbytes(r->png, r->info) != stride) {
        png_error(r->png, "rows of an unexpected size");
    }
    r->status = attn_raster_allocate(&r->raster, r->error);
    if (r->status != ATTN_OK) {
        png_longjmp(r->png, 1);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < r->raster.height; y++) {
            png_read_row(r->png, r->raster.sample + (size_t)y * stride, NULL);
        }
    }
    png_read_end(r->png, r->info);
}

/* Width and height again, as libpng read them: those that memory is taken for. Texts and profiles, which
 * may be compressed a thousandfold, are left out. */
static void read_info(reader *r) {
    static const png_byte unread[] = "eXIf\0iCCP\0iTXt\0sPLT\0tEXt\0zTXt";
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff); /* checked by ourselves */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, unread, sizeof unread / 5);
    png_read_info(r->png, r->info);
    r->raster.width = png_get_image_width(r->png, r->info);
    r->raster.height = png_get_image_height(r->png, r->info);
    r->status = attn_check_pixels(r->file, r->raster.width, r->raster.height, r->error);
    if (r->status != ATTN_OK) {
        png_longjmp(r->png, 1);
    }
}

/* 8-bit grey or RGB, with or without alpha. */
static attn_status read_colors(reader *r) {
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

/* The stored values: grey and numbers of colours neither scaled nor looked up. */
static attn_status read_values(reader *r) {
    const uint16_t one = 1;
    if (setjmp(png_jmpbuf(r->png)) != 0) {
        return r->status;
    }
    read_info(r);
    png_set_packing(r->png);
    if (*(const uint8_t *)&one == 1) {
        png_set_swap(r->png); /* of 16 bits, to the machine's order */
    }
    if (png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_RGB) {
        png_set_tRNS_to_alpha(r->png);
    }
    read_pixels(r);
    return ATTN_OK;
}

attn_status attn_png_decode(const attn_encoded *file, bool exact, attn_raster *out,
                            attn_error *error) {
    reader r = {.file = file, .error = error};
    attn_status status = check_file(&r);
    if (status == ATTN_OK) {
        status = !open_reader(&r) ? attn_fail_memory(error, sizeof r)
                 : exact          ? read_values(&r)
                                  : read_colors(&r);
    }
    *out = r.raster;
    out->orientation = r.exif_says != 0 ? r.exif_says : r.xmp_says;
    r.raster.sample = status == ATTN_OK ? NULL : r.raster.sample;
    out->sample = status == ATTN_OK ? out->sample : NULL;
    close_reader(&r);
    return status;
}

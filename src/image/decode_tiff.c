/* image/decode_tiff.c: TIFF files through libtiff; of several pictures the first.
 *
 * TIFF is many formats in one: read are whole numbers of up to 16 bits and of 32, and floats from 0 to 1, as
 * grey, palette, RGB, CMYK or CIELab, in strips or tiles, beside each other or in planes, packed by the common methods, each of which needs
 * little memory beside the picture. The rest is refused by name. libtiff reads from the bytes in
 * memory, and tells what is wrong to a handler that the process has once; it prints nothing. */
#include "image/decode.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "base/fail.h"
#include "base/math.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/narrow.h"
#include "base/utf8.h"
#include "image/exif.h"

enum { MAX_SAMPLES = 1024, LEAST_TILE = 1 << 20 };

typedef struct reader {
    TIFF *tiff;
    const attn_encoded *file;
    uint64_t at;
    char message[200]; /* the first that libtiff reported */
    bool exact;        /* samples as stored, for masks; else scaled to 8 bits */
    bool floats;       /* samples are floats */
    bool too_large;    /* a sample of a mask */
    uint16_t bits, samples, photometric, planes, compression;
    int64_t tile_width, tile_height; /* 0: strips */
    attn_raster raster;
    attn_error *error;
} reader;

bool attn_is_tiff(const void *bytes, size_t size) {
    static const char magic[4][5] = {"II*\0", "MM\0*", "II+\0",
                                     "MM\0+"}; /* the last two: BigTIFF */
    for (int i = 0; i < 4; i++) {
        if (size >= 4 && memcmp(bytes, magic[i], 4) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what libtiff calls ---- */

static void note(reader *r, const char *format, va_list values) {
    if (r != NULL && r->message[0] == '\0') {
        char message[sizeof r->message];
        vsnprintf(message, sizeof message, format, values);
        attn_utf8_quote(r->message, sizeof r->message, message);
    }
}

static void on_error(thandle_t context, const char *module, const char *format, va_list values) {
    (void)module;
    note(context, format, values);
}

/* Of unknown tags and the like; but libjpeg only warns of damage, which it fills with grey. */
static void on_warning(thandle_t context, const char *module, const char *format, va_list values) {
    if (module != NULL && strcmp(module, "JPEGLib") == 0) {
        note(context, format, values);
    }
}

static void set_handlers(void) {
    TIFFSetErrorHandler(NULL);
    TIFFSetErrorHandlerExt(on_error);
    TIFFSetWarningHandler(NULL);
    TIFFSetWarningHandlerExt(on_warning);
}

static tmsize_t on_read(thandle_t context, void *to, tmsize_t count) {
    reader *r = context;
    uint64_t left = r->at < r->file->size ? r->file->size - r->at : 0;
    size_t length = (uint64_t)count < left ? (size_t)count : (size_t)left;
    if (length > 0) {
        memcpy(to, r->file->bytes + r->at, length);
    }
    r->at += length;
    return (tmsize_t)length;
}

static tmsize_t on_write(thandle_t context, void *from, tmsize_t count) {
    (void)context;
    (void)from;
    (void)count;
    return -1;
}

static toff_t on_seek(thandle_t context, toff_t offset, int whence) {
    reader *r = context;
    r->at = whence == SEEK_CUR   ? r->at + offset
            : whence == SEEK_END ? r->file->size + offset
                                 : offset;
    return r->at;
}

static int on_close(thandle_t context) {
    (void)context;
    return 0;
}

static toff_t on_size(thandle_t context) {
    return ((reader *)context)->file->size;
}

/* libtiff only reads what is mapped. */
static int on_map(thandle_t context, void **base, toff_t *size) {
    const reader *r = context;
    *base = (void *)(uintptr_t)r->file->bytes;
    *size = r->file->size;
    return 1;
}

static void on_unmap(thandle_t context, void *base, toff_t size) {
    (void)context;
    (void)base;
    (void)size;
}

/* ---- what the file says of itself ---- */

static attn_status fail_tiff(const reader *r) {
    return attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1,
                     "the file is corrupt: fetch or export it again", "damaged TIFF: %s",
                     r->message[0] != '\0' ? r->message : "its parts do not fit");
}

static attn_status fail_kind(const reader *r, const char *what, int number) {
    return attn_fail(r->error, ATTN_ERR_UNSUPPORTED, r->file->name, -1,
                     "convert it to PNG, or to a TIFF of 8 or 16 bits in grey or RGB",
                     "this kind of TIFF cannot be read: %s %d", what, number);
}

static bool known_compression(uint16_t compression) {
    static const uint16_t known[] = {
        COMPRESSION_NONE,      COMPRESSION_CCITTRLE,      COMPRESSION_CCITTFAX3,
        COMPRESSION_CCITTFAX4, COMPRESSION_LZW,           COMPRESSION_JPEG,
        COMPRESSION_DEFLATE,   COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS,
        COMPRESSION_LZMA,      COMPRESSION_ZSTD};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i] == compression) {
            return TIFFIsCODECConfigured(compression) != 0;
        }
    }
    return false;
}

static bool is_lab(const reader *r) {
    return r->photometric == PHOTOMETRIC_CIELAB || r->photometric == PHOTOMETRIC_ICCLAB;
}

static attn_status read_kind(reader *r) {
    uint16_t inks = INKSET_CMYK;
    switch (r->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
        r->raster.kind = ATTN_RASTER_GREY;
        return ATTN_OK;
    case PHOTOMETRIC_PALETTE:
        r->raster.kind = ATTN_RASTER_PALETTE;
        return r->bits <= 8 ? ATTN_OK : fail_kind(r, "a palette with bits", r->bits);
    case PHOTOMETRIC_RGB:
        r->raster.kind = ATTN_RASTER_RGB;
        return ATTN_OK;
    case PHOTOMETRIC_SEPARATED:
        (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_INKSET, &inks);
        r->raster.kind = ATTN_RASTER_CMYK;
        return inks == INKSET_CMYK ? ATTN_OK : fail_kind(r, "the set of inks", inks);
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
        r->raster.kind = ATTN_RASTER_RGB;
        if (r->floats || r->samples < 3 || (r->planes == PLANARCONFIG_SEPARATE) ||
            (r->bits != 8 && r->bits != 16)) {
            return fail_kind(r, "CIELab in planes, or with bits", r->bits);
        }
        return ATTN_OK;
    case PHOTOMETRIC_YCBCR:
        r->raster.kind = ATTN_RASTER_RGB;
        return r->compression == COMPRESSION_JPEG &&
                       TIFFSetField(r->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) == 1
                   ? ATTN_OK
                   : fail_kind(r, "YCbCr with compression", r->compression);
    default:
        return fail_kind(r, "the photometric interpretation", r->photometric);
    }
}

/* Only what is called alpha is: other further channels are left out. */
static attn_status read_alpha(reader *r) {
    uint16_t extra = 0, *type = NULL;
    int colors = attn_raster_channels(&r->raster);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_EXTRASAMPLES, &extra, &type);
    if (colors > r->samples) {
        return fail_tiff(r);
    }
    if (extra > 0 && r->samples > colors &&
        (type[0] == EXTRASAMPLE_ASSOCALPHA || type[0] == EXTRASAMPLE_UNASSALPHA)) {
        r->raster.alpha = true;
        r->raster.premultiplied = type[0] == EXTRASAMPLE_ASSOCALPHA;
    }
    return ATTN_OK;
}

static attn_status read_palette(reader *r) {
    uint16_t *channel[3];
    bool deep = false;
    if (r->raster.kind != ATTN_RASTER_PALETTE) {
        return ATTN_OK;
    }
    if (TIFFGetField(r->tiff, TIFFTAG_COLORMAP, &channel[0], &channel[1], &channel[2]) != 1) {
        return fail_tiff(r);
    }
    for (int i = 0; i < 3 << r->bits; i++) {
        deep = deep || channel[i % 3][i / 3] > 255;
    }
    for (int i = 0; i < 3 << r->bits; i++) { /* some programs write 8 bits where 16 belong */
        r->raster.palette[i / 3][i % 3] = (uint8_t)(channel[i % 3][i / 3] >> (deep ? 8 : 0));
    }
    return ATTN_OK;
}

static attn_status check_tiles(reader *r) {
    uint32_t width = 0, height = 0;
    attn_encoded bounded = *r->file;
    if (!TIFFIsTiled(r->tiff)) {
        return ATTN_OK;
    }
    (void)TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &width);
    (void)TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &height);
    r->tile_width = width;
    r->tile_height = height;
    bounded.max_pixels = attn_max(bounded.max_pixels, LEAST_TILE);
    return attn_check_pixels(&bounded, width, height, r->error);
}

static attn_status check_mask(const reader *r) {
    if (r->compression == COMPRESSION_JPEG) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1, "export the mask as PNG",
                         "a mask cannot be packed as JPEG, which changes its values");
    }
    if (r->floats) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1,
                         "save the mask with whole numbers", "a mask of floats");
    }
    return r->photometric != PHOTOMETRIC_MINISWHITE && !is_lab(r)
               ? ATTN_OK
               : fail_kind(r, "a mask whose photometric interpretation is", r->photometric);
}

static bool known_bits(const reader *r) {
    return r->floats ? r->bits == 16 || r->bits == 32 || r->bits == 64
                     : r->bits == 1 || r->bits == 2 || r->bits == 4 || r->bits == 8 ||
                           r->bits == 16 || r->bits == 32;
}

static attn_status read_header(reader *r) {
    uint32_t width = 0, height = 0;
    uint16_t format = SAMPLEFORMAT_UINT, orientation = 0;
    (void)TIFFGetField(r->tiff, TIFFTAG_IMAGEWIDTH, &width);
    (void)TIFFGetField(r->tiff, TIFFTAG_IMAGELENGTH, &height);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_BITSPERSAMPLE, &r->bits);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLESPERPIXEL, &r->samples);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_PLANARCONFIG, &r->planes);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_COMPRESSION, &r->compression);
    (void)TIFFGetFieldDefaulted(r->tiff, TIFFTAG_SAMPLEFORMAT, &format);
    (void)TIFFGetField(r->tiff, TIFFTAG_ORIENTATION, &orientation);
    r->floats = format == SAMPLEFORMAT_IEEEFP;
    r->raster.width = width;
    r->raster.height = height;
    r->raster.orientation = orientation;
    attn_status status = attn_check_pixels(r->file, width, height, r->error);
    if (status == ATTN_OK && TIFFGetField(r->tiff, TIFFTAG_PHOTOMETRIC, &r->photometric) != 1) {
        status = fail_tiff(r);
    } else if (status == ATTN_OK && !known_compression(r->compression)) {
        status = fail_kind(r, "compression", r->compression);
    } else if (status == ATTN_OK && format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID &&
               !is_lab(r) && !r->floats) {
        status = fail_kind(r, "samples of the format", format);
    } else if (status == ATTN_OK && !known_bits(r)) {
        status = fail_kind(r, "bits a sample:", r->bits);
    } else if (status == ATTN_OK && r->samples > MAX_SAMPLES) {
        status = fail_kind(r, "samples a pixel:", r->samples);
    }
    return status;
}

static attn_status describe(reader *r) {
    attn_status status = read_header(r);
    status = status == ATTN_OK ? read_kind(r) : status;
    status = status == ATTN_OK ? read_alpha(r) : status;
    status = status == ATTN_OK ? read_palette(r) : status;
    status = status == ATTN_OK ? check_tiles(r) : status;
    status = status == ATTN_OK && r->exact ? check_mask(r) : status;
    r->raster.bytes = r->exact && r->bits >= 16 ? 2 : 1;
    return status;
}

/* ---- samples ---- */

static uint32_t get_sample(const reader *r, const uint8_t *row, int64_t index) {
    if (r->bits == 32) {
        uint32_t value;
        memcpy(&value, row + 4 * index, sizeof value);
        return value;
    }
    if (r->bits == 16) {
        uint16_t value;
        memcpy(&value, row + 2 * index, sizeof value);
        return value;
    }
    int64_t bit = index * r->bits;
    return (unsigned)row[bit / 8] >> (8 - r->bits - bit % 8) & ((1u << r->bits) - 1);
}

/* From 0 to 1, as a picture shows it; what is beyond, the nearer of the two, and NaN 0. */
static unsigned get_real(const reader *r, const uint8_t *row, int64_t index) {
    double value;
    float single;
    uint16_t half;
    switch (r->bits) {
    case 16:
        memcpy(&half, row + 2 * index, sizeof half);
        value = narrow_from_f16(half);
        break;
    case 32:
        memcpy(&single, row + 4 * index, sizeof single);
        value = single;
        break;
    default:
        memcpy(&value, row + 8 * index, sizeof value);
    }
    return value >= 1 ? 255 : value > 0 ? (unsigned)(value * 255 + 0.5) : 0;
}

/* As a picture shows it. The samples of a palette are numbers and stay; ink is told by its absence. */
static unsigned get_shown(const reader *r, const uint8_t *row, int64_t index, bool color) {
    uint64_t most = ((uint64_t)1 << r->bits % 64) - 1;
    unsigned value = r->floats ? get_real(r, row, index) : get_sample(r, row, index);
    if (r->exact || (color && r->raster.kind == ATTN_RASTER_PALETTE)) {
        return value;
    }
    value = r->floats ? value : (unsigned)(((uint64_t)value * 255 + most / 2) / most);
    bool turned = r->photometric == PHOTOMETRIC_MINISWHITE || r->raster.kind == ATTN_RASTER_CMYK;
    return color && turned ? 255 - value : value;
}

/* ---- CIELab, with the white of D50, as ICC profiles have it ---- */

static float lab_inverse(float t) {
    return t > 6.0f / 29 ? t * t * t : (t - 4.0f / 29) * (108.0f / 841);
}

static uint8_t srgb_byte(float linear) {
    float x = linear <= 0.0031308f ? 12.92f * linear
              : linear >= 1        ? 1
                                   : 1.055f * real_exp2(real_log2(linear) / 2.4f) - 0.055f;
    return (uint8_t)(x <= 0 ? 0 : x * 255 + 0.5f);
}

/* Sources: TIFF 6.0, section 23; IEC 61966-2-1, its primaries adapted to D50 after Bradford. */
static void put_lab(const reader *r, const uint8_t *row, int64_t index, uint8_t rgb[3]) {
    static const float white[3] = {0.9642f, 1, 0.8249f};
    static const float matrix[3][3] = {{3.1338561f, -1.6168667f, -0.4906146f},
                                       {-0.9787684f, 1.9161415f, 0.0334540f},
                                       {0.0719453f, -0.2289914f, 1.4052427f}};
    bool offset = r->photometric == PHOTOMETRIC_ICCLAB;
    float unit = r->bits == 16 ? 256 : 1, most = r->bits == 8 ? 255 : offset ? 65280 : 65535;
    float light = (float)get_sample(r, row, index) / most * 100, ab[2];
    for (int c = 0; c < 2; c++) {
        float value = (float)get_sample(r, row, index + 1 + c) / unit;
        ab[c] = offset ? value - 128 : value >= 128 ? value - 256 : value;
    }
    float y = (light + 16) / 116;
    float xyz[3] = {lab_inverse(y + ab[0] / 500), lab_inverse(y), lab_inverse(y - ab[1] / 200)};
    for (int c = 0; c < 3; c++) {
        float sum = 0;
        for (int k = 0; k < 3; k++) {
            sum += matrix[c][k] * (xyz[k] * white[k]);
        }
        rgb[c] = srgb_byte(sum);
    }
}

/* Samples `first` .. `first + count` - 1 of each of `width` pixels of a row, from (x, y) on; the row
 * holds `stride` samples a pixel, from `first` on. */
static void put_row(reader *r, const uint8_t *row, int64_t x, int64_t y, int64_t width, int first,
                    int count, int stride) {
    int channels = attn_raster_channels(&r->raster), colors = channels - r->raster.alpha;
    for (int64_t i = 0; i < width; i++) {
        int64_t to = (y * r->raster.width + x + i) * channels + first;
        int c = 0;
        if (is_lab(r)) {
            put_lab(r, row, i * stride, r->raster.sample + to);
            c = 3;
        }
        for (; c < count; c++) {
            unsigned value = get_shown(r, row, i * stride + c, first + c < colors);
            if (r->raster.bytes == 1) {
                r->raster.sample[to + c] = (uint8_t)value;
            } else {
                r->too_large = r->too_large || value > UINT16_MAX;
                uint16_t deep = (uint16_t)value;
                memcpy(r->raster.sample + 2 * (to + c), &deep, sizeof deep);
            }
        }
    }
}

static attn_status read_tiles(reader *r, uint8_t *room, int plane, int count, int stride) {
    int64_t row_size = TIFFTileRowSize(r->tiff);
    for (int64_t y = 0; y < r->raster.height; y += r->tile_height) {
        for (int64_t x = 0; x < r->raster.width; x += r->tile_width) {
            if (TIFFReadTile(r->tiff, room, (uint32_t)x, (uint32_t)y, 0, (uint16_t)plane) < 0) {
                return fail_tiff(r);
            }
            int64_t rows = attn_min(r->tile_height, r->raster.height - y);
            int64_t width = attn_min(r->tile_width, r->raster.width - x);
            for (int64_t i = 0; i < rows; i++) {
                put_row(r, room + i * row_size, x, y + i, width, plane, count, stride);
            }
        }
    }
    return ATTN_OK;
}

static attn_status read_strips(reader *r, uint8_t *room, int plane, int count, int stride) {
    for (int64_t y = 0; y < r->raster.height; y++) {
        if (TIFFReadScanline(r->tiff, room, (uint32_t)y, (uint16_t)plane) < 0) {
            return fail_tiff(r);
        }
        put_row(r, room, 0, y, r->raster.width, plane, count, stride);
    }
    return ATTN_OK;
}

static attn_status read_plane(reader *r, uint8_t *room, int plane, int count, int stride) {
    return r->tile_width > 0 ? read_tiles(r, room, plane, count, stride)
                             : read_strips(r, room, plane, count, stride);
}

/* The room that libtiff fills at once, held to what the file says of bits and samples. */
static attn_status take_room(reader *r, int stride, uint8_t **out) {
    bool tiled = r->tile_width > 0;
    int64_t row = tiled ? TIFFTileRowSize(r->tiff) : TIFFScanlineSize(r->tiff);
    int64_t size = tiled ? TIFFTileSize(r->tiff) : row;
    int64_t width = tiled ? r->tile_width : r->raster.width;
    int64_t rows = tiled ? r->tile_height : 1;
    int64_t pixels = attn_max(r->file->max_pixels, LEAST_TILE);
    if (row < (width * stride * r->bits + 7) / 8 || size < row * rows) {
        return fail_tiff(r);
    }
    if (size > 8 * pixels) {
        return attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1,
                         "save it with fewer channels or smaller tiles",
                         "a %s of %lld bytes; at most %lld are read", tiled ? "tile" : "row",
                         (long long)size, (long long)(8 * pixels));
    }
    *out = attn_alloc((size_t)size);
    return *out != NULL ? ATTN_OK : attn_fail_memory(r->error, (size_t)size);
}

static attn_status read_samples(reader *r) {
    bool planes = r->planes == PLANARCONFIG_SEPARATE && r->samples > 1;
    int channels = attn_raster_channels(&r->raster), stride = planes ? 1 : r->samples;
    uint8_t *room = NULL;
    r->message[0] = '\0'; /* what was wrong with tags did not matter */
    attn_status status = take_room(r, stride, &room);
    status = status == ATTN_OK ? attn_raster_allocate(&r->raster, r->error) : status;
    for (int plane = 0; plane < (planes ? channels : 1) && status == ATTN_OK; plane++) {
        status = read_plane(r, room, plane, planes ? 1 : channels, stride);
    }
    attn_free(room);
    if (status == ATTN_OK && r->too_large) {
        status = attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1,
                           "save the mask with 8 or 16 bits", "a mask with a number beyond 65535");
    }
    /* Some methods report damage and go on. */
    return status == ATTN_OK && r->message[0] != '\0' ? fail_tiff(r) : status;
}

/* No piece of memory that libtiff takes is larger than take_room allows of a row or a tile. */
static TIFF *open_tiff(reader *r) {
#if TIFFLIB_VERSION >= 20221213 /* 4.5 */
    int64_t most = 8 * attn_max(r->file->max_pixels, LEAST_TILE);
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL) {
        return NULL;
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)most);
    TIFF *tiff = TIFFClientOpenExt("", "r", r, on_read, on_write, on_seek, on_close, on_size,
                                   on_map, on_unmap, options);
    TIFFOpenOptionsFree(options);
    return tiff;
#else
    return TIFFClientOpen("", "r", r, on_read, on_write, on_seek, on_close, on_size, on_map,
                          on_unmap);
#endif
}

attn_status attn_tiff_decode(const attn_encoded *file, bool exact, attn_raster *out,
                             attn_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    reader r = {.file = file, .exact = exact, .error = error};
    pthread_once(&once, set_handlers);
    r.tiff = open_tiff(&r);
    attn_status status = r.tiff == NULL ? fail_tiff(&r) : describe(&r);
    status = status == ATTN_OK ? read_samples(&r) : status;
    if (r.tiff != NULL) {
        TIFFClose(r.tiff);
    }
    if (status != ATTN_OK) {
        attn_raster_free(&r.raster);
    }
    *out = r.raster;
    return status;
}

/* TIFF and WebP files in memory, made by the tests themselves through libtiff and libwebp.
 * Next: pictures.h. */
#ifndef TESTS_SUPPORT_TIFF_WEBP_H
#define TESTS_SUPPORT_TIFF_WEBP_H

#include <tiffio.h>
#include <webp/encode.h>

#include "support/pictures.h"

/* ---- TIFF ---- */

typedef struct tiff_kind {
    uint32_t width, height, tile; /* tile: their side; 0: strips of one row */
    uint16_t bits, samples, photometric, compression;
    int planes;              /* a plane for each sample */
    int extra;               /* what the last sample is: EXTRASAMPLE_...; -1: all are colours */
    const uint16_t *palette; /* 3 << bits: all reds, all greens, all blues */
    int orientation, format; /* 0: not said */
    const char *mode;        /* of libtiff; NULL: "wl", little-endian */
} tiff_kind;

typedef struct tiff_memory {
    file_bytes bytes;
    size_t at;
} tiff_memory;

static inline tmsize_t tiff_read(thandle_t context, void *to, tmsize_t count) {
    tiff_memory *m = context;
    size_t left = m->at < m->bytes.size ? m->bytes.size - m->at : 0;
    size_t length = (size_t)count < left ? (size_t)count : left;
    memcpy(to, m->bytes.data + m->at, length);
    m->at += length;
    return (tmsize_t)length;
}

static inline tmsize_t tiff_write(thandle_t context, void *from, tmsize_t count) {
    static const char zero = 0;
    tiff_memory *m = context;
    while (m->bytes.size < m->at + (size_t)count) {
        bytes_add(&m->bytes, &zero, 1);
    }
    memcpy(m->bytes.data + m->at, from, (size_t)count);
    m->at += (size_t)count;
    return count;
}

static inline toff_t tiff_seek(thandle_t context, toff_t offset, int whence) {
    tiff_memory *m = context;
    m->at = (whence == SEEK_CUR ? m->at : whence == SEEK_END ? m->bytes.size : 0) + (size_t)offset;
    return m->at;
}

static inline int tiff_close(thandle_t context) {
    (void)context;
    return 0;
}

static inline toff_t tiff_size(thandle_t context) {
    return ((tiff_memory *)context)->bytes.size;
}

static inline int tiff_map(thandle_t context, void **base, toff_t *size) {
    (void)context;
    (void)base;
    (void)size;
    return 0;
}

static inline void tiff_unmap(thandle_t context, void *base, toff_t size) {
    (void)context;
    (void)base;
    (void)size;
}

/* Sample s of pixel (x, y) of rows that are packed with whole bytes at their ends. */
static inline uint64_t tiff_sample(const tiff_kind *k, const uint8_t *rows, uint32_t x, uint32_t y,
                                   int s) {
    size_t row_size = ((size_t)k->width * k->samples * k->bits + 7) / 8;
    size_t index = (size_t)x * k->samples + (size_t)s;
    const uint8_t *row = rows + y * row_size;
    if (k->bits >= 16) { /* in the machine's order, as libtiff takes them */
        uint64_t value = 0;
        memcpy(&value, row + index * (k->bits / 8u), k->bits / 8u);
        return value;
    }
    return row[index * k->bits / 8] >> (8 - k->bits - index * k->bits % 8) & ((1u << k->bits) - 1);
}

static inline void tiff_put(const tiff_kind *k, uint8_t *row, size_t index, uint64_t value) {
    if (k->bits >= 16) {
        memcpy(row + index * (k->bits / 8u), &value, k->bits / 8u);
    } else {
        row[index * k->bits / 8] |=
            (uint8_t)(value << (8 - k->bits - index * k->bits % 8)); /* begins as zeros */
    }
}

static inline void tiff_tags(TIFF *t, const tiff_kind *k) {
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, k->width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, k->height);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression != 0 ? k->compression : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (k->extra >= 0) {
        uint16_t type = (uint16_t)k->extra;
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &type);
    }
    if (k->palette != NULL) {
        TIFFSetField(t, TIFFTAG_COLORMAP, k->palette, k->palette + (1 << k->bits),
                     k->palette + (2 << k->bits));
    }
    if (k->orientation != 0) {
        TIFFSetField(t, TIFFTAG_ORIENTATION, k->orientation);
    }
    if (k->format != 0) {
        TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, k->format);
    }
    if (k->tile > 0) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, k->tile);
        TIFFSetField(t, TIFFTAG_TILELENGTH, k->tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, k->compression == COMPRESSION_JPEG ? 16 : 1);
    }
}

/* One block of a plane, or of all samples: a row, or a tile. */
static inline void tiff_block(TIFF *t, const tiff_kind *k, const uint8_t *rows, uint32_t x,
                              uint32_t y, int plane) {
    uint32_t width = k->tile > 0 ? k->tile : k->width, height = k->tile > 0 ? k->tile : 1;
    int count = k->planes ? 1 : k->samples;
    size_t row_size = ((size_t)width * (size_t)count * k->bits + 7) / 8;
    uint8_t *block = calloc(height, row_size);
    for (uint32_t j = 0; j < height && y + j < k->height; j++) {
        for (uint32_t i = 0; i < width && x + i < k->width; i++) {
            for (int c = 0; c < count; c++) {
                tiff_put(k, block + j * row_size, (size_t)i * (size_t)count + (size_t)c,
                         tiff_sample(k, rows, x + i, y + j, plane + c));
            }
        }
    }
    tmsize_t done = k->tile > 0 ? TIFFWriteTile(t, block, x, y, 0, (uint16_t)plane)
                                : TIFFWriteScanline(t, block, y, (uint16_t)plane);
    free(block);
    if (done < 0) {
        abort();
    }
}

/* rows: as a TIFF in strips has them, 16 bits and more in the machine's order. */
static inline file_bytes make_tiff(const tiff_kind *kind, const uint8_t *rows) {
    tiff_memory memory = {{NULL, 0}, 0};
    bytes_add(&memory.bytes, "", 0);
    TIFF *t = TIFFClientOpen("test", kind->mode != NULL ? kind->mode : "wl", &memory, tiff_read,
                             tiff_write, tiff_seek, tiff_close, tiff_size, tiff_map, tiff_unmap);
    if (t == NULL) {
        abort();
    }
    tiff_tags(t, kind);
    for (int plane = 0; plane < (kind->planes ? kind->samples : 1); plane++) {
        for (uint32_t y = 0; y<kind->height; y += kind->tile> 0 ? kind->tile : 1) {
            for (uint32_t x = 0; x<kind->width; x += kind->tile> 0 ? kind->tile : kind->width) {
                tiff_block(t, kind, rows, x, y, plane);
            }
        }
    }
    TIFFClose(t);
    return memory.bytes;
}

/* ---- WebP ---- */

/* rgba: [H, W, 4]; lossless: exactly these, under full transparency too. */
static inline file_bytes make_webp(int width, int height, const uint8_t *rgba, int lossless) {
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    file_bytes out = {NULL, 0};
    WebPMemoryWriterInit(&writer);
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) {
        abort();
    }
    config.lossless = config.exact = lossless;
    config.quality = 95;
    picture.use_argb = lossless;
    picture.width = width;
    picture.height = height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    if (!WebPPictureImportRGBA(&picture, rgba, 4 * width) || !WebPEncode(&config, &picture)) {
        abort();
    }
    bytes_add(&out, writer.mem, writer.size);
    WebPMemoryWriterClear(&writer);
    WebPPictureFree(&picture);
    return out;
}

static inline void webp_number(file_bytes *out, size_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        bytes_add(out, &byte, 1);
    }
}

static inline void webp_chunk(file_bytes *out, const char *name, const void *data, size_t size) {
    bytes_add(out, name, 4);
    webp_number(out, size, 4);
    bytes_add(out, data, size);
    bytes_add(out, "", size % 2);
}

/* The extended form: a canvas, perhaps metadata, perhaps as the first frame of an animation at (x, y);
 * x and y even. */
typedef struct webp_kind {
    int width, height; /* of the canvas */
    const void *exif, *xmp;
    size_t exif_size, xmp_size;
    int animated, x, y, frame_width, frame_height;
} webp_kind;

static inline file_bytes webp_extend(const webp_kind *kind, file_bytes still) {
    enum { ANIMATION = 2, XMP = 4, EXIF = 8, ALPHA = 16, RIFF_HEAD = 12 };
    file_bytes out = {NULL, 0}, body = {NULL, 0}, head = {NULL, 0}, frame = {NULL, 0};
    webp_number(&head,
                ALPHA + (kind->animated ? ANIMATION : 0) + (kind->xmp != NULL ? XMP : 0) +
                    (kind->exif != NULL ? EXIF : 0),
                4);
    webp_number(&head, (size_t)kind->width - 1, 3);
    webp_number(&head, (size_t)kind->height - 1, 3);
    webp_chunk(&body, "VP8X", head.data, head.size);
    if (kind->animated) {
        webp_chunk(&body, "ANIM", "\0\0\0\0\0\0", 6);
        webp_number(&frame, (size_t)kind->x / 2, 3);
        webp_number(&frame, (size_t)kind->y / 2, 3);
        webp_number(&frame, (size_t)kind->frame_width - 1, 3);
        webp_number(&frame, (size_t)kind->frame_height - 1, 3);
        webp_number(&frame, 100, 4);
        bytes_add(&frame, still.data + RIFF_HEAD, still.size - RIFF_HEAD);
        webp_chunk(&body, "ANMF", frame.data, frame.size);
    } else {
        bytes_add(&body, still.data + RIFF_HEAD, still.size - RIFF_HEAD);
    }
    if (kind->exif != NULL) {
        webp_chunk(&body, "EXIF", kind->exif, kind->exif_size);
    }
    if (kind->xmp != NULL) {
        webp_chunk(&body, "XMP ", kind->xmp, kind->xmp_size);
    }
    bytes_add(&out, "RIFF", 4);
    webp_number(&out, body.size + 4, 4);
    bytes_add(&out, "WEBP", 4);
    bytes_add(&out, body.data, body.size);
    bytes_free(&still);
    bytes_free(&body);
    bytes_free(&head);
    bytes_free(&frame);
    return out;
}

#endif

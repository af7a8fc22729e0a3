/* Pictures made by the tests themselves: PNG and JPEG files in memory, of every kind, through
 * libpng and libjpeg; and folders of files. */
#ifndef TESTS_SUPPORT_PICTURES_H
#define TESTS_SUPPORT_PICTURES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>

typedef struct file_bytes {
    uint8_t *data;
    size_t size;
} file_bytes;

static inline void bytes_add(file_bytes *bytes, const void *data, size_t size) {
    bytes->data = realloc(bytes->data, bytes->size + size + 1);
    if (bytes->data == NULL) {
        abort();
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static inline void bytes_free(file_bytes *bytes) {
    free(bytes->data);
    *bytes = (file_bytes){NULL, 0};
}

/* ---- PNG ---- */

typedef struct png_kind {
    int width, height, type, depth;
    int interlaced;
    const png_color *palette;
    int colors;
    const uint8_t *alpha; /* tRNS of a palette */
    int alphas;
    const uint8_t *exif; /* an eXIf chunk */
    int exif_size;
} png_kind;

static inline void png_collect(png_structp png, png_bytep data, size_t size) {
    bytes_add(png_get_io_ptr(png), data, size);
}

static inline void png_no_flush(png_structp png) {
    (void)png;
}

/* rows: packed as PNG has them (16-bit big-endian; bits of less than a byte from the left). */
static inline file_bytes make_png(const png_kind *kind, const uint8_t *rows) {
    file_bytes out = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &out, png_collect, png_no_flush);
    png_set_IHDR(png, info, (png_uint_32)kind->width, (png_uint_32)kind->height, kind->depth,
                 kind->type, kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind->palette != NULL) {
        png_set_PLTE(png, info, kind->palette, kind->colors);
    }
    if (kind->alpha != NULL) {
        png_set_tRNS(png, info, kind->alpha, kind->alphas, NULL);
    }
    if (kind->exif != NULL) {
        png_set_eXIf_1(png, info, (png_uint_32)kind->exif_size, (png_bytep)kind->exif);
    }
    png_write_info(png, info);
    size_t stride = png_get_rowbytes(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < kind->height; y++) {
            png_write_row(png, rows + (size_t)y * stride);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return out;
}

static inline void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* The checksum of a chunk: its type and data. */
static inline uint32_t png_checksum(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        }
    }
    return ~crc;
}

/* Puts a chunk at an offset of the file. */
static inline void png_insert(file_bytes *png, size_t at, const char *type, const void *data,
                              size_t size) {
    file_bytes out = {NULL, 0};
    uint8_t word[4];
    bytes_add(&out, png->data, at);
    put32(word, (uint32_t)size);
    bytes_add(&out, word, 4);
    size_t start = out.size;
    bytes_add(&out, type, 4);
    bytes_add(&out, data, size);
    put32(word, png_checksum(out.data + start, size + 4));
    bytes_add(&out, word, 4);
    bytes_add(&out, png->data + at, png->size - at);
    bytes_free(png);
    *png = out;
}

enum { PNG_AFTER_HEADER = 33, PNG_END_SIZE = 12 };

/* ---- JPEG ---- */

typedef struct jpeg_kind {
    int width, height;
    J_COLOR_SPACE in, stored;
    int components; /* of the rows */
    int progressive;
    int no_adobe;        /* leave the Adobe marker out */
    const uint8_t *exif; /* TIFF data for an APP1 marker */
    int exif_size;
    const char *xmp; /* for another */
} jpeg_kind;

static inline file_bytes make_jpeg(const jpeg_kind *kind, const uint8_t *rows) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr manager;
    unsigned char *data = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = (JDIMENSION)kind->width;
    jpeg.image_height = (JDIMENSION)kind->height;
    jpeg.input_components = kind->components;
    jpeg.in_color_space = kind->in;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, kind->stored);
    jpeg_set_quality(&jpeg, 100, TRUE);
    for (int i = 0; i < jpeg.num_components; i++) {
        jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
    }
    if (kind->no_adobe) {
        jpeg.write_Adobe_marker = FALSE;
    }
    if (kind->progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    if (kind->exif != NULL) {
        file_bytes marker = {NULL, 0};
        bytes_add(&marker, "Exif\0", 6);
        bytes_add(&marker, kind->exif, (size_t)kind->exif_size);
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, marker.data, (unsigned)marker.size);
        bytes_free(&marker);
    }
    if (kind->xmp != NULL) {
        file_bytes marker = {NULL, 0};
        bytes_add(&marker, "http://ns.adobe.com/xap/1.0/", 29);
        bytes_add(&marker, kind->xmp, strlen(kind->xmp));
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, marker.data, (unsigned)marker.size);
        bytes_free(&marker);
    }
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)(rows + (size_t)jpeg.next_scanline * (size_t)kind->width *
                                             (size_t)kind->components);
        (void)jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    file_bytes out = {NULL, 0};
    bytes_add(&out, data, size);
    free(data);
    return out;
}

/* ---- EXIF ---- */

enum { EXIF_SIZE = 26 };

/* The smallest EXIF data with an orientation, in either byte order. */
static inline void make_exif(uint8_t out[EXIF_SIZE], int orientation, int big_endian) {
    static const uint8_t little[EXIF_SIZE] = {'I',  'I',  42, 0, 8, 0, 0, 0, 1, 0, /* one entry */
                                              0x12, 0x01, 3,  0, 1, 0, 0, 0};
    static const uint8_t big[EXIF_SIZE] = {'M', 'M',  0,    42, 0, 0, 0, 8, 0,
                                           1,   0x01, 0x12, 0,  3, 0, 0, 0, 1};
    memcpy(out, big_endian ? big : little, EXIF_SIZE);
    out[big_endian ? 19 : 18] = (uint8_t)orientation;
}

/* The same with the orientation as another type of TIFF: 1 BYTE, 3 SHORT, 4 LONG. */
static inline void make_typed_exif(uint8_t out[EXIF_SIZE], int type, int orientation,
                                   int big_endian) {
    make_exif(out, orientation, big_endian);
    int size = type == 1 ? 1 : type == 3 ? 2 : 4;
    out[big_endian ? 13 : 12] = (uint8_t)type;
    memset(out + 18, 0, 4);
    out[big_endian ? 18 + size - 1 : 18] = (uint8_t)orientation;
}

/* ---- files ---- */

static inline void folder_make(char path[64]) {
    strcpy(path, "/tmp/attn-test-XXXXXX");
    if (mkdtemp(path) == NULL) {
        abort();
    }
}

static inline void file_write(const char *folder, const char *name, const void *data, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

static inline void folder_remove(const char *path) {
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) {
        abort();
    }
}

#endif

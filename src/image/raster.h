/* image/raster.h: what a file stores of each pixel, before that is a picture or a mask.
 *
 * Made by the decoders of TIFF, WebP and, for masks, PNG. Next: image/decode.h. */
#ifndef ATTN_IMAGE_RASTER_H
#define ATTN_IMAGE_RASTER_H

#include <stdbool.h>

#include "image/pixels.h"

typedef enum attn_raster_kind {
    ATTN_RASTER_GREY,    /* one channel */
    ATTN_RASTER_PALETTE, /* one channel: numbers of colours */
    ATTN_RASTER_RGB,     /* three */
    ATTN_RASTER_CMYK,    /* four, 255 for no ink */
} attn_raster_kind;

typedef struct attn_raster {
    int64_t width, height;
    attn_raster_kind kind;
    bool alpha;         /* one channel more, the last */
    bool premultiplied; /* colours are multiplied by alpha already */
    int bytes;          /* of a sample: 1, or 2 in the machine's order */
    int orientation;    /* as of EXIF; 0: none is said */
    uint8_t palette[256][3];
    uint8_t *sample; /* [H, W, channels] of `bytes` bytes each */
} attn_raster;

/* Colours, and alpha. */
int attn_raster_channels(const attn_raster *raster);
/* Takes memory for the samples, not cleared, of a raster that is described. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_raster_allocate(attn_raster *raster, attn_error *error);
void attn_raster_free(attn_raster *raster);
/* Sample number `index`, counted over all pixels and channels. */
unsigned attn_raster_sample(const attn_raster *raster, int64_t index);

/* 8-bit RGB: 16 bits are rounded, transparency is laid over white, the picture is turned upright. The
 * raster is used up, on failure too. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_raster_to_picture(attn_raster *raster, attn_picture *out,
                                                   attn_error *error);
/* value * alpha over white, of 0 .. 255. */
uint8_t attn_over_white(unsigned value, unsigned alpha);
/* Ink to light, of samples that are 255 where there is no ink. */
void attn_cmyk_to_rgb(const uint8_t cmyk[4], uint8_t rgb[3]);

#endif

/* image/raster.c: from stored samples to pictures. Next: decode_tiff.c. */
#include "image/raster.h"

#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/exif.h"

int attn_raster_channels(const attn_raster *raster) {
    static const int colors[] = {1, 1, 3, 4};
    return colors[raster->kind] + raster->alpha;
}

attn_status attn_raster_allocate(attn_raster *raster, attn_error *error) {
    size_t size = (size_t)(attn_raster_channels(raster) * raster->bytes);
    bool possible = attn_size_mul(size, (size_t)raster->width, &size) &&
                    attn_size_mul(size, (size_t)raster->height, &size);
    raster->sample = possible ? attn_alloc(size) : NULL;
    return raster->sample != NULL ? ATTN_OK : attn_fail_memory(error, possible ? size : SIZE_MAX);
}

void attn_raster_free(attn_raster *raster) {
    attn_free(raster->sample);
    raster->sample = NULL;
}

unsigned attn_raster_sample(const attn_raster *raster, int64_t index) {
    uint16_t deep;
    if (raster->bytes == 1) {
        return raster->sample[index];
    }
    memcpy(&deep, raster->sample + 2 * index, sizeof deep);
    return deep;
}

uint8_t attn_over_white(unsigned value, unsigned alpha) {
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

void attn_cmyk_to_rgb(const uint8_t cmyk[4], uint8_t rgb[3]) {
    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)((cmyk[c] * (unsigned)cmyk[3] + 127) / 255);
    }
}

/* The nearest of 0 .. 255. */
static uint8_t to_byte(const attn_raster *r, int64_t index) {
    unsigned value = attn_raster_sample(r, index);
    return (uint8_t)(r->bytes == 1 ? value : (value * 255 + 32895) >> 16);
}

static void to_rgb(const attn_raster *r, const uint8_t *sample, uint8_t rgb[3]) {
    switch (r->kind) {
    case ATTN_RASTER_GREY:
        memset(rgb, sample[0], 3);
        break;
    case ATTN_RASTER_PALETTE:
        memcpy(rgb, r->palette[sample[0]], 3);
        break;
    case ATTN_RASTER_RGB:
        memcpy(rgb, sample, 3);
        break;
    case ATTN_RASTER_CMYK:
        attn_cmyk_to_rgb(sample, rgb);
        break;
    }
}

static void lay_over_white(const attn_raster *r, unsigned alpha, uint8_t rgb[3]) {
    for (int c = 0; c < 3; c++) {
        unsigned added = rgb[c] + 255 - alpha;
        rgb[c] = !r->premultiplied ? attn_over_white(rgb[c], alpha)
                                   : (uint8_t)(added < 255 ? added : 255);
    }
}

/* rgb may be the samples themselves where there are three channels or more. */
static void convert(const attn_raster *r, uint8_t *rgb) {
    int channels = attn_raster_channels(r);
    if (rgb == r->sample && channels == 3 && r->bytes == 1) {
        return; /* it is that already */
    }
    for (int64_t i = 0; i < r->width * r->height; i++) {
        uint8_t sample[5] = {0}, color[3];
        for (int c = 0; c < channels; c++) {
            sample[c] = to_byte(r, i * channels + c);
        }
        to_rgb(r, sample, color);
        if (r->alpha) {
            lay_over_white(r, sample[channels - 1], color);
        }
        memcpy(rgb + 3 * i, color, 3);
    }
}

attn_status attn_raster_to_picture(attn_raster *raster, attn_picture *out, attn_error *error) {
    attn_status status = ATTN_OK;
    *out = (attn_picture){0, 0, NULL};
    if (attn_raster_channels(raster) >= 3) {
        *out = (attn_picture){raster->width, raster->height, raster->sample};
    } else {
        status = attn_picture_create(raster->width, raster->height, out, error);
    }
    if (status == ATTN_OK) {
        convert(raster, out->rgb);
        raster->sample = out->rgb == raster->sample ? NULL : raster->sample;
        attn_raster_free(raster); /* before a turned copy takes memory */
        status = attn_picture_orient(out, raster->orientation, error);
    }
    attn_raster_free(raster);
    if (status != ATTN_OK) {
        attn_picture_free(out);
    }
    return status;
}

/* image/decode_webp.c: WebP files through libwebp; of an animation the first frame.
 *
 * The demuxer finds the frame and the metadata in the file's chunks, all within its bytes, and says
 * how large the picture is before memory is taken for it. */
#include "image/decode.h"

#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "base/fail.h"
#include "image/exif.h"

enum { HEADER = 12, RGBA = 4 };

bool attn_is_webp(const void *bytes, size_t size) {
    return size >= HEADER && memcmp(bytes, "RIFF", 4) == 0 &&
           memcmp((const char *)bytes + 8, "WEBP", 4) == 0;
}

static attn_status fail_webp(const attn_encoded *file, attn_error *error) {
    const uint8_t *at = file->bytes + 4;
    size_t told = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (file->size - 8 < told) {
        return attn_fail(error, ATTN_ERR_FORMAT, file->name, (int64_t)file->size,
                         "fetch or export it again", "the WebP is cut short");
    }
    return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1,
                     "the file is corrupt: fetch or export it again", "damaged WebP");
}

/* Into its place in the picture, which is transparent where an animation's first frame is not. */
static attn_status decode_frame(const attn_encoded *file, const WebPIterator *frame,
                                const attn_raster *raster, attn_error *error) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "libwebp", -1,
                         "install the libwebp that attn was built with",
                         "libwebp is of another version than its headers");
    }
    size_t stride = (size_t)raster->width * RGBA;
    size_t first = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * RGBA;
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = raster->sample + first;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)raster->height - first;
    VP8StatusCode code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK              ? ATTN_OK
           : code == VP8_STATUS_OUT_OF_MEMORY ? attn_fail_memory(error, 0)
                                              : fail_webp(file, error);
}

static attn_status check_frame(const attn_encoded *file, const WebPIterator *frame, bool exact,
                               const attn_raster *raster, attn_error *error) {
    enum { LOSSLESS = 2 };
    WebPBitstreamFeatures features;
    bool sound =
        WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &features) == VP8_STATUS_OK &&
        frame->x_offset >= 0 && frame->y_offset >= 0 && features.width == frame->width &&
        features.height == frame->height && frame->x_offset + frame->width <= raster->width &&
        frame->y_offset + frame->height <= raster->height;
    if (!sound) {
        return fail_webp(file, error);
    }
    if (exact && features.format != LOSSLESS) {
        return attn_fail(error, ATTN_ERR_FORMAT, file->name, -1, "export the mask as PNG",
                         "a mask cannot be a lossy WebP, which changes its values");
    }
    return ATTN_OK;
}

static attn_status read_frame(const attn_encoded *file, const WebPIterator *frame, bool exact,
                              attn_raster *raster, attn_error *error) {
    attn_status status = attn_check_pixels(file, raster->width, raster->height, error);
    if (status == ATTN_OK) {
        status = check_frame(file, frame, exact, raster, error);
    }
    if (status == ATTN_OK) {
        status = attn_raster_allocate(raster, error);
    }
    if (status == ATTN_OK) {
        bool whole = frame->width == raster->width && frame->height == raster->height;
        if (!whole) {
            memset(raster->sample, 0, (size_t)(raster->width * raster->height) * RGBA);
        }
        status = decode_frame(file, frame, raster, error);
    }
    return status;
}

static int find_orientation(const WebPDemuxer *demuxer) {
    WebPChunkIterator chunk;
    int orientation = 0;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = attn_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (orientation == 0 && WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk)) {
        orientation = attn_xmp_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

attn_status attn_webp_decode(const attn_encoded *file, bool exact, attn_raster *out,
                             attn_error *error) {
    WebPData data = {file->bytes, file->size};
    WebPIterator frame;
    *out = (attn_raster){.kind = ATTN_RASTER_RGB, .alpha = true, .bytes = 1};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (demuxer == NULL) {
        return fail_webp(file, error);
    }
    out->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    out->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    out->orientation = find_orientation(demuxer);
    attn_status status = ATTN_OK;
    if (WebPDemuxGetFrame(demuxer, 1, &frame)) {
        status = read_frame(file, &frame, exact, out, error);
        WebPDemuxReleaseIterator(&frame);
    } else {
        status = fail_webp(file, error);
    }
    WebPDemuxDelete(demuxer);
    if (status != ATTN_OK) {
        attn_raster_free(out);
    }
    return status;
}

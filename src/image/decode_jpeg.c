/* image/decode_jpeg.c: JPEG files through libjpeg.
 *
 * libjpeg reports errors by a callback that must not return: it jumps back to the one setjmp below,
 * and everything that must survive lies in a struct outside that function. What libjpeg only warns
 * of, and would fill in with grey, is an error here too. Nothing is printed. */
#include "image/decode.h"

#include <stdio.h> /* before jpeglib.h, which needs FILE */

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/exif.h"

enum { MAX_SCANS = 500 }; /* of a progressive file; each costs a pass over all coefficients */

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const attn_encoded *file;
    uint8_t *cmyk; /* one row, for files of four colours */
    attn_picture picture;
    int orientation;
    attn_status status;
    attn_error *error;
} reader;

bool attn_is_jpeg(const void *bytes, size_t size) {
    return size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

static const char corrupt_hint[] = "the file is corrupt: fetch or export it again";

static void fail_jpeg(reader *r) {
    char message[JMSG_LENGTH_MAX];
    r->manager.format_message((j_common_ptr)&r->jpeg, message);
    switch (r->manager.msg_code) {
    case JERR_OUT_OF_MEMORY:
        r->status = attn_fail_memory(r->error, 0);
        break;
    case JERR_EMPTY_IMAGE:
        r->status = attn_check_pixels(r->file, r->jpeg.image_width, r->jpeg.image_height, r->error);
        if (r->status == ATTN_OK) {
            r->status = attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1, corrupt_hint,
                                  "damaged JPEG: no colours");
        }
        break;
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
        r->status = attn_fail(r->error, ATTN_ERR_UNSUPPORTED, r->file->name, -1,
                              "convert it to PNG or to an ordinary JPEG",
                              "this kind of JPEG cannot be read: %s", message);
        break;
    case JWRN_JPEG_EOF:
    case JERR_INPUT_EOF:
        r->status = attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, (int64_t)r->file->size,
                              "fetch or export it again", "the JPEG is cut short");
        break;
    default:
        r->status = attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1, corrupt_hint,
                              "damaged JPEG: %s", message);
    }
    longjmp(r->jump, 1);
}

static void on_error(j_common_ptr jpeg) {
    fail_jpeg(jpeg->client_data);
}

/* Level -1 is a warning: the file is damaged but libjpeg could guess. Some cameras leave bytes
 * between markers or a version number of their own; the pixels are whole then. */
static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    bool harmless =
        code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR;
    if (level < 0 && !harmless) {
        fail_jpeg(jpeg->client_data);
    }
}

static void on_output(j_common_ptr jpeg) {
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg) {
    reader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number > MAX_SCANS) {
        r->status = attn_fail(r->error, ATTN_ERR_FORMAT, r->file->name, -1, corrupt_hint,
                              "damaged JPEG: more than %d scans", MAX_SCANS);
        longjmp(r->jump, 1);
    }
}

static int find_orientation(const struct jpeg_decompress_struct *jpeg) {
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
    int exif_says = 0, xmp_says = 0;
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m != NULL; m = m->next) {
        bool is_xmp = m->data_length > sizeof xmp && memcmp(m->data, xmp, sizeof xmp) == 0;
        if (is_xmp && xmp_says == 0) {
            xmp_says = attn_xmp_orientation(m->data, m->data_length);
        } else if (exif_says == 0) {
            exif_says = attn_exif_orientation(m->data, m->data_length);
        }
    }
    return exif_says != 0 ? exif_says : xmp_says;
}

static void read_rows(reader *r) {
    bool four = r->jpeg.out_color_space == JCS_CMYK;
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        uint8_t *rgb = r->picture.rgb + (int64_t)r->jpeg.output_scanline * r->picture.width * 3;
        JSAMPROW row = four ? r->cmyk : rgb;
        (void)jpeg_read_scanlines(&r->jpeg, &row, 1);
        /* Adobe's programs store ink inverted; browsers take that for granted without its marker. */
        for (int64_t i = 0; four && i < r->picture.width; i++) {
            attn_cmyk_to_rgb(r->cmyk + 4 * i, rgb + 3 * i);
        }
    }
}

static void or_stop(reader *r, attn_status status) {
    if (status != ATTN_OK) {
        r->status = status;
        longjmp(r->jump, 1);
    }
}

static attn_status read_jpeg(reader *r) {
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (setjmp(r->jump) != 0) {
        return r->status;
    }
    jpeg_create_decompress(jpeg);
    jpeg->progress = &r->progress;
    jpeg_mem_src(jpeg, r->file->bytes, (unsigned long)r->file->size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    (void)jpeg_read_header(jpeg, TRUE);
    or_stop(r, attn_check_pixels(r->file, jpeg->image_width, jpeg->image_height, r->error));
    r->orientation = find_orientation(jpeg);
    bool four = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = four ? JCS_CMYK : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(jpeg);
    or_stop(r, attn_picture_create(jpeg->output_width, jpeg->output_height, &r->picture, r->error));
    if (four) {
        r->cmyk = attn_alloc((size_t)r->picture.width * 4);
        or_stop(r, r->cmyk != NULL ? ATTN_OK : attn_fail_memory(r->error, 0));
    }
    read_rows(r);
    (void)jpeg_finish_decompress(jpeg);
    return ATTN_OK;
}

attn_status attn_jpeg_decode(const attn_encoded *file, attn_picture *out, attn_error *error) {
    reader r = {.file = file, .error = error};
    r.jpeg.err = jpeg_std_error(&r.manager);
    r.jpeg.client_data = &r;
    r.manager.error_exit = on_error;
    r.manager.emit_message = on_message;
    r.manager.output_message = on_output;
    r.progress.progress_monitor = on_progress;
    attn_status status = read_jpeg(&r);
    jpeg_destroy_decompress(&r.jpeg);
    attn_free(r.cmyk);
    if (status == ATTN_OK) {
        status = attn_picture_orient(&r.picture, r.orientation, error);
    }
    if (status != ATTN_OK) {
        attn_picture_free(&r.picture);
    }
    *out = r.picture;
    return status;
}

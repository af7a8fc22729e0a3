/* image/drawing.c: cairo surfaces to and from our pictures, and to files that are replaced whole. */
#include "image/drawing.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/encode.h"
#include "io/file.h"

enum { MAX_SIDE = 32767 };

static attn_status fail_cairo(cairo_status_t result, attn_error *error) {
    if (result == CAIRO_STATUS_NO_MEMORY) {
        return attn_fail_memory(error, 0);
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, "cairo", -1, NULL, "cannot draw: %s",
                     cairo_status_to_string(result));
}

static void choose_font(cairo_t *cr) {
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
}

/* Ends drawing on the surface; its status and the context's. */
static attn_status draw_on(cairo_surface_t *surface, attn_draw *draw, void *context,
                           attn_error *error) {
    cairo_t *cr = cairo_create(surface);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    choose_font(cr);
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    draw(cr, context);
    cairo_status_t result = cairo_status(cr);
    cairo_destroy(cr);
    return result == CAIRO_STATUS_SUCCESS ? ATTN_OK : fail_cairo(result, error);
}

static attn_status check_side(int64_t width, int64_t height, attn_error *error) {
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
        return attn_fail(error, ATTN_ERR_UNSUPPORTED, "cairo", -1, "use a smaller picture",
                         "cannot draw %lld x %lld pixels; at most %d a side", (long long)width,
                         (long long)height, MAX_SIDE);
    }
    return ATTN_OK;
}

/* cairo's pixels are 32-bit words 0x00rrggbb. */
static attn_status copy_out(cairo_surface_t *surface, attn_picture *out, attn_error *error) {
    int width = cairo_image_surface_get_width(surface);
    int height = cairo_image_surface_get_height(surface);
    attn_status status = attn_picture_create(width, height, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    cairo_surface_flush(surface);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t word;
            memcpy(&word, data + (size_t)y * (size_t)stride + 4 * (size_t)x, sizeof word);
            uint8_t *rgb = out->rgb + ((int64_t)y * width + x) * 3;
            rgb[0] = (uint8_t)(word >> 16);
            rgb[1] = (uint8_t)(word >> 8);
            rgb[2] = (uint8_t)word;
        }
    }
    return ATTN_OK;
}

attn_status attn_drawing_draw(int64_t width, int64_t height, attn_draw *draw, void *context,
                              attn_picture *out, attn_error *error) {
    *out = (attn_picture){0, 0, NULL};
    attn_status status = check_side(width, height, error);
    status = status == ATTN_OK ? attn_cairo_open(error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    status = draw_on(surface, draw, context, error);
    if (status == ATTN_OK) {
        status = copy_out(surface, out, error);
    }
    cairo_surface_destroy(surface);
    return status;
}

typedef struct collected {
    char *bytes;
    size_t size, room;
} collected;

static cairo_status_t collect(void *context, const unsigned char *data, unsigned int length) {
    collected *c = context;
    if (length > c->room - c->size) {
        size_t room = 2 * c->room + length;
        char *grown = attn_alloc(room);
        if (grown == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        if (c->size > 0) {
            memcpy(grown, c->bytes, c->size);
        }
        attn_free(c->bytes);
        c->bytes = grown;
        c->room = room;
    }
    memcpy(c->bytes + c->size, data, length);
    c->size += length;
    return CAIRO_STATUS_SUCCESS;
}

static attn_status write_vectors(const char *path, bool pdf, double width, double height,
                                 attn_draw *draw, void *context, attn_error *error) {
    collected file = {NULL, 0, 0};
    attn_status status = attn_cairo_open(error);
    if (status != ATTN_OK) {
        return status;
    }
    cairo_surface_t *surface =
        pdf ? cairo_pdf_surface_create_for_stream(collect, &file, width, height)
            : cairo_svg_surface_create_for_stream(collect, &file, width, height);
    status = draw_on(surface, draw, context, error);
    cairo_surface_finish(surface);
    cairo_status_t result = cairo_surface_status(surface);
    if (status == ATTN_OK && result != CAIRO_STATUS_SUCCESS) {
        status = fail_cairo(result, error);
    }
    cairo_surface_destroy(surface);
    if (status == ATTN_OK) {
        attn_bytes piece = {file.bytes, file.size};
        status = attn_file_replace(path, &piece, 1, error);
    }
    attn_free(file.bytes);
    return status;
}

attn_status attn_drawing_write_svg(const char *path, int64_t width, int64_t height, attn_draw *draw,
                                   void *context, attn_error *error) {
    return write_vectors(path, false, (double)width, (double)height, draw, context, error);
}

attn_status attn_drawing_write(const char *path, int64_t width, int64_t height, attn_draw *draw,
                               void *context, attn_error *error) {
    const char *dot = strrchr(path, '.');
    bool pdf = dot != NULL && strcasecmp(dot, ".pdf") == 0;
    if (pdf || (dot != NULL && strcasecmp(dot, ".svg") == 0)) {
        return write_vectors(path, pdf, (double)width, (double)height, draw, context, error);
    }
    if (dot == NULL || strcasecmp(dot, ".png") != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, path, -1, "end it in .png, .svg or .pdf",
                         "the name does not say which kind of file to write");
    }
    attn_picture picture;
    attn_status status = attn_drawing_draw(width, height, draw, context, &picture, error);
    if (status == ATTN_OK) {
        status = attn_picture_write(path, &picture, NULL, error);
        attn_picture_free(&picture);
    }
    return status;
}

void attn_drawing_paint(cairo_t *cr, const attn_picture *picture, double x, double y,
                        double scale) {
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)picture->width, (int)picture->height);
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int64_t row = 0; data != NULL && row < picture->height; row++) {
        for (int64_t column = 0; column < picture->width; column++) {
            const uint8_t *rgb = picture->rgb + (row * picture->width + column) * 3;
            uint32_t word = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
            memcpy(data + row * stride + 4 * column, &word, sizeof word);
        }
    }
    cairo_surface_mark_dirty(surface);
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, scale, scale);
    cairo_set_source_surface(cr, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(surface);
}

void attn_drawing_text(cairo_t *cr, double x, double y, double align, const char *text) {
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, text);
    cairo_new_path(cr);
}

double attn_drawing_text_width(double font_size, const char *text) {
    cairo_text_extents_t extents = {.x_advance = 0};
    if (attn_cairo_open(NULL) != ATTN_OK) {
        return 0; /* drawing will say so */
    }
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1);
    cairo_t *cr = cairo_create(surface);
    choose_font(cr);
    cairo_set_font_size(cr, font_size);
    cairo_text_extents(cr, text, &extents);
    double width = cairo_status(cr) == CAIRO_STATUS_SUCCESS ? extents.x_advance : 0;
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return width;
}

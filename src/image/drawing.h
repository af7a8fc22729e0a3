/* image/drawing.h: drawing with cairo into a picture, or into a PNG, SVG or PDF file.
 *
 * Next: image/overlay.h, which uses it. */
#ifndef ATTN_IMAGE_DRAWING_H
#define ATTN_IMAGE_DRAWING_H

#include "image/cairo.h"
#include "image/picture.h"

/* Draws on a white page; the unit is a pixel (a point in a PDF). */
typedef void attn_draw(cairo_t *cr, void *context);

/* At most 32767 pixels a side, cairo's limit: ATTN_ERR_UNSUPPORTED. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_drawing_draw(int64_t width, int64_t height, attn_draw *draw,
                                              void *context, attn_picture *out, attn_error *error);
/* The format follows the file's extension: .png, .svg or .pdf; another is ATTN_ERR_ARGUMENT. */
ATTN_MUST_CHECK attn_status attn_drawing_write(const char *path, int64_t width, int64_t height,
                                               attn_draw *draw, void *context, attn_error *error);
/* An SVG, whatever the name. */
ATTN_MUST_CHECK attn_status attn_drawing_write_svg(const char *path, int64_t width, int64_t height,
                                                   attn_draw *draw, void *context,
                                                   attn_error *error);

/* Paints the picture with its top left corner at (x, y), each pixel `scale` units large and sharp.
 * Nothing is drawn when memory is short: the cairo_t is in an error state then. */
void attn_drawing_paint(cairo_t *cr, const attn_picture *picture, double x, double y, double scale);
/* Text whose baseline is at y: align 0 starts at x, 0.5 is centred, 1 ends there. */
void attn_drawing_text(cairo_t *cr, double x, double y, double align, const char *text);
/* How wide such text is at a font size; 0 when memory is short. */
double attn_drawing_text_width(double font_size, const char *text);

#endif

/* show/canvas_parts.h: what a canvas is made of; for canvas.c (drawing) and canvas_file.c (the
 * surfaces of the three formats, and their bytes). */
#ifndef ATTN_SHOW_CANVAS_PARTS_H
#define ATTN_SHOW_CANVAS_PARTS_H

#include "image/cairo.h"
#include "show/canvas.h"

/* Bytes that grow. */
typedef struct attn_canvas_bytes {
    char *data;
    size_t size, room;
} attn_canvas_bytes;

struct attn_canvas {
    attn_canvas_format format;
    PangoContext *pango;
    cairo_surface_t *surface;
    cairo_t *cairo;
    char family[128];           /* the font that sans-serif stands for here */
    attn_canvas_bytes file;     /* what the surface wrote */
    attn_canvas_bytes svg_text; /* elements that go on top of it, in SVG */
    char title[256];
    char missing[64];
    attn_error error; /* the first failure */
};

void attn_canvas_fail_memory(attn_canvas *canvas, size_t bytes);
void attn_canvas_append(attn_canvas *canvas, attn_canvas_bytes *bytes, const char *data,
                        size_t size);
/* Text in XML. */
void attn_canvas_append_escaped(attn_canvas *canvas, attn_canvas_bytes *bytes, const char *text);

#endif

/* show/canvas.h: a few drawing verbs over cairo and pango; one code for SVG, PNG and PDF.
 *
 * A view asks for the sizes of its texts, lays itself out, begins the canvas with its size, draws,
 * and the canvas is saved. Lengths are in points of a PDF, CSS pixels of an SVG, half pixels of a
 * PNG. A failure is kept: later calls do nothing, attn_canvas_save returns it. In SVG, text stays
 * text. Next: palette.h, view.c. */
#ifndef ATTN_SHOW_CANVAS_H
#define ATTN_SHOW_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"
#include "show/palette.h"

typedef enum attn_canvas_format {
    ATTN_CANVAS_SVG,
    ATTN_CANVAS_PNG,
    ATTN_CANVAS_PDF,
} attn_canvas_format;

/* The longest side, and the most of width times height, that a canvas takes. */
#define ATTN_CANVAS_MOST_SIDE 16000.0
#define ATTN_CANVAS_MOST_AREA 25e6

typedef struct attn_canvas attn_canvas;

ATTN_MUST_CHECK attn_status attn_canvas_create(attn_canvas_format format, attn_canvas **out,
                                               attn_error *error);
void attn_canvas_free(attn_canvas *canvas);

typedef struct attn_text_style {
    double size;
    attn_color color;
    double align; /* 0: x is where the text starts; 0.5: its middle; 1: its end */
    double angle; /* radians, clockwise around (x, y) */
    bool bold;
} attn_text_style;

/* ---- before it begins: measuring ---- */

double attn_canvas_text_width(attn_canvas *canvas, const char *text, double size, bool bold);
/* Copies as much of the text as is at most `width` wide, "…" at its end when that is not all.
 * Returns buffer. */
const char *attn_canvas_fit(attn_canvas *canvas, const char *text, double size, double width,
                            char *buffer, size_t buffer_size);
/* The height of the text broken into lines of at most `width`. */
double attn_canvas_paragraph_height(attn_canvas *canvas, double width, const char *text,
                                    attn_text_style style);

/* ---- drawing ---- */

/* title: of the document, for readers that speak it. ATTN_ERR_ARGUMENT: larger than the limits
 * above. */
void attn_canvas_begin(attn_canvas *canvas, double width, double height, attn_color background,
                       const char *title);
/* y: the middle between the baseline and the top of small letters. */
void attn_canvas_text(attn_canvas *canvas, double x, double y, const char *text,
                      attn_text_style style);
/* Lines from the top left corner down. */
void attn_canvas_paragraph(attn_canvas *canvas, double x, double y, double width, const char *text,
                           attn_text_style style);
void attn_canvas_fill(attn_canvas *canvas, double x, double y, double width, double height,
                      attn_color color);
void attn_canvas_frame(attn_canvas *canvas, double x, double y, double width, double height,
                       double line, attn_color color);
/* From (x0, y0) to (x1, y1), leaving and arriving level. dashed: told apart from one that is not. */
void attn_canvas_curve(attn_canvas *canvas, double x0, double y0, double x1, double y1, double line,
                       bool dashed, attn_color color);
/* rows x columns cells in one raster, for matrices of very many; colors: [rows, columns]. */
void attn_canvas_cells(attn_canvas *canvas, double x, double y, double cell, int64_t rows,
                       int64_t columns, const attn_color *colors);

/* ---- the end ---- */

/* Writes the file over what was there. ATTN_ERR_IO; or what went wrong before. */
ATTN_MUST_CHECK attn_status attn_canvas_save(attn_canvas *canvas, const char *path,
                                             attn_error *error);
/* The first text drawn with a character that no font here has, or NULL. */
const char *attn_canvas_missing(const attn_canvas *canvas);

#endif

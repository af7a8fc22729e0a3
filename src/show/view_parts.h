/* show/view_parts.h: what the views share: the frame around them, the table of heads, the colour bar
 * and the cells of a matrix.
 *
 * A view plans its frame around the size of what it shows, begins it, and draws inside. */
#ifndef ATTN_SHOW_VIEW_PARTS_H
#define ATTN_SHOW_VIEW_PARTS_H

#include "show/view.h"

/* One view on its way to the canvas. */
typedef struct attn_drawing {
    attn_canvas *canvas;
    const attn_document *document;
    const attn_document_part *part;
    const attn_view *view;
    int64_t rows, columns; /* of a matrix: words or pieces */
    double *weights;       /* [rows, columns]: room for one matrix */
} attn_drawing;

/* ---- styles ---- */

enum { ATTN_TITLE_SIZE = 16, ATTN_TEXT_SIZE = 13, ATTN_SMALL_SIZE = 11 };

attn_text_style attn_style(const attn_drawing *drawing, double size, double align);
attn_text_style attn_style_muted(const attn_drawing *drawing, double size, double align);
/* How many words or pieces lie between two labels when each has `pitch` of room. */
int64_t attn_label_step(double pitch);
/* The size of labels with that room. */
double attn_label_size(double pitch);
/* What stands at a row or column: its word or piece, the mark of a space as "_". Returns buffer. */
enum { ATTN_LABEL = 128 };
const char *attn_label(const attn_drawing *drawing, bool of_row, int64_t i, char *buffer,
                       size_t size);
/* The width of the widest label, at most `most`. */
double attn_label_width(const attn_drawing *drawing, bool of_rows, double size, double most);

/* ---- the frame ---- */

typedef struct attn_frame {
    double width, height; /* of the whole picture */
    double left, top;     /* of what the view shows */
    double head, legend;  /* heights of the texts above and below */
    const char *note;     /* of the view, first in the legend */
} attn_frame;

/* width, height: of what the view shows. */
attn_frame attn_frame_plan(const attn_drawing *drawing, double width, double height,
                           const char *note);
/* Begins the canvas; draws the title, the sentences and the legend. */
void attn_frame_begin(const attn_drawing *drawing, const attn_frame *frame);

/* ---- beside ---- */

/* The heads of the view's layer with entropy and mean distance; swatches: with their colours. */
double attn_table_width(const attn_drawing *drawing);
double attn_table_height(const attn_drawing *drawing);
void attn_table_draw(const attn_drawing *drawing, double x, double y, bool swatches);
/* "entropy 1.23, distance 4.56", or without the distance where there is none. */
const char *attn_measures_text(const attn_drawing *drawing, int64_t layer, int64_t head,
                               char *buffer, size_t size);

enum { ATTN_BAR_WIDTH = 62 };
/* From 0 to `top`, weight and colour. */
void attn_bar_draw(const attn_drawing *drawing, double x, double y, double height, double top);

/* ---- matrices ---- */

/* The weight that gets the last colour: `largest`, rounded up. */
double attn_scale_top(double largest);
double attn_largest(const double *weights, int64_t count);
/* drawing->weights at x, y; numbers: in per cent in each cell. */
ATTN_MUST_CHECK attn_status attn_matrix_cells(const attn_drawing *drawing, double x, double y,
                                              double cell, double top, bool numbers,
                                              attn_error *error);

/* ---- the views ---- */

ATTN_MUST_CHECK attn_status attn_view_lines(const attn_drawing *drawing, attn_error *error);
ATTN_MUST_CHECK attn_status attn_view_matrix(const attn_drawing *drawing, attn_error *error);
ATTN_MUST_CHECK attn_status attn_view_grid(const attn_drawing *drawing, attn_error *error);

#endif

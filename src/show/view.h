/* show/view.h: a document of attention as a picture, or in the terminal.
 *
 * Next: view_parts.h, then view_matrix.c, view_lines.c, view_grid.c. */
#ifndef ATTN_SHOW_VIEW_H
#define ATTN_SHOW_VIEW_H

#include "show/canvas.h"
#include "show/document.h"
#include "show/terminal.h"

typedef enum attn_view_kind {
    ATTN_VIEW_LINES,   /* two columns of words, a line from each to what it attends to */
    ATTN_VIEW_MATRIX,  /* one labelled matrix */
    ATTN_VIEW_GRID,    /* small matrices, a row a layer, a column a head */
    ATTN_VIEW_ROLLOUT, /* the labelled matrix of all layers together */
} attn_view_kind;

/* In place of a layer or a head; also ATTN_DOCUMENT_MEAN for the mean over heads. */
enum { ATTN_VIEW_ALL = -3 };

/* What of a document to look at, all counted from 0. LINES: one layer; a head, MEAN or ALL. MATRIX:
 * one layer; a head or MEAN. GRID: a layer or ALL; a head, MEAN or ALL. ROLLOUT: neither is read. */
typedef struct attn_view {
    attn_view_kind kind;
    attn_translator_part part;
    int64_t layer, head;
    int64_t token; /* the row that stands out; of LINES the only one drawn; -1: none */
    bool words;    /* pieces merged to words */
    attn_theme theme;
} attn_view;

/* "en-fr: encoder, layer 4 of 4, mean of 4 heads". Returns buffer. */
const char *attn_view_title(const attn_document *document, const attn_view *view, char *buffer,
                            size_t size);

/* The format that the end of the path names. ATTN_ERR_UNSUPPORTED: none that is known. */
ATTN_MUST_CHECK attn_status attn_view_format(const char *path, attn_canvas_format *format,
                                             attn_error *error);
/* Draws the view to a file. missing (may be NULL) receives the first text with a character that no
 * font here has, or "". ATTN_ERR_ARGUMENT: larger than a canvas may be; ATTN_ERR_IO; ATTN_ERR_MEMORY;
 * ATTN_ERR_UNSUPPORTED: the format, or no font at all. */
ATTN_MUST_CHECK attn_status attn_view_draw(const attn_document *document, const attn_view *view,
                                           const char *path, char missing[64], attn_error *error);

/* The view in columns of text: MATRIX and ROLLOUT as a matrix, GRID as the table of what its heads
 * measure; LINES as bars of the chosen token. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_view_print(const attn_document *document, const attn_view *view,
                                            const attn_terminal *terminal, attn_error *error);

#endif

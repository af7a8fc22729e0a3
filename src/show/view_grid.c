/* show/view_grid.c: small matrices of many heads on one scale of colours. */
#include <math.h>
#include <stdio.h>

#include "show/view_parts.h"

enum { MOST_NAMED = 60 }; /* words that are listed below */
enum { LEFT = 62, CAPTION = 17, SPACE = 16, NARROWEST = 152 };

typedef struct plan {
    int64_t first_layer, last_layer, first_head, last_head;
    double cell, tile_width, tile_height, column, row; /* column, row: from tile to tile */
    double width, height;
} plan;

static plan lay_out(const attn_drawing *d) {
    const attn_view *v = d->view;
    plan p = {.first_layer = v->layer, .last_layer = v->layer};
    p.first_head = p.last_head = v->head;
    if (v->layer == ATTN_VIEW_ALL) {
        p.first_layer = 0;
        p.last_layer = d->part->layers - 1;
    }
    if (v->head == ATTN_VIEW_ALL) {
        p.first_head = 0;
        p.last_head = d->part->heads - 1;
    }
    double heads = (double)(p.last_head - p.first_head + 1);
    double side = heads <= 2 ? 260 : heads <= 4 ? 168 : heads <= 8 ? 136 : 112;
    p.cell = fmax(1, floor(side / (double)(d->rows > d->columns ? d->rows : d->columns)));
    p.tile_width = p.cell * (double)d->columns;
    p.tile_height = p.cell * (double)d->rows;
    p.column = fmax(p.tile_width, NARROWEST) + SPACE;
    p.row = p.tile_height + CAPTION + SPACE;
    p.width = LEFT + heads * p.column + SPACE + ATTN_BAR_WIDTH;
    p.height = CAPTION + (double)(p.last_layer - p.first_layer + 1) * p.row;
    return p;
}

/* "Rows and columns, in order: The animal ..." */
static void write_note(const attn_drawing *d, char *text, size_t size) {
    int used = snprintf(text, size, "Rows attend to columns%s. One scale of colours for all.",
                        d->part->causal ? "; later positions are masked" : "");
    bool both = d->part->query_words != d->part->key_words;
    for (int side = 0; side < (both ? 2 : 1); side++) {
        int64_t count = side == 0 ? d->rows : d->columns;
        used += snprintf(text + used, size - (size_t)used, " %s in order:",
                         !both       ? "Both"
                         : side == 0 ? "Rows"
                                     : "Columns");
        for (int64_t i = 0; i < count && i < MOST_NAMED && (size_t)used + 80 < size; i++) {
            char shown[48];
            used += snprintf(text + used, size - (size_t)used, " %s",
                             attn_label(d, side == 0, i, shown, sizeof shown));
        }
        used += snprintf(text + used, size - (size_t)used, "%s",
                         count > MOST_NAMED ? " \xe2\x80\xa6" : ".");
    }
}

/* The scale that all tiles share. */
static double scale_of(const attn_drawing *d, const plan *p) {
    double largest = 0;
    for (int64_t l = p->first_layer; l <= p->last_layer; l++) {
        for (int64_t h = p->first_head; h <= p->last_head; h++) {
            attn_document_matrix(d->part, l, h, d->view->words, d->weights);
            largest = fmax(largest, attn_largest(d->weights, d->rows * d->columns));
        }
    }
    return attn_scale_top(largest);
}

static void draw_names(const attn_drawing *d, const attn_frame *f, const plan *p) {
    char text[64];
    attn_text_style style = attn_style(d, ATTN_TEXT_SIZE, 0);
    for (int64_t h = p->first_head; h <= p->last_head; h++) {
        snprintf(text, sizeof text, "head %lld", (long long)h + 1);
        attn_canvas_text(d->canvas, f->left + LEFT + (double)(h - p->first_head) * p->column,
                         f->top + CAPTION / 2.0 - 2, h < 0 ? "mean of heads" : text, style);
    }
    for (int64_t l = p->first_layer; l <= p->last_layer; l++) {
        snprintf(text, sizeof text, "layer %lld", (long long)l + 1);
        attn_canvas_text(d->canvas, f->left,
                         f->top + CAPTION + 8 + (double)(l - p->first_layer) * p->row, text, style);
    }
}

attn_status attn_view_grid(const attn_drawing *d, attn_error *error) {
    char note[1600], text[64];
    plan p = lay_out(d);
    write_note(d, note, sizeof note);
    attn_frame f = attn_frame_plan(d, p.width, p.height, note);
    double top = scale_of(d, &p);
    attn_status status = ATTN_OK;
    attn_frame_begin(d, &f);
    draw_names(d, &f, &p);
    for (int64_t l = p.first_layer; l <= p.last_layer; l++) {
        for (int64_t h = p.first_head; status == ATTN_OK && h <= p.last_head; h++) {
            double x = f.left + LEFT + (double)(h - p.first_head) * p.column;
            double y = f.top + CAPTION + (double)(l - p.first_layer) * p.row;
            attn_document_matrix(d->part, l, h, d->view->words, d->weights);
            attn_canvas_frame(d->canvas, x - 1.5, y - 1.5, p.tile_width + 3, p.tile_height + 3, 1,
                              attn_palette_rule(d->view->theme));
            status = attn_matrix_cells(d, x, y, p.cell, top, false, error);
            if (h >= 0) {
                attn_canvas_text(d->canvas, x, y + p.tile_height + CAPTION / 2.0 + 2,
                                 attn_measures_text(d, l, h, text, sizeof text),
                                 attn_style_muted(d, ATTN_SMALL_SIZE - 1, 0));
            }
        }
    }
    attn_bar_draw(d, f.left + p.width - ATTN_BAR_WIDTH, f.top + CAPTION,
                  fmin(160, fmax(80, floor(p.tile_height / 4) * 4)), top);
    return status;
}

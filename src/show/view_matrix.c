/* show/view_matrix.c: one matrix with the words at its sides; also the rollout's. */
#include <math.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/memory.h"
#include "show/view_parts.h"

/* Cells from here on are drawn one by one with a gap between them, smaller ones as one raster. */
enum { SMALLEST_DRAWN = 12 };
enum {
    LABEL = 150,
    LARGEST_CELL = 34,
    SMALLEST_CELL = 3,
    WIDTH_OF_CELLS = 620,
    GAP = 8,
    BESIDE = 28
};

/* ---- cells ---- */

double attn_largest(const double *weights, int64_t count) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, weights[i]);
    }
    return largest;
}

double attn_scale_top(double largest) {
    double step = largest > 0.1 ? 0.05 : 0.01;
    return fmin(1, fmax(step, ceil(largest / step - 1e-9) * step));
}

static bool is_masked(const attn_drawing *d, int64_t row, int64_t column) {
    return d->part->causal && column > row;
}

static void draw_cells(const attn_drawing *d, double x, double y, double cell, double top,
                       bool numbers) {
    const double gap = 1;
    for (int64_t r = 0; r < d->rows; r++) {
        for (int64_t c = 0; c < d->columns; c++) {
            double weight = d->weights[r * d->columns + c], share = weight / top;
            double left = x + (double)c * cell, above = y + (double)r * cell;
            if (is_masked(d, r, c)) {
                continue;
            }
            attn_canvas_fill(d->canvas, left, above, cell - gap, cell - gap,
                             attn_palette_weight(d->view->theme, share));
            if (numbers && weight >= 0.005) {
                char text[8];
                attn_text_style style = attn_style(d, 10, 0.5);
                style.color = attn_palette_on_weight(d->view->theme, share);
                snprintf(text, sizeof text, "%.0f", 100 * weight);
                attn_canvas_text(d->canvas, left + (cell - gap) / 2, above + (cell - gap) / 2, text,
                                 style);
            }
        }
    }
}

static attn_status draw_raster(const attn_drawing *d, double x, double y, double cell, double top,
                               attn_error *error) {
    int64_t count = d->rows * d->columns;
    attn_color *colors = attn_alloc((size_t)count * sizeof *colors);
    if (colors == NULL) {
        return attn_fail_memory(error, (size_t)count * sizeof *colors);
    }
    for (int64_t i = 0; i < count; i++) {
        colors[i] = is_masked(d, i / d->columns, i % d->columns)
                        ? attn_palette_background(d->view->theme)
                        : attn_palette_weight(d->view->theme, d->weights[i] / top);
    }
    attn_canvas_cells(d->canvas, x, y, cell, d->rows, d->columns, colors);
    attn_free(colors);
    return ATTN_OK;
}

attn_status attn_matrix_cells(const attn_drawing *d, double x, double y, double cell, double top,
                              bool numbers, attn_error *error) {
    attn_status status = ATTN_OK;
    if (cell >= SMALLEST_DRAWN) {
        draw_cells(d, x, y, cell, top, numbers);
    } else {
        status = draw_raster(d, x, y, cell, top, error);
    }
    if (d->view->token >= 0) {
        attn_canvas_frame(d->canvas, x - 1, y + cell * (double)d->view->token - 1,
                          cell * (double)d->columns + 1, cell + 1, 1.5,
                          attn_palette_accent(d->view->theme));
    }
    return status;
}

/* ---- labels ---- */

static attn_text_style label_style(const attn_drawing *d, double size, bool chosen) {
    attn_text_style style = attn_style(d, size, 0);
    if (chosen) {
        style.bold = true;
        style.color = attn_palette_accent(d->view->theme);
    }
    return style;
}

static void label_rows(const attn_drawing *d, double right, double top, double cell, double width) {
    double size = attn_label_size(cell);
    char name[ATTN_LABEL], text[ATTN_LABEL + 4];
    for (int64_t r = 0; r < d->rows; r += attn_label_step(cell)) {
        attn_text_style style = label_style(d, size, r == d->view->token);
        style.align = 1;
        attn_label(d, true, r, name, sizeof name);
        attn_canvas_fit(d->canvas, name, size, width, text, sizeof text);
        attn_canvas_text(d->canvas, right, top + ((double)r + 0.5) * cell, text, style);
    }
}

/* Slanted where there is room for it, else upright. */
static double slant(double cell) {
    return cell >= 19 ? -0.785398163397448 : -1.5707963267949;
}

static void label_columns(const attn_drawing *d, double left, double bottom, double cell,
                          double width) {
    double size = attn_label_size(cell);
    char name[ATTN_LABEL], text[ATTN_LABEL + 4];
    for (int64_t c = 0; c < d->columns; c += attn_label_step(cell)) {
        attn_text_style style = label_style(d, size, false);
        style.angle = slant(cell);
        attn_label(d, false, c, name, sizeof name);
        attn_canvas_fit(d->canvas, name, size, width, text, sizeof text);
        attn_canvas_text(d->canvas, left + ((double)c + 0.5) * cell, bottom, text, style);
    }
}

/* ---- the view ---- */

typedef struct plan {
    double cell, row_labels, column_labels; /* column_labels: the length along the text */
    double above, width, height;            /* above: of the labels; width, height: of the cells */
    double beyond; /* how far the last slanted label goes beyond the cells */
    bool table;
} plan;

static plan lay_out(const attn_drawing *d) {
    plan p = {.table = d->view->kind == ATTN_VIEW_MATRIX};
    double across = (double)(d->columns > d->rows ? d->columns : d->rows);
    p.cell = fmin(LARGEST_CELL, fmax(SMALLEST_CELL, floor(WIDTH_OF_CELLS / across)));
    double size = attn_label_size(p.cell);
    p.row_labels = fmax(56, attn_label_width(d, true, size, LABEL));
    p.column_labels = attn_label_width(d, false, size, LABEL);
    p.above = ceil(-sin(slant(p.cell)) * p.column_labels + size) + GAP;
    p.width = p.cell * (double)d->columns;
    p.height = p.cell * (double)d->rows;
    p.beyond = ceil(cos(slant(p.cell)) * p.column_labels - p.cell / 2);
    return p;
}

static void draw_beside(const attn_drawing *d, const plan *p, double x, double y, double top) {
    double height = fmin(200, fmax(80, floor(p->height / 4) * 4));
    attn_bar_draw(d, x, y, height, top);
    if (p->table) {
        attn_table_draw(d, x + ATTN_BAR_WIDTH + BESIDE, y - 6, false);
    }
}

attn_status attn_view_matrix(const attn_drawing *d, attn_error *error) {
    static const char note[] = "Each row: how a word shares out its attention over the columns, in "
                               "per cent; a row sums to 100.";
    static const char masked[] = "Each row: how a word shares out its attention over the columns, "
                                 "in per cent; a row sums to 100. What comes later is masked.";
    const attn_view *v = d->view;
    bool rollout = v->kind == ATTN_VIEW_ROLLOUT;
    plan p = lay_out(d);
    double beside = BESIDE + ATTN_BAR_WIDTH + (p.table ? BESIDE + attn_table_width(d) : 0);
    double height = fmax(p.height, fmax(80, p.table ? attn_table_height(d) : 0));
    attn_frame f = attn_frame_plan(d, p.row_labels + GAP + p.width + fmax(beside, p.beyond),
                                   p.above + height, d->part->causal ? masked : note);
    attn_document_matrix(d->part, rollout ? ATTN_DOCUMENT_ROLLOUT : v->layer, v->head, v->words,
                         d->weights);
    double top = attn_scale_top(attn_largest(d->weights, d->rows * d->columns));
    double x = f.left + p.row_labels + GAP, y = f.top + p.above;
    attn_frame_begin(d, &f);
    attn_canvas_text(d->canvas, x - GAP, y - GAP, "from \xe2\x86\x93 to \xe2\x86\x92",
                     attn_style_muted(d, ATTN_SMALL_SIZE, 1));
    label_rows(d, x - GAP, y, p.cell, p.row_labels);
    label_columns(d, x, y - GAP, p.cell, p.column_labels);
    draw_beside(d, &p, x + p.width + BESIDE, y, top);
    return attn_matrix_cells(d, x, y, p.cell, top, p.cell >= 26, error);
}

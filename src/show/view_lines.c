/* show/view_lines.c: two columns of words and lines between them, as in Alammar's Illustrated
 * Transformer (2018) and the viewer of Tensor2Tensor that it shows. */
#include <math.h>
#include <stdio.h>

#include "show/view_parts.h"

enum {
    LABEL = 180,
    BETWEEN = 250,
    GAP = 10,
    HEADING = 22,
    LARGEST_PITCH = 25,
    SMALLEST_PITCH = 11
};
enum { SWATCH = 9, SWATCH_PITCH = 11, SHARE = 44, BESIDE = 52 };

/* Weights below are not drawn. */
static const double least = 0.01;

typedef struct plan {
    double pitch, size;               /* from word to word; of the labels */
    double left_labels, right_labels; /* widths */
    double values;                    /* beside the right labels, for one token */
    double width, height;
    int64_t first_head, last_head; /* MEAN to MEAN: the mean */
    double largest;
} plan;

static plan lay_out(const attn_drawing *d) {
    const attn_view *v = d->view;
    plan p = {.first_head = v->head, .last_head = v->head};
    if (v->head == ATTN_VIEW_ALL) {
        p.first_head = 0;
        p.last_head = d->part->heads - 1;
    }
    double most = (double)(d->rows > d->columns ? d->rows : d->columns);
    p.pitch = fmin(LARGEST_PITCH, fmax(SMALLEST_PITCH, floor(900 / most)));
    p.size = fmin(ATTN_TEXT_SIZE + 1, floor(0.72 * p.pitch));
    p.left_labels = fmax(30, attn_label_width(d, true, p.size, LABEL));
    p.right_labels = fmax(30, attn_label_width(d, false, p.size, LABEL));
    p.values = v->token < 0 ? 0
               : v->head == ATTN_VIEW_ALL
                   ? GAP + SWATCH_PITCH * (double)(p.last_head - p.first_head + 1)
                   : SHARE;
    p.width = p.left_labels + 2 * GAP + BETWEEN + p.right_labels + p.values + BESIDE +
              attn_table_width(d);
    p.height = HEADING + fmax(most * p.pitch, attn_table_height(d));
    for (int64_t h = p.first_head; h <= p.last_head; h++) {
        attn_document_matrix(d->part, v->layer, h, v->words, d->weights);
        const double *shown = d->weights + (v->token >= 0 ? v->token * d->columns : 0);
        p.largest =
            fmax(p.largest, attn_largest(shown, v->token >= 0 ? d->columns : d->rows * d->columns));
    }
    return p;
}

/* ---- words ---- */

static void label_left(const attn_drawing *d, const plan *p, double x, double y) {
    char name[ATTN_LABEL], text[ATTN_LABEL + 4];
    for (int64_t r = 0; r < d->rows; r++) {
        bool chosen = r == d->view->token, other = d->view->token >= 0 && !chosen;
        attn_text_style style = other ? attn_style_muted(d, p->size, 1) : attn_style(d, p->size, 1);
        if (chosen) {
            style.bold = true;
            style.color = attn_palette_accent(d->view->theme);
        }
        attn_label(d, true, r, name, sizeof name);
        attn_canvas_fit(d->canvas, name, p->size, p->left_labels, text, sizeof text);
        attn_canvas_text(d->canvas, x, y + ((double)r + 0.5) * p->pitch, text, style);
    }
}

static void label_right(const attn_drawing *d, const plan *p, double x, double y) {
    char name[ATTN_LABEL], text[ATTN_LABEL + 4];
    for (int64_t c = 0; c < d->columns; c++) {
        attn_label(d, false, c, name, sizeof name);
        attn_canvas_fit(d->canvas, name, p->size, p->right_labels, text, sizeof text);
        attn_canvas_text(d->canvas, x, y + ((double)c + 0.5) * p->pitch, text,
                         attn_style(d, p->size, 0));
    }
}

/* ---- one head ---- */

static attn_color color_of(const attn_drawing *d, int64_t head) {
    return d->view->head == ATTN_VIEW_ALL ? attn_palette_head(d->view->theme, head)
                                          : attn_palette_head(d->view->theme, 0);
}

/* The opacity of a weight near 0: on black less is seen. */
static double faintest(const attn_drawing *d) {
    return d->view->theme == ATTN_THEME_DARK ? 0.35 : 0.15;
}

/* Where the lines of a head meet a word: heads lie side by side around its middle. */
static double shift_of(const plan *p, int64_t head) {
    double heads = (double)(p->last_head - p->first_head + 1);
    return ((double)(head - p->first_head) + 0.5 - heads / 2) / heads * 0.5 * p->pitch;
}

static void draw_lines(const attn_drawing *d, const plan *p, int64_t head, double x, double y) {
    bool all = d->view->head == ATTN_VIEW_ALL;
    double thickest = fmin(all ? 4 : 6, p->pitch * (all ? 0.25 : 0.35));
    for (int64_t r = 0; r < d->rows; r++) {
        if (d->view->token >= 0 && r != d->view->token) {
            continue;
        }
        for (int64_t c = 0; c < d->columns; c++) {
            double weight = d->weights[r * d->columns + c], share = weight / p->largest;
            if (weight < least) {
                continue;
            }
            attn_color color = color_of(d, head);
            color.alpha = faintest(d) + (0.9 - faintest(d)) * share;
            double shift = shift_of(p, head);
            attn_canvas_curve(d->canvas, x, y + ((double)r + 0.5) * p->pitch + shift, x + BETWEEN,
                              y + ((double)c + 0.5) * p->pitch + shift,
                              0.4 + (thickest - 0.4) * share, all && head >= ATTN_HEAD_COLORS,
                              color);
        }
    }
}

/* Beside the right words: the share of the chosen token, in figures or as a square a head. */
static void draw_values(const attn_drawing *d, const plan *p, int64_t head, double x, double y) {
    char text[16];
    for (int64_t c = 0; c < d->columns; c++) {
        double weight = d->weights[d->view->token * d->columns + c];
        double middle = y + ((double)c + 0.5) * p->pitch;
        if (d->view->head == ATTN_VIEW_ALL && weight >= least) {
            attn_color color = color_of(d, head);
            color.alpha = faintest(d) / 2 + (1 - faintest(d) / 2) * weight / p->largest;
            attn_canvas_fill(d->canvas, x + GAP + SWATCH_PITCH * (double)head,
                             middle - SWATCH / 2.0, SWATCH, SWATCH, color);
        } else if (d->view->head != ATTN_VIEW_ALL && weight >= 0.0005) {
            snprintf(text, sizeof text, "%.1f %%", 100 * weight);
            attn_canvas_text(d->canvas, x + SHARE, middle, text,
                             attn_style_muted(d, fmin(ATTN_SMALL_SIZE, p->size), 1));
        }
    }
}

/* ---- the view ---- */

static const char *write_note(const attn_drawing *d, const plan *p, char *text, size_t size) {
    int used =
        snprintf(text, size,
                 "A line goes from a word to what it attends to; width and opacity grow with "
                 "the weight, the widest is %.0f\xc2\xa0%%, below %.0f\xc2\xa0%% none is drawn.",
                 100 * p->largest, 100 * least);
    if (d->view->head == ATTN_VIEW_ALL) {
        snprintf(text + used, size - (size_t)used, " A colour a head (Okabe and Ito 2008)%s.",
                 d->part->heads > ATTN_HEAD_COLORS ? "; from head 9 on dashed" : "");
    }
    return text;
}

attn_status attn_view_lines(const attn_drawing *d, attn_error *error) {
    char note[400];
    plan p = lay_out(d);
    attn_frame f = attn_frame_plan(d, p.width, p.height, write_note(d, &p, note, sizeof note));
    double left = f.left + p.left_labels + GAP, right = left + BETWEEN + GAP;
    double y = f.top + HEADING;
    (void)error; /* the canvas keeps what fails here */
    attn_frame_begin(d, &f);
    attn_canvas_text(d->canvas, left - GAP, f.top + HEADING / 2.0 - 2, "from",
                     attn_style_muted(d, ATTN_SMALL_SIZE, 1));
    attn_canvas_text(d->canvas, right, f.top + HEADING / 2.0 - 2, "to",
                     attn_style_muted(d, ATTN_SMALL_SIZE, 0));
    for (int64_t h = p.first_head; h <= p.last_head; h++) {
        attn_document_matrix(d->part, d->view->layer, h, d->view->words, d->weights);
        draw_lines(d, &p, h, left, y);
        if (d->view->token >= 0) {
            draw_values(d, &p, h, right + p.right_labels, y);
        }
    }
    label_left(d, &p, left - GAP, y);
    label_right(d, &p, right, y);
    attn_table_draw(d, right + p.right_labels + p.values + BESIDE, f.top,
                    d->view->head == ATTN_VIEW_ALL);
    return ATTN_OK;
}

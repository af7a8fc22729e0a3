/* show/probe_draw.c: the tables of a probe side by side, a cell a head. */
#include <stdio.h>

#include "show/canvas.h"
#include "show/probe.h"
#include "show/view.h"

enum { CELL = 46, LEFT = 70, TOP = 76, BOTTOM = 34, GAP = 30 };

static attn_text_style style(double size, double align, attn_color color) {
    return (attn_text_style){.size = size, .color = color, .align = align};
}

static void draw_cell(attn_canvas *canvas, const attn_probe_count *count, double x, double y) {
    char text[16];
    double share = (double)count->right / (double)count->count;
    attn_canvas_fill(canvas, x, y, CELL - 2, CELL - 2,
                     attn_palette_weight(ATTN_THEME_LIGHT, share));
    snprintf(text, sizeof text, "%.1f", 100 * share);
    attn_canvas_text(canvas, x + CELL / 2.0 - 1, y + CELL / 2.0 - 1, text,
                     style(12, 0.5, attn_palette_on_weight(ATTN_THEME_LIGHT, share)));
}

/* One table at (x, TOP). */
static void draw_probe(attn_canvas *canvas, const attn_probe *p, double x) {
    attn_color ink = attn_palette_ink(ATTN_THEME_LIGHT),
               muted = attn_palette_muted(ATTN_THEME_LIGHT);
    char text[96];
    attn_canvas_text(canvas, x + LEFT, TOP - 34, p->method, style(13, 0, ink));
    for (int64_t h = 0; h <= p->heads; h++) {
        snprintf(text, sizeof text, h < p->heads ? "head %lld" : "mean", (long long)h + 1);
        attn_canvas_text(canvas, x + LEFT + (double)h * CELL + CELL / 2.0, TOP - 12, text,
                         style(10, 0.5, muted));
    }
    for (int64_t l = 0; l < p->layers; l++) {
        double y = TOP + (double)l * CELL;
        snprintf(text, sizeof text, "layer %lld", (long long)l + 1);
        attn_canvas_text(canvas, x + LEFT - 10, y + CELL / 2.0, text, style(11, 1, muted));
        for (int64_t h = 0; h <= p->heads; h++) {
            draw_cell(canvas, &p->head[l * (p->heads + 1) + h], x + LEFT + (double)h * CELL, y);
        }
    }
    const attn_probe_count *first = &p->head[0];
    int used = snprintf(text, sizeof text, "%lld items, chance %.1f", (long long)first->count,
                        100 * first->chance / (double)first->count);
    if (p->whole.count > 0) {
        snprintf(text + used, sizeof text - (size_t)used, "; all layers together %.1f",
                 100 * (double)p->whole.right / (double)p->whole.count);
    }
    attn_canvas_text(canvas, x + LEFT, TOP + (double)p->layers * CELL + 14, text,
                     style(11, 0, muted));
}

attn_status attn_probe_draw(const attn_probe *probes, size_t count, const char *title,
                            const char *path, attn_error *error) {
    attn_canvas_format format;
    attn_canvas *canvas = NULL;
    double width = GAP, height = 0;
    attn_status status = attn_view_format(path, &format, error);
    status = status == ATTN_OK ? attn_canvas_create(format, &canvas, error) : status;
    if (status != ATTN_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        width += LEFT + (double)(probes[i].heads + 1) * CELL + GAP;
        double own = TOP + (double)probes[i].layers * CELL + BOTTOM;
        height = own > height ? own : height;
    }
    width = width > 420 ? width : 420;
    attn_canvas_begin(canvas, width, height, attn_palette_background(ATTN_THEME_LIGHT), title);
    attn_canvas_text(canvas, GAP, 14, title, style(14, 0, attn_palette_ink(ATTN_THEME_LIGHT)));
    double x = 0;
    for (size_t i = 0; i < count; i++) {
        if (probes[i].head[0].count > 0) {
            draw_probe(canvas, &probes[i], x);
        }
        x += LEFT + (double)(probes[i].heads + 1) * CELL + GAP;
    }
    status = attn_canvas_save(canvas, path, error);
    attn_canvas_free(canvas);
    return status;
}

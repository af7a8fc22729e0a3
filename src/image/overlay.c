/* image/overlay.c: a mask over its picture, and the legend.
 *
 * Next: heat.c. */
#include "image/overlay.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/drawing.h"
#include "image/mask.h"

attn_status attn_overlay_mask(const attn_picture *picture, const attn_mask *mask,
                              const attn_classes *classes, double opacity, attn_picture *out,
                              attn_error *error) {
    *out = (attn_picture){0, 0, NULL};
    if (picture->width != mask->width || picture->height != mask->height) {
        return attn_fail(error, ATTN_ERR_SHAPE, "overlay", -1, NULL,
                         "a mask of %lld x %lld over a picture of %lld x %lld",
                         (long long)mask->width, (long long)mask->height, (long long)picture->width,
                         (long long)picture->height);
    }
    attn_status status = attn_picture_create(picture->width, picture->height, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    unsigned share = opacity <= 0 ? 0 : opacity >= 1 ? 256 : (unsigned)(opacity * 256 + 0.5);
    for (int64_t i = 0; i < picture->width * picture->height; i++) {
        int label = mask->label[i];
        const uint8_t *color = attn_classes_at(classes, label)->color;
        unsigned mine = label < classes->count ? share : 0;
        for (int c = 0; c < 3; c++) {
            unsigned value = picture->rgb[3 * i + c] * (256 - mine) + color[c] * mine;
            out->rgb[3 * i + c] = (uint8_t)((value + 128) / 256);
        }
    }
    return ATTN_OK;
}

/* ---- legend ---- */

enum { MARGIN = 8, MAX_STRIP = 32767 };

typedef struct legend {
    const attn_classes *classes;
    int64_t seen[256];
    int64_t total;
    int64_t width;
    double size; /* of the text */
} legend;

static void entry_text(const legend *l, int id, char *text, size_t size) {
    snprintf(text, size, "%s %.1f %%", l->classes->item[id].name,
             100.0 * (double)l->seen[id] / (double)l->total);
}

/* Walks over the entries, row by row; draws them unless cr is only there to measure. Returns the
 * height needed, and the width of the widest entry. */
static double lay_out(cairo_t *cr, const legend *l, bool drawing, double *widest) {
    double swatch = l->size, x = MARGIN, y = MARGIN;
    char text[ATTN_CLASS_NAME_SIZE + 16];
    cairo_set_font_size(cr, l->size);
    *widest = 0;
    for (int id = 0; id < l->classes->count; id++) {
        if (l->seen[id] == 0) {
            continue;
        }
        cairo_text_extents_t extents;
        entry_text(l, id, text, sizeof text);
        cairo_text_extents(cr, text, &extents);
        double width = swatch * 1.4 + extents.x_advance + swatch * 1.4;
        if (x > MARGIN && x + width > (double)l->width) {
            x = MARGIN;
            y += l->size * 1.5;
        }
        if (drawing) {
            const uint8_t *color = l->classes->item[id].color;
            cairo_rectangle(cr, x, y, swatch, swatch);
            cairo_set_source_rgb(cr, color[0] / 255.0, color[1] / 255.0, color[2] / 255.0);
            cairo_fill_preserve(cr);
            cairo_set_source_rgb(cr, 0.2, 0.2, 0.2);
            cairo_set_line_width(cr, 1);
            cairo_stroke(cr);
            attn_drawing_text(cr, x + swatch * 1.4, y + swatch * 0.85, 0, text);
        }
        x += width;
        *widest = width + 2 * MARGIN > *widest ? width + 2 * MARGIN : *widest;
    }
    return y + l->size * 1.5 + MARGIN;
}

static void draw_legend(cairo_t *cr, void *context) {
    double widest;
    (void)lay_out(cr, context, true, &widest);
}

typedef struct measure {
    legend *legend;
    double height, widest;
} measure;

static void measure_legend(cairo_t *cr, void *context) {
    measure *m = context;
    (void)lay_out(cr, m->legend, false, &m->widest);
    if (m->widest > (double)m->legend->width) {
        m->legend->width = (int64_t)m->widest + 1;
    }
    m->height = lay_out(cr, m->legend, false, &m->widest);
}

/* The one above the other, on white. */
static attn_status stack(const attn_picture *above, const attn_picture *below, attn_picture *out,
                         attn_error *error) {
    const attn_picture *part[2] = {above, below};
    int64_t width = above->width > below->width ? above->width : below->width;
    attn_status status = attn_picture_create(width, above->height + below->height, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    uint8_t *row = out->rgb;
    for (int i = 0; i < 2; i++) {
        for (int64_t y = 0; y < part[i]->height; y++, row += width * 3) {
            size_t used = (size_t)part[i]->width * 3;
            memcpy(row, part[i]->rgb + (size_t)y * used, used);
            memset(row + used, 255, (size_t)width * 3 - used);
        }
    }
    return ATTN_OK;
}

attn_status attn_overlay_legend(attn_picture *picture, const attn_mask *mask,
                                const attn_classes *classes, attn_error *error) {
    legend l = {.classes = classes, .total = mask->width * mask->height};
    l.width = picture->width < MAX_STRIP ? picture->width : MAX_STRIP;
    l.size = picture->width < 1200 ? 12 : (double)l.width / 100;
    attn_mask_count(mask, l.seen);
    measure m = {&l, 0, 0};
    attn_picture strip, whole;
    attn_status status = attn_drawing_draw(1, 1, measure_legend, &m, &strip, error);
    attn_picture_free(&strip);
    if (status == ATTN_OK) {
        status = attn_drawing_draw(l.width, (int64_t)m.height + 1, draw_legend, &l, &strip, error);
    }
    if (status == ATTN_OK) {
        status = stack(picture, &strip, &whole, error);
    }
    attn_picture_free(&strip);
    if (status == ATTN_OK) {
        attn_picture_free(picture);
        *picture = whole;
    }
    return status;
}

/* image/heat.c: a map of weights, such as attention, over a picture.
 *
 * The contract is image/overlay.h. */
#include "image/overlay.h"

#include <stdio.h>

#include "base/memory.h"
#include "image/drawing.h"
#include "image/resize.h"

enum { LARGEST_SIDE = 2048, SMALLEST_SIDE = 256, FONT = 12 };
enum { MARGIN = 12, BAR = 16, BAR_SPACE = 90, TITLE_SPACE = 26 };

void attn_heat_color(double weight, uint8_t rgb[3]) {
    /* Evenly spaced; the lightness rises from each to the next. */
    static const double stop[][3] = {
        {6, 18, 74},     {46, 62, 122},  {104, 104, 128},
        {164, 150, 110}, {222, 196, 72}, {255, 240, 150},
    };
    enum { STEPS = sizeof stop / sizeof *stop - 1 };
    double place = weight > 0 ? weight < 1 ? weight * STEPS : STEPS : 0;
    int step = place < STEPS ? (int)place : STEPS - 1;
    double part = place - step;
    for (int c = 0; c < 3; c++) {
        rgb[c] = (uint8_t)(stop[step][c] + (stop[step + 1][c] - stop[step][c]) * part + 0.5);
    }
}

static double weight_at(const attn_heat *heat, int64_t x, int64_t y) {
    float value = heat->map[y * heat->map_width + x];
    return value > 0 ? value : 0; /* NaN too */
}

static double find_top(const attn_heat *heat) {
    double top = heat->top;
    for (int64_t i = 0; !(heat->top > 0) && i < heat->map_width * heat->map_height; i++) {
        double value = weight_at(heat, i % heat->map_width, i / heat->map_width);
        top = value > top ? value : top;
    }
    return top > 0 ? top : 1;
}

/* Between which two of `cells` a pixel lies, and how far towards the second. */
static double between(int64_t pixel, int64_t pixels, int64_t cells, int64_t cell[2]) {
    double place = ((double)pixel + 0.5) * (double)cells / (double)pixels - 0.5;
    place = place > 0 ? place : 0;
    cell[0] = (int64_t)place;
    cell[1] = cell[0] + 1 < cells ? cell[0] + 1 : cells - 1;
    return place - (double)cell[0];
}

static double smooth_weight(const attn_heat *heat, int64_t x, int64_t y) {
    int64_t column[2], row[2];
    double right = between(x, heat->picture->width, heat->map_width, column);
    double down = between(y, heat->picture->height, heat->map_height, row);
    double upper = weight_at(heat, column[0], row[0]) * (1 - right) +
                   weight_at(heat, column[1], row[0]) * right;
    double lower = weight_at(heat, column[0], row[1]) * (1 - right) +
                   weight_at(heat, column[1], row[1]) * right;
    return upper * (1 - down) + lower * down;
}

attn_status attn_heat_blend(const attn_heat *heat, attn_picture *out, attn_error *error) {
    const attn_picture *picture = heat->picture;
    attn_status status = attn_picture_create(picture->width, picture->height, out, error);
    if (status != ATTN_OK) {
        return status;
    }
    double top = find_top(heat);
    for (int64_t y = 0; y < picture->height; y++) {
        for (int64_t x = 0; x < picture->width; x++) {
            const uint8_t *from = picture->rgb + (y * picture->width + x) * 3;
            uint8_t *to = out->rgb + (y * picture->width + x) * 3;
            uint8_t color[3];
            double weight = smooth_weight(heat, x, y) / top;
            weight = weight < 1 ? weight : 1;
            attn_heat_color(weight, color);
            double grey = 0.3 * from[0] + 0.59 * from[1] + 0.11 * from[2];
            double share = 0.45 + 0.45 * weight;
            for (int c = 0; c < 3; c++) {
                to[c] = (uint8_t)(grey * (1 - share) + color[c] * share + 0.5);
            }
        }
    }
    return ATTN_OK;
}

/* ---- with marker, title and bar ---- */

typedef struct page {
    const attn_heat *heat;
    const attn_picture *blended;
    double scale;   /* page units a pixel of the picture */
    double enlarge; /* and a pixel of `blended` */
    double top;     /* weight of the lightest colour */
    double x, y;    /* corner of the picture */
} page;

/* Two rings, so that one is seen on any ground. */
static void draw_marker(cairo_t *cr, double x, double y) {
    for (int ring = 0; ring < 2; ring++) {
        cairo_set_source_rgb(cr, ring, ring, ring);
        cairo_set_line_width(cr, ring == 0 ? 4 : 1.8);
        cairo_arc(cr, x, y, 7, 0, 2 * 3.14159265358979);
        cairo_stroke(cr);
    }
}

static void draw_bar(cairo_t *cr, const page *p, double x, double y, double height) {
    enum { STEPS = 64 };
    char text[32];
    for (int i = 0; i < STEPS; i++) {
        uint8_t rgb[3];
        attn_heat_color((i + 0.5) / STEPS, rgb);
        cairo_set_source_rgb(cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0);
        /* A little taller than a step, against seams. */
        cairo_rectangle(cr, x, y + height * (STEPS - 1 - i) / STEPS, BAR, height / STEPS + 0.5);
        cairo_fill(cr);
    }
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    snprintf(text, sizeof text, "%.3g", p->top);
    attn_drawing_text(cr, x + BAR + 6, y + 9, 0, text);
    attn_drawing_text(cr, x + BAR + 6, y + height, 0, "0");
    const char *quantity = p->heat->quantity != NULL ? p->heat->quantity : "weight";
    attn_drawing_text(cr, x + BAR + 6, y + height / 2 + 4, 0, quantity);
}

static void draw_page(cairo_t *cr, void *context) {
    const page *p = context;
    const attn_heat *heat = p->heat;
    cairo_set_font_size(cr, FONT);
    if (heat->title != NULL) {
        attn_drawing_text(cr, p->x, MARGIN + 12, 0, heat->title);
    }
    attn_drawing_paint(cr, p->blended, p->x, p->y, p->enlarge);
    if (heat->at_x >= 0 && heat->at_y >= 0) {
        draw_marker(cr, p->x + ((double)heat->at_x + 0.5) * p->scale,
                    p->y + ((double)heat->at_y + 0.5) * p->scale);
    }
    draw_bar(cr, p, p->x + (double)p->blended->width * p->enlarge + MARGIN, p->y,
             (double)p->blended->height * p->enlarge);
}

/* A copy that fits, when the picture does not. */
static attn_status shrink(const attn_picture *picture, double scale, attn_picture *out,
                          attn_error *error) {
    attn_scratch scratch = {NULL, 0};
    int64_t width = (int64_t)((double)picture->width * scale);
    int64_t height = (int64_t)((double)picture->height * scale);
    attn_status status =
        attn_picture_create(width > 0 ? width : 1, height > 0 ? height : 1, out, error);
    if (status == ATTN_OK) {
        attn_resize_part window = {out->width, out->height, 0, 0, out->width, out->height};
        status = attn_resize_picture(picture, &window, out->rgb, &scratch, error);
    }
    attn_scratch_free(&scratch);
    return status;
}

/* Picture and bar side by side below the title, whichever is wider. */
static attn_status write_page(const char *path, page *p, attn_error *error) {
    const char *title = p->heat->title;
    double width = (double)p->blended->width * p->enlarge + 2 * MARGIN + BAR + BAR_SPACE;
    double wanted = title != NULL ? attn_drawing_text_width(FONT, title) + 2 * MARGIN : 0;
    width = width > wanted ? width : wanted;
    double height = (double)p->blended->height * p->enlarge + MARGIN + p->y;
    return attn_drawing_write(path, (int64_t)(width + 0.5), (int64_t)height, draw_page, p, error);
}

attn_status attn_heat_write(const char *path, const attn_heat *heat, attn_error *error) {
    attn_picture small = {0, 0, NULL}, blended = {0, 0, NULL};
    int64_t side =
        heat->picture->width > heat->picture->height ? heat->picture->width : heat->picture->height;
    attn_heat fitted = *heat;
    page p = {.heat = heat, .blended = &blended, .enlarge = 1, .x = MARGIN, .y = MARGIN};
    attn_status status = ATTN_OK;
    p.scale = 1;
    if (side > LARGEST_SIDE) {
        p.scale = (double)LARGEST_SIDE / (double)side;
        status = shrink(heat->picture, p.scale, &small, error);
        fitted.picture = &small;
    } else if (side < SMALLEST_SIDE) {
        p.scale = p.enlarge = (double)((SMALLEST_SIDE + side - 1) / side);
    }
    if (status == ATTN_OK) {
        status = attn_heat_blend(&fitted, &blended, error);
    }
    if (status == ATTN_OK) {
        p.top = find_top(heat);
        p.y += heat->title != NULL ? TITLE_SPACE : 0;
        status = write_page(path, &p, error);
    }
    attn_picture_free(&small);
    attn_picture_free(&blended);
    return status;
}

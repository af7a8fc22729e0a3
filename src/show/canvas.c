/* show/canvas.c: measuring and drawing.
 *
 * Text is laid out by pango, which finds fonts for every script. Shapes go to cairo, whatever the
 * format; so does text, but in SVG, where cairo would draw outlines: there it becomes <text>. */
#include "show/canvas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "show/canvas_parts.h"

/* From the middle of a text down to its baseline, as a share of its size. */
static const double middle = 0.35;
static const double line_height = 1.45;

/* ---- bytes ---- */

void attn_canvas_fail_memory(attn_canvas *canvas, size_t bytes) {
    if (canvas->error.status == ATTN_OK) {
        (void)attn_fail_memory(&canvas->error, bytes);
    }
}

void attn_canvas_append(attn_canvas *canvas, attn_canvas_bytes *bytes, const char *data,
                        size_t size) {
    if (bytes->size + size > bytes->room) {
        size_t room = 2 * bytes->room + size;
        char *grown = attn_alloc(room);
        if (grown == NULL) {
            attn_canvas_fail_memory(canvas, room);
            return;
        }
        if (bytes->size > 0) {
            memcpy(grown, bytes->data, bytes->size);
        }
        attn_free(bytes->data);
        bytes->data = grown;
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void attn_canvas_append_escaped(attn_canvas *canvas, attn_canvas_bytes *bytes, const char *text) {
    for (; *text != '\0'; text++) {
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        attn_canvas_append(canvas, bytes, entity != NULL ? entity : text,
                           entity != NULL ? strlen(entity) : 1);
    }
}

/* ---- text ---- */

/* In place: control characters, what is not UTF-8 and what XML has no place for as '?'; ends of
 * lines and tabs as spaces. */
static void clean(char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        size_t step = attn_utf8_step(text, left);
        unsigned char first = (unsigned char)text[0], second = (unsigned char)text[step > 1];
        bool control = step == 1 && (first < 0x20 || first == 0x7F);
        bool control_1 = step == 2 && first == 0xC2 && second < 0xA0;
        bool no_character = step == 3 && memcmp(text, "\xEF\xBF", 2) == 0 &&
                            (unsigned char)text[2] >= 0xBE; /* U+FFFE, U+FFFF */
        bool space = step == 1 && (first == '\n' || first == '\t' || first == '\r');
        step = step == 0 ? 1 : step;
        if (space) {
            text[0] = ' ';
        } else if (control || control_1 || no_character || attn_utf8_step(text, left) == 0) {
            memset(text, '?', step);
        }
        text += step;
        left -= step;
    }
}

/* NULL when out of memory, or after another failure. */
static PangoLayout *lay_out(attn_canvas *canvas, const char *text, double size, bool bold,
                            double width) {
    size_t bytes = strlen(text) + 1;
    char *copy = canvas->error.status == ATTN_OK ? attn_alloc(bytes) : NULL;
    if (copy == NULL) {
        attn_canvas_fail_memory(canvas, bytes);
        return NULL;
    }
    memcpy(copy, text, bytes);
    clean(copy);
    PangoLayout *layout = pango_layout_new(canvas->pango);
    PangoFontDescription *font = pango_font_description_from_string("sans-serif");
    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    pango_font_description_set_weight(font, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_single_paragraph_mode(layout, TRUE);
    pango_layout_set_text(layout, copy, -1);
    if (width > 0) {
        pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
        pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    }
    attn_free(copy);
    return layout;
}

static double width_of(PangoLayout *layout) {
    int width;
    pango_layout_get_size(layout, &width, NULL);
    return (double)width / PANGO_SCALE;
}

double attn_canvas_text_width(attn_canvas *canvas, const char *text, double size, bool bold) {
    PangoLayout *layout = lay_out(canvas, text, size, bold, 0);
    if (layout == NULL) {
        return 0;
    }
    double width = width_of(layout);
    g_object_unref(layout);
    return width;
}

const char *attn_canvas_fit(attn_canvas *canvas, const char *text, double size, double width,
                            char *buffer, size_t buffer_size) {
    static const char cut[] = "\xe2\x80\xa6";
    size_t length = strlen(text);
    if (length < buffer_size && attn_canvas_text_width(canvas, text, size, false) <= width) {
        memcpy(buffer, text, length + 1);
        return buffer;
    }
    size_t kept = 0;
    for (size_t step; kept < length; kept += step) {
        step = attn_utf8_step(text + kept, length - kept);
        step = step == 0 ? 1 : step;
        if (kept + step + sizeof cut > buffer_size) {
            break;
        }
        memcpy(buffer, text, kept + step);
        memcpy(buffer + kept + step, cut, sizeof cut);
        if (attn_canvas_text_width(canvas, buffer, size, false) > width) {
            break;
        }
    }
    memcpy(buffer, text, kept);
    memcpy(buffer + kept, cut, sizeof cut);
    return buffer;
}

static void note_missing(attn_canvas *canvas, PangoLayout *layout) {
    if (canvas->missing[0] == '\0' && pango_layout_get_unknown_glyphs_count(layout) > 0) {
        attn_utf8_quote(canvas->missing, sizeof canvas->missing, pango_layout_get_text(layout));
    }
}

static void write_svg_text(attn_canvas *canvas, double x, double y, const char *text, size_t length,
                           const attn_text_style *style) {
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    char element[320], turn[80] = "", *copy = attn_alloc(length + 1);
    if (copy == NULL) {
        attn_canvas_fail_memory(canvas, length + 1);
        return;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    double down = middle * style->size; /* to the baseline, along the text's own axes */
    if (style->angle != 0) {
        snprintf(turn, sizeof turn, " transform=\"rotate(%.6g %.6g %.6g)\"",
                 style->angle * 180 / G_PI, x, y);
    }
    int used = snprintf(
        element, sizeof element,
        "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.4g\" fill=\"#%02x%02x%02x\"%s%s%s>", x, y + down,
        style->size, (unsigned)lrint(255 * style->color.red),
        (unsigned)lrint(255 * style->color.green), (unsigned)lrint(255 * style->color.blue),
        anchors[lrint(2 * style->align)], style->bold ? " font-weight=\"bold\"" : "", turn);
    attn_canvas_append(canvas, &canvas->svg_text, element, (size_t)used);
    attn_canvas_append_escaped(canvas, &canvas->svg_text, copy);
    attn_canvas_append(canvas, &canvas->svg_text, "</text>\n", 8);
    attn_free(copy);
}

static void set_color(attn_canvas *canvas, attn_color color) {
    cairo_set_source_rgba(canvas->cairo, color.red, color.green, color.blue, color.alpha);
}

static void draw_line(attn_canvas *canvas, double x, double y, PangoLayout *layout,
                      PangoLayoutLine *line, const attn_text_style *style) {
    if (canvas->format == ATTN_CANVAS_SVG) {
        write_svg_text(canvas, x, y, pango_layout_get_text(layout) + line->start_index,
                       (size_t)line->length, style);
        return;
    }
    PangoRectangle extents;
    pango_layout_line_get_extents(line, NULL, &extents);
    cairo_save(canvas->cairo);
    set_color(canvas, style->color);
    cairo_translate(canvas->cairo, x, y);
    cairo_rotate(canvas->cairo, style->angle);
    cairo_move_to(canvas->cairo, -style->align * extents.width / PANGO_SCALE, middle * style->size);
    pango_cairo_show_layout_line(canvas->cairo, line);
    cairo_restore(canvas->cairo);
}

void attn_canvas_text(attn_canvas *canvas, double x, double y, const char *text,
                      attn_text_style style) {
    PangoLayout *layout = lay_out(canvas, text, style.size, style.bold, 0);
    if (layout == NULL) {
        return;
    }
    note_missing(canvas, layout);
    draw_line(canvas, x, y, layout, pango_layout_get_line_readonly(layout, 0), &style);
    g_object_unref(layout);
}

double attn_canvas_paragraph_height(attn_canvas *canvas, double width, const char *text,
                                    attn_text_style style) {
    PangoLayout *layout = lay_out(canvas, text, style.size, style.bold, width);
    if (layout == NULL) {
        return 0;
    }
    int lines = pango_layout_get_line_count(layout);
    g_object_unref(layout);
    return lines * line_height * style.size;
}

void attn_canvas_paragraph(attn_canvas *canvas, double x, double y, double width, const char *text,
                           attn_text_style style) {
    PangoLayout *layout = lay_out(canvas, text, style.size, style.bold, width);
    if (layout == NULL) {
        return;
    }
    note_missing(canvas, layout);
    for (int i = 0; i < pango_layout_get_line_count(layout); i++) {
        draw_line(canvas, x, y + (i + 0.5) * line_height * style.size, layout,
                  pango_layout_get_line_readonly(layout, i), &style);
    }
    g_object_unref(layout);
}

const char *attn_canvas_missing(const attn_canvas *canvas) {
    return canvas->missing[0] != '\0' ? canvas->missing : NULL;
}

/* ---- shapes ---- */

void attn_canvas_fill(attn_canvas *canvas, double x, double y, double width, double height,
                      attn_color color) {
    if (canvas->error.status == ATTN_OK) {
        set_color(canvas, color);
        cairo_rectangle(canvas->cairo, x, y, width, height);
        cairo_fill(canvas->cairo);
    }
}

void attn_canvas_frame(attn_canvas *canvas, double x, double y, double width, double height,
                       double line, attn_color color) {
    if (canvas->error.status == ATTN_OK) {
        set_color(canvas, color);
        cairo_set_line_width(canvas->cairo, line);
        cairo_rectangle(canvas->cairo, x, y, width, height);
        cairo_stroke(canvas->cairo);
    }
}

void attn_canvas_curve(attn_canvas *canvas, double x0, double y0, double x1, double y1, double line,
                       bool dashed, attn_color color) {
    static const double dashes[] = {5, 3};
    if (canvas->error.status == ATTN_OK) {
        double third = (x1 - x0) / 3;
        set_color(canvas, color);
        cairo_set_line_width(canvas->cairo, line);
        cairo_set_dash(canvas->cairo, dashes, dashed ? 2 : 0, 0);
        cairo_move_to(canvas->cairo, x0, y0);
        cairo_curve_to(canvas->cairo, x0 + third, y0, x1 - third, y1, x1, y1);
        cairo_stroke(canvas->cairo);
        cairo_set_dash(canvas->cairo, NULL, 0, 0);
    }
}

/* One pixel of the raster, or a block of them: what makes a cell as fine as a PNG is. */
static void fill_raster(cairo_surface_t *raster, int64_t block, int64_t rows, int64_t columns,
                        const attn_color *colors) {
    unsigned char *data = cairo_image_surface_get_data(raster);
    int64_t stride = cairo_image_surface_get_stride(raster);
    cairo_surface_flush(raster);
    for (int64_t y = 0; y < rows * block; y++) {
        uint32_t *line = (uint32_t *)(void *)(data + y * stride);
        for (int64_t x = 0; x < columns * block; x++) {
            const attn_color *c = &colors[y / block * columns + x / block];
            line[x] = (uint32_t)lrint(255 * c->red) << 16 | (uint32_t)lrint(255 * c->green) << 8 |
                      (uint32_t)lrint(255 * c->blue);
        }
    }
    cairo_surface_mark_dirty(raster);
}

void attn_canvas_cells(attn_canvas *canvas, double x, double y, double cell, int64_t rows,
                       int64_t columns, const attn_color *colors) {
    if (canvas->error.status != ATTN_OK) {
        return;
    }
    int64_t block = (int64_t)ceil(2 * cell);
    cairo_surface_t *raster =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(columns * block), (int)(rows * block));
    if (cairo_surface_status(raster) != CAIRO_STATUS_SUCCESS) {
        attn_canvas_fail_memory(canvas, (size_t)(rows * columns * block * block) * 4);
    } else {
        fill_raster(raster, block, rows, columns, colors);
        cairo_save(canvas->cairo);
        cairo_translate(canvas->cairo, x, y);
        cairo_scale(canvas->cairo, cell / (double)block, cell / (double)block);
        cairo_set_source_surface(canvas->cairo, raster, 0, 0);
        cairo_pattern_set_filter(cairo_get_source(canvas->cairo), CAIRO_FILTER_NEAREST);
        cairo_paint(canvas->cairo);
        cairo_restore(canvas->cairo);
    }
    cairo_surface_destroy(raster);
}

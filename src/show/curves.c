/* show/curves.c: panels of curves one above the other, drawn with cairo.
 *
 * A panel has up to two series over the step; axes have round numbers. Colours are told apart also
 * by who does not see red and green, and the second series is dashed. */
#include "show/curves.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/cairo.h"
#include "io/file.h"

enum { WIDTH = 860, PANEL = 270, LEFT = 80, RIGHT = 30, TOP = 40, BOTTOM = 45 };
enum { SERIES = 4 };

typedef enum series_name { TRAIN_LOSS, VALID_LOSS, BLEU, RATE } series_name;

typedef struct point {
    double x, y;
} point;

typedef struct series {
    point *point;
    size_t count, room;
} series;

typedef struct panel {
    const char *title;
    struct {
        series_name name;
        const char *label;
    } line[2];
    int lines;
    bool optional; /* left out when it has no points */
    bool from_zero;
} panel;

static const panel panels[] = {
    {"loss per target token (smoothed, natural logarithm)",
     {{TRAIN_LOSS, "training"}, {VALID_LOSS, "validation"}},
     2,
     false,
     false},
    {"BLEU of the validation sentences", {{BLEU, "BLEU"}}, 1, true, false},
    {"learning rate", {{RATE, "learning rate"}}, 1, false, true},
};
enum { PANELS = sizeof panels / sizeof *panels };

static const double colors[2][3] = {{0.0, 0.447, 0.698}, {0.835, 0.369, 0.0}};

/* ---- reading the log ---- */

static attn_status add_point(series *s, double x, json_t *y, attn_error *error) {
    if (!json_is_number(y)) {
        return ATTN_OK; /* null stands for NaN and infinity */
    }
    if (s->count == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 64;
        point *grown = attn_alloc(room * sizeof *grown);
        if (grown == NULL) {
            return attn_fail_memory(error, room * sizeof *grown);
        }
        if (s->count > 0) {
            memcpy(grown, s->point, s->count * sizeof *grown);
        }
        attn_free(s->point);
        s->point = grown;
        s->room = room;
    }
    s->point[s->count++] = (point){x, json_number_value(y)};
    return ATTN_OK;
}

static attn_status add_line(series all[SERIES], json_t *line, attn_error *error) {
    const char *event = json_string_value(json_object_get(line, "event"));
    double step = json_number_value(json_object_get(line, "step"));
    attn_status status = ATTN_OK;
    if (event != NULL && strcmp(event, "step") == 0) {
        status = add_point(&all[TRAIN_LOSS], step, json_object_get(line, "loss"), error);
        if (status == ATTN_OK) {
            status = add_point(&all[RATE], step, json_object_get(line, "learning_rate"), error);
        }
    } else if (event != NULL && strcmp(event, "validation") == 0) {
        status = add_point(&all[VALID_LOSS], step, json_object_get(line, "loss"), error);
        if (status == ATTN_OK) {
            status = add_point(&all[BLEU], step, json_object_get(line, "bleu"), error);
        }
    }
    return status;
}

static attn_status read_log(const char *path, series all[SERIES], attn_error *error) {
    char *text;
    size_t size;
    int64_t number = 0;
    attn_status status = attn_file_read(path, 0, &text, &size, error);
    if (status != ATTN_OK) {
        return status;
    }
    for (char *at = text, *end; status == ATTN_OK && at < text + size; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + size - at));
        if (end == NULL) {
            break; /* torn by a kill */
        }
        number++;
        json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
        if (!json_is_object(line)) {
            status = attn_fail(error, ATTN_ERR_FORMAT, path, number, NULL,
                               "the line is not a JSON object");
        } else {
            status = add_line(all, line, error);
        }
        json_decref(line);
    }
    attn_free(text);
    return status;
}

/* ---- axes ---- */

typedef struct axis {
    double low, high, tick;
} axis;

/* A range widened to round numbers with about `ticks` of them. */
static axis round_axis(double low, double high, int ticks) {
    if (!(high > low)) {
        double half = low != 0 ? fabs(low) * 0.5 : 0.5;
        high = low + half;
        low -= half;
    }
    double raw = (high - low) / ticks, power = pow(10, floor(log10(raw)));
    double digit = raw / power;
    double tick = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
    return (axis){floor(low / tick) * tick, ceil(high / tick) * tick, tick};
}

static void widen(const series *s, bool vertical, double *low, double *high) {
    for (size_t i = 0; i < s->count; i++) {
        double value = vertical ? s->point[i].y : s->point[i].x;
        *low = value < *low ? value : *low;
        *high = value > *high ? value : *high;
    }
}

static axis step_axis(const series all[SERIES]) {
    double low = 0, high = 0;
    for (int i = 0; i < SERIES; i++) {
        widen(&all[i], false, &low, &high);
    }
    axis x = round_axis(0, high > 0 ? high : 1, 8);
    x.high = high > 0 ? high : 1; /* the curves reach the right edge */
    return x;
}

static axis value_axis(const panel *p, const series all[SERIES]) {
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < p->lines; i++) {
        widen(&all[p->line[i].name], true, &low, &high);
    }
    if (!(low <= high)) {
        return (axis){0, 1, 0.2};
    }
    return round_axis(p->from_zero && low > 0 ? 0 : low, high, 5);
}

/* ---- drawing ---- */

typedef struct frame {
    cairo_t *cr;
    double top;
    axis x, y;
} frame;

static double place_x(const frame *f, double x) {
    return LEFT + (x - f->x.low) / (f->x.high - f->x.low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const frame *f, double y) {
    double height = PANEL - TOP - BOTTOM;
    return f->top + TOP + height - (y - f->y.low) / (f->y.high - f->y.low) * height;
}

/* align: 0 starts at x, 1 ends there, 0.5 is centred. */
static void text_at(cairo_t *cr, double x, double y, double align, const char *text) {
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, text);
}

static void grid_line(cairo_t *cr, double x0, double y0, double x1, double y1) {
    cairo_set_source_rgb(cr, 0.87, 0.87, 0.87);
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_stroke(cr);
    cairo_set_source_rgb(cr, 0.2, 0.2, 0.2);
}

static void draw_axes(const frame *f) {
    cairo_t *cr = f->cr;
    char text[32];
    double bottom = place_y(f, f->y.low);
    cairo_set_line_width(cr, 1);
    for (double v = f->y.low; v <= f->y.high + f->y.tick / 2; v += f->y.tick) {
        double value = fabs(v) < f->y.tick / 1e6 ? 0 : v;
        grid_line(cr, LEFT, place_y(f, v), WIDTH - RIGHT, place_y(f, v));
        snprintf(text, sizeof text, "%.6g", value);
        text_at(cr, LEFT - 8, place_y(f, v) + 4, 1, text);
    }
    for (double v = f->x.low; v <= f->x.high * (1 + 1e-9); v += f->x.tick) {
        grid_line(cr, place_x(f, v), place_y(f, f->y.high), place_x(f, v), bottom);
        snprintf(text, sizeof text, "%.10g", v);
        text_at(cr, place_x(f, v), bottom + 18, 0.5, text);
    }
    text_at(cr, (LEFT + WIDTH - RIGHT) / 2.0, bottom + 36, 0.5, "step");
}

static void set_style(cairo_t *cr, int style) {
    const double dashes[] = {6, 3};
    cairo_set_source_rgb(cr, colors[style][0], colors[style][1], colors[style][2]);
    cairo_set_line_width(cr, 1.8);
    cairo_set_dash(cr, dashes, style == 0 ? 0 : 2, 0);
}

static void draw_series(const frame *f, const series *s, int style) {
    set_style(f->cr, style);
    cairo_new_path(f->cr); /* text leaves a current point behind */
    for (size_t i = 0; i < s->count; i++) {
        cairo_line_to(f->cr, place_x(f, s->point[i].x), place_y(f, s->point[i].y));
    }
    cairo_stroke(f->cr);
    cairo_set_dash(f->cr, NULL, 0, 0);
}

static void draw_legend(const frame *f, const panel *p) {
    for (int i = 0; i < p->lines; i++) {
        double x = WIDTH - RIGHT - 120.0 * (p->lines - i), y = f->top + 20;
        set_style(f->cr, i);
        cairo_move_to(f->cr, x, y);
        cairo_line_to(f->cr, x + 30, y);
        cairo_stroke(f->cr);
        cairo_set_source_rgb(f->cr, 0.2, 0.2, 0.2);
        text_at(f->cr, x + 38, y + 4, 0, p->line[i].label);
    }
    cairo_set_dash(f->cr, NULL, 0, 0);
}

static void draw_panel(cairo_t *cr, const panel *p, const series all[SERIES], double top, axis x) {
    frame f = {cr, top, x, value_axis(p, all)};
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    cairo_set_font_size(cr, 14);
    text_at(cr, LEFT, top + 24, 0, p->title);
    cairo_set_font_size(cr, 12);
    draw_axes(&f);
    for (int i = 0; i < p->lines; i++) {
        draw_series(&f, &all[p->line[i].name], i);
    }
    if (p->lines > 1) {
        draw_legend(&f, p);
    }
}

/* ---- the picture ---- */

static bool shown(const panel *p, const series all[SERIES]) {
    return !p->optional || all[p->line[0].name].count > 0;
}

static void draw_all(cairo_t *cr, const series all[SERIES], int height) {
    double top = 0;
    axis x = step_axis(all);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_rectangle(cr, 0, 0, WIDTH, height);
    cairo_fill(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    for (int i = 0; i < PANELS; i++) {
        if (shown(&panels[i], all)) {
            draw_panel(cr, &panels[i], all, top, x);
            top += PANEL;
        }
    }
}

typedef struct picture {
    char *bytes;
    size_t size, room;
} picture;

static cairo_status_t collect(void *context, const unsigned char *data, unsigned int length) {
    picture *p = context;
    if (p->size + length > p->room) {
        size_t room = 2 * p->room + length;
        char *grown = attn_alloc(room);
        if (grown == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        if (p->size > 0) {
            memcpy(grown, p->bytes, p->size);
        }
        attn_free(p->bytes);
        p->bytes = grown;
        p->room = room;
    }
    memcpy(p->bytes + p->size, data, length);
    p->size += length;
    return CAIRO_STATUS_SUCCESS;
}

static attn_status draw_picture(const series all[SERIES], picture *out, attn_error *error) {
    int height = 0;
    for (int i = 0; i < PANELS; i++) {
        height += shown(&panels[i], all) ? PANEL : 0;
    }
    cairo_surface_t *surface =
        cairo_svg_surface_create_for_stream(collect, out, WIDTH, (double)height);
    cairo_t *cr = cairo_create(surface);
    draw_all(cr, all, height);
    cairo_status_t result = cairo_status(cr);
    cairo_destroy(cr);
    cairo_surface_finish(surface);
    result = result == CAIRO_STATUS_SUCCESS ? cairo_surface_status(surface) : result;
    cairo_surface_destroy(surface);
    if (result == CAIRO_STATUS_NO_MEMORY) {
        return attn_fail_memory(error, out->room);
    }
    return result == CAIRO_STATUS_SUCCESS
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_UNSUPPORTED, "cairo", -1, NULL, "cannot draw: %s",
                           cairo_status_to_string(result));
}

attn_status attn_curves_draw(const char *log_path, const char *svg_path, attn_error *error) {
    series all[SERIES] = {{NULL, 0, 0}};
    picture svg = {NULL, 0, 0};
    attn_status status = attn_cairo_open(error);
    status = status == ATTN_OK ? read_log(log_path, all, error) : status;
    if (status == ATTN_OK) {
        status = draw_picture(all, &svg, error);
    }
    if (status == ATTN_OK) {
        attn_bytes bytes = {svg.bytes, svg.size};
        status = attn_file_replace(svg_path, &bytes, 1, error);
    }
    for (int i = 0; i < SERIES; i++) {
        attn_free(all[i].point);
    }
    attn_free(svg.bytes);
    return status;
}

/* show/plot.c: axes with round numbers, lines and a legend, drawn with cairo.
 *
 * A panel has up to two lines. Colours are told apart also by who does not see red and green, and the
 * second line is dashed. */
#include "show/plot.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "image/drawing.h"

enum { WIDTH = 860, PANEL = 270, LEFT = 80, RIGHT = 30, TOP = 40, BOTTOM = 45 };

static const double colors[ATTN_PLOT_LINES][3] = {{0.0, 0.447, 0.698}, {0.835, 0.369, 0.0}};

/* ---- axes ---- */

/* Logarithmic: low and high are powers of ten or points; a tick at every power of ten. */
typedef struct axis {
    double low, high, tick;
    bool logarithmic;
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
    return (axis){floor(low / tick) * tick, ceil(high / tick) * tick, tick, false};
}

/* The power of ten at or below, or at or above; a little off is at. */
static double power_below(double value) {
    return pow(10, floor(log10(value) + 1e-9));
}
static double power_above(double value) {
    return pow(10, ceil(log10(value) - 1e-9));
}

static bool drawn(const attn_plot_panel *p, attn_plot_point point) {
    return !p->logarithmic || (point.x > 0 && point.y > 0);
}

static void widen(const attn_plot_panel *p, bool vertical, double *low, double *high) {
    for (int n = 0; n < p->lines; n++) {
        for (size_t i = 0; i < p->line[n].count; i++) {
            attn_plot_point point = p->line[n].point[i];
            double value = vertical ? point.y : point.x;
            if (drawn(p, point)) {
                *low = value < *low ? value : *low;
                *high = value > *high ? value : *high;
            }
        }
    }
}

/* The lines reach the right edge. */
static axis x_axis(const attn_plot_panel *panel, size_t count) {
    bool logarithmic = count > 0 && panel[0].logarithmic;
    double low = logarithmic ? INFINITY : 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        widen(&panel[i], false, &low, &high);
    }
    if (logarithmic) {
        return high > low ? (axis){low, high, 10, true} : (axis){1, 10, 10, true};
    }
    axis x = round_axis(0, high > 0 ? high : 1, 8);
    x.high = high > 0 ? high : 1;
    return x;
}

static axis y_axis(const attn_plot_panel *p) {
    double low = INFINITY, high = -INFINITY;
    widen(p, true, &low, &high);
    if (p->logarithmic) {
        axis y = low <= high ? (axis){power_below(low), power_above(high), 10, true}
                             : (axis){1, 10, 10, true};
        y.high = y.high > y.low ? y.high : 10 * y.low;
        return y;
    }
    if (!(low <= high)) {
        return (axis){0, 1, 0.2, false};
    }
    return round_axis(p->from_zero && low > 0 ? 0 : low, high, 5);
}

static double fraction(const axis *a, double value) {
    return a->logarithmic ? log(value / a->low) / log(a->high / a->low)
                          : (value - a->low) / (a->high - a->low);
}

static double next_tick(const axis *a, double value) {
    return a->logarithmic ? value * a->tick : value + a->tick;
}

static double first_tick(const axis *a) {
    return a->logarithmic ? power_above(a->low) : a->low;
}

/* ---- drawing ---- */

typedef struct frame {
    cairo_t *cr;
    double top;
    axis x, y;
} frame;

static double place_x(const frame *f, double x) {
    return LEFT + fraction(&f->x, x) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const frame *f, double y) {
    double height = PANEL - TOP - BOTTOM;
    return f->top + TOP + height - fraction(&f->y, y) * height;
}

static void grid_line(cairo_t *cr, double x0, double y0, double x1, double y1) {
    cairo_set_source_rgb(cr, 0.87, 0.87, 0.87);
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_stroke(cr);
    cairo_set_source_rgb(cr, 0.2, 0.2, 0.2);
}

static void draw_axes(const frame *f, const char *x_label) {
    cairo_t *cr = f->cr;
    char text[32];
    double bottom = place_y(f, f->y.low), slack = f->y.logarithmic ? 0 : f->y.tick / 2;
    cairo_set_line_width(cr, 1);
    for (double v = first_tick(&f->y); v <= f->y.high * (1 + 1e-9) + slack;
         v = next_tick(&f->y, v)) {
        double value = !f->y.logarithmic && fabs(v) < f->y.tick / 1e6 ? 0 : v;
        grid_line(cr, LEFT, place_y(f, v), WIDTH - RIGHT, place_y(f, v));
        snprintf(text, sizeof text, "%.6g", value);
        attn_drawing_text(cr, LEFT - 8, place_y(f, v) + 4, 1, text);
    }
    for (double v = first_tick(&f->x); v <= f->x.high * (1 + 1e-9); v = next_tick(&f->x, v)) {
        grid_line(cr, place_x(f, v), place_y(f, f->y.high), place_x(f, v), bottom);
        snprintf(text, sizeof text, "%.10g", v);
        attn_drawing_text(cr, place_x(f, v), bottom + 18, 0.5, text);
    }
    attn_drawing_text(cr, (LEFT + WIDTH - RIGHT) / 2.0, bottom + 36, 0.5, x_label);
}

static void set_style(cairo_t *cr, int style) {
    const double dashes[] = {6, 3};
    cairo_set_source_rgb(cr, colors[style][0], colors[style][1], colors[style][2]);
    cairo_set_line_width(cr, 1.8);
    cairo_set_dash(cr, dashes, style == 0 ? 0 : 2, 0);
}

static void draw_line(const frame *f, const attn_plot_panel *p, int n) {
    set_style(f->cr, n);
    for (size_t i = 0; i < p->line[n].count; i++) {
        attn_plot_point point = p->line[n].point[i];
        if (drawn(p, point)) {
            cairo_line_to(f->cr, place_x(f, point.x), place_y(f, point.y));
        }
    }
    cairo_stroke(f->cr);
    cairo_set_dash(f->cr, NULL, 0, 0);
}

static void draw_legend(const frame *f, const attn_plot_panel *p) {
    for (int n = 0; n < p->lines; n++) {
        double x = WIDTH - RIGHT - 120.0 * (p->lines - n), y = f->top + 20;
        set_style(f->cr, n);
        cairo_move_to(f->cr, x, y);
        cairo_line_to(f->cr, x + 30, y);
        cairo_stroke(f->cr);
        cairo_set_source_rgb(f->cr, 0.2, 0.2, 0.2);
        attn_drawing_text(f->cr, x + 38, y + 4, 0, p->line[n].label);
    }
    cairo_set_dash(f->cr, NULL, 0, 0);
}

static void draw_panel(cairo_t *cr, const attn_plot_panel *p, double top, axis x) {
    frame f = {cr, top, x, y_axis(p)};
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    cairo_set_font_size(cr, 14);
    attn_drawing_text(cr, LEFT, top + 24, 0, p->title);
    cairo_set_font_size(cr, 12);
    draw_axes(&f, p->x_label);
    for (int n = 0; n < p->lines; n++) {
        draw_line(&f, p, n);
    }
    if (p->lines > 1) {
        draw_legend(&f, p);
    }
}

typedef struct plot {
    const attn_plot_panel *panel;
    size_t count;
} plot;

static void draw_all(cairo_t *cr, void *context) {
    const plot *p = context;
    axis x = x_axis(p->panel, p->count);
    for (size_t i = 0; i < p->count; i++) {
        draw_panel(cr, &p->panel[i], (double)i * PANEL, x);
    }
}

attn_status attn_plot_write(const char *svg_path, const attn_plot_panel *panel, size_t count,
                            attn_error *error) {
    plot p = {panel, count};
    return attn_drawing_write_svg(svg_path, WIDTH, (int64_t)count * PANEL, draw_all, &p, error);
}

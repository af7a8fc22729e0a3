/* image/confusion_show.c: the confusion matrix as a table, as comma-separated values and as a
 * picture. */
#include "image/confusion.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "image/drawing.h"
#include "image/overlay.h"

/* ---- text ---- */

typedef struct text {
    char *bytes;
    size_t used, room;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(t->bytes + t->used, t->room - t->used, format, arguments);
    va_end(arguments);
    t->used += written > 0 ? (size_t)written : 0;
}

static text text_start(size_t room) {
    text t = {attn_alloc(room), 0, room};
    if (t.bytes != NULL) {
        t.bytes[0] = '\0';
    }
    return t;
}

/* Code points, which is how wide a name is in most scripts. */
static int name_width(const char *name) {
    int width = 0;
    for (; *name != '\0'; name++) {
        width += ((unsigned char)*name & 0xc0) != 0x80;
    }
    return width;
}

static int64_t row_sum(const attn_confusion *confusion, int truth) {
    int64_t sum = 0;
    for (int p = 0; p < confusion->classes; p++) {
        sum += confusion->count[truth * confusion->classes + p];
    }
    return sum;
}

static void add_percent(text *t, double share) {
    if (isnan(share)) {
        add(t, "%9s", "-");
    } else {
        add(t, "%9.1f", 100 * share);
    }
}

char *attn_confusion_table(const attn_confusion *confusion, const attn_classes *classes) {
    attn_segmentation_scores scores;
    int widest = 8;
    attn_confusion_scores(confusion, &scores);
    for (int c = 0; c < confusion->classes; c++) {
        int width = name_width(classes->item[c].name);
        widest = width > widest ? width : widest;
    }
    text t = text_start(((size_t)confusion->classes + 8) * (2 * ATTN_CLASS_NAME_SIZE + 64));
    if (t.bytes == NULL) {
        return NULL;
    }
    add(&t, "%-*s%9s%9s%9s\n", widest, "class", "IoU %", "acc. %", "share %");
    for (int c = 0; c < confusion->classes; c++) {
        const char *name = classes->item[c].name;
        add(&t, "%s%*s", name, widest - name_width(name), "");
        add_percent(&t, scores.iou[c]);
        add_percent(&t, scores.accuracy[c]);
        add_percent(&t, scores.labelled > 0
                            ? (double)row_sum(confusion, c) / (double)scores.labelled
                            : NAN);
        add(&t, "\n");
    }
    add(&t, "%-*s", widest, "mean");
    add_percent(&t, scores.mean_iou);
    add_percent(&t, scores.mean_accuracy);
    add(&t, "\nglobal accuracy");
    add_percent(&t, scores.global_accuracy);
    add(&t, " %% of %" PRId64 " pixels; %" PRId64 " ignored\n", scores.labelled,
        confusion->ignored);
    return t.bytes;
}

/* A name with a comma, quote or the like in quotes, quotes doubled (RFC 4180). */
static void add_csv_name(text *t, const char *name) {
    if (strpbrk(name, ",\"\r\n") == NULL) {
        add(t, "%s", name);
        return;
    }
    add(t, "\"");
    for (; *name != '\0'; name++) {
        add(t, "%s%c", *name == '"' ? "\"" : "", *name);
    }
    add(t, "\"");
}

char *attn_confusion_csv(const attn_confusion *confusion, const attn_classes *classes) {
    size_t n = (size_t)confusion->classes;
    text t = text_start((n + 1) * 2 * (2 * ATTN_CLASS_NAME_SIZE + 4) + n * n * 22 + 64);
    if (t.bytes == NULL) {
        return NULL;
    }
    add(&t, "true\\predicted");
    for (int c = 0; c < confusion->classes; c++) {
        add(&t, ",");
        add_csv_name(&t, classes->item[c].name);
    }
    add(&t, "\n");
    for (int c = 0; c < confusion->classes; c++) {
        add_csv_name(&t, classes->item[c].name);
        for (int p = 0; p < confusion->classes; p++) {
            add(&t, ",%" PRId64, confusion->count[c * confusion->classes + p]);
        }
        add(&t, "\n");
    }
    return t.bytes;
}

/* ---- picture ---- */

enum { CELL = 44, MARGIN = 12, NAMES = 150, TOP = 150 };

typedef struct chart {
    const attn_confusion *confusion;
    const attn_classes *classes;
} chart;

static void draw_cell(cairo_t *cr, double x, double y, double share) {
    uint8_t rgb[3];
    char number[16];
    attn_heat_color(share, rgb);
    cairo_set_source_rgb(cr, rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0);
    cairo_rectangle(cr, x, y, CELL - 1, CELL - 1);
    cairo_fill(cr);
    double ink = share > 0.5 ? 0 : 1;
    cairo_set_source_rgb(cr, ink, ink, ink);
    snprintf(number, sizeof number, share > 0.0005 ? "%.1f" : "%.0f", 100 * share);
    attn_drawing_text(cr, x + CELL / 2.0, y + CELL / 2.0 + 4, 0.5, number);
}

static void draw_names(cairo_t *cr, const chart *c) {
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    for (int i = 0; i < c->confusion->classes; i++) {
        const char *name = c->classes->item[i].name;
        attn_drawing_text(cr, NAMES - 8, TOP + (i + 0.5) * CELL + 4, 1, name);
        cairo_save(cr);
        cairo_translate(cr, NAMES + (i + 0.5) * CELL + 4, TOP - 8);
        cairo_rotate(cr, -0.9);
        attn_drawing_text(cr, 0, 0, 0, name);
        cairo_restore(cr);
    }
    attn_drawing_text(cr, MARGIN, MARGIN + 12, 0,
                      "percent of each true class (row) called each class");
}

static void draw_chart(cairo_t *cr, void *context) {
    const chart *c = context;
    int n = c->confusion->classes;
    cairo_set_font_size(cr, 12);
    draw_names(cr, c);
    for (int t = 0; t < n; t++) {
        int64_t row = row_sum(c->confusion, t);
        for (int p = 0; p < n && row > 0; p++) {
            draw_cell(cr, NAMES + p * CELL, TOP + t * CELL,
                      (double)c->confusion->count[t * n + p] / (double)row);
        }
    }
}

attn_status attn_confusion_draw(const attn_confusion *confusion, const attn_classes *classes,
                                const char *path, attn_error *error) {
    chart c = {confusion, classes};
    int64_t side = (int64_t)confusion->classes * CELL;
    int64_t width = NAMES + side + TOP; /* slanted names reach beyond the last column */
    return attn_drawing_write(path, width, TOP + side + MARGIN, draw_chart, &c, error);
}

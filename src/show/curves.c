/* show/curves.c: the curves of a training, from its log. Next: show/plot.h, which draws them. */
#include "show/curves.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "io/file.h"
#include "show/plot.h"

enum { SERIES = 4 };

typedef enum series_name { TRAIN_LOSS, VALID_LOSS, BLEU, RATE } series_name;

typedef struct series {
    attn_plot_point *point;
    size_t count, room;
} series;

typedef struct panel {
    const char *title;
    struct {
        series_name name;
        const char *label;
    } line[ATTN_PLOT_LINES];
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

/* ---- reading the log ---- */

static attn_status add_point(series *s, double x, json_t *y, attn_error *error) {
    if (!json_is_number(y)) {
        return ATTN_OK; /* null stands for NaN and infinity */
    }
    if (s->count == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : 64;
        attn_plot_point *grown = attn_alloc(room * sizeof *grown);
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
    s->point[s->count++] = (attn_plot_point){x, json_number_value(y)};
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

/* ---- the picture ---- */

static attn_plot_panel panel_of(const panel *p, const series all[SERIES]) {
    attn_plot_panel out = {
        .title = p->title, .x_label = "step", .lines = p->lines, .from_zero = p->from_zero};
    for (int n = 0; n < p->lines; n++) {
        const series *s = &all[p->line[n].name];
        out.line[n] = (attn_plot_line){p->line[n].label, s->point, s->count};
    }
    return out;
}

static attn_status draw(const char *svg_path, const series all[SERIES], attn_error *error) {
    attn_plot_panel shown[PANELS];
    size_t count = 0;
    for (int i = 0; i < PANELS; i++) {
        if (!panels[i].optional || all[panels[i].line[0].name].count > 0) {
            shown[count++] = panel_of(&panels[i], all);
        }
    }
    return attn_plot_write(svg_path, shown, count, error);
}

attn_status attn_curves_draw(const char *log_path, const char *svg_path, attn_error *error) {
    series all[SERIES] = {{NULL, 0, 0}};
    attn_status status = read_log(log_path, all, error);
    status = status == ATTN_OK ? draw(svg_path, all, error) : status;
    for (int i = 0; i < SERIES; i++) {
        attn_free(all[i].point);
    }
    return status;
}

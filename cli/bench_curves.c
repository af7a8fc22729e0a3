/* cli/bench_curves.c: a curve as a line of the table, as JSON, and as a picture of two panels: time and memory, each
 * measured and as the theory has it. */
#include "bench_curves.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_plan.h"
#include "base/fail.h"
#include "show/plot.h"

/* ---- JSON ---- */

/* null where there is none. */
static json_t *real_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *describe_point(const attn_bench_point *p) {
    json_t *row =
        json_pack("{s:I, s:I}", "x", (json_int_t)p->x, "memory_bytes", (json_int_t)p->memory_bytes);
    if (row != NULL && p->temporary_bytes >= 0) {
        json_object_set_new(row, "temporary_bytes", json_integer(p->temporary_bytes));
    }
    if (row != NULL && p->planned) {
        json_object_set_new(row, "planned", json_true());
        json_object_set_new(row, "division", json_string(attn_bench_division_name(p->division)));
    } else if (row != NULL) {
        const attn_bench_spread *s = &p->result.seconds;
        json_object_set_new(
            row, "seconds",
            json_pack("{s:f, s:f, s:f}", "median", s->median, "low", s->low, "high", s->high));
        json_object_set_new(row, "share", json_real(p->result.rate / p->result.limit));
    }
    return row;
}

static json_t *describe_curve(const attn_bench_curve *curve, const attn_bench_point *point,
                              size_t count) {
    json_t *points = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(points, describe_point(&point[i]));
    }
    double time = attn_bench_curve_slope(curve, point, count, false);
    double memory = attn_bench_curve_slope(curve, point, count, true);
    return json_pack("{s:s, s:s, s:s, s:I, s:{s:o, s:o}, s:{s:o, s:o}, s:o}", "name",
                     curve->work.name, "work", curve->work.work, "x", curve->x, "large",
                     (json_int_t)curve->large, "theory", "seconds", real_or_null(curve->time_power),
                     "memory", real_or_null(curve->memory_power), "slope", "seconds",
                     real_or_null(time), "memory", real_or_null(memory), "points", points);
}

/* ---- the picture ---- */

typedef struct lines {
    attn_plot_point measured[ATTN_BENCH_POINTS], theory[ATTN_BENCH_POINTS];
    size_t measured_count, theory_count;
} lines;

/* The theory goes through the last measured point. */
static void fill_lines(const attn_bench_curve *curve, const attn_bench_point *point, size_t count,
                       bool memory, lines *out) {
    double power = memory ? curve->memory_power : curve->time_power;
    *out = (lines){.measured_count = 0};
    for (size_t i = 0; i < count; i++) {
        double y =
            memory ? (double)point[i].memory_bytes / 1e6 : point[i].result.seconds.median * 1e3;
        if (memory || !point[i].planned) {
            out->measured[out->measured_count++] = (attn_plot_point){(double)point[i].x, y};
        }
    }
    if (out->measured_count == 0 || isnan(power)) {
        return;
    }
    attn_plot_point last = out->measured[out->measured_count - 1];
    for (size_t i = 0; i < count; i++) {
        double x = (double)point[i].x;
        if (point[i].x >= curve->large) {
            out->theory[out->theory_count++] =
                (attn_plot_point){x, last.y * pow(x / last.x, power)};
        }
    }
}

static attn_status draw_curve(const attn_bench_curve *curve, const attn_bench_point *point,
                              size_t count, const char *folder, attn_error *error) {
    char path[4096], title[2][160];
    lines of[2];
    attn_plot_panel panel[2];
    int length = snprintf(path, sizeof path, "%s/%s.svg", folder, curve->work.name);
    if (length < 0 || (size_t)length >= sizeof path) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "bench", -1, NULL,
                         "the folder's name is too long");
    }
    for (int memory = 0; memory < 2; memory++) {
        lines *l = &of[memory];
        fill_lines(curve, point, count, memory != 0, l);
        snprintf(title[memory], sizeof title[memory], "%s: %s", curve->work.work,
                 memory ? "memory in MB" : "ms");
        panel[memory] = (attn_plot_panel){.title = title[memory],
                                          .x_label = curve->x,
                                          .line = {{"attn", l->measured, l->measured_count},
                                                   {"theory", l->theory, l->theory_count}},
                                          .lines = l->theory_count > 0 ? 2 : 1,
                                          .logarithmic = true};
    }
    return attn_plot_write(path, panel, 2, error);
}

/* ---- the table ---- */

void attn_bench_curves_print_head(void) {
    printf("%-18s %-56s %20s %14s %14s\n", "curve", "work", "x", "time ~ x to", "memory ~ x to");
}

static void print_slope(double slope, double theory) {
    char text[2][16] = {"-", "-"};
    double value[2] = {slope, theory};
    for (int i = 0; i < 2; i++) {
        if (isfinite(value[i])) {
            snprintf(text[i], sizeof text[i], "%.2f", value[i]);
        }
    }
    printf(" %6s (%5s)", text[0], text[1]);
}

static void print_curve(const attn_bench_curve *curve, const attn_bench_point *point,
                        size_t count) {
    char range[48];
    snprintf(range, sizeof range, "%lld .. %lld %.8s", (long long)point[0].x,
             (long long)point[count - 1].x, curve->x);
    printf("%-18s %-56s %20s", curve->work.name, curve->work.work, range);
    print_slope(attn_bench_curve_slope(curve, point, count, false), curve->time_power);
    print_slope(attn_bench_curve_slope(curve, point, count, true), curve->memory_power);
    printf("\n");
    fflush(stdout);
}

attn_status attn_bench_curves_add(const attn_bench_curve *curve, int threads, bool quick,
                                  const char *folder, json_t *all, attn_error *error) {
    attn_bench_point point[ATTN_BENCH_POINTS];
    size_t count;
    attn_status status = attn_bench_curve_measure(curve, threads, quick, point, &count, error);
    if (status != ATTN_OK) {
        return status;
    }
    print_curve(curve, point, count);
    json_array_append_new(all, describe_curve(curve, point, count));
    return draw_curve(curve, point, count, folder, error);
}

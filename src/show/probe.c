/* show/probe.c: counting, and the counts as a table and as JSON. Next: probe_draw.c. */
#include "show/probe.h"

#include <math.h>

#include "base/fail.h"
#include "base/memory.h"

attn_status attn_probe_create(attn_probe *out, const char *method, int64_t layers, int64_t heads,
                              attn_error *error) {
    size_t cells = (size_t)(layers * (heads + 1));
    *out = (attn_probe){.method = method, .layers = layers, .heads = heads};
    out->head = attn_alloc_zero(cells, sizeof *out->head);
    return out->head != NULL ? ATTN_OK : attn_fail_memory(error, cells * sizeof *out->head);
}

void attn_probe_free(attn_probe *probe) {
    attn_free(probe->head);
    *probe = (attn_probe){0};
}

void attn_probe_choose(attn_probe_count *count, const double *row, int64_t right,
                       const int64_t *wrong, int64_t wrongs) {
    bool found = true;
    for (int64_t i = 0; i < wrongs; i++) {
        found = found && row[right] > row[wrong[i]];
    }
    count->right += found;
    count->count++;
    count->chance += 1.0 / (double)(wrongs + 1);
}

void attn_probe_point(attn_probe_count *count, const double *row, int64_t keys,
                      const bool *allowed) {
    int64_t best = 0, good = 0;
    for (int64_t k = 0; k < keys; k++) {
        best = row[k] > row[best] ? k : best;
        good += allowed[k];
    }
    count->right += allowed[best];
    count->count++;
    count->chance += (double)good / (double)keys;
}

void attn_probe_interval(const attn_probe_count *count, double *low, double *high) {
    const double z = 1.959964;
    double n = (double)count->count, share = (double)count->right / n;
    double middle = (share + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    *low = fmax(middle - half, 0);
    *high = fmin(middle + half, 1);
}

static double accuracy(const attn_probe_count *count) {
    return (double)count->right / (double)count->count;
}

/* ---- for people ---- */

static void print_cell(const attn_probe_count *count, FILE *out) {
    fprintf(out, " %6.1f", 100 * accuracy(count));
}

static void print_summary(const char *what, const attn_probe_count *count, FILE *out) {
    double low, high;
    attn_probe_interval(count, &low, &high);
    fprintf(out, "%s: %.1f %% (%.1f to %.1f), %lld of %lld; chance %.1f %%\n", what,
            100 * accuracy(count), 100 * low, 100 * high, (long long)count->right,
            (long long)count->count, 100 * count->chance / (double)count->count);
}

void attn_probe_print(const attn_probe *p, const attn_terminal *t) {
    char heading[64], what[64];
    int64_t columns = p->heads + 1, best = 0;
    if (p->head[0].count == 0) {
        return;
    }
    snprintf(heading, sizeof heading, "%s, in per cent", p->method);
    attn_terminal_heading(t, heading);
    fprintf(t->out, "          ");
    for (int64_t h = 0; h < p->heads; h++) {
        fprintf(t->out, " %6lld", (long long)h + 1);
    }
    fputs("   mean\n", t->out);
    for (int64_t l = 0; l < p->layers; l++) {
        fprintf(t->out, "  layer %-2lld", (long long)l + 1);
        for (int64_t h = 0; h < columns; h++) {
            const attn_probe_count *cell = &p->head[l * columns + h];
            print_cell(cell, t->out);
            best = h < p->heads && cell->right > p->head[best].right ? l * columns + h : best;
        }
        fputc('\n', t->out);
    }
    snprintf(what, sizeof what, "best head, %lld.%lld", (long long)(best / columns) + 1,
             (long long)(best % columns) + 1);
    print_summary(what, &p->head[best], t->out);
    if (p->whole.count > 0) {
        print_summary("all layers together", &p->whole, t->out);
    }
    fprintf(t->out,
            "The best of %lld heads is chosen on this very set: it is high by luck too.\n\n",
            (long long)(p->layers * p->heads));
}

/* ---- for programs ---- */

static json_t *number_or_null(int64_t number) {
    return number > 0 ? json_integer(number) : json_null();
}

/* layer and head from 1; 0: null. */
static json_t *cell_json(const attn_probe_count *count, int64_t layer, int64_t head) {
    double low, high;
    attn_probe_interval(count, &low, &high);
    return json_pack("{s:o, s:o, s:I, s:I, s:f, s:f, s:f, s:f}", "layer", number_or_null(layer),
                     "head", number_or_null(head), "right", (json_int_t)count->right, "count",
                     (json_int_t)count->count, "accuracy", accuracy(count), "low", low, "high",
                     high, "chance", count->chance / (double)count->count);
}

json_t *attn_probe_json(const attn_probe *p) {
    json_t *cells = json_array();
    for (int64_t i = 0; p->head[0].count > 0 && i < p->layers * (p->heads + 1); i++) {
        int64_t head = i % (p->heads + 1) + 1;
        json_array_append_new(
            cells, cell_json(&p->head[i], i / (p->heads + 1) + 1, head <= p->heads ? head : 0));
    }
    if (p->whole.count > 0) {
        json_array_append_new(cells, cell_json(&p->whole, 0, 0));
    }
    return json_pack("{s:s, s:I, s:I, s:o}", "method", p->method, "layers", (json_int_t)p->layers,
                     "heads", (json_int_t)p->heads, "cells", cells);
}

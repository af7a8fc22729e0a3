/* show/view_terminal.c: views in columns of text. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "show/view.h"

/* The columns by number, several on a line. */
static void print_columns(const attn_document_part *part, bool words, const attn_terminal *t) {
    int64_t count = attn_document_columns(part, words);
    int used = 0;
    for (int64_t c = 0; c < count; c++) {
        const char *name = attn_document_column(part, words, c);
        char number[24];
        int digits =
            snprintf(number, sizeof number, "%s%lld ", used > 0 ? "  " : "", (long long)c + 1);
        int columns = attn_terminal_columns(name);
        columns = columns < 30 ? columns : 30;
        if (used > 0 && used + digits + columns > t->width) {
            fputc('\n', t->out);
            digits = snprintf(number, sizeof number, "%lld ", (long long)c + 1);
            used = 0;
        }
        fputs(number, t->out);
        attn_terminal_text(t, name, columns, false);
        used += digits + columns;
    }
    fputc('\n', t->out);
}

static void print_measures(const attn_document_part *p, const attn_view *view,
                           const attn_terminal *t) {
    bool all = view->layer == ATTN_VIEW_ALL;
    int64_t first = all ? 0 : view->layer, last = all ? p->layers - 1 : view->layer;
    fprintf(t->out, "layer  head  entropy (nats)%s\n",
            p->distance != NULL ? "  distance (pieces)" : "");
    for (int64_t i = first * p->heads; i < (last + 1) * p->heads; i++) {
        if (view->head >= 0 && i % p->heads != view->head) {
            continue;
        }
        fprintf(t->out, "%5lld %5lld %15.2f", (long long)(i / p->heads) + 1,
                (long long)(i % p->heads) + 1, p->entropy[i]);
        if (p->distance != NULL) {
            fprintf(t->out, " %18.2f", p->distance[i]);
        }
        fputc('\n', t->out);
    }
}

static void print_matrix(const attn_document_part *part, const attn_view *view,
                         const double *weights, const char **names, const attn_terminal *t) {
    int64_t rows = attn_document_rows(part, view->words);
    int64_t columns = attn_document_columns(part, view->words);
    for (int64_t r = 0; r < rows; r++) {
        names[r] = attn_document_row(part, view->words, r);
    }
    fputs("Each row: how a word shares out its attention over the columns, in per cent.\n", t->out);
    attn_terminal_matrix(t, names, rows, columns, weights);
    if (part->query_words != part->key_words) {
        fputs("\nThe columns:\n", t->out);
        print_columns(part, view->words, t);
    }
}

static void print_bars(const attn_document_part *part, const attn_view *view, const double *weights,
                       const attn_terminal *t) {
    int64_t columns = attn_document_columns(part, view->words);
    const double *row = weights + view->token * columns;
    double largest = 0;
    int widest = 4;
    for (int64_t c = 0; c < columns; c++) {
        int needed = attn_terminal_columns(attn_document_column(part, view->words, c));
        widest = needed > widest ? needed : widest;
        largest = row[c] > largest ? row[c] : largest;
    }
    fprintf(t->out, "\"%s\" attends to\n", attn_document_row(part, view->words, view->token));
    for (int64_t c = 0; c < columns; c++) {
        attn_terminal_bar(t, attn_document_column(part, view->words, c), widest < 24 ? widest : 24,
                          row[c], largest, row[c] == largest);
    }
}

attn_status attn_view_print(const attn_document *document, const attn_view *view,
                            const attn_terminal *t, attn_error *error) {
    const attn_document_part *part = &document->part[view->part];
    int64_t rows = attn_document_rows(part, view->words);
    size_t size = (size_t)(rows * attn_document_columns(part, view->words)) * sizeof(double);
    double *weights = attn_alloc(size);
    const char **names = attn_alloc((size_t)rows * sizeof *names);
    char title[300];
    attn_status status = ATTN_OK;
    if (weights == NULL || names == NULL) {
        status = attn_fail_memory(error, size);
        goto out;
    }
    if (view->part != ATTN_PART_ENCODER) {
        fprintf(t->out, "%s\n-> %s\n\n", document->sentence, document->translation);
    }
    attn_terminal_heading(t, attn_view_title(document, view, title, sizeof title));
    if (view->kind == ATTN_VIEW_GRID) {
        print_measures(part, view, t);
        goto out;
    }
    attn_document_matrix(part,
                         view->kind == ATTN_VIEW_ROLLOUT ? ATTN_DOCUMENT_ROLLOUT : view->layer,
                         view->head, view->words, weights);
    if (view->kind == ATTN_VIEW_LINES) {
        print_bars(part, view, weights, t);
    } else {
        print_matrix(part, view, weights, names, t);
    }
    if (view->kind != ATTN_VIEW_ROLLOUT) {
        fputc('\n', t->out);
        print_measures(part, view, t);
    }
    if (view->words) {
        fprintf(t->out, "\nWords: %s.\n", ATTN_DOCUMENT_WORDS_RULE);
    }
out:
    attn_free(names);
    attn_free(weights);
    return status;
}

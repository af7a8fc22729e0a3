/* show/view.c: from a view's name to its file. */
#include "show/view.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/memory.h"
#include "show/view_parts.h"

const char *attn_view_title(const attn_document *document, const attn_view *view, char *buffer,
                            size_t size) {
    static const char *const names[] = {"encoder, source to source",
                                        "decoder, translation to translation",
                                        "cross attention, translation to source"};
    const attn_document_part *part = &document->part[view->part];
    long long layers = (long long)part->layers, heads = (long long)part->heads;
    char layer[48], head[48];
    if (view->kind == ATTN_VIEW_ROLLOUT) {
        snprintf(buffer, size, "%s: %s, rollout over %lld layers", document->model,
                 names[view->part], layers);
        return buffer;
    }
    if (view->layer == ATTN_VIEW_ALL) {
        snprintf(layer, sizeof layer, "%lld layers", layers);
    } else {
        snprintf(layer, sizeof layer, "layer %lld of %lld", (long long)view->layer + 1, layers);
    }
    if (view->head == ATTN_VIEW_ALL) {
        snprintf(head, sizeof head, "%lld heads", heads);
    } else if (view->head == ATTN_DOCUMENT_MEAN) {
        snprintf(head, sizeof head, "mean of %lld heads", heads);
    } else {
        snprintf(head, sizeof head, "head %lld of %lld", (long long)view->head + 1, heads);
    }
    snprintf(buffer, size, "%s: %s, %s, %s", document->model, names[view->part], layer, head);
    return buffer;
}

attn_status attn_view_format(const char *path, attn_canvas_format *format, attn_error *error) {
    static const char *const ends[] = {".svg", ".png", ".pdf"};
    size_t length = strlen(path);
    for (int i = 0; i < 3; i++) {
        if (length > 4 && strcasecmp(path + length - 4, ends[i]) == 0) {
            *format = (attn_canvas_format)i;
            return ATTN_OK;
        }
    }
    return attn_fail(error, ATTN_ERR_UNSUPPORTED, path, -1,
                     "use a name that ends in .svg, .png, .pdf or .html",
                     "not a known picture format");
}

attn_status attn_view_draw(const attn_document *document, const attn_view *view, const char *path,
                           char missing[64], attn_error *error) {
    static attn_status (*const draw[])(const attn_drawing *, attn_error *) = {
        attn_view_lines, attn_view_matrix, attn_view_grid, attn_view_matrix};
    const attn_document_part *part = &document->part[view->part];
    attn_drawing d = {.document = document,
                      .part = part,
                      .view = view,
                      .rows = attn_document_rows(part, view->words),
                      .columns = attn_document_columns(part, view->words)};
    attn_canvas_format format = ATTN_CANVAS_SVG;
    if (missing != NULL) {
        missing[0] = '\0';
    }
    attn_status status = attn_view_format(path, &format, error);
    if (status == ATTN_OK) {
        status = attn_canvas_create(format, &d.canvas, error);
    }
    if (status != ATTN_OK) {
        return status;
    }
    size_t size = (size_t)(d.rows * d.columns) * sizeof *d.weights;
    d.weights = attn_alloc(size);
    status = d.weights != NULL ? draw[view->kind](&d, error) : attn_fail_memory(error, size);
    if (status == ATTN_OK) {
        status = attn_canvas_save(d.canvas, path, error);
    }
    if (missing != NULL && attn_canvas_missing(d.canvas) != NULL) {
        snprintf(missing, 64, "%s", attn_canvas_missing(d.canvas));
    }
    attn_free(d.weights);
    attn_canvas_free(d.canvas);
    return status;
}

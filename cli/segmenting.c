/* cli/segmenting.c: finding a model, and pictures tile by tile. */
#include "segmenting.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "image/tiles.h"
#include "model.h"

attn_status attn_segmenting_open(const char *path, attn_segmenting *out, attn_error *error) {
    void *text = NULL;
    size_t size = 0;
    memset(out, 0, sizeof *out);
    attn_status status = attn_model_find(path, "ATTN_SEGMENTER", "models/street.safetensors",
                                         out->path, sizeof out->path, error);
    if (status == ATTN_OK) {
        status = attn_segmenter_load(out->path, false, &out->model, &text, &size, error);
    }
    if (status == ATTN_OK && text == NULL) {
        status = attn_fail(error, ATTN_ERR_FORMAT, out->path, -1,
                           "save it with `attn train segmenter`", "the model names no classes");
    }
    if (status == ATTN_OK) {
        status = attn_classes_parse(text, size, out->path, ATTN_IGNORE_LABEL, &out->classes, error);
    }
    attn_segmenter_free_bytes(text);
    if (status == ATTN_OK && out->classes.count != attn_segmenter_get_config(out->model)->classes) {
        status =
            attn_fail(error, ATTN_ERR_FORMAT, out->path, -1, "take an undamaged copy of the model",
                      "it names %d classes, the model has %lld", out->classes.count,
                      (long long)attn_segmenter_get_config(out->model)->classes);
    }
    if (status == ATTN_OK && attn_tape_create(&out->tape) != ATTN_OK) {
        status = attn_fail_memory(error, 0);
    }
    return status;
}

void attn_segmenting_close(attn_segmenting *segmenting) {
    attn_tape_free(segmenting->tape);
    attn_segmenter_free(segmenting->model);
    memset(segmenting, 0, sizeof *segmenting);
}

/* ---- tiles ---- */

typedef struct tile_work {
    attn_segmenting *segmenting;
    const attn_picture *picture;
    attn_tile_axis x, y;
    attn_tile_blend *blend;
    uint8_t *pixels;      /* of one tile */
    float *probabilities; /* of one tile */
} tile_work;

static attn_status do_tile(tile_work *w, int64_t column, int64_t row, attn_error *error) {
    int64_t x = attn_tile_start(&w->x, column), y = attn_tile_start(&w->y, row);
    size_t bytes = (size_t)w->x.tile * 3;
    for (int64_t i = 0; i < w->y.tile; i++) {
        memcpy(w->pixels + (size_t)i * bytes,
               w->picture->rgb + ((y + i) * w->picture->width + x) * 3, bytes);
    }
    attn_pictures one = {1, w->y.tile, w->x.tile, w->pixels};
    attn_status status = attn_segmenter_predict(w->segmenting->model, w->segmenting->tape, &one,
                                                NULL, w->probabilities, error);
    if (status == ATTN_OK) {
        attn_tile_blend_add(w->blend, column, row, w->probabilities);
    }
    return status;
}

static attn_status do_tiles(tile_work *w, attn_segmented_rows *receive, void *context,
                            attn_error *error) {
    attn_status status = ATTN_OK;
    for (int64_t row = 0; row < w->y.count && status == ATTN_OK; row++) {
        for (int64_t column = 0; column < w->x.count && status == ATTN_OK; column++) {
            status = do_tile(w, column, row, error);
        }
        if (status == ATTN_OK) {
            int64_t first, rows;
            const float *values;
            attn_tile_blend_finish_row(w->blend, row, &first, &rows, &values);
            status = receive(context, first, rows, values, error);
        }
    }
    return status;
}

attn_status attn_segment_rows(attn_segmenting *segmenting, const attn_picture *picture,
                              const attn_tiling *tiling, attn_segmented_rows *receive,
                              void *context, attn_error *error) {
    tile_work w = {.segmenting = segmenting,
                   .picture = picture,
                   .x = attn_tile_plan(picture->width, tiling->tile, tiling->overlap),
                   .y = attn_tile_plan(picture->height, tiling->tile, tiling->overlap)};
    size_t area = (size_t)(w.x.tile * w.y.tile), classes = (size_t)segmenting->classes.count;
    w.pixels = attn_alloc(3 * area);
    w.probabilities = attn_alloc_zero(area * classes, sizeof *w.probabilities);
    attn_status status =
        w.pixels == NULL || w.probabilities == NULL
            ? attn_fail_memory(error, area * classes * sizeof(float))
            : attn_tile_blend_create(&w.x, &w.y, (int64_t)classes, &w.blend, error);
    if (status == ATTN_OK) {
        status = do_tiles(&w, receive, context, error);
    }
    attn_tile_blend_free(w.blend);
    attn_free(w.pixels);
    attn_free(w.probabilities);
    return status;
}

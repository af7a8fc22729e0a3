/* image/tiles.c: where tiles lie, how they are weighted, and the band of rows being summed. */
#include "image/tiles.h"

#include <stdbool.h>
#include <string.h>

#include "base/fail.h"
#include "base/memory.h"
#include "base/minmax.h"

attn_tile_axis attn_tile_plan(int64_t length, int64_t tile, int64_t overlap) {
    attn_tile_axis axis = {.length = length, .tile = attn_min(tile, length), .count = 1};
    if (length > tile) {
        overlap = attn_min(overlap, tile / 2);
        int64_t stride = tile - overlap;
        axis.count = (length - overlap + stride - 1) / stride;
        axis.ramp = overlap;
    }
    return axis;
}

int64_t attn_tile_start(const attn_tile_axis *axis, int64_t i) {
    return axis->count > 1 ? i * (axis->length - axis->tile) / (axis->count - 1) : 0;
}

/* How far the passage from tile i to its next neighbour has come at a pixel. */
static int passage(const attn_tile_axis *axis, int64_t i, int64_t pixel) {
    int64_t end = attn_tile_start(axis, i) + axis->tile;
    int64_t begin = (attn_tile_start(axis, i + 1) + end - axis->ramp) / 2;
    if (pixel < begin || axis->ramp == 0) {
        return pixel < begin ? 0 : ATTN_TILE_ONE;
    }
    if (pixel >= begin + axis->ramp) {
        return ATTN_TILE_ONE;
    }
    return (int)((2 * (pixel - begin) + 1) * ATTN_TILE_ONE / (2 * axis->ramp));
}

/* All ramps are equally wide and begin one after another, so that no difference is negative and the
 * sum over the tiles leaves the first passage alone: 1. */
int attn_tile_weight(const attn_tile_axis *axis, int64_t i, int64_t pixel) {
    int from_left = i > 0 ? passage(axis, i - 1, pixel) : ATTN_TILE_ONE;
    int to_right = i + 1 < axis->count ? passage(axis, i, pixel) : 0;
    return from_left - to_right;
}

struct attn_tile_blend {
    attn_tile_axis x, y;
    int64_t channels;
    int64_t first; /* picture row of the band's first row */
    int64_t done;  /* rows at the band's start that have been handed out */
    float *band;   /* [y.tile, x.length, C] */
};

attn_status attn_tile_blend_create(const attn_tile_axis *x, const attn_tile_axis *y,
                                   int64_t channels, attn_tile_blend **out, attn_error *error) {
    size_t size = sizeof(float);
    bool fits = attn_size_mul(size, (size_t)y->tile, &size) &&
                attn_size_mul(size, (size_t)x->length, &size) &&
                attn_size_mul(size, (size_t)channels, &size);
    attn_tile_blend *blend = fits ? attn_alloc_zero(1, sizeof *blend) : NULL;
    *out = blend;
    if (blend == NULL) {
        return attn_fail_memory(error, fits ? sizeof *blend : SIZE_MAX);
    }
    *blend = (attn_tile_blend){*x, *y, channels, 0, 0, attn_alloc_zero(1, size)};
    if (blend->band == NULL) {
        attn_tile_blend_free(blend);
        *out = NULL;
        return attn_fail_memory(error, size);
    }
    return ATTN_OK;
}

void attn_tile_blend_free(attn_tile_blend *blend) {
    if (blend != NULL) {
        attn_free(blend->band);
        attn_free(blend);
    }
}

/* Moves the rows not yet handed out to the band's start; the rest begins at zero. */
static void advance(attn_tile_blend *blend) {
    if (blend->done == 0) {
        return;
    }
    int64_t line = blend->x.length * blend->channels;
    int64_t kept = blend->y.tile - blend->done;
    memmove(blend->band, blend->band + blend->done * line, (size_t)(kept * line) * sizeof(float));
    memset(blend->band + kept * line, 0, (size_t)(blend->done * line) * sizeof(float));
    blend->first += blend->done;
    blend->done = 0;
}

void attn_tile_blend_add(attn_tile_blend *blend, int64_t column, int64_t row, const float *values) {
    advance(blend);
    int64_t left = attn_tile_start(&blend->x, column), top = attn_tile_start(&blend->y, row);
    int64_t width = blend->x.tile, channels = blend->channels;
    for (int64_t y = 0; y < blend->y.tile; y++) {
        int down = attn_tile_weight(&blend->y, row, top + y);
        float *line = blend->band + ((top + y - blend->first) * blend->x.length + left) * channels;
        for (int64_t x = 0; down > 0 && x < width; x++) {
            /* Two factors of 13 bits: exact. */
            int weight = down * attn_tile_weight(&blend->x, column, left + x);
            float share = (float)weight * (1.0f / ((float)ATTN_TILE_ONE * ATTN_TILE_ONE));
            const float *from = values + (y * width + x) * channels;
            for (int64_t c = 0; weight > 0 && c < channels; c++) {
                line[x * channels + c] += share * from[c];
            }
        }
    }
}

void attn_tile_blend_finish_row(attn_tile_blend *blend, int64_t row, int64_t *first, int64_t *rows,
                                const float **values) {
    int64_t next = row + 1 < blend->y.count ? attn_tile_start(&blend->y, row + 1) : blend->y.length;
    advance(blend);
    *first = blend->first;
    *rows = next - blend->first;
    *values = blend->band;
    blend->done = *rows;
}

/* image/tiles.h: large pictures in overlapping tiles, with memory for a few rows of tiles at most.
 *
 * The tiles of an axis are spread evenly; where two overlap, their weights pass over from one to
 * the other along a ramp, so that no seam shows. Weights are multiples of 2^-12 on each axis, and
 * those of a place sum to 1 exactly. C: channels, such as class probabilities. */
#ifndef ATTN_IMAGE_TILES_H
#define ATTN_IMAGE_TILES_H

#include <stdint.h>

#include "attn/status.h"

enum { ATTN_TILE_ONE = 1 << 12 }; /* weight 1 on an axis */

/* One axis: `count` tiles of `tile` pixels over `length` pixels. */
typedef struct attn_tile_axis {
    int64_t length, tile, count;
    int64_t ramp; /* pixels over which neighbours are mixed: the overlap asked for */
} attn_tile_axis;

/* tile >= 1 and overlap >= 0, which is cut to half a tile; a length of no more than a tile gives
 * one tile of that length. Neighbours overlap by `overlap` pixels or more. */
attn_tile_axis attn_tile_plan(int64_t length, int64_t tile, int64_t overlap);
/* The first pixel of tile i. */
int64_t attn_tile_start(const attn_tile_axis *axis, int64_t i);
/* The weight of tile i at a pixel: 0 .. ATTN_TILE_ONE, 0 outside the tile. */
int attn_tile_weight(const attn_tile_axis *axis, int64_t i, int64_t pixel);

/* Sums weighted tiles, row of tiles by row of tiles. */
typedef struct attn_tile_blend attn_tile_blend;

/* ATTN_ERR_MEMORY: y.tile * x.length * channels floats are needed. */
ATTN_MUST_CHECK attn_status attn_tile_blend_create(const attn_tile_axis *x, const attn_tile_axis *y,
                                                   int64_t channels, attn_tile_blend **out,
                                                   attn_error *error);
void attn_tile_blend_free(attn_tile_blend *blend);
/* Adds tile (column, row): values [y.tile, x.tile, C]. Rows in order, and within a row every column
 * once, in order: the sums are then the same whatever computed the tiles. */
void attn_tile_blend_add(attn_tile_blend *blend, int64_t column, int64_t row, const float *values);
/* After the last column of a row: *values is [*rows, x.length, C], picture rows *first ... that no
 * later tile touches; valid until the next call. A picture of one tile comes out bit for bit. */
void attn_tile_blend_finish_row(attn_tile_blend *blend, int64_t row, int64_t *first, int64_t *rows,
                                const float **values);

#endif

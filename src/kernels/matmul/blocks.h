/* kernels/matmul/blocks.h: how a product with packed weights is cut into blocks, for the drivers
 * that do not cut k.
 *
 * C is a grid of blocks, whole register tiles high and whole panels of 16 columns wide. */
#ifndef ATTN_KERNELS_MATMUL_BLOCKS_H
#define ATTN_KERNELS_MATMUL_BLOCKS_H

#include <stdint.h>

#include "base/minmax.h"

enum {
    BLOCKS_PER_THREAD = 4, /* to even out threads that are held up */
    LEAST_PANELS = 4,      /* of a block, when columns are cut */
};

/* Where part i of `parts` nearly equal parts of `count` starts. */
static inline int64_t part_start(int64_t count, int64_t parts, int64_t i) {
    return count / parts * i + count % parts * i / parts;
}

typedef struct attn_blocks {
    int64_t tiles, panels; /* of C */
    int64_t down, across;  /* the grid */
} attn_blocks;

typedef struct attn_block {
    int64_t first_tile, last_tile, first_panel, last_panel;
} attn_block;

/* As few blocks of rows as the cache allows (most_tiles each); columns are cut until the threads have
 * enough, and rows where that is not enough. */
static inline attn_blocks attn_blocks_choose(int64_t tiles, int64_t panels, int64_t most_tiles,
                                             int threads) {
    attn_blocks b = {tiles, panels, attn_ceil_div(tiles, most_tiles), 1};
    if (threads > 1) {
        int64_t wanted = attn_ceil_div((int64_t)BLOCKS_PER_THREAD * threads, attn_max(1, b.down));
        b.across = attn_max(1, attn_min(wanted, panels / LEAST_PANELS));
    }
    if (b.down * b.across < threads) {
        b.down = attn_min(tiles, attn_ceil_div(threads, b.across));
    }
    return b;
}

static inline attn_block attn_block_at(const attn_blocks *b, int64_t number) {
    int64_t down = number / b->across, across = number % b->across;
    return (attn_block){
        part_start(b->tiles, b->down, down), part_start(b->tiles, b->down, down + 1),
        part_start(b->panels, b->across, across), part_start(b->panels, b->across, across + 1)};
}

#endif

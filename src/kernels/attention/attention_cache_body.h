/* kernels/attention/attention_cache_body.h: attention over a cache, over vectors.
 *
 * Block by block: scores of all cells of sixteen keys, softmax, weighted sum over all cells of
 * sixteen values. Cells of bfloat16 or int8 are first made float in a piece of memory that stays in
 * the first cache. What is to be read next is asked for one half of a block ahead: the values while
 * the scores are made, the next keys while the values are summed, so that memory never waits.
 * Include after attention_body.h, whose rows and products it shares. D, E, E16, P as in
 * kernels/attention/attention_cache.h. */
#ifndef ATTN_KERNELS_ATTENTION_CACHE_BODY_H
#define ATTN_KERNELS_ATTENTION_CACHE_BODY_H

#include "kernels/attention/attention_body.h"

/* A thread's memory for one item. */
typedef struct cache_memory {
    float *query;  /* [rows][QUERY_ROW], times scale * log2(e) */
    float *acc;    /* [rows][E16] */
    float *sums;   /* [rows][16] */
    float *max;    /* [rows] */
    float *scores; /* [rows][SCORE_ROW] */
    float *cell;   /* 16 keys, or 16 values, as float */
} cache_memory;

static int64_t cache_scratch(const attn_cache_layout *layout) {
    int64_t widest = layout->head_size > layout->value_row ? layout->head_size : layout->value_row;
    return ATTN_CACHE_ROWS * (QUERY_ROW + layout->value_row + 16 + SCORE_ROW) +
           attn_round_up(ATTN_CACHE_ROWS, 16) + 16 * widest;
}

static cache_memory cache_memory_at(const attn_cache_layout *layout, float *scratch) {
    cache_memory memory = {.query = scratch};
    memory.acc = memory.query + ATTN_CACHE_ROWS * QUERY_ROW;
    memory.sums = memory.acc + ATTN_CACHE_ROWS * layout->value_row;
    memory.scores = memory.sums + ATTN_CACHE_ROWS * 16;
    memory.max = memory.scores + ATTN_CACHE_ROWS * SCORE_ROW;
    memory.cell = memory.max + attn_round_up(ATTN_CACHE_ROWS, 16);
    return memory;
}

static row_state cache_row(const attn_cache_layout *layout, const cache_memory *memory, int n) {
    return (row_state){memory->acc + n * layout->value_row, memory->sums + n * 16, memory->max + n};
}

/* ---- cells ---- */

/* Sixteen keys (or values) of one head: `rows` vectors of sixteen elements, and the scales of the
 * sixteen tokens. */
typedef struct cache_cell {
    const unsigned char *data;
    const float *scales;
} cache_cell;

static inline cache_cell cache_keys(const attn_cache_item *item, int64_t key) {
    const attn_cache_layout *layout = item->layout;
    int64_t token = key % layout->page_tokens;
    const unsigned char *part =
        attn_cache_part(layout, item->pages[key / layout->page_tokens], item->g);
    return (cache_cell){part + (size_t)(token * layout->head_size) * layout->element,
                        (const float *)(const void *)(part + layout->key_scales) + token};
}

static inline cache_cell cache_values(const attn_cache_item *item, int64_t key) {
    const attn_cache_layout *layout = item->layout;
    int64_t token = key % layout->page_tokens;
    const unsigned char *part =
        attn_cache_part(layout, item->pages[key / layout->page_tokens], item->g);
    return (cache_cell){part + layout->values +
                            (size_t)(token * layout->value_row) * layout->element,
                        (const float *)(const void *)(part + layout->value_scales) + token};
}

static inline void cache_prefetch(const unsigned char *data, size_t size) {
    for (size_t at = 0; at < size; at += 64) {
        __builtin_prefetch(data + at, 0, 2); /* into the second cache */
    }
}

/* [D][16] floats: the cell itself, or made in `wide`. */
static const float *cache_float_keys(const attn_cache_layout *layout, cache_cell cell,
                                     float *wide) {
    if (layout->type == ATTN_CACHE_F32) {
        return (const float *)(const void *)cell.data;
    }
    int64_t count = layout->head_size * 16;
    if (layout->type == ATTN_CACHE_BF16) {
        const uint16_t *data = (const uint16_t *)(const void *)cell.data;
        for (int64_t i = 0; i < count; i += 16) {
            v_store(wide + i, v_load_bf16(data + i));
        }
        return wide;
    }
    const int8_t *data = (const int8_t *)cell.data;
    v16 scales = v_load(cell.scales);
    for (int64_t i = 0; i < count; i += 16) {
        v_store(wide + i, v_mul(v_load_i8(data + i), scales));
    }
    return wide;
}

/* [E16 / 16][16 tokens][16] floats, likewise. */
static const float *cache_float_values(const attn_cache_layout *layout, cache_cell cell,
                                       float *wide) {
    if (layout->type == ATTN_CACHE_F32) {
        return (const float *)(const void *)cell.data;
    }
    int64_t count = layout->value_row * 16;
    if (layout->type == ATTN_CACHE_BF16) {
        const uint16_t *data = (const uint16_t *)(const void *)cell.data;
        for (int64_t i = 0; i < count; i += 16) {
            v_store(wide + i, v_load_bf16(data + i));
        }
        return wide;
    }
    const int8_t *data = (const int8_t *)cell.data;
    for (int64_t i = 0; i < count; i += 16) {
        v_store(wide + i, v_mul(v_load_i8(data + i), v_set1(cell.scales[i / 16 % 16])));
    }
    return wide;
}

/* ---- one block of keys ---- */

/* What the rows see of a block, relative to it; from is a multiple of 16. */
typedef struct cache_block {
    int64_t start;
    int from, to;
    int first[ATTN_CACHE_ROWS], last[ATTN_CACHE_ROWS];
} cache_block;

static void cache_find_block(const attn_cache_item *item, int64_t start, cache_block *block) {
    block->start = start;
    for (int n = 0; n < item->rows; n++) {
        int64_t first = attn_clamp(item->first[n] - start, 0, ATTN_KEY_BLOCK);
        int64_t last = attn_clamp(item->last[n] - start, first, ATTN_KEY_BLOCK);
        block->first[n] = (int)first;
        block->last[n] = (int)last;
    }
    block->from = (int)attn_clamp(item->first_key - start, 0, ATTN_KEY_BLOCK) & ~15;
    block->to = (int)attn_clamp(item->last_key - start, 0, ATTN_KEY_BLOCK);
}

static void cache_scores(const attn_cache_item *item, const cache_memory *memory,
                         const cache_block *block) {
    const attn_cache_layout *layout = item->layout;
    int64_t size = layout->head_size;
    size_t value_bytes = (size_t)(16 * layout->value_row) * layout->element;
    for (int at = block->from; at < block->to; at += 16) {
        const float *keys =
            cache_float_keys(layout, cache_keys(item, block->start + at), memory->cell);
        cache_prefetch(cache_values(item, block->start + at).data, value_bytes);
        for (int n = 0; n < item->rows; n += V_TILE_ROWS) {
            int rows = item->rows - n < V_TILE_ROWS ? item->rows - n : V_TILE_ROWS;
            product(rows, false, size, memory->query + n * QUERY_ROW, QUERY_ROW, 1, keys,
                    memory->scores + n * SCORE_ROW + at, SCORE_ROW);
        }
    }
    for (int n = 0; n < item->rows && item->scores != NULL; n++) {
        memcpy(item->scores + n * item->scores_row + block->start + block->from,
               memory->scores + n * SCORE_ROW + block->from,
               (size_t)(attn_round_up(block->to, 16) - block->from) * sizeof(float));
    }
}

static void cache_softmax(const attn_cache_item *item, const cache_memory *memory,
                          const cache_block *block) {
    int64_t value_panels = item->layout->value_row / 16;
    for (int n = 0; n < item->rows; n++) {
        if (block->first[n] < block->last[n]) {
            float *scores = memory->scores + n * SCORE_ROW;
            row_state row = cache_row(item->layout, memory, n);
            raise_row(block->first[n], block->last[n], scores, row, value_panels);
            softmax_row(block->first[n], block->last[n], scores, row);
        }
    }
}

static void cache_weigh(const attn_cache_item *item, const cache_memory *memory,
                        const cache_block *block) {
    const attn_cache_layout *layout = item->layout;
    int64_t value_panels = layout->value_row / 16;
    size_t key_bytes = (size_t)(16 * layout->head_size) * layout->element;
    for (int at = block->from; at < block->to; at += 16) {
        const float *values =
            cache_float_values(layout, cache_values(item, block->start + at), memory->cell);
        if (block->start + ATTN_KEY_BLOCK + at < item->last_key) {
            cache_prefetch(cache_keys(item, block->start + ATTN_KEY_BLOCK + at).data, key_bytes);
        }
        int first[ATTN_CACHE_ROWS], last[ATTN_CACHE_ROWS];
        for (int n = 0; n < item->rows; n++) {
            first[n] = (int)attn_clamp(block->first[n] - at, 0, 16);
            last[n] = (int)attn_clamp(block->last[n] - at, first[n], 16);
        }
        if (item->rows == 1) {
            row_product(true, last[0] - first[0], memory->scores + at + first[0], 1,
                        values + first[0] * 16, 16, 256, value_panels, memory->acc);
            continue;
        }
        for (int n = 0; n < item->rows; n += V_TILE_ROWS) {
            int rows = item->rows - n < V_TILE_ROWS ? item->rows - n : V_TILE_ROWS;
            weigh(rows, first + n, last + n, memory->scores + n * SCORE_ROW + at, values, 256,
                  value_panels, memory->acc + n * layout->value_row, layout->value_row);
        }
    }
}

/* ---- an item ---- */

static void cache_attend(attn_cache_item *item, float *scratch) {
    const attn_cache_layout *layout = item->layout;
    cache_memory memory = cache_memory_at(layout, scratch);
    for (int n = 0; n < item->rows; n++) {
        copy_rows(1, layout->head_size, item->query[n], 0, item->query_factor,
                  memory.query + n * QUERY_ROW);
        memory.max[n] = -INFINITY;
    }
    memset(memory.acc, 0, (size_t)(item->rows * layout->value_row) * sizeof(float));
    memset(memory.sums, 0, (size_t)item->rows * 16 * sizeof(float));
    int64_t start = item->first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    for (; start < item->last_key; start += ATTN_KEY_BLOCK) {
        cache_block block;
        cache_find_block(item, start, &block);
        cache_scores(item, &memory, &block);
        cache_softmax(item, &memory, &block);
        cache_weigh(item, &memory, &block);
    }
    for (int n = 0; n < item->rows; n++) {
        item->lse[n] =
            finish_row(cache_row(layout, &memory, n), layout->value_size, item->output[n]);
    }
}

static void cache_add_weights(int64_t first, int64_t last, const float *scores, float lse,
                              float *weights) {
    for (int64_t j = first & ~(int64_t)15; j < last; j += 16) {
        int part = v_rest(last - j);
        v16 p = v_select(v_range(first - j, 16), weight(v_load(scores + j), -lse), v_zero());
        v_store_part(weights + j, v_add(v_load_part(weights + j, part), p), part);
    }
}

#endif

/* kernels/attention/attention_cache_body.h: attention over a cache, over vectors.
 *
 * Block by block: scores of all keys, softmax, weighted sum over all values. One row, which is bound
 * by memory, reads keys and values in place, in the order in which they lie: the processor's own
 * prefetches follow one stream at full speed and need help only where another begins. Several rows
 * share what they read: sixteen keys or values at a time are made float, in a piece of memory that
 * stays in the first cache. Include after attention_body.h, whose rows and products it shares.
 * D, E, E16, P, W as in kernels/attention/attention_cache.h. */
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
    float *panel;  /* 16 keys, or 16 values, as float */
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
    memory.panel = memory.max + attn_round_up(ATTN_CACHE_ROWS, 16);
    return memory;
}

static row_state cache_row(const attn_cache_layout *layout, const cache_memory *memory, int n) {
    return (row_state){memory->acc + n * layout->value_row, memory->sums + n * 16, memory->max + n};
}

/* ---- keys and values in place ---- */

/* From one token on: elements and scales of a key head. */
typedef struct cache_place {
    const unsigned char *data;
    const float *scales;
} cache_place;

static inline const unsigned char *cache_part(const attn_cache_item *item, int64_t key) {
    return attn_cache_part(item->layout, item->pages[key / item->layout->page_tokens], item->g);
}

/* key: a multiple of W. */
static inline cache_place cache_keys(const attn_cache_item *item, int64_t key) {
    const attn_cache_layout *layout = item->layout;
    const unsigned char *part = cache_part(item, key);
    int64_t token = key % layout->page_tokens;
    return (cache_place){part + (size_t)(token * layout->head_size) * layout->element,
                         (const float *)(const void *)(part + layout->key_scales) + token};
}

static inline cache_place cache_values(const attn_cache_item *item, int64_t key) {
    const attn_cache_layout *layout = item->layout;
    const unsigned char *part = cache_part(item, key);
    int64_t token = key % layout->page_tokens;
    size_t at = (size_t)(token * layout->value_row) * layout->element;
    return (cache_place){part + layout->values + at,
                         (const float *)(const void *)(part + layout->value_scales) + token};
}

/* Elements i to i + 15; int8 still without its scale. */
V_INLINE v16 cache_load(const attn_cache_type type, const unsigned char *data, int64_t i) {
    if (type == ATTN_CACHE_F32) {
        return v_load((const float *)(const void *)data + i);
    }
    if (type == ATTN_CACHE_BF16) {
        return v_load_bf16((const uint16_t *)(const void *)data + i);
    }
    return v_load_i8((const int8_t *)data + i);
}

/* With the scale, which other types have not. */
V_INLINE v16 cache_scaled(const attn_cache_type type, v16 x, v16 scale) {
    return type == ATTN_CACHE_I8 ? v_mul(x, scale) : x;
}

/* How many vectors of keys lie side by side: W / 16. */
V_INLINE int cache_vectors(const attn_cache_type type) {
    return type == ATTN_CACHE_I8 ? 4 : type == ATTN_CACHE_BF16 ? 2 : 1;
}

V_INLINE int cache_element(const attn_cache_type type) {
    return 4 / cache_vectors(type);
}

/* What lies ahead of vector i of a row of vectors, asked for once a cache line. float32 is read fast
 * enough for the processor's own prefetches to follow; narrower types have more arithmetic to a line. */
V_INLINE void cache_prefetch(const attn_cache_type type, const unsigned char *row, const int i) {
    enum { AHEAD = 4096 };
    if (type != ATTN_CACHE_F32 && i % cache_vectors(type) == 0) {
        __builtin_prefetch(row + i * (64 / cache_vectors(type)) + AHEAD, 0, 2);
    }
}

/* The start of what is read next, where the processor's own prefetches do not know of it yet. */
static inline void cache_prefetch_start(cache_place place) {
    enum { START = 1024 };
    for (int i = 0; i < START; i += 64) {
        __builtin_prefetch(place.data + i, 0, 2);
    }
}

/* ---- what the rows see of a block ---- */

/* Relative to the block; from is a multiple of W. */
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
    block->from = (int)attn_clamp(item->first_key - start, 0, ATTN_KEY_BLOCK);
    block->from -= block->from % (int)item->layout->width;
    block->to = (int)attn_clamp(item->last_key - start, 0, ATTN_KEY_BLOCK);
}

/* ---- one row ---- */

/* Scores of W keys side by side. */
V_INLINE void cache_score_line(const attn_cache_type type, int64_t size, const float *query,
                               cache_place keys, float *scores) {
    const int vectors = cache_vectors(type);
    v16 acc[4], scales[4];
#pragma GCC unroll 4
    for (int n = 0; n < vectors; n++) {
        acc[n] = v_zero();
        scales[n] = type == ATTN_CACHE_I8 ? v_load(keys.scales + 16 * n) : v_zero();
    }
#pragma GCC unroll 8
    for (int64_t d = 0; d < size; d++) {
        v16 q = v_set1(query[d]);
        cache_prefetch(type, keys.data + 64 * d, 0);
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) {
            v16 key = cache_load(type, keys.data, 16 * (d * vectors + n));
            acc[n] = v_fma(q, cache_scaled(type, key, scales[n]), acc[n]);
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < vectors; n++) {
        v_store(scores + 16 * n, acc[n]);
    }
}

/* Scores of sixteen float32 keys here and sixteen there: two chains hide each other's latency. */
static void cache_score_pair(int64_t size, const float *query, cache_place keys, cache_place more,
                             float *scores) {
    const float *a = (const float *)(const void *)keys.data;
    const float *b = (const float *)(const void *)more.data;
    v16 first = v_zero(), second = v_zero();
#pragma GCC unroll 8
    for (int64_t d = 0; d < size; d++) {
        v16 q = v_set1(query[d]);
        first = v_fma(q, v_load(a + 16 * d), first);
        second = v_fma(q, v_load(b + 16 * d), second);
    }
    v_store(scores, first);
    v_store(scores + 16, second);
}

V_INLINE void cache_score_row(const attn_cache_type type, const attn_cache_item *item,
                              const cache_memory *memory, const cache_block *block) {
    const int width = 16 * cache_vectors(type);
    int at = block->from;
    /* Few keys lie in a cache; more come from memory, and best in one stream. */
    bool pairs = type == ATTN_CACHE_F32 && item->last_key <= ATTN_KEY_BLOCK;
    for (; pairs && at + 16 < block->to; at += 32) {
        cache_score_pair(item->layout->head_size, memory->query,
                         cache_keys(item, block->start + at),
                         cache_keys(item, block->start + at + 16), memory->scores + at);
    }
    for (; at < block->to; at += width) {
        cache_score_line(type, item->layout->head_size, memory->query,
                         cache_keys(item, block->start + at), memory->scores + at);
    }
}

/* acc[panels][16] += p times `count` values. */
V_INLINE void cache_weigh_panels(const attn_cache_type type, const int panels, int count,
                                 const float *p, cache_place values, int64_t first,
                                 int64_t value_row, float *acc) {
    v16 sum[8];
#pragma GCC unroll 8
    for (int n = 0; n < panels; n++) {
        sum[n] = v_load(acc + first + 16 * n);
    }
    for (int j = 0; j < count; j++) {
        v16 p_j = v_set1(p[j]);
        v16 scale = type == ATTN_CACHE_I8 ? v_set1(values.scales[j]) : v_zero();
        const unsigned char *row = values.data + (j * value_row + first) * cache_element(type);
#pragma GCC unroll 8
        for (int n = 0; n < panels; n++) {
            v16 value = cache_load(type, row, 16 * n);
            cache_prefetch(type, row, n);
            sum[n] = v_fma(p_j, cache_scaled(type, value, scale), sum[n]);
        }
    }
#pragma GCC unroll 8
    for (int n = 0; n < panels; n++) {
        v_store(acc + first + 16 * n, sum[n]);
    }
}

V_INLINE void cache_weigh_values(const attn_cache_type type, int count, const float *p,
                                 cache_place values, int64_t value_row, float *acc) {
    int64_t e = 0;
#if V_CHAINS > 6
    for (; e + 128 <= value_row; e += 128) {
        cache_weigh_panels(type, 8, count, p, values, e, value_row, acc);
    }
#endif
    for (; e + 64 <= value_row; e += 64) {
        cache_weigh_panels(type, 4, count, p, values, e, value_row, acc);
    }
    for (; e < value_row; e += 16) {
        cache_weigh_panels(type, 1, count, p, values, e, value_row, acc);
    }
}

V_INLINE void cache_weigh_row(const attn_cache_type type, const attn_cache_item *item,
                              const cache_memory *memory, const cache_block *block) {
    const attn_cache_layout *layout = item->layout;
    for (int at = block->first[0]; at < block->last[0];) {
        int64_t key = block->start + at;
        int count =
            (int)attn_min(block->last[0] - at, layout->page_tokens - key % layout->page_tokens);
        cache_weigh_values(type, count, memory->scores + at, cache_values(item, key),
                           layout->value_row, memory->acc);
        at += count;
    }
}

/* ---- several rows ---- */

/* Sixteen keys as a panel of floats [D][16]. */
V_INLINE void cache_widen_keys(const attn_cache_type type, const attn_cache_layout *layout,
                               cache_place keys, int n, float *panel) {
    v16 scales = type == ATTN_CACHE_I8 ? v_load(keys.scales + 16 * n) : v_zero();
    for (int64_t d = 0; d < layout->head_size; d++) {
        v16 key = cache_load(type, keys.data, d * layout->width + 16 * n);
        v_store(panel + 16 * d, cache_scaled(type, key, scales));
    }
}

/* `count` <= 16 values as panels of floats [E16 / 16][16][16]. */
V_INLINE void cache_widen_values(const attn_cache_type type, const attn_cache_layout *layout,
                                 cache_place values, int count, float *panel) {
    for (int j = 0; j < count; j++) {
        v16 scale = type == ATTN_CACHE_I8 ? v_set1(values.scales[j]) : v_zero();
        for (int64_t e = 0; e < layout->value_row; e += 16) {
            v16 value = cache_load(type, values.data, j * layout->value_row + e);
            v_store(panel + 16 * (e + j), cache_scaled(type, value, scale));
        }
    }
}

V_INLINE void cache_score_rows(const attn_cache_type type, const attn_cache_item *item,
                               const cache_memory *memory, const cache_block *block) {
    const attn_cache_layout *layout = item->layout;
    const int width = 16 * cache_vectors(type);
    int first[GROUP_ROWS] = {0}, last[GROUP_ROWS];
    for (int n = 0; n < GROUP_ROWS; n++) {
        last[n] = 16;
    }
    for (int at = block->from; at < block->to; at += 16) {
        int lane = at % width;
        cache_widen_keys(type, layout, cache_keys(item, block->start + at - lane), lane / 16,
                         memory->panel);
        for (int n = 0; n < item->rows; n += GROUP_ROWS) {
            score((int)attn_min(item->rows - n, GROUP_ROWS), first, last, layout->head_size,
                  memory->query + n * QUERY_ROW, memory->panel,
                  memory->scores + n * SCORE_ROW + at);
        }
    }
}

V_INLINE void cache_weigh_rows(const attn_cache_type type, const attn_cache_item *item,
                               const cache_memory *memory, const cache_block *block) {
    const attn_cache_layout *layout = item->layout;
    for (int at = block->from; at < block->to; at += 16) {
        int first[ATTN_CACHE_ROWS], last[ATTN_CACHE_ROWS];
        for (int n = 0; n < item->rows; n++) {
            first[n] = (int)attn_clamp(block->first[n] - at, 0, 16);
            last[n] = (int)attn_clamp(block->last[n] - at, first[n], 16);
        }
        cache_widen_values(type, layout, cache_values(item, block->start + at),
                           (int)attn_min(block->to - at, 16), memory->panel);
        for (int n = 0; n < item->rows; n += GROUP_ROWS) {
            weigh((int)attn_min(item->rows - n, GROUP_ROWS), first + n, last + n,
                  memory->scores + n * SCORE_ROW + at, memory->panel, 256, layout->value_row / 16,
                  memory->acc + n * layout->value_row, layout->value_row);
        }
    }
}

/* ---- one block ---- */

static void cache_add_bias(const attn_cache_item *item, const cache_memory *memory,
                           const cache_block *block) {
    for (int n = 0; n < item->rows; n++) {
        if (item->bias[n] != NULL) {
            add_bias(item->bias[n] + block->start, REAL_LOG2E, block->first[n], block->last[n],
                     memory->scores + n * SCORE_ROW);
        }
    }
}

static void cache_softmax(const attn_cache_item *item, const cache_memory *memory,
                          const cache_block *block) {
    int64_t value_panels = item->layout->value_row / 16;
    cache_add_bias(item, memory, block);
    for (int n = 0; n < item->rows && item->scores != NULL; n++) {
        memcpy(item->scores + n * item->scores_row + block->start + block->from,
               memory->scores + n * SCORE_ROW + block->from,
               (size_t)(attn_round_up(block->to, 16) - block->from) * sizeof(float));
    }
    for (int n = 0; n < item->rows; n++) {
        if (block->first[n] < block->last[n]) {
            float *scores = memory->scores + n * SCORE_ROW;
            row_state row = cache_row(item->layout, memory, n);
            raise_row(block->first[n], block->last[n], scores, row, value_panels);
            softmax_row(block->first[n], block->last[n], scores, row);
        }
    }
}

V_INLINE void cache_attend_block(const attn_cache_type type, const attn_cache_item *item,
                                 const cache_memory *memory, const cache_block *block) {
    if (item->rows == 1) {
        cache_score_row(type, item, memory, block);
        cache_prefetch_start(cache_values(item, block->start + block->from));
        cache_softmax(item, memory, block);
        if (block->start + ATTN_KEY_BLOCK < item->last_key) {
            cache_prefetch_start(cache_keys(item, block->start + ATTN_KEY_BLOCK));
        }
        cache_weigh_row(type, item, memory, block);
    } else {
        cache_score_rows(type, item, memory, block);
        cache_softmax(item, memory, block);
        cache_weigh_rows(type, item, memory, block);
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
        if (layout->type == ATTN_CACHE_F32) {
            cache_attend_block(ATTN_CACHE_F32, item, &memory, &block);
        } else if (layout->type == ATTN_CACHE_BF16) {
            cache_attend_block(ATTN_CACHE_BF16, item, &memory, &block);
        } else {
            cache_attend_block(ATTN_CACHE_I8, item, &memory, &block);
        }
    }
    for (int n = 0; n < item->rows; n++) {
        item->end[n] =
            finish_row(cache_row(layout, &memory, n), layout->value_size, item->output[n]);
    }
}

static void cache_add_weights(int64_t first, int64_t last, const float *scores,
                              attn_reference reference, float *weights) {
    for (int64_t j = first & ~(int64_t)15; j < last; j += 16) {
        int part = v_rest(last - j);
        v16 p = attention_weight(v_load(scores + j), reference);
        p = v_select(v_range(first - j, 16), p, v_zero());
        v_store_part(weights + j, v_add(v_load_part(weights + j, part), p), part);
    }
}

#endif

/* kernels/attention/attention_body.h: attention over vectors; each instruction set includes it.
 *
 * The chains of attention_ref.c, sixteen at a time. A tile of V_TILE_ROWS queries meets a block of
 * ATTN_KEY_BLOCK keys: scores, softmax and weighted sum follow each other while the scores lie in
 * the first cache. Every right operand of a product is a packed copy in panels: sixteen keys side
 * by side (panel[d][key % 16]) where keys are the columns, sixteen elements (panel[token][e % 16])
 * where they are summed over.
 *
 * Masked places are left out, not multiplied by 0, for a NaN there must not leak: of the range of
 * keys of each row of a tile, what all rows share is done by the whole tile, the rest row by row.
 * Ranges are relative to the block. Include after a verbs header. Next: attention_backward_body.h.
 */
#ifndef ATTN_KERNELS_ATTENTION_BODY_H
#define ATTN_KERNELS_ATTENTION_BODY_H

#include <string.h>

#include "base/math.h"
#include "base/minmax.h"
#include "kernels/attention/attention_kernels.h"
#include "kernels/isa/constant.h"
#include "kernels/isa/math16.h"
#include "kernels/isa/part16.h"
#include "kernels/isa/philox16.h"
#include "kernels/isa/tile.h"
#include "kernels/isa/transpose.h"

/* Row strides of scores and of queries: constants, so that a tile's addresses are; an odd number of
 * cache lines, so that a column of them spreads over the cache. */
enum { SCORE_ROW = ATTN_KEY_BLOCK + 16, QUERY_ROW = ATTN_MAX_HEAD_SIZE + 16 };

/* ---- products ---- */

/* c[rows][16 * panels] = or += a[rows, k] b[k][16 * panels], the panels of b `b_panel` apart. rows,
 * panels, add and the strides of a are constants. */
V_INLINE void attention_product_tile(const int rows, const int panels, const bool add, int64_t k,
                                     const float *a, const int64_t a_row, const int64_t a_col,
                                     const float *b, int64_t b_panel, float *c, int64_t c_row) {
    if (rows > v_tile_rows(panels)) {
        return; /* nobody asks for it, so it is not compiled */
    }
    v_tile_sums acc;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            acc[n * rows + r] = add ? v_load(c + r * c_row + 16 * n) : v_zero();
        }
    }
    v_tile(rows, panels, k, a, V_TILE_ROWS * a_row, a_row, a_col, b, 16, b_panel, acc);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            v_store(c + r * c_row + 16 * n, acc[n * rows + r]);
        }
    }
}

/* The same for as many panels as a tile of `rows` rows may have. */
V_INLINE void attention_product_rows(const int rows, int panels, const bool add, int64_t k,
                                     const float *a, const int64_t a_row, const int64_t a_col,
                                     const float *b, int64_t b_panel, float *c, int64_t c_row) {
    V_CONSTANT(panels, V_TILE_PANELS, n,
               attention_product_tile(rows, n, add, k, a, a_row, a_col, b, b_panel, c, c_row));
}

/* The same for any number of rows up to v_tile_rows(panels). */
V_INLINE void attention_product(int rows, int panels, const bool add, int64_t k, const float *a,
                                const int64_t a_row, const int64_t a_col, const float *b,
                                int64_t b_panel, float *c, int64_t c_row) {
    V_CONSTANT(rows, V_TILE_MOST_ROWS, r,
               attention_product_rows(r, panels, add, k, a, a_row, a_col, b, b_panel, c, c_row));
}

/* One row by `panels` <= 4 panels at a time, whose chains hide each other's latency. */
V_INLINE void row_panels(const int panels, const bool add, int64_t k, const float *a, int64_t a_col,
                         const float *b, int64_t b_row, int64_t b_panel, float *c) {
    v16 acc[4];
#pragma GCC unroll 4
    for (int n = 0; n < panels; n++) {
        acc[n] = add ? v_load(c + 16 * n) : v_zero();
    }
    for (int64_t p = 0; p < k; p++) {
        v16 a_p = v_set1(a[p * a_col]);
#pragma GCC unroll 4
        for (int n = 0; n < panels; n++) {
            acc[n] = v_fma(a_p, v_load(b + p * b_row + n * b_panel), acc[n]);
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < panels; n++) {
        v_store(c + 16 * n, acc[n]);
    }
}

/* c[16 * panels] = or += a[k] b[k][16 * panels]. */
V_INLINE void row_product(const bool add, int64_t k, const float *a, int64_t a_col, const float *b,
                          int64_t b_row, int64_t b_panel, int64_t panels, float *c) {
    int64_t n = 0;
    for (; n + 4 <= panels; n += 4) {
        row_panels(4, add, k, a, a_col, b + n * b_panel, b_row, b_panel, c + 16 * n);
    }
    if (n + 2 <= panels) {
        row_panels(2, add, k, a, a_col, b + n * b_panel, b_row, b_panel, c + 16 * n);
        n += 2;
    }
    if (n < panels) {
        row_panels(1, add, k, a, a_col, b + n * b_panel, b_row, b_panel, c + 16 * n);
    }
}

static __attribute__((noinline)) void row_add(int64_t k, const float *a, int64_t a_col,
                                              const float *b, int64_t b_panel, int64_t panels,
                                              float *c) {
    row_product(true, k, a, a_col, b, 16, b_panel, panels, c);
}

/* ---- groups of tiles ---- */

/* Rows that meet a panel while it lies in the first cache: several tiles, one after another. */
enum { GROUP_ROWS = 24, GROUP_TILES = GROUP_ROWS / V_TILE_ROWS };

/* Of `rows` rows, how many belong to tile n of tiles `height` rows high. */
static inline int tile_rows(int rows, int height, int n) {
    return rows - n * height < height ? rows - n * height : height;
}

/* A range of keys, or of panels; empty: from >= to. */
typedef struct tile_range {
    int from, to;
} tile_range;

/* What every row of a tile has, and whether no row has more. */
static inline tile_range tile_common(int rows, const int *first, const int *last, bool *even) {
    tile_range common = {first[0], last[0]};
    *even = true;
    for (int r = 1; r < rows; r++) {
        *even = *even && first[r] == first[0] && last[r] == last[0];
        common.from = first[r] > common.from ? first[r] : common.from;
        common.to = last[r] < common.to ? last[r] : common.to;
    }
    return common;
}

/* The panels in which any row of a tile sees a key: first <= last. */
static inline tile_range tile_panels(int rows, const int *first, const int *last) {
    tile_range any = {ATTN_KEY_BLOCK, 0};
    for (int r = 0; r < rows; r++) {
        if (first[r] < last[r]) {
            any.from = first[r] < any.from ? first[r] : any.from;
            any.to = last[r] > any.to ? last[r] : any.to;
        }
    }
    return (tile_range){any.from / 16, (any.to + 15) / 16};
}

/* c[r] += the sum over p in first[r] .. last[r] - 1 of a[r, p] b[p], over `panels` panels of b, for
 * up to GROUP_ROWS rows: what the rows of a tile do not share first and last, row by row, and the
 * rest panel by panel. The strides of a are constants. */
V_INLINE void ragged_product(const int64_t a_row, const int64_t a_col, int rows, const int *first,
                             const int *last, const float *a, const float *b, int64_t b_panel,
                             int64_t panels, float *c, int64_t c_row) {
    tile_range common[GROUP_TILES];
    bool even[GROUP_TILES], all_even = true;
    int height = v_tile_rows(panels), tiles = (rows + height - 1) / height;
    for (int n = 0; n < tiles; n++) {
        int r0 = n * height;
        common[n] = tile_common(tile_rows(rows, height, n), first + r0, last + r0, &even[n]);
        all_even = all_even && even[n];
    }
    for (int r = 0; r < rows && !all_even; r++) {
        tile_range shared = common[r / height];
        int end = shared.from < shared.to ? shared.from : last[r];
        if (!even[r / height] && first[r] < end) {
            row_add(end - first[r], a + r * a_row + first[r] * a_col, a_col, b + first[r] * 16,
                    b_panel, panels, c + r * c_row);
        }
    }
    for (int64_t panel = 0; panel < panels; panel += V_TILE_PANELS) {
        int count = (int)attn_min(panels - panel, V_TILE_PANELS);
        for (int n = 0; n < tiles; n++) {
            int from = common[n].from, to = common[n].to, r0 = n * height;
            if (from < to) {
                attention_product(tile_rows(rows, height, n), count, true, to - from,
                                  a + r0 * a_row + from * a_col, a_row, a_col,
                                  b + panel * b_panel + from * 16, b_panel,
                                  c + r0 * c_row + 16 * panel, c_row);
            }
        }
    }
    for (int r = 0; r < rows && !all_even; r++) {
        tile_range shared = common[r / height];
        if (!even[r / height] && shared.from < shared.to && shared.to < last[r]) {
            row_add(last[r] - shared.to, a + r * a_row + shared.to * a_col, a_col,
                    b + shared.to * 16, b_panel, panels, c + r * c_row);
        }
    }
}

/* Rows of scores times panels of tokens. */
static __attribute__((noinline)) void weigh(int rows, const int *first, const int *last,
                                            const float *weights, const float *b, int64_t b_panel,
                                            int64_t panels, float *c, int64_t c_row) {
    if (rows == 1) {
        row_product(true, last[0] - first[0], weights + first[0], 1, b + 16 * first[0], 16, b_panel,
                    panels, c);
        return;
    }
    ragged_product(SCORE_ROW, 1, rows, first, last, weights, b, b_panel, panels, c, c_row);
}

/* The scores of up to GROUP_ROWS rows, in all panels of keys where a row of the tile sees any. */
static __attribute__((noinline)) void score(int rows, const int *first, const int *last,
                                            int64_t size, const float *queries, const float *keys,
                                            float *scores) {
    tile_range seen[GROUP_TILES], any = tile_panels(rows, first, last);
    if (rows == 1) {
        row_product(false, size, queries, 1, keys + any.from * 16 * size, 16, 16 * size,
                    any.to - any.from, scores + any.from * 16);
        return;
    }
    int height = v_tile_rows(any.to - any.from), tiles = (rows + height - 1) / height;
    for (int n = 0; n < tiles; n++) {
        int r0 = n * height;
        seen[n] = tile_panels(tile_rows(rows, height, n), first + r0, last + r0);
    }
    for (int panel = any.from; panel < any.to; panel += V_TILE_PANELS) {
        for (int n = 0; n < tiles; n++) {
            int from = panel < seen[n].from ? seen[n].from : panel;
            int to = (int)attn_min(panel + V_TILE_PANELS, seen[n].to);
            if (from < to) {
                attention_product(tile_rows(rows, height, n), to - from, false, size,
                                  queries + n * height * QUERY_ROW, QUERY_ROW, 1,
                                  keys + from * 16 * size, 16 * size,
                                  scores + n * height * SCORE_ROW + 16 * from, SCORE_ROW);
            }
        }
    }
}

/* ---- packing ---- */

static void pack_panels(int64_t count, int64_t size, const float *rows, int64_t stride,
                        float *panels) {
    for (int64_t r = 0; r < count; r += 16) {
        transpose_panel(v_rest(count - r), size, rows + r * stride, stride, panels + r * size);
    }
}

/* columns[e / 16][r][e % 16], the panels `panel` apart; 0 beyond size. */
static void pack_columns(int64_t count, int64_t size, const float *rows, int64_t stride,
                         float *columns, int64_t panel) {
    for (int64_t e = 0; e < size; e += 16, columns += panel) {
        int part = v_rest(size - e);
        for (int64_t r = 0; r < count; r++) {
            v_store(columns + 16 * r, v_load_part(rows + r * stride + e, part));
        }
    }
}

/* target[r] = rows[r] * factor */
static void copy_rows(int64_t count, int64_t size, const float *rows, int64_t stride, float factor,
                      float *target) {
    for (int64_t r = 0; r < count; r++) {
        for (int64_t d = 0; d < size; d += 16) {
            v16 x = v_load_part(rows + r * stride + d, v_rest(size - d));
            v_store(target + r * QUERY_ROW + d, v_mul(x, v_set1(factor)));
        }
    }
}

/* The queries of a block, times their factor. */
static void copy_queries(const attn_attention_call *call, const attn_sequence *sequence, int64_t h,
                         int64_t first_query, int rows, float *target) {
    int step = call->half.query != NULL ? ATTN_HALF_ROWS : ATTN_QUERY_BLOCK;
    float room[ATTN_HALF_ROWS * ATTN_MAX_HEAD_SIZE];
    for (int r = 0; r < rows; r += step) {
        int64_t count = attn_min(rows - r, step);
        attn_rows from = attn_query_rows(call, sequence, h, first_query + r, count, room);
        copy_rows(count, call->spec->head_size, from.first, from.stride, call->query_factor,
                  target + r * QUERY_ROW);
    }
}

/* Forward: panels of keys, then columns of values, whose panels are 16 * capacity apart. */
static inline float *packed_panels(const attn_attention *spec, attn_packed_keys packed,
                                   int64_t key) {
    return packed.memory + (key - packed.first) * spec->head_size;
}
static inline float *packed_values(const attn_attention *spec, attn_packed_keys packed,
                                   int64_t key) {
    return packed.memory + packed.capacity * spec->head_size + (key - packed.first) * 16;
}

static void attention_pack(const attn_attention_call *call, int64_t b, int64_t g, int64_t first_key,
                           attn_packed_keys packed) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    const attn_half_tensors *half = &call->half;
    int64_t end = attn_min(sequence.keys, first_key + ATTN_KEY_BLOCK);
    int64_t step = half->key != NULL ? ATTN_HALF_ROWS : ATTN_KEY_BLOCK;
    float room[ATTN_HALF_ROWS * ATTN_MAX_HEAD_SIZE];
    for (int64_t key = first_key; key < end; key += step) {
        int64_t count = attn_min(end - key, step);
        attn_rows rows = attn_key_rows(call, &sequence, g, key, count, room);
        pack_panels(count, spec->head_size, rows.first, rows.stride,
                    packed_panels(spec, packed, key));
        if (call->value != NULL || half->value != NULL) {
            rows = attn_value_rows(call, &sequence, g, key, count, room);
            pack_columns(count, spec->value_size, rows.first, rows.stride,
                         packed_values(spec, packed, key), packed.capacity * 16);
        }
    }
}

/* ---- what each row sees ---- */

/* Of a block of queries: the keys that each sees, first of all, and relative to a block of keys. */
typedef struct row_ranges {
    int rows;
    int64_t first_key, last_key; /* of all rows together */
    int first[ATTN_QUERY_BLOCK], last[ATTN_QUERY_BLOCK];
    int block_first[ATTN_QUERY_BLOCK], block_last[ATTN_QUERY_BLOCK];
} row_ranges;

static void find_ranges(const attn_attention_call *call, const attn_sequence *sequence,
                        int64_t first_query, row_ranges *ranges) {
    ranges->rows = (int)attn_min(sequence->queries - first_query, ATTN_QUERY_BLOCK);
    for (int r = 0; r < ranges->rows; r++) {
        attn_range seen = attn_visible_keys(call, sequence, first_query + r);
        ranges->first[r] = (int)seen.first;
        ranges->last[r] = (int)seen.last;
    }
    ranges->first_key = ranges->first[0];
    ranges->last_key = ranges->last[ranges->rows - 1];
}

static void find_block_ranges(row_ranges *ranges, int64_t block, int count) {
    int start = (int)block, rows = ranges->rows;
    for (int r = 0; r < rows; r++) {
        int first = ranges->first[r] - start, last = ranges->last[r] - start;
        first = first < 0 ? 0 : first;
        last = last > count ? count : last;
        ranges->block_first[r] = first;
        ranges->block_last[r] = last < first ? first : last;
    }
}

/* ---- one row of scores ---- */

/* The place of a row: for bias and dropout. Keys are relative to the block. */
typedef struct row_place {
    int64_t b, h, i, block;
} row_place;

/* What the gradient needs of the scores of a row, relative to the block of keys. */
typedef struct score_trace {
    float tanh[SCORE_ROW];       /* of the product, with softcap */
    float hook_input[SCORE_ROW]; /* natural units */
} score_trace;

/* s = softcap * tanh(s) */
static void cap_scores(const attn_attention_call *call, int first, int last, float *scores,
                       score_trace *trace) {
    for (int j = first & ~15; j < last; j += 16) {
        v16 t = v_tanh(v_load(scores + j));
        v_store(trace->tanh + j, t);
        v_store(scores + j, v_mul(t, v_set1(call->softcap)));
    }
}

/* s = s - slope * |i + shift - j| */
static void add_alibi(const attn_attention_call *call, row_place place, int first, int last,
                      float *scores) {
    static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    attn_sequence sequence = attn_sequence_of(call->spec, place.b);
    int64_t diagonal = place.i + sequence.keys - sequence.queries - place.block;
    v16 slope = v_set1(-(call->spec->alibi_slopes[place.h] * call->unit));
    for (int j = first & ~15; j < last; j += 16) {
        v16 signed_distance = v_sub(v_set1((float)(diagonal - j)), v_load(lanes));
        v16 distance = v_max(signed_distance, v_sub(v_zero(), signed_distance));
        v_store(scores + j, v_fma(slope, distance, v_load(scores + j)));
    }
}

/* s = bias + s, in the unit of s; nothing beyond the last key is read. */
static void add_bias(const float *bias, float unit, int first, int last, float *scores) {
    for (int j = first & ~15; j < last; j += 16) {
        v16 x = v_load_part(bias + j, v_rest(last - j));
        v_store(scores + j, v_fma(x, v_set1(unit), v_load(scores + j)));
    }
}

/* s = hook(s), from natural units to base 2. The hook sees the keys that the row sees, no other. */
static void run_hook(const attn_attention_call *call, row_place place, int first, int last,
                     float *scores, score_trace *trace) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, place.b);
    attn_score_run run =
        attn_score_run_at(&sequence, place.b, place.h, place.i, place.block + first, last - first);
    memcpy(trace->hook_input + first, scores + first, (size_t)(last - first) * sizeof(float));
    spec->score_hook(spec->score_hook_user, &run, scores + first);
    for (int j = first & ~15; j < last; j += 16) {
        v_store(scores + j, v_mul(v_load(scores + j), v_set1(REAL_LOG2E)));
    }
}

/* s = -infinity where the mask says so. */
static void apply_mask(const attn_attention_call *call, row_place place, int first, int last,
                       float *scores) {
    unsigned char seen[16];
    for (int j = first & ~15; j < last; j += 16) {
        attn_mask_sixteen(call->spec, place.b, place.h, place.i, place.block + j, v_rest(last - j),
                          seen);
        v16 x = v_load_i8((const int8_t *)seen); /* not 0: seen; negative ones too */
        v_store(scores + j,
                v_select(v_less(v_zero(), v_mul(x, x)), v_load(scores + j), v_set1(-INFINITY)));
    }
}

/* All that happens to the scores of a row between product and softmax. */
static __attribute__((noinline)) void change_scores(const attn_attention_call *call,
                                                    row_place place, int first, int last,
                                                    float *scores, score_trace *trace) {
    const attn_attention *spec = call->spec;
    if (call->softcap != 0) {
        cap_scores(call, first, last, scores, trace);
    }
    if (spec->alibi_slopes != NULL) {
        add_alibi(call, place, first, last, scores);
    }
    if (spec->bias != NULL) {
        add_bias(spec->bias + attn_bias_offset(spec, place.b, place.h, place.i) + place.block,
                 call->unit, first, last, scores);
    }
    if (spec->score_hook != NULL) {
        run_hook(call, place, first, last, scores, trace);
    }
    if (spec->mask != NULL) {
        apply_mask(call, place, first, last, scores);
    }
}

/* Lanes of the four panels of 64 keys from `key` on that dropout keeps. */
V_INLINE void kept_lanes(const attn_attention_call *call, row_place place, int64_t key,
                         m16 kept[4]) {
    u16x32 word[4] = {vu_iota((uint32_t)(key / 64 * 16)), vu_set1((uint32_t)place.i),
                      vu_set1((uint32_t)place.h), vu_set1((uint32_t)place.b)};
    v_philox(word, (uint64_t)call->dropout_key[1] << 32 | call->dropout_key[0]);
#pragma GCC unroll 4
    for (int n = 0; n < 4; n++) {
        kept[n] = vu_at_least(word[n], call->threshold);
    }
}

/* p = kept ? p / (1 - dropout) : 0, in the panels from first to last. */
static __attribute__((noinline)) void drop(const attn_attention_call *call, row_place place,
                                           int first, int last, float *p) {
    for (int group = first & ~63; group < last; group += 64) {
        m16 kept[4];
        kept_lanes(call, place, place.block + group, kept);
#pragma GCC unroll 4
        for (int n = 0; n < 4; n++) {
            v16 x = v_mul(v_load(p + group + 16 * n), v_set1(call->keep_factor));
            v_store(p + group + 16 * n, v_select(kept[n], x, v_zero()));
        }
    }
}

/* What a row carries from block to block. */
typedef struct row_state {
    float *acc;  /* [E16] */
    float *sums; /* [16] */
    float *max;
} row_state;

/* -infinity at the masked places of the first and the last panel; returns the largest score. */
V_INLINE float mask_and_max(int first, int last, float *scores) {
    v16 max = v_set1(-INFINITY);
    if (first % 16 != 0) {
        float *panel = scores + (first & ~15);
        v_store(panel, v_select(v_range(first % 16, 16), v_load(panel), max));
    }
    if (last % 16 != 0) {
        float *panel = scores + (last & ~15);
        v_store(panel, v_select(v_range(0, last % 16), v_load(panel), max));
    }
    for (int j = first & ~15; j < last; j += 16) {
        max = v_max(v_load(scores + j), max);
    }
    return v_max_lane(max);
}

static __attribute__((noinline)) void rescale(row_state row, float max, int64_t value_panels) {
    v16 factor = v_set1(real_exp2(*row.max - max));
    for (int64_t n = 0; n < value_panels; n++) {
        v_store(row.acc + 16 * n, v_mul(v_load(row.acc + 16 * n), factor));
    }
    v_store(row.sums, v_mul(v_load(row.sums), factor));
}

/* The maximum of a row rises to that of the scores of one block. first < last. */
V_INLINE void raise_row(int first, int last, float *scores, row_state row, int64_t value_panels) {
    bool whole = first == 0 && last == ATTN_KEY_BLOCK; /* with constants the loop is unrolled */
    float max = whole ? mask_and_max(0, ATTN_KEY_BLOCK, scores) : mask_and_max(first, last, scores);
    if (max > *row.max) {
        if (*row.max != -INFINITY) { /* else 0 times 0 */
            rescale(row, max, value_panels);
        }
        *row.max = max;
    }
}

/* Scores, none above the maximum, become p, and are summed. */
V_INLINE void softmax_row(int first, int last, float *scores, row_state row) {
    v16 reference = v_set1(*row.max == -INFINITY ? 0 : *row.max);
    v16 sums = v_load(row.sums);
    for (int j = first & ~15; j < last; j += 16) {
        v16 p = v_exp2_below(v_sub(v_load(scores + j), reference));
        sums = v_add(sums, p);
        v_store(scores + j, p);
    }
    v_store(row.sums, sums);
}

static inline attn_row_softmax finish_row(row_state row, int64_t value_size, float *output) {
    float sum = v_sum(v_load(row.sums)), log_sum = real_log2(sum);
    v16 divisor = v_set1(sum);
    for (int64_t e = 0; e < value_size; e += 16) {
        v16 x = sum == 0 ? v_zero() : v_div(v_load(row.acc + e), divisor);
        v_store_part(output + e, x, v_rest(value_size - e));
    }
    float lse = sum == 0 ? -INFINITY : fmaf(*row.max, REAL_LN2, log_sum * REAL_LN2);
    return (attn_row_softmax){lse, *row.max, log_sum};
}

/* ---- forward ---- */

/* A thread's memory for one block of queries. */
typedef struct forward_memory {
    float *query; /* [96][QUERY_ROW], times scale * log2(e) */
    float *acc;   /* [96][E16] */
    float *sums;  /* [96][16] */
    float *max;   /* [96] */
} forward_memory;

static forward_memory forward_memory_at(const attn_attention *spec, float *scratch) {
    forward_memory memory = {.query = scratch};
    memory.acc = memory.query + ATTN_QUERY_BLOCK * QUERY_ROW;
    memory.sums = memory.acc + ATTN_QUERY_BLOCK * attn_round_up(spec->value_size, 16);
    memory.max = memory.sums + ATTN_QUERY_BLOCK * 16;
    return memory;
}

static row_state row_state_at(const forward_memory *memory, int r, int64_t acc_row) {
    return (row_state){memory->acc + r * acc_row, memory->sums + r * 16, memory->max + r};
}

static int64_t forward_scratch_size(const attn_attention *spec) {
    return ATTN_QUERY_BLOCK * (QUERY_ROW + attn_round_up(spec->value_size, 16) + 16 + 1);
}

/* One query reads every key and value once, so that memory is the limit. It follows best when it is
 * asked for rows ahead, in their order: a transposition goes back and forth. */
static void fetch_rows(int64_t from, int64_t to, int64_t size, const float *rows, int64_t stride) {
    for (int64_t r = from; r < to; r++) {
        for (int64_t d = 0; d < size; d += 16) {
            __builtin_prefetch(rows + r * stride + d, 0, 3);
        }
    }
}

/* The weighted sum of one row over a block of values that lie where the caller has them. */
static void weigh_in_place(const attn_attention_call *call, row_place place, int first, int last,
                           const float *weights, float *acc) {
    enum { STEP = 16, AHEAD = 32 };
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, place.b);
    int64_t g = place.h / (spec->heads / spec->kv_heads), token = spec->value.token;
    int64_t left = sequence.keys - place.block;
    const float *value = call->value + attn_key_offset(&sequence, spec->value, g, place.block);
    for (int64_t j = first; j < last; j += STEP) {
        fetch_rows(j + AHEAD, attn_min(j + AHEAD + STEP, left), spec->value_size, value, token);
        row_product(true, attn_min(last - j, STEP), weights + j, 1, value + j * token, token, 16,
                    spec->value_size / 16, acc);
    }
}

/* One group of queries against one block of keys. */
static void forward_group(const attn_attention_call *call, row_place place,
                          const row_ranges *ranges, int r0, attn_packed_keys packed,
                          const forward_memory *memory) {
    const attn_attention *spec = call->spec;
    int64_t value_panels = (spec->value_size + 15) / 16, acc_row = value_panels * 16;
    int rows = (int)attn_min(ranges->rows - r0, GROUP_ROWS);
    const int *first = ranges->block_first + r0, *last = ranges->block_last + r0;
    float scores[GROUP_ROWS * SCORE_ROW] __attribute__((aligned(64)));
    score_trace trace; /* for the gradient alone */
    score(rows, first, last, spec->head_size, memory->query + r0 * QUERY_ROW,
          packed_panels(spec, packed, place.block), scores);
    for (int r = 0; r < rows;
         r++) { /* apart from what follows: the rows hide each other's latency */
        if (first[r] < last[r]) {
            if (call->changes_scores) {
                row_place here = {place.b, place.h, place.i + r, place.block};
                change_scores(call, here, first[r], last[r], scores + r * SCORE_ROW, &trace);
            }
            raise_row(first[r], last[r], scores + r * SCORE_ROW,
                      row_state_at(memory, r0 + r, acc_row), value_panels);
        }
    }
    for (int r = 0; r < rows; r++) {
        if (first[r] < last[r]) {
            softmax_row(first[r], last[r], scores + r * SCORE_ROW,
                        row_state_at(memory, r0 + r, acc_row));
            if (call->dropout) {
                row_place here = {place.b, place.h, place.i + r, place.block};
                drop(call, here, first[r], last[r], scores + r * SCORE_ROW);
            }
        }
    }
    if (packed.values_in_place) {
        weigh_in_place(call, place, *first, *last, scores, memory->acc);
        return;
    }
    weigh(rows, first, last, scores, packed_values(spec, packed, place.block), packed.capacity * 16,
          value_panels, memory->acc + r0 * acc_row, acc_row);
}

/* The rows of one block of queries of head h, before the first key. */
static void forward_start(const attn_attention_call *call, const attn_sequence *sequence, int64_t h,
                          int64_t first_query, int rows, const forward_memory *memory) {
    const attn_attention *spec = call->spec;
    copy_queries(call, sequence, h, first_query, rows, memory->query);
    memset(memory->acc, 0, (size_t)(rows * attn_round_up(spec->value_size, 16)) * sizeof(float));
    memset(memory->sums, 0, (size_t)rows * 16 * sizeof(float));
    float sink = attn_sink(spec, h);
    for (int r = 0; r < rows; r++) {
        memory->max[r] = sink;
        memory->sums[r * 16] = sink > -INFINITY ? 1 : 0;
    }
}

static void forward_finish(const attn_attention_call *call, const attn_sequence *sequence,
                           int64_t h, int64_t first_query, int rows, const forward_memory *memory) {
    const attn_attention *spec = call->spec;
    const attn_half_tensors *half = &call->half;
    float room[ATTN_MAX_HEAD_SIZE];
    for (int r = 0; r < rows; r++) {
        row_state state = row_state_at(memory, r, attn_round_up(spec->value_size, 16));
        int64_t i = first_query + r, offset = attn_query_offset(sequence, spec->output, h, i);
        float *output = half->output != NULL ? room : call->output + offset;
        attn_note_row(call, attn_lse_offset(spec, sequence, h, i),
                      finish_row(state, spec->value_size, output));
        if (half->output != NULL) {
            attn_narrow_row(half->type, spec->value_size, room, half->output + offset);
        }
    }
}

static void attention_forward(const attn_attention_call *call, int64_t b, int64_t h,
                              int64_t first_query, attn_packed_keys packed, float *scratch) {
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    forward_memory memory = forward_memory_at(call->spec, scratch);
    row_ranges ranges;
    find_ranges(call, &sequence, first_query, &ranges);
    forward_start(call, &sequence, h, first_query, ranges.rows, &memory);
    int64_t block = ranges.first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    for (; block < ranges.last_key; block += ATTN_KEY_BLOCK) {
        find_block_ranges(&ranges, block, (int)attn_min(sequence.keys - block, ATTN_KEY_BLOCK));
        for (int r = 0; r < ranges.rows; r += GROUP_ROWS) {
            row_place place = {b, h, first_query + r, block};
            forward_group(call, place, &ranges, r, packed, &memory);
        }
    }
    forward_finish(call, &sequence, h, first_query, ranges.rows, &memory);
}

/* Of one block and one query: packs the keys alone. */
static void pack_keys(const attn_attention_call *call, const attn_sequence *sequence, int64_t g,
                      attn_packed_keys packed) {
    enum { AHEAD = 32 };
    const attn_attention *spec = call->spec;
    int64_t left = sequence->keys - packed.first, count = attn_min(left, ATTN_KEY_BLOCK);
    int64_t size = spec->head_size, token = spec->key.token;
    const float *key = call->key + attn_key_offset(sequence, spec->key, g, packed.first);
    float *panels = packed_panels(spec, packed, packed.first);
    for (int64_t r = 0; r < count; r += 16, panels += 16 * size) {
        fetch_rows(r + AHEAD, attn_min(r + AHEAD + 16, left), size, key, token);
        transpose_panel(v_rest(count - r), size, key + r * token, token, panels);
    }
}

/* The same for all queries of the heads that share a key head, block by block of keys: each block is
 * packed into memory that stays in the cache, and used at once. */
static void attention_forward_few(const attn_attention_call *call, int64_t b, int64_t g,
                                  float *scratch) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t group = spec->heads / spec->kv_heads, acc_row = attn_round_up(spec->value_size, 16);
    attn_packed_keys packed = {.memory = scratch + forward_scratch_size(spec),
                               .capacity = ATTN_KEY_BLOCK};
    forward_memory memory[ATTN_QUERY_BLOCK]; /* of each head */
    row_ranges ranges = {0};
    if (sequence.queries == 0) {
        return;
    }
    find_ranges(call, &sequence, 0, &ranges);
    packed.values_in_place =
        ranges.rows == 1 && spec->value_size % 16 == 0 && call->half.value == NULL;
    for (int64_t n = 0; n < group; n++) {
        memory[n] = forward_memory_at(spec, scratch);
        memory[n].query += n * ranges.rows * QUERY_ROW;
        memory[n].acc += n * ranges.rows * acc_row;
        memory[n].sums += n * ranges.rows * 16;
        memory[n].max += n * ranges.rows;
        forward_start(call, &sequence, g * group + n, 0, ranges.rows, &memory[n]);
    }
    packed.first = ranges.first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    for (; packed.first < ranges.last_key; packed.first += ATTN_KEY_BLOCK) {
        if (packed.values_in_place) {
            pack_keys(call, &sequence, g, packed);
        } else {
            attention_pack(call, b, g, packed.first, packed);
        }
        find_block_ranges(&ranges, packed.first,
                          (int)attn_min(sequence.keys - packed.first, ATTN_KEY_BLOCK));
        for (int64_t n = 0; n < group; n++) {
            for (int r = 0; r < ranges.rows; r += GROUP_ROWS) {
                row_place place = {b, g * group + n, r, packed.first};
                forward_group(call, place, &ranges, r, packed, &memory[n]);
            }
        }
    }
    for (int64_t n = 0; n < group; n++) {
        forward_finish(call, &sequence, g * group + n, 0, ranges.rows, &memory[n]);
    }
}

/* ---- weights ---- */

/* log2 of P of scores, once the softmax of their row is known; and P. */
V_INLINE v16 attention_log_weight(v16 scores, attn_reference reference) {
    v16 x = v_fma(v_set1(reference.minus), v_set1(reference.unit), scores);
    return v_sub(x, v_set1(reference.rest));
}
V_INLINE v16 attention_weight(v16 scores, attn_reference reference) {
    return v_exp2(attention_log_weight(scores, reference));
}

static void attention_weights(const attn_attention_call *call, int64_t b, int64_t h,
                              int64_t first_query, attn_packed_keys packed, float *out,
                              int64_t out_row, float *scratch) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t lse = attn_lse_offset(spec, &sequence, h, first_query);
    float scores[GROUP_ROWS * SCORE_ROW] __attribute__((aligned(64)));
    score_trace trace; /* for the gradient alone */
    row_ranges ranges = {0};
    find_ranges(call, &sequence, first_query, &ranges);
    copy_queries(call, &sequence, h, first_query, ranges.rows, scratch);
    for (int r = 0; r < ranges.rows; r++) {
        memset(out + r * out_row, 0, (size_t)spec->key_length * sizeof(float));
    }
    int64_t block = ranges.first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    for (; block < ranges.last_key; block += ATTN_KEY_BLOCK) {
        find_block_ranges(&ranges, block, (int)attn_min(sequence.keys - block, ATTN_KEY_BLOCK));
        for (int r0 = 0; r0 < ranges.rows; r0 += GROUP_ROWS) {
            int rows = (int)attn_min(ranges.rows - r0, GROUP_ROWS);
            score(rows, ranges.block_first + r0, ranges.block_last + r0, spec->head_size,
                  scratch + r0 * QUERY_ROW, packed_panels(spec, packed, block), scores);
            for (int r = r0; r < r0 + rows; r++) {
                int first = ranges.block_first[r], last = ranges.block_last[r];
                float *row = scores + (r - r0) * SCORE_ROW;
                if (first >= last || call->forward_lse[lse + r] == -INFINITY) {
                    continue;
                }
                if (call->changes_scores) {
                    row_place here = {b, h, first_query + r, block};
                    change_scores(call, here, first, last, row, &trace);
                }
                attn_reference reference = attn_reference_at(call, lse + r);
                for (int j = first & ~15; j < last; j += 16) {
                    v_store(row + j, attention_weight(v_load(row + j), reference));
                }
                memcpy(out + r * out_row + block + first, row + first,
                       (size_t)(last - first) * sizeof(float));
            }
        }
    }
}

#endif

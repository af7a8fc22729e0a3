/* kernels/attention/attention_backward_body.h: the gradients of attention over vectors.
 *
 * Five products for one block of queries and one of keys: scores and dP by tiles of queries, which
 * become P and dS; dQ from the tile's dS; then dV and dK by tiles of keys. Keys are the outer loop,
 * so that dK and dV of a block stay in the cache, and dQ is added to in the order of the keys.
 * Include after attention_body.h. */
#ifndef ATTN_KERNELS_ATTENTION_BACKWARD_BODY_H
#define ATTN_KERNELS_ATTENTION_BACKWARD_BODY_H

#include "kernels/attention/attention_body.h"
#include "kernels/attention/attention_cache_body.h"
#include "kernels/attention/attention_statistics_body.h"

/* Columns of scores times panels of tokens: the tile's rows are keys, summed over queries. */
static __attribute__((noinline)) void weigh_columns(int rows, const int *first, const int *last,
                                                    const float *weights, const float *b,
                                                    int64_t b_panel, int64_t panels, float *c,
                                                    int64_t c_row) {
    ragged_product(1, SCORE_ROW, rows, first, last, weights, b, b_panel, panels, c, c_row);
}

/* ---- memory ---- */

/* Sizes that everything here is built from, and the parts of the packed copies. */
typedef struct backward_layout {
    int64_t queries, keys;                                     /* Tq16, Tk16 */
    int64_t query_row, value_row;                              /* D16, E16 */
    int64_t key_panels, value_panels, key_columns;             /* in the copy of a key head */
    int64_t query_columns, d_output_columns, dots, references; /* in that of a query head */
    int64_t packed_keys, packed_queries;                       /* sizes of the copies */
} backward_layout;

static backward_layout layout_of(const attn_attention *spec) {
    backward_layout layout = {.queries = attn_round_up(spec->query_length, 16),
                              .keys = attn_round_up(spec->key_length, 16),
                              .query_row = attn_round_up(spec->head_size, 16),
                              .value_row = attn_round_up(spec->value_size, 16)};
    layout.value_panels = layout.keys * spec->head_size;
    layout.key_columns = layout.value_panels + layout.keys * spec->value_size;
    layout.packed_keys = layout.key_columns + layout.keys * layout.query_row;
    layout.d_output_columns = layout.queries * layout.query_row;
    layout.dots = layout.d_output_columns + layout.queries * layout.value_row;
    layout.references = layout.dots + layout.queries;
    layout.packed_queries = layout.references + 3 * layout.queries;
    return layout;
}

/* A thread's memory: what one block needs, and sums for as much as an item covers: a head, or a block. */
typedef struct backward_memory {
    float *query;                     /* [96][QUERY_ROW], times scale * log2(e) */
    float *d_output;                  /* [96][QUERY_ROW] */
    float *p, *ds;                    /* [96][SCORE_ROW], P with dropout */
    float *d_query, *d_key, *d_value; /* of the item: [queries][D16], [keys][D16], [keys][E16] */
    float *end;
} backward_memory;

static backward_memory backward_memory_at(const backward_layout *layout, int64_t queries,
                                          int64_t keys, float *scratch) {
    backward_memory memory = {.query = scratch};
    memory.d_output = memory.query + ATTN_QUERY_BLOCK * QUERY_ROW;
    memory.p = memory.d_output + ATTN_QUERY_BLOCK * QUERY_ROW;
    memory.ds = memory.p + ATTN_QUERY_BLOCK * SCORE_ROW;
    memory.d_query = memory.ds + ATTN_QUERY_BLOCK * SCORE_ROW;
    memory.d_key = memory.d_query + queries * layout->query_row;
    memory.d_value = memory.d_key + keys * layout->query_row;
    memory.end = memory.d_value + keys * layout->value_row;
    return memory;
}

/* For whole heads, and for blocks of keys and of queries. */
static backward_memory head_memory_at(const backward_layout *layout, float *scratch) {
    return backward_memory_at(layout, layout->queries, layout->keys, scratch);
}
static backward_memory piece_memory_at(const backward_layout *layout, float *scratch) {
    return backward_memory_at(layout, attn_min(layout->queries, ATTN_QUERY_BLOCK),
                              attn_min(layout->keys, ATTN_KEY_BLOCK), scratch);
}

static int64_t sums_size(const backward_layout *layout, int64_t queries, int64_t keys) {
    return 2 * ATTN_QUERY_BLOCK * (QUERY_ROW + SCORE_ROW) + queries * layout->query_row +
           keys * (layout->query_row + layout->value_row);
}

static attn_attention_sizes attention_sizes(const attn_attention *spec) {
    backward_layout layout = layout_of(spec);
    return (attn_attention_sizes){
        .forward_key = spec->head_size + layout.value_row,
        .forward_scratch = forward_scratch_size(spec),
        .backward_keys = layout.packed_keys,
        .backward_queries = layout.packed_queries,
        .backward_scratch = sums_size(&layout, layout.queries, layout.keys) + layout.packed_keys +
                            layout.packed_queries,
        .backward_piece = sums_size(&layout, attn_min(layout.queries, ATTN_QUERY_BLOCK),
                                    attn_min(layout.keys, ATTN_KEY_BLOCK)),
    };
}

/* ---- packing ---- */

static void attention_backward_pack_keys(const attn_attention_call *call, int64_t b, int64_t g,
                                         int64_t first_key, float *packed) {
    const attn_attention *spec = call->spec;
    backward_layout layout = layout_of(spec);
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t end = attn_min(sequence.keys, first_key + ATTN_KEY_BLOCK);
    int64_t step = call->half.key != NULL ? ATTN_HALF_ROWS : ATTN_KEY_BLOCK;
    float room[ATTN_HALF_ROWS * ATTN_MAX_HEAD_SIZE];
    for (int64_t key = first_key; key < end; key += step) {
        int64_t count = attn_min(end - key, step);
        attn_rows rows = attn_key_rows(call, &sequence, g, key, count, room);
        pack_panels(count, spec->head_size, rows.first, rows.stride,
                    packed + key * spec->head_size);
        pack_columns(count, spec->head_size, rows.first, rows.stride,
                     packed + layout.key_columns + key * 16, layout.keys * 16);
        rows = attn_value_rows(call, &sequence, g, key, count, room);
        pack_panels(count, spec->value_size, rows.first, rows.stride,
                    packed + layout.value_panels + key * spec->value_size);
    }
}

/* dO times O. */
static float output_dot(const float *d_output, const float *output, int64_t size) {
    v16 sum = v_zero();
    for (int64_t e = 0; e < size; e += 16) {
        int part = v_rest(size - e);
        v16 next = v_fma(v_load_part(d_output + e, part), v_load_part(output + e, part), sum);
        sum = part == 16 ? next : v_select(v_range(0, part), next, sum);
    }
    return v_sum(sum);
}

/* What the gradients need of the softmax of query i, whose LSE is at `lse`; product: of its dO and O. A row
 * that sees nothing that counts (LSE = -infinity) is packed as zeros. */
static void pack_softmax(const attn_attention_call *call, const backward_layout *layout, int64_t i,
                         int64_t lse, float product, float *packed) {
    attn_reference *references = (attn_reference *)(void *)(packed + layout->references);
    packed[layout->dots + i] = attn_row_dot(call, lse, product);
    references[i] = attn_reference_at(call, lse);
    if (call->forward_lse[lse] == -INFINITY) {
        for (int64_t d = 0; d < layout->query_row; d += 16) {
            v_store(packed + d * layout->queries + i * 16, v_zero());
        }
        for (int64_t e = 0; e < layout->value_row; e += 16) {
            v_store(packed + layout->d_output_columns + e * layout->queries + i * 16, v_zero());
        }
    }
}

static void attention_backward_pack_queries(const attn_attention_call *call, int64_t b, int64_t h,
                                            int64_t first_query, float *packed) {
    const attn_attention *spec = call->spec;
    backward_layout layout = layout_of(spec);
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t end = attn_min(sequence.queries, first_query + ATTN_QUERY_BLOCK);
    int64_t step = call->half.query != NULL ? ATTN_HALF_ROWS : ATTN_QUERY_BLOCK;
    float room[ATTN_HALF_ROWS * ATTN_MAX_HEAD_SIZE], output_room[ATTN_MAX_HEAD_SIZE];
    for (int64_t i = first_query; i < end; i += step) {
        int64_t count = attn_min(end - i, step);
        attn_rows rows = attn_query_rows(call, &sequence, h, i, count, room);
        pack_columns(count, spec->head_size, rows.first, rows.stride, packed + i * 16,
                     layout.queries * 16);
        rows = attn_d_output_rows(call, &sequence, h, i, count, room);
        pack_columns(count, spec->value_size, rows.first, rows.stride,
                     packed + layout.d_output_columns + i * 16, layout.queries * 16);
        for (int64_t r = 0; r < count; r++) {
            attn_rows output = attn_output_rows(call, &sequence, h, i + r, 1, output_room);
            pack_softmax(call, &layout, i + r, attn_lse_offset(spec, &sequence, h, i + r),
                         output_dot(rows.first + r * rows.stride, output.first, spec->value_size),
                         packed);
        }
    }
}

/* ---- one block of queries and keys ---- */

/* Sums that are NULL are not wanted; they stand at the block's first row. */
typedef struct backward_item {
    const attn_attention_call *call;
    const backward_layout *layout;
    const backward_memory *memory;
    const float *keys, *queries; /* packed */
    attn_sequence sequence;
    int64_t b, h, first_query;
    row_ranges ranges;
    float *d_query, *d_key, *d_value;
    bool add_bias;
} backward_item;

static void start_queries(backward_item *item, int64_t h, int64_t first_query,
                          const float *queries) {
    item->h = h;
    item->first_query = first_query;
    item->queries = queries;
    find_ranges(item->call, &item->sequence, first_query, &item->ranges);
}

static bool sees_block(const row_ranges *ranges, int64_t block) {
    return ranges->first_key < block + ATTN_KEY_BLOCK && ranges->last_key > block;
}

/* rows[r] = columns[e / 16][r][e % 16] * factor */
static void spread_columns(int rows, int64_t size, const float *columns, int64_t panel,
                           float factor, float *target) {
    for (int64_t e = 0; e < size; e += 16, columns += panel) {
        for (int r = 0; r < rows; r++) {
            v_store(target + r * QUERY_ROW + e, v_mul(v_load(columns + 16 * r), v_set1(factor)));
        }
    }
}

/* The rows of the block of queries where the tiles read them; from the packed copies, which the
 * products of dK and dV read next. */
static void load_queries(const backward_item *item) {
    const attn_attention *spec = item->call->spec;
    const backward_layout *layout = item->layout;
    const float *columns = item->queries + item->first_query * 16;
    spread_columns(item->ranges.rows, spec->head_size, columns, layout->queries * 16,
                   item->call->query_factor, item->memory->query);
    spread_columns(item->ranges.rows, spec->value_size, columns + layout->d_output_columns,
                   layout->queries * 16, 1, item->memory->d_output);
}

/* dP with what the weights' own gradient adds to it; d_weights: NULL, or of the block's first key. */
V_INLINE v16 with_d_weights(v16 dp, const float *d_weights, int j, int last) {
    if (d_weights == NULL || j >= last) {
        return dp;
    }
    return v_add(dp, v_load_part(d_weights + j, v_rest(last - j)));
}

/* Scores become P, dP becomes dS; with dropout the P that is kept is Pd. */
V_INLINE void softmax_gradient(const attn_attention_call *call, row_place place, int first,
                               int last, attn_reference reference, float dot,
                               const float *d_weights, float *p_row, float *ds_row) {
    if (!call->dropout) {
        for (int j = first & ~15; j < last; j += 16) {
            v16 p = attention_weight(v_load(p_row + j), reference);
            v16 dp = with_d_weights(v_load(ds_row + j), d_weights, j, last);
            v_store(p_row + j, p);
            v_store(ds_row + j, v_mul(p, v_sub(dp, v_set1(dot))));
        }
        return;
    }
    v16 factor = v_set1(call->keep_factor);
    for (int group = first & ~63; group < last; group += 64) {
        m16 kept[4];
        kept_lanes(call, place, place.block + group, kept);
#pragma GCC unroll 4
        for (int n = 0; n < 4; n++) {
            int j = group + 16 * n;
            v16 p = attention_weight(v_load(p_row + j), reference);
            v16 dp = v_select(kept[n], v_mul(v_load(ds_row + j), factor), v_zero());
            dp = with_d_weights(dp, d_weights, j, last);
            v_store(p_row + j, v_select(kept[n], v_mul(p, factor), v_zero()));
            v_store(ds_row + j, v_mul(p, v_sub(dp, v_set1(dot))));
        }
    }
}

static const float *d_weights_at(const attn_attention_call *call, row_place place) {
    return call->d_weights == NULL
               ? NULL
               : call->d_weights + attn_weights_offset(call->spec, place.b, place.h, place.i) +
                     place.block;
}

/* The same with the weights' own gradient. */
static __attribute__((noinline)) void weighted_gradient(const attn_attention_call *call,
                                                        row_place place, int first, int last,
                                                        attn_reference reference, float dot,
                                                        float *p_row, float *ds_row) {
    softmax_gradient(call, place, first, last, reference, dot, d_weights_at(call, place), p_row,
                     ds_row);
}

/* And where scores are changed between product and softmax: dS is that by the bias, or by the product. */
static __attribute__((noinline)) void changed_gradient(const attn_attention_call *call,
                                                       row_place place, int first, int last,
                                                       attn_reference reference, float dot,
                                                       bool by_bias, float *p_row, float *ds_row) {
    const attn_attention *spec = call->spec;
    score_trace trace;
    change_scores(call, place, first, last, p_row, &trace);
    softmax_gradient(call, place, first, last, reference, dot, d_weights_at(call, place), p_row,
                     ds_row);
    if (spec->score_hook != NULL) {
        attn_sequence sequence = attn_sequence_of(spec, place.b);
        attn_score_run run = attn_score_run_at(&sequence, place.b, place.h, place.i,
                                               place.block + first, last - first);
        spec->score_hook_backward(spec->score_hook_user, &run, trace.hook_input + first,
                                  ds_row + first);
    }
    for (int j = first & ~15; j < last && call->softcap != 0 && !by_bias; j += 16) {
        v16 t = v_load(trace.tanh + j);
        v16 derivative = v_fma(v_sub(v_zero(), t), t, v_set1(1));
        v_store(ds_row + j, v_mul(v_load(ds_row + j), derivative));
    }
}

V_INLINE void gradient_row(const attn_attention_call *call, row_place place, int first, int last,
                           attn_reference reference, float dot, bool by_bias, float *p_row,
                           float *ds_row) {
    if (reference.minus == INFINITY) {
        memset(p_row + first, 0, (size_t)(last - first) * sizeof(float));
        memset(ds_row + first, 0, (size_t)(last - first) * sizeof(float));
    } else if (call->changes_scores) {
        changed_gradient(call, place, first, last, reference, dot, by_bias, p_row, ds_row);
    } else if (call->d_weights != NULL) {
        weighted_gradient(call, place, first, last, reference, dot, p_row, ds_row);
    } else {
        softmax_gradient(call, place, first, last, reference, dot, NULL, p_row, ds_row);
    }
}

static void add_bias_gradient(const backward_item *item, row_place place, int first, int last,
                              const float *ds) {
    float *d_bias = item->call->d_bias +
                    attn_bias_offset(item->call->spec, place.b, place.h, place.i) + place.block;
    for (int j = first; j < last; j += 16) {
        int part = v_rest(last - j);
        v_store_part(d_bias + j, v_add(v_load_part(d_bias + j, part), v_load_part(ds + j, part)),
                     part);
    }
}

/* P and dS of one group of queries, and its part of dQ. */
static void gradient_group(const backward_item *item, int64_t block, int r0) {
    const attn_attention *spec = item->call->spec;
    const backward_layout *layout = item->layout;
    const row_ranges *ranges = &item->ranges;
    int rows = (int)attn_min(ranges->rows - r0, GROUP_ROWS);
    const int *first = ranges->block_first + r0, *last = ranges->block_last + r0;
    float *p = item->memory->p + r0 * SCORE_ROW, *ds = item->memory->ds + r0 * SCORE_ROW;
    const attn_reference *references =
        (const attn_reference *)(const void *)(item->queries + layout->references) +
        item->first_query + r0;
    const float *dots = item->queries + layout->dots + item->first_query + r0;
    score(rows, first, last, spec->head_size, item->memory->query + r0 * QUERY_ROW,
          item->keys + block * spec->head_size, p);
    score(rows, first, last, spec->value_size, item->memory->d_output + r0 * QUERY_ROW,
          item->keys + layout->value_panels + block * spec->value_size, ds);
    int alive_last[GROUP_ROWS];
    for (int r = 0; r < rows; r++) {
        row_place place = {item->b, item->h, item->first_query + r0 + r, block};
        alive_last[r] = references[r].minus == INFINITY ? first[r] : last[r];
        if (first[r] < last[r]) {
            gradient_row(item->call, place, first[r], last[r], references[r], dots[r],
                         item->add_bias, p + r * SCORE_ROW, ds + r * SCORE_ROW);
            if (item->add_bias) {
                add_bias_gradient(item, place, first[r], last[r], ds + r * SCORE_ROW);
            }
        }
    }
    if (item->d_query != NULL) {
        weigh(rows, first, alive_last, ds, item->keys + layout->key_columns + block * 16,
              layout->keys * 16, layout->query_row / 16, item->d_query + r0 * layout->query_row,
              layout->query_row);
    }
}

/* dV and dK of the keys of a block, by groups of keys that lie in one cache line of a row of scores: a
 * tile across two lines takes a quarter longer. */
static void add_key_gradients(const backward_item *item, int64_t block, int count) {
    const backward_layout *layout = item->layout;
    int first[ATTN_KEY_BLOCK], last[ATTN_KEY_BLOCK];
    for (int j = 0; j < count; j++) {
        attn_range seen = attn_seeing_queries(item->call, &item->sequence, block + j);
        first[j] = (int)attn_clamp(seen.first - item->first_query, 0, item->ranges.rows);
        last[j] = (int)attn_clamp(seen.last - item->first_query, first[j], item->ranges.rows);
    }
    enum { LINE = 16 };
    for (int j = 0; j < count; j += LINE) {
        int rows = (int)attn_min(count - j, LINE);
        if (item->d_value != NULL) {
            weigh_columns(rows, first + j, last + j, item->memory->p + j,
                          item->queries + layout->d_output_columns + item->first_query * 16,
                          layout->queries * 16, layout->value_row / 16,
                          item->d_value + j * layout->value_row, layout->value_row);
        }
        if (item->d_key != NULL) {
            weigh_columns(rows, first + j, last + j, item->memory->ds + j,
                          item->queries + item->first_query * 16, layout->queries * 16,
                          layout->query_row / 16, item->d_key + j * layout->query_row,
                          layout->query_row);
        }
    }
}

static void gradient_block(backward_item *item, int64_t block) {
    int count = (int)attn_min(item->sequence.keys - block, ATTN_KEY_BLOCK);
    find_block_ranges(&item->ranges, block, count);
    for (int r = 0; r < item->ranges.rows; r += GROUP_ROWS) {
        gradient_group(item, block, r);
    }
    if (item->d_key != NULL || item->d_value != NULL) {
        add_key_gradients(item, block, count);
    }
}

/* ---- items ---- */

static void attention_clear(float *sums, int64_t count) {
    memset(sums, 0, (size_t)count * sizeof(float));
}

/* rows[r] = sums[r] * factor */
static void store_rows(int64_t count, int64_t size, const float *sums, int64_t sums_row,
                       float factor, float *rows, int64_t stride) {
    for (int64_t r = 0; r < count; r++) {
        for (int64_t d = 0; d < size; d += 16) {
            v_store_part(rows + r * stride + d,
                         v_mul(v_load(sums + r * sums_row + d), v_set1(factor)), v_rest(size - d));
        }
    }
}

static void store_keys(const backward_item *item, int64_t g, int64_t first_key, int64_t count,
                       const float *d_key, const float *d_value) {
    const attn_attention_call *call = item->call;
    const attn_attention *spec = call->spec;
    if (call->d_key != NULL) {
        store_rows(count, spec->head_size, d_key, item->layout->query_row, call->scale,
                   call->d_key +
                       attn_key_offset(&item->sequence, call->d_key_strides, g, first_key),
                   call->d_key_strides.token);
    }
    if (call->d_value != NULL) {
        store_rows(count, spec->value_size, d_value, item->layout->value_row, 1,
                   call->d_value +
                       attn_key_offset(&item->sequence, call->d_value_strides, g, first_key),
                   call->d_value_strides.token);
    }
}

static void store_queries(const backward_item *item, int64_t h, int64_t first_query, int64_t count,
                          const float *d_query) {
    const attn_attention_call *call = item->call;
    store_rows(count, call->spec->head_size, d_query, item->layout->query_row, call->scale,
               call->d_query +
                   attn_query_offset(&item->sequence, call->d_query_strides, h, first_query),
               call->d_query_strides.token);
}

/* All blocks of one query head; dK and dV go on from the head before. */
static void backward_head(backward_item *item, int64_t h) {
    const attn_attention_call *call = item->call;
    const backward_layout *layout = item->layout;
    const backward_memory *memory = item->memory;
    float *packed_queries = memory->end + layout->packed_keys;
    for (int64_t first = 0; first < item->sequence.queries; first += ATTN_QUERY_BLOCK) {
        attention_backward_pack_queries(call, item->b, h, first, packed_queries);
    }
    attention_clear(memory->d_query, item->sequence.queries * layout->query_row);
    for (int64_t block = 0; block < item->sequence.keys; block += ATTN_KEY_BLOCK) {
        item->d_key = call->d_key != NULL ? memory->d_key + block * layout->query_row : NULL;
        item->d_value = call->d_value != NULL ? memory->d_value + block * layout->value_row : NULL;
        for (int64_t first = 0; first < item->sequence.queries; first += ATTN_QUERY_BLOCK) {
            start_queries(item, h, first, packed_queries);
            item->d_query =
                call->d_query != NULL ? memory->d_query + first * layout->query_row : NULL;
            if (sees_block(&item->ranges, block)) {
                load_queries(item);
                gradient_block(item, block);
            }
        }
    }
    if (call->d_query != NULL) {
        store_queries(item, h, 0, item->sequence.queries, memory->d_query);
    }
}

static void attention_backward(const attn_attention_call *call, int64_t b, int64_t g,
                               float *scratch) {
    const attn_attention *spec = call->spec;
    backward_layout layout = layout_of(spec);
    backward_memory memory = head_memory_at(&layout, scratch);
    float *packed_keys = memory.end;
    backward_item item = {.call = call,
                          .layout = &layout,
                          .memory = &memory,
                          .keys = packed_keys,
                          .sequence = attn_sequence_of(spec, b),
                          .b = b};
    int64_t group = spec->heads / spec->kv_heads, keys = item.sequence.keys;
    for (int64_t first = 0; first < keys; first += ATTN_KEY_BLOCK) {
        attention_backward_pack_keys(call, b, g, first, packed_keys);
    }
    attention_clear(memory.d_key, keys * layout.query_row);
    attention_clear(memory.d_value, keys * layout.value_row);
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        backward_head(&item, h);
    }
    store_keys(&item, g, 0, keys, memory.d_key, memory.d_value);
}

static void attention_backward_keys(const attn_attention_call *call, int64_t b, int64_t g,
                                    int64_t first_key, attn_backward_packed packed,
                                    float *scratch) {
    const attn_attention *spec = call->spec;
    backward_layout layout = layout_of(spec);
    backward_memory memory = piece_memory_at(&layout, scratch);
    backward_item item = {.call = call,
                          .layout = &layout,
                          .memory = &memory,
                          .keys = packed.keys,
                          .sequence = attn_sequence_of(spec, b),
                          .b = b};
    int64_t group = spec->heads / spec->kv_heads;
    int64_t count = attn_min(item.sequence.keys - first_key, ATTN_KEY_BLOCK);
    attention_clear(memory.d_key, count * layout.query_row);
    attention_clear(memory.d_value, count * layout.value_row);
    item.d_key = call->d_key != NULL ? memory.d_key : NULL;
    item.d_value = call->d_value != NULL ? memory.d_value : NULL;
    for (int64_t n = 0; n < group; n++) {
        const float *queries = packed.queries + n * layout.packed_queries;
        for (int64_t first = 0; first < item.sequence.queries; first += ATTN_QUERY_BLOCK) {
            start_queries(&item, g * group + n, first, queries);
            if (sees_block(&item.ranges, first_key)) {
                load_queries(&item);
                gradient_block(&item, first_key);
            }
        }
    }
    store_keys(&item, g, first_key, count, memory.d_key, memory.d_value);
}

static void attention_backward_queries(const attn_attention_call *call, int64_t b, int64_t h,
                                       int64_t first_query, attn_backward_packed packed,
                                       float *scratch) {
    backward_layout layout = layout_of(call->spec);
    backward_memory memory = piece_memory_at(&layout, scratch);
    backward_item item = {.call = call,
                          .layout = &layout,
                          .memory = &memory,
                          .keys = packed.keys,
                          .sequence = attn_sequence_of(call->spec, b),
                          .b = b,
                          .d_query = memory.d_query};
    start_queries(&item, h, first_query, packed.queries);
    load_queries(&item);
    attention_clear(memory.d_query, item.ranges.rows * layout.query_row);
    int64_t block = item.ranges.first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    for (; block < item.ranges.last_key; block += ATTN_KEY_BLOCK) {
        gradient_block(&item, block);
    }
    store_queries(&item, h, first_query, item.ranges.rows, memory.d_query);
}

static void attention_backward_bias(const attn_attention_call *call, int64_t b, int64_t h,
                                    int64_t first_query, int64_t first_key,
                                    attn_backward_packed packed, float *scratch) {
    backward_layout layout = layout_of(call->spec);
    backward_memory memory = piece_memory_at(&layout, scratch);
    backward_item item = {.call = call,
                          .layout = &layout,
                          .memory = &memory,
                          .keys = packed.keys,
                          .sequence = attn_sequence_of(call->spec, b),
                          .b = b,
                          .add_bias = true};
    start_queries(&item, h, first_query, packed.queries);
    if (sees_block(&item.ranges, first_key)) {
        load_queries(&item);
        gradient_block(&item, first_key);
    }
}

static float attention_backward_sink(const attn_attention_call *call, int64_t h) {
    const attn_attention *spec = call->spec;
    float sum = 0, sink = attn_sink(spec, h);
    float d_output_room[ATTN_MAX_HEAD_SIZE], output_room[ATTN_MAX_HEAD_SIZE];
    for (int64_t b = 0; b < spec->batch && sink > -INFINITY; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t i = 0; i < sequence.queries; i++) {
            int64_t lse = attn_lse_offset(spec, &sequence, h, i);
            attn_reference reference = attn_reference_at(call, lse);
            float p = real_exp2(fmaf(reference.minus, reference.unit, sink) - reference.rest);
            float product = output_dot(
                attn_d_output_rows(call, &sequence, h, i, 1, d_output_room).first,
                attn_output_rows(call, &sequence, h, i, 1, output_room).first, spec->value_size);
            sum = fmaf(-p, attn_row_dot(call, lse, product), sum);
        }
    }
    return sum;
}

static const attn_attention_kernels attention_kernels = {
    .sizes = attention_sizes,
    .pack = attention_pack,
    .forward = attention_forward,
    .forward_few = attention_forward_few,
    .weights = attention_weights,
    .statistics = attention_statistics,
    .backward = attention_backward,
    .backward_pack_keys = attention_backward_pack_keys,
    .backward_pack_queries = attention_backward_pack_queries,
    .backward_keys = attention_backward_keys,
    .backward_queries = attention_backward_queries,
    .backward_bias = attention_backward_bias,
    .backward_sink = attention_backward_sink,
    .cache_scratch = cache_scratch,
    .cache_attend = cache_attend,
    .cache_add_weights = cache_add_weights,
};

#endif

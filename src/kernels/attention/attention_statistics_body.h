/* kernels/attention/attention_statistics_body.h: statistics of the weights over vectors: scores by
 * tiles as in the forward, which become P, are counted, and forgotten.
 *
 * Include after attention_body.h, whose rows and products it shares. */
#ifndef ATTN_KERNELS_ATTENTION_STATISTICS_BODY_H
#define ATTN_KERNELS_ATTENTION_STATISTICS_BODY_H

#include "kernels/attention/attention_body.h"

/* Where the statistics of one row go; NULL: not wanted. */
typedef struct row_statistics {
    float *entropy_lanes; /* [16] */
    float *columns;       /* of the block of keys */
    float *largest_weights;
    int64_t *largest_keys; /* [k] */
    int64_t k, block;      /* first key of the block */
} row_statistics;

static inline bool any_above(v16 p, const row_statistics *row) {
    float smallest = row->largest_keys[row->k - 1] < 0 ? -1 : row->largest_weights[row->k - 1];
    return v_max_lane(p) > smallest;
}

/* p: -1 where the row does not see. Few panels hold a weight that belongs to the largest, so that
 * one comparison does for most. */
static void keep_largest(const row_statistics *row, int first, int last, const float *p) {
    for (int j = first & ~15; j < last; j += 16) {
        if (any_above(v_load(p + j), row)) {
            for (int n = j; n < j + 16; n++) {
                attn_largest_insert(row->largest_weights, row->largest_keys, row->k, p[n],
                                    row->block + n);
            }
        }
    }
}

static void count_row(int first, int last, attn_reference reference, const float *scores,
                      const row_statistics *row) {
    float weights_kept[SCORE_ROW] __attribute__((aligned(64)));
    v16 sums = v_load(row->entropy_lanes), none = v_set1(-1), largest = none;
    for (int j = first & ~15; j < last; j += 16) {
        m16 seen = v_range(first - j, last - j);
        v16 x = attention_log_weight(v_load(scores + j), reference);
        v16 p = v_select(seen, v_exp2(x), v_zero());
        x = v_select(seen, v_max(v_set1(-127), x), v_zero()); /* keeps NaN */
        sums = v_fma(p, x, sums);
        if (row->columns != NULL) {
            int part = v_rest(last - j);
            float *columns = row->columns + j;
            v_store_part(columns, v_add(v_load_part(columns, part), p), part);
        }
        p = v_max(v_select(seen, p, none), none); /* NaN is none */
        v_store(weights_kept + j, p);
        largest = v_max(p, largest);
    }
    v_store(row->entropy_lanes, sums);
    if (row->largest_keys != NULL && any_above(largest, row)) {
        keep_largest(row, first, last, weights_kept);
    }
}

/* One group of queries against one block of keys. */
static void statistics_group(const attn_attention_call *call, row_place place,
                             const row_ranges *ranges, int r0, attn_packed_keys packed,
                             const attn_weight_statistics *wanted, const forward_memory *memory) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, place.b);
    int rows = (int)attn_min(ranges->rows - r0, GROUP_ROWS);
    const int *first = ranges->block_first + r0, *last = ranges->block_last + r0;
    float scores[GROUP_ROWS * SCORE_ROW] __attribute__((aligned(64)));
    score_trace trace; /* for the gradient alone */
    score(rows, first, last, spec->head_size, memory->query + r0 * QUERY_ROW,
          packed_panels(spec, packed, place.block), scores);
    for (int r = 0; r < rows; r++) {
        row_place here = {place.b, place.h, place.i + r, place.block};
        int64_t offset = attn_lse_offset(spec, &sequence, place.h, here.i), k = wanted->largest;
        float *row_scores = scores + r * SCORE_ROW;
        if (first[r] >= last[r] || call->forward_lse[offset] == -INFINITY) {
            continue;
        }
        if (call->changes_scores) {
            change_scores(call, here, first[r], last[r], row_scores, &trace);
        }
        row_statistics row = {
            .entropy_lanes = memory->sums + (r0 + r) * 16, .k = k, .block = place.block};
        if (wanted->column_sums != NULL) {
            row.columns =
                wanted->column_sums + attn_column_offset(spec, &sequence, place.h, place.block);
        }
        if (wanted->largest_keys != NULL && k > 0) {
            row.largest_weights = wanted->largest_weights + offset * k;
            row.largest_keys = wanted->largest_keys + offset * k;
        }
        count_row(first[r], last[r], attn_reference_at(call, offset), row_scores, &row);
    }
}

static void attention_statistics(const attn_attention_call *call, int64_t b, int64_t h,
                                 int64_t first_query, int64_t first_key, int64_t last_key,
                                 attn_packed_keys packed, const attn_weight_statistics *wanted,
                                 float *scratch) {
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    forward_memory memory = forward_memory_at(spec, scratch);
    row_ranges ranges;
    find_ranges(call, &sequence, first_query, &ranges);
    copy_queries(call, &sequence, h, first_query, ranges.rows, memory.query);
    memset(memory.sums, 0, (size_t)ranges.rows * 16 * sizeof(float));
    int64_t block = ranges.first_key / ATTN_KEY_BLOCK * ATTN_KEY_BLOCK;
    block = block > first_key ? block : first_key;
    for (; block < attn_min(ranges.last_key, last_key); block += ATTN_KEY_BLOCK) {
        find_block_ranges(&ranges, block, (int)attn_min(sequence.keys - block, ATTN_KEY_BLOCK));
        for (int r = 0; r < ranges.rows; r += GROUP_ROWS) {
            row_place place = {b, h, first_query + r, block};
            statistics_group(call, place, &ranges, r, packed, wanted, &memory);
        }
    }
    float *entropy = wanted->entropy;
    for (int r = 0; r < ranges.rows && entropy != NULL; r++) {
        float of_row = 0 - v_sum(v_load(memory.sums + r * 16)) * REAL_LN2;
        entropy[attn_lse_offset(spec, &sequence, h, first_query + r)] = of_row < 0 ? 0 : of_row;
    }
}

#endif

/* kernels/attention/attention_cache_ref.c: attention over a cache in plain C, one query row and one key
 * at a time: the definition, in the steps of attention_ref.c's forward.
 *
 * Next: attention_cache_body.h. */
#include "base/narrow.h"
#include "kernels/attention/attention_ref.h"

int64_t attn_cache_scratch_ref(const attn_cache_layout *layout) {
    (void)layout;
    return 0;
}

/* Element `at` of what starts at `elements`, of a row with this scale. */
static real element(attn_cache_type type, const unsigned char *elements, int64_t at, float scale) {
    if (type == ATTN_CACHE_F32) {
        return ((const real *)(const void *)elements)[at];
    }
    if (type == ATTN_CACHE_BF16) {
        return narrow_from_bf16(((const uint16_t *)(const void *)elements)[at]);
    }
    return (float)((const int8_t *)elements)[at] * scale;
}

/* What of key head g lies where token j does. */
typedef struct place {
    const unsigned char *keys, *values; /* of the page */
    float key_scale, value_scale;
    int64_t token, lane; /* of the page; of the keys side by side */
} place;

static place place_of(const attn_cache_item *item, int64_t j) {
    const attn_cache_layout *layout = item->layout;
    const unsigned char *part =
        attn_cache_part(layout, item->pages[j / layout->page_tokens], item->g);
    int64_t token = j % layout->page_tokens;
    place at = {.keys = part,
                .values = part + layout->values,
                .token = token,
                .lane = token % layout->width};
    if (layout->type == ATTN_CACHE_I8) {
        at.key_scale = ((const float *)(const void *)(part + layout->key_scales))[token];
        at.value_scale = ((const float *)(const void *)(part + layout->value_scales))[token];
    }
    return at;
}

static real score(const attn_cache_item *item, const real *query, int64_t j) {
    const attn_cache_layout *layout = item->layout;
    place at = place_of(item, j);
    real sum = 0;
    for (int64_t d = 0; d < layout->head_size; d++) {
        int64_t i = (at.token - at.lane) * layout->head_size + d * layout->width + at.lane;
        sum = real_fma(query[d], element(layout->type, at.keys, i, at.key_scale), sum);
    }
    return sum;
}

static void add_value(const attn_cache_item *item, int64_t j, real p, real *acc) {
    const attn_cache_layout *layout = item->layout;
    place at = place_of(item, j);
    for (int64_t e = 0; e < layout->value_size; e++) {
        int64_t i = at.token * layout->value_row + e;
        acc[e] = real_fma(p, element(layout->type, at.values, i, at.value_scale), acc[e]);
    }
}

static void attend_row(attn_cache_item *item, int n) {
    const attn_cache_layout *layout = item->layout;
    row_state row;
    row_start(&row, item->query[n], item->query_factor, layout->head_size);
    for (int64_t first = item->first[n]; first < item->last[n];) {
        int64_t last = attn_min(attn_round_up(first + 1, ATTN_KEY_BLOCK), item->last[n]);
        real scores[ATTN_KEY_BLOCK];
        for (int64_t j = first; j < last; j++) {
            scores[j - first] = score(item, row.query, j);
            if (item->bias[n] != NULL) {
                scores[j - first] = real_fma(item->bias[n][j], REAL_LOG2E, scores[j - first]);
            }
            if (item->scores != NULL) {
                item->scores[n * item->scores_row + j] = scores[j - first];
            }
        }
        real max = row_raise(&row, scores, last - first, layout->value_size);
        for (int64_t j = first; j < last; j++) {
            real p = real_exp2(scores[j - first] - max);
            row.sums[j % LANES] += p;
            add_value(item, j, p, row.acc);
        }
        first = last;
    }
    item->end[n] = row_finish(&row, layout->value_size, item->output[n]);
}

void attn_cache_attend_ref(attn_cache_item *item, real *scratch) {
    (void)scratch;
    for (int n = 0; n < item->rows; n++) {
        attend_row(item, n);
    }
}

void attn_cache_add_weights_ref(int64_t first, int64_t last, const real *scores,
                                attn_reference reference, real *weights) {
    for (int64_t j = first; j < last; j++) {
        weights[j] += weight(scores[j], reference);
    }
}

/* kernels/attention/attention_ref.c: attention in plain C, one query row and one key at a time: the
 * definition of every result, written to be read beside kernels/attention/attention.h.
 *
 * It packs nothing, keeps a row in local arrays, and in the backward computes each place (i, j)
 * again for every gradient. i queries, j keys, d of D, e of E. Next: attention_body.h. */
#include <string.h>

#include "base/random.h"
#include "kernels/attention/attention_ref.h"

static attn_attention_sizes attention_sizes(const attn_attention *spec) {
    (void)spec;
    return (attn_attention_sizes){0};
}

static void attention_pack(const attn_attention_call *call, int64_t b, int64_t g, int64_t first_key,
                           attn_packed_keys packed) {
    (void)call, (void)b, (void)g, (void)first_key, (void)packed;
}

static void attention_backward_pack(const attn_attention_call *call, int64_t b, int64_t head,
                                    int64_t first, real *packed) {
    (void)call, (void)b, (void)head, (void)first, (void)packed;
}

static bool dropout_keeps(const attn_attention_call *call, int64_t b, int64_t h, int64_t i,
                          int64_t j) {
    uint32_t counter[4] = {(uint32_t)(j / 64 * LANES + j % LANES), (uint32_t)i, (uint32_t)h,
                           (uint32_t)b};
    uint32_t words[4];
    attn_philox(counter, call->dropout_key, words);
    return words[j / LANES % 4] >= call->threshold;
}

/* ---- forward ---- */

/* A score on its way from the product to softmax, and what the gradient needs of it. */
typedef struct scored {
    real tanh;       /* of the product, with softcap */
    real hook_input; /* natural units */
    real s;          /* what softmax takes: base 2 */
} scored;

static scored score(const attn_attention_call *call, const attn_sequence *sequence, int64_t b,
                    int64_t h, int64_t i, int64_t j, const real *scaled_query) {
    const attn_attention *spec = call->spec;
    int64_t g = h / (spec->heads / spec->kv_heads);
    real room[ATTN_MAX_HEAD_SIZE];
    const real *key = attn_key_rows(call, sequence, g, j, 1, room).first;
    scored at = {.s = dot(scaled_query, key, 1, spec->head_size)};
    if (call->softcap != 0) {
        at.tanh = real_tanh(at.s);
        at.s = at.tanh * call->softcap;
    }
    if (spec->alibi_slopes != NULL) {
        int64_t diagonal = i + sequence->keys - sequence->queries;
        real distance = (real)(diagonal - j / LANES * LANES) - (real)(j % LANES);
        at.s = real_fma(-(spec->alibi_slopes[h] * call->unit), distance < 0 ? -distance : distance,
                        at.s);
    }
    if (spec->bias != NULL) {
        at.s = real_fma(spec->bias[attn_bias_offset(spec, b, h, i) + j], call->unit, at.s);
    }
    if (spec->score_hook != NULL) {
        attn_score_run run = attn_score_run_at(sequence, b, h, i, j, 1);
        at.hook_input = at.s;
        spec->score_hook(spec->score_hook_user, &run, &at.s);
        at.s *= REAL_LOG2E;
    }
    if (spec->mask != NULL && !attn_mask_sees(spec, b, h, i, j)) {
        at.s = -INFINITY;
    }
    return at;
}

static void forward_row(const attn_attention_call *call, const attn_sequence *sequence, int64_t b,
                        int64_t h, int64_t i) {
    const attn_attention *spec = call->spec;
    int64_t g = h / (spec->heads / spec->kv_heads);
    const attn_half_tensors *half = &call->half;
    attn_range seen = attn_visible_keys(call, sequence, i);
    row_state row;
    real room[ATTN_MAX_HEAD_SIZE];
    row_start(&row, attn_query_rows(call, sequence, h, i, 1, room).first, call->query_factor,
              spec->head_size);
    if (attn_sink(spec, h) > -INFINITY) {
        row.max = attn_sink(spec, h);
        row.sums[0] = 1;
    }
    for (int64_t first = seen.first; first < seen.last;) {
        int64_t last = attn_min(attn_round_up(first + 1, ATTN_KEY_BLOCK), seen.last);
        real scores[ATTN_KEY_BLOCK];
        for (int64_t j = first; j < last; j++) {
            scores[j - first] = score(call, sequence, b, h, i, j, row.query).s;
        }
        real max = row_raise(&row, scores, last - first, spec->value_size);
        for (int64_t j = first; j < last; j++) {
            real p = real_exp2(scores[j - first] - max);
            row.sums[j % LANES] += p;
            if (call->dropout) {
                p = dropout_keeps(call, b, h, i, j) ? p * call->keep_factor : 0;
            }
            const real *value = attn_value_rows(call, sequence, g, j, 1, room).first;
            for (int64_t e = 0; e < spec->value_size; e++) {
                row.acc[e] = real_fma(p, value[e], row.acc[e]);
            }
        }
        first = last;
    }
    int64_t offset = attn_query_offset(sequence, spec->output, h, i);
    real *output = half->output != NULL ? room : call->output + offset;
    attn_note_row(call, attn_lse_offset(spec, sequence, h, i),
                  row_finish(&row, spec->value_size, output));
    if (half->output != NULL) {
        attn_narrow_row(half->type, spec->value_size, room, half->output + offset);
    }
}

static void attention_forward(const attn_attention_call *call, int64_t b, int64_t h,
                              int64_t first_query, attn_packed_keys packed, real *scratch) {
    (void)packed, (void)scratch;
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t last = attn_min(first_query + ATTN_QUERY_BLOCK, sequence.queries);
    for (int64_t i = first_query; i < last; i++) {
        forward_row(call, &sequence, b, h, i);
    }
}

static void attention_forward_few(const attn_attention_call *call, int64_t b, int64_t g,
                                  real *memory) {
    int64_t group = call->spec->heads / call->spec->kv_heads;
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        attention_forward(call, b, h, 0, (attn_packed_keys){0}, memory);
    }
}

static void attention_weights(const attn_attention_call *call, int64_t b, int64_t h,
                              int64_t first_query, attn_packed_keys packed, real *weights,
                              int64_t row, real *scratch) {
    (void)packed, (void)scratch;
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t last = attn_min(first_query + ATTN_QUERY_BLOCK, sequence.queries);
    for (int64_t i = first_query; i < last; i++) {
        real *out = weights + (i - first_query) * row;
        memset(out, 0, (size_t)spec->key_length * sizeof *out);
        int64_t offset = attn_lse_offset(spec, &sequence, h, i);
        if (call->forward_lse[offset] == -INFINITY) {
            continue;
        }
        attn_reference reference = attn_reference_at(call, offset);
        attn_range seen = attn_visible_keys(call, &sequence, i);
        row_state state;
        real room[ATTN_MAX_HEAD_SIZE];
        row_start(&state, attn_query_rows(call, &sequence, h, i, 1, room).first, call->query_factor,
                  spec->head_size);
        for (int64_t j = seen.first; j < seen.last; j++) {
            out[j] = weight(score(call, &sequence, b, h, i, j, state.query).s, reference);
        }
    }
}

static void attention_statistics(const attn_attention_call *call, int64_t b, int64_t h,
                                 int64_t first_query, int64_t first_key, int64_t last_key,
                                 attn_packed_keys packed, const attn_weight_statistics *wanted,
                                 real *scratch) {
    (void)packed, (void)scratch;
    const attn_attention *spec = call->spec;
    attn_sequence sequence = attn_sequence_of(spec, b);
    int64_t last = attn_min(first_query + ATTN_QUERY_BLOCK, sequence.queries), k = wanted->largest;
    for (int64_t i = first_query; i < last; i++) {
        int64_t row = attn_lse_offset(spec, &sequence, h, i);
        real lse = call->forward_lse[row], lanes[LANES] = {0};
        attn_reference reference = attn_reference_at(call, row);
        attn_range seen = attn_visible_keys(call, &sequence, i);
        int64_t from = seen.first > first_key ? seen.first : first_key;
        int64_t to = lse == -INFINITY ? from : attn_min(seen.last, last_key);
        row_state state;
        real room[ATTN_MAX_HEAD_SIZE];
        row_start(&state, attn_query_rows(call, &sequence, h, i, 1, room).first, call->query_factor,
                  spec->head_size);
        for (int64_t j = from; j < to; j++) {
            real s = score(call, &sequence, b, h, i, j, state.query).s;
            real x = log_weight(s, reference), p = real_exp2(x);
            lanes[j % LANES] = real_fma(p, -127 > x ? -127 : x, lanes[j % LANES]);
            if (wanted->column_sums != NULL) {
                wanted->column_sums[attn_column_offset(spec, &sequence, h, j)] += p;
            }
            if (wanted->largest_keys != NULL && k > 0) {
                attn_largest_insert(wanted->largest_weights + row * k,
                                    wanted->largest_keys + row * k, k, p, j);
            }
        }
        if (wanted->entropy != NULL) {
            real entropy = 0 - lanes_sum(lanes) * REAL_LN2;
            wanted->entropy[row] = entropy < 0 ? 0 : entropy;
        }
    }
}

/* ---- backward ---- */

/* What the gradients need of one place: Pd, and dS for d_bias and for dK and dQ. */
typedef struct place {
    bool dead; /* LSE is -infinity: everything counts as 0 */
    real p_dropped, ds_bias, ds;
} place;

/* dO times O of query i. */
static real output_dot(const attn_attention_call *call, const attn_sequence *sequence, int64_t h,
                       int64_t i) {
    real d_output_room[ATTN_MAX_HEAD_SIZE], output_room[ATTN_MAX_HEAD_SIZE];
    const real *d_output = attn_d_output_rows(call, sequence, h, i, 1, d_output_room).first;
    const real *output = attn_output_rows(call, sequence, h, i, 1, output_room).first;
    real lanes[LANES] = {0};
    for (int64_t e = 0; e < call->spec->value_size; e++) {
        lanes[e % LANES] = real_fma(d_output[e], output[e], lanes[e % LANES]);
    }
    return lanes_sum(lanes);
}

static place place_at(const attn_attention_call *call, const attn_sequence *sequence, int64_t b,
                      int64_t h, int64_t i, int64_t j) {
    const attn_attention *spec = call->spec;
    int64_t g = h / (spec->heads / spec->kv_heads);
    int64_t lse_offset = attn_lse_offset(spec, sequence, h, i);
    if (call->forward_lse[lse_offset] == -INFINITY) {
        return (place){.dead = true};
    }
    row_state row;
    real room[ATTN_MAX_HEAD_SIZE], value_room[ATTN_MAX_HEAD_SIZE];
    row_start(&row, attn_query_rows(call, sequence, h, i, 1, room).first, call->query_factor,
              spec->head_size);
    scored at = score(call, sequence, b, h, i, j, row.query);
    real p = weight(at.s, attn_reference_at(call, lse_offset));
    real dp = dot(attn_d_output_rows(call, sequence, h, i, 1, room).first,
                  attn_value_rows(call, sequence, g, j, 1, value_room).first, 1, spec->value_size);
    real p_dropped = p;
    if (call->dropout) {
        bool kept = dropout_keeps(call, b, h, i, j);
        p_dropped = kept ? p * call->keep_factor : 0;
        dp = kept ? dp * call->keep_factor : 0;
    }
    if (call->d_weights != NULL) {
        dp += call->d_weights[attn_weights_offset(spec, b, h, i) + j];
    }
    real row_dot = attn_row_dot(call, lse_offset, output_dot(call, sequence, h, i));
    real ds = p * (dp - row_dot);
    if (spec->score_hook != NULL) {
        attn_score_run run = attn_score_run_at(sequence, b, h, i, j, 1);
        spec->score_hook_backward(spec->score_hook_user, &run, &at.hook_input, &ds);
    }
    real derivative = real_fma(-at.tanh, at.tanh, 1);
    return (place){
        .p_dropped = p_dropped, .ds_bias = ds, .ds = call->softcap != 0 ? ds * derivative : ds};
}

/* dK and dV of key j: over the query heads of the group, over the queries that see it. */
static void backward_key(const attn_attention_call *call, const attn_sequence *sequence, int64_t b,
                         int64_t g, int64_t j) {
    const attn_attention *spec = call->spec;
    int64_t group = spec->heads / spec->kv_heads;
    real d_key[ATTN_MAX_HEAD_SIZE] = {0}, d_value[ATTN_MAX_HEAD_SIZE] = {0};
    real query_room[ATTN_MAX_HEAD_SIZE], d_output_room[ATTN_MAX_HEAD_SIZE];
    attn_range seen = attn_seeing_queries(call, sequence, j);
    for (int64_t h = g * group; h < (g + 1) * group; h++) {
        for (int64_t i = seen.first; i < seen.last; i++) {
            place at = place_at(call, sequence, b, h, i, j);
            const real *query = attn_query_rows(call, sequence, h, i, 1, query_room).first;
            const real *d_output = attn_d_output_rows(call, sequence, h, i, 1, d_output_room).first;
            for (int64_t e = 0; e < spec->value_size; e++) {
                d_value[e] = real_fma(at.p_dropped, at.dead ? 0 : d_output[e], d_value[e]);
            }
            for (int64_t d = 0; d < spec->head_size; d++) {
                d_key[d] = real_fma(at.ds, at.dead ? 0 : query[d], d_key[d]);
            }
        }
    }
    if (call->d_value != NULL) {
        memcpy(call->d_value + attn_key_offset(sequence, call->d_value_strides, g, j), d_value,
               (size_t)spec->value_size * sizeof(real));
    }
    if (call->d_key != NULL) {
        real *out = call->d_key + attn_key_offset(sequence, call->d_key_strides, g, j);
        for (int64_t d = 0; d < spec->head_size; d++) {
            out[d] = d_key[d] * call->scale;
        }
    }
}

static void backward_query(const attn_attention_call *call, const attn_sequence *sequence,
                           int64_t b, int64_t h, int64_t i) {
    const attn_attention *spec = call->spec;
    int64_t g = h / (spec->heads / spec->kv_heads);
    real d_query[ATTN_MAX_HEAD_SIZE] = {0}, room[ATTN_MAX_HEAD_SIZE];
    attn_range seen = attn_visible_keys(call, sequence, i);
    for (int64_t j = seen.first; j < seen.last; j++) {
        place at = place_at(call, sequence, b, h, i, j);
        const real *key = attn_key_rows(call, sequence, g, j, 1, room).first;
        for (int64_t d = 0; d < spec->head_size && !at.dead; d++) {
            d_query[d] = real_fma(at.ds, key[d], d_query[d]);
        }
    }
    real *out = call->d_query + attn_query_offset(sequence, call->d_query_strides, h, i);
    for (int64_t d = 0; d < spec->head_size; d++) {
        out[d] = d_query[d] * call->scale;
    }
}

static void attention_backward_keys(const attn_attention_call *call, int64_t b, int64_t g,
                                    int64_t first_key, attn_backward_packed packed, real *scratch) {
    (void)packed, (void)scratch;
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t last = attn_min(first_key + ATTN_KEY_BLOCK, sequence.keys);
    for (int64_t j = first_key; j < last; j++) {
        backward_key(call, &sequence, b, g, j);
    }
}

static void attention_backward_queries(const attn_attention_call *call, int64_t b, int64_t h,
                                       int64_t first_query, attn_backward_packed packed,
                                       real *scratch) {
    (void)packed, (void)scratch;
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t last = attn_min(first_query + ATTN_QUERY_BLOCK, sequence.queries);
    for (int64_t i = first_query; i < last; i++) {
        backward_query(call, &sequence, b, h, i);
    }
}

static void attention_backward(const attn_attention_call *call, int64_t b, int64_t g,
                               real *scratch) {
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t group = call->spec->heads / call->spec->kv_heads;
    attn_backward_packed none = {NULL, NULL};
    if (call->d_key != NULL || call->d_value != NULL) {
        for (int64_t first = 0; first < sequence.keys; first += ATTN_KEY_BLOCK) {
            attention_backward_keys(call, b, g, first, none, scratch);
        }
    }
    for (int64_t h = g * group; h < (g + 1) * group && call->d_query != NULL; h++) {
        for (int64_t first = 0; first < sequence.queries; first += ATTN_QUERY_BLOCK) {
            attention_backward_queries(call, b, h, first, none, scratch);
        }
    }
}

static void attention_backward_bias(const attn_attention_call *call, int64_t b, int64_t h,
                                    int64_t first_query, int64_t first_key,
                                    attn_backward_packed packed, real *scratch) {
    (void)packed, (void)scratch;
    attn_sequence sequence = attn_sequence_of(call->spec, b);
    int64_t last = attn_min(first_query + ATTN_QUERY_BLOCK, sequence.queries);
    for (int64_t i = first_query; i < last; i++) {
        attn_range seen = attn_visible_keys(call, &sequence, i);
        real *d_bias = call->d_bias + attn_bias_offset(call->spec, b, h, i);
        int64_t end = attn_min(seen.last, first_key + ATTN_KEY_BLOCK);
        for (int64_t j = seen.first > first_key ? seen.first : first_key; j < end; j++) {
            d_bias[j] += place_at(call, &sequence, b, h, i, j).ds_bias;
        }
    }
}

static real attention_backward_sink(const attn_attention_call *call, int64_t h) {
    const attn_attention *spec = call->spec;
    real sum = 0, sink = attn_sink(spec, h);
    for (int64_t b = 0; b < spec->batch && sink > -INFINITY; b++) {
        attn_sequence sequence = attn_sequence_of(spec, b);
        for (int64_t i = 0; i < sequence.queries; i++) {
            int64_t lse = attn_lse_offset(spec, &sequence, h, i);
            sum = real_fma(-weight(sink, attn_reference_at(call, lse)),
                           attn_row_dot(call, lse, output_dot(call, &sequence, h, i)), sum);
        }
    }
    return sum;
}

const attn_attention_kernels attn_attention_ref = {
    .sizes = attention_sizes,
    .pack = attention_pack,
    .forward = attention_forward,
    .forward_few = attention_forward_few,
    .weights = attention_weights,
    .statistics = attention_statistics,
    .backward = attention_backward,
    .backward_pack_keys = attention_backward_pack,
    .backward_pack_queries = attention_backward_pack,
    .backward_keys = attention_backward_keys,
    .backward_queries = attention_backward_queries,
    .backward_bias = attention_backward_bias,
    .backward_sink = attention_backward_sink,
    .cache_scratch = attn_cache_scratch_ref,
    .cache_attend = attn_cache_attend_ref,
    .cache_add_weights = attn_cache_add_weights_ref,
};

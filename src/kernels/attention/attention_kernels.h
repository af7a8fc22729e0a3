/* kernels/attention/attention_kernels.h: what an instruction set provides for attention.
 *
 * The driver (attention.c) checks the arguments, finds memory and hands out items of work; a kernel
 * does one item. B, H, G, Tq, Tk, D, E as in attn/attention.h; D16, E16, Tk16: rounded up to 16.
 * Next: attention_ref.c, the definition; attention_body.h, the vector form. */
#ifndef ATTN_KERNELS_ATTENTION_KERNELS_H
#define ATTN_KERNELS_ATTENTION_KERNELS_H

#include "base/math.h"
#include "base/minmax.h"
#include "base/narrow.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_cache.h"

/* Queries are done this many at a time: a multiple of every instruction set's tile rows. */
enum { ATTN_QUERY_BLOCK = 96 };

/* Tensors of 16 bits, in place of those of the same names; NULL: of 32 bits. */
typedef struct attn_half_tensors {
    attn_half type;
    const uint16_t *query, *key, *value;
    uint16_t *output;
    const uint16_t *forward_output, *d_output; /* backward */
} attn_half_tensors;

/* One call: the arguments, with what follows from them. */
typedef struct attn_attention_call {
    const attn_attention *spec;
    const real *query, *key, *value;
    real *output, *lse;
    attn_half_tensors half;
    /* backward */
    const real *forward_output, *forward_lse, *d_output;
    const real *d_lse;       /* NULL: none */
    const real *d_weights;   /* [B, H, Tq, Tk]; NULL: none */
    const real *weight_dots; /* with it, laid out as LSE: the sum over keys of P * d_weights */
    real *d_query, *d_key, *d_value, *d_bias, *d_sinks;
    attn_strides d_query_strides, d_key_strides, d_value_strides;
    /* Beside forward_lse, of rows whose LSE is coarse; NULL: there are none. The forward that finds
     * them writes found_rows, and may leave out blocks of queries without such a row. */
    const attn_row_softmax *rows;
    attn_row_softmax *found_rows;

    real scale;
    real query_factor;   /* what the query is multiplied by */
    bool changes_scores; /* anything happens to a score between product and softmax */
    real unit;           /* of scores before the hook: log2(e); with a hook 1 */
    real softcap;        /* softcap * unit; 0: none */
    int64_t left, right; /* keys i + shift - left .. i + shift + right; causal: right = 0 */
    bool dropout;
    real keep_factor;   /* 1 / (1 - dropout) */
    uint32_t threshold; /* of a kept word */
    uint32_t dropout_key[2];
} attn_attention_call;

/* Where one sequence lies and how long it really is. */
typedef struct attn_sequence {
    int64_t queries, keys;          /* real lengths */
    int64_t query_start, key_start; /* first token, when packed */
    int64_t query_batch, key_batch; /* number in the batch, 0 when packed */
} attn_sequence;

static inline attn_sequence attn_sequence_of(const attn_attention *spec, int64_t b) {
    if (spec->query_starts != NULL) {
        return (attn_sequence){.queries = spec->query_starts[b + 1] - spec->query_starts[b],
                               .keys = spec->key_starts[b + 1] - spec->key_starts[b],
                               .query_start = spec->query_starts[b],
                               .key_start = spec->key_starts[b]};
    }
    return (attn_sequence){
        .queries = spec->query_lengths != NULL ? spec->query_lengths[b] : spec->query_length,
        .keys = spec->key_lengths != NULL ? spec->key_lengths[b] : spec->key_length,
        .query_batch = b,
        .key_batch = b};
}

/* Offset of token i, head h, in a tensor of queries (or outputs), and of keys (or values). */
static inline int64_t attn_query_offset(const attn_sequence *sequence, attn_strides strides,
                                        int64_t h, int64_t i) {
    return sequence->query_batch * strides.batch + (sequence->query_start + i) * strides.token +
           h * strides.head;
}
static inline int64_t attn_key_offset(const attn_sequence *sequence, attn_strides strides,
                                      int64_t g, int64_t j) {
    return sequence->key_batch * strides.batch + (sequence->key_start + j) * strides.token +
           g * strides.head;
}
static inline int64_t attn_lse_offset(const attn_attention *spec, const attn_sequence *sequence,
                                      int64_t h, int64_t i) {
    if (spec->query_starts != NULL) {
        return h * spec->query_starts[spec->batch] + sequence->query_start + i;
    }
    return (sequence->query_batch * spec->heads + h) * spec->query_length + i;
}
/* Of the sum of column j, head h. */
static inline int64_t attn_column_offset(const attn_attention *spec, const attn_sequence *sequence,
                                         int64_t h, int64_t j) {
    if (spec->key_starts != NULL) {
        return h * spec->key_starts[spec->batch] + sequence->key_start + j;
    }
    return (sequence->key_batch * spec->heads + h) * spec->key_length + j;
}
static inline int64_t attn_bias_offset(const attn_attention *spec, int64_t b, int64_t h,
                                       int64_t i) {
    return b * spec->bias_batch + h * spec->bias_head + i * spec->bias_query;
}

/* Whether the mask shows key j to query i. */
static inline bool attn_mask_sees(const attn_attention *spec, int64_t b, int64_t h, int64_t i,
                                  int64_t j) {
    const unsigned char *row = (const unsigned char *)spec->mask + b * spec->mask_batch +
                               h * spec->mask_head + i * spec->mask_query;
    return spec->mask_kind == ATTN_MASK_BITS ? row[j / 8] >> j % 8 & 1 : row[j] != 0;
}
/* The same for keys j .. j + count - 1, count <= 16; 0 beyond. */
static inline void attn_mask_sixteen(const attn_attention *spec, int64_t b, int64_t h, int64_t i,
                                     int64_t j, int count, unsigned char seen[16]) {
    for (int n = 0; n < 16; n++) {
        seen[n] = n < count && attn_mask_sees(spec, b, h, i, j + n);
    }
}

/* Rows of a tensor in 32 bits, `stride` elements apart. */
typedef struct attn_rows {
    const real *first;
    int64_t stride;
} attn_rows;

/* Of a tensor of 16 bits, rows are widened this many at a time, while kernels copy them. */
enum { ATTN_HALF_ROWS = 16 };

static inline void attn_widen_row(attn_half type, int64_t count, const uint16_t *from, real *to) {
    for (int64_t n = 0; n < count && type == ATTN_HALF_BF16; n++) {
        to[n] = narrow_from_bf16(from[n]);
    }
    for (int64_t n = 0; n < count && type == ATTN_HALF_F16; n++) {
        to[n] = narrow_from_f16(from[n]);
    }
}
static inline void attn_narrow_row(attn_half type, int64_t count, const real *from, uint16_t *to) {
    for (int64_t n = 0; n < count && type == ATTN_HALF_BF16; n++) {
        to[n] = narrow_to_bf16((float)from[n]);
    }
    for (int64_t n = 0; n < count && type == ATTN_HALF_F16; n++) {
        to[n] = narrow_to_f16((float)from[n]);
    }
}

/* `count` rows of `size` elements, the first at `offset` and `token` apart: where they lie, or widened into
 * `room`, [count][size]. */
static inline attn_rows attn_rows_at(const real *wide, const uint16_t *half, attn_half type,
                                     int64_t offset, int64_t token, int64_t count, int64_t size,
                                     real *room) {
    if (half == NULL) {
        return (attn_rows){wide + offset, token};
    }
    for (int64_t n = 0; n < count; n++) {
        attn_widen_row(type, size, half + offset + n * token, room + n * size);
    }
    return (attn_rows){room, size};
}

/* Rows of the tensors of a call, from token i of query head h, or from token j of key head g. */
static inline attn_rows attn_query_rows(const attn_attention_call *call,
                                        const attn_sequence *sequence, int64_t h, int64_t i,
                                        int64_t count, real *room) {
    const attn_strides strides = call->spec->query;
    return attn_rows_at(call->query, call->half.query, call->half.type,
                        attn_query_offset(sequence, strides, h, i), strides.token, count,
                        call->spec->head_size, room);
}
static inline attn_rows attn_key_rows(const attn_attention_call *call,
                                      const attn_sequence *sequence, int64_t g, int64_t j,
                                      int64_t count, real *room) {
    const attn_strides strides = call->spec->key;
    return attn_rows_at(call->key, call->half.key, call->half.type,
                        attn_key_offset(sequence, strides, g, j), strides.token, count,
                        call->spec->head_size, room);
}
static inline attn_rows attn_value_rows(const attn_attention_call *call,
                                        const attn_sequence *sequence, int64_t g, int64_t j,
                                        int64_t count, real *room) {
    const attn_strides strides = call->spec->value;
    return attn_rows_at(call->value, call->half.value, call->half.type,
                        attn_key_offset(sequence, strides, g, j), strides.token, count,
                        call->spec->value_size, room);
}
static inline attn_rows attn_output_rows(const attn_attention_call *call,
                                         const attn_sequence *sequence, int64_t h, int64_t i,
                                         int64_t count, real *room) {
    const attn_strides strides = call->spec->output;
    return attn_rows_at(call->forward_output, call->half.forward_output, call->half.type,
                        attn_query_offset(sequence, strides, h, i), strides.token, count,
                        call->spec->value_size, room);
}
static inline attn_rows attn_d_output_rows(const attn_attention_call *call,
                                           const attn_sequence *sequence, int64_t h, int64_t i,
                                           int64_t count, real *room) {
    const attn_strides strides = call->spec->output;
    return attn_rows_at(call->d_output, call->half.d_output, call->half.type,
                        attn_query_offset(sequence, strides, h, i), strides.token, count,
                        call->spec->value_size, room);
}

/* The half-open range of keys that query i sees; empty: first = last. Neither bound ever falls
 * as i grows. */
typedef struct attn_range {
    int64_t first, last;
} attn_range;

static inline int64_t attn_clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}
static inline attn_range attn_visible_keys(const attn_attention_call *call,
                                           const attn_sequence *sequence, int64_t i) {
    int64_t diagonal = i + sequence->keys - sequence->queries;
    int64_t last = attn_clamp(diagonal + call->right + 1, 0, sequence->keys);
    return (attn_range){attn_clamp(diagonal - call->left, 0, last), last};
}
/* The same for the queries that see key j. */
static inline attn_range attn_seeing_queries(const attn_attention_call *call,
                                             const attn_sequence *sequence, int64_t j) {
    int64_t diagonal = j - (sequence->keys - sequence->queries);
    int64_t last = attn_clamp(diagonal + call->left + 1, 0, sequence->queries);
    return (attn_range){attn_clamp(diagonal - call->right, 0, last), last};
}

/* What the description's scale means; and the factor that a query is multiplied by, so that softmax
 * works in base 2: one rounding, of a product in double, which is exact enough to be the same. */
static inline double attn_attention_scale(double scale, int64_t head_size) {
    return scale != 0 ? scale : 1 / sqrt((double)head_size);
}
static inline real attn_attention_factor(double scale, int64_t head_size) {
    return (real)(attn_attention_scale(scale, head_size) * 1.4426950408889634);
}

/* The place of some scores of query i, as the hook is told. */
static inline attn_score_run attn_score_run_at(const attn_sequence *sequence, int64_t b, int64_t h,
                                               int64_t i, int64_t first_key, int64_t count) {
    return (attn_score_run){b, h, i, first_key, count, sequence->queries, sequence->keys};
}

/* ---- P of a score, once the softmax of its row is known ---- */

/* Beyond this size one float holds LSE so coarsely that P would be off by more than 2^-17. */
#define ATTN_LSE_FINE ((real)64)

/* -infinity is none: such a row has no weights. */
static inline bool attn_lse_is_coarse(real lse) {
    return (lse > ATTN_LSE_FINE || lse < -ATTN_LSE_FINE) && lse != -INFINITY;
}

/* P = exp2(fma(minus, unit, score) - rest) */
typedef struct attn_reference {
    real minus, unit, rest;
} attn_reference;

/* found: how that row's softmax ended, or NULL. An LSE that is not of these keys alone (of shards that
 * were merged) is taken as it is. */
static inline attn_reference attn_reference_of(real lse, const attn_row_softmax *found) {
    if (found != NULL && attn_lse_is_coarse(lse) && found->lse == lse) {
        return (attn_reference){-found->max, 1, found->log_sum};
    }
    return (attn_reference){-lse, REAL_LOG2E, 0};
}

/* Of the row whose LSE is at `offset`. */
static inline attn_reference attn_reference_at(const attn_attention_call *call, int64_t offset) {
    return attn_reference_of(call->forward_lse[offset],
                             call->rows != NULL ? &call->rows[offset] : NULL);
}

/* D of the row whose LSE is at `offset`, of the product of d_output and output. */
static inline real attn_row_dot(const attn_attention_call *call, int64_t offset, real product) {
    if (call->forward_lse[offset] == -INFINITY) {
        return product;
    }
    product = call->d_lse != NULL ? product - call->d_lse[offset] : product;
    return call->weight_dots != NULL ? product + call->weight_dots[offset] : product;
}

/* The row of d_weights, or of the weights where all are stored. */
static inline int64_t attn_weights_offset(const attn_attention *spec, int64_t b, int64_t h,
                                          int64_t i) {
    return ((b * spec->heads + h) * spec->query_length + i) * spec->key_length;
}

/* The end of a row of the forward. */
static inline void attn_note_row(const attn_attention_call *call, int64_t offset,
                                 attn_row_softmax end) {
    if (call->lse != NULL) {
        call->lse[offset] = end.lse;
    }
    if (call->found_rows != NULL) {
        call->found_rows[offset] = end;
    }
}

/* Of the statistics: weight p of key j takes its place among the k >= 1 largest so far, which come
 * in the order of the keys. Empty places have key -1. */
static inline void attn_largest_insert(real *weights, int64_t *keys, int64_t k, real p, int64_t j) {
    int64_t n = k - 1;
    if (!(p >= 0) || !(keys[n] < 0 || p > weights[n])) {
        return;
    }
    for (; n > 0 && (keys[n - 1] < 0 || p > weights[n - 1]); n--) {
        weights[n] = weights[n - 1];
        keys[n] = keys[n - 1];
    }
    weights[n] = p;
    keys[n] = j;
}

/* The score in base 2 that every softmax of head h has besides its keys'; -infinity: none. */
static inline real attn_sink(const attn_attention *spec, int64_t h) {
    return spec->sinks != NULL ? spec->sinks[h] * REAL_LOG2E : -INFINITY;
}

/* Keys and values of one key head, copied in panels for the forward: those from `first` on, a multiple
 * of ATTN_KEY_BLOCK, for as many as there is room for, a multiple of 16. */
typedef struct attn_packed_keys {
    real *memory;
    int64_t first, capacity;
    bool values_in_place; /* values were not copied, for one query needs them once */
} attn_packed_keys;

/* Packed copies for the backward, of one key head and of one query head. */
typedef struct attn_backward_packed {
    const real *keys;
    const real *queries; /* the first query head of the group; the others follow */
} attn_backward_packed;

/* Sizes of memory, in elements; pointers handed to the kernels are aligned to 64 bytes. */
typedef struct attn_attention_sizes {
    int64_t forward_key;      /* one key and its value, packed */
    int64_t forward_scratch;  /* one thread */
    int64_t backward_keys;    /* packed, one key head */
    int64_t backward_queries; /* packed, one query head */
    int64_t backward_scratch; /* one thread, with room for the copies of one key and query head */
    int64_t backward_piece;   /* one thread that does blocks of keys and of queries */
} attn_attention_sizes;

/* b, g, h say which sequence and head. first_query and first_key are multiples of ATTN_QUERY_BLOCK
 * and ATTN_KEY_BLOCK; an item ends after a block or with the sequence. Packing functions fill the
 * part of the copy that belongs to their block. */
typedef struct attn_attention_kernels {
    attn_attention_sizes (*sizes)(const attn_attention *spec);

    /* Copies keys, and values unless both call->value and call->half.value are NULL. */
    void (*pack)(const attn_attention_call *call, int64_t b, int64_t g, int64_t first_key,
                 attn_packed_keys packed);
    /* output and LSE of one block of queries, which see no key that packed lacks. */
    void (*forward)(const attn_attention_call *call, int64_t b, int64_t h, int64_t first_query,
                    attn_packed_keys packed, real *scratch);
    /* output and LSE of all queries of the heads that share key head g, ATTN_QUERY_BLOCK rows at most.
     * memory: forward_scratch, then room for ATTN_KEY_BLOCK keys. */
    void (*forward_few)(const attn_attention_call *call, int64_t b, int64_t g, real *memory);
    /* Rows of P, row i at weights + (i - first_query) * row; 0 where a query does not see. Tk
     * columns. */
    void (*weights)(const attn_attention_call *call, int64_t b, int64_t h, int64_t first_query,
                    attn_packed_keys packed, real *weights, int64_t row, real *scratch);

    /* Adds one block of queries and the keys first_key .. last_key - 1 to what is wanted: entropy
     * and the largest are of those keys alone, which so must be all. last_key may lie beyond. */
    void (*statistics)(const attn_attention_call *call, int64_t b, int64_t h, int64_t first_query,
                       int64_t first_key, int64_t last_key, attn_packed_keys packed,
                       const attn_weight_statistics *wanted, real *scratch);

    /* All gradients but d_bias of one key head and its query heads. */
    void (*backward)(const attn_attention_call *call, int64_t b, int64_t g, real *scratch);
    /* The same in pieces, for more threads than heads. */
    void (*backward_pack_keys)(const attn_attention_call *call, int64_t b, int64_t g,
                               int64_t first_key, real *packed);
    void (*backward_pack_queries)(const attn_attention_call *call, int64_t b, int64_t h,
                                  int64_t first_query, real *packed);
    void (*backward_keys)(const attn_attention_call *call, int64_t b, int64_t g, int64_t first_key,
                          attn_backward_packed packed, real *scratch);
    void (*backward_queries)(const attn_attention_call *call, int64_t b, int64_t h,
                             int64_t first_query, attn_backward_packed packed, real *scratch);
    /* Adds dS of one block of queries and keys to d_bias; packed.queries is that of h. */
    void (*backward_bias)(const attn_attention_call *call, int64_t b, int64_t h,
                          int64_t first_query, int64_t first_key, attn_backward_packed packed,
                          real *scratch);

    /* What is added to d_sinks[h]. */
    real (*backward_sink)(const attn_attention_call *call, int64_t h);

    /* Attention over a cache: elements of temporary memory; one item; and P of keys first .. last - 1
     * of one row added to its weights. */
    int64_t (*cache_scratch)(const attn_cache_layout *layout);
    void (*cache_attend)(attn_cache_item *item, real *scratch);
    void (*cache_add_weights)(int64_t first, int64_t last, const real *scores,
                              attn_reference reference, real *weights);
} attn_attention_kernels;

extern const attn_attention_kernels attn_attention_ref; /* plain C: the definition */

#endif

/* attn/cache.h: keys and values of sequences that grow token by token, and attention over them.
 *
 * The cache consists of pages with a fixed number of tokens. A sequence is a list of pages. Forked
 * sequences share the pages of their common beginning, and a page is copied only when a sequence
 * that shares it writes to it. One cache serves one layer of a model.
 *
 * Dimension letters: G key/value heads, H query heads (a multiple of G; query head h uses key head
 * h / (H / G)), D head size, E value size, R rows (queries) of a call, P tokens of a page.
 * Source: paged caches: Kwon et al. 2023; grouped queries: Ainslie et al. 2023.
 * Next: attn/attention.h, which gives the same results. */
#ifndef ATTN_CACHE_H
#define ATTN_CACHE_H

#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How an element x of a key or value is stored, and the value x' that it is read as:
 *   F32    x' = x
 *   BF16   x' = x rounded to bfloat16, to nearest, ties to even; NaN stays NaN
 *   I8     per token, key head, and key or value row: scale = max |x| / 127 (in float),
 *          q = round(x / scale), ties to even, within -127 .. 127; x' = q * scale, rounded to float.
 *          A row of zeros, or so small that its scale is not a float, has scale 0 and q 0. */
typedef enum attn_cache_type { ATTN_CACHE_F32, ATTN_CACHE_BF16, ATTN_CACHE_I8 } attn_cache_type;

/* Initialize it with attn_cache_config_init, or in C with {.size = sizeof(attn_cache_config), ...}. */
typedef struct attn_cache_config {
    size_t size;                             /* of this struct, set by the init */
    int64_t kv_heads, head_size, value_size; /* G >= 1; D, E: 1 .. ATTN_MAX_HEAD_SIZE */
    attn_cache_type type;
    /* P: a multiple of 128, or 64, or 32 (not for I8), or 16 (F32 only); 0: 128. Small pages
     * waste less and share more; large ones are read a little faster. */
    int64_t page_tokens;
    int64_t max_pages; /* limit on allocated pages; 0: no limit but memory */
} attn_cache_config;

/* 0 for each: the first three are still to be filled in. */
ATTN_API void attn_cache_config_init_sized(attn_cache_config *config, size_t size);
static inline void attn_cache_config_init(attn_cache_config *config) {
    attn_cache_config_init_sized(config, sizeof *config);
}

typedef struct attn_cache attn_cache;

/* The caller frees *out with attn_cache_free (NULL is allowed), which also frees its sequences.
 * Pages are allocated when first needed and reused when free; only attn_cache_free releases them.
 * ATTN_ERR_ARGUMENT names the field; ATTN_ERR_MEMORY. Threads: attn_cache_attend and
 * attn_cache_length only read the cache and may run at the same time; every other function needs
 * exclusive access to the cache. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_create(const attn_cache_config *config,
                                                       attn_cache **out, attn_error *error);
ATTN_API void attn_cache_free(attn_cache *cache);

/* ---- sequences: small ids that the cache assigns, the smallest free one first ----
 * Every function below refuses an id that is not a live sequence with ATTN_ERR_ARGUMENT. A function
 * that fails leaves the cache unchanged. */

/* A new sequence without tokens. ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_start(attn_cache *cache, int64_t *sequence,
                                                      attn_error *error);
/* A new sequence with the tokens of `parent`, without copying them. ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_fork(attn_cache *cache, int64_t parent,
                                                     int64_t *sequence, attn_error *error);
/* Ends a sequence; pages that no other sequence shares become free. An id that is not a live
 * sequence is ignored. */
ATTN_API void attn_cache_end(attn_cache *cache, int64_t sequence);
/* Ends every sequence. */
ATTN_API void attn_cache_clear(attn_cache *cache);
/* The number of tokens of a sequence; -1 for an id that is not a live sequence. */
ATTN_API int64_t attn_cache_length(const attn_cache *cache, int64_t sequence);
/* Adds `tokens` tokens: element d of key head g of token t is
 * key[t * key_token + g * key_head + d], of its value value[t * value_token + g * value_head + e].
 * ATTN_ERR_MEMORY: no memory, or max_pages reached (the error says which); ATTN_ERR_NUMERIC: NaN or
 * infinity in an int8 cache, position: the token. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_append(attn_cache *cache, int64_t sequence,
                                                       int64_t tokens, const attn_real *key,
                                                       int64_t key_token, int64_t key_head,
                                                       const attn_real *value, int64_t value_token,
                                                       int64_t value_head, attn_error *error);
/* Keeps the first `length` tokens, 0 .. attn_cache_length. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_truncate(attn_cache *cache, int64_t sequence,
                                                         int64_t length, attn_error *error);

typedef struct attn_cache_usage {
    int64_t pages;      /* allocated */
    int64_t pages_used; /* of those, in use by a sequence */
    size_t page_bytes;  /* one page, all key heads */
} attn_cache_usage;
ATTN_API attn_cache_usage attn_cache_get_usage(const attn_cache *cache);

/* ---- attention ---- */

/* R queries, each of one sequence:
 *     s[j] = scale * (query . key'[j]) + bias[j]    p = softmax(s)    output = sum of p[j] value'[j]
 * over the tokens j that row r sees: those before lengths[r], and no more than window_left before
 * the last of them. For the last n queries of a sequence of T tokens with a causal mask, pass n
 * rows of that sequence with lengths T - n + 1 .. T. Consecutive rows of one sequence share its
 * reads. Initialize it with attn_cache_attention_init. */
typedef struct attn_cache_attention {
    size_t size;              /* of this struct, set by the init */
    int64_t rows, heads;      /* R >= 0; H, a multiple of G */
    float scale;              /* 0 means 1 / sqrt(D) */
    const int64_t *sequences; /* [R] */
    const int64_t *lengths;   /* [R], each 0 .. attn_cache_length; NULL: all tokens */
    int64_t window_left;      /* negative: no limit */
    /* Element (r, h, i) at query[r * query_row + h * query_head + i], output likewise. */
    const attn_real *query;
    int64_t query_row, query_head;
    attn_real *output;
    int64_t output_row, output_head;
    attn_real *lse; /* [R, H], natural logarithm of the sum of exp(s); NULL: not computed */
    /* [R, weights_row], p averaged over the heads, 0 where a row does not see; weights_row at least
     * the longest length. NULL: not computed. */
    attn_real *weights;
    int64_t weights_row;
    int64_t weights_head; /* above 0: weights are those of this head alone, counted from 1 */
    /* Added to s: of row r, head h and key j, bias[r * bias_row + h * bias_head + j], for every key j before
     * lengths[r]; a stride of 0 broadcasts. -infinity masks a key. NULL: none. For positions by distance
     * (attn_attention_distance_bias) it is a row of that bias. */
    const attn_real *bias;
    int64_t bias_row, bias_head;
} attn_cache_attention;

/* Sets the strides of contiguous [R, H, D] and [R, H, E] tensors with the cache's D and E; no
 * window, lse or weights. The caller sets the pointers. */
ATTN_API void attn_cache_attention_init_sized(attn_cache_attention *attention, size_t size,
                                              const attn_cache *cache, int64_t rows, int64_t heads);
static inline void attn_cache_attention_init(attn_cache_attention *attention,
                                             const attn_cache *cache, int64_t rows, int64_t heads) {
    attn_cache_attention_init_sized(attention, sizeof *attention, cache, rows, heads);
}

/* The result is bit-identical to that of attn_attention_forward (and attn_attention_weights) with
 * one query and the keys and values key', value' of that sequence. A row without keys gets output 0
 * and LSE -infinity. output must not overlap query. May run at the same time as other attends.
 * ATTN_ERR_ARGUMENT, ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_cache_attend(const attn_cache *cache,
                                                       const attn_cache_attention *attention,
                                                       attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

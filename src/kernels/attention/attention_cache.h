/* kernels/attention/attention_cache.h: how keys and values lie in a page, and what a kernel is given.
 *
 * A page holds P tokens: one part per key head, aligned to 64 bytes, that is read from its start to
 * its end (a processor follows one stream best):
 *     keys         [P / W][D][W]     W keys side by side: 16 of float32, 32 of bfloat16, 64 of int8
 *     values       [P][E16]
 *     key scales, value scales  [P] float   int8 alone
 * E16: E rounded up to 16; elements beyond E are 0. What lies beyond a sequence's tokens is
 * undefined, and a kernel may read it but lets nothing of it out. The numbers are those of
 * kernels/attention/attention.h, over the values that attn/cache.h calls k' and v'.
 * G, D, E, P as in attn/cache.h. Next: attention_cache.c, attention_cache_body.h. */
#ifndef ATTN_KERNELS_ATTENTION_CACHE_H
#define ATTN_KERNELS_ATTENTION_CACHE_H

#include "attn/cache.h"
#include "base/memory.h"
#include "base/real.h"

/* The head of a page's memory; the parts follow at ATTN_CACHE_PAGE_HEAD. */
typedef struct attn_cache_page {
    struct attn_cache_page *next; /* of the free pages */
    int64_t users;                /* sequences that share it; 0: free */
} attn_cache_page;

enum { ATTN_CACHE_PAGE_HEAD = 64 };

typedef struct attn_cache_layout {
    attn_cache_type type;
    int64_t heads, head_size, value_size, value_row, page_tokens; /* G, D, E, E16, P */
    int64_t width;                                                /* W */
    size_t element;                                               /* bytes */
    size_t values, key_scales, value_scales; /* where they start in a part, in bytes */
    size_t head_bytes, page_bytes;           /* a part; a page with its head */
} attn_cache_layout;

/* The part of key head g. */
static inline unsigned char *attn_cache_part(const attn_cache_layout *layout,
                                             const attn_cache_page *page, int64_t g) {
    return (unsigned char *)page + ATTN_CACHE_PAGE_HEAD + (size_t)g * layout->head_bytes;
}

/* How the softmax of a row ended, in base 2: l is the sum of exp2(score - max). */
typedef struct attn_row_softmax {
    real lse;          /* natural */
    real max, log_sum; /* log2(l) */
} attn_row_softmax;

/* Query rows that share a key head: several heads, several rows of one sequence. */
enum { ATTN_CACHE_ROWS = 24 };

typedef struct attn_cache_item {
    const attn_cache_layout *layout;
    attn_cache_page *const *pages; /* of the sequence */
    int64_t g;
    real query_factor;
    int rows;                    /* 1 .. ATTN_CACHE_ROWS */
    int64_t first_key, last_key; /* of all rows together */
    /* Per row: the keys first .. last - 1 that it sees, its query, what is added to its scores, where its
     * result goes, and how its softmax ended. */
    int64_t first[ATTN_CACHE_ROWS], last[ATTN_CACHE_ROWS];
    const real *query[ATTN_CACHE_ROWS];
    const real *bias[ATTN_CACHE_ROWS]; /* of key 0 on; NULL: none */
    real *output[ATTN_CACHE_ROWS];
    attn_row_softmax end[ATTN_CACHE_ROWS];
    /* NULL, or [rows][scores_row]: receives the scores of keys first_key .. last_key - 1 at their
     * own places, and anything beside them within sixteen; scores_row is a multiple of 16. */
    real *scores;
    int64_t scores_row;
} attn_cache_item;

/* Attention with temporary memory of the caller's, as attn_attention_forward_scratch. */
ATTN_MUST_CHECK attn_status attn_cache_attend_scratch(const attn_cache *cache,
                                                      const attn_cache_attention *attention,
                                                      attn_scratch *scratch, attn_error *error);

/* ---- what attention over a cache needs to know of it ---- */
const attn_cache_layout *attn_cache_get_layout(const attn_cache *cache);
/* The pages of a sequence, which must be one. */
attn_cache_page *const *attn_cache_pages(const attn_cache *cache, int64_t sequence);

#endif

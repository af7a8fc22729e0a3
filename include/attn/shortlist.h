/* attn/shortlist.h: which target words can matter for a source sentence.
 *
 * Decoding then scores only these words: the ones that are frequent everywhere, the likeliest
 * translations of each source token, and, of a joint vocabulary, the source's own tokens (so that names
 * can be copied). The
 * choice depends only on the sentence, so results do not depend on the rest of the batch. All other
 * words have probability 0. Letters: V vocabulary of the target, S of the source. Next: attn/search.h, whose options take one. */
#ifndef ATTN_SHORTLIST_H
#define ATTN_SHORTLIST_H

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable once created, so threads may share it. */
typedef struct attn_shortlist attn_shortlist;

/* frequent: [frequent_count] ids. likely: [S, per_token], row t the translations of token t, -1 for
 * none. Both are copied. source_vocabulary 0: the vocabulary is joint, S is V. ATTN_ERR_ARGUMENT: sizes or ids out of range. ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_shortlist_create(
    int64_t vocabulary, int64_t source_vocabulary, int64_t frequent_count, const int32_t *frequent,
    int64_t per_token, const int32_t *likely, attn_shortlist **out, attn_error *error);
/* NULL is allowed. */
ATTN_API void attn_shortlist_free(attn_shortlist *shortlist);
ATTN_API int64_t attn_shortlist_vocabulary(const attn_shortlist *shortlist);
/* 0: a joint vocabulary. */
ATTN_API int64_t attn_shortlist_source_vocabulary(const attn_shortlist *shortlist);

/* One .safetensors file: the tensors "frequent" and "likely" as int32, attn.shortlist = 1 in the
 * metadata, and vocabulary where it is not joint. Written atomically; every value read is checked. */
ATTN_API ATTN_MUST_CHECK attn_status attn_shortlist_save(const attn_shortlist *shortlist,
                                                         const char *path, attn_error *error);
ATTN_API ATTN_MUST_CHECK attn_status attn_shortlist_load(const char *path, attn_shortlist **out,
                                                         attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* text/corpus_vary.h: the pairs of a corpus, a little different in each epoch.
 *
 * What an epoch's pairs become depends on corpus, seed and epoch alone. Next: text/corpus_edit.h. */
#ifndef ATTN_TEXT_CORPUS_VARY_H
#define ATTN_TEXT_CORPUS_VARY_H

#include "text/corpus.h"

typedef struct attn_corpus_variation {
    double join;                           /* share of pairs that the next one is joined to */
    double capitals;                       /* share all in capitals or all in small letters */
    double end;                            /* share without the sign at the end */
    double copy;                           /* share with other numbers, names, addresses */
    double source_dropout, target_dropout; /* of BPE's merges */
} attn_corpus_variation;

/* Whether anything changes at all. */
bool attn_corpus_varies(const attn_corpus_variation *variation);

/* Pairs that would have more than max_tokens ids on a side stay as they are, and so do pairs with <unk>, which no text
 * brings back, apart from being joined. */
ATTN_MUST_CHECK attn_status attn_corpus_vary(const attn_corpus *corpus,
                                             const attn_tokenizer *tokenizer,
                                             const attn_corpus_variation *variation,
                                             int64_t max_tokens, uint64_t seed, uint64_t epoch,
                                             int threads, attn_corpus *out, attn_error *error);

#endif

/* text/corpus.h: parallel text, checked, tokenized and kept as one array of ids.
 *
 * Next: text/batches.h. */
#ifndef ATTN_TEXT_CORPUS_H
#define ATTN_TEXT_CORPUS_H

#include "attn/tokenizer.h"
#include "io/parallel.h"
#include "text/tags.h"
#include "text/unknown.h"

/* Sentence pair i: source ids source[source_start[i] .. source_start[i + 1]), likewise target.
 * The ids carry no <s> or </s>. */
typedef struct attn_corpus {
    int32_t *source, *target;
    int64_t *source_start, *target_start; /* count + 1 each */
    int64_t count;
    int64_t dropped_empty, dropped_long; /* pairs left out, for the report */
    attn_unknown unknown;                /* characters without a piece */
} attn_corpus;

/* Tokenizes each side with the tokenizer's, with `threads` threads and drops pairs with an empty side or more than max_tokens ids on a side. tags: NULL, or
 * by origin what stands in front of a source. */
ATTN_MUST_CHECK attn_status attn_corpus_encode(const attn_parallel *pairs,
                                               const attn_tokenizer *tokenizer,
                                               const attn_tags *tags, int64_t max_tokens,
                                               int threads, attn_corpus *out, attn_error *error);
/* The same of two files (io/parallel.h). */
ATTN_MUST_CHECK attn_status attn_corpus_read(const char *source_path, const char *target_path,
                                             const attn_tokenizer *tokenizer, int64_t max_tokens,
                                             int threads, attn_corpus *out, attn_error *error);
void attn_corpus_free(attn_corpus *corpus);

#endif

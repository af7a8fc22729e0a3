/* text/alignment.h: which target tokens a source token is translated by, from parallel text.
 *
 * IBM model 1 (Brown et al. 1993, section 4.1): t(target | source), the same for every position,
 * trained by expectation maximization from equal chances, with an empty source word in each
 * sentence. Sums are in double and in the order of the text: the same bits everywhere. Next:
 * text/corpus.h. */
#ifndef ATTN_TEXT_ALIGNMENT_H
#define ATTN_TEXT_ALIGNMENT_H

#include "text/corpus.h"

/* likely: [vocabulary, per_token], vocabulary that of the source: row s the targets of largest t(. | s), equal ones by
 * lower id, -1 where there are no more. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_alignment_likely(const attn_corpus *corpus, int64_t vocabulary,
                                                  int64_t iterations, int64_t per_token,
                                                  int32_t *likely, attn_error *error);

/* The `count` most frequent targets of the corpus, equal ones by lower id; [count], -1 where there
 * are no more. */
ATTN_MUST_CHECK attn_status attn_alignment_frequent(const attn_corpus *corpus, int64_t vocabulary,
                                                    int64_t count, int32_t *frequent,
                                                    attn_error *error);

#endif

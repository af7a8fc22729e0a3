/* align/pieces.h: links between the pieces of a tokenizer, to guide a translator by (layers/guide.h).
 *
 * Pieces count as words do (align/words.h): small letters, the first five of them, whether or not a space stands before
 * them. Next: train/translator_task.h. */
#ifndef ATTN_ALIGN_PIECES_H
#define ATTN_ALIGN_PIECES_H

#include "align/bitext.h"
#include "text/corpus.h"

/* The links of every pair of the corpus, learned from the corpus. tokenizer NULL: ids count as they are, and all are
 * below `vocabulary`, which is else not looked at. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_align_pieces(const attn_corpus *corpus,
                                              const attn_tokenizer *tokenizer, int64_t vocabulary,
                                              int threads, attn_link_set *out, attn_error *error);

#endif

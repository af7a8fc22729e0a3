/* import/words.h: the vocabulary of a model that has words and perhaps no tokenizer: lists of words, one a line. */
#ifndef ATTN_IMPORT_WORDS_H
#define ATTN_IMPORT_WORDS_H

#include "import/side.h"
#include "io/bundle.h"

/* Adds the words of a file of the bundle. counts: behind each stands how often it was seen, as in fairseq's dict.txt.
 * ATTN_ERR_FORMAT: an empty line, a word twice. */
ATTN_MUST_CHECK attn_status attn_import_words(attn_bundle *bundle, const char *name, bool counts,
                                              attn_piece_table *table, attn_error *error);
/* The id of a word, from now on one that no text becomes; -1: there is none. */
int32_t attn_import_special(attn_piece_table *table, const char *word);
/* The SentencePiece model that cuts texts of this side, where one lies beside the tensors under a usual name. */
ATTN_MUST_CHECK attn_status attn_import_segmenter(attn_bundle *bundle, bool target,
                                                  attn_import_side *side, attn_error *error);

#endif

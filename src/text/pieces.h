/* text/pieces.h: where to cut a line that is longer than the model can read. */
#ifndef ATTN_TEXT_PIECES_H
#define ATTN_TEXT_PIECES_H

#include <stdbool.h>

#include "attn/tokenizer.h"

/* How many of the `count` ids, at most `most`, make up the next piece: all if they fit; else up to
 * the last end of a sentence (. ! ? and their kin), else up to the last end of a word, else `most`.
 * Where no end of a sentence was found *clean is set to false. */
int64_t attn_piece_length(const attn_tokenizer *tokenizer, const int32_t *ids, int64_t count,
                          int64_t most, bool *clean);

#endif

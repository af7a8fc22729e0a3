/* text/known_words.h: the words that a model has met in training.
 *
 * A name that it has never met it cannot spell: such names are kept (text/protect.h). A word is a run of letters, all made
 * small. The words lie in a Bloom filter (Bloom 1970): whatever was put in is found, and of other words about one in 300. It travels
 * in a field of the tokenizer's bytes that SentencePiece leaves to others. */
#ifndef ATTN_TEXT_KNOWN_WORDS_H
#define ATTN_TEXT_KNOWN_WORDS_H

#include "attn/tokenizer.h"
#include "io/lines.h"

typedef struct attn_known_words {
    const unsigned char *bits; /* not owned; NULL: nobody counted them */
    size_t size;               /* bytes */
} attn_known_words;

/* Whether the model may know the word: text[0 .. length), letters alone. True where nobody counted. */
bool attn_known_words_has(attn_known_words words, const char *text, size_t length);

/* A tokenizer that knows the words which the text holds three times or more, beside those that it knew. *out is NULL when it knew
 * them all, or carries none (attn_tokenizer_carries_words). ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_known_words_learn(const attn_tokenizer *tokenizer,
                                                   const attn_lines *text, attn_tokenizer **out,
                                                   attn_error *error);

/* ---- by tokenizer.cpp ---- */

/* Those of the source's side; they belong to the tokenizer. */
attn_known_words attn_tokenizer_known_words(const attn_tokenizer *tokenizer);
/* Whether its bytes have room for them: it is one of SentencePiece. */
bool attn_tokenizer_carries_words(const attn_tokenizer *tokenizer);
/* The same tokenizer with these words in the place of its own. */
ATTN_MUST_CHECK attn_status attn_tokenizer_with_words(const attn_tokenizer *tokenizer,
                                                      attn_known_words words, attn_tokenizer **out,
                                                      attn_error *error);

#endif

/* text/vocabulary.h: what a model's vocabulary can write, and which words the model has met.
 *
 * A callback, so that who cuts texts needs no model. One that is all zero knows nothing: then everything counts
 * as writable. */
#ifndef ATTN_TEXT_VOCABULARY_H
#define ATTN_TEXT_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/tokenizer.h"

typedef struct attn_vocabulary {
    /* How many pieces the text takes; 0 when it cannot be written: some of it is unknown or takes the bytes that a
     * tokenizer falls back on, or it would come back as another text. Threads may call it at once. *failed is set
     * when memory was short, so that the answer means nothing. */
    size_t (*pieces)(const void *context, const char *text, size_t length, bool *failed);
    /* Whether the model may know a word of letters (known_words.h); NULL: nobody can tell. */
    bool (*knows)(const void *context, const char *word, size_t length);
    const void *context;
    bool *failed; /* that of this user of it; NULL: nobody asks */
} attn_vocabulary;

/* That of a tokenizer, which must outlive it. */
attn_vocabulary attn_vocabulary_of(const attn_tokenizer *tokenizer);
size_t attn_vocabulary_pieces(const attn_vocabulary *vocabulary, const char *text, size_t length);
/* Whether there are any; true of a vocabulary that is all zero. */
bool attn_vocabulary_writes(const attn_vocabulary *vocabulary, const char *text, size_t length);
/* Whether the words that the model has met are on record. */
bool attn_vocabulary_has_words(const attn_vocabulary *vocabulary);
/* True where they are not. */
bool attn_vocabulary_knows(const attn_vocabulary *vocabulary, const char *word, size_t length);

#endif

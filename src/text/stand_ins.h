/* text/stand_ins.h: words that stand for protected parts while a sentence is translated.
 *
 * A name stays a name in most languages, and a number word becomes another number word, so that one finds in
 * the translation what the part became. Number words come from ICU's rules for spelling numbers out. */
#ifndef ATTN_TEXT_STAND_INS_H
#define ATTN_TEXT_STAND_INS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/vocabulary.h"

enum { ATTN_LEAST_NUMBER_WORD = 2, ATTN_NUMBER_WORDS = 11, ATTN_STAND_IN_SIZE = 40 };

/* What is given to the model, and what is looked for in its answer. */
typedef struct attn_stand_in {
    char given[ATTN_STAND_IN_SIZE], expected[ATTN_STAND_IN_SIZE];
} attn_stand_in;

typedef struct attn_number_words {
    bool asked, known;
    attn_stand_in word[ATTN_NUMBER_WORDS]; /* 2, 3, ... 12; "" where the model cannot write it */
} attn_number_words;

/* known is false where ICU cannot spell numbers in one of the languages. Returns false when memory was short. */
bool attn_number_words_load(attn_number_words *words, const char *source, const char *target,
                            const attn_vocabulary *vocabulary);
/* The `number`th name, counted from a start that `turn` shifts, that is not in the text; false when there are no more. *number
 * is set behind it. */
bool attn_stand_in_name(const attn_vocabulary *vocabulary, const char *text, size_t length,
                        size_t turn, size_t *number, attn_stand_in *out);
/* A word for a number of things: its own when there is one. taken[i]: number word i is in use. */
bool attn_stand_in_number(const attn_number_words *words, const char *text, size_t length,
                          size_t value, bool *taken, attn_stand_in *out);
/* How often the text says the number in words, as a cardinal or an ordinal. Returns false when memory was short. */
bool attn_number_said(const char *language, const char *text, int64_t value, size_t *count);
bool attn_text_contains(const char *text, size_t length, const char *word);

#endif

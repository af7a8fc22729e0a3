/* text/language.h: which of some languages a text is written in, and what languages are called. */
#ifndef ATTN_TEXT_LANGUAGE_H
#define ATTN_TEXT_LANGUAGE_H

#include <stddef.h>

typedef struct attn_language_guess {
    const char *code;  /* one of those asked about */
    double confidence; /* 0 to 100 */
} attn_language_guess;

/* How likely the text is in each of the `count` languages, most likely first (equal ones in the
 * order given). The method is small and open: language.c says what it knows. Text that is no UTF-8
 * counts up to its first wrong byte. guesses: [count]. */
void attn_language_detect(const char *text, size_t length, const char *const *codes, size_t count,
                          attn_language_guess *guesses);

/* "English" for "en", the code itself where no name is known. */
const char *attn_language_name(const char *code);

#endif

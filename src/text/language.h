/* text/language.h: which language a text is written in, and what languages are called. */
#ifndef ATTN_TEXT_LANGUAGE_H
#define ATTN_TEXT_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

enum { ATTN_LANGUAGE_CODE_SIZE = 12 };

typedef struct attn_language_guess {
    const char *code;
    double confidence; /* 0 to 100 */
} attn_language_guess;

/* How likely the text is in each language that is known (language.c says what it knows), most likely
 * first; at most `room`, none that is impossible. All confidences and that of an unknown language make 100. Text
 * that is no UTF-8 counts up to its first wrong byte. Returns how many guesses there are. */
size_t attn_language_rank(const char *text, size_t length, attn_language_guess *guesses,
                          size_t room);
/* The same for the `count` languages asked about, most likely first (equal ones in the order given), with the codes
 * as they were given. guesses: [count]. */
void attn_language_detect(const char *text, size_t length, const char *const *codes, size_t count,
                          attn_language_guess *guesses);
/* Whether a text that was to be translated from `source` is in `target` already, beyond reasonable doubt: when in
 * doubt, no. */
bool attn_language_is_already(const char *text, size_t length, const char *source,
                              const char *target);

/* How many languages are known, and the code of each. */
size_t attn_language_count(void);
const char *attn_language_code(size_t i);
/* "English" for "en", the code itself where no name is known. */
const char *attn_language_name(const char *code);
/* Whether two codes name one language: the same code, or one that is normalized to the same. */
bool attn_language_same(const char *a, const char *b);
/* A code as people write it, in the form that models have: EN, en-US, en_GB and eng are "en", zh-TW is "zh-Hant",
 * zh-Hans "zh". What is no code comes back, cut. */
void attn_language_normalize(const char *code, char out[ATTN_LANGUAGE_CODE_SIZE]);

#endif

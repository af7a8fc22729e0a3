/* text/sentences.h: where one sentence ends and the next begins. */
#ifndef ATTN_TEXT_SENTENCES_H
#define ATTN_TEXT_SENTENCES_H

#include "text/spans.h"

/* The sentences of a text, by the rules of Unicode (UAX 29), and as people write:
 *   an abbreviation of the language or an initial ends none ("Mr. Smith", "St. Louis", "z. B.");
 *   a missing space or capital does ("He left.She stayed.", "i am tired. you are not.");
 *   so does a colon before what is said in quotes.
 * A line break, a tab or another control character always ends one. Sentences carry no white space at either end,
 * and no mark of a list before them ("- ", "2. ", "a) "): this lies between two spans, before the first and after
 * the last. language: a code such as "en"; an unknown one falls back to the general rules. Errors: memory,
 * and ATTN_ERR_FORMAT when the text is not UTF-8. Adds to *out, which the caller frees. */
ATTN_MUST_CHECK attn_status attn_sentences_split(const char *text, size_t length,
                                                 const char *language, attn_spans *out,
                                                 attn_error *error);

#endif

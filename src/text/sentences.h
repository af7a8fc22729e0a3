/* text/sentences.h: where one sentence ends and the next begins. */
#ifndef ATTN_TEXT_SENTENCES_H
#define ATTN_TEXT_SENTENCES_H

#include "text/spans.h"

/* The sentences of a text, by the rules of Unicode (UAX 29) with the abbreviations that ICU knows of
 * the language ("Mr. Smith" stays whole). A line break, a tab or another control character always
 * ends one. Sentences carry no white space at either end: what lies between two spans, and before the
 * first and after the last, is white space and control characters alone. language: a code such as
 * "en"; an unknown one falls back to the general rules. Errors: memory, and ATTN_ERR_FORMAT when the
 * text is not UTF-8. Adds to *out, which the caller frees. */
ATTN_MUST_CHECK attn_status attn_sentences_split(const char *text, size_t length,
                                                 const char *language, attn_spans *out,
                                                 attn_error *error);

#endif

/* pipeline/translation.h: texts on their way through a translator. The door is attn/translate.h.
 *
 * text -> passage (what stays, what is translated) -> units -> sentences that fit the model -> batch.h,
 * or the queue of many callers -> hypotheses -> units -> text. Making it, searching its sentences and
 * going on with it are steps, so that a server may search the sentences of many callers together.
 * Next: translation.c, batch.h, text/passage.h. */
#ifndef ATTN_PIPELINE_TRANSLATION_H
#define ATTN_PIPELINE_TRANSLATION_H

#include "attn/translate.h"
#include "pipeline/batch.h"

/* Cuts the texts into sentences; nothing is searched yet. Errors as those of attn_translate. */
ATTN_MUST_CHECK attn_status attn_translation_create(const attn_model *model,
                                                    const char *const *texts, size_t count,
                                                    const attn_translate_options *options,
                                                    attn_translation **out, attn_error *error);
/* A translation that is the texts themselves, finished at once. Errors: ATTN_ERR_MEMORY, and ATTN_ERR_FORMAT for a
 * text that is not UTF-8. */
ATTN_MUST_CHECK attn_status attn_translation_copy(const attn_model *model, const char *const *texts,
                                                  size_t count, attn_translation **out,
                                                  attn_error *error);
/* What is to be searched next, in any order and company; owned by the translation, valid until it goes on. */
attn_sentence *attn_translation_to_search(attn_translation *translation, size_t *count);
/* When all of them have results. *more: a sentence did not pass and is to be searched in another way
 * (text/passage.h): attn_translation_to_search has what. Else the translation is finished: the functions of
 * attn/translate.h may read it. */
ATTN_MUST_CHECK attn_status attn_translation_go_on(attn_translation *translation, bool *more,
                                                   attn_error *error);

size_t attn_translation_count(const attn_translation *translation);
const attn_model *attn_translation_model(const attn_translation *translation);

/* ---- before it is finished; one thread at a time ---- */

/* Notes what sentence i of those to search reads so far. *text: whose it is. False when nobody will see
 * it, or memory ran out. */
bool attn_translation_note(attn_translation *translation, size_t sentence, const int32_t *ids,
                           int64_t count, size_t *text);
/* A text with what its sentences read so far, to be freed with attn_translate_free. */
ATTN_MUST_CHECK attn_status attn_translation_so_far(const attn_translation *translation,
                                                    size_t text, char **out, attn_error *error);

/* Before anything is searched: what sentence i of all reads; NULL past the last. *sentence, where not NULL:
 * its ids. */
const char *attn_translation_source(const attn_translation *translation, size_t i,
                                    const attn_sentence **sentence);

/* Sentence i of those that a text was searched as at first, whether its translation was made of them or it had to be
 * copied; false past the end. For looking inside. */
bool attn_translation_searched(const attn_translation *translation, size_t text, size_t i,
                               attn_translated_sentence *out);

/* The tokens of the longest sentence of a text that had to be cut inside, being longer than the model
 * reads; 0: none was. */
size_t attn_translation_cut(const attn_translation *translation, size_t text);

#endif

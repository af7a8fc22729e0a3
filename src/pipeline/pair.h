/* pipeline/pair.h: one sentence and its translation, as the two sides of the model read them.
 *
 * For looking inside and for scoring. The pair of a translation that was made is of the very pass that
 * made it: the same ids on both sides, hence the same numbers. Next: show/explain.h, score.h. */
#ifndef ATTN_PIPELINE_PAIR_H
#define ATTN_PIPELINE_PAIR_H

#include "attn/translate.h"

typedef struct attn_sentence_pair {
    int32_t *source; /* ids and </s> */
    int64_t source_length;
    int32_t
        *target; /* <s> (or what a model of several languages reads), ids, </s>; NULL: not read */
    int64_t target_length; /* without the </s> */
    char *sentence;        /* what the source reads */
    char *translation;     /* what the target reads; NULL: not read */
} attn_sentence_pair;

/* Frees what it holds; a zero one is allowed. */
void attn_sentence_pair_free(attn_sentence_pair *pair);

/* Sets the target to what the model's decoder reads before these words, the words, and </s>. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_set_target(const attn_model *model,
                                                          const int32_t *words, int64_t count,
                                                          attn_sentence_pair *out,
                                                          attn_error *error);
/* Sentence i of a text that was translated; of one that was copied because no translation of it passed, as it was
 * searched at first. A pair is to be freed after an error too. ATTN_ERR_ARGUMENT:
 * there is no such sentence; the error says how many there are. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_of_translation(const attn_translation *translation,
                                                              size_t text, size_t i,
                                                              attn_sentence_pair *out,
                                                              attn_error *error);
/* Sentence i of a text, not translated: the target is NULL. *count: how many sentences it has. Errors
 * as above. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_of_source(const attn_model *model, const char *text,
                                                         attn_text_format format, size_t i,
                                                         attn_sentence_pair *out, size_t *count,
                                                         attn_error *error);
/* Sentence i of a text and of its given translation, cut alike; of a text of one sentence both
 * as they are. ATTN_ERR_ARGUMENT: they are not of as many sentences, one of them is empty or longer than
 * the model takes. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_of_texts(const attn_model *model, const char *text,
                                                        const char *translation, size_t i,
                                                        attn_sentence_pair *out, size_t *count,
                                                        attn_error *error);
/* The two as they are, one sequence each. Errors as above. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_raw(const attn_model *model, const char *text,
                                                   const char *translation, attn_sentence_pair *out,
                                                   attn_error *error);

/* Sentence i of a text with its part of `translation`, or, where that is NULL, with the translation that
 * `search` (NULL: the default) finds. format: ATTN_TEXT_PLAIN or RAW. Errors as above and those of
 * attn_translate_texts. */
ATTN_MUST_CHECK attn_status attn_sentence_pair_read(const attn_model *model, const char *text,
                                                    const char *translation,
                                                    attn_text_format format, size_t i,
                                                    const attn_search_options *search,
                                                    attn_sentence_pair *out, attn_error *error);

/* log p of every target id given the source, by the steps that a search takes: log_p[i] is
 * [target_length of pair i], </s> last; 0 of an id that tells the language. ATTN_ERR_NUMERIC, ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_sentence_pairs_score(const attn_model *model,
                                                      const attn_sentence_pair *pairs, size_t count,
                                                      attn_real *const *log_p, attn_error *error);
/* What a head of cross-attention looks at while the given target is read: weights[i] is [target_length,
 * source_length of pair i], row t that of the step that reads target[t] and chooses target[t + 1]. layer, head: from 1;
 * head 0: the mean of the layer's; layer 0: the alignment head, or without one the mean of the last layer's.
 * ATTN_ERR_ARGUMENT: no such head; ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_sentence_pairs_attend(const attn_model *model,
                                                       const attn_sentence_pair *pairs,
                                                       size_t count, int64_t layer, int64_t head,
                                                       attn_real *const *weights,
                                                       attn_error *error);

#endif

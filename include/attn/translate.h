/* attn/translate.h: from text to translation.
 *
 * The one road: `attn translate`, `attn serve`, BLEU during training and the page take it too, so the
 * same text gives the same bytes everywhere. A text is cut into sentences; line breaks, spacing,
 * markup, placeholders, addresses, what holds no letter and what is in the target language already
 * come out as they went in; the rest is searched in batches that fit the memory, and joined again.
 *
 *     attn_model *model;
 *     char *translation;
 *     attn_model_open("en-fr.safetensors", NULL, &model, &error);
 *     attn_translate(model, "How are you?", NULL, &translation, &error);
 *
 * Of the second library, libattn-pipeline. A result depends on the text, the model and the options
 * alone. Any number of threads may translate with one open model. Texts are UTF-8. */
#ifndef ATTN_TRANSLATE_H
#define ATTN_TRANSLATE_H

#include "attn/model.h"
#include "attn/search.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_text_format {
    ATTN_TEXT_PLAIN,
    ATTN_TEXT_HTML, /* tags stay around the words that they belong to */
    ATTN_TEXT_RAW, /* handed to the model as it is, nothing cut or kept: for published comparisons */
} attn_text_format;

/* Make one with attn_translate_options_init; NULL stands for what that gives. */
typedef struct attn_translate_options {
    size_t size; /* of this struct, set by the init: a later version may have more members */
    attn_text_format format;
    /* Beam, n_best, sampling, guards, attention; NULL: attn_search_options_init. Its progress and
     * shortlist are not looked at. */
    const attn_search_options *search;
    int64_t batch;       /* sentences that a thread has at once; changes the speed alone; 64 */
    uint64_t first_text; /* the number of texts[0], on which draws depend when sampling */
    /* NULL, or called with text `text` as far as it is translated, on the calling thread. Later calls may
     * begin otherwise unless the beam is 1. */
    void (*progress)(void *context, size_t text, const char *so_far);
    void *progress_context;
    /* A sentence that is surely in the target language already stays as it is; in a text that is, each one that is not
     * rather in the source language. True: everything is translated. */
    bool translate_all;
    /* Of HTML, attributes that people read are translated too: alt, title, placeholder, aria-label, aria-description,
     * and the content of a <meta> that is a title or a description. */
    bool attributes;
} attn_translate_options;

/* Plain text, the search of attn_search_options_init, batches of 64, false for the rest. */
ATTN_PIPELINE_API void attn_translate_options_init_sized(attn_translate_options *options,
                                                         size_t size);
static inline void attn_translate_options_init(attn_translate_options *options) {
    attn_translate_options_init_sized(options, sizeof *options);
}

/* Translates one text. *translation is NUL-terminated and to be freed with attn_translate_free.
 * ATTN_ERR_FORMAT: not UTF-8; ATTN_ERR_ARGUMENT: an option out of range, or a segmenter;
 * ATTN_ERR_NUMERIC: the model yields no number; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_translate(const attn_model *model,
                                                             const char *text,
                                                             const attn_translate_options *options,
                                                             char **translation, attn_error *error);
/* NULL is allowed. */
ATTN_PIPELINE_API void attn_translate_free(char *text);

/* Translations of many texts, with all that was found on the way. Only read once made. The model must
 * outlive it. */
typedef struct attn_translation attn_translation;

/* Translates texts[0 .. count), sharing batches. Errors as those of attn_translate. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_translate_texts(
    const attn_model *model, const char *const *texts, size_t count,
    const attn_translate_options *options, attn_translation **out, attn_error *error);
/* NULL is allowed. */
ATTN_PIPELINE_API void attn_translation_free(attn_translation *translation);

/* How many different translations of a text there are: at least 1, at most n_best. */
ATTN_PIPELINE_API int64_t attn_translation_ranks(const attn_translation *translation, size_t text);
/* Translation `rank` of a text, the best being 0, to be freed with attn_translate_free. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_translation_text(
    const attn_translation *translation, size_t text, int64_t rank, char **out, attn_error *error);
/* Its score: the sum of log p over its sentences / (their tokens)^length_penalty; 0 when it has none. */
ATTN_PIPELINE_API double attn_translation_score(const attn_translation *translation, size_t text,
                                                int64_t rank);

/* A sentence that a text's translation is made of. The pointers belong to the translation. */
typedef struct attn_translated_sentence {
    const char *sent;   /* it, as it stands in the text; where it had to be cut inside, as source */
    const char *source; /* what the model read: other words may stand for numbers and the like */
    const int32_t *source_ids; /* with </s> */
    int64_t source_length;
    const attn_hypothesis *best; /* what its translation is made of */
} attn_translated_sentence;

/* How many sentences the best translation of a text is made of; 0 where nothing was to be translated. */
ATTN_PIPELINE_API size_t attn_translation_sentences(const attn_translation *translation,
                                                    size_t text);
/* Sentence i of a text, from 0; false past the end. */
ATTN_PIPELINE_API bool attn_translation_sentence(const attn_translation *translation, size_t text,
                                                 size_t i, attn_translated_sentence *out);
/* Its hypothesis `rank`; NULL past the last. */
ATTN_PIPELINE_API const attn_hypothesis *attn_translation_hypothesis(
    const attn_translation *translation, size_t text, size_t i, int64_t rank);

#ifdef __cplusplus
}
#endif
#endif

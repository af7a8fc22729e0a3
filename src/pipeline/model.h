/* pipeline/model.h: what an open model holds; the rooms above read it. The door is attn/model.h.
 *
 * Next: translation.h, segment.h. */
#ifndef ATTN_PIPELINE_MODEL_H
#define ATTN_PIPELINE_MODEL_H

#include "attn/decoder.h"
#include "attn/encoder.h"
#include "attn/model.h"
#include "attn/search.h"
#include "attn/segmenter.h"
#include "attn/translator.h"
#include "image/classes.h"
#include "models/vision.h"
#include "pipeline/labels.h"
#include "text/glossary.h"

enum { ATTN_LANGUAGE_CODE = 16, ATTN_MODEL_PAIRS = 64 };

typedef struct attn_language_pair {
    char source[ATTN_LANGUAGE_CODE], target[ATTN_LANGUAGE_CODE];
} attn_language_pair;

/* The pieces that tell a model its languages; not above 0: none. */
typedef struct attn_language_tags {
    int32_t before, after; /* the source's words; the source's </s> */
    int32_t start;         /* in place of <s> */
    int32_t first;         /* after <s> */
} attn_language_tags;

struct attn_model {
    char *path, *name;
    attn_model_kind kind;
    char source[ATTN_LANGUAGE_CODE], target[ATTN_LANGUAGE_CODE]; /* "": not known */
    attn_language_tags tags;
    attn_language_pair
        *pairs; /* all of its file, when it has several; `source` and `target` are one of them */
    size_t pair_count;
    attn_translator *translator;
    attn_tokenizer *tokenizer;
    attn_shortlist *shortlist; /* or NULL */
    attn_glossary *glossary;   /* or NULL */
    attn_segmenter *segmenter; /* attn's own */
    attn_encoder *encoder;
    attn_decoder *decoder;
    attn_vision *vision;  /* a segmenter of others, or what sees pictures */
    attn_classes classes; /* of a segmenter */
    attn_labels labels;   /* of pictures; none: it has no classes */
};

/* How many tokens a source has beside its words: tags, and </s> unless the model reads sources without. */
int64_t attn_model_source_extra(const attn_model *model);
/* How many words a source may have. */
int64_t attn_model_most_words(const attn_model *model);
/* What a decoder reads before the words of a translation; returns how many: 1 or 2. */
int64_t attn_model_target_begin(const attn_model *model, int32_t ids[2]);
/* Writes a source: tags, words, </s>; room for `count` and attn_model_source_extra, and one more. Returns its length. */
int64_t attn_model_write_source(const attn_model *model, const int32_t *words, int64_t count,
                                int32_t *out);
/* How many of a source's ids are words and tags; of one that ends in a tag, all. */
int64_t attn_source_words(const int32_t *ids, int64_t length);
/* How a search of this model begins. */
void attn_model_set_search(const attn_model *model, attn_search_options *search);
/* A translator that was made elsewhere. The model takes both over, also on failure. */
ATTN_MUST_CHECK attn_status attn_model_wrap(attn_translator *translator, attn_tokenizer *tokenizer,
                                            const char *source, const char *target,
                                            attn_model **out, attn_error *error);
/* The same of an encoder. */
ATTN_MUST_CHECK attn_status attn_model_wrap_encoder(attn_encoder *encoder,
                                                    attn_tokenizer *tokenizer, attn_model **out,
                                                    attn_error *error);
/* The same of a decoder. */
ATTN_MUST_CHECK attn_status attn_model_wrap_decoder(attn_decoder *decoder,
                                                    attn_tokenizer *tokenizer, attn_model **out,
                                                    attn_error *error);
/* The same of a network of pictures; labels: what attn_vision_save keeps with it. */
ATTN_MUST_CHECK attn_status attn_model_wrap_vision(attn_vision *vision, const void *labels,
                                                   size_t labels_size, attn_model **out,
                                                   attn_error *error);
/* Gives a model its shortlist, before anyone uses it. Errors as those of attn_shortlist_load. */
ATTN_MUST_CHECK attn_status attn_model_set_shortlist(attn_model *model, const char *path,
                                                     attn_error *error);
/* Gives a model its glossary, before anyone uses it. Errors as those of attn_glossary_read. */
ATTN_MUST_CHECK attn_status attn_model_set_glossary(attn_model *model, const char *path,
                                                    attn_error *error);
/* Sets the languages that the name of its file or folder begins or ends with, if it does: "en-fr-large.safetensors", "opus-mt-en-fr/". */
void attn_model_languages_of_name(attn_model *model);
/* ATTN_ERR_ARGUMENT where a model that has to be told its languages was not. */
ATTN_MUST_CHECK attn_status attn_model_check_languages(const attn_model *model, attn_error *error);
/* ATTN_ERR_ARGUMENT unless it is of that kind, in words for who named the file. */
ATTN_MUST_CHECK attn_status attn_model_check_kind(const attn_model *model, attn_model_kind kind,
                                                  attn_error *error);

#endif

/* pipeline/model.h: what an open model holds; the rooms above read it. The door is attn/model.h.
 *
 * Next: translation.h, segment.h. */
#ifndef ATTN_PIPELINE_MODEL_H
#define ATTN_PIPELINE_MODEL_H

#include "attn/encoder.h"
#include "attn/model.h"
#include "attn/segmenter.h"
#include "attn/translator.h"
#include "image/classes.h"
#include "text/glossary.h"

enum { ATTN_LANGUAGE_CODE = 16, ATTN_MODEL_PAIRS = 64 };

typedef struct attn_language_pair {
    char source[ATTN_LANGUAGE_CODE], target[ATTN_LANGUAGE_CODE];
} attn_language_pair;

struct attn_model {
    char *path, *name;
    attn_model_kind kind;
    char source[ATTN_LANGUAGE_CODE], target[ATTN_LANGUAGE_CODE]; /* "": not known */
    int32_t
        tag; /* the piece in front of every source, which asks for `target`; not above 0: none */
    attn_language_pair
        *pairs; /* all of its file, when it has several; `source` and `target` are one of them */
    size_t pair_count;
    attn_translator *translator;
    attn_tokenizer *tokenizer;
    attn_shortlist *shortlist; /* or NULL */
    attn_glossary *glossary;   /* or NULL */
    attn_segmenter *segmenter;
    attn_encoder *encoder;
    attn_classes classes;
};

/* How many tokens end a source: </s>, or nothing does. */
int64_t attn_model_source_end(const attn_model *model);
/* How many of a source's ids are words and tags. */
int64_t attn_source_words(const int32_t *ids, int64_t length);
/* A translator that was made elsewhere. The model takes both over, also on failure. */
ATTN_MUST_CHECK attn_status attn_model_wrap(attn_translator *translator, attn_tokenizer *tokenizer,
                                            const char *source, const char *target,
                                            attn_model **out, attn_error *error);
/* The same of an encoder. */
ATTN_MUST_CHECK attn_status attn_model_wrap_encoder(attn_encoder *encoder,
                                                    attn_tokenizer *tokenizer, attn_model **out,
                                                    attn_error *error);
/* Gives a model its shortlist, before anyone uses it. Errors as those of attn_shortlist_load. */
ATTN_MUST_CHECK attn_status attn_model_set_shortlist(attn_model *model, const char *path,
                                                     attn_error *error);
/* Gives a model its glossary, before anyone uses it. Errors as those of attn_glossary_read. */
ATTN_MUST_CHECK attn_status attn_model_set_glossary(attn_model *model, const char *path,
                                                    attn_error *error);
/* ATTN_ERR_ARGUMENT unless it is of that kind, in words for who named the file. */
ATTN_MUST_CHECK attn_status attn_model_check_kind(const attn_model *model, attn_model_kind kind,
                                                  attn_error *error);

#endif

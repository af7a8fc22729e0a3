/* attn/model.h: a model file opened whole: weights, tokenizer, languages, classes.
 *
 * Of the second library, libattn-pipeline (pkg-config attn-pipeline, CMake attn::pipeline). An open
 * model is only read: threads may share it. Next: attn/translate.h for text, attn/segment.h for
 * pictures, attn/classify.h for classes of pictures, attn/embed.h for vectors of text; attn/translator.h is a network behind them. */
#ifndef ATTN_MODEL_H
#define ATTN_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/layers.h"
#include "attn/status.h"
#include "attn/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_model attn_model;

typedef enum attn_model_kind {
    ATTN_MODEL_TRANSLATOR,
    ATTN_MODEL_SEGMENTER,
    ATTN_MODEL_ENCODER,  /* of text */
    ATTN_MODEL_PICTURES, /* of pictures: their vectors, and their classes where it knows some */
    ATTN_MODEL_DECODER,  /* of text, which it goes on with */
} attn_model_kind;

/* How to open a model. Make one with attn_model_options_init; NULL stands for what that gives. */
typedef struct attn_model_options {
    size_t size; /* of this struct, set by the init: a later version may have more members */
    attn_compute compute; /* of text: ATTN_COMPUTE_F32, or ATTN_COMPUTE_I8 for speed */
    /* Keep the weights as the file has them beside the packed ones: for attn_translator_params, and to
     * look inside. Takes twice the memory. */
    bool whole;
    const char *shortlist; /* path of what `attn shortlist` wrote; NULL: none */
    const char
        *glossary; /* path of SOURCE<TAB>TARGET lines, terms with a fixed translation; NULL: none */
    const char *source,
        *target; /* of a model of several pairs of languages: which; NULL: its first that fits */
} attn_model_options;

/* Defaults: float32, packed alone, no shortlist, no glossary. */
ATTN_PIPELINE_API void attn_model_options_init_sized(attn_model_options *options, size_t size);
static inline void attn_model_options_init(attn_model_options *options) {
    attn_model_options_init_sized(options, sizeof *options);
}

/* Opens a .safetensors file that `attn train` or `attn import` wrote. The header is read once; the file is not kept
 * open. Free the model with attn_model_close.
 * ATTN_ERR_IO, ATTN_ERR_FORMAT (the error names the byte or the tensor), ATTN_ERR_MEMORY;
 * ATTN_ERR_ARGUMENT: options that were not initialised; a pair of languages that the model does not have. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_model_open(const char *path,
                                                              const attn_model_options *options,
                                                              attn_model **out, attn_error *error);
/* NULL is allowed. */
ATTN_PIPELINE_API void attn_model_close(attn_model *model);

ATTN_PIPELINE_API attn_model_kind attn_model_get_kind(const attn_model *model);
/* What it is called: the metadata name, else the file's name without folder and ending. */
ATTN_PIPELINE_API const char *attn_model_name(const attn_model *model);
/* The path it was opened from. */
ATTN_PIPELINE_API const char *attn_model_path(const attn_model *model);
/* Codes such as "en": the metadata source_language and target_language, else what the file's name says
 * (en-fr.safetensors); "" when neither tells, and of a segmenter. */
ATTN_PIPELINE_API const char *attn_model_source_language(const attn_model *model);
ATTN_PIPELINE_API const char *attn_model_target_language(const attn_model *model);
/* All pairs of languages of the model's file, of which it was opened for one. */
ATTN_PIPELINE_API size_t attn_model_pair_count(const attn_model *model);
/* Pair i; false past the last. The codes belong to the model. */
ATTN_PIPELINE_API bool attn_model_pair(const attn_model *model, size_t i, const char **source,
                                       const char **target);
/* Of a translator, an encoder or a decoder; owned by the model. NULL of a segmenter. attn_tokenizer_target gives the side of the target. */
ATTN_PIPELINE_API const attn_tokenizer *attn_model_tokenizer(const attn_model *model);

#ifdef __cplusplus
}
#endif
#endif

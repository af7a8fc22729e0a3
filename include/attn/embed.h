/* attn/embed.h: from a text to one vector, and which vectors are like it.
 *
 *     attn_model *model;
 *     attn_model_open("minilm.safetensors", NULL, &model, &error);
 *     float vector[384]; attn_model_vector_size(model) numbers
 *     attn_embed(model, "How are you?", NULL, vector, &error);
 *
 * Of the second library, libattn-pipeline. A text of more pieces than the model reads is cut at its end. A vector depends on the
 * text, the model and the options alone: it is the same bits whatever else is embedded in the same call. Any number of threads
 * may use one open model. Texts are UTF-8. */
#ifndef ATTN_EMBED_H
#define ATTN_EMBED_H

#include "attn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_embed_pooling {
    ATTN_EMBED_AS_MODEL, /* as its makers do */
    ATTN_EMBED_MEAN,     /* the mean over all tokens */
    ATTN_EMBED_FIRST,    /* the first token, [CLS] */
} attn_embed_pooling;

typedef enum attn_embed_length {
    ATTN_EMBED_LENGTH_AS_MODEL,
    ATTN_EMBED_LENGTH_ONE, /* vectors are divided by their length */
    ATTN_EMBED_LENGTH_OWN,
} attn_embed_length;

/* Make one with attn_embed_options_init; NULL stands for what that gives. */
typedef struct attn_embed_options {
    size_t size; /* of this struct, set by the init: a later version may have more members */
    attn_embed_pooling pooling;
    attn_embed_length length;
} attn_embed_options;

/* As the model's makers do. */
ATTN_PIPELINE_API void attn_embed_options_init_sized(attn_embed_options *options, size_t size);
static inline void attn_embed_options_init(attn_embed_options *options) {
    attn_embed_options_init_sized(options, sizeof *options);
}

/* How many numbers a vector has; 0 of a model that is no encoder. */
ATTN_PIPELINE_API int64_t attn_model_vector_size(const attn_model *model);

/* The vector of one text: [vector size]. ATTN_ERR_ARGUMENT: the model is no encoder, or options that were not initialised;
 * ATTN_ERR_FORMAT: not UTF-8; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_embed(const attn_model *model, const char *text,
                                                         const attn_embed_options *options,
                                                         float *vector, attn_error *error);
/* Those of texts[0 .. count), computed together: vectors [count, vector size]. The error's position is the text's number. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_embed_texts(const attn_model *model,
                                                               const char *const *texts,
                                                               size_t count,
                                                               const attn_embed_options *options,
                                                               float *vectors, attn_error *error);

/* ---- looking inside ---- */

/* What the pieces of one text attend to. */
typedef struct attn_embed_look {
    int64_t count;  /* pieces, with what begins and ends a text */
    int32_t *ids;   /* [count]; attn_tokenizer_piece gives their text */
    float *weights; /* [count, count]: row i is what piece i looks at, with sum 1 */
} attn_embed_look;

/* Layer and head from 1; layer 0: the last, head 0: the mean of all. Free *look with attn_embed_look_free, after a failure too.
 * ATTN_ERR_ARGUMENT: no such layer or head; and as attn_embed. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_embed_attend(const attn_model *model,
                                                                const char *text, int64_t layer,
                                                                int64_t head, attn_embed_look *look,
                                                                attn_error *error);
ATTN_PIPELINE_API void attn_embed_look_free(attn_embed_look *look);

/* ---- nearest vectors ---- */

typedef struct attn_neighbour {
    int64_t index;
    double cosine; /* of the angle between the two; 0 where one of them is 0 */
} attn_neighbour;

/* The `most` of vectors[count, size] that point most nearly where `query` points, the nearest first; of equal ones the lower
 * index first. Vectors of any length. Returns how many: the lesser of count and most. */
ATTN_PIPELINE_API int64_t attn_nearest_vectors(const float *vectors, int64_t count, int64_t size,
                                               const float *query, int64_t most,
                                               attn_neighbour *neighbours);

#ifdef __cplusplus
}
#endif
#endif

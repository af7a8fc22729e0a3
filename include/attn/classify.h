/* attn/classify.h: from a picture to its likely classes, or to one vector.
 *
 *     attn_model *model;
 *     attn_model_open("vit.safetensors", NULL, &model, &error);
 *     float probability[1000]; attn_model_classes(model) numbers; attn_model_class_name has their names
 *     attn_classify(model, &picture, probability, &error);
 *
 * Of the second library, libattn-pipeline. The models are those of kind ATTN_MODEL_PICTURES: a ViT or the encoder of a SegFormer,
 * as `attn import` writes them. A picture is resized to what the model was made for. A result depends on the picture and the model
 * alone. Any number of threads may use one open model. */
#ifndef ATTN_CLASSIFY_H
#define ATTN_CLASSIFY_H

#include "attn/embed.h"
#include "attn/segment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* probabilities: [attn_model_classes], with sum 1. ATTN_ERR_ARGUMENT: an empty picture, or one that is too small for the model; a
 * model without classes of pictures; ATTN_ERR_NUMERIC: the model's numbers are damaged; ATTN_ERR_MEMORY. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_classify(const attn_model *model,
                                                            const attn_pixels *picture,
                                                            float *probabilities,
                                                            attn_error *error);

/* vector: [attn_model_vector_size]. Of a ViT ATTN_EMBED_FIRST is the vector of the class token and ATTN_EMBED_MEAN the mean of
 * all; a SegFormer has the mean alone. options may be NULL. Errors as those of attn_classify; ATTN_ERR_ARGUMENT: options that
 * were not initialised. */
ATTN_PIPELINE_API ATTN_MUST_CHECK attn_status attn_embed_picture(const attn_model *model,
                                                                 const attn_pixels *picture,
                                                                 const attn_embed_options *options,
                                                                 float *vector, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

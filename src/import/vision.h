/* import/vision.h: what the files of import/vision.c share. */
#ifndef ATTN_IMPORT_VISION_H
#define ATTN_IMPORT_VISION_H

#include <jansson.h>

#include "io/bundle.h"
#include "models/vision.h"

/* preprocessor_config.json: the size that pictures are resized to, their mean and deviation. ATTN_ERR_UNSUPPORTED: what attn does
 * not do to a picture. */
ATTN_MUST_CHECK attn_status attn_vision_import_pixels(attn_bundle *bundle,
                                                      attn_vision_config *config,
                                                      attn_error *error);

/* All parameters, from the names that transformers gives them; prefix: "vit.", or "" of a model without a head. Errors as those
 * of attn_import_weights. */
ATTN_MUST_CHECK attn_status attn_vision_import_weights(attn_vision *model, const char *prefix,
                                                       bool biases_may_lack,
                                                       const attn_tensor_file *file,
                                                       attn_error *error);

/* What the classes are called, as the model's file keeps it: malloc'ed; NULL: it has none. config: config.json. */
ATTN_MUST_CHECK attn_status attn_vision_import_labels(const json_t *config,
                                                      const attn_vision_config *c, char **out,
                                                      attn_error *error);

#endif

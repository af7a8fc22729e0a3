/* pipeline/prompts.h: texts as a decoder reads them, for attn_generate and attn_decoder_score. */
#ifndef ATTN_PIPELINE_PROMPTS_H
#define ATTN_PIPELINE_PROMPTS_H

#include "pipeline/model.h"

/* The ids of texts one after another; text i is ids[starts[i] .. starts[i + 1]). */
typedef struct attn_prompts {
    int32_t *ids;
    int64_t *starts; /* [count + 1] */
} attn_prompts;

/* With what the model has in front of every text. Freed with attn_prompts_free, after a failure too.
 * ATTN_ERR_ARGUMENT: a text that is empty where nothing stands in front of it; ATTN_ERR_FORMAT: one that is not UTF-8; the error's
 * position is its number, from 1. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_prompts_encode(const attn_model *model, const char *const *texts,
                                                size_t count, attn_prompts *out, attn_error *error);
/* The text of ids that a decoder wrote; those without a piece, rows of its table beyond the tokenizer's, are left out. *text is freed with
 * attn_tokenizer_release. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_prompts_decode(const attn_model *model, const int32_t *ids,
                                                int64_t count, char **text, attn_error *error);
void attn_prompts_free(attn_prompts *prompts);

#endif

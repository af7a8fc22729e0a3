/* cli/align_model.h: links of words by a translator's own attention, for `attn align --model`. */
#ifndef ATTN_CLI_ALIGN_MODEL_H
#define ATTN_CLI_ALIGN_MODEL_H

#include "align/bitext.h"
#include "align/words.h"
#include "io/parallel.h"
#include "pipeline/model.h"

typedef struct attn_model_links {
    int64_t layer,
        head; /* from 1; head 0: the mean; layer 0: the alignment head, else the last layer's mean */
    double threshold; /* least weight of a link */
} attn_model_links;

/* A guided head looks for the source of a piece once it has read it, any other while it chooses it.
 * Each piece of the given translation is linked to the source piece with the largest weight; the links are those of the
 * parts of words (align/words.h) that the pieces end in. A line that is empty or longer than the model takes has
 * none; *left_out counts the long ones. */
ATTN_MUST_CHECK attn_status attn_align_by_model(const attn_model *model, const attn_parallel *text,
                                                const attn_word_parts *parts,
                                                const attn_model_links *how, attn_link_set *out,
                                                int64_t *left_out, attn_error *error);

#endif

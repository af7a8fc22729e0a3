/* cli/align_model.h: links of words by a translator's own attention, for `attn align --model`. */
#ifndef ATTN_CLI_ALIGN_MODEL_H
#define ATTN_CLI_ALIGN_MODEL_H

#include "align/bitext.h"
#include "align/words.h"
#include "io/parallel.h"
#include "pipeline/model.h"

#define ATTN_MODEL_LINK_THRESHOLD 0.45 /* docs/alignment.md says how it was chosen */

typedef struct attn_model_links {
    int64_t layer,
        head; /* from 1; head 0: the mean; layer 0: the alignment head, else the last layer's mean */
    double threshold; /* of a link, see below */
} attn_model_links;

/* A guided head looks for the source of a piece once it has read it, any other while it chooses it.
 * With w(t, s) the weight that part t of the translation gives to part s of the source (align/words.h; a sum over the
 * source's pieces, a mean over the translation's), t and s are linked where
 *   sqrt(w(t, s) * w(t, s) / sum over t' of w(t', s)) >= threshold,
 * so both must choose each other. With threshold 0 each t is linked to the s of its largest weight. A line that is
 * empty or longer than the model takes has no links; *left_out counts the long ones. */
ATTN_MUST_CHECK attn_status attn_align_by_model(const attn_model *model, const attn_parallel *text,
                                                const attn_word_parts *parts,
                                                const attn_model_links *how, attn_link_set *out,
                                                int64_t *left_out, attn_error *error);

#endif

/* align/aligner.h: word alignments learned from parallel text alone.
 *
 * Model 1 first (Brown et al. 1993), whose chances know no order; then a hidden Markov model (align/hmm.h), both ways
 * at once. From then on a pair of words counts as often as both directions expect it, the product of their posteriors:
 * each direction teaches the other, and links that only one would make fade (Liang, Taskar and Klein 2006). Chances of
 * words come from counts with a prior (align/lexicon.h). Nothing is random, and the result is the same to the bit for
 * any number of threads. Next: align/words.h. */
#ifndef ATTN_ALIGN_ALIGNER_H
#define ATTN_ALIGN_ALIGNER_H

#include "align/bitext.h"
#include "align/symmetrize.h"
#include "attn/status.h"

typedef struct attn_aligner_options {
    int64_t model1_iterations, hmm_iterations; /* hmm_iterations at least 1 */
    double prior;                              /* of each pair of words seen together */
    double empty;                              /* the chance of the empty word */
    bool agree;                                /* directions teach each other */
    int threads;                               /* affects speed only */
    /* Called after each iteration when not NULL: `done` of `all`. */
    void (*progress)(void *context, int64_t done, int64_t all);
    void *context;
} attn_aligner_options;

void attn_aligner_options_init(attn_aligner_options *options);

/* Learns from the text and gives the links of all its lines. threshold: of ATTN_SYMMETRY_POSTERIOR. *too_long: pairs
 * of lines that are too large to be looked at, which get no links. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_align(const attn_bitext *text, const attn_aligner_options *options,
                                       attn_symmetry symmetry, double threshold, attn_link_set *out,
                                       int64_t *too_long, attn_error *error);

#endif

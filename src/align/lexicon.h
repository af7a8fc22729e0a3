/* align/lexicon.h: which words are translations of each other, and how often.
 *
 * For each source word x and target word y that share a pair of lines, and for the empty word beside either, the
 * table holds t(y | x) and t(x | y). Expected counts are whole multiples of 2^-32: integers have the same sum in any
 * order, so threads may count at once and the result is the same to the bit.
 *
 * A chance follows from counts by variational Bayes: with c the count of (x, y), n that of x, k the words seen with x,
 * and a the prior,
 *     t(y | x) = exp(digamma(c + a)) / exp(digamma(n + a k))
 * which takes from rare pairs and so keeps rare words from collecting what belongs to others.
 * Sources: Brown et al. 1993, section 4; Riley and Gildea 2012, section 3. Next: align/aligner.h. */
#ifndef ATTN_ALIGN_LEXICON_H
#define ATTN_ALIGN_LEXICON_H

#include "align/bitext.h"
#include "attn/status.h"

typedef struct attn_lexicon attn_lexicon;

/* Every pair of words of the text, with equal chances. Unit kinds[s] is the empty word of side s.
 * ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_lexicon_create(const attn_bitext *text, attn_lexicon **out,
                                                attn_error *error);
void attn_lexicon_free(attn_lexicon *lexicon);

/* The place of a pair; SIZE_MAX when the text never showed it. */
size_t attn_lexicon_find(const attn_lexicon *lexicon, int32_t source, int32_t target);
/* Fetches what a later find needs: the table is too large for a cache, and one can wait for many pairs at once. */
void attn_lexicon_prepare(const attn_lexicon *lexicon, int32_t source, int32_t target);
/* t(target | source) for direction 0, t(source | target) for direction 1. Greater than 0. */
float attn_lexicon_chance(const attn_lexicon *lexicon, size_t place, int direction);
/* Threads may call it at once. */
void attn_lexicon_count(attn_lexicon *lexicon, size_t place, int direction, double count);
/* Chances from the counts, which start again from 0. prior: a, above 0. ATTN_ERR_MEMORY. */
ATTN_MUST_CHECK attn_status attn_lexicon_update(attn_lexicon *lexicon, double prior, int threads,
                                                attn_error *error);

/* The number of pairs of words. */
size_t attn_lexicon_size(const attn_lexicon *lexicon);

/* exp(digamma(x)), x > 0; 0 where it is below 2^-126. Relative error below 1e-5. */
double attn_exp_digamma(double x);

#endif

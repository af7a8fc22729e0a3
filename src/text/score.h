/* text/score.h: corpus BLEU and chrF as sacreBLEU 2.x computes them.
 *
 * Source: Papineni et al. 2002; Popovic 2015; Post 2018, "A call for clarity in reporting BLEU
 * scores". Equal to the sacrebleu package to two decimals, signature included. */
#ifndef ATTN_TEXT_SCORE_H
#define ATTN_TEXT_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

typedef enum attn_bleu_tokenizer {
    ATTN_BLEU_13A,
    ATTN_BLEU_NONE,
    ATTN_BLEU_ZH,
    ATTN_BLEU_CHAR,
} attn_bleu_tokenizer;

typedef struct attn_bleu {
    double score;        /* 0 .. 100 */
    double precision[4]; /* 0 .. 100, n-gram order 1 .. 4 */
    double brevity_penalty;
    int64_t hypothesis_length, reference_length; /* in tokens */
    char signature[128]; /* "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.x.y" */
} attn_bleu;

typedef struct attn_chrf {
    double score; /* chrF2, 0 .. 100 */
    char signature[128];
} attn_chrf;

/* "13a", "none", "zh", "char"; ATTN_ERR_ARGUMENT for anything else. */
ATTN_MUST_CHECK attn_status attn_bleu_tokenizer_parse(const char *name, attn_bleu_tokenizer *out,
                                                      attn_error *error);
/* Corpus BLEU-4 with exponential smoothing (sacreBLEU's default), one reference a line. smooth =
 * 0 is unsmoothed ("smooth:none"). lowercase = 1 is "case:lc". */
ATTN_MUST_CHECK attn_status attn_bleu_compute(const char *const *hypotheses,
                                              const char *const *references, size_t count,
                                              attn_bleu_tokenizer tokenizer, int lowercase,
                                              int smooth, attn_bleu *out, attn_error *error);
ATTN_MUST_CHECK attn_status attn_chrf_compute(const char *const *hypotheses,
                                              const char *const *references, size_t count,
                                              attn_chrf *out, attn_error *error);

#endif

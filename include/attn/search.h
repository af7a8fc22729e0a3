/* attn/search.h: greedy search, beam search and sampling, from a source sentence to target
 * sentences.
 *
 * Dimension letters: S source ids (</s> counted), T target ids (</s> not counted).
 * The result of a sentence is bit-identical whatever else is in the batch, and with any number of
 * threads. */
#ifndef ATTN_SEARCH_H
#define ATTN_SEARCH_H

#include "attn/translator.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialize it with attn_search_options_init. */
typedef struct attn_search_options {
    size_t size;           /* of this struct, set by the init */
    int64_t beam;          /* width, 1 .. 256; 1 is greedy search */
    int64_t n_best;        /* hypotheses per sentence, 1 .. beam; with `sample`: 1 .. 256 draws */
    double length_penalty; /* A in score = (sum of log p) / (T + 1)^A */
    bool sample;           /* sample each token instead of searching */
    double temperature;    /* above 0: draws from p^(1 / temperature) */
    int64_t top_k;         /* sample from the k likeliest tokens; 0: from all */
    uint64_t seed;
    int64_t max_length; /* most target ids; 0: the limit of the model */
    bool length_guard;  /* at most 2 S + 20 target ids */
    /* Forbids the fourth consecutive repetition of the same 1 to 4 ids. Where the source itself
     * repeats something more often, that many repetitions are allowed. This ends loops but keeps
     * "no no no no no". */
    bool repeat_guard;
    bool attention;                 /* fill attn_hypothesis.attention */
    int32_t start_token, end_token; /* <s> and </s> */
    int32_t forbidden_below;        /* ids below this, and <s>, are never output */
    /* NULL, or called on the calling thread after each step for each unfinished sentence, with the
     * ids of the hypothesis that is likeliest at that point. Unless beam is 1, later ones may begin
     * differently. */
    void (*progress)(void *context, int64_t sentence, const int32_t *ids, int64_t count);
    void *progress_context;
    const attn_shortlist *shortlist; /* the words to consider; NULL: all */
    /* NULL, or asked before each step about each unfinished sentence, on any of the searching threads: true gives the
     * sentence up, which then has no hypotheses. The results of the others do not change. */
    bool (*given_up)(void *context, int64_t sentence);
    void *given_up_context;
    /* Read after start_token, before the first word that is chosen: the language that is wanted, of models that are told so
     * there. No part of a hypothesis. 0: none. */
    int32_t first_token;
} attn_search_options;

/* Beam 4, one hypothesis, length penalty 1, both guards on, the ids of attn's tokenizer. */
ATTN_API void attn_search_options_init_sized(attn_search_options *options, size_t size);
static inline void attn_search_options_init(attn_search_options *options) {
    attn_search_options_init_sized(options, sizeof *options);
}

typedef struct attn_hypothesis {
    int32_t *ids;                     /* [T], without </s> */
    int64_t length;                   /* T */
    double score;                     /* normalized by length_penalty */
    double log_probability;           /* the sum, </s> included */
    attn_real *token_log_probability; /* [T + 1], that of </s> last */
    /* [T + 1, S] or NULL: where each token comes from, as attn_translator_step says; of an alignment head, which
     * looks for a token once it is read, each row is from the step after. */
    attn_real *attention;
    int64_t source_length; /* S */
    bool cut;              /* ended by the length limit, not by the model */
} attn_hypothesis;

/* One sentence's hypotheses, best first (with equal scores, the one found first). Samples come in
 * the order in which they were drawn. */
typedef struct attn_search_result {
    attn_hypothesis *hypotheses;
    int64_t count;
} attn_search_result;

/* Translates `count` sentences (ids with </s>, sentence s is source[starts[s] .. starts[s + 1])).
 *
 * Beam search (fairseq's rule): the best 2 x beam continuations of a sentence are ranked by the sum
 * of log p, equal ones by lower row, then lower id. </s> among the first `beam` of them finishes a
 * hypothesis, the best `beam` others continue; the sentence is done as soon as `beam` hypotheses
 * are finished, or at the length limit, where only </s> may follow. Finished sentences leave the
 * batch.
 *
 * Sampling: draw d of sentence s depends only on seed, streams[s] (NULL: s) and d.
 *
 * results: [count], filled here; release it with attn_search_results_free, also after an error.
 * ATTN_ERR_ARGUMENT: an option out of range, a sentence that does not fit the model, a model that
 * is not packed (attn_translator_pack).
 * ATTN_ERR_MEMORY. ATTN_ERR_NUMERIC: the model's scores are NaN. The model is only read, so threads
 * may share it. */
ATTN_API ATTN_MUST_CHECK attn_status attn_search(const attn_translator *model, int64_t count,
                                                 const int32_t *source, const int64_t *starts,
                                                 const uint64_t *streams,
                                                 const attn_search_options *options,
                                                 attn_search_result *results, attn_error *error);
ATTN_API void attn_search_results_free(attn_search_result *results, int64_t count);

/* The score of a hypothesis: sum / length^length_penalty; length counts </s>. */
ATTN_API double attn_search_normalize(double sum, int64_t length, double length_penalty);

#ifdef __cplusplus
}
#endif
#endif

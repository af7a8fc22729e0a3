/* attn/generate.h: going on with texts: greedy or sampled continuations of a decoder (attn/decoder.h).
 *
 * Dimension letter: T ids of a continuation. A continuation is bit-identical whatever other texts are in the batch, and with
 * any number of threads. */
#ifndef ATTN_GENERATE_H
#define ATTN_GENERATE_H

#include "attn/decoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialize it with attn_generate_options_init. */
typedef struct attn_generate_options {
    size_t size;        /* of this struct, set by the init */
    int64_t max_tokens; /* most ids of a continuation; 0: as many as the model has places for */
    bool sample;        /* draw each token; else take the likeliest, of equal ones the lowest id */
    double temperature; /* above 0: draws from p^(1 / temperature) */
    int64_t top_k;      /* sample from the k likeliest tokens; 0: from all */
    uint64_t seed;
} attn_generate_options;

/* Greedy, without a limit of its own; temperature 1. */
ATTN_API void attn_generate_options_init_sized(attn_generate_options *options, size_t size);
static inline void attn_generate_options_init(attn_generate_options *options) {
    attn_generate_options_init_sized(options, sizeof *options);
}

typedef struct attn_continuation {
    int32_t *ids;                     /* [T], without the token that ends a text */
    int64_t length;                   /* T */
    bool ended;                       /* by that token; else by a limit */
    attn_real *token_log_probability; /* [T], and of an ended one that of its end behind them */
    double log_probability;           /* the sum */
} attn_continuation;

/* Goes on with `count` texts: text i is ids[starts[i] .. starts[i + 1]), what stands in front of every text included, so at least
 * one id. Text and continuation have together at most the model's max_length. The draws for text i depend only on the seed and
 * streams[i] (NULL: i).
 * continuations: [count], filled here; release them with attn_continuations_free, also after an error.
 * ATTN_ERR_ARGUMENT: an option out of range, a text that is empty or does not fit the model, a model that is not packed
 * (attn_decoder_pack); where it is about one text, the error's position is its number, from 1. ATTN_ERR_MEMORY. ATTN_ERR_NUMERIC: the
 * model's scores are NaN. The model is only read, so threads may share it. */
ATTN_API ATTN_MUST_CHECK attn_status attn_generate(const attn_decoder *model, int64_t count,
                                                   const int32_t *ids, const int64_t *starts,
                                                   const uint64_t *streams,
                                                   const attn_generate_options *options,
                                                   attn_continuation *continuations,
                                                   attn_error *error);
ATTN_API void attn_continuations_free(attn_continuation *continuations, int64_t count);

#ifdef __cplusplus
}
#endif
#endif

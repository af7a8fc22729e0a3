/* pipeline/batch.h: sentences of whoever asks, searched together within a bound of memory.
 *
 * What a sentence becomes does not depend on what it was searched with (attn/search.h). Next:
 * translation.h, which makes the sentences of texts. */
#ifndef ATTN_PIPELINE_BATCH_H
#define ATTN_PIPELINE_BATCH_H

#include "attn/search.h"
#include "pipeline/model.h"

/* What the model reads at once. */
typedef struct attn_sentence {
    int32_t *ids;   /* with </s>; fits the model */
    int64_t length; /* with </s> */
    const attn_search_options *search;
    uint64_t stream; /* of random numbers, when sampling */
    attn_search_result result;
} attn_sentence;

/* Whoever follows a batch; sentences are counted from 0 in it. Each may be NULL. */
typedef struct attn_batch_watch {
    /* Called after each step with what the sentence reads so far. */
    void (*progress)(void *context, int64_t sentence, const int32_t *ids, int64_t count);
    /* As in attn/search.h: a sentence given up has a result without hypotheses. */
    bool (*given_up)(void *context, int64_t sentence);
    void *context;
} attn_batch_watch;

/* Whether two sentences may be searched together. */
bool attn_batch_alike(const attn_sentence *a, const attn_sentence *b);
/* Whether `count` sentences of at most `longest` ids, searched so, keep within the memory for a batch. */
bool attn_batch_fits(const attn_model *model, const attn_search_options *search, int64_t count,
                     int64_t longest);
/* Searches sentences that are alike and fit; their results are set. watch: NULL: nobody. Errors as those of
 * attn_search; then no result is set. */
ATTN_MUST_CHECK attn_status attn_batch_search(const attn_model *model,
                                              attn_sentence *const *sentences, int64_t count,
                                              const attn_batch_watch *watch, attn_error *error);

typedef struct attn_batch_options {
    int64_t batch;                                   /* sentences that a thread has at once */
    void (*progress)(void *context, size_t sentence, /* NULL: none */
                     const int32_t *ids, int64_t count);
    void *context;
} attn_batch_options;

/* Searches all of one caller's sentences, those of like length together. */
ATTN_MUST_CHECK attn_status attn_batch_search_all(const attn_model *model, attn_sentence *sentences,
                                                  size_t count, const attn_batch_options *options,
                                                  attn_error *error);

#endif

/* train/learner.h: one update of the weights, and the loss over a corpus.
 *
 *     g = gradient of (sum of smoothed losses of all target tokens of the update) / their number
 *     g = g * clip / |g| when |g| > clip;    then Adam
 *
 * N target tokens of an update, over all its batches. Next: train/trainer.h. */
#ifndef ATTN_TRAIN_LEARNER_H
#define ATTN_TRAIN_LEARNER_H

#include "attn/translator.h"
#include "base/memory.h"
#include "text/batches.h"
#include "train/options.h"

typedef struct attn_learner {
    const attn_train_options *options;
    attn_translator *model;
    attn_params *params;
    int64_t size;
    float *adam_m, *adam_v; /* [size] */
    attn_tape *tape;
    attn_scratch ids; /* of the batch at hand */
} attn_learner;

typedef struct attn_learned {
    double loss, nll; /* sums over the target tokens, smoothed and plain */
    int64_t tokens;   /* N */
    double gradient_norm;
    bool skipped; /* loss or gradient was not finite: nothing changed */
} attn_learned;

/* The model with its parameters drawn from options->seed; options must outlive the learner. */
ATTN_MUST_CHECK attn_status attn_learner_create(const attn_train_options *options,
                                                int64_t vocabulary, attn_learner *out,
                                                attn_error *error);
void attn_learner_free(attn_learner *learner);

/* One update from batches first .. first + count - 1. key: of the first batch's random numbers, the
 * others take the next ones. update: 1 for the first one that counts for Adam. */
ATTN_MUST_CHECK attn_status attn_learner_update(attn_learner *learner, const attn_corpus *corpus,
                                                const attn_batches *batches, int64_t first,
                                                int64_t count, uint64_t key, double learning_rate,
                                                int64_t update, attn_learned *out,
                                                attn_error *error);
/* The loss over all the batches, without dropout and without learning. */
ATTN_MUST_CHECK attn_status attn_learner_loss(attn_learner *learner, const attn_corpus *corpus,
                                              const attn_batches *batches, attn_learned *out,
                                              attn_error *error);

#endif

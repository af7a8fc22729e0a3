/* train/learner.h: one update of the weights.
 *
 *     g = gradient of (sum of the losses of all units of the update) / their number
 *
 * as of one batch that holds all of them, however many batches they are in;
 *     then a step of the optimizer (attn/optimizer.h)
 *
 * Next: train/trainer.h. */
#ifndef ATTN_TRAIN_LEARNER_H
#define ATTN_TRAIN_LEARNER_H

#include "train/options.h"
#include "train/shards.h"

typedef struct attn_learner {
    const attn_train_options *options;
    const attn_task *task;
    int64_t size; /* of the parameters that are not frozen */
    attn_optimizer *optimizer;
    attn_shards *shards; /* of the caller; NULL: the batches are not divided */
} attn_learner;

typedef struct attn_learned {
    attn_task_loss sums;
    double gradient_norm;
    bool skipped; /* loss or gradient was not finite: nothing changed */
} attn_learned;

/* Options and task must outlive the learner. */
ATTN_MUST_CHECK attn_status attn_learner_create(const attn_train_options *options,
                                                const attn_task *task, attn_learner *out,
                                                attn_error *error);
void attn_learner_free(attn_learner *learner);

/* One update from batches first .. first + count - 1. key: of the first batch's random numbers, the
 * others take the next ones. */
ATTN_MUST_CHECK attn_status attn_learner_update(attn_learner *learner, int64_t first, int64_t count,
                                                uint64_t key, attn_learned *out, attn_error *error);

#endif

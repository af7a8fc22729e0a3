/* train/learner.c: from batches to a gradient to new weights. */
#include "train/learner.h"

#include <math.h>

#include "train/schedule.h"

attn_status attn_learner_create(const attn_train_options *options, const attn_task *task,
                                attn_learner *out, attn_error *error) {
    attn_optimizer_options optimizer = attn_train_optimizer(options);
    *out =
        (attn_learner){.options = options, .task = task, .size = attn_params_trained(task->params)};
    return attn_optimizer_create(&optimizer, task->params, &out->optimizer, error);
}

void attn_learner_free(attn_learner *learner) {
    attn_optimizer_free(learner->optimizer);
    *learner = (attn_learner){.options = NULL};
}

/* The batches one after another, in the gradient itself. */
static attn_status sum_batches(const attn_learner *learner, int64_t first, int64_t count,
                               uint64_t key, attn_task_loss *sums, attn_error *error) {
    const attn_task *task = learner->task;
    int64_t units = task->units(task->self, first, count);
    attn_status status = ATTN_OK;
    *sums = (attn_task_loss){.units = units};
    attn_params_zero_grad(task->params);
    for (int64_t i = 0; i < count && status == ATTN_OK; i++) {
        status =
            task->accumulate(task->self, first + i, first + i + 1, (uint64_t)learner->options->seed,
                             key + (uint64_t)i, units, sums, error);
    }
    return status;
}

attn_status attn_learner_update(attn_learner *learner, int64_t first, int64_t count, uint64_t key,
                                attn_learned *out, attn_error *error) {
    const attn_task *task = learner->task;
    *out = (attn_learned){.skipped = false};
    attn_status status =
        learner->shards != NULL
            ? attn_shards_sum(learner->shards, first, count, (uint64_t)learner->options->seed, key,
                              &out->sums, error)
            : sum_batches(learner, first, count, key, &out->sums, error);
    if (status != ATTN_OK) {
        return status;
    }
    if (task->conclude != NULL) {
        task->conclude(task->self, out->sums.units, &out->sums);
    }
    if (isfinite(out->sums.loss)) {
        status = attn_optimizer_step(learner->optimizer, &out->gradient_norm, error);
        out->skipped = status == ATTN_ERR_NUMERIC;
        return out->skipped ? ATTN_OK : status;
    }
    out->gradient_norm = attn_optimizer_skip(learner->optimizer);
    out->skipped = true;
    return ATTN_OK;
}

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

attn_status attn_learner_update(attn_learner *learner, int64_t first, int64_t count, uint64_t key,
                                attn_learned *out, attn_error *error) {
    const attn_task *task = learner->task;
    int64_t units = task->units(task->self, first, count);
    *out = (attn_learned){.sums = {.units = units}};
    attn_params_zero_grad(task->params);
    for (int64_t i = 0; i < count; i++) {
        attn_status status =
            task->accumulate(task->self, first + i, (uint64_t)learner->options->seed,
                             key + (uint64_t)i, units, &out->sums, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    if (task->conclude != NULL) {
        task->conclude(task->self, units, &out->sums);
    }
    if (isfinite(out->sums.loss)) {
        attn_status status = attn_optimizer_step(learner->optimizer, &out->gradient_norm, error);
        out->skipped = status == ATTN_ERR_NUMERIC;
        return out->skipped ? ATTN_OK : status;
    }
    out->gradient_norm = attn_optimizer_skip(learner->optimizer);
    out->skipped = true;
    return ATTN_OK;
}

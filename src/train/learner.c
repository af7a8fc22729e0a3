/* train/learner.c: from batches to a gradient to new weights. */
#include "train/learner.h"

#include <math.h>

#include "base/fail.h"
#include "base/memory.h"
#include "kernels/optimizer/optimizer.h"

attn_status attn_learner_create(const attn_train_options *options, const attn_task *task,
                                attn_learner *out, attn_error *error) {
    *out = (attn_learner){.options = options, .task = task, .size = attn_params_size(task->params)};
    out->adam_m = attn_alloc_zero((size_t)out->size, sizeof(float));
    out->adam_v = attn_alloc_zero((size_t)out->size, sizeof(float));
    if (out->adam_m == NULL || out->adam_v == NULL) {
        attn_learner_free(out);
        return attn_fail_memory(error, 2 * (size_t)out->size * sizeof(float));
    }
    return ATTN_OK;
}

void attn_learner_free(attn_learner *learner) {
    attn_free(learner->adam_m);
    attn_free(learner->adam_v);
    *learner = (attn_learner){.options = NULL};
}

static void apply(attn_learner *learner, double learning_rate, int64_t update,
                  double gradient_norm) {
    const attn_train_options *options = learner->options;
    attn_params *params = learner->task->params;
    attn_adam adam = {
        .learning_rate = (attn_real)learning_rate,
        .beta1 = (attn_real)options->adam_beta1,
        .beta2 = (attn_real)options->adam_beta2,
        .epsilon = (attn_real)options->adam_epsilon,
        .weight_decay = (attn_real)options->weight_decay,
        .step = update,
    };
    double scale = 1.0;
    if (options->clip_norm > 0 && gradient_norm > options->clip_norm) {
        scale = options->clip_norm / gradient_norm;
    }
    attn_adam_update(learner->size, &adam, (attn_real)scale, attn_params_grad(params),
                     learner->adam_m, learner->adam_v, attn_params_data(params));
}

attn_status attn_learner_update(attn_learner *learner, int64_t first, int64_t count, uint64_t key,
                                double learning_rate, int64_t update, attn_learned *out,
                                attn_error *error) {
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
    double squares = attn_sum_squares(learner->size, attn_params_grad(task->params));
    out->gradient_norm = sqrt(squares);
    out->skipped = !isfinite(out->gradient_norm) || !isfinite(out->sums.loss);
    if (!out->skipped) {
        apply(learner, learning_rate, update, out->gradient_norm);
    }
    return ATTN_OK;
}

/* train/learner.c: from sentence pairs to a gradient to new weights. */
#include "train/learner.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "kernels/optimizer/optimizer.h"
#include "text/tokenizer.h"

attn_status attn_learner_create(const attn_train_options *options, int64_t vocabulary,
                                attn_learner *out, attn_error *error) {
    *out = (attn_learner){.options = options};
    attn_translator_config config;
    attn_train_options_config(options, vocabulary, &config);
    attn_status status = attn_translator_create(&config, true, &out->model, error);
    if (status != ATTN_OK) {
        return status;
    }
    out->params = attn_translator_params(out->model);
    out->size = attn_params_size(out->params);
    out->adam_m = attn_alloc_zero((size_t)out->size, sizeof(float));
    out->adam_v = attn_alloc_zero((size_t)out->size, sizeof(float));
    status = attn_tape_create(&out->tape);
    if (out->adam_m == NULL || out->adam_v == NULL || status != ATTN_OK) {
        attn_learner_free(out);
        return attn_fail_memory(error, 2 * (size_t)out->size * sizeof(float));
    }
    attn_params_init(out->params, (uint64_t)options->seed);
    return ATTN_OK;
}

void attn_learner_free(attn_learner *learner) {
    attn_tape_free(learner->tape);
    attn_scratch_free(&learner->ids);
    attn_free(learner->adam_m);
    attn_free(learner->adam_v);
    attn_translator_free(learner->model);
    *learner = (attn_learner){0};
}

/* ---- batches ---- */

static int64_t length_of(const int64_t *start, int64_t pair) {
    return start[pair + 1] - start[pair];
}

static int64_t target_tokens(const attn_corpus *corpus, const attn_batches *batches, int64_t first,
                             int64_t count) {
    int64_t tokens = 0;
    for (int64_t i = batches->start[first]; i < batches->start[first + count]; i++) {
        tokens += length_of(corpus->target_start, batches->pair[i]) + 1;
    }
    return tokens;
}

static int64_t source_tokens(const attn_corpus *corpus, const attn_batches *batches,
                             int64_t index) {
    int64_t tokens = 0;
    for (int64_t i = batches->start[index]; i < batches->start[index + 1]; i++) {
        tokens += length_of(corpus->source_start, batches->pair[i]) + 1;
    }
    return tokens;
}

/* Batch `index`, its ids laid out in the learner's scratch memory until the next call. */
static attn_status gather(attn_learner *learner, const attn_corpus *corpus,
                          const attn_batches *batches, int64_t index, attn_translator_batch *out,
                          attn_error *error) {
    int64_t count = batches->start[index + 1] - batches->start[index];
    size_t sources = (size_t)source_tokens(corpus, batches, index);
    size_t targets = (size_t)target_tokens(corpus, batches, index, 1);
    size_t starts = 2 * ((size_t)count + 1) * sizeof(int64_t);
    size_t bytes = starts + (sources + 2 * targets) * sizeof(int32_t);
    char *memory = attn_scratch_get(&learner->ids, bytes);
    if (memory == NULL) {
        return attn_fail_memory(error, bytes);
    }
    int64_t *source_starts = (int64_t *)memory, *target_starts = source_starts + count + 1;
    int32_t *source = (int32_t *)(memory + starts);
    int32_t *input = source + sources, *output = input + targets;
    source_starts[0] = target_starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t pair = batches->pair[batches->start[index] + i];
        int64_t source_length = length_of(corpus->source_start, pair);
        int64_t target_length = length_of(corpus->target_start, pair);
        int32_t *to = source + source_starts[i];
        memcpy(to, corpus->source + corpus->source_start[pair], (size_t)source_length * sizeof *to);
        to[source_length] = ATTN_EOS;
        const int32_t *target = corpus->target + corpus->target_start[pair];
        input[target_starts[i]] = ATTN_BOS;
        memcpy(input + target_starts[i] + 1, target, (size_t)target_length * sizeof *input);
        memcpy(output + target_starts[i], target, (size_t)target_length * sizeof *output);
        output[target_starts[i] + target_length] = ATTN_EOS;
        source_starts[i + 1] = source_starts[i] + source_length + 1;
        target_starts[i + 1] = target_starts[i] + target_length + 1;
    }
    *out = (attn_translator_batch){count, source, source_starts, input, output, target_starts};
    return ATTN_OK;
}

/* ---- learning ---- */

static attn_status pass_failed(attn_status status, attn_error *error) {
    return attn_fail(error, status, "training", -1,
                     status == ATTN_ERR_MEMORY ? "set batch_tokens to less, accumulate to more"
                                               : NULL,
                     "%s while computing the loss", attn_status_name(status));
}

static attn_status accumulate(attn_learner *learner, const attn_corpus *corpus,
                              const attn_batches *batches, int64_t index, uint64_t key,
                              attn_learned *out, attn_error *error) {
    attn_translator_batch batch;
    attn_status status = gather(learner, corpus, batches, index, &batch, error);
    if (status != ATTN_OK) {
        return status;
    }
    attn_tape_begin(learner->tape, true, (uint64_t)learner->options->seed, key);
    status = attn_translator_loss(learner->model, learner->tape, &batch,
                                  (attn_real)(1.0 / (double)out->tokens), &out->loss, &out->nll);
    if (status == ATTN_OK) {
        status = attn_tape_backward(learner->tape);
    }
    return status == ATTN_OK ? ATTN_OK : pass_failed(status, error);
}

static void apply(attn_learner *learner, double learning_rate, int64_t update,
                  double gradient_norm) {
    const attn_train_options *options = learner->options;
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
    attn_adam_update(learner->size, &adam, (attn_real)scale, attn_params_grad(learner->params),
                     learner->adam_m, learner->adam_v, attn_params_data(learner->params));
}

attn_status attn_learner_update(attn_learner *learner, const attn_corpus *corpus,
                                const attn_batches *batches, int64_t first, int64_t count,
                                uint64_t key, double learning_rate, int64_t update,
                                attn_learned *out, attn_error *error) {
    *out = (attn_learned){.tokens = target_tokens(corpus, batches, first, count)};
    attn_params_zero_grad(learner->params);
    for (int64_t i = 0; i < count; i++) {
        attn_status status =
            accumulate(learner, corpus, batches, first + i, key + (uint64_t)i, out, error);
        if (status != ATTN_OK) {
            return status;
        }
    }
    double squares = attn_sum_squares(learner->size, attn_params_grad(learner->params));
    out->gradient_norm = sqrt(squares);
    out->skipped = !isfinite(out->gradient_norm) || !isfinite(out->loss);
    if (!out->skipped) {
        apply(learner, learning_rate, update, out->gradient_norm);
    }
    return ATTN_OK;
}

attn_status attn_learner_loss(attn_learner *learner, const attn_corpus *corpus,
                              const attn_batches *batches, attn_learned *out, attn_error *error) {
    *out = (attn_learned){.tokens = target_tokens(corpus, batches, 0, batches->count)};
    attn_status status =
        attn_translator_pack(learner->model, ATTN_COMPUTE_F32); /* once for all the batches */
    if (status != ATTN_OK) {
        return pass_failed(status, error);
    }
    for (int64_t i = 0; i < batches->count; i++) {
        attn_translator_batch batch;
        status = gather(learner, corpus, batches, i, &batch, error);
        if (status != ATTN_OK) {
            return status;
        }
        attn_tape_begin(learner->tape, false, 0, 0);
        status =
            attn_translator_loss(learner->model, learner->tape, &batch, 0, &out->loss, &out->nll);
        if (status != ATTN_OK) {
            return pass_failed(status, error);
        }
    }
    return ATTN_OK;
}

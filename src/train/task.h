/* train/task.h: what the training loop knows of a model and its data: a table of functions.
 *
 * A task has examples; an epoch is a number of batches of them; what losses are means over is counted
 * in units: target tokens, pixels. Implementations: translator_task.h. Next: train/learner.h. */
#ifndef ATTN_TRAIN_TASK_H
#define ATTN_TRAIN_TASK_H

#include "attn/safetensors.h"
#include "attn/tape.h"
#include "attn/translator.h"

/* Sums over `units`: the loss that is learned from, and the plain negative log-likelihood. */
typedef struct attn_task_loss {
    double loss, nll;
    int64_t units;
    double weight; /* of what counted, where `conclude` needs it; else 0 */
} attn_task_loss;

typedef struct attn_task {
    void *self;                     /* handed to the functions */
    const char *unit, *example;     /* in the plural: "tokens", "pairs" */
    const char *score, *score_name; /* of validation, higher is better: "bleu", "BLEU" */
    bool perplexity;                /* exp(nll / units) means something to people */
    attn_params *params;            /* of the model, gradients among them */
    attn_tape *tape;                /* that passes are recorded on */
    uint64_t data_hash;             /* of all that is trained on */
    int64_t examples;
    const void *tokenizer; /* kept in checkpoints and models; NULL: none */
    size_t tokenizer_size;

    /* Makes the batches of an epoch, a function of (seed, epoch) alone, unless they are there. */
    attn_status (*begin_epoch)(void *self, uint64_t seed, int64_t epoch, int64_t *batches,
                               attn_error *error);
    int64_t (*units)(void *self, int64_t first_batch, int64_t count);
    /* Adds the gradient of (sum of losses of the batch) / units, and the sums themselves to *out. Random
     * numbers are a function of (seed, key). next: the batch that will probably be asked for after this one. */
    attn_status (*accumulate)(void *self, int64_t batch, int64_t next, uint64_t seed, uint64_t key,
                              int64_t units, attn_task_loss *out, attn_error *error);
    /* After the last batch of an update: makes gradient and sums those of one batch that holds all its
     * examples, where what they are means over is known only now. NULL: they are that already. What it does
     * depends on its arguments alone, and the options. */
    void (*conclude)(void *self, int64_t units, attn_task_loss *out);
    /* The sums over all of the validation data, without dropout and without learning. */
    attn_status (*validate)(void *self, attn_task_loss *out, attn_error *error);
    /* *score stays as it is when there is nothing to score. */
    attn_status (*measure)(void *self, double *score, attn_error *error);
    attn_status (*save)(void *self, attn_storage storage, const attn_metadata *facts, size_t count,
                        const char *path, attn_error *error);
} attn_task;

#endif

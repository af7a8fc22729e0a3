/* train/translator_task.h: a translator and its sentence pairs, for the training loop.
 *
 * Units are target tokens, </s> counted; the score is BLEU of the validation sentences. */
#ifndef ATTN_TRAIN_TRANSLATOR_TASK_H
#define ATTN_TRAIN_TRANSLATOR_TASK_H

#include "align/bitext.h"
#include "base/memory.h"
#include "text/batches.h"
#include "train/task.h"
#include "train/translator_data.h"

typedef struct attn_translator_task {
    attn_task task;
    const attn_translator_recipe *recipe;
    const attn_translator_data *data;
    attn_translator *model;
    attn_corpus_variation variation;
    attn_corpus varied; /* the pairs of the epoch under way, when they vary */
    attn_batches train; /* of that epoch; pair NULL: not made yet */
    int64_t epoch;
    attn_batches valid;
    attn_link_set links; /* of the epoch's pairs, for the guided head */
    attn_scratch ids;    /* of the batch at hand */
    attn_scratch aims;   /* what the guided head should look at in it */
} attn_translator_task;

/* The model with its parameters drawn from the recipe's seed. vocabulary 0: the tokenizer's size.
 * Recipe and data must outlive the task. The task must not be moved. */
ATTN_MUST_CHECK attn_status attn_translator_task_create(const attn_translator_recipe *recipe,
                                                        const attn_translator_data *data,
                                                        int64_t vocabulary,
                                                        attn_translator_task *out,
                                                        attn_error *error);
void attn_translator_task_free(attn_translator_task *task);

#endif

/* train/segmenter_task.h: a segmenter and its pictures, for the training loop.
 *
 * Units are pixels, those left out counted too: the loss of an update is the mean over the pixels of
 * all its batches that count, by their class weights, times its area. Validation sees whole pictures; its loss is the plain negative
 * log-likelihood, its score mIoU over all of them, in percent. */
#ifndef ATTN_TRAIN_SEGMENTER_TASK_H
#define ATTN_TRAIN_SEGMENTER_TASK_H

#include "image/confusion.h"
#include "train/segmenter_loader.h"
#include "train/task.h"

typedef struct attn_segmenter_task {
    attn_task task;
    const attn_segmenter_recipe *recipe;
    const attn_segmenter_data *data;
    attn_segmenter *model;
    attn_segmenter_loader *loader;
    attn_confusion confusion; /* of the last validation */
    uint8_t *predicted;       /* of one picture */
    attn_real *probabilities;
    double share; /* what its losses were multiplied by so far; 0: no pixel counted yet */
} attn_segmenter_task;

/* The model with its parameters drawn from the recipe's seed. Recipe and data must outlive the task,
 * which must not be moved. */
ATTN_MUST_CHECK attn_status attn_segmenter_task_create(const attn_segmenter_recipe *recipe,
                                                       const attn_segmenter_data *data,
                                                       attn_segmenter_task *out, attn_error *error);
void attn_segmenter_task_free(attn_segmenter_task *task);

#endif

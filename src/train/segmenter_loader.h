/* train/segmenter_loader.h: batches of pictures, decoded and varied beside the training step.
 *
 * A thread of its own prepares the batch after the one in use. What is in a batch is a function of
 * (seed, epoch, batch) alone. B pictures of a batch, H x W the recipe's crop. */
#ifndef ATTN_TRAIN_SEGMENTER_LOADER_H
#define ATTN_TRAIN_SEGMENTER_LOADER_H

#include "train/segmenter_data.h"

typedef struct attn_segmenter_loader attn_segmenter_loader;

/* Data and recipe must outlive it. */
ATTN_MUST_CHECK attn_status attn_segmenter_loader_create(const attn_segmenter_data *data,
                                                         const attn_segmenter_recipe *recipe,
                                                         attn_segmenter_loader **out,
                                                         attn_error *error);
void attn_segmenter_loader_free(attn_segmenter_loader *loader);

/* Shuffles the pictures into batches of B; those left over are left out of this epoch, unless there
 * are fewer than B in all. Returns the number of batches. */
int64_t attn_segmenter_loader_begin(attn_segmenter_loader *loader, uint64_t seed, int64_t epoch);
/* Pictures of a batch: B, or all when there are fewer. */
int64_t attn_segmenter_loader_pictures(const attn_segmenter_loader *loader);
/* Batch `index`, valid until the next call; batch `next`, where there is one, is begun. A file that changed or went
 * since the training began is an error here. */
ATTN_MUST_CHECK attn_status attn_segmenter_loader_get(attn_segmenter_loader *loader, int64_t index,
                                                      int64_t next, attn_segmenter_batch *out,
                                                      attn_error *error);

#endif

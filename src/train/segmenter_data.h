/* train/segmenter_data.h: the pictures and masks that a segmenter trains on and is judged by.
 *
 * Files are decoded when they are needed, by whoever prepares a batch; only their names and what all
 * of them together say (classes, pixels of each, a hash) stay in memory. Next:
 * train/segmenter_loader.h. */
#ifndef ATTN_TRAIN_SEGMENTER_DATA_H
#define ATTN_TRAIN_SEGMENTER_DATA_H

#include "image/mask.h"
#include "image/pairs.h"
#include "train/segmenter_recipe.h"

typedef struct attn_segmenter_files {
    const char *images, *masks;             /* folders; or a list file as images and masks NULL */
    const char *valid_images, *valid_masks; /* the same; all NULL: hold out a part */
    const char *classes;
    int ignore;                  /* of the masks */
    attn_mask_options masks_are; /* how masks are to be read */
} attn_segmenter_files;

typedef struct attn_segmenter_data {
    attn_classes classes;
    char *classes_text; /* for the model file */
    attn_mask_options mask_options;
    attn_pairs train, valid;
    bool held_out;      /* valid comes from the training files */
    int64_t largest;    /* pixels of the largest picture of validation, reduced */
    attn_real *weights; /* of the classes, by the recipe's balance; NULL: none */
    uint64_t hash;      /* of the training pictures and masks */
} attn_segmenter_data;

/* Reads every file once: all errors show before the training begins. Without validation files one
 * picture in ten, the last ones in the order of their names, is held out: neighbours in a video look
 * alike, and scattered ones would flatter. */
ATTN_MUST_CHECK attn_status attn_segmenter_data_read(const attn_segmenter_files *files,
                                                     const attn_segmenter_recipe *recipe,
                                                     attn_segmenter_data *out, attn_error *error);
void attn_segmenter_data_free(attn_segmenter_data *data);

/* Picture and mask number `index` of train or valid, shrunk by `reduce`; labels that count nowhere are
 * ATTN_IGNORE_LABEL. Thread-safe. */
ATTN_MUST_CHECK attn_status attn_segmenter_data_load(const attn_segmenter_data *data,
                                                     const attn_pairs *pairs, int64_t index,
                                                     int64_t reduce, attn_picture *picture,
                                                     attn_mask *mask, attn_error *error);

#endif

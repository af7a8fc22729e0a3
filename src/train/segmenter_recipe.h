/* train/segmenter_recipe.h: every knob of a segmenter's training.
 *
 * The defaults are the CamVid-sized model of attn/segmenter.h. Next: train/segmenter_task.h. */
#ifndef ATTN_TRAIN_SEGMENTER_RECIPE_H
#define ATTN_TRAIN_SEGMENTER_RECIPE_H

#include "attn/segmenter.h"
#include "train/options.h"

typedef struct attn_segmenter_recipe {
    /* the model: attn_segmenter_config */
    int64_t width_2, width_4, d_model, units_4, units_8, blocks, heads, ffn, window, shrink;
    int mixer, activation, norm;
    /* regularization */
    double dropout, attention_dropout, label_smoothing, stochastic_depth;
    /* pictures: reduce shrinks them all by a whole number first; then what training varies */
    int64_t reduce, batch_pictures, crop_width, crop_height;
    double scale_low, scale_high, flip, brightness, contrast, saturation;
    /* class weights (median frequency / frequency)^balance, 0: none */
    double balance;
    attn_train_options train;
} attn_segmenter_recipe;

void attn_segmenter_recipe_init(attn_segmenter_recipe *recipe);
/* The recipe with its table, in the order in which help shows it. */
attn_recipe attn_segmenter_recipe_table(attn_segmenter_recipe *recipe);
ATTN_MUST_CHECK attn_status attn_segmenter_recipe_check(const attn_segmenter_recipe *recipe,
                                                        attn_error *error);
void attn_segmenter_recipe_config(const attn_segmenter_recipe *recipe, int64_t classes,
                                  attn_segmenter_config *config);

#endif

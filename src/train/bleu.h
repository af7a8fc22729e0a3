/* train/bleu.h: translating the validation lines and scoring them, while training. */
#ifndef ATTN_TRAIN_BLEU_H
#define ATTN_TRAIN_BLEU_H

#include "train/translator_data.h"

/* *score: corpus BLEU (13a, cased), or chrF where the recipe judges by it, of data->line, translated as `attn translate` would; recipe: the beam,
 * the languages, and whether the lines go to the model raw. Packs the model. */
ATTN_MUST_CHECK attn_status attn_train_bleu(attn_translator *model,
                                            const attn_translator_recipe *recipe,
                                            const attn_translator_data *data, double *score,
                                            attn_error *error);

#endif

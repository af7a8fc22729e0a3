/* train/bleu.h: translating the validation sentences and scoring them, while training. */
#ifndef ATTN_TRAIN_BLEU_H
#define ATTN_TRAIN_BLEU_H

#include "attn/translator.h"
#include "train/translator_data.h"

/* *bleu: corpus BLEU (13a, cased) of beam search over data->sentence, detokenized. */
ATTN_MUST_CHECK attn_status attn_train_bleu(attn_translator *model,
                                            const attn_translator_data *data, int64_t beam,
                                            double *bleu, attn_error *error);

#endif

/* train/translator_start.h: the model that a training starts from: attn's own, or another program's (src/import).
 *
 * It decides the network, and the tokenizer unless another one is given. Next: translator_recipe.h. */
#ifndef ATTN_TRAIN_TRANSLATOR_START_H
#define ATTN_TRAIN_TRANSLATOR_START_H

#include "attn/translator.h"

/* Copies its parameters, as far as it has them. new_words: the tables of words belong to another tokenizer and stay as they are;
 * otherwise all must be there. *taken: how many were; left: the names of the others. ATTN_ERR_SHAPE: one is missing or has another
 * shape, or none fits. */
ATTN_MUST_CHECK attn_status attn_translator_start_take(const attn_translator *start, bool new_words,
                                                       const attn_params *params, size_t *taken,
                                                       char *left, size_t left_size,
                                                       attn_error *error);

#endif

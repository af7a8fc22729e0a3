/* train/translator_start.h: the model that a training starts from: attn's own, or another program's (src/import).
 *
 * It decides the network, and the tokenizer unless another one is given. Next: translator_recipe.h. */
#ifndef ATTN_TRAIN_TRANSLATOR_START_H
#define ATTN_TRAIN_TRANSLATOR_START_H

#include "attn/tokenizer.h"
#include "attn/translator.h"

typedef struct attn_translator_start {
    attn_translator *model;
    attn_tokenizer *tokenizer;   /* NULL: the file has none */
    char source[16], target[16]; /* languages, "" where the files do not say */
    char licence[128];
} attn_translator_start;

/* What attn_translator_load and attn_import_read give. Freed with attn_translator_start_free, after a failure too. */
ATTN_MUST_CHECK attn_status attn_translator_start_open(const char *path, attn_translator_start *out,
                                                       attn_error *error);
void attn_translator_start_free(attn_translator_start *start);

/* Copies its parameters, as far as it has them. new_words: the tables of words belong to another tokenizer and stay as they are;
 * otherwise all must be there. *taken: how many were; left: the names of the others. ATTN_ERR_SHAPE: one is missing or has another
 * shape, or none fits. */
ATTN_MUST_CHECK attn_status attn_translator_start_take(const attn_translator_start *start,
                                                       bool new_words, const attn_params *params,
                                                       size_t *taken, char *left, size_t left_size,
                                                       attn_error *error);

#endif

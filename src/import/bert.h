/* import/bert.h: what the two files of an encoder's import share. Read bert.c first. */
#ifndef ATTN_IMPORT_BERT_H
#define ATTN_IMPORT_BERT_H

#include "attn/tokenizer.h"
#include "io/bundle.h"

/* The tokenizer of a folder, with its makers' own ids. model_type: of config.json. ATTN_ERR_ARGUMENT: there is none that is
 * known of such a model. */
ATTN_MUST_CHECK attn_status attn_bert_words(attn_bundle *bundle, const char *model_type,
                                            attn_tokenizer **out, attn_error *error);

#endif

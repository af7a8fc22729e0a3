/* import/bert.h: what the two files of an encoder's import share. Read bert.c first. */
#ifndef ATTN_IMPORT_BERT_H
#define ATTN_IMPORT_BERT_H

#include "attn/tokenizer.h"
#include "io/bundle.h"

/* The tokenizer of a folder, with its makers' own ids. ATTN_ERR_ARGUMENT: there is none that is known. */
ATTN_MUST_CHECK attn_status attn_bert_words(attn_bundle *bundle, attn_tokenizer **out,
                                            attn_error *error);

#endif

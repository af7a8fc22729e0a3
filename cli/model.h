/* cli/model.h: finding model files; a translator and its tokenizer, opened together. */
#ifndef ATTN_CLI_MODEL_H
#define ATTN_CLI_MODEL_H

#include "attn/translator.h"
#include "show/segmenting.h"
#include "text/tokenizer.h"

typedef struct attn_model {
    char path[4096];
    attn_translator *translator;
    attn_tokenizer *tokenizer;
    attn_shortlist *shortlist; /* NULL: none */
} attn_model;

/* Opens the model file `path`; NULL: $ATTN_MODEL, else models/en-fr.safetensors in the current
 * folder, beside the program and in the folder of installed data. The error names what was tried.
 */
ATTN_MUST_CHECK attn_status attn_model_open(const char *path, attn_compute compute, attn_model *out,
                                            attn_error *error);
/* The same, for decoding alone: attn_translator_load_packed. */
ATTN_MUST_CHECK attn_status attn_model_open_packed(const char *path, attn_compute compute,
                                                   attn_model *out, attn_error *error);
void attn_model_close(attn_model *model);
/* The same for a segmenter: NULL: $ATTN_SEGMENTER, else models/street.safetensors. Close it also
 * after a failure. */
ATTN_MUST_CHECK attn_status attn_model_open_segmenter(const char *path, attn_segmenting *out,
                                                      attn_error *error);
/* `path`; NULL: what the environment's `variable` says; else `name` in the current folder, beside the
 * program and in the folder of installed data. */
ATTN_MUST_CHECK attn_status attn_model_find(const char *path, const char *variable,
                                            const char *name, char *out, size_t size,
                                            attn_error *error);

#endif

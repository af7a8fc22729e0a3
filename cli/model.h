/* cli/model.h: the model that a command works with: the one named, or one of the places it may be. */
#ifndef ATTN_CLI_MODEL_H
#define ATTN_CLI_MODEL_H

#include "command.h"
#include "pipeline/model.h"

/* Which pair of languages, of a model that has several. */
typedef struct attn_pair_options {
    const char *from, *to;
} attn_pair_options;

/* The group of options for it. */
extern const attn_option attn_pair_table[];

/* Opens the translator `path`; NULL: $ATTN_MODEL, else models/en-fr.safetensors in the current folder,
 * beside the program and in the folder of installed data, or, where languages are asked for, the first of that folder
 * that has them. The error names what was tried, or says that
 * the file is a segmenter. Close *out also after a failure. */
ATTN_MUST_CHECK attn_status attn_translator_model_open(const char *path,
                                                       const attn_model_options *options,
                                                       attn_model **out, attn_error *error);
/* The same for a segmenter: NULL: $ATTN_SEGMENTER, else models/street.safetensors. */
ATTN_MUST_CHECK attn_status attn_segmenter_model_open(const char *path, attn_model **out,
                                                      attn_error *error);
/* The same for any model, to look at pictures with. */
ATTN_MUST_CHECK attn_status attn_picture_model_open(const char *path, attn_model **out,
                                                    attn_error *error);
/* `path`; NULL: what the environment's `variable` says; else `name` in the current folder, beside the
 * program and in the folder of installed data. */
ATTN_MUST_CHECK attn_status attn_model_find(const char *path, const char *variable,
                                            const char *name, char *out, size_t size,
                                            attn_error *error);

typedef struct attn_model_list {
    char **path;
    size_t count;
} attn_model_list;

/* The translators to work with where none is named: $ATTN_MODEL, else models/en-fr.safetensors, found as above, and the
 * other translators of its folder, by name. */
ATTN_MUST_CHECK attn_status attn_models_find(attn_model_list *out, attn_error *error);
void attn_model_list_free(attn_model_list *list);

/* ATTN_ERR_ARGUMENT where another program made what lies at the path, and attn's own file is wanted. */
ATTN_MUST_CHECK attn_status attn_model_check_own(const char *path, attn_error *error);

#endif

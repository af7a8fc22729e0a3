/* cli/encoding.h: what a user can say about vectors of text, shared by the commands that make them. */
#ifndef ATTN_CLI_ENCODING_H
#define ATTN_CLI_ENCODING_H

#include "attn/embed.h"
#include "command.h"

typedef struct attn_encoding_options {
    const char *model;
    int pooling; /* attn_embed_pooling */
    bool normalise, no_normalise, int8;
    int64_t threads;
} attn_encoding_options;

/* The group of options for them. */
extern const attn_option attn_encoding_table[];

/* Opens the encoder; NULL: $ATTN_ENCODER. pictures: one of pictures will do too. Close it also after a failure. */
ATTN_MUST_CHECK attn_status attn_encoding_open(const attn_encoding_options *options, bool pictures,
                                               attn_model **out, attn_error *error);
attn_embed_options attn_encoding_embed_options(const attn_encoding_options *options);
/* The vectors of texts, [count, vector size] in memory of attn_alloc, to be freed also after a failure. */
ATTN_MUST_CHECK attn_status attn_encoding_texts(const attn_model *model,
                                                const attn_encoding_options *options,
                                                char *const *texts, size_t count, float **vectors,
                                                attn_error *error);

#endif

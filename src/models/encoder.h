/* models/encoder.h: the encoder's parts, shared by its wiring and its files. Read encoder.c first. */
#ifndef ATTN_MODELS_ENCODER_H
#define ATTN_MODELS_ENCODER_H

#include "attn/encoder.h"
#include "base/memory.h"
#include "base/real.h"

typedef struct encoder_block {
    attn_multi_head self;
    attn_norm norm_self;
    attn_feed_forward feed_forward;
    attn_norm norm_feed_forward;
} encoder_block;

struct attn_encoder {
    attn_encoder_config config; /* embedding_size and max_length are never 0 in it */
    attn_params *params;
    attn_param *words, *segments; /* segments NULL: there are none */
    attn_positions positions;
    attn_norm norm;         /* after embedding */
    attn_linear projection; /* weight NULL: embeddings are as wide as the layers */
    encoder_block *blocks;  /* [block_count] */
    int64_t block_count;    /* layers with weights of their own */
};

/* Creation in two steps: the table of tensors alone ... */
attn_status attn_encoder_declare(const attn_encoder_config *config, attn_encoder **out,
                                 attn_error *error);
/* ... and the memory, all zero; packed_only: of the matrices that are packed, none. */
attn_status attn_encoder_allocate(attn_encoder *model, bool trainable, bool packed_only,
                                  attn_error *error);
/* The layers that are packed, `at` from 0; their weight is NULL where the network lacks them. NULL past the last. */
attn_linear *attn_encoder_linear_at(attn_encoder *model, int64_t at);

#endif

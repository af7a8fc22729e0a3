/* models/decoder.h: the decoder's parts, shared by its wiring, its steps and its files. Read decoder.c first. */
#ifndef ATTN_MODELS_DECODER_H
#define ATTN_MODELS_DECODER_H

#include "attn/decoder.h"
#include "base/memory.h"
#include "base/real.h"

typedef struct decoder_block {
    attn_norm norm_self;
    attn_multi_head self;
    attn_norm norm_feed_forward;
    attn_feed_forward feed_forward;
} decoder_block;

struct attn_decoder {
    attn_decoder_config config;
    attn_params *params;
    attn_param *words;
    attn_positions positions; /* not of rotary ones */
    attn_rotation rotation;   /* of rotary positions; else of the kind NONE */
    real *table;              /* behind positions or rotation; NULL when learned */
    attn_norm embedding_norm; /* if the configuration says so */
    decoder_block *blocks;    /* [layers] */
    attn_norm last_norm;      /* unless post_norm */
    attn_linear output;       /* the projection to words */
};

/* Creation in two steps: the table of tensors alone ... */
attn_status attn_decoder_declare(const attn_decoder_config *config, attn_decoder **out,
                                 attn_error *error);
/* ... and the memory, all zero; packed_only: of the matrices that are packed, none but the table of words. */
attn_status attn_decoder_allocate(attn_decoder *model, bool packed_only, attn_error *error);
/* The layers that are packed, `at` from 0; the weight of a gate is NULL where the network lacks it. NULL past the last. */
attn_linear *attn_decoder_linear_at(attn_decoder *model, int64_t at);

/* How a layer's tokens attend: to their own sequences, or to a cache. x: [N, d_model], normed if need be; gives the heads, joined. */
typedef struct attn_decoder_attention {
    attn_tensor *(*attend)(void *context, attn_tape *tape, attn_tensor *x, int64_t layer);
    void *context;
} attn_decoder_attention;

/* The network up to the projection to words, which whole passes and steps share, so that both give the same bits. places: where
 * each token stands in its sequence. */
attn_tensor *attn_decoder_layers(const attn_decoder *model, attn_tape *tape, int64_t tokens,
                                 const int32_t *ids, const int32_t *places,
                                 const attn_decoder_attention *attention);
/* x [rows, d_model] to log_p [rows, V]. */
ATTN_MUST_CHECK attn_status attn_decoder_project(const attn_decoder *model, int64_t rows,
                                                 const real *x, real *log_p, attn_scratch *scratch);
/* ATTN_ERR_ARGUMENT unless the model is packed. */
ATTN_MUST_CHECK attn_status attn_decoder_check_packed(const attn_decoder *model, attn_error *error);
/* ATTN_ERR_ARGUMENT unless starts begin at 0 and never fall, and the ids are words. */
ATTN_MUST_CHECK attn_status attn_decoder_check_ids(const attn_decoder *model, int64_t count,
                                                   const int32_t *ids, const int64_t *starts,
                                                   attn_error *error);
/* ATTN_ERR_ARGUMENT, with the number of the sequence from 1, unless it is short enough. */
ATTN_MUST_CHECK attn_status attn_decoder_check_length(const attn_decoder *model, int64_t sequence,
                                                      int64_t length, attn_error *error);

#endif

/* attn/encoder.h: the Transformer encoder alone, as BERT has it: text in, a vector for each word or for all.
 *
 * Source: Devlin et al. 2019; RoBERTa: Liu et al. 2019; DistilBERT: Sanh et al. 2019; ALBERT: Lan et al. 2020; one vector of
 * a sentence: Reimers and Gurevych 2019. Dimension letters: N tokens of all sequences, H heads, T tokens of one sequence.
 *
 *     x = norm(words[id] + positions[first_position + place] + segments[segment])      a row of embedding_size numbers
 *     x = x W^T + b                             where embedding_size is not d_model
 *     x = norm(x + attention(x)),  x = norm(x + feed_forward(x))          layers times
 *
 * Next: attn/embed.h, which does this with text. */
#ifndef ATTN_ENCODER_H
#define ATTN_ENCODER_H

#include "attn/layers.h"
#include "attn/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What stands for a whole sequence. */
typedef enum attn_pooling {
    ATTN_POOLING_MEAN,  /* the mean over its tokens, [CLS] and [SEP] among them */
    ATTN_POOLING_FIRST, /* its first token, [CLS] */
} attn_pooling;

/* Initialize it with attn_encoder_config_init. */
typedef struct attn_encoder_config {
    size_t size; /* of this struct, set by the init */
    int64_t vocabulary;
    int64_t d_model, ffn, heads, layers; /* heads divides d_model */
    int64_t embedding_size;              /* of the tables; 0: d_model */
    int64_t positions;                   /* rows of the table of positions */
    int64_t first_position;              /* the row of a sequence's first token: 2 in RoBERTa */
    int64_t max_length;                  /* longest sequence; 0: as many as there are positions */
    int64_t segments;                    /* kinds of segments, the token types of BERT; 0: none */
    bool shared_layers;                  /* all layers have the weights of the first: ALBERT */
    attn_activation activation;          /* any but NONE */
    double norm_epsilon;                 /* of the norms; 0: 1e-5 */
    /* How its makers make one vector of a sequence. */
    attn_pooling pooling;
    bool unit_length; /* vectors are divided by their length */
} attn_encoder_config;

/* BERT's base model, with a vocabulary of 30,522. */
ATTN_API void attn_encoder_config_init_sized(attn_encoder_config *config, size_t size);
static inline void attn_encoder_config_init(attn_encoder_config *config) {
    attn_encoder_config_init_sized(config, sizeof *config);
}
/* ATTN_ERR_ARGUMENT, with the field that cannot be and why. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_config_check(const attn_encoder_config *config,
                                                               attn_error *error);

typedef struct attn_encoder attn_encoder;

/* Creates a model with all parameters zero; attn_params_init fills them. trainable: with gradients.
 * ATTN_ERR_ARGUMENT; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_create(const attn_encoder_config *config,
                                                         bool trainable, attn_encoder **out,
                                                         attn_error *error);
/* NULL is allowed. */
ATTN_API void attn_encoder_free(attn_encoder *model);
ATTN_API const attn_encoder_config *attn_encoder_get_config(const attn_encoder *model);
ATTN_API attn_params *attn_encoder_params(const attn_encoder *model);

/* ---- files ---- */

/* One .safetensors file, as attn_translator_save writes it: weights, configuration, the caller's own metadata, the
 * tokenizer's bytes. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_save(
    const attn_encoder *model, attn_storage storage, const void *tokenizer, size_t tokenizer_size,
    const attn_metadata *metadata, size_t metadata_count, const char *path, attn_error *error);
/* Loads for running (trainable false: matrices are kept in the form that attn_encoder_pack makes alone, so their `data` is NULL
 * and the model cannot be saved), or for training on (`compute` is not looked at). *tokenizer (may be NULL)
 * receives an allocated copy of the tokenizer's bytes, freed with attn_encoder_free_bytes; NULL when the file has none.
 * ATTN_ERR_IO; ATTN_ERR_FORMAT, ATTN_ERR_SHAPE: not such a file, or a damaged one; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_load(const char *path, bool trainable,
                                                       attn_compute compute, attn_encoder **out,
                                                       void **tokenizer, size_t *tokenizer_size,
                                                       attn_error *error);
/* The same from a file that is open already (attn_safetensors_open_header). path: its name in errors. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_read(const attn_safetensors *file,
                                                       const char *path, bool trainable,
                                                       attn_compute compute, attn_encoder **out,
                                                       void **tokenizer, size_t *tokenizer_size,
                                                       attn_error *error);
ATTN_API void attn_encoder_free_bytes(void *bytes);

/* Packs the weights for inference; attn_encoder_load does it when not trainable. ATTN_COMPUTE_I8: products of 8-bit
 * integers. While packed, the weights must not change. ATTN_ERR_MEMORY; ATTN_ERR_ARGUMENT: it was loaded packed. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_pack(attn_encoder *model, attn_compute compute,
                                                       attn_error *error);
ATTN_API void attn_encoder_unpack(attn_encoder *model);

/* ---- at work: the model is only read, so threads may share it, each with a tape of its own ---- */

/* Sequences one after another: ids with what begins and ends them, [CLS] and [SEP]; starts: count + 1, starts[0] = 0. */
typedef struct attn_encoder_batch {
    int64_t count;
    const int32_t *ids;
    const int64_t *starts;
    const int32_t *segments; /* [N]: which segment a token is of; NULL: 0 for all */
} attn_encoder_batch;

/* The vectors of all tokens, [N, d_model], on a tape that has begun; NULL when the tape fails, among other things for an id or
 * segment out of range and a sequence longer than max_length. A sequence's vectors are the same bits whatever else is in the
 * batch. A tape that records needs a trainable model. */
ATTN_API attn_tensor *attn_encoder_forward(const attn_encoder *model, attn_tape *tape,
                                           const attn_encoder_batch *batch);
/* One vector of each sequence out of `tokens`, what forward gave: vectors [count, d_model]. An empty sequence gives 0; so does
 * a vector of length 0 with unit_length. */
ATTN_API void attn_encoder_pool(const attn_tensor *tokens, const attn_encoder_batch *batch,
                                attn_pooling pooling, bool unit_length, float *vectors);
/* What the tokens of sequence `sequence` attend to in layer `layer`, both from 0: weights [H, T, T], rows are who looks. The
 * tape was watched (attn_tape_watch) in a forward pass over this batch. ATTN_ERR_ARGUMENT: it was not, or there is no such layer or
 * sequence; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_encoder_attend(const attn_encoder *model,
                                                         const attn_tape *tape,
                                                         const attn_encoder_batch *batch,
                                                         int64_t sequence, int64_t layer,
                                                         attn_real *weights, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

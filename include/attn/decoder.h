/* attn/decoder.h: the Transformer decoder alone, as GPT-2 and Llama have it: a language model, which reads a text and says how likely
 * each word is to come next.
 *
 * Source: Radford et al. 2019; Touvron et al. 2023; RMSNorm: Zhang and Sennrich 2019; gates: Shazeer 2020; rotary positions: Su et
 * al. 2021; grouped keys and values: Ainslie et al. 2023. Dimension letters: N tokens of all sequences, R rows of a state, V
 * vocabulary.
 *
 *     x = scale words[id] + positions[place]     scale: 1 or sqrt(d_model); rotary positions are not added
 *     x = x + attention(norm(x))                 to itself and to what stands before, layers times
 *     x = x + feed_forward(norm(x))
 *     log p = log softmax(norm(x) W^T + b)       W: the table of words, or one of its own
 *
 * post_norm: x = norm(x + attention(x)), x = norm(x + feed_forward(x)), and no norm after the last layer.
 * Models are run, not trained. Next: attn/generate.h, which goes on with a text. */
#ifndef ATTN_DECODER_H
#define ATTN_DECODER_H

#include "attn/layers.h"
#include "attn/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialize it with attn_decoder_config_init. */
typedef struct attn_decoder_config {
    size_t size; /* of this struct, set by the init */
    int64_t vocabulary;
    int64_t d_model, ffn, heads, kv_heads; /* kv_heads divides heads, heads divides d_model */
    int64_t layers;
    int64_t max_length;         /* longest sequence */
    attn_activation activation; /* any but NONE */
    bool post_norm;             /* else the norms stand before the layers */
    bool rms_norm;              /* RMSNorm in place of layer norm */
    bool gated;                 /* feed-forward layers with a gate */
    bool own_output;            /* W is a table of its own */
    bool output_bias;           /* b is there */
    bool scaled_embeddings;     /* words are multiplied by sqrt(d_model) */
    bool embedding_norm;        /* a norm after words and positions */
    bool learned_positions;     /* else rotary, or sinusoids */
    int64_t first_position;     /* of the sinusoids: what the first token gets */
    attn_rotary rotary;         /* attention turns queries and keys by their places */
    int64_t rotary_base;        /* 0: 10000 */
    int64_t rotary_dim;         /* how many channels of a head are turned; 0: all */
    double norm_epsilon;        /* of the norms; 0: 1e-5 */
    /* For who makes the ids: what stands in front of every text, and what ends one; -1: nothing. */
    int64_t start_token, end_token;
} attn_decoder_config;

/* GPT-2's small model. */
ATTN_API void attn_decoder_config_init_sized(attn_decoder_config *config, size_t size);
static inline void attn_decoder_config_init(attn_decoder_config *config) {
    attn_decoder_config_init_sized(config, sizeof *config);
}
/* ATTN_ERR_ARGUMENT, with the field that cannot be and why. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_config_check(const attn_decoder_config *config,
                                                               attn_error *error);

typedef struct attn_decoder attn_decoder;

/* Creates a model with all parameters zero; attn_params_init fills them. ATTN_ERR_ARGUMENT; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_create(const attn_decoder_config *config,
                                                         attn_decoder **out, attn_error *error);
/* NULL is allowed. */
ATTN_API void attn_decoder_free(attn_decoder *model);
ATTN_API const attn_decoder_config *attn_decoder_get_config(const attn_decoder *model);
ATTN_API attn_params *attn_decoder_params(const attn_decoder *model);

/* ---- files ---- */

/* One .safetensors file, as attn_translator_save writes it: weights, configuration, the caller's own metadata, the
 * tokenizer's bytes. ATTN_ERR_ARGUMENT: it was loaded, and so keeps its matrices packed alone. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_save(
    const attn_decoder *model, attn_storage storage, const void *tokenizer, size_t tokenizer_size,
    const attn_metadata *metadata, size_t metadata_count, const char *path, attn_error *error);
/* Loads for running. Matrices are kept in the form that attn_decoder_pack makes alone, so their `data` is NULL; that of the table
 * of words is there. *tokenizer (may be NULL) receives an allocated copy of the tokenizer's bytes, freed with
 * attn_decoder_free_bytes; NULL when the file has none.
 * ATTN_ERR_IO; ATTN_ERR_FORMAT, ATTN_ERR_SHAPE: not such a file, or a damaged one; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_load(const char *path, attn_compute compute,
                                                       attn_decoder **out, void **tokenizer,
                                                       size_t *tokenizer_size, attn_error *error);
/* The same from a file that is open already (attn_safetensors_open_header). path: its name in errors. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_read(const attn_safetensors *file,
                                                       const char *path, attn_compute compute,
                                                       attn_decoder **out, void **tokenizer,
                                                       size_t *tokenizer_size, attn_error *error);
ATTN_API void attn_decoder_free_bytes(void *bytes);

/* Packs the weights; attn_decoder_load does it. ATTN_COMPUTE_I8: products of 8-bit integers. While packed, the weights must
 * not change. ATTN_ERR_MEMORY; ATTN_ERR_ARGUMENT: it was loaded packed. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_pack(attn_decoder *model, attn_compute compute,
                                                       attn_error *error);
ATTN_API void attn_decoder_unpack(attn_decoder *model);

/* ---- whole sequences ----
 * The model is only read, here and below, so threads may share it. */

/* Sequences one after another; starts: count + 1, starts[0] = 0. */
typedef struct attn_decoder_batch {
    int64_t count;
    const int32_t *ids;
    const int64_t *starts;
} attn_decoder_batch;

/* What comes out of the last norm, [N, d_model], on a tape that has begun and does not record; NULL when the tape fails, among
 * other things for an id out of range and a sequence longer than max_length. A sequence's rows are the same bits whatever
 * else is in the batch. */
ATTN_API attn_tensor *attn_decoder_forward(const attn_decoder *model, attn_tape *tape,
                                           const attn_decoder_batch *batch);
/* log_p [N]: the log-probability of each token after those before it in its sequence; 0 of the first, which nothing
 * foretells. The bits are those of attn_decoder_forward. ATTN_ERR_ARGUMENT: the model is not packed, an id out of range, a
 * sequence that is too long (the error's position is its number, from 1); ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_score(const attn_decoder *model,
                                                        const attn_decoder_batch *batch,
                                                        attn_real *log_p, attn_error *error);

/* ---- step by step, with cached keys and values ---- */

/* What R rows have read so far. A state belongs to one thread at a time. */
typedef struct attn_decoder_state attn_decoder_state;

/* R = rows >= 1, none of which has read anything. The model must outlive the state, packed. ATTN_ERR_ARGUMENT: it is not packed;
 * ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_state_create(const attn_decoder *model,
                                                               int64_t rows,
                                                               attn_decoder_state **out,
                                                               attn_error *error);
/* NULL is allowed. */
ATTN_API void attn_decoder_state_free(attn_decoder_state *state);
/* How many tokens a row has read. */
ATTN_API int64_t attn_decoder_state_length(const attn_decoder_state *state, int64_t row);
/* Row r goes on by ids[starts[r] .. starts[r + 1]): a prompt, one token, or none (then its row of log_p stays as it is). starts:
 * R + 1, starts[0] = 0. log_p [R, V]: the log-probabilities of what comes next. They are the same bits as those of
 * attn_decoder_score, however the tokens were divided over calls and whatever the other rows read.
 * ATTN_ERR_ARGUMENT, and nothing was read: an id out of range, more tokens than max_length. ATTN_ERR_MEMORY: the state is of no more use. */
ATTN_API ATTN_MUST_CHECK attn_status attn_decoder_step(attn_decoder_state *state,
                                                       const int32_t *ids, const int64_t *starts,
                                                       attn_real *log_p, attn_error *error);

#ifdef __cplusplus
}
#endif
#endif

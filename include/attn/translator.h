/* attn/translator.h: the Transformer of "Attention is all you need", encoder and decoder.
 *
 * Source: Vaswani et al. 2017; pre-norm: Xiong et al. 2020; rotary positions: Su et al. 2021; relative ones: Raffel et al. 2020. Dimension letters: N tokens, V vocabulary of the
 * target, R rows (hypotheses) of a decoding step. */
#ifndef ATTN_TRANSLATOR_H
#define ATTN_TRANSLATOR_H

#include "attn/layers.h"
#include "attn/safetensors.h"
#include "attn/shortlist.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_embeddings {
    ATTN_EMBEDDINGS_TIED,   /* one table for source, target and output: Press and Wolf 2017 */
    ATTN_EMBEDDINGS_UNTIED, /* one for each of the three */
    ATTN_EMBEDDINGS_TARGET, /* one for the source, one for target and output */
} attn_embeddings;

/* Where a model is told its languages: for who makes the ids. */
typedef enum attn_tagging {
    ATTN_TAGGING_TARGET, /* <2fr> in front of the source, where the vocabulary has such a piece */
    ATTN_TAGGING_BOTH, /* the source's in front of the source, the target's after <s>: M2M-100, NLLB */
    ATTN_TAGGING_BOTH_AFTER, /* the source's after its </s>, the target's after <s>: NLLB at first */
    ATTN_TAGGING_START, /* the source's after its </s>, the target's in place of <s>: mBART of 25 languages */
} attn_tagging;

/* Initialize it with attn_translator_config_init. */
typedef struct attn_translator_config {
    size_t size; /* of this struct, set by the init */
    int64_t
        vocabulary; /* of the target; of the source too, unless source_vocabulary says otherwise */
    int64_t d_model, ffn, heads, kv_heads; /* kv_heads divides heads, heads divides d_model */
    int64_t encoder_layers, decoder_layers;
    int64_t max_length;         /* longest sequence, including </s> and <s> */
    bool pre_norm;              /* else post-norm, as in the paper */
    bool learned_positions;     /* else sinusoids */
    attn_activation activation; /* any but NONE */
    /* Used only in training. */
    double dropout, attention_dropout, activation_dropout, label_smoothing;
    /* The head of cross-attention that was guided to look at the word that the word just read translates, layer
     * and head counted from 1; both 0: none was. */
    int64_t alignment_layer, alignment_head;
    attn_embeddings embeddings;
    int64_t source_vocabulary; /* 0: the target's, whose embeddings may then be tied to it */
    bool output_bias;          /* the projection to words has one */
    bool plain_embeddings;     /* not multiplied by sqrt(d_model) */
    bool embedding_norm;       /* layer norm after embedding and position, on both sides */
    attn_sinusoids sinusoids;
    int64_t first_position; /* of the sinusoids: what the first token gets */
    double norm_epsilon;    /* of the norms; 0: 1e-5 */
    bool rms_norm;          /* RMSNorm in place of layer norm */
    bool gated;             /* feed-forward layers with a gate */
    bool bare_source;       /* the model reads sources without </s>: for who makes the ids */
    attn_tagging tagging;
    bool own_positions; /* the decoder has a table of learned positions of its own */
    bool
        ssru; /* the decoder reads earlier words by recurrent units (attn_layer_ssru), not by attention */
    bool final_norm; /* post-norm, and yet a norm after the last layer: PyTorch's nn.Transformer */
    attn_rotary
        rotary; /* self-attention turns queries and keys by their places, and embeddings get no position */
    int64_t rotary_base; /* 0: 10000 */
    int64_t rotary_dim;  /* how many channels of a head are turned; 0: all */
    /* Self-attention adds a learned number by distance and head (attn_relative), from a table for each side that its
     * layers share, and embeddings get no position. */
    bool relative;
    int64_t relative_buckets;  /* rows of a table; 0: 32 */
    int64_t relative_distance; /* the last bucket holds all beyond; 0: 128 */
} attn_translator_config;

/* The paper's base model with a vocabulary of 8,000. */
ATTN_API void attn_translator_config_init_sized(attn_translator_config *config, size_t size);
static inline void attn_translator_config_init(attn_translator_config *config) {
    attn_translator_config_init_sized(config, sizeof *config);
}
ATTN_API ATTN_MUST_CHECK attn_status
attn_translator_config_check(const attn_translator_config *config, attn_error *error);

typedef struct attn_translator attn_translator;

/* Where a translator attends. */
typedef enum attn_translator_part {
    ATTN_PART_ENCODER, /* source words to source words */
    ATTN_PART_DECODER, /* target words to earlier target words */
    ATTN_PART_CROSS,   /* target words to source words */
} attn_translator_part;

/* Creates a model with all parameters zero; attn_params_init fills them. trainable: with
 * gradients. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_create(const attn_translator_config *config,
                                                            bool trainable, attn_translator **out,
                                                            attn_error *error);
ATTN_API void attn_translator_free(attn_translator *model);
ATTN_API const attn_translator_config *attn_translator_get_config(const attn_translator *model);
ATTN_API attn_params *attn_translator_params(const attn_translator *model);

/* ---- files ---- */

/* One .safetensors file: the weights, the configuration in the metadata (with the caller's own
 * pairs after it: training facts, licence), the tokenizer's bytes as the tensor "tokenizer".
 * Written atomically. int8: one scale per row, tensor NAME.scale. */
ATTN_API ATTN_MUST_CHECK attn_status
attn_translator_save(const attn_translator *model, attn_storage storage, const void *tokenizer,
                     size_t tokenizer_size, const attn_metadata *metadata, size_t metadata_count,
                     const char *path, attn_error *error);
/* Loads for running (trainable false: weights packed as attn_translator_pack does, and a file whose
 * matrices are all int8 gives ATTN_COMPUTE_I8 its own integers and scales) or for training on
 * (trainable true: `compute` is not looked at). *tokenizer (may be NULL) receives an allocated copy
 * of the tokenizer's bytes, freed with attn_translator_free_bytes; NULL when the file has none. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_load(const char *path, bool trainable,
                                                          attn_compute compute,
                                                          attn_translator **out, void **tokenizer,
                                                          size_t *tokenizer_size,
                                                          attn_error *error);
/* Loads for decoding only, with the same results, in half the memory or less. Matrices are kept
 * only in the form that attn_translator_pack makes, so `data` is NULL for the matrices in
 * attn_translator_params. Encoding, decoding and forward passes work; attn_translator_loss,
 * _pack and _save, recording and explaining need attn_translator_load. */
ATTN_API ATTN_MUST_CHECK attn_status
attn_translator_load_packed(const char *path, attn_compute compute, attn_translator **out,
                            void **tokenizer, size_t *tokenizer_size, attn_error *error);
/* What a model is loaded for: attn_translator_load with trainable true or false, or
 * attn_translator_load_packed. */
typedef enum attn_load { ATTN_LOAD_TO_TRAIN, ATTN_LOAD_TO_RUN, ATTN_LOAD_TO_DECODE } attn_load;
/* The same from a file that is open already (attn_safetensors_open_header), for who reads its metadata
 * too. path: its name in errors. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_read(
    const attn_safetensors *file, const char *path, attn_load purpose, attn_compute compute,
    attn_translator **out, void **tokenizer, size_t *tokenizer_size, attn_error *error);
ATTN_API void attn_translator_free_bytes(void *bytes);

/* ---- training ---- */

/* Sentence pairs one after another. source: ids with </s> at the end of each; target_input: <s> and
 * the ids; target_output: the ids and </s>. starts: count + 1 each. */
typedef struct attn_translator_batch {
    int64_t count;
    const int32_t *source;
    const int64_t *source_starts;
    const int32_t *target_input, *target_output;
    const int64_t *target_starts;
} attn_translator_batch;

/* The forward pass on a tape that has begun. Adds the sums of smoothed losses and of -log p over
 * the batch's target tokens to *loss and *nll. Then attn_tape_backward adds the gradients, times
 * gradient_scale. ATTN_ERR_ARGUMENT: an id out of range, a sequence longer than max_length, or a
 * tape that records for a model that is not trainable. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_loss(const attn_translator *model,
                                                          attn_tape *tape,
                                                          const attn_translator_batch *batch,
                                                          attn_real gradient_scale, double *loss,
                                                          double *nll, attn_error *error);
/* Forward without loss: the decoder's output [N target, d_model] before the output projection
 * (teacher forcing), for scoring, explaining and tests. With target_input NULL: the encoder's
 * output. */
ATTN_API attn_tensor *attn_translator_forward(const attn_translator *model, attn_tape *tape,
                                              const attn_translator_batch *batch);
/* Packs the weights for inference (load does it when not trainable). ATTN_COMPUTE_I8: all linear
 * layers multiply 8-bit integers, and so does the product with the embedding in decoding; norms,
 * softmax and attention stay float32, and so does the output projection of attn_translator_loss.
 * Either way a result depends only on the inputs. Decoding needs a packed model, and only reads it.
 * While packed, the weights must not change: unpack before further training. Recording passes never
 * read the packed form. ATTN_ERR_ARGUMENT: a model of attn_translator_load_packed;
 * ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_pack(attn_translator *model,
                                                          attn_compute compute, attn_error *error);
ATTN_API void attn_translator_unpack(attn_translator *model);

/* ---- interventions ---- */

/* A head of one layer that is silenced or looks elsewhere: attn_head_edit says how. */
typedef struct attn_translator_edit {
    attn_translator_part part;
    int64_t layer; /* from 0 */
    attn_head_edit head;
} attn_translator_edit;
/* A translator that shares the weights of `model`, which must outlive it and stay packed or not as it is, and whose
 * passes compute with these edits, in this order: what attention does is seen by what becomes of the
 * translation. Places count pieces of each sentence; the decoder's steps apply them as the whole
 * pass does, to the same bits. It decodes, scores and explains; it does not train. Free it first.
 * ATTN_ERR_ARGUMENT: no such layer or head, or a negative place. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_edited(const attn_translator *model,
                                                            const attn_translator_edit *edits,
                                                            size_t count, attn_translator **out,
                                                            attn_error *error);

/* ---- decoding, step by step, with cached keys and values ----
 * The model is only read, so states on several threads may share one. It must be packed
 * (by attn_translator_pack, or loaded for inference) and stay so while the state lives. */
typedef struct attn_translator_state attn_translator_state;

/* ATTN_ERR_ARGUMENT: the model is not packed; ATTN_ERR_MEMORY. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_state_create(const attn_translator *model,
                                                                  attn_translator_state **out,
                                                                  attn_error *error);
ATTN_API void attn_translator_state_free(attn_translator_state *state);
/* From the next encode on, a step scores only the shortlist's candidates for each sentence, and
 * end_token; all others have log-probability -infinity. NULL: score all again. The
 * shortlist must outlive its use. ATTN_ERR_ARGUMENT: another vocabulary, or end_token not in it. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_state_use(attn_translator_state *state,
                                                               const attn_shortlist *shortlist,
                                                               int32_t end_token,
                                                               attn_error *error);
/* Encodes `count` sentences (ids with </s>, one after another) and makes room for max_rows rows of
 * at most max_steps tokens. ATTN_ERR_ARGUMENT: longer than the model's max_length, or an id out of
 * range. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_encode(attn_translator_state *state,
                                                            int64_t count, const int32_t *source,
                                                            const int64_t *starts, int64_t max_rows,
                                                            int64_t max_steps, attn_error *error);
/* One step: row r reads tokens[r] and continues row parents[r] of the step before (at the first
 * step, parents[r] is the index of its sentence). A row that none continues is dropped. logits:
 * [R, V], the log-probabilities of the next token. attention: NULL or [R, longest source]: the
 * weights of the alignment head on the source (it looks for the token that was read), without one the last layer's,
 * averaged over the heads (they look for the token to come), 0 beyond the sentence. After a
 * failure other than ATTN_ERR_ARGUMENT the state must encode again. */
ATTN_API ATTN_MUST_CHECK attn_status attn_translator_step(attn_translator_state *state,
                                                          int64_t rows, const int32_t *tokens,
                                                          const int64_t *parents, attn_real *logits,
                                                          attn_real *attention, attn_error *error);
/* The longest source sentence of the last encode: the row length of `attention`. */
ATTN_API int64_t attn_translator_state_source_length(const attn_translator_state *state);

#ifdef __cplusplus
}
#endif
#endif

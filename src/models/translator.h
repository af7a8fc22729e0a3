/* models/translator.h: the translator's parts, shared by its wiring, its decoding and its files.
 *
 * Read translator.c first. */
#ifndef ATTN_MODELS_TRANSLATOR_H
#define ATTN_MODELS_TRANSLATOR_H

#include "attn/translator.h"
#include "base/memory.h"
#include "base/real.h"
#include "layers/guide.h"

typedef struct encoder_layer {
    attn_norm norm_self, norm_feed_forward;
    attn_multi_head self;
    attn_feed_forward feed_forward;
} encoder_layer;

typedef struct decoder_layer {
    attn_norm norm_self, norm_cross, norm_feed_forward;
    attn_multi_head self, cross;
    attn_ssru recurrent; /* in place of self, if the configuration says so */
    attn_feed_forward feed_forward;
} decoder_layer;

struct attn_translator {
    attn_translator_config config;
    attn_params *params;
    attn_param *embedding;              /* of the source [source V, d_model]; tied: of all three */
    attn_param *target_embedding;       /* the same, or [V, d_model] */
    real embedding_scale;               /* sqrt(d_model), or 1 */
    attn_norm source_norm, target_norm; /* after embedding, if the configuration says so */
    attn_positions positions,
        target_positions; /* [max_length, d_model]; of both sides or of each */
    real *sinusoids; /* the table behind positions or rotation; NULL when learned or relative */
    attn_rotation rotation; /* of rotary positions; else of the kind NONE */
    attn_relative source_relative,
        target_relative;                  /* of relative positions, one for all layers of a side */
    encoder_layer *encoder;               /* [encoder_layers] */
    decoder_layer *decoder;               /* [decoder_layers] */
    attn_norm encoder_norm, decoder_norm; /* after the last layer: pre-norm, or final_norm */
    attn_linear output;                   /* the projection to words */
    /* Of a model that keeps its matrices packed alone (their data is NULL): where words are looked
     * up, packed as floats. */
    attn_linear words;
    attn_head_edit
        *edits; /* of an edited translator: all else but the two lists of layers is another's */
    bool edited;
    struct attn_adapter *adapters; /* of attn_translator_adapt */
    int64_t adapter_count;
};

/* Creation in two steps, so that a configuration from a file can be held to the file's tensors
 * before memory is spent on it: the table of tensors alone ... */
attn_status attn_translator_declare(const attn_translator_config *config, attn_translator **out,
                                    attn_error *error);
/* ... and the memory, all zero; packed_only: of the matrices that are packed, none. */
attn_status attn_translator_allocate(attn_translator *model, bool trainable, bool packed_only,
                                     attn_error *error);
/* The first key, by its name in a model's file, of which two configurations say something else, rates of training left out; NULL: none.
 * For who copies a configuration field by field and has to notice one that is new. */
const char *attn_translator_config_difference(const attn_translator_config *a,
                                              const attn_translator_config *b);
/* A field of the configuration by its key in a model's file; false: there is no such key, or this is no value of it. */
bool attn_translator_config_set(attn_translator_config *config, const char *key, const char *value);
/* Calls visit for every layer that attn_translator_pack packs, the largest first, until one fails.
 */
attn_status attn_translator_visit_linears(attn_translator *model,
                                          attn_status (*visit)(attn_linear *linear, void *context),
                                          void *context);

/* ---- adapters ---- */

typedef struct attn_adaptation {
    int64_t rank;
    double alpha; /* changes are multiplied by alpha / rank */
    double dropout;
    bool (*targets)(const char *name,
                    void *context); /* which matrices of attention and feed-forward layers */
    void *context;
} attn_adaptation;

/* Between declaring and allocating: freezes all parameters and declares adapters for the targets, at the end of the table. Without a
 * target nothing changes. */
ATTN_MUST_CHECK attn_status attn_translator_adapt(attn_translator *model,
                                                  const attn_adaptation *how, attn_error *error);
/* Whether a parameter of this name is one of an adapter's. */
bool attn_translator_is_adapter(const char *name);
/* A model of its own, not trainable and not packed, whose weights have the adapters added. */
ATTN_MUST_CHECK attn_status attn_translator_merged(const attn_translator *model,
                                                   attn_translator **out, attn_error *error);

/* The pieces of a layer that training and decoding share, so that both give the same bits:
 * the input of a sublayer (normalized first when pre-norm) ... */
attn_tensor *attn_translator_before(const attn_translator *model, attn_tape *tape, attn_tensor *x,
                                    const attn_norm *norm);
/* ... what comes out of the last layer (normalized once more unless post-norm) ... */
attn_tensor *attn_translator_last(const attn_translator *model, attn_tape *tape, attn_tensor *x,
                                  const attn_norm *norm);
/* ... and x + dropout(branch W^T + b) (normalized after when post-norm). */
attn_tensor *attn_translator_after(const attn_translator *model, attn_tape *tape, attn_tensor *x,
                                   attn_tensor *branch, const attn_linear *linear,
                                   const attn_norm *norm);
/* The same of a branch without a linear layer at its end. */
attn_tensor *attn_translator_after_plain(const attn_translator *model, attn_tape *tape,
                                         attn_tensor *x, attn_tensor *branch,
                                         const attn_norm *norm);
/* The feed-forward sublayer. */
attn_tensor *attn_translator_feed_forward(const attn_translator *model, attn_tape *tape,
                                          attn_tensor *x, const attn_feed_forward *feed_forward,
                                          const attn_norm *norm);
/* Embeddings of source or target tokens, positions, norm, dropout. position_ids: [tokens]. */
attn_tensor *attn_translator_embed(const attn_translator *model, attn_tape *tape, bool source,
                                   int64_t tokens, const int32_t *ids, const int32_t *position_ids);
/* Whether embeddings have a position added: rotary and relative ones act within attention. */
static inline bool attn_translator_adds_positions(const attn_translator_config *config) {
    return config->rotary == ATTN_ROTARY_NONE && !config->relative;
}
/* The number of words that a source may have. */
int64_t attn_translator_source_words(const attn_translator_config *config);
/* The encoder over sentences one after another: [N, d_model]. */
attn_tensor *attn_translator_encoder(const attn_translator *model, attn_tape *tape,
                                     const int32_t *ids, const attn_sequences *sequences);

/* attn_translator_loss, and what guides the alignment head of the configuration; guide NULL: nothing. */
ATTN_MUST_CHECK attn_status attn_translator_loss_guided(const attn_translator *model,
                                                        attn_tape *tape,
                                                        const attn_translator_batch *batch,
                                                        const attn_guide *guide,
                                                        attn_real gradient_scale, double *loss,
                                                        double *nll, attn_error *error);

/* The loss of R-Drop (attn_layer_output_r_drop): the batch holds all of its pairs once, and then all of them again. Sums
 * count each pair once. */
attn_status attn_translator_loss_twice(const attn_translator *model, attn_tape *tape,
                                       const attn_translator_batch *batch, const attn_guide *guide,
                                       double agreement, attn_real gradient_scale, double *loss,
                                       double *nll, attn_error *error);

/* What encode checks first. */
ATTN_MUST_CHECK attn_status attn_translator_check_source(const attn_translator *model,
                                                         int64_t count, const int32_t *source,
                                                         const int64_t *starts, attn_error *error);
/* ATTN_ERR_ARGUMENT unless the model is packed, as decoding needs it. */
ATTN_MUST_CHECK attn_status attn_translator_check_packed(const attn_translator *model,
                                                         attn_error *error);

/* Whose attention a step gives: a layer's head, or head 0 for the mean of all; from 1. Layer 0: the last. At first the
 * alignment head, where the model has one. */
ATTN_SHARED void attn_translator_state_watch(attn_translator_state *state, int64_t layer,
                                             int64_t head);

/* The words that the steps of a sentence of the batch compute, ascending, and their *count; NULL, and
 * *count untouched: all. */
const int32_t *attn_translator_candidates(const attn_translator_state *state, int64_t sentence,
                                          int64_t *count);

#endif

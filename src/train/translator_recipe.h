/* train/translator_recipe.h: every knob of a translator's training.
 *
 * The defaults are a small pre-norm Transformer that trains on a laptop. Next:
 * train/translator_task.h. */
#ifndef ATTN_TRAIN_TRANSLATOR_RECIPE_H
#define ATTN_TRAIN_TRANSLATOR_RECIPE_H

#include "attn/translator.h"
#include "text/corpus_vary.h"
#include "train/options.h"

/* Values of train.best, after ATTN_BEST_LOSS. */
enum { ATTN_BEST_BLEU = 1, ATTN_BEST_CHRF };
enum { ATTN_NORM_PRE, ATTN_NORM_POST };
enum { ATTN_NORM_LAYER, ATTN_NORM_RMS };
enum {
    ATTN_POSITIONS_SINUSOIDAL,
    ATTN_POSITIONS_LEARNED,
    ATTN_POSITIONS_ROTARY,
    ATTN_POSITIONS_RELATIVE
};
/* SHARED: what shares a vocabulary; ALL: source too though it has a segmenter of its own. */
enum { ATTN_TIED_NONE, ATTN_TIED_SHARED, ATTN_TIED_TARGET, ATTN_TIED_ALL };
enum { ATTN_VOCABULARIES_JOINT, ATTN_VOCABULARIES_SEPARATE };
enum { ATTN_SIDES_BOTH, ATTN_SIDES_SOURCE, ATTN_SIDES_TARGET };

typedef struct attn_translator_recipe {
    /* the model */
    int64_t d_model, ffn, heads, kv_heads, encoder_layers, decoder_layers, max_length;
    int norm, norm_kind, positions, sinusoids, rotary, activation, tied, vocabularies;
    bool gated, output_bias, plain_embeddings, embedding_norm, bare_source, ssru, final_norm,
        own_positions;
    int64_t first_position, rotary_base, rotary_dim, relative_buckets, relative_distance;
    double norm_epsilon;
    /* the tokenizer */
    int64_t vocabulary, target_vocabulary;
    int tokenizer_type;
    char normalization[ATTN_KEY_TEXT_SIZE], elisions[ATTN_KEY_TEXT_SIZE];
    double character_coverage;
    bool byte_fallback;
    /* pairs to leave out (text/corpus_filter.h) */
    double filter_ratio;
    bool filter_copies, filter_doubles, filter_script;
    /* pairs made a little different in each epoch (text/corpus_vary.h) */
    double bpe_dropout, augment_case, augment_join, augment_end, augment_copy;
    int bpe_dropout_sides;
    /* regularization */
    double dropout, attention_dropout, activation_dropout, label_smoothing, r_drop;
    /* low-rank adapters, trained in place of the network (models/translator_adapt.c) */
    int64_t lora_rank;
    double lora_alpha, lora_dropout;
    char lora_targets[ATTN_KEY_TEXT_SIZE];
    /* a head that is shown where words come from (align/pieces.h) */
    double guided_alignment;
    int64_t guided_layer;
    /* data and validation */
    int64_t batch_tokens, bleu_beam;
    bool bleu_raw;
    char source_language[ATTN_KEY_TEXT_SIZE], target_language[ATTN_KEY_TEXT_SIZE];
    attn_train_options train;
} attn_translator_recipe;

void attn_translator_recipe_init(attn_translator_recipe *recipe);
/* The recipe with its table, in the order in which help shows it. */
attn_recipe attn_translator_recipe_table(attn_translator_recipe *recipe);
/* Whether only part of the parameters is trained: then a checkpoint holds that part alone. */
bool attn_translator_recipe_is_partial(const attn_translator_recipe *recipe);
/* What the bounds of single keys cannot say: heads that divide d_model, and the loop's checks. */
ATTN_MUST_CHECK attn_status attn_translator_recipe_check(const attn_translator_recipe *recipe,
                                                         attn_error *error);
/* source_vocabulary 0: the vocabulary is joint. */
void attn_translator_recipe_config(const attn_translator_recipe *recipe, int64_t vocabulary,
                                   int64_t source_vocabulary, attn_translator_config *config);
/* The other way round: the keys of the network become those of a model that there is. two_sides: its tokenizer has one for each
 * language. */
void attn_translator_recipe_of_config(const attn_translator_config *config, bool two_sides,
                                      attn_translator_recipe *recipe);
/* A training that starts from a model has its network. The error names the first key that says otherwise than `model`, the recipe that
 * attn_translator_recipe_of_config made. */
ATTN_MUST_CHECK attn_status attn_translator_recipe_fits(attn_translator_recipe *model,
                                                        attn_translator_recipe *wanted,
                                                        attn_error *error);
/* Whether a key is of the tokenizer alone, which a model has already. */
bool attn_translator_recipe_is_of_tokenizer(const char *key);
void attn_translator_recipe_variation(const attn_translator_recipe *recipe,
                                      attn_corpus_variation *variation);
/* "unigram" or "bpe". */
const char *attn_translator_recipe_tokenizer(const attn_translator_recipe *recipe);

#endif

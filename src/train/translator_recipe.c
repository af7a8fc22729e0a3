/* train/translator_recipe.c: the table of a translator's knobs. A new one is a field and a row here. */
#include "train/translator_recipe.h"

#include <string.h>

#include "base/fail.h"
#include "models/config.h"

static const char *const norms[] = {"pre", "post", NULL};
static const char *const norm_kinds[] = {"layer", "rms", NULL};
static const char *const position_kinds[] = {"sinusoidal", "learned", "rotary", "relative", NULL};
static const char *const best_by[] = {"loss", "bleu", "chrf", NULL};
static const char *const tied_tables[] = {"false", "true", "target", "all", NULL};
static const char *const sides[] = {"both", "source", "target", NULL};
static const char *const vocabularies[] = {"joint", "separate", NULL};
static const char *const tokenizer_types[] = {"unigram", "bpe", NULL};

#define INT(field, low, high, help) ATTN_RECIPE_INT(attn_translator_recipe, field, low, high, help)
#define REAL(field, low, high, help)                                                               \
    ATTN_RECIPE_REAL(attn_translator_recipe, field, low, high, help)
#define CHOICE(field, choices, help)                                                               \
    ATTN_RECIPE_CHOICE(attn_translator_recipe, field, choices, help)
#define BOOL(field, help)                                                                          \
    { #field, ATTN_KEY_BOOL, offsetof(attn_translator_recipe, field), 0, 0, NULL, help }
#define TEXT(field, help) ATTN_RECIPE_TEXT(attn_translator_recipe, field, help)

static const attn_key keys[] = {
    INT(d_model, 1, 16384, "channels of a token"),
    INT(ffn, 1, 65536, "hidden channels of the feed-forward layers"),
    INT(heads, 1, 1024, "attention heads; divides d_model"),
    INT(kv_heads, 0, 1024, "key and value heads; divides heads (0: as many as heads)"),
    INT(encoder_layers, 1, 256, "layers of the encoder"),
    INT(decoder_layers, 1, 256, "layers of the decoder"),
    INT(max_length, 4, 65536, "longest sentence in tokens; longer pairs are left out"),
    CHOICE(norm, norms, "layer norm before or after each sublayer: pre, post"),
    CHOICE(norm_kind, norm_kinds, "layer norm, or RMSNorm, without mean and shift: layer, rms"),
    REAL(norm_epsilon, 0, 0.1, "added under the root of the norms (0: 1e-5)"),
    CHOICE(positions, position_kinds,
           "how words know their places: sinusoidal or learned position embeddings, queries and "
           "keys that are turned, or scores to which their distance adds: sinusoidal, learned, "
           "rotary, relative"),
    CHOICE(sinusoids, attn_sinusoids_names,
           "frequencies of the sinusoids: tensor2tensor (Marian's and fairseq's too), paper"),
    INT(first_position, 0, 65536, "the position of the first token, where they are sinusoids"),
    CHOICE(
        rotary, attn_rotary_names + 1,
        "which channels rotary positions turn together, those of two halves or neighbours: halves, "
        "adjacent"),
    INT(rotary_base, 0, 1 << 30, "base of their frequencies (0: 10000)"),
    INT(rotary_dim, 0, 16384, "how many channels of a head they turn (0: all)"),
    INT(relative_buckets, 0, 4096,
        "into how many buckets relative positions sort distances (0: 32)"),
    INT(relative_distance, 0, 65536, "the last bucket holds all beyond this distance (0: 128)"),
    BOOL(plain_embeddings, "embeddings are not multiplied by the root of d_model"),
    BOOL(embedding_norm, "a norm after embedding and position"),
    CHOICE(activation, attn_activation_names + 1,
           "activation of the feed-forward layers: relu, gelu, gelu_tanh, gelu_sigmoid, swish"),
    BOOL(gated,
         "feed-forward layers with a gate, and a third matrix (SwiGLU with activation = swish)"),
    CHOICE(tied, tied_tables,
           "one table of embeddings for all that shares a vocabulary (true), for target and output "
           "(target), for all although each language has a tokenizer of its own over one "
           "vocabulary (all), or one for each (false): true, target, all, false"),
    BOOL(output_bias, "the projection to words has a bias"),
    BOOL(bare_source, "sources are read without </s>"),
    BOOL(ssru, "the decoder reads earlier words by recurrent units (SSRU), not by attention"),
    BOOL(final_norm, "a norm after the last layer, where the others stand after sublayers"),
    BOOL(own_positions, "of learned positions, the decoder has its own"),
    CHOICE(vocabularies, vocabularies,
           "one tokenizer for both languages, or one for each: joint, separate"),
    INT(vocabulary, 8, 1000000, "pieces of the tokenizer; a text that allows fewer gets fewer"),
    INT(target_vocabulary, 0, 1000000,
        "pieces of the target's tokenizer where each language has one (0: as many as vocabulary)"),
    CHOICE(tokenizer_type, tokenizer_types, "tokenizer algorithm: unigram, bpe"),
    TEXT(normalization, "text normalization: identity, nfkc, nmt_nfkc, nfkc_cf, nmt_nfkc_cf"),
    TEXT(elisions, "elided words to split from the next word; for French: c d j l m n qu s t"),
    REAL(character_coverage, 0.5, 1,
         "share of the text's characters that get a piece of their own"),
    BOOL(byte_fallback,
         "256 more pieces, one a byte, that write any character without a piece of its own"),
    REAL(filter_ratio, 0, 1000,
         "leave out pairs with a side this many times longer than is usual (0: none)"),
    BOOL(filter_copies, "leave out pairs of which source and target are the same"),
    BOOL(filter_doubles, "leave out pairs that have come before"),
    BOOL(filter_script, "leave out pairs in another script than the rest of their side"),
    REAL(bpe_dropout, 0, 0.9,
         "share of the merges of BPE left out at random, anew in each epoch (0.1 is usual)"),
    CHOICE(bpe_dropout_sides, sides, "where bpe_dropout works: both, source, target"),
    REAL(augment_case, 0, 1,
         "share of the pairs all in capitals or all in small letters, anew in each epoch"),
    REAL(augment_join, 0, 1, "share of the pairs that the next pair is joined to"),
    REAL(augment_end, 0, 1, "share of the pairs that lose the full stop of both sides"),
    REAL(augment_copy, 0, 1,
         "share of the pairs with other numbers, names and addresses, alike on both sides"),
    REAL(dropout, 0, 0.95, "dropout on embeddings and sublayers"),
    REAL(attention_dropout, 0, 0.95, "dropout on the attention weights"),
    REAL(activation_dropout, 0, 0.95, "dropout inside the feed-forward layers"),
    REAL(label_smoothing, 0, 0.9, "share of the target probability spread over the vocabulary"),
    REAL(r_drop, 0, 100,
         "R-Drop: each batch passes twice, with other dropout, and this much of how far the two "
         "passes are apart is added to the loss (0: off; 1 to 5 are usual)"),
    INT(lora_rank, 0, 4096,
        "train low-rank adapters of this rank and nothing else; they are merged into the model at "
        "the end (0: off; 8 to 32 are usual)"),
    REAL(lora_alpha, 1e-6, 1e6, "what an adapter adds is multiplied by lora_alpha / lora_rank"),
    REAL(lora_dropout, 0, 0.95, "dropout on what the adapters read"),
    TEXT(lora_targets, "which matrices get an adapter: names or patterns, parted by spaces"),
    REAL(guided_alignment, 0, 100,
         "the text is aligned word by word, and this much of how far one head of "
         "cross-attention is from these links is added to the loss (0: off; 0.05 to 1)"),
    INT(guided_layer, 0, 256, "the decoder layer of that head (0: the last but one)"),
    INT(batch_tokens, 1, 100000000, "tokens per batch, on its longer side"),
    INT(bleu_beam, 1, 100, "beam width for the translations that BLEU scores"),
    BOOL(bleu_raw, "hand the validation lines to the model as they are, as translate --raw does"),
    TEXT(source_language, "source language code, such as en"),
    TEXT(target_language, "target language code, such as fr"),
};

attn_recipe attn_translator_recipe_table(attn_translator_recipe *recipe) {
    attn_recipe table = {.values = recipe};
    attn_recipe_add(&table, keys, sizeof keys / sizeof *keys, 0);
    attn_recipe_add_train(
        &table, offsetof(attn_translator_recipe, train), "bleu_every", best_by,
        "what the best validation is judged by; chrf is then computed in place of "
        "BLEU: loss, bleu, chrf");
    return table;
}

void attn_translator_recipe_init(attn_translator_recipe *recipe) {
    memset(recipe, 0, sizeof *recipe);
    *recipe = (attn_translator_recipe){
        .tied = ATTN_TIED_SHARED,
        .d_model = 256,
        .ffn = 1024,
        .heads = 4,
        .encoder_layers = 4,
        .decoder_layers = 4,
        .max_length = 256,
        .vocabulary = 8000,
        .normalization = "nmt_nfkc",
        .character_coverage = 1,
        .dropout = 0.1,
        .label_smoothing = 0.1,
        .lora_alpha = 16,
        .lora_targets = "encoder.* decoder.*",
        .batch_tokens = 4096,
        .bleu_beam = 1,
    };
    attn_train_options_init(&recipe->train);
}

bool attn_translator_recipe_is_partial(const attn_translator_recipe *recipe) {
    return recipe->lora_rank > 0 || recipe->train.freeze[0] != '\0';
}

/* What only rotary positions have would otherwise do nothing. */
static attn_status check_rotary(const attn_translator_recipe *recipe, attn_error *error) {
    const char *key = recipe->rotary_dim != 0    ? "rotary_dim"
                      : recipe->rotary_base != 0 ? "rotary_base"
                      : recipe->rotary != 0      ? "rotary"
                                                 : NULL;
    return key == NULL || recipe->positions == ATTN_POSITIONS_ROTARY
               ? ATTN_OK
               : attn_fail(error, ATTN_ERR_ARGUMENT, key, -1,
                           "set positions = rotary too, or leave it out",
                           "only rotary positions have it");
}

attn_status attn_translator_recipe_check(const attn_translator_recipe *recipe, attn_error *error) {
    int64_t kv_heads = recipe->kv_heads == 0 ? recipe->heads : recipe->kv_heads;
    if (recipe->d_model % recipe->heads != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "heads", -1, "choose a divisor of d_model",
                         "%lld heads do not divide d_model = %lld", (long long)recipe->heads,
                         (long long)recipe->d_model);
    }
    if (recipe->heads % kv_heads != 0) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "kv_heads", -1, "choose a divisor of heads",
                         "%lld key and value heads do not divide %lld heads", (long long)kv_heads,
                         (long long)recipe->heads);
    }
    if (recipe->guided_layer > recipe->decoder_layers) {
        return attn_fail(error, ATTN_ERR_ARGUMENT, "guided_layer", -1, "choose one of them, or 0",
                         "there is no layer %lld of %lld decoder layers",
                         (long long)recipe->guided_layer, (long long)recipe->decoder_layers);
    }
    attn_translator_recipe copy = *recipe;
    attn_recipe table = attn_translator_recipe_table(&copy);
    attn_translator_config config;
    attn_translator_recipe_config(recipe, recipe->vocabulary, 0, &config);
    attn_status status = check_rotary(recipe, error);
    status = status == ATTN_OK ? attn_translator_config_check(&config, error) : status;
    status = status == ATTN_OK ? attn_recipe_check_texts(&table, error) : status;
    return status == ATTN_OK ? attn_train_options_check(&recipe->train, error) : status;
}

void attn_translator_recipe_config(const attn_translator_recipe *recipe, int64_t vocabulary,
                                   int64_t source_vocabulary, attn_translator_config *config) {
    attn_translator_config_init(config);
    config->vocabulary = vocabulary;
    config->source_vocabulary = source_vocabulary;
    config->d_model = recipe->d_model;
    config->ffn = recipe->ffn;
    config->heads = recipe->heads;
    config->kv_heads = recipe->kv_heads == 0 ? recipe->heads : recipe->kv_heads;
    config->encoder_layers = recipe->encoder_layers;
    config->decoder_layers = recipe->decoder_layers;
    config->max_length = recipe->max_length;
    config->pre_norm = recipe->norm == ATTN_NORM_PRE;
    config->learned_positions = recipe->positions == ATTN_POSITIONS_LEARNED;
    if (recipe->positions == ATTN_POSITIONS_ROTARY) {
        config->rotary = (attn_rotary)(recipe->rotary + ATTN_ROTARY_HALVES);
        config->rotary_base = recipe->rotary_base;
        config->rotary_dim = recipe->rotary_dim;
    }
    if (recipe->positions == ATTN_POSITIONS_RELATIVE) {
        config->relative = true;
        config->relative_buckets = recipe->relative_buckets;
        config->relative_distance = recipe->relative_distance;
    }
    config->activation = (attn_activation)(recipe->activation + ATTN_ACTIVATION_RELU);
    config->rms_norm = recipe->norm_kind == ATTN_NORM_RMS;
    config->gated = recipe->gated;
    config->norm_epsilon = recipe->norm_epsilon;
    config->sinusoids = (attn_sinusoids)recipe->sinusoids;
    config->first_position = recipe->first_position;
    config->plain_embeddings = recipe->plain_embeddings;
    config->embedding_norm = recipe->embedding_norm;
    config->output_bias = recipe->output_bias;
    config->bare_source = recipe->bare_source;
    config->ssru = recipe->ssru;
    config->final_norm = recipe->final_norm;
    config->own_positions = recipe->own_positions;
    bool joint = recipe->vocabularies == ATTN_VOCABULARIES_JOINT;
    bool all = recipe->tied == ATTN_TIED_ALL || (recipe->tied == ATTN_TIED_SHARED && joint);
    config->embeddings = recipe->tied == ATTN_TIED_NONE ? ATTN_EMBEDDINGS_UNTIED
                         : all                          ? ATTN_EMBEDDINGS_TIED
                                                        : ATTN_EMBEDDINGS_TARGET;
    if (recipe->tied == ATTN_TIED_ALL) {
        config->source_vocabulary = 0;
    }
    config->dropout = recipe->dropout;
    config->attention_dropout = recipe->attention_dropout;
    config->activation_dropout = recipe->activation_dropout;
    config->label_smoothing = recipe->label_smoothing;
    if (recipe->guided_alignment > 0 || recipe->guided_layer > 0) {
        int64_t usual = recipe->decoder_layers > 1 ? recipe->decoder_layers - 1 : 1;
        config->alignment_layer = recipe->guided_layer > 0 ? recipe->guided_layer : usual;
        config->alignment_head = 1;
    }
}

void attn_translator_recipe_of_config(const attn_translator_config *config, bool two_sides,
                                      attn_translator_recipe *recipe) {
    recipe->d_model = config->d_model;
    recipe->ffn = config->ffn;
    recipe->heads = config->heads;
    recipe->kv_heads = config->kv_heads == config->heads ? 0 : config->kv_heads;
    recipe->encoder_layers = config->encoder_layers;
    recipe->decoder_layers = config->decoder_layers;
    recipe->max_length = config->max_length;
    recipe->norm = config->pre_norm ? ATTN_NORM_PRE : ATTN_NORM_POST;
    recipe->norm_kind = config->rms_norm ? ATTN_NORM_RMS : ATTN_NORM_LAYER;
    recipe->norm_epsilon = config->norm_epsilon;
    bool rotary = config->rotary != ATTN_ROTARY_NONE;
    recipe->positions = config->learned_positions ? ATTN_POSITIONS_LEARNED
                        : rotary                  ? ATTN_POSITIONS_ROTARY
                        : config->relative        ? ATTN_POSITIONS_RELATIVE
                                                  : ATTN_POSITIONS_SINUSOIDAL;
    recipe->rotary = rotary ? (int)config->rotary - ATTN_ROTARY_HALVES : 0;
    recipe->rotary_base = config->rotary_base;
    recipe->rotary_dim = config->rotary_dim;
    recipe->relative_buckets = config->relative_buckets;
    recipe->relative_distance = config->relative_distance;
    recipe->sinusoids = config->sinusoids;
    recipe->first_position = config->first_position;
    recipe->plain_embeddings = config->plain_embeddings;
    recipe->embedding_norm = config->embedding_norm;
    recipe->activation = (int)config->activation - ATTN_ACTIVATION_RELU;
    recipe->gated = config->gated;
    recipe->tied = config->embeddings == ATTN_EMBEDDINGS_UNTIED   ? ATTN_TIED_NONE
                   : config->embeddings == ATTN_EMBEDDINGS_TARGET ? ATTN_TIED_TARGET
                   : two_sides                                    ? ATTN_TIED_ALL
                                                                  : ATTN_TIED_SHARED;
    recipe->output_bias = config->output_bias;
    recipe->bare_source = config->bare_source;
    recipe->ssru = config->ssru;
    recipe->final_norm = config->final_norm;
    recipe->own_positions = config->own_positions;
    recipe->vocabularies = two_sides ? ATTN_VOCABULARIES_SEPARATE : ATTN_VOCABULARIES_JOINT;
    recipe->guided_layer = config->alignment_head == 1 ? config->alignment_layer : 0;
}

attn_status attn_translator_recipe_fits(attn_translator_recipe *model,
                                        attn_translator_recipe *wanted, attn_error *error) {
    attn_recipe table = attn_translator_recipe_table(model);
    for (size_t i = 0; i < table.count; i++) {
        const attn_key *key = &table.keys[i];
        char has[ATTN_KEY_TEXT_SIZE], is[ATTN_KEY_TEXT_SIZE];
        attn_recipe_print(key, model, has, sizeof has);
        attn_recipe_print(key, wanted, is, sizeof is);
        bool shorter = key->offset == offsetof(attn_translator_recipe, max_length) &&
                       model->positions != ATTN_POSITIONS_LEARNED;
        if (key->offset < offsetof(attn_translator_recipe, vocabulary) && !shorter &&
            strcmp(has, is) != 0) {
            return attn_fail(error, ATTN_ERR_ARGUMENT, key->name, -1,
                             "leave it out: the model of --init decides",
                             "the model of --init has %s, not %s", has, is);
        }
    }
    return ATTN_OK;
}

bool attn_translator_recipe_is_of_tokenizer(const char *name) {
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t at = keys[i].offset;
        if (strcmp(keys[i].name, name) == 0) {
            return at >= offsetof(attn_translator_recipe, vocabulary) &&
                   at < offsetof(attn_translator_recipe, filter_ratio);
        }
    }
    return false;
}

void attn_translator_recipe_variation(const attn_translator_recipe *recipe,
                                      attn_corpus_variation *variation) {
    *variation = (attn_corpus_variation){
        .join = recipe->augment_join,
        .capitals = recipe->augment_case,
        .end = recipe->augment_end,
        .copy = recipe->augment_copy,
    };
    if (recipe->bpe_dropout_sides != ATTN_SIDES_TARGET) {
        variation->source_dropout = recipe->bpe_dropout;
    }
    if (recipe->bpe_dropout_sides != ATTN_SIDES_SOURCE) {
        variation->target_dropout = recipe->bpe_dropout;
    }
}

const char *attn_translator_recipe_tokenizer(const attn_translator_recipe *recipe) {
    return tokenizer_types[recipe->tokenizer_type];
}

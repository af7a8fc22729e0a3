/* A whole model for tests of programs: a tokenizer trained on generated text and a translator with random
 * weights that fits it. Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_MODEL_H
#define ATTN_TESTS_TINY_MODEL_H

#include "attn/safetensors.h"
#include "attn/translator.h"
#include "support/sentences.h"
#include "attn/tokenizer.h"

static inline attn_tokenizer *tiny_model_tokenizer_of(int32_t vocabulary, bool byte_fallback) {
    char files[2][64];
    const char *paths[] = {files[0], files[1]};
    sentences_generate(files[0], 0);
    sentences_generate(files[1], 1);
    attn_tokenizer_options options = {.type = "bpe",
                                      .normalization = "nmt_nfkc",
                                      .elisions = "",
                                      .vocabulary = vocabulary,
                                      .byte_fallback = byte_fallback,
                                      .character_coverage = 0.9995,
                                      .threads = 1};
    attn_tokenizer *tokenizer = NULL;
    if (attn_tokenizer_train(paths, 2, &options, &tokenizer, NULL) != ATTN_OK) {
        abort();
    }
    unlink(files[0]);
    unlink(files[1]);
    return tokenizer;
}

static inline attn_tokenizer *tiny_model_tokenizer(void) {
    return tiny_model_tokenizer_of(120, false);
}

static inline attn_translator *tiny_model_translator(const attn_tokenizer *tokenizer,
                                                     uint64_t seed) {
    attn_translator_config config;
    attn_translator *model = NULL;
    attn_translator_config_init(&config);
    config.vocabulary = attn_tokenizer_size(tokenizer);
    config.d_model = 16;
    config.ffn = 32;
    config.heads = config.kv_heads = 2;
    config.encoder_layers = config.decoder_layers = 1;
    config.max_length = 64;
    if (attn_translator_create(&config, false, &model, NULL) != ATTN_OK) {
        abort();
    }
    attn_params *params = attn_translator_params(model);
    attn_params_init(params, seed);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] *= 2;
    }
    return model;
}

/* A file whose metadata says en to fr. */
static inline void tiny_model_save(const char *path, const attn_tokenizer *tokenizer,
                                   uint64_t seed) {
    attn_translator *model = tiny_model_translator(tokenizer, seed);
    attn_metadata metadata[] = {{"source_language", "en"}, {"target_language", "fr"}};
    size_t size;
    const void *bytes = attn_tokenizer_bytes(tokenizer, &size);
    if (attn_translator_save(model, ATTN_STORE_F32, bytes, size, metadata, 2, path, NULL) !=
        ATTN_OK) {
        abort();
    }
    attn_translator_free(model);
}

#endif

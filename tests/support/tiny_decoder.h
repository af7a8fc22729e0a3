/* tests/support/tiny_decoder.h: decoders of a few thousand numbers, of every kind. Every parameter is random, biases and norms too.
 * Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_DECODER_H
#define ATTN_TESTS_TINY_DECODER_H

#include <string.h>

#include "attn/decoder.h"
#include "base/random.h"

enum { TINY_WORDS = 19, TINY_LENGTH = 300, TINY_KINDS = 4 };

/* As GPT-2; as Llama; norms behind, sinusoids; one key for all heads, some channels turned. */
static inline attn_decoder_config tiny_decoder_config(int kind) {
    attn_decoder_config config;
    attn_decoder_config_init(&config);
    config.vocabulary = TINY_WORDS;
    config.d_model = 24;
    config.ffn = 20;
    config.heads = config.kv_heads = 4;
    config.layers = 3;
    config.max_length = TINY_LENGTH;
    if (kind > 0) {
        config.learned_positions = false;
    }
    if (kind == 1) {
        config.kv_heads = 2;
        config.activation = ATTN_ACTIVATION_SWISH;
        config.rms_norm = config.gated = config.own_output = true;
        config.rotary = ATTN_ROTARY_HALVES;
        config.norm_epsilon = 1e-6;
    } else if (kind == 2) {
        config.post_norm = config.output_bias = true;
        config.scaled_embeddings = config.embedding_norm = true;
        config.first_position = 1;
        config.activation = ATTN_ACTIVATION_RELU;
    } else if (kind == 3) {
        config.kv_heads = 1;
        config.rotary = ATTN_ROTARY_ADJACENT;
        config.rotary_base = 100;
        config.rotary_dim = 4;
        config.start_token = 1;
        config.end_token = 2;
    }
    return config;
}

static inline void tiny_decoder_fill(attn_decoder *model) {
    attn_params *params = attn_decoder_params(model);
    attn_random random = attn_random_start(79);
    attn_params_init(params, 7);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] += (attn_real)(0.3 * attn_random_normal(&random));
    }
}

/* Packed. */
static inline attn_decoder *tiny_decoder(const attn_decoder_config *config) {
    attn_decoder *model = NULL;
    attn_error error = {0};
    assert_int_equal(attn_decoder_create(config, &model, &error), ATTN_OK);
    tiny_decoder_fill(model);
    assert_int_equal(attn_decoder_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    return model;
}

#endif

/* tests/support/tiny_encoder.h: an encoder of a few thousand numbers, and words for it. Every parameter is random, biases and
 * norms too. Include cmocka.h first. */
#ifndef ATTN_TESTS_TINY_ENCODER_H
#define ATTN_TESTS_TINY_ENCODER_H

#include <string.h>

#include "attn/encoder.h"
#include "base/random.h"

/* Its words: enough to write any of the letters below. */
static const char tiny_words[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n##a\n##b\n##c\n##d\ncab\n##bad\n.\n";

enum { TINY_WORDS = 16, TINY_CHANNELS = 24 };

static inline attn_encoder_config tiny_encoder_config(void) {
    attn_encoder_config config;
    attn_encoder_config_init(&config);
    config.vocabulary = TINY_WORDS + 2; /* more rows than words, as some models have */
    config.d_model = TINY_CHANNELS;
    config.ffn = 20;
    config.heads = 4;
    config.layers = 3;
    config.positions = 150;
    config.first_position = 2;
    return config;
}

static inline void tiny_encoder_fill(attn_encoder *model) {
    attn_params *params = attn_encoder_params(model);
    attn_random random = attn_random_start(78);
    attn_params_init(params, 6);
    for (int64_t i = 0; i < attn_params_size(params); i++) {
        attn_params_data(params)[i] += (attn_real)(0.2 * attn_random_normal(&random));
    }
}

static inline attn_encoder *tiny_encoder(const attn_encoder_config *config, bool trainable) {
    attn_encoder *model = NULL;
    attn_error error = {0};
    assert_int_equal(attn_encoder_create(config, trainable, &model, &error), ATTN_OK);
    tiny_encoder_fill(model);
    if (!trainable) {
        assert_int_equal(attn_encoder_pack(model, ATTN_COMPUTE_F32, NULL), ATTN_OK);
    }
    return model;
}

#endif
